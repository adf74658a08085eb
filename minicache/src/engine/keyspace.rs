//! The keyspace as a command sees it: its locked shards, and the keys in them.
//!
//! # Locks
//!
//! A command names its keys, so its shards are known before it runs. They are locked in ascending
//! order, so two commands can never wait for each other:
//!
//! ```text
//! MSET a 1 b 2    a in shard 5, b in shard 2     lock 2, lock 5, run
//! GET b           shard 2 is locked already      run
//! GET c           shard 7 is not locked          unlock 2 and 5, lock 7, run
//! ```
//!
//! Locks are kept until a command needs other shards or the batch ends, so a pipeline on one shard
//! locks it once.
//!
//! # Reading and writing
//!
//! Reading a key does what Redis does in `lookupKey` (`db.c`): it removes a key whose TTL has
//! passed, reports the use to the eviction policy, and counts a hit or a miss. After a command has
//! changed a key, it calls [`Keyspace::changed`], which does what `signalModifiedKey` and
//! `notifyKeyspaceEvent` do:
//!
//! ```text
//! RPUSH jobs a    get_or_create(jobs)   a new list: clients blocked on it are served next
//!                 changed(jobs)         dirty + 1, WATCH version + 1, client-side caches, event
//! ```
//!
//! # Difference from Redis
//!
//! Redis passes a `redisDb *` and a key object, and every function can access every key. Here only
//! keys of locked shards are accessible. For any other key a debug build panics, so a command with
//! wrong key specs fails its first test.

use super::blocking::{DbKey, WaiterCount};
use super::eviction::observer::{Event, Observer, SAMPLED, hash_in};
use super::object::{Container, Object, Owned, Str, Value};
use super::pubsub::PubSub;
use super::shards::{LockedShard, Shards};
use super::store::shard::{Lifetime, NewValue, PREFETCH_MAX, Shard};
use super::tracking::{Change, Changes, Tracking};
use super::watch::Dirty;
use super::{
    counter::add, error::Error, events::Events, eviction::EvictedKey, key::Key,
    store::slab::Handle, timestamp::Timestamp, tuning::Tuning,
};
use minicache_aof::Unit;
use minicache_write_behind::service::Bound;
use minikit::sync::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicU64, Ordering};

/// The parts of the cache that a keyspace uses: the shards, and the receivers of reports about
/// changed keys.
#[derive(Clone, Copy)]
pub struct Parts<'c> {
    pub(crate) shards: &'c Shards,
    /// Subscribers of keyspace events.
    pub pubsub: &'c Mutex<PubSub>,
    /// Client-side caches.
    pub tracking: &'c Tracking,
    /// The number of clients that are blocked on keys.
    pub waiters: &'c WaiterCount,
    /// Counts changes (`server.dirty`). Only this core writes it.
    pub dirty: &'c AtomicU64,
    /// The configuration of this batch.
    pub tuning: &'c Tuning,
}

/// The keyspace with a set of locked shards; the head of the file explains it.
pub struct Keyspace<'c> {
    /// The shards, and the receivers of reports.
    pub parts: Parts<'c>,
    pub(crate) db: usize,
    /// The time of this batch.
    pub now: Timestamp,
    /// Returns nanoseconds. The server passes it, so that no code below reads a clock.
    pub clock: fn() -> u64,
    /// Keys that got a new list or sorted set while some client is blocked. The clients blocked on
    /// them are served after the command.
    pub ready_keys: Vec<DbKey>,
    /// Changes that client-side caches do not know of yet; `None` if there are none.
    pub changes: Option<Box<Changes>>,
    /// The changes for the append-only file; `None` if it is off.
    pub unit: Option<Box<Unit>>,
    /// True while that file is loaded, which contains the removals of expired keys.
    pub keeps_expired: bool,
    /// The keys that write-behind binds to tables; `None` if there are none.
    pub bound: Option<&'c Bound>,
    /// True if such keys have changed.
    pub wrote_behind: bool,
    /// Gets the events of sampled keys, if enabled.
    observer: Option<&'c dyn Observer>,
    /// The set of locked shards, one bit per shard.
    held: u64,
    guards: Vec<(usize, MutexGuard<'c, LockedShard>)>,
}

