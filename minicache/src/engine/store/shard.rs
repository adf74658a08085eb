//! One shard: the keys of its part of the hash space, in every database, and all that hangs on
//! them.
//!
//! ```text
//!  key ──hash──> table (one per database) ──handle──> slot: flags, clock, deadline, key, value
//!                                                      │  │
//!         wheel (one per database) <────links──────────┘  └──number──> objects: lists, hashes, …
//! ```
//!
//! A shard knows nothing of clients, commands or replies; it is told what time it is. Its
//! counterpart in Redis is `db.c` together with the two dictionaries of a `redisDb`. There the
//! deadlines are a second dictionary of the same keys; here a deadline is part of the entry.
//!
//! **Invariants**
//! 1. Every handle in a table names a slot whose key hashes to where the handle stands.
//! 2. An entry is filed in its database's wheel if and only if it has a deadline.
//! 3. An object belongs to exactly one entry, and no container in `objects` is empty between
//!    commands.

use super::remains::Remains;
use super::slab::{Handle, SHARED_MAX, Slab};
use super::table::Table;
use super::wheel::{LEVELS, Wheel};
use crate::engine::eviction::policy::Policy;
use crate::engine::eviction::pool::{Candidate, Pool};
use crate::engine::object::{Object, Str, Value};
use crate::engine::rng::Rng;
use crate::format::entry::{self, Stored};
use crate::format::number::parse_i64;
use ahash::RandomState;

/// Keys looked up together: about as many pieces of memory as a processor fetches at once.
pub const PREFETCH_MAX: usize = 16;

/// One database's share of a shard.
#[derive(Default)]
pub(super) struct Keyspace {
    pub(super) table: Table,
    wheel: Wheel,
}

/// What a key is to hold.
pub enum Fresh<'a> {
    /// A string; the shard chooses how it lies.
    Text(&'a [u8]),
    /// A string that is text even where it spells a number.
    Verbatim(&'a [u8]),
    /// A number as a string.
    Int(i64),
    /// A value with memory of its own.
    Object(Object),
}

/// What happened in a shard since it was made.
#[derive(Clone, Copy, Default)]
pub struct ShardStats {
    /// Lookups by reading commands that found their key.
    pub hits: u64,
    /// Those that did not.
    pub misses: u64,
    /// Keys dropped because their time had come.
    pub expired: u64,
    /// Keys dropped for want of memory.
    pub evicted: u64,
}

impl ShardStats {
    /// Adds another shard's.
    pub fn add(&mut self, other: &ShardStats) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.expired += other.expired;
        self.evicted += other.evicted;
    }
}

/// A shard; see the head of the file.
pub struct Shard {
    slab: Slab,
    objects: Vec<Option<Object>>,
    objects_free: Vec<u32>,
    databases: Vec<Keyspace>,
    hasher: RandomState,
    rng: Rng,
    /// The eviction candidates.
    pub pool: Pool,
    /// Counters for `INFO`.
    pub stats: ShardStats,
}

impl Shard {
    /// An empty shard. All shards of a cache share one hasher.
    pub fn new(databases: usize, hasher: RandomState, seed: u64) -> Shard {
        Shard {
            slab: Slab::new(),
            objects: Vec::new(),
            objects_free: Vec::new(),
            databases: std::iter::repeat_with(Keyspace::default).take(databases).collect(),
            hasher,
            pool: Pool::default(),
            rng: Rng::new(seed),
            stats: ShardStats::default(),
        }
    }

    /// The slab, to be looked at.
    pub fn slab(&self) -> &Slab {
        &self.slab
    }

    /// Keys of a database in this shard.
    pub fn len(&self, db: usize) -> usize {
        self.databases[db].table.len()
    }

    /// Keys of a database in this shard that have a deadline.
    pub fn volatile_len(&self, db: usize) -> usize {
        self.databases[db].wheel.len()
    }

    /// Bytes of a database's index, and how many buckets it has.
    pub fn index_size(&self, db: usize) -> (usize, usize) {
        let table = &self.databases[db].table;
        (table.bytes(), table.buckets())
    }

