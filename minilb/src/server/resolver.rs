//! Addresses of names at run time: `resolver`, for `proxy_pass` with variables and for
//! `server NAME resolve`.
//!
//! ```text
//! resolver 127.0.0.53 valid=30s;      set $backend app.internal;      proxy_pass http://$backend;
//!
//! first request      A? AAAA? app.internal ─> 192.0.2.7, kept for 30 s
//! the next ones      192.0.2.7
//! no such name       502, "app.internal could not be resolved (3: Host not found)"
//! ```
//!
//! Servers of `resolve` are asked for again when their answer no longer holds; see
//! [`resolve`](crate::engine::resolve) for what becomes of them.
//!
//! NGINX counterpart: `ngx_http_upstream_resolve_handler` (`ngx_http_upstream.c`),
//! `ngx_http_upstream_zone_resolve_timer` (`ngx_http_upstream_zone_module.c`).

use super::clock::Clock;
use super::nginx::HttpGeneration;
use super::upstream::SharedUpstream;
use crate::conf::reader::{port, servers_of, split_port};
use crate::engine::peer::PeerParams;
use crate::engine::upstream::UpstreamConfig;
use minikit::sync::Arc;
use minilb_dns::NameServers;
use minilb_dns::client::{NOT_FOUND, Resolver};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// NGINX waits so much longer than an answer holds, and at least.
const SECOND: Duration = Duration::from_secs(1);

/// An upstream whose servers are the addresses of `HOST` or `HOST:PORT`.
///
/// # Errors
/// NGINX's message.
pub async fn find_upstream(
    resolver: &Resolver,
    name_servers: Option<&NameServers>,
    host: &str,
    default_port: Option<u16>,
) -> Result<Arc<SharedUpstream>, String> {
    let (name, text) = split_port(host);
    let no_port = || format!("no port in upstream \"{host}\"");
    let port = match text {
        Some(text) => port(text).ok_or_else(|| format!("invalid port in upstream \"{host}\""))?,
        None => default_port.ok_or_else(no_port)?,
    };
    let addresses = match name.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => {
            let no_resolver = || format!("no resolver defined to resolve {name}");
            let lookup = resolver.lookup(name_servers.ok_or_else(no_resolver)?, name);
            // Boxed, or each session would have room for datagrams.
            let found = Box::pin(lookup).await.0.map_err(|it| not_resolved(name, it))?;
            found.iter().map(|it| SocketAddr::new(*it, port)).collect()
        }
    };
    let servers = servers_of(host, addresses, PeerParams::default(), false);
    Ok(Arc::new(SharedUpstream::new(host, &UpstreamConfig::new(servers))))
}

fn not_resolved(name: &str, reason: &str) -> String {
    format!("{name} could not be resolved ({reason})")
}

/// Asks for the names of servers that are new, or whose answer holds no longer.
pub fn begin(upstream: &Arc<SharedUpstream>, http: &Arc<HttpGeneration>, clock: Clock) {
    for (host, name_servers) in upstream.due_names(clock.now_ms()) {
        let (upstream, http) = (Arc::clone(upstream), Arc::clone(http));
        tokio::spawn(async move {
            let (name, text) = split_port(&host);
            let port = text.and_then(port).expect("checked when the configuration was read");
            let (found, until) = http.resolver.lookup(&name_servers, name).await;
            let mut valid = until.saturating_duration_since(Instant::now()) + SECOND;

            // No addresses if the name does not exist, and those of before if there is no answer.
            let address = |ip: &IpAddr| SocketAddr::new(*ip, port).to_string().into();
            let found = match found {
                Ok(ips) => Some(ips.iter().map(address).collect()),
                Err(reason) => {
                    tracing::error!("{}", not_resolved(name, reason));
                    let is_gone = reason == NOT_FOUND;
                    valid = if is_gone { valid } else { name_servers.timeout.max(SECOND) };
                    is_gone.then(Vec::new)
                }
            };
            upstream.resolved(&host, found, clock.now_ms() + valid.as_millis() as u64);
        });
    }
}
