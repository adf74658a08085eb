//! What a flush leaves: databases taken out of a shard, to be freed behind its lock.
//!
//! Taking is a few moves, however many keys there are. The databases of a shard have their entries
//! in the same pages, though: where others have keys too, [`Shard::clear`] moves those to new
//! pages, or leaves the pages where they are and takes only the objects.
//!
//! [`Shard::clear`]: super::shard::Shard::clear

use super::shard::Keyspace;
use super::slab::Slab;
use crate::engine::object::Object;

/// What a flush took out of one shard; dropping it frees it.
#[derive(Default)]
pub struct Remains {
    /// How many keys it was.
    pub keys: usize,
    pub(super) slab: Slab,
    pub(super) objects: Vec<Option<Object>>,
    pub(super) keyspaces: Vec<Keyspace>,
}

impl Remains {
    /// Bytes of the entries and of the index. The objects' own are not counted: each would have to
    /// be looked at.
    pub fn bytes(&self) -> usize {
        let indexes: usize = self.keyspaces.iter().map(|keyspace| keyspace.table.bytes()).sum();
        let places = self.objects.capacity() * size_of::<Option<Object>>();
        self.slab.page_bytes() + indexes + places
    }
}
