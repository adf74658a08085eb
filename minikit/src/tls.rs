//! Accepting TLS: certificate, key, ALPN, and a reload that keeps every connection.
//!
//! ```text
//! --tls-cert chain.pem ─┐             handshake    ┌─> TlsStream: plaintext
//! --tls-key  key.pem   ─┴─> Tls ── accept(stream) ─┤
//!     ALPN h2, http/1.1                            └─> alpn_protocol(): the protocol agreed on
//!
//! SIGHUP ─> Hooks::reload ─> tls.reload()    new handshakes see the new files,
//!                                            open connections go on with the old ones
//! ```
//!
//! An asynchronous service calls [`Tls::accept`] as the first step of a connection. A blocking one
//! can build a `rustls::StreamOwned` from [`Tls::config`].
//!
//! **A reload is all or nothing.** Both files are read and checked against each other before the
//! new pair is stored. If only one of them was replaced so far, that is an error, and the old pair
//! stays in use.
//!
//! **The cryptography is Graviola** (`rustls-graviola`), which is Rust and proven assembly, so that
//! no C compiler is needed to build an engine. The price: it needs a processor from about 2013 on.
//! [`Tls::load`] checks that and returns an error, because Graviola itself would panic in the first
//! handshake.
//!
//! Left out: client certificates, OCSP stapling, several certificates by server name.
//!
//! NGINX counterpart: `ngx_ssl_certificate` (`ngx_event_openssl.c`). NGINX reads certificates on
//! reload only, as here.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
pub use tokio_rustls::server::TlsStream;

use crate::sync::{Arc, Mutex};

/// The server's side of TLS, loaded from two PEM files.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

/// The certificate that handshakes are answered with. The lock is held for one `Arc::clone`.
#[derive(Debug)]
struct Current(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock()))
    }
}

impl Tls {
    /// Loads a certificate chain (the server's own certificate first) and its private key (PKCS#8,
    /// SEC1 or PKCS#1) from PEM files. `alpn` lists the protocols to offer, the preferred one
    /// first; with an empty list ALPN is off.
    ///
    /// # Errors
    /// [`TlsError`], whose message names the file, what is wrong and what to try.
    pub fn load(certificate: &Path, key: &Path, alpn: &[&str]) -> Result<Tls, TlsError> {
        let provider = provider()?;
        let pair = read_pair(certificate, key, &provider)?;
        let current = Arc::new(Current(Mutex::new(Arc::new(pair))));

        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Ok(Tls { certificate, key, provider, current, config: Arc::new(config) })
    }

    /// Reads both files again. Later handshakes use the new certificate; open connections stay.
    ///
    /// # Errors
    /// As [`load`](Tls::load); then the old certificate stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let pair = read_pair(&self.certificate, &self.key, &self.provider)?;
        *self.current.0.lock() = Arc::new(pair);
        Ok(())
    }

    /// Performs the handshake with one client. It takes as long as the client likes, so put a
    /// timeout around it.
    ///
    /// # Errors
    /// If the client closes, speaks no TLS, or shares no version, cipher suite or ALPN protocol
    /// with the server.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await
    }

    /// The configuration, for code that drives rustls itself. It follows reloads.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

/// Why TLS cannot be offered: the file, what is wrong with it and what to try. In every case a
/// person has to change something, so callers have no kinds to tell apart.
#[derive(Debug)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// The cryptography that all engines use.
///
/// # Errors
/// If the processor is too old for it.
pub fn provider() -> Result<Arc<CryptoProvider>, TlsError> {
    match missing_features() {
        missing if missing.is_empty() => Ok(Arc::new(rustls_graviola::default_provider())),
        missing => Err(unsupported(&missing)),
    }
}

/// Reads a certificate chain and its private key, and checks that they belong together.
///
/// # Errors
/// As [`Tls::load`].
pub fn read_pair(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(|error| unreadable(certificate, "CERTIFICATE", &error))?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| unreadable(key, "PRIVATE KEY", &error))?;

    CertifiedKey::from_der(chain, private, provider).map_err(|error| {
        let (certificate, key) = (certificate.display(), key.display());
        TlsError(match error {
            rustls::Error::InconsistentKeys(_) => format!(
                "the certificate in {certificate} was not issued for the key in {key}. The \
                 server's own certificate must come first in its file"
            ),
            error => format!(
                "cannot use {certificate} with {key}: {error}. RSA (2048 to 4096 bits), ECDSA \
                 P-256 and P-384 keys without a passphrase are supported"
            ),
        })
    })
}

fn unreadable(path: &Path, label: &str, error: &pem::Error) -> TlsError {
    let path = path.display();
    TlsError(match error {
        pem::Error::Io(error) => {
            format!("cannot read {path}: {error}. Check the path and its owner")
        }
        pem::Error::NoItemsFound => format!(
            "{path} contains no `-----BEGIN {label}-----`. Are certificate and key swapped, or is \
             the file in DER format?"
        ),
        error => format!(
            "{path} is not valid PEM: {error}. `openssl x509 -in FILE -noout` or `openssl pkey \
             -in FILE -noout` shows where"
        ),
    })
}

fn unsupported(missing: &[&str]) -> TlsError {
    TlsError(format!(
        "TLS needs processor features that are missing here: {}. Run on a newer processor, or end \
         TLS in a proxy in front of this server",
        missing.join(", ")
    ))
}

/// What Graviola requires on this architecture (`is_cpu_supported` in its `low/*/cpu.rs`) and the
/// processor does not have.
fn missing_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let features = [
        ("aes", is_x86_feature_detected!("aes")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("bmi1", is_x86_feature_detected!("bmi1")),
        ("adx", is_x86_feature_detected!("adx")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
    ];
    #[cfg(target_arch = "aarch64")]
    let features = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("aes", std::arch::is_aarch64_feature_detected!("aes")),
        ("pmull", std::arch::is_aarch64_feature_detected!("pmull")),
        ("sha2", std::arch::is_aarch64_feature_detected!("sha2")),
    ];
    features.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_processor_is_an_error_that_names_what_it_lacks() {
        let text = unsupported(&["adx", "avx2"]).to_string();
        assert!(text.contains("missing here: adx, avx2."), "{text}");
        assert!(text.contains("a proxy in front of this server"), "{text}");
    }
}
