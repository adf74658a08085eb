//! A cache of a fixed number of keys under an order: for the ghosts of `CACHE ADVISE`, for
//! `minicache race`, and as a library ([`crate::policy`]).
//!
//! ```text
//! index   hash of "b" ──> slot 1
//! slots   0: "a" 1, links, bits     1: "b" 2, links, bits
//! order   1 0                       the next victim is in slot 0
//! ```
//!
//! The index is that of the server. Its counterparts are crates such as `lru` and `quick_cache`;
//! Redis has none.

use crate::engine::eviction::order::{Links, NONE, Nodes, Order};
use crate::engine::{hashing, store::table::Table};
use std::hash::Hash;

/// The keys and values of a [`Cache`], by slot.
pub struct Slots<K, V>(Vec<Slot<K, V>>);

struct Slot<K, V> {
    links: Links,
    bits: u32,
    hash: u64,
    entry: Option<(K, V)>,
}

impl<K, V> Nodes for Slots<K, V> {
    fn links(&self, slot: u32) -> Links {
        self.0[slot as usize].links
    }

    fn set_links(&mut self, slot: u32, links: Links) {
        self.0[slot as usize].links = links;
    }

    fn bits(&self, slot: u32) -> u32 {
        self.0[slot as usize].bits
    }

    fn set_bits(&mut self, slot: u32, bits: u32) {
        self.0[slot as usize].bits = bits;
    }

    fn hash(&self, slot: u32) -> u64 {
        self.0[slot as usize].hash
    }
}

/// At most `capacity` keys under an order; see the head of the file. Every operation takes constant
/// time, in the mean.
pub struct Cache<K, V, O> {
    order: O,
    slots: Slots<K, V>,
    /// Slots without a key.
    free: Vec<u32>,
    index: Table,
    capacity: usize,
}

impl<K: Hash + Eq, V, O: Order<Slots<K, V>>> Cache<K, V, O> {
    /// An empty cache. A capacity of 0 counts as 1.
    pub fn new(capacity: usize, order: O) -> Cache<K, V, O> {
        let (slots, free, index) = (Slots(Vec::new()), Vec::new(), Table::new());
        Cache { order, slots, free, index, capacity: capacity.max(1) }
    }

    /// The order, with what it counts.
    pub fn order(&self) -> &O {
        &self.order
    }

    /// Keys in it.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns true if it has no keys.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The value of a key, which counts as a use.
    pub fn get(&mut self, key: &K) -> Option<&mut V> {
        let hash = hashing::hasher().hash_one(key);
        let slot = self.find(hash, key)?;
        self.order.used(&mut self.slots, slot, hash);
        self.slots.0[slot as usize].entry.as_mut().map(|(_, value)| value)
    }

    /// The value of a key, without a use.
    pub fn peek(&mut self, key: &K) -> Option<&mut V> {
        let slot = self.find(hashing::hasher().hash_one(key), key)?;
        self.slots.0[slot as usize].entry.as_mut().map(|(_, value)| value)
    }

    /// Adds a key or replaces its value. Returns the key and value that had to go for it: those of
    /// the victim, or the key's own old ones.
    pub fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        let hash = hashing::hasher().hash_one(&key);
        if let Some(slot) = self.find(hash, &key) {
            self.order.used(&mut self.slots, slot, hash);
            return self.slots.0[slot as usize].entry.replace((key, value));
        }

        let evicted = if self.len() < self.capacity { None } else { self.evict() };
        let slot = self.free.pop().unwrap_or(self.slots.0.len() as u32);
        let links = Links { newer: NONE, older: NONE };
        let new = Slot { links, bits: 0, hash, entry: Some((key, value)) };
        match self.slots.0.get_mut(slot as usize) {
            Some(free) => *free = new,
            None => self.slots.0.push(new),
        }
        self.index.insert(hash, slot, |slot| self.slots.hash(slot));
        self.order.inserted(&mut self.slots, slot, hash);
        evicted
    }

    /// Removes a key. Returns it and its value if it was there.
    pub fn remove(&mut self, key: &K) -> Option<(K, V)> {
        let slot = self.find(hashing::hasher().hash_one(key), key)?;
        self.remove_slot(slot)
    }

    /// Removes the next victim.
    pub fn evict(&mut self) -> Option<(K, V)> {
        let slot = self.order.victim(&mut self.slots)?;
        self.remove_slot(slot)
    }

    /// Removes the keys for which `keep` returns false. Takes time for every key.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        for slot in 0..self.slots.0.len() as u32 {
            let entry = self.slots.0[slot as usize].entry.as_ref();
            if entry.is_some_and(|(key, value)| !keep(key, value)) {
                self.remove_slot(slot);
            }
        }
    }

    fn find(&self, hash: u64, key: &K) -> Option<u32> {
        self.index.find(hash, |slot| self.key(slot) == Some(key))
    }

    pub(crate) fn key(&self, slot: u32) -> Option<&K> {
        self.slots.0[slot as usize].entry.as_ref().map(|(key, _)| key)
    }

    fn remove_slot(&mut self, slot: u32) -> Option<(K, V)> {
        self.order.removed(&mut self.slots, slot);
        let hash = self.slots.hash(slot);
        self.index.remove(hash, slot, |slot| self.slots.hash(slot));
        self.free.push(slot);
        self.slots.0[slot as usize].entry.take()
    }
}

#[cfg(test)]
impl<K: Hash + Eq, V, O: Order<Slots<K, V>>> Cache<K, V, O> {
    pub(crate) fn slots(&self) -> &Slots<K, V> {
        &self.slots
    }

    /// Requests a key without a value. Returns the key that was evicted for it.
    pub(crate) fn request(&mut self, key: K) -> Option<K>
    where
        V: Default,
    {
        if self.get(&key).is_some() {
            return None;
        }
        self.insert(key, V::default()).map(|(evicted, _)| evicted)
    }

    /// Moves a key to a new slot.
    pub(crate) fn relocate(&mut self, key: &K) {
        let old = self.find(hashing::hasher().hash_one(key), key).expect("the key exists");
        let Slot { links, bits, hash, .. } = self.slots.0[old as usize];
        let entry = self.slots.0[old as usize].entry.take();
        let new = self.slots.0.len() as u32;
        self.slots.0.push(Slot { links, bits, hash, entry });
        self.index.replace(hash, old, new);
        self.order.moved(&mut self.slots, old, new);
    }
}
