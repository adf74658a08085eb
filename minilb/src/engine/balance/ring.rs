//! Consistent hashing: a server that comes or goes moves only its own share of the keys.
//!
//! # How
//!
//! Each server gets 160 points per unit of weight on a ring of 2³² places, the hashes of its name.
//! A key belongs to the server of the first point at or after its own hash:
//!
//! ```text
//!     0 ........ b:310 ...... a:870 ... c:950 ...... a:1400 ........ b:1900 ... (0 again)
//! key 500 ───────────────────> a
//! key 900 ────────────────────────────> c        c goes: ───────────> a
//! key 1500 ───────────────────────────────────────────────────────> b    as before
//! ```
//!
//! With `n` servers a new one takes about `1/n` of the keys, from all of the others. One point per
//! server would give shares that differ by a factor of ten; with 160 they differ by some 8 %.
//!
//! If a server cannot be used, the next *point* is tried, so its keys spread over all others.
//!
//! # The points
//!
//! ```text
//! 127.0.0.1:8081     point 0 = crc32("127.0.0.1" 00 "8081" 00000000)
//!                    point 1 = crc32("127.0.0.1" 00 "8081" + point 0, little-endian) ...
//! ```
//!
//! The same as those of NGINX and of Perl's `Cache::Memcached::Fast` ("ketama"), so a cache keeps
//! its keys when one is replaced by the other. NGINX counterpart:
//! `ngx_http_upstream_init_chash` and `ngx_http_upstream_get_chash_peer`.

use super::balancer::{Balancer, Choice, STEPS_MAX};
use super::round_robin::{RoundRobin, pick_smoothly};
use crate::engine::peer::Peer;
use std::sync::Arc;

/// Points per unit of weight.
const POINTS: i64 = 160;

/// The balancer of the directive `hash KEY consistent`.
#[derive(Debug)]
pub struct Ring {
    /// By hash, in ascending order, each hash once.
    points: Vec<(u32, Arc<str>)>,
}

impl Ring {
    /// The ring of these peers. Costs a sort of their points.
    pub fn new(peers: &[Peer]) -> Ring {
        let mut points = Vec::new();
        for peer in peers {
            let (host, port) = host_and_port(&peer.name);
            let mut base = crc32fast::Hasher::new();
            base.update(host.as_bytes());
            base.update(&[0]);
            base.update(port.as_bytes());

            let mut previous = 0_u32;
            for _ in 0..peer.params.weight * POINTS {
                let mut hasher = base.clone();
                hasher.update(&previous.to_le_bytes());
                previous = hasher.finalize();
                points.push((previous, Arc::clone(&peer.name)));
            }
        }
        points.sort_by_key(|(hash, _)| *hash);
        points.dedup_by_key(|(hash, _)| *hash);
        Ring { points }
    }

    /// The names that own the points from a key's place on, once around the ring.
    pub fn names_from(&self, key: &[u8]) -> impl Iterator<Item = &Arc<str>> {
        let (before, after) = self.points.split_at(self.place_of(key));
        after.iter().chain(before).map(|(_, name)| name)
    }

    /// The index of the first point at or after the hash of a key.
    fn place_of(&self, key: &[u8]) -> usize {
        let hash = crc32fast::hash(key);
        self.points.partition_point(|(point, _)| *point < hash)
    }

    /// Hashes and names, in ascending order.
    pub fn points(&self) -> impl Iterator<Item = (u32, &str)> {
        self.points.iter().map(|(hash, name)| (*hash, &**name))
    }
}

impl Balancer for Ring {
    fn pick(&self, peers: &mut [Peer], choice: &mut Choice<'_>) -> Option<usize> {
        let is_over = choice.walk.steps > STEPS_MAX;
        if peers.len() < 2 || choice.key.is_empty() || is_over {
            return RoundRobin.pick(peers, choice);
        }
        let mut place = choice.walk.hash.unwrap_or_else(|| self.place_of(choice.key) as u64);
        loop {
            choice.walk.hash = Some(place);
            let (_, name) = &self.points[place as usize % self.points.len()];
            // A name may mean several addresses; they share its points by round robin.
            let is_here = |it: &Peer| it.name == *name && choice.is_candidate(it);
            if let Some(index) = pick_smoothly(peers, is_here) {
                return Some(index);
            }
            place += 1;
            if !choice.may_step() {
                return RoundRobin.pick(peers, choice);
            }
        }
    }

    fn explain(&self, _peers: &[Peer], choice: &mut Choice<'_>) -> Option<String> {
        let hash = crc32fast::hash(choice.key);
        let (point, name) = self.points.get(self.place_of(choice.key)).or(self.points.first())?;
        Some(format!("the hash {hash:08x} meets the point {point:08x} of {name}"))
    }
}

/// `HOST:PORT` in two, if only digits follow the last colon.
fn host_and_port(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|it| it.is_ascii_digit()) => (host, port),
        _ => (name.strip_prefix("unix:").unwrap_or(name), ""),
    }
}
