//! Optimistic lock coupling: a B+tree in memory whose readers write nothing.
//!
//! A latch is a word that every reader writes twice. The root's is written by every search, so
//! cores pass its cache line back and forth, although nothing in the root changes. Here a node has
//! a version instead. A writer makes it odd, changes the node, and makes it even again; a reader
//! reads the version, then the node, then the version again, and starts anew if it has changed:
//!
//! ```text
//! search 70                               insertion of 65, which splits leaf 1
//! root    version 4, child for 70 is 1
//!                                         root  4 -> 5   leaf 1  8 -> 9     both are locked
//!                                         leaf 1 [50 60]   leaf 2 [70 80]   root [.. 50->1 70->2]
//!                                         root  5 -> 6   leaf 1  9 -> 10
//! leaf 1  version 10
//! root    version 6, not 4: again         without this look: 70 is not in leaf 1, wrong answer
//! ```
//!
//! That is the *coupling*: the child's version is read first, then the parent's is compared. If the
//! parent is still the same, the child was the right one when its version was read, and a later
//! split of it shows in that version.
//!
//! # Invariants
//!
//! 1. A node changes only while its version is odd, and the thread that made it odd is alone.
//! 2. What a reader has read counts only after it has compared the version.
//! 3. Nodes are never moved or freed, and their contents are atomics. So a reader that is about to
//!    start anew reads numbers that do not belong together, but never memory that is not a node.
//! 4. A full node is split before a thread goes below it, so the parent of a full node has room.
//!
//! # What it would save minibtree, and why it is not in it
//!
//! A lookup latches a page for each level. With this, it would write to none of them. That is what
//! `cargo bench -p benches --bench optimistic` measures on this tree and on the same tree with a
//! latch for each node. The rest of a lookup stays: a statement takes microseconds, of which the
//! latches are tens of nanoseconds, as long as few cores share the root. And the price is high:
//!
//! * A page of the buffer pool is evicted and its frame used for another page. Readers without a
//!   latch need versions of frames that survive that, and copies of everything they use.
//! * Each field of a page would have to be read as an atomic, as here, or be undefined behavior.
//! * A reader may find any bytes, so that each offset is checked before it is used.
//!
//! Not here: deletion, scans, keys other than numbers. A tree that frees nodes needs epochs or
//! hazard pointers. Leis, Scheibner, Kemper and Neumann, "The ART of Practical Synchronization"
//! (DaMoN 2016); LeanStore and Umbra have it over a buffer pool. PostgreSQL's `nbtree` latches.

use minikit::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use minikit::sync::{RwLock, thread};
use std::sync::OnceLock;

/// Entries of a node. Few under loom, so that an insertion splits a node.
const CAPACITY: usize = if cfg!(loom) { 3 } else { 64 };
/// The root never moves: when it is split, both halves do.
const ROOT: u64 = 0;
/// Nodes of the first part.
const FIRST_PART: usize = if cfg!(loom) { 4 } else { 64 };
/// Parts for more nodes than memory holds.
const PARTS: usize = 40;

/// Something changed meanwhile: start anew at the root.
#[derive(Debug)]
struct Restart;

/// A node: sorted keys, each with a value, or with a child that has keys from there on.
///
/// The first key of an inner node stands for all lower ones. Everything is an atomic that is
/// read with `Acquire` and written with `Release`, which costs nothing on x86: a reader that sees a
/// new number also sees that the version is odd, or later.
struct Node {
    version: AtomicU64,
    /// 0 for leaves.
    level: AtomicU64,
    count: AtomicUsize,
    keys: [AtomicU64; CAPACITY],
    values: [AtomicU64; CAPACITY],
    /// For the search that latches.
    latch: RwLock<()>,
}

impl Node {
    fn new() -> Node {
        Node {
            version: AtomicU64::new(0),
            level: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            keys: std::array::from_fn(|_| AtomicU64::new(0)),
            values: std::array::from_fn(|_| AtomicU64::new(0)),
            latch: RwLock::default(),
        }
    }

    /// The version, unless the node is locked.
    fn version(&self) -> Result<u64, Restart> {
        let version = self.version.load(Ordering::Acquire);
        if version.is_multiple_of(2) { Ok(version) } else { Err(Restart) }
    }

    /// Succeeds if the node is as it was when it had this version.
    fn validate(&self, version: u64) -> Result<(), Restart> {
        let is_same = self.version.load(Ordering::Acquire) == version;
        if is_same { Ok(()) } else { Err(Restart) }
    }

