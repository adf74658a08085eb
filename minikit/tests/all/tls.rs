//! TLS from outside: a real handshake, ALPN, a reload, and what the errors say.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc;

use graviola::hashing::Sha256;
use graviola::signing::ecdsa::{P256, SigningKey};
use minikit::connections::Connections;
use minikit::harness::Scratch;
use minikit::server::{Bound, Hooks, Options, PerCore, Service, Shutdown, Spread, Stream, run};
use minikit::sync::Arc;
use minikit::tls::Tls;
use rcgen::{CertificateParams, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::{TlsConnector, rustls::ClientConfig, rustls::RootCertStore};

/// A signing key for rcgen. Its own implementation needs ring.
struct Key {
    signing: SigningKey<P256>,
    /// The public key as an uncompressed point, as rcgen writes it into a certificate.
    point: Vec<u8>,
}

impl Key {
    fn new() -> Key {
        let signing = SigningKey::<P256>::generate().expect("the system has random numbers");
        let mut buffer = [0; 256];
        let info = signing.to_spki_der(&mut buffer).expect("256 bytes are enough");
        // RFC 5480: the point is the last 65 bytes of a P-256 SubjectPublicKeyInfo.
        let point = info[info.len() - 65..].to_vec();
        Key { signing, point }
    }

    fn pem(&self) -> String {
        let mut buffer = [0; 256];
        let der = self.signing.to_pkcs8_der(&mut buffer).expect("256 bytes are enough");
        pem::encode(&pem::Pem::new("PRIVATE KEY", der))
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let mut buffer = [0; 256];
        let signature = self.signing.sign_asn1::<Sha256>(&[message], &mut buffer);
        Ok(signature.expect("256 bytes are enough").to_vec())
    }
}

/// Writes a new certificate for `localhost` and its key to `folder`, and returns the certificate.
fn write_pair(folder: &Scratch) -> CertificateDer<'static> {
    let key = Key::new();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a valid name");
    // Without ring, rcgen cannot derive a key identifier from the key.
    params.serial_number = Some(1.into());
    let certificate = params.self_signed(&key).expect("the key signs");
    folder.file("chain.pem", &certificate.pem());
    folder.file("key.pem", &key.pem());
    certificate.der().clone()
}

fn files(folder: &Scratch) -> (PathBuf, PathBuf) {
    (folder.path().join("chain.pem"), folder.path().join("key.pem"))
}

/// Echoes over TLS, and reloads the certificate on SIGHUP.
struct TlsEcho {
    tls: Tls,
    connections: Connections,
}

impl Hooks for TlsEcho {
    fn connections(&self) -> &Connections {
        &self.connections
    }

    fn max_connections(&self) -> usize {
        10
    }

    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }

    fn reload(&self) {
        self.tls.reload().expect("both files are there");
    }
}

impl Service for TlsEcho {
    type Core = ();

    fn core(&self, _index: usize) {}

    async fn connection(self: Arc<Self>, _core: Rc<()>, stream: Stream, shutdown: Shutdown) {
        let Ok(mut stream) = self.tls.accept(stream).await else { return };
        let mut buffer = [0; 1000];
        loop {
            let read = tokio::select! {
                () = shutdown.requested() => return,
                read = stream.read(&mut buffer) => read,
            };
            let Ok(count @ 1..) = read else { return };
            stream.write_all(&buffer[..count]).await.expect("the client reads");
        }
    }

    async fn background(self: Arc<Self>, _core: Rc<()>, _shutdown: Shutdown) {}
}

type ClientStream = TlsStream<tokio::net::TcpStream>;

/// Connects a client that trusts only `certificate`.
async fn connect(
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
    alpn: &str,
) -> io::Result<ClientStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate");
    let provider = Arc::new(rustls_graviola::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let stream = tokio::net::TcpStream::connect(address).await?;
    let name = "localhost".try_into().expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn echo(stream: &mut ClientStream, text: &str) {
    stream.write_all(text.as_bytes()).await.expect("the server reads");
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).await.expect("the server echoes");
    assert_eq!(back, text.as_bytes());
}

