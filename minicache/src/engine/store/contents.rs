//! The keys of one shard: indexes, expiry wheels, slots, objects.
//!
//! A shard owns one [`Contents`], and a flush replaces it with an empty one, in constant time:
//!
//! ```text
//! FLUSHALL     lock the shard, swap in an empty Contents, unlock
//!              the old Contents is dropped after that, here or by the lazy-free thread
//! ```
//!
//! Redis does the same with the two dictionaries of a `redisDb` (`emptyDbAsync` in `lazyfree.c`).
//! There every database has dictionaries of its own. Here all databases of a shard have their
//! entries in the same pages, so flushing one of several databases takes time for each key
//! ([`Shard::clear`](super::shard::Shard::clear)).

use super::{slab::Slab, table::Table, wheel::Wheel};
use crate::engine::object::Object;

/// One database's part of a shard.
#[derive(Default)]
pub(super) struct Database {
    pub(super) table: Table,
    pub(super) wheel: Wheel,
}

#[derive(Default)]
pub struct Contents {
    pub(super) databases: Vec<Database>,
    pub(super) slab: Slab,
    pub(super) objects: Vec<Option<Object>>,
    /// Numbers of objects that are not in use.
    pub(super) objects_free: Vec<u32>,
}

impl Contents {
    pub(super) fn new(databases: usize) -> Contents {
        Contents {
            databases: std::iter::repeat_with(Database::default).take(databases).collect(),
            slab: Slab::new(),
            ..Contents::default()
        }
    }

    pub fn keys(&self) -> usize {
        self.databases.iter().map(|database| database.table.len()).sum()
    }

    /// Bytes of the slots and the indexes. The heap memory of the objects is not counted, because
    /// that would take a visit to each.
    pub fn bytes(&self) -> usize {
        let indexes: usize = self.databases.iter().map(|database| database.table.bytes()).sum();
        self.slab.page_bytes() + indexes + self.objects.capacity() * size_of::<Option<Object>>()
    }
}