    /// Locks the node if it is as it was when it had this version.
    fn lock(&self, version: u64) -> Result<Locked<'_>, Restart> {
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        match self.version.compare_exchange(version, version + 1, success, failure) {
            Ok(_) => Ok(Locked { node: self, version }),
            Err(_) => Err(Restart),
        }
    }

    fn level(&self) -> u64 {
        self.level.load(Ordering::Acquire)
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    fn key(&self, index: usize) -> u64 {
        self.keys[index].load(Ordering::Acquire)
    }

    fn value(&self, index: usize) -> u64 {
        self.values[index].load(Ordering::Acquire)
    }

    /// The number of keys from `from` on that are not greater than `key`, plus `from`.
    fn after(&self, from: usize, key: u64) -> usize {
        let (mut low, mut high) = (from, self.count());
        while low < high {
            let middle = (low + high) / 2;
            if self.key(middle) <= key { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The child that has `key`. A torn node may name any.
    fn child(&self, key: u64) -> u64 {
        self.value(self.after(1, key) - 1)
    }

    /// The index of `key` in a leaf.
    fn find(&self, key: u64) -> Option<usize> {
        let index = self.after(0, key).checked_sub(1)?;
        (self.key(index) == key).then_some(index)
    }
}

/// A node that this thread may change. Dropping it makes the version even and new.
struct Locked<'a> {
    node: &'a Node,
    version: u64,
}

impl Locked<'_> {
    /// Adds an entry in its place, or replaces the value of its key. Returns the old value. There
    /// is room.
    fn put(&self, key: u64, value: u64) -> Option<u64> {
        let node = self.node;
        if node.level() == 0
            && let Some(index) = node.find(key)
        {
            return Some(node.values[index].swap(value, Ordering::AcqRel));
        }

        let (at, count) = (node.after(0, key), node.count());
        for index in (at..count).rev() {
            self.set(index + 1, node.key(index), node.value(index));
        }
        self.set(at, key, value);
        node.count.store(count + 1, Ordering::Release);
        None
    }

    /// Moves the entries from `from` on to a new node.
    fn move_to(&self, from: usize, other: &Node) {
        let count = self.node.count();
        let other = Locked { node: other, version: 0 };
        other.node.level.store(self.node.level(), Ordering::Release);
        for index in from..count {
            other.set(index - from, self.node.key(index), self.node.value(index));
        }
        other.node.count.store(count - from, Ordering::Release);
        self.node.count.store(from, Ordering::Release);
    }

    fn set(&self, index: usize, key: u64, value: u64) {
        self.node.keys[index].store(key, Ordering::Release);
        self.node.values[index].store(value, Ordering::Release);
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.node.version.store(self.version + 2, Ordering::Release);
    }
}

/// A map from numbers to numbers that many threads share.
pub struct Tree {
    /// Nodes by number, in parts that never move, each as long as all before it together.
    parts: [OnceLock<Box<[Node]>>; PARTS],
    allocated: AtomicU64,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { parts: std::array::from_fn(|_| OnceLock::new()), allocated: AtomicU64::new(1) }
    }
}

impl Tree {
    /// The value of a key.
    pub fn get(&self, key: u64) -> Option<u64> {
        self.until_done(|| self.try_get(key))
    }

    /// Sets the value of a key. Returns the old one.
    pub fn insert(&self, key: u64, value: u64) -> Option<u64> {
        self.until_done(|| self.try_insert(key, value))
    }

    /// The search that compares no version. It misses a key that a split moves meanwhile: loom
    /// finds the order (`tests/loom_optimistic.rs`).
    pub fn get_naive(&self, key: u64) -> Option<u64> {
        let mut node = self.node(ROOT);
        while node.level() > 0 {
            node = self.node(node.child(key));
        }
        node.find(key).map(|index| node.value(index))
    }

    /// The search with a latch for each node, one at a time, as in the engine. For measurements:
    /// insertions take no latches, so it is right only while there are none.
    pub fn get_latched(&self, key: u64) -> Option<u64> {
        let mut node = self.node(ROOT);
        loop {
            let _latch = node.latch.read();
            if node.level() == 0 {
                return node.find(key).map(|index| node.value(index));
            }
            node = self.node(node.child(key));
        }
    }

    /// Repeats what a change of the tree has interrupted.
    fn until_done<T>(&self, attempt: impl Fn() -> Result<T, Restart>) -> T {
        loop {
            if let Ok(done) = attempt() {
                return done;
            }
            thread::yield_now();
        }
    }

