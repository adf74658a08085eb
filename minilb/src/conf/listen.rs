//! `listen` of `http` and of `stream`.
//!
//! ```text
//! listen 8080;                                   every IPv4 address, port 8080
//! listen 127.0.0.1:443 default_server;           the server for names that no other has
//! listen 443 ssl http2;                          TLS, and HTTP/2 for clients that speak it
//! listen [::]:80;                                every IPv6 address, and no IPv4 one
//! listen [::1]:80 proxy_protocol;                a header of the PROXY protocol comes first
//! listen unix:/run/app.sock;                     a Unix socket, which every user may open
//! ```
//!
//! NGINX counterpart: `ngx_parse_url` (`ngx_inet.c`), `ngx_http_core_listen`,
//! `ngx_stream_core_listen`.

use super::reader::{port, split_port, unix_path};
use super::values::number;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// An address to listen at, or either end of a client's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP. Port 0 means that the port is not known.
    Ip(SocketAddr),
    /// The path of a Unix socket; empty for the client's end, which has none.
    Unix(Arc<str>),
}

impl Address {
    /// The IP address; that of a Unix socket is 0.0.0.0, which `ip_hash` takes in NGINX.
    pub fn ip(&self) -> IpAddr {
        match self {
            Address::Ip(address) => address.ip().to_canonical(),
            Address::Unix(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }

    /// The port; 0 if there is none.
    pub fn port(&self) -> u16 {
        match self {
            Address::Ip(address) => address.port(),
            Address::Unix(_) => 0,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Ip(address)
    }
}

/// `127.0.0.1:80`, or `unix:` with the path.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// Reads an IP address with a port, or without one, which is then `port`.
pub fn with_port(text: &str, port: u16) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    let without = bare.parse::<IpAddr>().ok().map(|it| SocketAddr::new(it, port));
    without.or_else(|| text.parse().ok())
}

/// One line of `listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address.
    pub address: Address,
    /// `default_server`
    pub is_default: bool,
    /// `proxy_protocol`
    pub proxy_protocol: bool,
    /// `ssl`
    pub ssl: bool,
    /// `http2`
    pub http2: bool,
    /// `http2 on` of the server: HTTP/1 is spoken beside it, with and without TLS.
    pub http2_on: bool,
}

impl Listen {
    /// An address without parameters.
    pub fn at(address: impl Into<Address>) -> Listen {
        Listen {
            address: address.into(),
            is_default: false,
            proxy_protocol: false,
            ssl: false,
            http2: false,
            http2_on: false,
        }
    }

    /// Takes the parameters of another line for the same address: they hold for all its servers.
    pub fn merge(&mut self, other: &Listen) {
        self.proxy_protocol |= other.proxy_protocol;
        self.ssl |= other.ssl;
        self.http2 |= other.http2;
        self.http2_on |= other.http2_on;
    }

    /// Returns true if clients of `local` are accepted by this wildcard.
    pub fn is_wildcard_for(&self, local: &Address) -> bool {
        match (&self.address, local) {
            (Address::Ip(all), Address::Ip(local)) => {
                let same_kind = all.is_ipv4() == local.is_ipv4();
                all.ip().is_unspecified() && same_kind && all.port() == local.port()
            }
            _ => false,
        }
    }

    /// Reads the arguments of the directive. In `http` there is a default port.
    pub(super) fn parse(arguments: &[String], is_http: bool) -> Result<Listen, String> {
        let address = listen_address(&arguments[0], is_http.then_some(80))?;
        let mut listen = Listen::at(address);
        for parameter in &arguments[1..] {
            match parameter.as_str() {
                "default_server" | "default" if is_http => listen.is_default = true,
                "proxy_protocol" => listen.proxy_protocol = true,
                // Each core has a socket of its own already, and `[::]` is for IPv6 alone.
                "reuseport" | "ipv6only=on" => {}
                "ssl" => listen.ssl = true,
                "http2" if is_http => listen.http2 = true,
                "http2" | "quic" | "ipv6only=off" => {
                    return Err(format!("the \"{parameter}\" parameter is not supported"));
                }
                _ if is_http => return Err(format!("invalid parameter \"{parameter}\"")),
                _ => return Err(format!("the invalid \"{parameter}\" parameter")),
            }
        }
        Ok(listen)
    }
}

/// `8080`, `*:8080`, `127.0.0.1:8080`, `[::1]:8080` or `unix:PATH`.
fn listen_address(text: &str, default_port: Option<u16>) -> Result<Address, String> {
    let fail = |what: &str| format!("{what} in \"{text}\" of the \"listen\" directive");
    if let Some(path) = unix_path(text) {
        return path.map(|it| Address::Unix(it.into())).map_err(fail);
    }
    let (host, port_text) = match split_port(text) {
        (all, None) if number(all).is_some() => ("*", Some(all)),
        split => split,
    };
    if host.is_empty() {
        return Err(fail("no host"));
    }
    let port = match (port_text, default_port) {
        (Some(text), _) => port(text).ok_or_else(|| fail("invalid port"))?,
        (None, Some(port)) => port,
        (None, None) => return Err(fail("no port")),
    };

    let host = host.trim_start_matches('[').trim_end_matches(']');
    let ip = match host {
        "*" => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        _ => host.parse::<IpAddr>(),
    };
    let ip = ip.map_err(|_| fail("host not found"))?;
    Ok(SocketAddr::new(ip, port).into())
}