/// The location of a key: the position of its shard's guard, and the key's entry. Valid until the
/// next change of the shard.
#[derive(Clone, Copy)]
struct Location {
    guard: usize,
    handle: Handle,
}

/// Everything stored under a key, for `RENAME`, `COPY` and `MOVE`.
pub struct Record {
    pub(crate) value: Owned,
    /// Unix milliseconds at which it expires.
    pub deadline: Option<i64>,
    /// The eviction policy's bits; `None` for a copy, which counts as new.
    clock: Option<u32>,
}

impl<'c> Keyspace<'c> {
    /// Creates a keyspace without locks.
    #[inline]
    pub fn new(parts: Parts<'c>, now: Timestamp) -> Keyspace<'c> {
        Keyspace {
            parts,
            db: 0,
            now,
            clock: || 0,
            ready_keys: Vec::new(),
            changes: None,
            unit: parts.shards.log.unit(parts.dirty),
            bound: parts.shards.bound.get(),
            wrote_behind: false,
            observer: parts.observer(),
            keeps_expired: false,
            held: 0,
            guards: Vec::new(),
        }
    }

    // ---- locks ----

    /// Creates a [`Key`]. Call it once per key and command.
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        self.parts.shards.key(bytes)
    }

    /// Returns the set of the shards of these keys.
    pub fn shards_of<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> u64 {
        if self.parts.shards.len() == 1 {
            return 1;
        }
        keys.fold(0, |set, key| set | 1 << self.key(key).shard)
    }

    /// Locks a set of shards, unless all of them are locked already.
    pub fn lock(&mut self, wanted: u64) {
        if wanted & !self.held == 0 {
            return;
        }

        // Locking a lower shard as well would violate the ascending order that prevents deadlocks,
        // so release all shards first.
        if self.held != 0 {
            self.release();
        }
        self.held = wanted;
        let mut rest = wanted;
        while rest != 0 {
            let index = rest.trailing_zeros() as usize;
            self.guards.push((index, self.parts.shards.lock(index)));
            rest &= rest - 1;
        }
    }

    /// Locks every shard, for commands about all keys.
    pub fn lock_all(&mut self) {
        self.lock(u64::MAX >> (64 - self.parts.shards.len()));
    }

