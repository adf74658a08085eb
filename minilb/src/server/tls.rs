//! TLS on both sides of the proxy: certificates by server name for clients, and the check of
//! servers' certificates.
//!
//! ```text
//! client ── ClientHello, server_name b.example ──> Certificates::resolve ─> the pair of b.example
//!        <─ ALPN: h2 or http/1.1 ──────────────                            (or of the default)
//! proxy  ── ClientHello, proxy_ssl_name ─────────> server                  proxy_ssl_verify
//! ```
//!
//! A stream with TLS is read and written like a socket, so everything above knows nothing of it;
//! what it must do is to flush, as TLS holds bytes back when the socket is full.
//!
//! # Reload
//!
//! Certificates are read with the configuration. If one of them is broken the reload fails, and the
//! old ones stay. Open connections go on as they are; sessions of before cannot be resumed.
//!
//! # Resumption
//!
//! Both sides keep sessions in memory (TLS 1.2 by their number, TLS 1.3 by tickets), which saves
//! the client a round trip or the signature.
//!
//! NGINX counterpart: `ngx_http_ssl_module.c`, `ngx_http_ssl_servername` (`ngx_http_request.c`),
//! `ngx_http_upstream_ssl_init_connection`. NGINX has one set of ciphers for each list of
//! `ssl_ciphers`; here they are those of `rustls`, without CBC and without RSA key exchange.

use super::forward::Endpoint;
use crate::conf::config::ServerBlock;
use crate::conf::http::{HttpServer, Settings};
use crate::conf::reader::split_port;
use crate::handlers::facts::Transport;
use crate::handlers::locate::VirtualServers;
use minikit::server::Stream;
use minikit::sync::Arc;
use minikit::tls::{provider, read_pair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{
    ClientHello, ParsedCertificate, ResolvesServerCert, ServerSessionMemoryCache,
};
use rustls::sign::CertifiedKey;
use rustls::{
    CipherSuite as Suite, ClientConfig, DigitallySignedStruct, HandshakeKind, RootCertStore,
    ServerConfig, SignatureScheme, SupportedProtocolVersion, version,
};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// Sessions of clients that can be resumed.
const SESSIONS_MAX: usize = 10_000;

/// The pairs of certificate and key of each server of an address.
#[derive(Debug)]
struct Certificates {
    /// Which of them a client means. In `stream` there is but one.
    site: Option<(Arc<[HttpServer]>, VirtualServers)>,
    /// By index of the server; several for different kinds of keys.
    pairs: Vec<Vec<Arc<CertifiedKey>>>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let Some((servers, site)) = &self.site else { return fitting(&self.pairs[0], &hello) };
        let name = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        let named = site.find(servers, name.as_bytes());
        // A server without certificate has that of the default one.
        let candidates = [named, site.default_server()].into_iter().flatten();
        let pairs = candidates.map(|it| &self.pairs[it]).find(|it| !it.is_empty())?;
        fitting(pairs, &hello)
    }
}

/// The first pair whose key the client can check.
fn fitting(pairs: &[Arc<CertifiedKey>], hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
    let fits = |it: &&Arc<CertifiedKey>| it.key.choose_scheme(hello.signature_schemes()).is_some();
    pairs.iter().find(fits).or(pairs.first()).map(Arc::clone)
}

/// TLS of a server of `stream`.
#[derive(Debug)]
pub struct StreamTls {
    /// `listen … ssl`
    pub accept: Option<Arc<ServerConfig>>,
    /// `proxy_ssl on`
    pub connect: Option<Arc<ClientConfig>>,
}

impl StreamTls {
    /// Reads the certificates that a server names.
    ///
    /// # Errors
    /// NGINX's message if one of them cannot be used.
    pub fn of(server: &ServerBlock) -> Result<StreamTls, String> {
        let settings = &server.settings;
        let accepts = server.listen.iter().any(|it| it.ssl);
        let accept = accepts.then(|| {
            let pairs = read_pairs(settings)?;
            if pairs.is_empty() {
                return Err(NO_CERTIFICATE.to_owned());
            }
            let certificates = Certificates { site: None, pairs: vec![pairs] };
            server_config(certificates, settings, &[])
        });
        let connects = settings.proxy_ssl == Some(true);
        let connect = connects.then(|| of_upstream(settings)).transpose()?;
        Ok(StreamTls { accept: accept.transpose()?, connect })
    }
}

