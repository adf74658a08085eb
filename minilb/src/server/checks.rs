//! Active health checks over real connections.
//!
//! ```text
//! core 0, every 100 ms    which checks are due?  ─> a task for each: connect ─ GET ─ status
//!                                                                          │
//!                         healthy, unhealthy <── engine/health/check.rs <──┘
//! ```
//!
//! By HTTP a server passes if it answers 2xx or 3xx in time, by TCP if it accepts. The connection
//! is a new one each time: that is what a client would need. With `proxy_pass https://…` the check
//! has the TLS of its location.
//!
//! Counterpart: `health_check` of NGINX Plus. The time limit is `proxy_read_timeout` of its
//! location, in `stream` `proxy_connect_timeout`, for the whole check.

use super::clock::Clock;
use super::preread::in_time;
use super::tls::{ServerStream, UpstreamTls};
use super::upstream::SharedUpstream;
use crate::engine::health::check::CheckParams;
use crate::wire::http1::head::ResponseHead;
use minikit::sync::Arc;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How often due checks are looked for.
pub const TICK: Duration = Duration::from_millis(100);
/// The longest response head that is read.
const HEAD_MAX: usize = 16 * 1024;

/// Begins the checks that are due, and compares the servers.
pub fn begin(upstream: &Arc<SharedUpstream>, clock: Clock, mut random: impl FnMut() -> u64) {
    upstream.compare(clock.now_ms());
    let Some((params, due)) = upstream.state().due_checks(clock.now_ms()) else { return };
    for (id, address) in due {
        let (upstream, params, random) = (Arc::clone(upstream), params.clone(), random());
        let tls = upstream.check_tls.lock().clone();
        tokio::spawn(async move {
            let limit = Duration::from_millis(params.timeout_ms);
            let error = in_time(limit, check(&address, &upstream.name, &params, tls)).await.err();
            let passed = error.is_none();
            if upstream.state().record_check(id, passed, random, clock.now_ms()) {
                match error {
                    None => tracing::warn!("peer is healthy, upstream: \"{address}\""),
                    Some(it) => tracing::warn!("peer is unhealthy ({it}), upstream: \"{address}\""),
                }
            }
        });
    }
}

async fn check(
    address: &str,
    host: &str,
    params: &CheckParams,
    tls: Option<UpstreamTls>,
) -> io::Result<()> {
    let mut server = ServerStream::connect(address, tls.as_ref()).await?;
    let Some(uri) = &params.uri else { return Ok(()) };
    let request = format!("GET {uri} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes()).await?;

    let (mut head, mut received) = (ResponseHead::default(), Vec::new());
    loop {
        let mut buffer = [0; 4096];
        let count = server.read(&mut buffer).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&buffer[..count]);
        match head.parse(&received, false, HEAD_MAX) {
            Ok(Some(_)) if (200..400).contains(&head.status()) => return Ok(()),
            Ok(Some(_)) => return Err(io::Error::other(format!("status {}", head.status()))),
            Ok(None) => {}
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
