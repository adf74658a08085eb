//! Redis's policies in a race: five keys sampled for each eviction, and the pool of sixteen.
//!
//! ```text
//! used       the policy's 24 bits, with a clock
//! victim     sample five slots, offer them to the pool, take its coldest that still exists
//! ```
//!
//! It is the loop of [`crate::engine::eviction`] without keys, databases and memory. Time passes
//! with the requests, 4 ms each, as when the OLTP trace was recorded: the clock of the LRU counts
//! seconds, and the counters of the LFU decay by the minute.

use crate::client::policy::{Links, NONE, Nodes, Order};
use crate::engine::eviction::{policy::Policy, pool::Pool};
use crate::engine::rng::Rng;

/// `maxmemory-samples`
const SAMPLES: usize = 5;
/// From one request to the next.
const REQUEST_MS: i64 = 4;

pub struct Sampled<P> {
    policy: P,
    pool: Pool,
    /// The slots that have keys; a slot's position is in its links.
    slots: Vec<u32>,
    rng: Rng,
    now_ms: i64,
}

impl<P> Sampled<P> {
    pub fn new(policy: P) -> Sampled<P> {
        let (pool, slots, rng) = (Pool::default(), Vec::new(), Rng::new(1));
        Sampled { policy, pool, slots, rng, now_ms: 0 }
    }
}

impl<N: Nodes, P: Policy> Order<N> for Sampled<P> {
    fn inserted(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        self.now_ms += REQUEST_MS;
        nodes.set_bits(slot, self.policy.inserted(self.now_ms));
        nodes.set_links(slot, Links { newer: self.slots.len() as u32, older: NONE });
        self.slots.push(slot);
    }

    fn used(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        self.now_ms += REQUEST_MS;
        let bits = self.policy.accessed(nodes.bits(slot), self.now_ms, &mut self.rng);
        nodes.set_bits(slot, bits);
    }

    fn removed(&mut self, nodes: &mut N, slot: u32) {
        let links = nodes.links(slot);
        self.slots.swap_remove(links.newer as usize);
        if let Some(moved) = self.slots.get(links.newer as usize) {
            nodes.set_links(*moved, links);
        }
    }

    fn victim(&mut self, nodes: &mut N) -> Option<u32> {
        for _ in 0..SAMPLES {
            let slot = *self.slots.get(self.rng.below(self.slots.len()))?;
            let coldness = self.policy.coldness(nodes.bits(slot), None, self.now_ms);
            self.pool.offer(0, &name(slot, nodes), coldness);
        }
        loop {
            // A candidate may have been removed since, and its slot may have another key.
            let candidate = self.pool.take_coldest()?.key;
            let slot = u32::from_le_bytes(candidate[..4].try_into().expect("four bytes"));
            let at = nodes.links(slot).newer as usize;
            if self.slots.get(at) == Some(&slot) && candidate[..] == name(slot, nodes) {
                return Some(slot);
            }
        }
    }

    fn moved(&mut self, nodes: &mut N, _old: u32, new: u32) {
        self.slots[nodes.links(new).newer as usize] = new;
    }
}

/// What the pool knows a key by: its slot and its hash.
fn name(slot: u32, nodes: &impl Nodes) -> [u8; 12] {
    let mut name = [0; 12];
    name[..4].copy_from_slice(&slot.to_le_bytes());
    name[4..].copy_from_slice(&nodes.hash(slot).to_le_bytes());
    name
}