const NO_CERTIFICATE: &str =
    "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";

/// What clients of an address are answered with.
///
/// # Errors
/// NGINX's message if a certificate cannot be used, or the default server has none.
pub fn of_site(
    servers: &Arc<[HttpServer]>,
    site: &VirtualServers,
    alpn: &[&str],
) -> Result<Arc<ServerConfig>, String> {
    let pairs = servers.iter().map(|it| read_pairs(&it.root.settings));
    let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
    let default = site.default_server().unwrap_or_default();
    if pairs[default].is_empty() {
        return Err(NO_CERTIFICATE.to_owned());
    }
    let certificates = Certificates { site: Some((Arc::clone(servers), site.clone())), pairs };
    server_config(certificates, &servers[default].root.settings, alpn)
}

fn server_config(
    certificates: Certificates,
    settings: &Settings,
    alpn: &[&str],
) -> Result<Arc<ServerConfig>, String> {
    let provider = provider().map_err(|it| it.to_string())?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(&settings.ssl_protocols))
        .map_err(|it| it.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
    Ok(Arc::new(config))
}

fn read_pairs(settings: &Settings) -> Result<Vec<Arc<CertifiedKey>>, String> {
    let provider = provider().map_err(|it| it.to_string())?;
    let certificates = settings.ssl_certificate.as_deref().unwrap_or_default();
    let keys = settings.ssl_certificate_key.as_deref().unwrap_or_default();
    let mut pairs = Vec::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let shown = certificate.display();
        let no_key =
            || format!("no \"ssl_certificate_key\" is defined for certificate \"{shown}\"");
        let key = keys.get(index).ok_or_else(no_key)?;
        let pair = read_pair(certificate, key, &provider)
            .map_err(|it| format!("cannot load certificate \"{shown}\": {it}"))?;
        pairs.push(Arc::new(pair));
    }
    Ok(pairs)
}

/// The versions of a list; both if there is none.
fn versions(words: &Option<Vec<String>>) -> Vec<&'static SupportedProtocolVersion> {
    let has = |name: &str| words.as_ref().is_none_or(|it| it.iter().any(|it| it == name));
    let all = [("TLSv1.2", &version::TLS12), ("TLSv1.3", &version::TLS13)];
    all.into_iter().filter(|(name, _)| has(name)).map(|(_, it)| it).collect()
}

/// Performs the handshake with a client. It takes as long as the client likes.
///
/// # Errors
/// If the client closes, or shares no version, cipher or protocol.
pub async fn accept(
    stream: Stream,
    config: Arc<ServerConfig>,
) -> io::Result<(server::TlsStream<Stream>, Transport, bool)> {
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let session = stream.get_ref().1;
    let suite = session.negotiated_cipher_suite().map(|it| it.suite());
    let transport = Transport::Tls {
        protocol: match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        cipher: suite.map_or("", openssl_name),
        is_reused: session.handshake_kind() == Some(HandshakeKind::Resumed),
    };
    let is_http2 = session.alpn_protocol() == Some(b"h2");
    Ok((stream, transport, is_http2))
}

/// OpenSSL has names of its own for the suites of TLS 1.2.
fn openssl_name(suite: Suite) -> &'static str {
    match suite {
        Suite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        Suite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        Suite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "",
    }
}

