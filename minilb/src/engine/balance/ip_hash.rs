//! Hash of the client's address: a client stays with its server.
//!
//! # Example
//!
//! Only the first three bytes of an IPv4 address count, so that the clients of one household, whose
//! last byte may change, stay together:
//!
//! ```text
//! client 10.1.2.3      89 -> (89 * 113 + 10) % 6271 -> (... + 1) -> (... + 2)
//!                      3796 -> 2521 -> 2680            2680 % 3 = 1: the second of three
//! client 10.1.2.99     the same
//! ```
//!
//! If the server cannot be used, the address is hashed again, starting from the last result.
//!
//! Behind another proxy all clients have that proxy's address, and land on one server; use
//! `hash $http_x_forwarded_for` there.
//!
//! NGINX counterpart: `ngx_http_upstream_get_ip_hash_peer` (`ngx_http_upstream_ip_hash_module.c`).

use super::balancer::{Balancer, Choice, STEPS_MAX, by_weight};
use super::hash::modulo_weights;
use super::round_robin::RoundRobin;
use crate::engine::peer::Peer;

/// The balancer of the directive `ip_hash`. The key is three bytes of an IPv4 address or sixteen of
/// an IPv6 address.
#[derive(Debug)]
pub struct IpHash;

/// The hash of no bytes.
const START: u64 = 89;

impl Balancer for IpHash {
    fn pick(&self, peers: &mut [Peer], choice: &mut Choice<'_>) -> Option<usize> {
        if peers.len() < 2 || choice.walk.steps > STEPS_MAX {
            return RoundRobin.pick(peers, choice);
        }
        loop {
            let hash = hash(choice.walk.hash.unwrap_or(START), choice.key);
            choice.walk.hash = Some(hash);
            let index = by_weight(peers, hash);
            if choice.is_candidate(&peers[index]) {
                return Some(index);
            }
            if !choice.may_step() {
                return RoundRobin.pick(peers, choice);
            }
        }
    }

    fn explain(&self, peers: &[Peer], choice: &mut Choice<'_>) -> Option<String> {
        Some(modulo_weights(hash(choice.walk.hash.unwrap_or(START), choice.key), peers))
    }
}

fn hash(start: u64, key: &[u8]) -> u64 {
    key.iter().fold(start, |hash, byte| (hash * 113 + u64::from(*byte)) % 6271)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        assert_eq!([hash(START, &[10]), hash(START, &[10, 1])], [3796, 2521]);
        assert_eq!(hash(START, &[10, 1, 2]), 2680);
        assert_eq!(2680 % 3, 1);
    }
}
