//! Hash of a key: the same key reaches the same server, as long as the servers stay the same.
//!
//! # How
//!
//! ```text
//! weights a 1, b 1, c 2: numbers 0 | 1 | 2 3
//! key "x"      crc32 8cdc1683, >> 16, & 7fff: 0cdc = 3292     3292 % 4 = 0     a
//! a is down    crc32 of "1x" 9dc11b96: 1dc1 = 7617            10909 % 4 = 1    b
//! ```
//!
//! If the server cannot be used, the key is hashed again with a counter in front, and the result is
//! added. After twenty such steps the request is balanced by round robin.
//!
//! # What a new server costs
//!
//! With four numbers instead of three, three keys of four get another remainder: nearly all keys
//! move. That is the reason for the [ring](super::ring).
//!
//! NGINX counterpart: `ngx_http_upstream_get_hash_peer` (`ngx_http_upstream_hash_module.c`). The
//! formula is that of Perl's `Cache::Memcached`, so that a cache filled by one can be read by the
//! other.

use super::balancer::{Balancer, Choice, STEPS_MAX, by_weight};
use super::round_robin::RoundRobin;
use crate::engine::peer::Peer;

/// The balancer of the directive `hash KEY`.
#[derive(Debug)]
pub struct Hash;

impl Balancer for Hash {
    fn pick(&self, peers: &mut [Peer], choice: &mut Choice<'_>) -> Option<usize> {
        let is_over = choice.walk.steps > STEPS_MAX;
        if peers.len() < 2 || choice.key.is_empty() || is_over {
            return RoundRobin.pick(peers, choice);
        }
        loop {
            let hash = choice.walk.hash.unwrap_or(0) + rehashed(choice.key, choice.walk.rehash);
            choice.walk.hash = Some(hash);
            choice.walk.rehash += 1;

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
        let hash = choice.walk.hash.unwrap_or(0) + rehashed(choice.key, choice.walk.rehash);
        Some(modulo_weights(hash, peers))
    }
}

/// Where a hash falls, in words.
pub(super) fn modulo_weights(hash: u64, peers: &[Peer]) -> String {
    let total = peers.iter().map(|it| it.params.weight as u64).sum::<u64>().max(1);
    format!("the hash {hash} is {} modulo {total}, the sum of weights", hash % total)
}

/// Fifteen bits of the hash of the key, with a counter in front unless it is 0.
fn rehashed(key: &[u8], counter: u32) -> u64 {
    let mut hasher = crc32fast::Hasher::new();
    if counter > 0 {
        hasher.update(counter.to_string().as_bytes());
    }
    hasher.update(key);
    u64::from((hasher.finalize() >> 16) & 0x7fff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        assert_eq!(crc32fast::hash(b"x"), 0x8cdc_1683);
        assert_eq!(rehashed(b"x", 0), 3292);
        assert_eq!(rehashed(b"x", 1), u64::from((crc32fast::hash(b"1x") >> 16) & 0x7fff));
    }
}