    /// Keys of a database waiting in each level of the expiry wheel, counted up to `most` a level.
    pub fn wheel_levels(&self, db: usize, most: usize) -> [usize; LEVELS] {
        self.databases[db].wheel.by_level(&self.slab, most)
    }

    /// The handle of a key, dead or alive.
    pub fn find(&self, db: usize, hash: u64, key: &[u8]) -> Option<Handle> {
        self.databases[db].table.find(hash, |handle| entry::has_key(self.slab.slot(handle), key))
    }

    /// Touches the entries that keys with these hashes probably have, at most [`PREFETCH_MAX`]. The
    /// buckets do not depend on each other, nor do the entries, so a processor fetches several at a
    /// time.
    pub fn prefetch(&self, db: usize, hashes: &[u64]) {
        let table = &self.databases[db].table;
        let mut handles = [None; PREFETCH_MAX];
        for (handle, hash) in handles.iter_mut().zip(hashes) {
            *handle = table.candidate(*hash);
        }
        let first_bytes = handles.iter().flatten().map(|handle| self.slab.slot(*handle)[0]);
        std::hint::black_box(first_bytes.fold(0, |seen, byte| seen ^ byte));
    }

    /// The key of an entry.
    pub fn key(&self, handle: Handle) -> &[u8] {
        entry::key(self.slab.slot(handle))
    }

