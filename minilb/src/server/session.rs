//! One client: attempts at servers until one accepts, then bytes in both directions.
//!
//! ```text
//! PROXY header of the client, if `listen` says so ─> its first TLS message, with `ssl_preread`
//!
//! client connects to :5432     pick a     connect refused, 0.1 ms    warn, next
//!                              pick b     connected                  forward ... end
//!                                                                    release b
//! ```
//!
//! After the first byte went to a server there is no second attempt: the server may have acted on
//! it.
//!
//! NGINX counterpart: `ngx_stream_proxy_connect`, `ngx_stream_proxy_next_upstream` and
//! `ngx_stream_proxy_finalize` (`ngx_stream_proxy_module.c`), with `proxy_next_upstream on`.

use super::clock::Clock;
use super::forward::{CoreBuffer, Endpoint, Limits, forward};
use super::preread;
use super::resolver;
use super::tls::{self, ServerStream, UpstreamTls};
use super::upstream::{Lease, SharedUpstream};
use crate::conf::config::{ServerBlock, Target};
use crate::conf::listen::Address;
use crate::conf::template::{Definition, Template};
use crate::engine::upstream::{Attempts, Outcome};
use crate::handlers::facts::Client;
use crate::handlers::stream_variables::StreamView;
use crate::wire::client_hello::ClientHello;
use crate::wire::proxy_protocol::{self, Addresses};
use minikit::server::Stream;
use minikit::sync::Arc;
use minilb_dns::client::Resolver;
use rustls::{ClientConfig, ServerConfig};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// What sessions need of a configuration.
#[derive(Clone, Copy)]
pub struct Streams<'a> {
    /// By name.
    pub upstreams: &'a BTreeMap<String, Arc<SharedUpstream>>,
    /// Variables that `stream` defines.
    pub variables: &'a [Definition],
    /// Names that were asked for.
    pub resolver: &'a Resolver,
    /// `proxy_ssl on`
    pub connect: Option<&'a Arc<ClientConfig>>,
}

/// Serves one client of `server`, by TLS if there is an `accept`. Ends without a word if no server
/// can be reached: a client of TCP sees its connection closed.
pub async fn serve(
    client: Stream,
    accept: Option<Arc<ServerConfig>>,
    mut info: Client,
    server: &ServerBlock,
    streams: Streams<'_>,
    clock: Clock,
    buffer: &CoreBuffer,
) {
    let (settings, context) = (&server.settings, (server, streams, clock, buffer));
    // Nothing is read ahead of TLS.
    if let Some(accept) = accept {
        let limit = settings.ssl_handshake_timeout.unwrap_or(Duration::from_secs(60));
        return match preread::in_time(limit, tls::accept(client, accept)).await {
            Ok((client, transport, _)) => {
                info.transport = transport;
                proxy(client, info, ClientHello::default(), Vec::new(), context).await;
            }
            Err(error) => tracing::info!("{error} while SSL handshaking, client: {}", info.peer),
        };
    }

    // What was taken from the socket, to be sent to the server.
    let mut prefix = Vec::new();
    let hello = match settings.ssl_preread {
        Some(true) => {
            let limit = settings.preread_timeout.unwrap_or(Duration::from_secs(30));
            let bytes_max = settings.preread_buffer_size.unwrap_or(16 * 1024) as usize;
            preread::client_hello(&client, limit, bytes_max, &mut prefix).await
        }
        _ => Ok(ClientHello::default()),
    };
    match hello {
        Ok(hello) => proxy(client, info, hello, prefix, context).await,
        Err(error) => tracing::info!("session of {} ended: {error}", info.peer),
    }
}

/// Finds a server for a client, and forwards between the two.
async fn proxy(
    mut client: impl Endpoint,
    info: Client,
    hello: ClientHello,
    mut prefix: Vec<u8>,
    (server, streams, clock, buffer): (&ServerBlock, Streams<'_>, Clock, &CoreBuffer),
) {
    let peer = &info.peer;
    let upstream = match &server.target {
        Target::Upstream(name) => Some(Arc::clone(&streams.upstreams[name])),
        Target::Dynamic(target) => {
            let view =
                StreamView { client: &info, hello: &hello, variables: streams.variables, depth: 0 };
            find_upstream(target, view, server, streams).await
        }
    };
    let Some(upstream) = upstream else { return };
    let tls = streams.connect.map(|it| UpstreamTls::new(it, &server.settings, &upstream.name));
    let connected = connect(&info, server, &upstream, tls.as_ref(), clock).await;
    let Some((lease, mut stream)) = connected else {
        // Under TLS this tells the client that the end is meant. It may be gone.
        let _ = client.shutdown().await;
        return;
    };
    let settings = &server.settings;
    if settings.proxy_protocol == Some(true) {
        let mut header = Vec::new();
        proxy_protocol::write(addresses(&info), &mut header);
        prefix.splice(..0, header);
    }

    let limits = Limits {
        idle: settings.proxy_timeout.unwrap_or(Duration::from_secs(600)),
        half_close: settings.proxy_half_close == Some(true),
    };
    match forward(&mut client, &mut stream, prefix, buffer, limits).await {
        Ok(()) => tracing::debug!("session of {peer} with {} ended", lease.address()),
        Err(error) => tracing::info!("session of {peer} with {} ended: {error}", lease.address()),
    }
}

/// The ends of the client's connection, unless it is one of a Unix socket.
fn addresses(info: &Client) -> Option<Addresses> {
    match (&info.peer, &info.local) {
        (Address::Ip(source), Address::Ip(destination)) => {
            Some(Addresses { source: *source, destination: *destination })
        }
        _ => None,
    }
}

/// The upstream that the variables of `proxy_pass` name, or one of the servers whose address or
/// name they are.
async fn find_upstream(
    target: &Template,
    view: StreamView<'_>,
    server: &ServerBlock,
    streams: Streams<'_>,
) -> Option<Arc<SharedUpstream>> {
    let mut name = Vec::new();
    view.append(target, &mut name);
    let name = String::from_utf8_lossy(&name);
    if let Some(upstream) = streams.upstreams.get(&*name) {
        return Some(Arc::clone(upstream));
    }
    let name_servers = server.settings.resolver();
    let found = resolver::find_upstream(streams.resolver, name_servers.as_ref(), &name, None).await;
    found.inspect_err(|it| tracing::error!("{it}, client: {}", view.client.peer)).ok()
}

/// Tries servers until one accepts.
async fn connect(
    info: &Client,
    server: &ServerBlock,
    upstream: &Arc<SharedUpstream>,
    tls: Option<&UpstreamTls>,
    clock: Clock,
) -> Option<(Lease, ServerStream)> {
    let (client, name) = (&info.peer, &upstream.name);
    let limit = server.settings.proxy_connect_timeout.unwrap_or(Duration::from_secs(60));
    let mut attempts = Attempts::default();
    loop {
        let Some(mut lease) = Lease::pick(upstream, &mut attempts, clock, None) else {
            tracing::error!(
                "no live upstreams while connecting to upstream, client: {client}, \
                 upstream: \"{name}\""
            );
            return None;
        };
        let address = Arc::clone(lease.address());
        let connect = ServerStream::connect(&address, tls);
        let error = match timeout(limit, connect).await {
            Ok(Ok(stream)) => {
                lease.connected();
                return Some((lease, stream));
            }
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };

        tracing::error!(
            "connect() failed ({error}) while connecting to upstream, client: {client}, \
             upstream: \"{address}\""
        );
        lease.outcome = Outcome::Failed;
        drop(lease);
        if upstream.state().begin_retry(&attempts).is_err() {
            return None;
        }
    }
}
