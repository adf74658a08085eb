//! Addresses of names at run time: `resolver`, for `proxy_pass` with variables.
//!
//! ```text
//! resolver 127.0.0.53 valid=30s;      set $backend app.internal;      proxy_pass http://$backend;
//!
//! first request      A? AAAA? app.internal ─> 192.0.2.7, kept for 30 s
//! the next ones      192.0.2.7
//! no such name       502, "app.internal could not be resolved (3: Host not found)"
//! ```
//!
//! NGINX counterpart: `ngx_http_upstream_resolve_handler` (`ngx_http_upstream.c`).

use super::upstream::SharedUpstream;
use crate::conf::reader::{port, servers_of, split_port};
use crate::engine::peer::PeerParams;
use crate::engine::upstream::UpstreamConfig;
use minikit::sync::Arc;
use minilb_dns::NameServers;
use minilb_dns::client::Resolver;
use std::net::{IpAddr, SocketAddr};

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
            let found = Box::pin(lookup).await?;
            found.iter().map(|it| SocketAddr::new(*it, port)).collect()
        }
    };
    let servers = servers_of(host, addresses, PeerParams::default(), false);
    Ok(Arc::new(SharedUpstream::new(host, &UpstreamConfig::new(servers))))
}
