//! One shard: the keys of its part of the hash space, in every database.
//!
//! ```text
//!  key ──hash──> table (one per database) ──handle──> slot: flags, clock, deadline, key, value
//!                                                      │  │
//!         wheel (one per database) <────links──────────┘  └──number──> objects: lists, hashes, …
//! ```
//!
//! `SET k bar EX 10` on an empty shard: the entry has 23 bytes, so it takes a slot of 24. The table
//! stores the slot's handle under the hash of `k`, and the wheel links the slot into the list of
//! keys that expire in about ten seconds. `GET k` reads one bucket of the table, then the slot.
//!
//! A shard does not know clients, commands or replies, and the caller passes the time. Counterpart
//! in Redis: `db.c`, with the two dictionaries of a `redisDb`. There the deadlines are a second
//! dictionary of the same keys; here a deadline is part of the entry.
//!
//! **Invariants**
//! 1. Every handle in a table is a slot in use, stored under the hash of that slot's key.
//! 2. An entry is in its database's wheel if and only if it has a deadline.
//! 3. If the shard keeps an order, every entry is in it ([`KeyOrder`]).
//! 4. An object belongs to exactly one entry. Between commands no container is empty.

use super::contents::{Contents, Database};
use super::key_order::KeyOrder;
use super::slab::{Handle, SHARED_MAX, Slab};
use super::{table::Table, wheel::LEVELS};
use crate::engine::eviction::observer::Stored;
use crate::engine::eviction::pool::{Candidate, Pool};
use crate::engine::object::{Object, Str, Value};
use crate::engine::{
    eviction::order::Algorithm, eviction::policy::Policy, hashing::hash_key, key::Key, rng::Rng,
};
use crate::format::entry::{self, EntryValue};
use crate::format::number::parse_i64;
use ahash::RandomState;
use std::cmp::Reverse;

/// The most keys looked up together: about the number of cache lines that a processor fetches at
/// the same time.
pub const PREFETCH_MAX: usize = 16;

/// The value that a key is set to.
pub enum NewValue<'a> {
    /// A string. If it is the decimal form of a number, the number is stored.
    Text(&'a [u8]),
    /// A string that is stored as text even if it is the decimal form of a number.
    Verbatim(&'a [u8]),
    /// A number as a string.
    Int(i64),
    /// A value on the heap.
    Object(Object),
}

/// Counters of a shard since it was created.
#[derive(Clone, Copy, Default)]
pub struct ShardStats {
    /// Lookups by reading commands that found their key.
    pub hits: u64,
    /// Lookups by reading commands that did not find it.
    pub misses: u64,
    /// Keys removed because they expired.
    pub expired: u64,
    /// Keys removed because memory use exceeded `maxmemory`.
    pub evicted: u64,
}

impl ShardStats {
    pub fn add(&mut self, other: &ShardStats) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.expired += other.expired;
        self.evicted += other.evicted;
    }
}

pub struct Shard {
    contents: Contents,
    hasher: RandomState,
    rng: Rng,
    order: KeyOrder,
    pub pool: Pool,
    pub stats: ShardStats,
}

impl Shard {
    /// Creates an empty shard. All shards of a cache share one hasher.
    pub fn new(databases: usize, hasher: RandomState, seed: u64) -> Shard {
        Shard {
            contents: Contents::new(databases),
            hasher,
            order: KeyOrder::default(),
            pool: Pool::default(),
            rng: Rng::new(seed),
            stats: ShardStats::default(),
        }
    }

    pub fn slab(&self) -> &Slab {
        &self.contents.slab
    }

    /// Returns the number of keys of a database in this shard.
    pub fn len(&self, db: usize) -> usize {
        self.contents.databases[db].table.len()
    }

    /// Returns the number of keys with a deadline of a database in this shard.
    pub fn volatile_len(&self, db: usize) -> usize {
        self.contents.databases[db].wheel.len()
    }

    /// Returns the bytes and buckets of a database's index.
    pub fn index_size(&self, db: usize) -> (usize, usize) {
        let table = &self.contents.databases[db].table;
        (table.bytes(), table.buckets())
    }

