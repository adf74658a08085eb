//! The PROXY protocol: what a proxy in front of this one says about its client.
//!
//! A TCP proxy has a connection of its own to the next server, which then sees the proxy's address.
//! So the proxy sends the client's address ahead of the client's first byte.
//!
//! # Example
//!
//! ```text
//! version 1   PROXY TCP4 192.0.2.9 198.51.100.1 51234 443\r\n
//!                        source    destination  ports           at most 107 bytes
//!
//! version 2   0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a   signature
//!             21                                    version 2, command PROXY (20 is LOCAL)
//!             11                                    IPv4, TCP (21 is IPv6)
//!             00 0c                                 12 bytes follow
//!             c0 00 02 09  c6 33 64 01              192.0.2.9, 198.51.100.1
//!             c8 22  01 bb                          51234, 443
//! ```
//!
//! `PROXY UNKNOWN` and `LOCAL` have no addresses: a health check of the proxy itself, or a protocol
//! that this one does not know. The extensions (TLV) that may follow the addresses are skipped.
//!
//! NGINX counterpart: `ngx_proxy_protocol_read`, `ngx_proxy_protocol_write`
//! (`ngx_proxy_protocol.c`). NGINX 1.22 refuses a header of more than 107 bytes in version 2, too;
//! here the limit is that of NGINX 1.25.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header.
pub const HEADER_BYTES_MAX: usize = 4096;
/// The longest header of version 1, its CRLF included.
const V1_BYTES_MAX: usize = 107;
const V1_PREFIX: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, command, family, length.
const V2_FIXED_BYTES: usize = 16;

/// Both ends of the client's connection to the first proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// What the client has connected to.
    pub destination: SocketAddr,
}

/// A complete header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// In bytes.
    pub length: usize,
    /// `None` for `UNKNOWN` and `LOCAL`.
    pub addresses: Option<Addresses>,
}

/// The input is no header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Looks for a header at the start of `input`. Returns `None` if more bytes are needed.
///
/// # Errors
/// As soon as the bytes so far are no beginning of a header.
pub fn parse(input: &[u8]) -> Result<Option<Header>, Broken> {
    let begins = |with: &[u8]| input.iter().zip(with).all(|(one, other)| one == other);
    if begins(V1_PREFIX) {
        return parse_v1(input);
    }
    if begins(V2_SIGNATURE) {
        return parse_v2(input);
    }
    Err(Broken)
}

fn parse_v1(input: &[u8]) -> Result<Option<Header>, Broken> {
    let line = &input[..input.len().min(V1_BYTES_MAX)];
    let Some(end) = line.iter().position(|it| *it == b'\n') else {
        return if input.len() < V1_BYTES_MAX { Ok(None) } else { Err(Broken) };
    };
    let length = end + 1;
    let line = line[..end].strip_suffix(b"\r").ok_or(Broken)?;
    let text = std::str::from_utf8(line).map_err(|_| Broken)?;

    // What follows UNKNOWN must be ignored.
    let words = text.split(' ').skip(1).collect::<Vec<_>>();
    let is_tcp4 = match words[0] {
        "UNKNOWN" => return Ok(Some(Header { length, addresses: None })),
        "TCP4" => true,
        "TCP6" => false,
        _ => return Err(Broken),
    };
    let [_, source, destination, source_port, destination_port] = words[..] else {
        return Err(Broken);
    };
    let address = |ip: &str, port: &str| {
        let ip = ip.parse::<IpAddr>().ok().filter(|it| it.is_ipv4() == is_tcp4)?;
        let is_number = !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number)?;
        Some(SocketAddr::new(ip, port))
    };
    let source = address(source, source_port).ok_or(Broken)?;
    let destination = address(destination, destination_port).ok_or(Broken)?;
    Ok(Some(Header { length, addresses: Some(Addresses { source, destination }) }))
}

fn parse_v2(input: &[u8]) -> Result<Option<Header>, Broken> {
    let Some(fixed) = input.first_chunk::<V2_FIXED_BYTES>() else { return Ok(None) };
    let [.., command, family, high, low] = *fixed;
    let length = V2_FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    // The length is checked before anybody waits for so many bytes.
    if command >> 4 != 2 || length > HEADER_BYTES_MAX {
        return Err(Broken);
    }
    let Some(rest) = input.get(V2_FIXED_BYTES..length) else { return Ok(None) };

    let addresses = match (command & 0x0f, family) {
        (1, 0x11) => {
            let [a, b, c, d, e, f, g, h] = *rest.first_chunk::<8>().ok_or(Broken)?;
            let ips = [Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h)];
            Some(with_ports(ips.map(IpAddr::V4), &rest[8..])?)
        }
        (1, 0x21) => {
            let (source, rest) = rest.split_first_chunk::<16>().ok_or(Broken)?;
            let (destination, rest) = rest.split_first_chunk::<16>().ok_or(Broken)?;
            let ips = [Ipv6Addr::from(*source), Ipv6Addr::from(*destination)];
            Some(with_ports(ips.map(IpAddr::V6), rest)?)
        }
        (0 | 1, _) => None,
        _ => return Err(Broken),
    };
    Ok(Some(Header { length, addresses }))
}

