//! The client behind other proxies: `set_real_ip_from` and `real_ip_header`.
//!
//! # Example
//!
//! ```text
//! set_real_ip_from 10.0.0.0/8;  real_ip_header X-Forwarded-For;
//!
//! connected from 10.0.0.1       X-Forwarded-For: 203.0.113.9, 198.51.100.7, 10.0.0.2
//! real_ip_recursive off         10.0.0.2         the last one, which 10.0.0.1 has added
//! real_ip_recursive on          198.51.100.7     the last one that is not trusted
//!
//! connected from 192.0.2.1      192.0.2.1        not trusted, so its header is ignored
//! ```
//!
//! The list is read from its end, for its beginning is what the client claims.
//!
//! NGINX counterpart: `ngx_http_realip_module.c`, `ngx_http_get_forwarded_addr_internal`.

use crate::conf::cidr::Cidr;
use crate::conf::listen::{Address, with_port};

/// The address that a list of addresses leads to, from the one that has connected. Returns `None`
/// if that one is not trusted, or the list is no list of addresses.
pub fn find(peer: &Address, list: &[u8], trusted: &[Cidr], is_recursive: bool) -> Option<Address> {
    let mut found = None;
    for text in list.rsplit(|it| *it == b',' || it.is_ascii_whitespace()) {
        if text.is_empty() {
            continue;
        }
        let current = found.as_ref().unwrap_or(peer);
        if !trusted.iter().any(|it| it.admits(current)) {
            break;
        }
        let text = std::str::from_utf8(text).unwrap_or_default();
        let Some(address) = with_port(text, 0) else { break };
        found = Some(Address::Ip(address));
        if !is_recursive {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let trusted = [Cidr::parse("10.0.0.0/8").expect("a network")];
        let list = b"203.0.113.9, 198.51.100.7, 10.0.0.2";
        for (peer, is_recursive, expected) in [
            ("10.0.0.1:1", false, Some("10.0.0.2:0")),
            ("10.0.0.1:1", true, Some("198.51.100.7:0")),
            ("192.0.2.1:1", true, None),
        ] {
            let found =
                find(&Address::Ip(peer.parse().expect("an address")), list, &trusted, is_recursive);
            assert_eq!(found.map(|it| it.to_string()).as_deref(), expected, "{peer}");
        }
    }

    #[test]
    fn addresses_may_have_ports_and_text_is_ignored() {
        let parsed = |text: &str| with_port(text, 0).map(|it| it.to_string());
        assert_eq!(parsed("192.0.2.1:80").as_deref(), Some("192.0.2.1:80"));
        assert_eq!(parsed("[2001:db8::1]").as_deref(), Some("[2001:db8::1]:0"));
        assert_eq!(parsed("2001:db8::1").as_deref(), Some("[2001:db8::1]:0"));
        for text in ["unknown", "192.0.2.1]", "[2001:db8::1", "[[2001:db8::1]]"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