    fn try_get(&self, key: u64) -> Result<Option<u64>, Restart> {
        let mut node = self.node(ROOT);
        let mut version = node.version()?;
        while node.level() > 0 {
            (node, version) = self.step(node, version, key)?;
        }
        let found = node.find(key).map(|index| node.value(index));
        node.validate(version)?;
        Ok(found)
    }

    /// Goes from a node to its child. Returns the child with its version.
    fn step(&self, node: &Node, version: u64, key: u64) -> Result<(&Node, u64), Restart> {
        let child = node.child(key);
        node.validate(version)?;
        let child = self.node(child);
        let child_version = child.version()?;
        // The coupling: a split of the child between the two lines above has changed this node.
        node.validate(version)?;
        Ok((child, child_version))
    }

    fn try_insert(&self, key: u64, value: u64) -> Result<Option<u64>, Restart> {
        let (mut parent, mut node) = (None, self.node(ROOT));
        let mut version = node.version()?;
        loop {
            if node.count() == CAPACITY {
                self.split(parent, (node, version))?;
                return Err(Restart);
            }
            if node.level() == 0 {
                // Locking compares the version, so that all that was read is still true.
                return Ok(node.lock(version)?.put(key, value));
            }
            let below = self.step(node, version, key)?;
            parent = Some((node, version));
            (node, version) = below;
        }
    }

    /// Splits a full node, and the root by moving both halves below it. Locks from the top.
    fn split(
        &self,
        parent: Option<(&Node, u64)>,
        (node, version): (&Node, u64),
    ) -> Result<(), Restart> {
        const HALF: usize = CAPACITY / 2;

        let parent = parent.map(|(parent, version)| parent.lock(version)).transpose()?;
        let node = node.lock(version)?;
        let (right, separator) = (self.allocate(), node.node.key(HALF));
        node.move_to(HALF, self.node(right));
        if let Some(parent) = parent {
            parent.put(separator, right);
            return Ok(());
        }

        let left = self.allocate();
        node.move_to(0, self.node(left));
        node.node.level.store(node.node.level() + 1, Ordering::Release);
        // Lower than every key, so that no separator comes before it.
        node.put(u64::MIN, left);
        node.put(separator, right);
        Ok(())
    }

    /// The number of a new node.
    fn allocate(&self) -> u64 {
        self.allocated.fetch_add(1, Ordering::Relaxed)
    }

    /// The node of a number.
    fn node(&self, number: u64) -> &Node {
        let from_first = number as usize + FIRST_PART;
        let part = (from_first / FIRST_PART).ilog2() as usize;
        let start = FIRST_PART << part;
        let nodes = self.parts[part].get_or_init(|| (0..start).map(|_| Node::new()).collect());
        &nodes[from_first - start]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Numbers that look random: a bijection, so that no key comes twice.
    fn scattered(number: u64) -> u64 {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
    }

    #[test]
    fn it_equals_a_map() {
        for order in [|it: u64| it, |it: u64| u64::MAX - it, scattered] {
            let (tree, mut model) = (Tree::default(), BTreeMap::new());
            for number in (0..20_000).chain(5_000..6_000) {
                let (key, value) = (order(number), number ^ model.len() as u64);
                assert_eq!(tree.insert(key, value), model.insert(key, value));
            }
            for number in 0..21_000 {
                let expected = model.get(&order(number)).copied();
                assert_eq!(tree.get(order(number)), expected);
                assert_eq!(tree.get_latched(order(number)), expected);
            }
        }
    }

    #[test]
    fn keys_are_found_while_threads_split_nodes() {
        const KEYS: u64 = 20_000;

        let tree = Tree::default();
        (0..KEYS).for_each(|it| _ = tree.insert(scattered(2 * it), it));
        std::thread::scope(|scope| {
            for first in [0, KEYS] {
                let tree = &tree;
                scope.spawn(move || {
                    let keys = (first..first + KEYS).map(|it| 2 * it + 1);
                    keys.for_each(|it| assert_eq!(tree.insert(scattered(it), it), None));
                });
            }
            for it in (0..KEYS).chain(0..KEYS) {
                assert_eq!(tree.get(scattered(2 * it)), Some(it));
            }
        });
        for it in (0..2 * KEYS).map(|it| 2 * it + 1) {
            assert_eq!(tree.get(scattered(it)), Some(it));
        }
    }
}