    /// Locks the shards of keys that the next commands name, at most [`PREFETCH_MAX`], and loads
    /// their entries into the processor's caches; see `commands/run.rs`. Writes their hashes to
    /// `hashes` and returns their number.
    pub fn prefetch<'k>(
        &mut self,
        db: usize,
        keys: impl Iterator<Item = &'k [u8]>,
        hashes: &mut [u64; PREFETCH_MAX],
    ) -> usize {
        let (mut count, mut shards, mut wanted) = (0, [0; PREFETCH_MAX], 0);
        for (index, key) in keys.take(PREFETCH_MAX).enumerate() {
            let Key { hash, shard, .. } = self.key(key);
            (hashes[index], shards[index]) = (hash, shard);
            wanted |= 1 << shard;
            count += 1;
        }
        self.lock(wanted);

        // All buckets first, then all entries. Within each loop no load waits for another, so the
        // processor fetches several cache lines at the same time.
        let (hashes, shards) = (&hashes[..count], &shards[..count]);
        let mut found = [None; PREFETCH_MAX];
        for (index, locked) in &self.guards {
            let keys = found.iter_mut().zip(hashes.iter().zip(shards));
            for (found, (hash, _)) in keys.filter(|(_, (_, shard))| *shard == index) {
                *found = locked.shard.candidate(db, *hash).map(|handle| (&locked.shard, handle));
            }
        }

        // Without `black_box` the compiler would remove loads whose result nothing uses.
        let bytes = found.iter().flatten().map(|(shard, handle)| shard.slab().slot(*handle)[0]);
        std::hint::black_box(bytes.fold(0, |seen, byte| seen ^ byte));
        count
    }

    /// Unlocks all shards.
    pub fn release(&mut self) {
        if let Some(unit) = &mut self.unit {
            self.parts.shards.log.append(unit);
        }
        while let Some((index, locked)) = self.guards.pop() {
            // The eviction loop reads the free bytes without the lock.
            self.parts.shards.note_free(index, &locked);
        }
        self.held = 0;
    }

    /// Returns the locked shards with their numbers.
    pub fn shards(&self) -> impl Iterator<Item = (usize, &Shard)> {
        self.guards.iter().map(|(index, locked)| (*index, &locked.shard))
    }

    pub(crate) fn shards_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.guards.iter_mut().map(|(_, locked)| &mut locked.shard)
    }

    // ---- reading ----

    /// Reads a key for a command. Counts as a use, and as a hit or a miss (`lookupKeyRead`).
    pub fn read(&mut self, key: Key) -> Option<Value<'_>> {
        self.read_for(key, true)
    }

    /// Reads a key for a command about the key itself, such as `TTL`. Counts as a hit or a miss,
    /// but not as a use (`LOOKUP_NOTOUCH`).
    pub fn read_without_touch(&mut self, key: Key) -> Option<Value<'_>> {
        self.read_for(key, false)
    }

    fn read_for(&mut self, key: Key, touch: bool) -> Option<Value<'_>> {
        let (guard, handle) = self.find(key, touch);
        if touch {
            self.observe(key, |shard| Event::Read(handle.map(|handle| shard.stored(handle))));
        }
        let stats = &mut self.guards[guard].1.shard.stats;
        let Some(handle) = handle else {
            stats.misses += 1;
            self.notify(Events::KEY_MISS, "keymiss", key.bytes);
            return None;
        };
        stats.hits += 1;
        Some(self.guards[guard].1.shard.value(handle))
    }

    /// Returns the value of a key that this command has [read](Self::read) before. Takes `&self`,
    /// so that a command can hold the values of several keys at once.
    pub fn seen(&self, key: Key) -> Option<Value<'_>> {
        let shard = &self.guards[self.guard_index(key.shard)].1.shard;
        shard.find(self.db, key.hash, key.bytes).map(|handle| shard.value(handle))
    }

    /// Returns the value of a key without counting a use, a hit or a miss.
    pub fn peek(&mut self, key: Key) -> Option<Value<'_>> {
        let at = self.look_up(key, false)?;
        Some(self.guards[at.guard].1.shard.value(at.handle))
    }

    /// Returns true if a key exists, without counting a use, a hit or a miss.
    pub fn exists(&mut self, key: Key) -> bool {
        self.look_up(key, false).is_some()
    }

    /// Counts a use of a key, without a hit or miss. Returns true if the key exists.
    pub fn touch(&mut self, key: Key) -> bool {
        self.look_up(key, true).is_some()
    }

    /// Reads a string.
    pub fn string(&mut self, key: Key) -> Result<Option<Str<'_>>, Error> {
        match self.read(key) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(Error::WRONG_TYPE),
        }
    }

    /// Reads a string for a command that will write it. Counts as a use, but not as a hit or a miss
    /// (`lookupKeyWrite`).
    pub fn string_to_write(&mut self, key: Key) -> Result<Option<Str<'_>>, Error> {
        let Some(at) = self.look_up(key, true) else { return Ok(None) };
        let value = self.guards[at.guard].1.shard.value(at.handle);
        value.as_str().map(Some).ok_or(Error::WRONG_TYPE)
    }

    pub(crate) fn get<T: Container>(&mut self, key: Key) -> Result<Option<&T>, Error> {
        match self.read(key) {
            None => Ok(None),
            Some(Value::Object(object)) => T::of(object).map(Some).ok_or(Error::WRONG_TYPE),
            Some(Value::Short(_)) => Err(Error::WRONG_TYPE),
        }
    }

    // ---- writing ----

    /// Returns the container under a key, for writing. Call [`changed`](Self::changed) afterwards.
    pub fn get_mut<T: Container>(&mut self, key: Key) -> Result<Option<&mut T>, Error> {
        let Some(at) = self.look_up(key, true) else { return Ok(None) };
        let object = self.guards[at.guard].1.shard.object_mut(at.handle);
        object.and_then(T::of_mut).map(Some).ok_or(Error::WRONG_TYPE)
    }

    /// Returns the container under a key, created if missing. The caller must not leave it empty.
    pub fn get_or_create<T: Container>(&mut self, key: Key) -> Result<&mut T, Error> {
        let at = match self.look_up(key, true) {
            Some(at) => at,
            None => self.add(key, NewValue::Object(T::default().into_object()), None),
        };
        let object = self.guards[at.guard].1.shard.object_mut(at.handle);
        object.and_then(T::of_mut).ok_or(Error::WRONG_TYPE)
    }

    /// Returns the bytes of a string that grows or changes in place, created if missing. A string
    /// that is stored in its entry moves to the heap and stays there.
    pub fn text_mut(&mut self, key: Key) -> Result<&mut Vec<u8>, Error> {
        let at = match self.look_up(key, true) {
            None => self.add(key, NewValue::Object(Object::Text(Vec::new())), None),
            Some(at) => self.move_to_heap(key, at),
        };
        match self.guards[at.guard].1.shard.object_mut(at.handle) {
            Some(Object::Text(text)) => Ok(text),
            _ => Err(Error::WRONG_TYPE),
        }
    }

    fn move_to_heap(&mut self, key: Key, at: Location) -> Location {
        let (db, now_ms) = (self.db, self.now.ms);
        let shard = &mut self.guards[at.guard].1.shard;
        let Value::Short(text) = shard.value(at.handle) else { return at };
        let fresh = NewValue::Object(Object::Text(text.to_vec()));
        let life = Lifetime { deadline: shard.deadline(at.handle), now_ms };
        Location { handle: shard.replace(db, at.handle, key, fresh, life), ..at }
    }

    /// Stores a string, whatever the key held before; `deadline` in Unix milliseconds.
    pub fn set_string(&mut self, key: Key, text: &[u8], deadline: Option<i64>) {
        self.set(key, NewValue::Text(text), deadline);
    }

    /// Stores a value, whatever the key held before; `deadline` in Unix milliseconds (`setKey`).
    pub fn set(&mut self, key: Key, fresh: NewValue<'_>, deadline: Option<i64>) {
        let Some(at) = self.look_up(key, true) else {
            self.add(key, fresh, deadline);
            return;
        };
        let life = Lifetime { deadline, now_ms: self.now.ms };
        let db = self.db;
        let shard = &mut self.guards[at.guard].1.shard;

        // `replace` frees the old value at once. If another thread should free it, we move it out
        // first and leave an empty string in its place.
        if self.parts.tuning.lazyfree_lazy_server_del
            && let Some(object) = shard.object_mut(at.handle)
        {
            let empty = Object::Text(Vec::new());
            self.parts.shards.lazy_free.object(std::mem::replace(object, empty), true);
        }
        let handle = shard.replace(db, at.handle, key, fresh, life);
        self.observe(key, |shard| Event::Overwritten(shard.stored(handle)));
    }

    /// Stores a number under a key that holds a string or nothing; the deadline stays.
    pub fn set_int(&mut self, key: Key, number: i64) {
        let Some(at) = self.look_up(key, false) else {
            self.add(key, NewValue::Int(number), None);
            return;
        };
        let shard = &mut self.guards[at.guard].1.shard;

        // A number is overwritten in its entry. A text is replaced, which may move the entry.
        if !shard.set_int(at.handle, number) {
            let deadline = shard.deadline(at.handle);
            self.set(key, NewValue::Int(number), deadline);
        }
    }

    /// Removes a key as a side effect of a command. Returns true if it existed and had not expired.
    pub fn remove(&mut self, key: Key) -> bool {
        self.delete(key, self.parts.tuning.lazyfree_lazy_server_del)
    }

    /// Removes a key. Returns true if it existed and had not expired. With `lazily`, another thread
    /// frees a large value.
    pub fn delete(&mut self, key: Key, lazily: bool) -> bool {
        let Some(at) = self.look_up(key, false) else { return false };
        let db = self.db;
        if let Some(object) = self.guards[at.guard].1.shard.remove_hashed(db, at.handle, key.hash) {
            self.parts.shards.lazy_free.object(object, lazily);
        }
        self.observe(key, |_| Event::Removed);
        true
    }

    /// Removes a key if its container is empty, and publishes `del`. Returns true if it did.
    pub fn remove_if_empty<T: Container>(&mut self, key: Key) -> bool {
        let empty = match self.peek(key) {
            Some(Value::Object(object)) => T::of(object).is_some_and(T::is_empty),
            _ => false,
        };
        if empty {
            self.remove(key);
            self.notify(Events::GENERIC, "del", key.bytes);
        }
        empty
    }

    /// Removes a key and returns everything that was stored under it.
    pub fn take(&mut self, key: Key) -> Option<Record> {
        let at = self.look_up(key, true)?;
        let db = self.db;
        let shard = &mut self.guards[at.guard].1.shard;
        let deadline = shard.deadline(at.handle);
        let clock = Some(shard.clock(at.handle));

        // A short value is copied, because it is part of the entry. An object is moved.
        let short = match shard.value(at.handle) {
            Value::Short(text) => Some(Owned::short(text)),
            Value::Object(_) => None,
        };
        let object = shard.remove_hashed(db, at.handle, key.hash).map(Owned::Object);
        self.observe(key, |_| Event::Removed);
        Some(Record { value: object.or(short)?, deadline, clock })
    }

    /// Returns a copy of a key's value, with its deadline.
    pub fn copy(&mut self, key: Key) -> Option<Record> {
        let value = match self.read(key)? {
            Value::Short(text) => Owned::short(text),
            Value::Object(object) => Owned::Object(object.clone()),
        };
        Some(Record { value, deadline: self.deadline(key).flatten(), clock: None })
    }

    /// Stores what [`take`](Self::take) or [`copy`](Self::copy) returned, whatever the key held
    /// before.
    pub fn restore(&mut self, key: Key, record: Record) {
        match record.value {
            Owned::Text(text) => self.set(key, NewValue::Verbatim(&text), record.deadline),
            Owned::Int(number) => self.set(key, NewValue::Int(number), record.deadline),
            Owned::Object(object) => self.set(key, NewValue::Object(object), record.deadline),
        }
        if let (Some(clock), Some(at)) = (record.clock, self.look_up(key, false)) {
            self.guards[at.guard].1.shard.set_clock(at.handle, clock);
        }
    }

    /// Runs `work` with another database selected.
    pub fn within<T>(&mut self, db: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        let selected = std::mem::replace(&mut self.db, db);
        let outcome = work(self);
        self.db = selected;
        outcome
    }

    // ---- expiry ----

    /// Returns the deadline of a key in Unix milliseconds: `None` if the key does not exist,
    /// `Some(None)` if it does not expire.
    pub fn deadline(&mut self, key: Key) -> Option<Option<i64>> {
        let at = self.look_up(key, false)?;
        Some(self.guards[at.guard].1.shard.deadline(at.handle))
    }

    /// Changes the deadline of a key, if the key exists.
    pub fn set_deadline(&mut self, key: Key, deadline: Option<i64>) {
        let life = Lifetime { deadline, now_ms: self.now.ms };
        let db = self.db;
        if let Some(at) = self.look_up(key, false) {
            self.guards[at.guard].1.shard.set_deadline(db, at.handle, key, life);
        }
    }

    /// Removes the expired keys of a database from one locked shard (`activeExpireCycle`). Removes
    /// or moves at most `budget` keys. Returns true if no expired key is left.
    pub fn expire_due(&mut self, shard: usize, db: usize, mut budget: usize) -> bool {
        let guard = self.guard_index(shard);
        while budget > 0 {
            let locked = &mut self.guards[guard].1;
            let Some(handle) = locked.shard.next_due(db, self.now.ms, &mut budget) else {
                return budget > 0;
            };
            budget = budget.saturating_sub(1);
            self.remove_expired(Location { guard, handle }, db);
            self.end_unit();
        }
        false
    }

    /// Removes an expired key and reports it to transactions, client-side caches and subscribers
    /// (`deleteExpiredKeyAndPropagate`).
    fn remove_expired(&mut self, at: Location, db: usize) {
        let locked = &mut self.guards[at.guard].1;
        let key = locked.shard.key(at.handle).to_vec();
        if let Some(object) = locked.shard.remove(db, at.handle) {
            let lazily = self.parts.tuning.lazyfree_lazy_expire;
            self.parts.shards.lazy_free.object(object, lazily);
        }
        locked.shard.stats.expired += 1;
        if let Some(unit) = &mut self.unit {
            unit.push(db, [&b"DEL"[..], &key].into_iter());
        }

        self.parts.observe_removal(self.now.ms, db, &key, Event::Removed);

        // WATCH must see an expiry as a change, or EXEC would run on a value that is gone.
        if !locked.watched.is_empty() {
            locked.watched.touch(db, &key);
        }
        if self.parts.tracking.any() {
            let key = key.as_slice().into();
            self.note_change(Change::Key { key, by_client: false });
        }
        self.parts.publish_event(Events::EXPIRED, db, "expired", &key);
    }

    // ---- reporting changes ----

    /// Logs a command instead of the running one.
    pub fn log(&mut self, args: &[&[u8]]) {
        if let Some(unit) = &mut self.unit {
            unit.rewrite(self.db, args);
        }
    }

    /// Logs a deadline as an absolute time, because a relative one would start anew at a restart.
    pub fn log_deadline(&mut self, key: Key, deadline: i64) {
        if let Some(unit) = &mut self.unit {
            let mut number = itoa::Buffer::new();
            let number = number.format(deadline).as_bytes();
            unit.rewrite(self.db, &[b"PEXPIREAT", key.bytes, number]);
        }
    }

    /// Ends a group of changes that take effect together in the append-only file.
    #[inline]
    pub fn end_unit(&mut self) {
        if let Some(unit) = &mut self.unit {
            unit.end();
        }
    }

    /// Reports that a key was changed: counts the change, and informs transactions that watch the
    /// key, client-side caches, and subscribers of keyspace events.
    pub fn changed(&mut self, class: Events, event: &str, key: Key) {
        self.signal_modified(key);
        self.notify(class, event, key.bytes);
    }

    /// Reports that a key was changed, without a keyspace event (`signalModifiedKey`).
    pub fn signal_modified(&mut self, key: Key) {
        add(self.parts.dirty, 1);
        let db = self.db;
        let locked = self.locked(key);
        if !locked.watched.is_empty() {
            locked.watched.touch(db, key.bytes);
        }
        if self.parts.tracking.any() {
            self.note_change(Change::Key { key: key.bytes.into(), by_client: true });
        }
    }

    /// Counts changes that were not reported one by one.
    pub fn count_changes(&mut self, changes: usize) {
        add(self.parts.dirty, changes as u64);
    }

    /// Publishes a keyspace event if its class is enabled.
    pub fn notify(&self, class: Events, event: &str, key: &[u8]) {
        self.parts.publish_event(class, self.db, event, key);
    }

    /// Collects a change for client-side caches until the command ends.
    #[cold]
    pub fn note_change(&mut self, change: Change) {
        self.changes.get_or_insert_default().push(change);
    }

    /// Invalidates the keys that the command of client `author` has changed, in the caches of the
    /// clients that have read them.
    pub fn invalidate(&mut self, author: u64) {
        if let Some(changes) = &mut self.changes {
            self.parts.tracking.invalidate(changes, Some(author));
        }
    }

    /// Passes an event to the observer if its key is sampled.
    #[inline]
    fn observe(&self, key: Key, event: impl FnOnce(&Shard) -> Event) {
        if let Some(observer) = self.observer {
            self.show(observer, key, event);
        }
    }

    #[cold]
    fn show(&self, observer: &dyn Observer, key: Key, event: impl FnOnce(&Shard) -> Event) {
        if key.hash & SAMPLED == 0 {
            let event = event(&self.guards[self.guard_index(key.shard)].1.shard);
            observer.observe(self.parts.tuning, self.now.ms, hash_in(self.db, key.hash), event);
        }
    }

    // ---- WATCH ----

    /// Watches a key from now on and returns its version.
    pub fn watch(&mut self, key: Key, dirty: &Dirty) {
        self.look_up(key, false);
        let db = self.db;
        self.locked(key).watched.watch(db, key.bytes, dirty);
    }

    /// Ends a watch. A key that has expired meanwhile counts as changed.
    pub fn unwatch(&mut self, db: usize, key: Key, dirty: &Dirty) {
        self.within(db, |keyspace| keyspace.exists(key));
        self.locked(key).watched.unwatch(db, key.bytes, dirty);
    }

    /// Marks every watched key of a database as changed, if it exists there or in `other`.
    pub fn touch_database(&mut self, db: usize, other: Option<usize>) {
        let watched =
            |(_, locked): &(usize, MutexGuard<'_, LockedShard>)| locked.watched.keys_of(db);
        let watched: Vec<Box<[u8]>> = self.guards.iter().flat_map(watched).collect();
        for key in &watched {
            // A lookup removes an expired key. A key that expired in `other` must not seem to
            // expire in `db` after the two are swapped, so look up both before.
            let key = self.key(key);
            let here = self.within(db, |keyspace| keyspace.exists(key));
            let there = other.is_some_and(|db| self.within(db, |keyspace| keyspace.exists(key)));
            if here || there {
                self.locked(key).watched.touch(db, key.bytes);
            }
        }
    }

    // ---- lookup ----

    /// Passes a key's shard and entry to `look`, for `OBJECT` and `DEBUG`, without counting a use,
    /// a hit or a miss.
    pub fn inspect<T>(&mut self, key: Key, look: impl FnOnce(&Shard, Handle) -> T) -> Option<T> {
        let at = self.look_up(key, false)?;
        Some(look(&self.guards[at.guard].1.shard, at.handle))
    }

    /// Finds a key that has not expired; removes one that has.
    fn look_up(&mut self, key: Key, touch: bool) -> Option<Location> {
        let (guard, handle) = self.find(key, touch);
        handle.map(|handle| Location { guard, handle })
    }

    /// Returns the position of the key's guard, and its entry if it exists and has not expired.
    fn find(&mut self, key: Key, touch: bool) -> (usize, Option<Handle>) {
        let guard = self.guard_index(key.shard);
        let shard = &mut self.guards[guard].1.shard;
        let Some(handle) = shard.find(self.db, key.hash, key.bytes) else { return (guard, None) };

        // An expired key must never be visible, even if the wheel has not removed it yet.
        if !shard.visit(handle, key.hash, self.now.ms, touch.then_some(&*self.parts.tuning.policy))
        {
            if self.keeps_expired {
                return (guard, Some(handle));
            }
            self.remove_expired(Location { guard, handle }, self.db);
            return (guard, None);
        }
        (guard, Some(handle))
    }

    /// Adds a key that does not exist (`dbAdd`).
    fn add(&mut self, key: Key, fresh: NewValue<'_>, deadline: Option<i64>) -> Location {
        // Only a new key can make a blocked client ready. A list that replaces another value, as
        // with `SORT … STORE`, does not, as in Redis.
        let may_serve = matches!(fresh, NewValue::Object(Object::List(_) | Object::ZSet(_)));
        if may_serve && self.parts.waiters.get() > 0 {
            self.ready_keys.push((self.db, key.bytes.into()));
        }

        let guard = self.guard_index(key.shard);
        let clock = self.parts.tuning.policy.inserted(self.now.ms);
        let life = Lifetime { deadline, now_ms: self.now.ms };
        let db = self.db;
        let shard = &mut self.guards[guard].1.shard;
        let handle = shard.insert(db, key.bytes, key.hash, fresh, life, clock);
        self.observe(key, |shard| Event::Added(shard.stored(handle)));
        self.notify(Events::NEW, "new", key.bytes);
        Location { guard, handle }
    }

    fn locked(&mut self, key: Key) -> &mut LockedShard {
        let index = self.guard_index(key.shard);
        &mut self.guards[index].1
    }

    /// Returns the position of a locked shard's guard: the number of locked shards below it.
    fn guard_index(&self, shard: usize) -> usize {
        debug_assert!(self.held & 1 << shard != 0, "the command did not declare this key");
        if self.guards.len() == 1 {
            0
        } else {
            (self.held & ((1 << shard) - 1)).count_ones() as usize
        }
    }
}