fn with_ports([source, destination]: [IpAddr; 2], ports: &[u8]) -> Result<Addresses, Broken> {
    let [a, b, c, d] = *ports.first_chunk::<4>().ok_or(Broken)?;
    Ok(Addresses {
        source: SocketAddr::new(source, u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([c, d])),
    })
}

/// Appends a header of version 1, which is what NGINX sends; for a client of a Unix socket one that
/// tells nothing.
pub fn write(addresses: Option<Addresses>, out: &mut Vec<u8>) {
    let Some(Addresses { source, destination }) = addresses else {
        return out.extend_from_slice(b"PROXY UNKNOWN\r\n");
    };
    let (from, to) = (source.ip(), destination.ip());
    let protocol = if from.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from_port, to_port) = (source.port(), destination.port());
    write!(out, "PROXY {protocol} {from} {to} {from_port} {to_port}\r\n")
        .expect("a vector takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V1: &[u8] = b"PROXY TCP4 192.0.2.9 198.51.100.1 51234 443\r\n";

    fn addresses(source: &str, destination: &str) -> Option<Addresses> {
        let parse = |it: &str| it.parse().expect("an address");
        Some(Addresses { source: parse(source), destination: parse(destination) })
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = (rest.len() as u16).to_be_bytes();
        [V2_SIGNATURE, &[command, family], &length, rest].concat()
    }

    #[test]
    fn the_examples_at_the_head_of_the_file() {
        let expected = addresses("192.0.2.9:51234", "198.51.100.1:443");
        let header = |length| Ok(Some(Header { length, addresses: expected }));
        assert_eq!(parse(&[V1, b"GET /"].concat()), header(V1.len()));

        let rest = [192, 0, 2, 9, 198, 51, 100, 1, 0xc8, 0x22, 0x01, 0xbb];
        assert_eq!(parse(&v2(0x21, 0x11, &rest)), header(28));
        let mut written = Vec::new();
        write(expected, &mut written);
        assert_eq!(written, V1);
    }

    #[test]
    fn unknown_and_local_have_no_addresses() {
        let none = |length| Ok(Some(Header { length, addresses: None }));
        assert_eq!(parse(b"PROXY UNKNOWN\r\n"), none(15));
        assert_eq!(parse(b"PROXY UNKNOWN whatever it says\r\n"), none(32));
        assert_eq!(parse(&v2(0x20, 0, &[])), none(16));
        assert_eq!(parse(&v2(0x21, 0x31, &[0; 216])), none(232), "Unix");
    }

    #[test]
    fn version_2_has_ipv6_and_extensions() {
        let mut rest = [[0; 15].as_slice(), &[1], &[0; 15], &[2], &[0, 80, 1, 187]].concat();
        rest.extend([3, 0, 4, 1, 2, 3, 4]);
        let expected = addresses("[::1]:80", "[::2]:443");
        assert_eq!(
            parse(&v2(0x21, 0x21, &rest)),
            Ok(Some(Header { length: 59, addresses: expected }))
        );
    }

    #[test]
    fn what_is_no_header_is_broken() {
        for input in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 192.0.2.9 198.51.100.1 51234\r\n",
            b"PROXY TCP4 ::1 ::2 1 2\r\n",
            b"PROXY TCP6 192.0.2.9 198.51.100.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.9 198.51.100.1 1 65536\r\n",
            b"PROXY TCP4 192.0.2.9 198.51.100.1 +1 2\r\n",
            b"PROXY TCP4 192.0.2.9 198.51.100.1 1 2\n",
            &[b"PROXY ".as_slice(), &[b'a'; 200]].concat(),
            &v2(0x11, 0x11, &[0; 12]),
            &v2(0x21, 0x11, &[0; 11]),
            &v2(0x21, 0x11, &[0; 5000])[..16],
        ] {
            assert_eq!(parse(input), Err(Broken), "{:?}", String::from_utf8_lossy(input));
        }
    }

    proptest! {
        #[test]
        fn the_start_of_a_header_needs_more(cut in 0..V1.len()) {
            prop_assert_eq!(parse(&V1[..cut]), Ok(None));
        }

        #[test]
        fn arbitrary_bytes_are_no_panic(
            start in prop_oneof![Just(V1_PREFIX), Just(V2_SIGNATURE), Just(&b""[..])],
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let input = [start, &rest].concat();
            if let Ok(Some(header)) = parse(&input) {
                prop_assert!(header.length <= input.len());
            }
        }
    }
}