    /// Counts the keys of a database in each level of the expiry wheel, up to `most` per level.
    pub fn wheel_levels(&self, db: usize, most: usize) -> [usize; LEVELS] {
        self.contents.databases[db].wheel.by_level(&self.contents.slab, most)
    }

    /// Finds the handle of a key, even if the key has expired.
    pub fn find(&self, db: usize, hash: u64, key: &[u8]) -> Option<Handle> {
        self.contents.databases[db]
            .table
            .find(hash, |handle| entry::has_key(self.contents.slab.slot(handle), key))
    }

    /// Returns the entry that probably belongs to this hash. Reads only the bucket.
    pub fn candidate(&self, db: usize, hash: u64) -> Option<Handle> {
        self.contents.databases[db].table.candidate(hash)
    }

    pub fn key(&self, handle: Handle) -> &[u8] {
        entry::key(self.contents.slab.slot(handle))
    }

    pub fn value(&self, handle: Handle) -> Value<'_> {
        match entry::value(self.contents.slab.slot(handle)) {
            EntryValue::Int(number) => Value::Short(Str::Int(number)),
            EntryValue::Inline(bytes) => Value::Short(Str::Bytes(bytes)),
            EntryValue::Object(id) => Value::Object(self.object(id)),
        }
    }

    /// Returns the object of an entry, or `None` if the value is in the entry itself.
    pub fn object_mut(&mut self, handle: Handle) -> Option<&mut Object> {
        match entry::value(self.contents.slab.slot(handle)) {
            EntryValue::Object(id) => self.contents.objects[id as usize].as_mut(),
            _ => None,
        }
    }

    /// Replaces an integer in place. Returns false if the value is not an integer.
    pub fn set_int(&mut self, handle: Handle, number: i64) -> bool {
        entry::set_int(self.contents.slab.slot_mut(handle), number)
    }

    /// Returns the deadline of an entry in Unix milliseconds.
    pub fn deadline(&self, handle: Handle) -> Option<i64> {
        entry::deadline(self.contents.slab.slot(handle))
    }

    pub fn clock(&self, handle: Handle) -> u32 {
        entry::clock(self.contents.slab.slot(handle))
    }

    /// Replaces the policy's bits, unless the order uses them.
    pub fn set_clock(&mut self, handle: Handle, bits: u32) {
        if self.order.algorithm().is_none() {
            entry::set_clock(self.contents.slab.slot_mut(handle), bits);
        }
    }

    /// Returns true if an entry, whose key has this hash, has not expired. With a policy, also
    /// records a use.
    pub fn visit(
        &mut self,
        handle: Handle,
        hash: u64,
        now_ms: i64,
        using: Option<&dyn Policy>,
    ) -> bool {
        let slot = self.contents.slab.slot_mut(handle);
        if entry::deadline(slot).is_some_and(|deadline| deadline <= now_ms) {
            return false;
        }
        if let Some(policy) = using
            && !self.order.used(&mut self.contents.slab, handle, hash)
        {
            let slot = self.contents.slab.slot_mut(handle);
            entry::set_clock(slot, policy.accessed(entry::clock(slot), now_ms, &mut self.rng));
        }
        true
    }

    /// Returns the bytes of an entry's slot, its object, and its share of the index.
    pub fn footprint(&self, handle: Handle) -> usize {
        const INDEX_SHARE: usize = 9;
        self.contents.slab.slot(handle).len() + self.value(handle).heap_bytes() + INDEX_SHARE
    }

    /// Returns the memory and the deadline of an entry, for the observer.
    pub fn stored(&self, handle: Handle) -> Stored {
        Stored { bytes: self.footprint(handle) as u32, deadline: self.deadline(handle) }
    }

    /// Adds a key that does not exist.
    pub fn insert(
        &mut self,
        db: usize,
        key: &[u8],
        hash: u64,
        fresh: NewValue<'_>,
        life: Lifetime,
        clock: u32,
    ) -> Handle {
        let stored = self.store(key, fresh, life.deadline);
        let size = entry::size_of(key, stored, life.deadline) + self.order.link_bytes();
        let handle = self.contents.slab.take(size);
        entry::write(self.contents.slab.slot_mut(handle), key, stored, life.deadline, clock);

        // The table may split a bucket and asks for the hashes of the keys in it. They are not
        // stored anywhere: hashing a few keys again is cheaper than 8 bytes per key.
        let (hasher, Contents { slab, databases, .. }) = (&self.hasher, &mut self.contents);
        let hash_of = |id| hash_key(hasher, entry::key(slab.slot(id)));
        databases[db].table.insert(hash, handle, hash_of);
        if life.deadline.is_some() {
            databases[db].wheel.insert(slab, handle, life.now_ms);
        }
        self.order.inserted(slab, handle, hash);
        handle
    }

    /// Replaces the value and deadline of a key that exists, and keeps the policy's bits. Returns
    /// the handle, which changes if the entry does not fit its slot any more.
    pub fn replace(
        &mut self,
        db: usize,
        handle: Handle,
        key: Key,
        fresh: NewValue<'_>,
        life: Lifetime,
    ) -> Handle {
        // The fast path: same length, no deadline before or after. Not for a text that may be a
        // number, which the entry would store as a number.
        if let (NewValue::Text(bytes), None) = (&fresh, life.deadline)
            && !may_be_number(bytes)
            && entry::overwrite(self.contents.slab.slot_mut(handle), bytes)
        {
            return handle;
        }
        self.drop_object(handle);
        let stored = self.store(key.bytes, fresh, life.deadline);
        self.rewrite(db, handle, key, stored, life)
    }

    /// Replaces the deadline. Returns the handle, which changes if the entry does not fit its slot
    /// any more.
    pub fn set_deadline(&mut self, db: usize, handle: Handle, key: Key, life: Lifetime) -> Handle {
        let slot = self.contents.slab.slot_mut(handle);
        let wheel = &mut self.contents.databases[db].wheel;

        // Remove the entry from the wheel before the deadline changes and insert it afterwards: the
        // wheel reads the deadline in the entry to find the list.
        if let (Some(deadline), true) = (life.deadline, entry::deadline_fits(slot, life.deadline)) {
            wheel.remove(&mut self.contents.slab, handle);
            entry::set_deadline(self.contents.slab.slot_mut(handle), deadline);
            wheel.insert(&mut self.contents.slab, handle, life.now_ms);
            return handle;
        }

        // The size changes, so key and value move, perhaps within the same slot.
        let copy = slot.to_vec();
        self.rewrite(db, handle, key, entry::value(&copy), life)
    }

    /// Removes an entry and returns its object if it has one.
    pub fn remove(&mut self, db: usize, handle: Handle) -> Option<Object> {
        let hash = hash_key(&self.hasher, self.key(handle));
        self.remove_hashed(db, handle, hash)
    }

    pub fn remove_hashed(&mut self, db: usize, handle: Handle, hash: u64) -> Option<Object> {
        let object = match entry::value(self.contents.slab.slot(handle)) {
            EntryValue::Object(id) => self.take_object(id),
            _ => None,
        };

        // Free the slot last: the wheel and the table read the entry to find their reference to it.
        let (hasher, Contents { slab, databases, .. }) = (&self.hasher, &mut self.contents);
        let Database { table, wheel } = &mut databases[db];
        if entry::has_deadline(slab.slot(handle)) {
            wheel.remove(slab, handle);
        }
        table.remove(hash, handle, |id| hash_key(hasher, entry::key(slab.slot(id))));
        self.order.removed(slab, handle);
        slab.free(handle);
        object
    }

    /// Removes all keys of all databases and returns them, in constant time.
    pub fn clear_all(&mut self) -> Contents {
        let databases = self.contents.databases.len();
        self.order = KeyOrder::new(self.order.algorithm());
        std::mem::replace(&mut self.contents, Contents::new(databases))
    }

    /// Removes all keys of one database and returns them.
    ///
    /// All databases of a shard share the same pages. We do the cheaper of two things: move the
    /// keys of the other databases to new pages, or remove this database's keys one by one. Either
    /// costs about 100 ns a key. If there is an order, the other keys stay in it.
    pub fn clear(&mut self, db: usize, now_ms: i64) -> Contents {
        let (keys, all) = (self.len(db), self.contents.keys());
        if all - keys > keys || (all > keys && self.order.algorithm().is_some()) {
            return self.clear_one_by_one(db);
        }
        let mut cleared = self.clear_all();
        for other in (0..self.contents.databases.len()).filter(|other| *other != db) {
            self.move_back(&mut cleared, other, now_ms);
        }
        cleared
    }

    /// Moves the keys of a database from `cleared` back into this shard.
    fn move_back(&mut self, cleared: &mut Contents, db: usize, now_ms: i64) {
        for handle in std::mem::take(&mut cleared.databases[db]).table.ids() {
            let slot = cleared.slab.slot(handle);
            let value = match entry::value(slot) {
                EntryValue::Int(number) => NewValue::Int(number),
                EntryValue::Inline(bytes) => NewValue::Verbatim(bytes),
                EntryValue::Object(id) => {
                    let object = cleared.objects[id as usize].take();
                    NewValue::Object(object.expect("entries name objects that exist"))
                }
            };
            let life = Lifetime { deadline: entry::deadline(slot), now_ms };
            let (key, clock) = (entry::key(slot), entry::clock(slot));
            self.insert(db, key, hash_key(&self.hasher, key), value, life, clock);
        }
    }

    /// Removes the keys of a database from pages that it shares with other databases.
    fn clear_one_by_one(&mut self, db: usize) -> Contents {
        let database = std::mem::take(&mut self.contents.databases[db]);
        let mut objects = Vec::new();
        for handle in database.table.ids() {
            if let EntryValue::Object(id) = entry::value(self.contents.slab.slot(handle)) {
                objects.push(self.take_object(id));
            }
            self.order.removed(&mut self.contents.slab, handle);
            self.contents.slab.free(handle);
        }
        Contents { objects, databases: vec![database], ..Contents::default() }
    }

    pub fn swap(&mut self, one: usize, other: usize) {
        self.contents.databases.swap(one, other);
    }

    /// Returns the index of a database, to visit all its keys or a bucket at a time.
    pub fn table(&self, db: usize) -> &Table {
        &self.contents.databases[db].table
    }

    pub fn random(&mut self, db: usize) -> Option<Handle> {
        let mut some = Vec::new();
        let random = self.rng.next_u64();
        self.contents.databases[db].table.sample(random, |handle| some.push(handle));
        if some.is_empty() {
            return None;
        }
        Some(some[self.rng.below(some.len())])
    }

    /// Returns the next expired entry of a database, if there is one. Moves at most `budget`
    /// entries within the wheel to find it.
    pub fn next_due(&mut self, db: usize, now_ms: i64, budget: &mut usize) -> Option<Handle> {
        self.contents.databases[db].wheel.advance(&mut self.contents.slab, now_ms, budget)
    }

    /// Samples keys of every database and offers them to the eviction pool.
    pub fn sample_into_pool(&mut self, sampling: &Sampling<'_>) {
        for db in 0..self.contents.databases.len() {
            for handle in self.sample(db, sampling.volatile_only, sampling.samples) {
                let slot = self.contents.slab.slot(handle);
                let (bits, deadline) = (entry::clock(slot), entry::deadline(slot));
                let coldness = sampling.policy.coldness(bits, deadline, sampling.now_ms);
                self.pool.offer(db, entry::key(slot), coldness);
            }
        }
    }

    /// Returns the deadlines of a few random keys that have one.
    pub fn sample_deadlines(&mut self, db: usize) -> Vec<i64> {
        const KEYS: usize = 20;
        let sampled = self.sample(db, true, KEYS);
        sampled.into_iter().filter_map(|handle| self.deadline(handle)).collect()
    }

    /// Returns the handle of an eviction candidate, or `None` if its key was deleted or, with
    /// `volatile_only`, has no deadline any more.
    pub fn find_eligible(&self, candidate: &Candidate, volatile_only: bool) -> Option<Handle> {
        let hash = hash_key(&self.hasher, &candidate.key);
        self.find(candidate.db, hash, &candidate.key).filter(|handle| {
            !volatile_only || entry::has_deadline(self.contents.slab.slot(*handle))
        })
    }

    /// Empties a nearly empty page by moving its entries to other pages, so that another class can
    /// use its memory. Returns false if there is no such page. At most a quarter of a page moves,
    /// which takes a few hundred microseconds at worst.
    pub fn compact(&mut self) -> bool {
        let start = self.rng.next_u64();
        let Some((page, handles)) = self.contents.slab.begin_emptying(start) else { return false };
        for handle in handles {
            self.relocate(handle);
        }
        self.contents.slab.emptied(page);
        true
    }

    /// Copies an entry to another slot of its class and updates index, wheel and order.
    fn relocate(&mut self, old: Handle) {
        let size = self.contents.slab.slot(old).len();
        let new = self.copy_to_slot(old, size, size);
        self.order.moved(&mut self.contents.slab, old, new);
    }

    /// Copies the first `length` bytes of an entry to a new slot of `size` bytes, and updates the
    /// index and the wheel.
    fn copy_to_slot(&mut self, old: Handle, length: usize, size: usize) -> Handle {
        let db = self.database_of(old);
        let Contents { slab, databases, .. } = &mut self.contents;
        let bytes = slab.slot(old)[..length].to_vec();
        let hash = hash_key(&self.hasher, entry::key(&bytes));
        let new = slab.take(size);
        slab.slot_mut(new)[..length].copy_from_slice(&bytes);

        let Database { table, wheel } = &mut databases[db];
        table.replace(hash, old, new);
        if entry::has_deadline(&bytes) {
            wheel.moved(slab, new);
        }
        new
    }

    /// Returns the database of an entry. It is not stored, so this searches the indexes.
    fn database_of(&self, handle: Handle) -> usize {
        let hash = hash_key(&self.hasher, self.key(handle));
        let owner = |database: &Database| database.table.find(hash, |id| id == handle).is_some();
        let owner = self.contents.databases.iter().position(owner);
        owner.expect("every entry is in the index of a database")
    }

    /// Returns the entry that the order evicts next, and its database, or `None` if there is no
    /// order.
    pub fn victim(&mut self) -> Option<(usize, Handle)> {
        let handle = self.order.victim(&mut self.contents.slab)?;
        Some((self.database_of(handle), handle))
    }

    /// Changes the order of the keys, or removes it. The coldest key by the previous policy becomes
    /// the oldest. Entries move to slots with or without links: at most 400 ns each (a million
    /// keys).
    pub fn set_order(&mut self, wanted: Option<Algorithm>, before: &dyn Policy, now_ms: i64) {
        if self.order.algorithm() == wanted {
            return;
        }
        let all = self.contents.databases.iter().flat_map(|database| database.table.ids());
        let mut handles: Vec<Handle> = all.collect();
        handles.sort_by_cached_key(|handle| {
            let slot = self.contents.slab.slot(*handle);
            Reverse(before.coldness(entry::clock(slot), entry::deadline(slot), now_ms))
        });

        self.order = KeyOrder::new(wanted);
        for mut handle in handles {
            let slot = self.contents.slab.slot(handle);
            let (key, deadline) = (entry::key(slot), entry::deadline(slot));
            let length = entry::size_of(key, entry::value(slot), deadline);
            let hash = hash_key(&self.hasher, key);
            let size = length + self.order.link_bytes();
            if !self.contents.slab.fits(handle, size) {
                let new = self.copy_to_slot(handle, length, size);
                self.contents.slab.free(handle);
                handle = new;
            }
            self.order.inserted(&mut self.contents.slab, handle, hash);
        }
    }

    /// Returns up to `samples` random keys of a database; with `volatile_only`, only keys with a
    /// deadline.
    fn sample(&mut self, db: usize, volatile_only: bool, samples: usize) -> Vec<Handle> {
        let Database { table, wheel } = &self.contents.databases[db];
        let mut sampled = Vec::new();
        if table.is_empty() || (volatile_only && wheel.is_empty()) {
            return sampled;
        }

        // A bucket holds five to twelve keys, so one bucket is usually enough. If few keys have
        // deadlines, many buckets have no such key; after eight buckets we sample the wheel
        // instead.
        const BUCKETS_MAX: usize = 8;
        for _ in 0..BUCKETS_MAX {
            if sampled.len() >= samples {
                break;
            }
            let first = sampled.len();
            table.sample(self.rng.next_u64(), |handle| {
                if !volatile_only || entry::has_deadline(self.contents.slab.slot(handle)) {
                    sampled.push(handle);
                }
            });

            // A bucket fills from its first slot on, so its last slots hold the newest keys.
            // Without a random start they would never be sampled.
            let drawn = &mut sampled[first..];
            drawn.rotate_left(self.rng.below(drawn.len()));
            sampled.truncate(samples);
        }
        if sampled.is_empty() {
            wheel.sample(&self.contents.slab, self.rng.next_u64(), |handle| sampled.push(handle));
        }
        sampled
    }

    /// Converts a value to the form in which its entry stores it.
    fn store<'a>(
        &mut self,
        key: &[u8],
        fresh: NewValue<'a>,
        deadline: Option<i64>,
    ) -> EntryValue<'a> {
        let bytes = match fresh {
            NewValue::Int(number) => return EntryValue::Int(number),
            NewValue::Object(object) => return EntryValue::Object(self.keep_object(object)),
            NewValue::Verbatim(bytes) => bytes,
            NewValue::Text(bytes) => match parse_i64(bytes) {
                Some(number) => return EntryValue::Int(number),
                None => bytes,
            },
        };

        // A longer string on the heap can grow in place and be freed by another thread.
        if entry::size_of(key, EntryValue::Inline(bytes), deadline) <= SHARED_MAX {
            EntryValue::Inline(bytes)
        } else {
            EntryValue::Object(self.keep_object(Object::Text(bytes.to_vec())))
        }
    }

    /// Rewrites an entry, in its slot if it fits, otherwise in another one.
    fn rewrite(
        &mut self,
        db: usize,
        handle: Handle,
        key: Key,
        stored: EntryValue<'_>,
        life: Lifetime,
    ) -> Handle {
        let Contents { slab, databases, .. } = &mut self.contents;
        let Database { table, wheel } = &mut databases[db];
        let clock = entry::clock(slab.slot(handle));
        if entry::has_deadline(slab.slot(handle)) {
            wheel.remove(slab, handle);
        }

        let size = entry::size_of(key.bytes, stored, life.deadline) + self.order.link_bytes();
        let mut new = handle;
        if !slab.fits(handle, size) {
            new = slab.take(size);
            table.replace(key.hash, handle, new);
        }

        entry::write(slab.slot_mut(new), key.bytes, stored, life.deadline, clock);
        if new != handle {
            self.order.moved(slab, handle, new);
            slab.free(handle);
        }
        if life.deadline.is_some() {
            wheel.insert(slab, new, life.now_ms);
        }
        new
    }

    fn object(&self, id: u32) -> &Object {
        self.contents.objects[id as usize].as_ref().expect("entries name objects that exist")
    }

    fn keep_object(&mut self, object: Object) -> u32 {
        if let Some(id) = self.contents.objects_free.pop() {
            self.contents.objects[id as usize] = Some(object);
            return id;
        }
        // Grow by an eighth. A `Vec` would double, and leave up to half of the memory unused.
        let objects = &mut self.contents.objects;
        if objects.len() == objects.capacity() {
            objects.reserve_exact(objects.len() / 8 + 8);
        }
        objects.push(Some(object));
        (objects.len() - 1) as u32
    }

    fn take_object(&mut self, id: u32) -> Option<Object> {
        self.contents.objects_free.push(id);
        self.contents.objects[id as usize].take()
    }

    fn drop_object(&mut self, handle: Handle) {
        if let EntryValue::Object(id) = entry::value(self.contents.slab.slot(handle)) {
            self.take_object(id);
        }
    }
}

/// Returns true if a text could be the decimal form of a number, which entries hold as a number.
fn may_be_number(text: &[u8]) -> bool {
    text.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
}

/// When an entry expires, and the current time.
#[derive(Clone, Copy)]
pub struct Lifetime {
    /// Unix milliseconds; `None` if it never expires.
    pub deadline: Option<i64>,
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// How keys are sampled for eviction.
pub struct Sampling<'a> {
    /// Computes how cold a key is.
    pub policy: &'a dyn Policy,
    /// True if only keys with a deadline are eligible.
    pub volatile_only: bool,
    /// `maxmemory-samples`.
    pub samples: usize,
    /// Unix milliseconds.
    pub now_ms: i64,
}

#[cfg(test)]
mod tests;
