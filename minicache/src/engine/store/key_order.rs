//! The order of a shard's keys, if the eviction policy keeps one, with its links in the entries.
//!
//! An entry begins at the first byte of its slot, and the links are the last eight:
//!
//! ```text
//!  slot of 32 bytes
//!  01 | 01 00 00 | 0a | foo_000001 | 03 | bar | free  | 40 20 00 00 | ff ff ff ff
//!       the order's 24 bits                             newer         older
//! ```
//!
//! So a key costs 8 bytes more under these policies, all of them counted by `maxmemory`, and under
//! the others nothing: no offset of an entry depends on the policy. Redis has no such policy.
//!
//! **Invariant**: with an order, all entries of the shard are in it, and their 24 bits are the
//! order's. The configuration of a core may be older for the rest of its batch, so the shard, and
//! not the configuration, says if there is an order.

use super::slab::{Handle, Slab};
use crate::engine::eviction::order::{Algorithm, Links, Nodes, Order};
use crate::engine::hashing::{hash_key, hasher};
use crate::format::entry;

/// Bytes of the two links.
const LINKS: usize = 8;

#[derive(Default)]
pub struct KeyOrder(Option<(Algorithm, Box<dyn Order<Slab>>)>);

impl KeyOrder {
    pub fn new(algorithm: Option<Algorithm>) -> KeyOrder {
        KeyOrder(algorithm.map(|algorithm| (algorithm, algorithm.order())))
    }

    pub fn algorithm(&self) -> Option<Algorithm> {
        self.0.as_ref().map(|(algorithm, _)| *algorithm)
    }

    /// Bytes of a slot beyond the entry in it.
    #[inline]
    pub fn link_bytes(&self) -> usize {
        if self.0.is_some() { LINKS } else { 0 }
    }

    #[inline]
    pub fn inserted(&mut self, slab: &mut Slab, handle: Handle, hash: u64) {
        if let Some((_, order)) = &mut self.0 {
            order.inserted(slab, handle, hash);
        }
    }

    /// Returns false if there is no order.
    #[inline]
    pub fn used(&mut self, slab: &mut Slab, handle: Handle, hash: u64) -> bool {
        match &mut self.0 {
            Some((_, order)) => order.used(slab, handle, hash),
            None => return false,
        }
        true
    }

    #[inline]
    pub fn removed(&mut self, slab: &mut Slab, handle: Handle) {
        if let Some((_, order)) = &mut self.0 {
            order.removed(slab, handle);
        }
    }

    /// An entry has been written to another slot. Its old slot still has the links.
    #[inline]
    pub fn moved(&mut self, slab: &mut Slab, old: Handle, new: Handle) {
        if let Some((_, order)) = &mut self.0 {
            slab.set_links(new, slab.links(old));
            order.moved(slab, old, new);
        }
    }

    pub fn victim(&mut self, slab: &mut Slab) -> Option<Handle> {
        self.0.as_mut()?.1.victim(slab)
    }
}

impl Nodes for Slab {
    fn links(&self, slot: u32) -> Links {
        let bytes = self.slot(slot).last_chunk::<LINKS>().expect("no slot is smaller than 8 bytes");
        let both = u64::from_le_bytes(*bytes);
        Links { newer: both as u32, older: (both >> 32) as u32 }
    }

    fn set_links(&mut self, slot: u32, links: Links) {
        let bytes = self.slot_mut(slot).last_chunk_mut::<LINKS>();
        let (newer, older) = (u64::from(links.newer), u64::from(links.older));
        *bytes.expect("no slot is smaller than 8 bytes") = (older << 32 | newer).to_le_bytes();
    }

    fn bits(&self, slot: u32) -> u32 {
        entry::clock(self.slot(slot))
    }

    fn set_bits(&mut self, slot: u32, bits: u32) {
        entry::set_clock(self.slot_mut(slot), bits);
    }

    fn hash(&self, slot: u32) -> u64 {
        hash_key(hasher(), entry::key(self.slot(slot)))
    }
}