/// TLS towards the servers of a route.
#[derive(Clone, Debug)]
pub struct UpstreamTls {
    /// Of a location, or of a server of `stream`.
    pub config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// The configuration for the servers of a location.
///
/// # Errors
/// If the trusted certificates cannot be used, or are missing.
pub fn of_upstream(settings: &Settings) -> Result<Arc<ClientConfig>, String> {
    let provider = provider().map_err(|it| it.to_string())?;
    let depth = usize::try_from(settings.proxy_ssl_verify_depth.unwrap_or(1)).unwrap_or(usize::MAX);
    let mut verifier =
        Verifier { provider: Arc::clone(&provider), chains: None, depth, pinned: Vec::new() };
    if settings.proxy_ssl_verify == Some(true) {
        let file = settings.proxy_ssl_trusted_certificate.as_deref();
        let file = file.ok_or("no proxy_ssl_trusted_certificate for proxy_ssl_verify")?;
        let pinned = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
        let failed = |it| format!("cannot load certificate \"{}\": {it}", file.display());
        verifier.pinned = pinned.map_err(failed)?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(verifier.pinned.iter().cloned());
        let chains =
            WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        verifier.chains = Some(chains.build().map_err(|it| it.to_string())?);
    }
    let versions = versions(&settings.proxy_ssl_protocols);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|it| it.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.enable_sni = settings.proxy_ssl_server_name == Some(true);
    Ok(Arc::new(config))
}

impl PartialEq for UpstreamTls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.name == other.name
    }
}

impl UpstreamTls {
    /// For servers that are called `host`, which may have a port.
    pub fn new(config: &Arc<ClientConfig>, settings: &Settings, host: &str) -> UpstreamTls {
        let name = settings.proxy_ssl_name.as_deref().unwrap_or(host);
        let name = split_port(name).0.trim_matches(['[', ']']).to_owned();
        // Without a name that can be one, none is sent, and no certificate is for it.
        let none = || ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]));
        let name = ServerName::try_from(name).unwrap_or_else(|_| none());
        UpstreamTls { config: Arc::clone(config), name }
    }
}

/// How certificates of servers are checked.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None` for `proxy_ssl_verify off`, NGINX's default: the server must have the key of its
    /// certificate, which may be anybody's.
    chains: Option<Arc<WebPkiServerVerifier>>,
    /// How many certificates may be between the server's and a trusted one.
    depth: usize,
    /// A server's own certificate may be trusted itself. As those are often made as if they were of
    /// an authority, which `webpki` refuses, they are compared; their dates are not looked at.
    pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chains) = &self.chains else { return Ok(ServerCertVerified::assertion()) };
        if self.pinned.contains(end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let intermediates = intermediates.get(..self.depth).unwrap_or(intermediates);
        chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A connection to a server.
#[derive(Debug)]
pub enum ServerStream {
    /// `http`
    Plain(TcpStream),
    /// `http`, or `stream`, at `unix:PATH`
    Unix(UnixStream),
    /// `https`, over either of them.
    Tls(Box<client::TlsStream<ServerStream>>),
}

impl ServerStream {
    /// Connects to `IP:PORT` or `unix:PATH`, and performs the handshake if there is TLS.
    ///
    /// # Errors
    /// If the server refuses, or its certificate is not trusted.
    pub async fn connect(address: &str, tls: Option<&UpstreamTls>) -> io::Result<Self> {
        let stream = match address.strip_prefix("unix:") {
            Some(path) => ServerStream::Unix(UnixStream::connect(path).await?),
            None => {
                let stream = TcpStream::connect(address).await?;
                // Small messages must not wait for more to send. If the option cannot be set, the
                // connection is broken, and reading reports it.
                let _ = stream.set_nodelay(true);
                ServerStream::Plain(stream)
            }
        };
        let Some(UpstreamTls { config, name }) = tls else { return Ok(stream) };
        let connect = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream);
        // Boxed, or each client's connection would have room for a session of TLS.
        Ok(ServerStream::Tls(Box::new(Box::pin(connect).await?)))
    }
}

impl Endpoint for ServerStream {
    fn socket(&self) -> Option<&TcpStream> {
        match self {
            ServerStream::Plain(stream) => Some(stream),
            ServerStream::Unix(_) | ServerStream::Tls(_) => None,
        }
    }
}

impl ServerStream {
    fn io(self: Pin<&mut Self>) -> Pin<&mut dyn Endpoint> {
        match self.get_mut() {
            ServerStream::Plain(stream) => Pin::new(stream),
            ServerStream::Unix(stream) => Pin::new(stream),
            ServerStream::Tls(stream) => Pin::new(&mut **stream),
        }
    }
}

impl AsyncRead for ServerStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, buffer)
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }
}