#[test]
fn both_asynchronous_shapes_serve_tls_and_reload_without_losing_a_connection() {
    for spread in [false, true] {
        let folder = Scratch::new("tls").expect("the temporary directory is writable");
        let old = write_pair(&folder);
        let (certificate, key) = files(&folder);
        let tls = Tls::load(&certificate, &key, &["h2", "http/1.1"]).expect("a fresh pair");
        let service = Arc::new(TlsEcho { tls, connections: Connections::new() });
        let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let options = Options { listen, threads: 1, ..Options::default() };
        let (ready, readiness) = mpsc::channel();
        let (engine, shutdown) = (Arc::clone(&service), Shutdown::new());
        let until = shutdown.clone();
        let thread = std::thread::spawn(move || {
            let on_ready = |bound: &Bound, _| ready.send(bound.tcp).expect("the test waits");
            match spread {
                false => run(options, PerCore(engine), until, on_ready),
                true => run(options, Spread(engine), until, on_ready),
            }
        });
        let address = readiness.recv().expect("it becomes ready").expect("it listens on TCP");

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut first = connect(address, &old, "h2").await.expect("a handshake");
            assert_eq!(first.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            echo(&mut first, "before").await;
            connect(address, &old, "smtp").await.expect_err("no protocol in common");

            let new = write_pair(&folder);
            connect(address, &new, "h2").await.expect_err("it still shows the old certificate");
            service.reload();
            let mut second = connect(address, &new, "http/1.1").await.expect("the new one");
            assert_eq!(second.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
            echo(&mut second, "after").await;
            echo(&mut first, "the old connection goes on").await;
        });
        shutdown.request();
        thread.join().expect("no panic").expect("a good end");
    }
}

#[test]
fn errors_name_the_file_and_what_to_try() {
    let folder = Scratch::new("tls-errors").expect("the temporary directory is writable");
    let (certificate, key) = files(&folder);
    let load = || Tls::load(&certificate, &key, &[]).expect_err("it must fail").to_string();

    let text = load();
    assert!(text.contains("chain.pem: No such file") && text.contains("Check the path"), "{text}");

    write_pair(&folder);
    let first_key = fs::read_to_string(&key).expect("written");
    fs::write(&key, fs::read_to_string(&certificate).expect("written")).expect("writable");
    let text = load();
    assert!(text.contains("key.pem contains no `-----BEGIN PRIVATE KEY-----`"), "{text}");
    assert!(text.contains("swapped"), "{text}");

    write_pair(&folder);
    fs::write(&key, first_key).expect("writable");
    let text = load();
    assert!(text.contains("was not issued for the key in"), "{text}");

    fs::write(&certificate, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
        .expect("writable");
    let text = load();
    assert!(text.contains("chain.pem is not valid PEM"), "{text}");

    fs::write(&certificate, "").expect("writable");
    let text = load();
    assert!(text.contains("chain.pem contains no `-----BEGIN CERTIFICATE-----`"), "{text}");
}

#[test]
fn a_failed_reload_keeps_the_old_certificate() {
    let folder = Scratch::new("tls-reload").expect("the temporary directory is writable");
    write_pair(&folder);
    let (certificate, key) = files(&folder);
    let tls = Tls::load(&certificate, &key, &[]).expect("a fresh pair");
    let old_key = fs::read(&key).expect("written");
    write_pair(&folder);
    fs::write(&key, old_key).expect("writable");
    let error = tls.reload().expect_err("a new certificate and an old key").to_string();
    assert!(error.contains("was not issued for the key in"), "{error}");
    fs::remove_file(&certificate).expect("written");
    let error = tls.reload().expect_err("no certificate").to_string();
    assert!(error.contains("cannot read"), "{error}");
}
