//! Policies that keep all keys in an order, instead of sampling a few: one trait, one file each.
//!
//! A sampling policy ([`Policy`](super::policy::Policy)) has 24 bits per key, which can say when a
//! key was used, but not which key was used before it. An [`Order`] also links the keys to each
//! other, in lists of slots: two links of four bytes per key, so 8 bytes more. It knows its next
//! victim without looking for it.
//!
//! | file | a use | a victim | besides the links |
//! |---|---|---|---|
//! | `naive.rs` | searches all keys | the oldest | |
//! | `exact_lru.rs` | moves the key to the front | the oldest | |
//! | `clock.rs` | sets a bit | the oldest without it | |
//! | `sieve.rs` | sets a bit | the next without it | |
//! | `s3_fifo.rs` | counts to three | the oldest of two queues | 4.5 B a key: a ghost queue |
//! | `tiny_lfu.rs` | counts in a sketch, moves the key | the loser of a duel | 8 to 10 B a key |
//!
//! # Example
//!
//! Two slots for keys, exact LRU. What the caller does, and what the order has:
//!
//! ```text
//! inserted(0)   a is in slot 0          0
//! inserted(1)   b is in slot 1          1 0
//! used(0)       a is read               0 1
//! victim()      both slots are taken    1, the slot of b
//! removed(1)    b is gone               0
//! inserted(1)   c is in slot 1          1 0
//! ```
//!
//! The caller chooses the slot numbers and keeps the links for the order ([`Nodes`]): the server in
//! the entries of its slab, `minicache::policy::Cache` in a vector. `minicache race` plays traces
//! on all of them, and a test compares their misses with those of libCacheSim.
//!
//! Redis has no such policy: an order costs every key memory, and a use of an exact LRU writes to
//! five entries. Clock, SIEVE and S3-FIFO cost the memory only.

pub(crate) mod clock;
pub(crate) mod exact_lru;
pub(crate) mod ghost;
pub(crate) mod list;
#[cfg(test)]
pub(crate) mod naive;
pub(crate) mod s3_fifo;
pub(crate) mod sieve;
pub(crate) mod sketch;
pub(crate) mod tiny_lfu;

pub use {clock::Clock, exact_lru::ExactLru, s3_fifo::S3Fifo, sieve::Sieve, tiny_lfu::TinyLfu};

/// No slot.
pub const NONE: u32 = u32::MAX;

/// The neighbors of a slot in its list; [`NONE`] at the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// The slot before it, which was pushed later.
    pub newer: u32,
    /// The slot after it.
    pub older: u32,
}

/// What an order writes down about each slot. The caller has the memory for it, beside its keys.
pub trait Nodes {
    /// What [`set_links`](Self::set_links) stored last.
    fn links(&self, slot: u32) -> Links;
    /// Replaces both links.
    fn set_links(&mut self, slot: u32, links: Links);
    /// The order's 24 bits.
    fn bits(&self, slot: u32) -> u32;
    /// Replaces the 24 bits; higher ones are dropped.
    fn set_bits(&mut self, slot: u32, bits: u32);
    /// The hash of the key in a slot: the one that [`Order::inserted`] got.
    fn hash(&self, slot: u32) -> u64;
}

/// Which key is evicted next, among all keys that were inserted and not removed. Every method takes
/// constant time, in the mean.
pub trait Order<N: Nodes>: Send {
    /// A new key is in this slot.
    fn inserted(&mut self, nodes: &mut N, slot: u32, hash: u64);

    /// The key in this slot is used.
    fn used(&mut self, nodes: &mut N, slot: u32, hash: u64);

    /// The key in this slot is about to be removed, evicted or not.
    fn removed(&mut self, nodes: &mut N, slot: u32);

    /// The slot to evict, or `None` if there is none. The caller evicts it, which includes
    /// [`removed`](Self::removed): an order may have noted the eviction.
    fn victim(&mut self, nodes: &mut N) -> Option<u32>;

    /// A key has moved to another slot, with its node.
    fn moved(&mut self, nodes: &mut N, old: u32, new: u32);
}

impl<N: Nodes, O: Order<N> + ?Sized> Order<N> for Box<O> {
    fn inserted(&mut self, nodes: &mut N, slot: u32, hash: u64) {
        (**self).inserted(nodes, slot, hash);
    }

    fn used(&mut self, nodes: &mut N, slot: u32, hash: u64) {
        (**self).used(nodes, slot, hash);
    }

    fn removed(&mut self, nodes: &mut N, slot: u32) {
        (**self).removed(nodes, slot);
    }

    fn victim(&mut self, nodes: &mut N) -> Option<u32> {
        (**self).victim(nodes)
    }

    fn moved(&mut self, nodes: &mut N, old: u32, new: u32) {
        (**self).moved(nodes, old, new);
    }
}

/// The orders by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Least recently used.
    ExactLru,
    /// A queue with second chances.
    Clock,
    /// A queue that used keys need not leave.
    Sieve,
    /// Two queues and a ghost.
    S3Fifo,
    /// A window, a sketch, two segments.
    TinyLfu,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 5] = [
        Algorithm::ExactLru,
        Algorithm::Clock,
        Algorithm::Sieve,
        Algorithm::S3Fifo,
        Algorithm::TinyLfu,
    ];

    /// Its `maxmemory-policy`.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::ExactLru => "allkeys-exact-lru",
            Algorithm::Clock => "allkeys-clock",
            Algorithm::Sieve => "allkeys-sieve",
            Algorithm::S3Fifo => "allkeys-s3fifo",
            Algorithm::TinyLfu => "allkeys-tinylfu",
        }
    }

    /// An empty order of this kind.
    pub fn order<N: Nodes>(self) -> Box<dyn Order<N>> {
        match self {
            Algorithm::ExactLru => Box::new(ExactLru::default()),
            Algorithm::Clock => Box::new(Clock::default()),
            Algorithm::Sieve => Box::new(Sieve::default()),
            Algorithm::S3Fifo => Box::new(S3Fifo::default()),
            Algorithm::TinyLfu => Box::new(TinyLfu::default()),
        }
    }
}

#[cfg(test)]
mod tests;
