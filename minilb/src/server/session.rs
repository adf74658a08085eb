//! One client: attempts at servers until one accepts, then bytes in both directions.
//!
//! ```text
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
use super::forward::{CoreBuffer, Limits, forward};
use super::upstream::{Lease, SharedUpstream};
use crate::conf::config::ServerBlock;
use crate::engine::upstream::{Attempts, Outcome};
use minikit::server::Stream;
use minikit::sync::Arc;
use std::io;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Serves one client of `server`. Ends without a word if no server can be reached: a client of TCP
/// sees its connection closed.
pub async fn serve(
    mut client: Stream,
    server: &ServerBlock,
    upstream: &Arc<SharedUpstream>,
    clock: Clock,
    buffer: &CoreBuffer,
) {
    let peer = client.peer();
    let Some((lease, mut stream)) = connect(&peer, server, upstream, clock).await else { return };

    let limits = Limits { idle: server.proxy_timeout, half_close: server.proxy_half_close };
    match forward(&mut client, &mut stream, buffer, limits).await {
        Ok(()) => tracing::debug!("session of {peer} with {} ended", lease.address),
        Err(error) => tracing::info!("session of {peer} with {} ended: {error}", lease.address),
    }
}

/// Tries servers until one accepts.
async fn connect(
    client: &str,
    server: &ServerBlock,
    upstream: &Arc<SharedUpstream>,
    clock: Clock,
) -> Option<(Lease, TcpStream)> {
    let mut attempts = Attempts::default();
    loop {
        let name = &server.upstream;
        let Some(mut lease) = Lease::pick(upstream, &mut attempts, clock, None) else {
            tracing::error!(
                "no live upstreams while connecting to upstream, client: {client}, \
                 upstream: \"{name}\""
            );
            return None;
        };
        let address = lease.address;
        let error = match timeout(server.proxy_connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                lease.connected();
                // Small messages of a protocol must not wait for more to send. If the option cannot
                // be set, the server has closed already, and the first read reports it.
                let _ = stream.set_nodelay(true);
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
        if upstream.begin_retry(&attempts).is_err() {
            return None;
        }
    }
}
