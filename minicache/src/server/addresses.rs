//! The addresses to listen on: the words of `bind` and the port, resolved.
//!
//! ```text
//! bind * -::*          port 6379   [::]:6379               one socket that takes IPv4 as well
//! bind 127.0.0.1 ::1   port 6379   127.0.0.1:6379, [::1]:6379
//! bind -192.0.2.1 ::1  port 6379   [::1]:6379              - : skip it if it is not ours
//! ```
//!
//! Used at start and by `CONFIG SET bind` and `port`. The counterpart in Redis is `listenToPort`
//! (`server.c`). Redis opens two sockets for `* -::*`; the kernel lets one do, if IPv6 sockets
//! accept IPv4 clients on this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};

/// Resolves the words of `bind`. Returns no address if the port is 0 or `bind` is empty.
///
/// # Errors
/// A name without `-` cannot be resolved, or none of the named addresses belongs to this machine.
pub(super) fn listen_addresses(bind: &[String], port: u16) -> Result<Vec<SocketAddr>, String> {
    if port == 0 || bind.is_empty() {
        return Ok(Vec::new());
    }

    // A name that begins with `-` may be missing.
    let mut addresses = Vec::new();
    for name in bind {
        let needed = !name.starts_with('-');
        match resolve(name, port) {
            Ok(address) if addresses.contains(&address) => {}
            Ok(address) if needed || exists(address.ip()) => addresses.push(address),
            Err(error) if needed => return Err(format!("bind {name}: {}", plain(&error))),
            _ => {}
        }
    }

    // Both wildcards become one socket if it can serve both protocols.
    let everywhere = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    if everywhere.iter().all(|wildcard: &IpAddr| addresses.iter().any(|it| it.ip() == *wildcard)) {
        let one = everywhere[usize::from(takes_both())];
        addresses = vec![(one, port).into()];
    }

    match addresses.is_empty() {
        true => Err(format!("bind {}: none of these addresses exists here", bind.join(" "))),
        false => Ok(addresses),
    }
}

fn resolve(name: &str, port: u16) -> io::Result<SocketAddr> {
    match name.trim_start_matches('-') {
        "*" => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        "::*" => Ok((Ipv6Addr::UNSPECIFIED, port).into()),
        name => (name, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound.into()),
    }
}

/// Returns true if this machine has the address: some port of it can be bound.
fn exists(address: IpAddr) -> bool {
    TcpListener::bind((address, 0)).is_ok()
}

/// Returns true if a socket on the IPv6 wildcard accepts IPv4 clients. That is a setting of the
/// system, so it is tried.
fn takes_both() -> bool {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0));
    let port = listener.as_ref().ok().and_then(|it| it.local_addr().ok()).map(|it| it.port());
    port.is_some_and(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
}

pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_that_exists_is_taken() {
        let address = |bind: &str, port| {
            let names: Vec<String> = bind.split_whitespace().map(str::to_string).collect();
            listen_addresses(&names, port)
        };
        let local = Ok(vec![SocketAddr::from(([127, 0, 0, 1], 7000))]);
        let another = SocketAddr::from(([127, 0, 0, 2], 7000));
        assert_eq!(address("127.0.0.1", 7000), local);
        assert_eq!(address("127.0.0.1 127.0.0.1", 7000), local);
        assert_eq!(address("127.0.0.1 127.0.0.2", 7000).map(|all| all[1]), Ok(another));
        // Addresses for documentation (RFC 5737) belong to nobody.
        assert_eq!(address("-192.0.2.1 127.0.0.1", 7000), local);
        assert_eq!(address("127.0.0.1", 0), Ok(vec![]));
        assert_eq!(address("", 7000), Ok(vec![]));
        assert!(address("-192.0.2.1", 7000).is_err());
        let everywhere = address("* -::*", 7000).expect("the wildcard exists");
        assert!(everywhere.len() == 1 && everywhere[0].ip().is_unspecified(), "{everywhere:?}");
    }
}