    /// The value of an entry.
    pub fn value(&self, handle: Handle) -> Value<'_> {
        match entry::value(self.slab.slot(handle)) {
            Stored::Int(number) => Value::Short(Str::Int(number)),
            Stored::Inline(bytes) => Value::Short(Str::Bytes(bytes)),
            Stored::Object(id) => Value::Object(self.object(id)),
        }
    }

    /// The object of an entry that has one, to be changed.
    pub fn object_mut(&mut self, handle: Handle) -> Option<&mut Object> {
        match entry::value(self.slab.slot(handle)) {
            Stored::Object(id) => self.objects[id as usize].as_mut(),
            _ => None,
        }
    }

    /// The bytes of a string that lies in its entry, to be changed in place.
    pub fn inline_mut(&mut self, handle: Handle) -> Option<&mut [u8]> {
        entry::inline_mut(self.slab.slot_mut(handle))
    }

    /// Replaces an integer by another one in place; false where the value is no integer.
    pub fn set_int(&mut self, handle: Handle, number: i64) -> bool {
        entry::set_int(self.slab.slot_mut(handle), number)
    }

    /// The deadline of an entry in Unix milliseconds.
    pub fn deadline(&self, handle: Handle) -> Option<i64> {
        entry::deadline(self.slab.slot(handle))
    }

    /// The policy's 24 bits of an entry.
    pub fn clock(&self, handle: Handle) -> u32 {
        entry::clock(self.slab.slot(handle))
    }

    /// Replaces the policy's 24 bits.
    pub fn set_clock(&mut self, handle: Handle, bits: u32) {
        entry::set_clock(self.slab.slot_mut(handle), bits);
    }

    /// Whether an entry's time has not come; if so, and if it is a use, the policy is told.
    pub fn visit(&mut self, handle: Handle, now_ms: i64, using: Option<&dyn Policy>) -> bool {
        let slot = self.slab.slot_mut(handle);
        if entry::deadline(slot).is_some_and(|deadline| deadline <= now_ms) {
            return false;
        }
        if let Some(policy) = using {
            entry::set_clock(slot, policy.accessed(entry::clock(slot), now_ms, &mut self.rng));
        }
        true
    }

    /// Bytes of an entry's slot, of its object, and its share of the index.
    pub fn footprint(&self, handle: Handle) -> usize {
        const INDEX_SHARE: usize = 9;
        self.slab.slot(handle).len() + self.value(handle).heap_bytes() + INDEX_SHARE
    }

    /// Adds a key that is not there.
    pub fn insert(
        &mut self,
        db: usize,
        key: &[u8],
        fresh: Fresh<'_>,
        life: Life,
        clock: u32,
    ) -> Handle {
        let hash = self.hasher.hash_one(key);
        let stored = self.store(key, fresh, life.deadline);
        let handle = self.slab.take(entry::size_of(key, stored, life.deadline));
        entry::write(self.slab.slot_mut(handle), key, stored, life.deadline, clock);
        let Shard { slab, hasher, databases, .. } = self;
        databases[db].table.insert(hash, handle, |id| hasher.hash_one(entry::key(slab.slot(id))));
        if life.deadline.is_some() {
            databases[db].wheel.insert(slab, handle, life.now_ms);
        }
        handle
    }

    /// Gives a key that is there another value and deadline; what the policy knows of it stays. The
    /// handle changes where the slot must.
    pub fn replace(
        &mut self,
        db: usize,
        handle: Handle,
        key: &[u8],
        fresh: Fresh<'_>,
        life: Life,
    ) -> Handle {
        if let (Fresh::Text(bytes), None) = (&fresh, life.deadline)
            && !may_be_number(bytes)
            && entry::overwrite(self.slab.slot_mut(handle), bytes)
        {
            return handle;
        }
        self.drop_object(handle);
        let stored = self.store(key, fresh, life.deadline);
        self.rewrite(db, handle, key, stored, life)
    }

    /// Changes only the deadline. The handle changes where the slot must.
    pub fn set_deadline(&mut self, db: usize, handle: Handle, life: Life) -> Handle {
        let slot = self.slab.slot_mut(handle);
        let wheel = &mut self.databases[db].wheel;
        if let (Some(deadline), true) = (life.deadline, entry::deadline_fits(slot, life.deadline)) {
            wheel.remove(&mut self.slab, handle);
            entry::set_deadline(self.slab.slot_mut(handle), deadline);
            wheel.insert(&mut self.slab, handle, life.now_ms);
            return handle;
        }
        let copy = slot.to_vec();
        self.rewrite(db, handle, entry::key(&copy), entry::value(&copy), life)
    }

    /// Removes an entry and returns its object, if it had one.
    pub fn remove(&mut self, db: usize, handle: Handle) -> Option<Object> {
        let object = match entry::value(self.slab.slot(handle)) {
            Stored::Object(id) => self.take_object(id),
            _ => None,
        };
        let Shard { slab, hasher, databases, .. } = self;
        let Keyspace { table, wheel } = &mut databases[db];
        if entry::has_deadline(slab.slot(handle)) {
            wheel.remove(slab, handle);
        }
        let hash_of = |id| hasher.hash_one(entry::key(slab.slot(id)));
        table.remove(hash_of(handle), handle, hash_of);
        slab.give_back(handle);
        object
    }

    /// Takes all keys out of all databases, at a cost that does not depend on how many there are.
    pub fn clear_all(&mut self) -> Remains {
        self.objects_free = Vec::new();
        Remains {
            keys: self.databases.iter().map(|keyspace| keyspace.table.len()).sum(),
            slab: std::mem::replace(&mut self.slab, Slab::new()),
            objects: std::mem::take(&mut self.objects),
            keyspaces: self.databases.iter_mut().map(std::mem::take).collect(),
        }
    }

    /// Takes all keys out of a database.
    ///
    /// All databases of a shard have their entries in the same pages. What is less goes the long
    /// way: either the keys of the others move to new pages, or those of this one are taken out one
    /// by one, both at some 100 ns a key.
    pub fn clear(&mut self, db: usize, now_ms: i64) -> Remains {
        let staying: usize = self.databases.iter().map(|keyspace| keyspace.table.len()).sum();
        let going = self.len(db);
        if staying - going > going {
            return self.pick_out(db);
        }
        let mut remains = self.clear_all();
        for other in (0..self.databases.len()).filter(|other| *other != db) {
            self.take_back(&mut remains, other, now_ms);
        }
        remains
    }

    /// Moves the keys of a database out of what is left of this shard.
    fn take_back(&mut self, remains: &mut Remains, db: usize, now_ms: i64) {
        for handle in std::mem::take(&mut remains.keyspaces[db]).table.ids() {
            let slot = remains.slab.slot(handle);
            let fresh = match entry::value(slot) {
                Stored::Int(number) => Fresh::Int(number),
                Stored::Inline(bytes) => Fresh::Verbatim(bytes),
                Stored::Object(id) => {
                    let object = remains.objects[id as usize].take();
                    Fresh::Object(object.expect("entries name objects that exist"))
                }
            };
            let life = Life { deadline: entry::deadline(slot), now_ms };
            self.insert(db, entry::key(slot), fresh, life, entry::clock(slot));
            remains.keys -= 1;
        }
    }

    /// Takes the keys of a database out of pages that it shares.
    fn pick_out(&mut self, db: usize) -> Remains {
        let emptied = std::mem::take(&mut self.databases[db]);
        let mut objects = Vec::new();
        for handle in emptied.table.ids() {
            if let Stored::Object(id) = entry::value(self.slab.slot(handle)) {
                objects.push(self.take_object(id));
            }
            self.slab.give_back(handle);
        }
        let keys = emptied.table.len();
        Remains { keys, objects, keyspaces: vec![emptied], ..Remains::default() }
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.databases.swap(one, other);
    }

    /// One step of a scan: emits the handles of one bucket and returns the next cursor.
    pub fn scan(&self, db: usize, cursor: u64, emit: impl FnMut(Handle)) -> u64 {
        self.databases[db].table.scan(cursor, emit)
    }

    /// A random entry of a database.
    pub fn random(&mut self, db: usize) -> Option<Handle> {
        let mut some = Vec::new();
        let random = self.rng.next_u64();
        self.databases[db].table.sample(random, |handle| some.push(handle));
        if some.is_empty() {
            return None;
        }
        Some(some[self.rng.below(some.len())])
    }

    /// The next entry of a database that is due, after dealing out at most `budget` entries of the
    /// wheel.
    pub fn next_due(&mut self, db: usize, now_ms: i64, budget: &mut usize) -> Option<Handle> {
        self.databases[db].wheel.advance(&mut self.slab, now_ms, budget)
    }

    /// Samples keys of every database and offers them to the eviction pool.
    pub fn sample_into_pool(&mut self, sampling: &Sampling<'_>) {
        for db in 0..self.databases.len() {
            for handle in self.sample(db, sampling.volatile_only, sampling.samples) {
                let slot = self.slab.slot(handle);
                let (bits, deadline) = (entry::clock(slot), entry::deadline(slot));
                let coldness = sampling.policy.coldness(bits, deadline, sampling.now_ms);
                self.pool.offer(db, entry::key(slot), coldness);
            }
        }
    }

    /// The handle of an eviction candidate, or `None` if its key was deleted or, with
    /// `volatile_only`, has no deadline any more.
    pub fn find_eligible(&self, candidate: &Candidate, volatile_only: bool) -> Option<Handle> {
        let hash = self.hasher.hash_one(&*candidate.key);
        self.find(candidate.db, hash, &candidate.key)
            .filter(|handle| !volatile_only || entry::has_deadline(self.slab.slot(*handle)))
    }

    /// Moves the entries of one nearly empty page to others of their class, so that its memory can
    /// serve another; whether there was such a page. At most a quarter of a page moves, some
    /// hundred microseconds at the worst.
    pub fn compact(&mut self) -> bool {
        let start = self.rng.next_u64();
        let Some((page, handles)) = self.slab.begin_emptying(start) else { return false };
        for handle in handles {
            self.relocate(handle);
        }
        self.slab.emptied(page);
        true
    }

    /// Copies an entry to another slot and lets the index and the wheel know.
    fn relocate(&mut self, old: Handle) {
        let Shard { slab, hasher, databases, .. } = self;
        let bytes = slab.slot(old).to_vec();
        let hash = hasher.hash_one(entry::key(&bytes));
        let new = slab.take(bytes.len());
        slab.slot_mut(new).copy_from_slice(&bytes);
        let owner = databases
            .iter_mut()
            .find(|keyspace| keyspace.table.find(hash, |id| id == old).is_some());
        let Keyspace { table, wheel } = owner.expect("every entry is in the index of a database");
        table.replace(hash, old, new);
        if entry::has_deadline(&bytes) {
            wheel.moved(slab, new);
        }
    }

    /// Up to `samples` random keys of a database; with `volatile_only`, only keys with a deadline.
    fn sample(&mut self, db: usize, volatile_only: bool, samples: usize) -> Vec<Handle> {
        let Keyspace { table, wheel } = &self.databases[db];
        let mut sampled = Vec::new();
        if table.is_empty() || (volatile_only && wheel.is_empty()) {
            return sampled;
        }

        // A bucket holds five to twelve keys, so one bucket is usually enough. If few keys have
        // deadlines, many buckets may have none of them; after eight we ask the wheel instead.
        const BUCKETS_MAX: usize = 8;
        for _ in 0..BUCKETS_MAX {
            if sampled.len() >= samples {
                break;
            }
            let first = sampled.len();
            table.sample(self.rng.next_u64(), |handle| {
                if !volatile_only || entry::has_deadline(self.slab.slot(handle)) {
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
            wheel.sample(&self.slab, self.rng.next_u64(), |handle| sampled.push(handle));
        }
        sampled
    }

    /// Brings a value into the form its entry keeps.
    fn store<'a>(&mut self, key: &[u8], fresh: Fresh<'a>, deadline: Option<i64>) -> Stored<'a> {
        let bytes = match fresh {
            Fresh::Int(number) => return Stored::Int(number),
            Fresh::Object(object) => return Stored::Object(self.keep_object(object)),
            Fresh::Verbatim(bytes) => bytes,
            Fresh::Text(bytes) => match parse_i64(bytes) {
                Some(number) => return Stored::Int(number),
                None => bytes,
            },
        };
        if entry::size_of(key, Stored::Inline(bytes), deadline) <= SHARED_MAX {
            Stored::Inline(bytes)
        } else {
            Stored::Object(self.keep_object(Object::Text(bytes.to_vec())))
        }
    }

    /// Writes an entry anew, in its slot where it fits, else in another.
    fn rewrite(
        &mut self,
        db: usize,
        handle: Handle,
        key: &[u8],
        stored: Stored<'_>,
        life: Life,
    ) -> Handle {
        let Shard { slab, hasher, databases, .. } = self;
        let Keyspace { table, wheel } = &mut databases[db];
        let clock = entry::clock(slab.slot(handle));
        if entry::has_deadline(slab.slot(handle)) {
            wheel.remove(slab, handle);
        }
        let size = entry::size_of(key, stored, life.deadline);
        let mut place = handle;
        if !slab.fits(handle, size) {
            place = slab.take(size);
            table.replace(hasher.hash_one(key), handle, place);
            slab.give_back(handle);
        }
        entry::write(slab.slot_mut(place), key, stored, life.deadline, clock);
        if life.deadline.is_some() {
            wheel.insert(slab, place, life.now_ms);
        }
        place
    }

    fn object(&self, id: u32) -> &Object {
        self.objects[id as usize].as_ref().expect("entries name objects that exist")
    }

    fn keep_object(&mut self, object: Object) -> u32 {
        if let Some(id) = self.objects_free.pop() {
            self.objects[id as usize] = Some(object);
            return id;
        }
        self.objects.push(Some(object));
        (self.objects.len() - 1) as u32
    }

    fn take_object(&mut self, id: u32) -> Option<Object> {
        self.objects_free.push(id);
        self.objects[id as usize].take()
    }

    fn drop_object(&mut self, handle: Handle) {
        if let Stored::Object(id) = entry::value(self.slab.slot(handle)) {
            self.take_object(id);
        }
    }
}

/// Whether a text could be the decimal form of a number, which lies in its entry as a number.
fn may_be_number(text: &[u8]) -> bool {
    text.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
}

/// How long an entry is to live, and what time it is.
#[derive(Clone, Copy)]
pub struct Life {
    /// Unix milliseconds; `None` for ever.
    pub deadline: Option<i64>,
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// How keys are sampled for eviction.
pub struct Sampling<'a> {
    /// Says how cold a key is.
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