impl Drop for Keyspace<'_> {
    fn drop(&mut self) {
        // Usually the batch has released its locks already. Send invalidations afterwards, because
        // sending locks a client's mailbox and may wake another core.
        if self.held != 0 {
            self.release();
        }
        if let Some(changes) = self.changes.take() {
            self.parts.tracking.broadcast(*changes);
        }
    }
}

impl<'c> Parts<'c> {
    fn observer(&self) -> Option<&'c dyn Observer> {
        if !self.shards.observed.load(Ordering::Relaxed) {
            return None;
        }
        self.shards.observer.get().map(|observer| &**observer)
    }

    /// Passes an event of a removed key to the observer, if the key is sampled.
    fn observe_removal(&self, now_ms: i64, db: usize, key: &[u8], event: Event) {
        if let Some(observer) = self.observer() {
            let hash = self.shards.key(key).hash;
            if hash & SAMPLED == 0 {
                observer.observe(self.tuning, now_ms, hash_in(db, hash), event);
            }
        }
    }

    /// Publishes a keyspace event of this class on the channels that are enabled (`notify.c`).
    pub fn publish_event(&self, class: Events, db: usize, event: &str, key: &[u8]) {
        let wanted = self.tuning.notify_keyspace_events;
        if wanted.contains(class) {
            self.publish(wanted, db, event, key);
        }
    }

    /// Reports an eviction to client-side caches and to subscribers of keyspace events.
    pub fn publish_eviction(&self, evicted: EvictedKey) {
        let EvictedKey { db, key } = evicted;
        self.observe_removal(0, db, &key, Event::Evicted);
        if self.tracking.any() {
            let mut changes = Changes::default();
            changes.push(Change::Key { key: key[..].into(), by_client: false });
            self.tracking.broadcast(changes);
        }
        self.publish_event(Events::EVICTED, db, "evicted", &key);
    }

    #[cold]
    fn publish(&self, wanted: Events, db: usize, event: &str, key: &[u8]) {
        let pubsub = self.pubsub.lock();
        if wanted.contains(Events::KEYSPACE) {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            pubsub.publish(&channel, event.as_bytes());
        }
        if wanted.contains(Events::KEYEVENT) {
            let channel = format!("__keyevent@{db}__:{event}");
            pubsub.publish(channel.as_bytes(), key);
        }
    }
}
