//! Embedded stores behind one small trait: minibtree's engine, and others that a program links.
//!
//! | store | what it is |
//! |---|---|
//! | `minibtree` | a heap of rows and a B+tree index; a log; several versions of a row |
//! | `BTreeMap` | the floor: no pages, no transactions and no file |
//! | `redb` | a B+tree, copied on write; Rust |
//! | `lmdb` | a B+tree, copied on write and mapped into memory; C, through `heed` |
//! | `sled` | a lock-free tree over a log of pages; Rust |
//! | `fjall` | a log-structured merge tree; Rust |
//! | `sqlite` | a B+tree with a log, asked in prepared SQL; C, through `rusqlite` |
//!
//! Keys are 8 bytes, hashed so that their order is random; rows are 100 bytes. Every store gets its
//! rows one by one in the same random order, and has memory for all of them.
//!
//! `benches/embedded.rs` measures them.

use std::path::Path;

mod map;
mod minibtree;
#[cfg(feature = "peers")]
mod peers;
#[cfg(feature = "peers")]
mod raw;
mod redb;

/// The bytes of a row.
pub const ROW_BYTES: usize = 100;
/// The rows of a scan.
pub const SCANNED: usize = 100;

/// A key.
pub type Key = [u8; 8];

/// A store with rows. The first read after a write begins a read transaction, which the next write
/// ends: reads in a row share one.
pub trait Store {
    /// Creates a store with these keys in an empty directory.
    fn load(directory: &Path, keys: impl ExactSizeIterator<Item = Key>) -> Self
    where
        Self: Sized;

    /// Looks a key up, and returns a byte of its row.
    fn get(&mut self, key: Key) -> u8;

    /// Reads rows from a key on, and returns how many there were.
    fn scan(&mut self, from: Key) -> usize;

    /// Adds a row with a new key in a transaction of its own. Does not wait for the disk.
    fn put(&mut self, key: Key);

    /// Prepares for [`Store::commit`], after which `put` may be durable too.
    fn sync_commits(&mut self) {}

    /// Adds a row like `put`, and waits until it is durable.
    fn commit(&mut self, key: Key);
}

/// The key of a number: a bijection, so keys of different numbers differ.
pub fn key(number: u64) -> Key {
    (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32).to_be_bytes()
}

fn row(key: Key) -> [u8; ROW_BYTES] {
    [key[7]; ROW_BYTES]
}

/// Creates a store, see [`Store::load`].
pub type Load = fn(&Path, u64) -> Box<dyn Rounds>;

/// The stores by name. `BTreeMap` has no durable commit.
pub const STORES: &[(&str, Load)] = &[
    ("minibtree", load::<minibtree::Minibtree>),
    ("BTreeMap", load::<map::Map>),
    ("redb", load::<redb::Redb>),
    #[cfg(feature = "peers")]
    ("lmdb", load::<peers::Lmdb>),
    #[cfg(feature = "peers")]
    ("sled", load::<peers::Sled>),
    #[cfg(feature = "peers")]
    ("fjall", load::<peers::Fjall>),
    #[cfg(feature = "peers")]
    ("sqlite", load::<peers::Sqlite>),
];

fn load<S: Store + 'static>(directory: &Path, rows: u64) -> Box<dyn Rounds> {
    Box::new(S::load(directory, (0..rows as usize).map(|number| key(number as u64))))
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`Store::get`].
    Get,
    /// [`Store::scan`].
    Scan,
    /// [`Store::put`].
    Put,
    /// [`Store::commit`].
    Commit,
}

/// A store that does many operations a call, so that calling it through a table costs nothing.
pub trait Rounds {
    /// Does the operation with each key, and returns the sum of the answers.
    fn round(&mut self, operation: Operation, keys: &[Key]) -> usize;

    /// See [`Store::sync_commits`].
    fn sync_commits(&mut self);
}

impl<S: Store> Rounds for S {
    fn round(&mut self, operation: Operation, keys: &[Key]) -> usize {
        let keys = keys.iter().copied();
        match operation {
            Operation::Get => keys.map(|key| usize::from(self.get(key))).sum(),
            Operation::Scan => keys.map(|key| self.scan(key)).sum(),
            Operation::Put => keys.map(|key| self.put(key)).count(),
            Operation::Commit => keys.map(|key| self.commit(key)).count(),
        }
    }

    fn sync_commits(&mut self) {
        Store::sync_commits(self);
    }
}
