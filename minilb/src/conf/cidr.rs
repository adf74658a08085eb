//! Networks of `allow`, `deny` and `set_real_ip_from`.
//!
//! ```text
//! 192.0.2.0/24     192.0.2.9        inside
//! 192.0.2.7        192.0.2.7        inside: a network of one address
//! unix:            a Unix socket    inside
//! all              2001:db8::1      inside
//! ::/0             192.0.2.9        outside: the family differs
//! ```
//!
//! NGINX counterpart: `ngx_ptocidr` (`ngx_inet.c`). It warns about bits after the prefix; here they
//! are ignored.

use super::listen::Address;
use std::net::IpAddr;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cidr {
    /// `all`
    All,
    /// `unix:`: clients of Unix sockets.
    Unix,
    /// An address, and how many of its bits count.
    Network(IpAddr, u32),
}

impl Cidr {
    /// Reads a network. Returns `None` if it is not one.
    pub fn parse(text: &str) -> Option<Cidr> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip.parse::<IpAddr>().ok()?, Some(bits.parse::<u32>().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let bits_max = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(bits_max);
        (bits <= bits_max).then_some(Cidr::Network(ip, bits))
    }

    /// Returns true if the client is in the network.
    pub fn admits(&self, client: &Address) -> bool {
        match client {
            Address::Ip(address) => self.contains(address.ip()),
            Address::Unix(_) => matches!(self, Cidr::All | Cidr::Unix),
        }
    }

    /// Returns true if the address is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (*self, address.to_canonical()) {
            (Cidr::All, _) => true,
            (Cidr::Network(IpAddr::V4(network), bits), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(32 - bits).unwrap_or(0) == 0
            }
            (Cidr::Network(IpAddr::V6(network), bits), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(128 - bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        for (network, address, expected) in [
            ("192.0.2.0/24", "192.0.2.9", true),
            ("192.0.2.0/24", "192.0.3.9", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("::/0", "192.0.2.9", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
        ] {
            let cidr = Cidr::parse(network).expect("a network");
            assert_eq!(cidr.contains(address.parse().expect("an address")), expected, "{network}");
        }
        assert!(Cidr::All.contains("2001:db8::1".parse().expect("an address")));
        for broken in ["192.0.2.0/33", "x", "192.0.2.0/", ""] {
            assert_eq!(Cidr::parse(broken), None, "{broken}");
        }
    }
}
