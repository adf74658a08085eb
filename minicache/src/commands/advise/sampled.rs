//! Redis's policies as an order: five keys sampled for each eviction, and the pool of sixteen.
//!
//! ```text
//! used       the policy's 24 bits, with a clock
//! victim     sample five slots, offer them to the pool, take its coldest that still exists
//! ```
//!
//! It is the loop of [`crate::engine::eviction`] without keys, databases and memory, for the ghosts
//! of `CACHE ADVISE` and for `minicache race`. The caller has the clock: that of the LRU counts
//! seconds, and the counters of the LFU decay by the minute.

use crate::engine::eviction::order::{Links, NONE, Nodes, Order};
use crate::engine::eviction::{policy::Policy, pool::Pool};
use crate::engine::rng::Rng;

/// `maxmemory-samples`
const SAMPLES: usize = 5;

/// Returns the time in Unix milliseconds.
pub type Clock = Box<dyn FnMut() -> i64 + Send>;

/// A policy that samples; see the head of the file.
pub struct Sampled {
    policy: Box<dyn Policy>,
    clock: Clock,
    pool: Pool,
    /// The slots that have keys; a slot's position is in its links.
    slots: Vec<u32>,
    rng: Rng,
    now_ms: i64,
}

impl Sampled {
    /// An empty one. The clock is read once a request.
    pub fn new(policy: Box<dyn Policy>, clock: Clock) -> Sampled {
        let (pool, slots, rng) = (Pool::default(), Vec::new(), Rng::new(1));
        Sampled { policy, clock, pool, slots, rng, now_ms: 0 }
    }
}

impl<N: Nodes> Order<N> for Sampled {
    fn inserted(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        self.now_ms = (self.clock)();
        nodes.set_bits(slot, self.policy.inserted(self.now_ms));
        nodes.set_links(slot, Links { newer: self.slots.len() as u32, older: NONE });
        self.slots.push(slot);
    }

    fn used(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        self.now_ms = (self.clock)();
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
