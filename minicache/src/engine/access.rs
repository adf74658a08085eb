//! How commands reach keys: the locks they hold, and the keyspace as it looks from under them.
//!
//! A command names its keys, so its shards are known before it runs. They are locked in ascending
//! order, which is why two commands can never wait for each other:
//!
//! ```text
//! MSET a 1 b 2    a in shard 5, b in shard 2     lock 2, lock 5, run
//! GET b           shard 2 is held already        run
//! GET c           shard 7 is not held            unlock 2 and 5, lock 7, run
//! ```
//!
//! Locks stay until a command needs others or the batch ends, so a pipeline on one shard locks
//! once. Reading a key does what Redis does on the way (`lookupKey` in `db.c`): a dead key is
//! removed, the eviction policy hears of the use, hits and misses are counted. Changing one tells
//! watchers and listeners (`signalModifiedKey`, `notifyKeyspaceEvent`).

use super::blocking::DbKey;
use super::cache::{Cache, Cell, Counters, add};
use super::error::Error;
use super::events::Events;
use super::eviction::EvictedKey;
use super::object::{Container, Object, Owned, Str, Value};
use super::pubsub::Scope;
use super::store::shard::{Fresh, Life, PREFETCH_MAX, Shard};
use super::store::slab::Handle;
use super::tracking::{Change, Changes};
use super::tuning::Tuning;
use minikit::sync::MutexGuard;

/// The time a batch of commands runs at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Unix milliseconds.
    pub ms: i64,
    /// Microseconds within that millisecond, for `TIME`.
    pub us: u32,
}

/// The keyspace from under a set of locks; see the head of the file.
pub struct Access<'c> {
    /// What all clients share.
    pub cache: &'c Cache,
    /// The figures of this core.
    pub counters: &'c Counters,
    /// The configuration of this batch.
    pub tuning: &'c Tuning,
    /// The database commands mean.
    pub db: usize,
    /// The time of this batch.
    pub now: Moment,
    /// Keys with a new list or sorted set, while some client is blocked: those that wait for them are
    /// served next.
    pub ready_keys: Vec<DbKey>,
    /// What clients with caches of their own have to hear of; `None` while there is nothing.
    pub changes: Option<Box<Changes>>,
    /// The shards that are locked.
    held: u64,
    /// Their locks, the lowest shard first.
    guards: Vec<(usize, MutexGuard<'c, Cell>)>,
}

/// A key that was looked up: its shard's place among the guards, and its handle.
#[derive(Clone, Copy)]
struct Spot {
    guard: usize,
    handle: Handle,
}

/// What a key was, for `RENAME`, `COPY` and `MOVE`.
pub struct Taken {
    /// Its value.
    pub fresh: Owned,
    /// Its deadline.
    pub deadline: Option<i64>,
    /// What the eviction policy knew of it; `None` for a copy, which is new.
    clock: Option<u32>,
}

impl<'c> Access<'c> {
    /// Access without locks yet.
    pub fn new(
        cache: &'c Cache,
        counters: &'c Counters,
        tuning: &'c Tuning,
        now: Moment,
    ) -> Access<'c> {
        Access {
            cache,
            counters,
            tuning,
            db: 0,
            now,
            ready_keys: Vec::new(),
            changes: None,
            held: 0,
            guards: Vec::new(),
        }
    }

    // ---- locks ----

    /// The set of shards these keys are in.
    pub fn shards_of<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> u64 {
        if self.cache.shards() == 1 {
            return 1;
        }
        keys.fold(0, |set, key| set | 1 << self.cache.shard_of(key))
    }

    /// Sees to it that these shards are locked.
    pub fn lock(&mut self, wanted: u64) {
        if wanted & !self.held == 0 {
            return;
        }
        if self.held != 0 {
            self.release();
        }
        self.held = wanted;
        let mut rest = wanted;
        while rest != 0 {
            let index = rest.trailing_zeros() as usize;
            self.guards.push((index, self.cache.lock(index)));
            rest &= rest - 1;
        }
    }

    /// Locks every shard, for commands about all keys.
    pub fn lock_all(&mut self) {
        self.lock(u64::MAX >> (64 - self.cache.shards()));
    }

    /// Looks up keys that will be wanted soon, so that their entries are near when they are (see
    /// [`crate::commands::run`]). Only where one shard has all keys: to look into many, each would
    /// have to be locked.
    pub fn prefetch<'k>(&mut self, db: usize, keys: impl Iterator<Item = &'k [u8]>) {
        if self.cache.shards() == 1 {
            self.lock(1);
            let mut hashes = [0; PREFETCH_MAX];
            let mut count = 0;
            for (hash, key) in hashes.iter_mut().zip(keys) {
                *hash = self.cache.hash(key);
                count += 1;
            }
            self.guards[0].1.shard.prefetch(db, &hashes[..count]);
        }
    }

    /// Gives all locks back.
    pub fn release(&mut self) {
        for (index, cell) in self.guards.drain(..) {
            self.cache.note_free(index, &cell);
        }
        self.held = 0;
    }

    /// The locked shards, with their numbers.
    pub fn shards(&self) -> impl Iterator<Item = (usize, &Shard)> {
        self.guards.iter().map(|(index, cell)| (*index, &cell.shard))
    }

    /// The locked shards, to be changed.
    pub fn shards_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.guards.iter_mut().map(|(_, cell)| &mut cell.shard)
    }

    // ---- reading ----

    /// The value of a key, read by a command: counts as a use, and as a hit or a miss.
    pub fn read(&mut self, key: &[u8]) -> Option<Value<'_>> {
        self.read_for(key, true)
    }

    /// The value of a key, asked about by a command: counts as a hit or a miss, but not as a use.
    pub fn glance(&mut self, key: &[u8]) -> Option<Value<'_>> {
        self.read_for(key, false)
    }

    fn read_for(&mut self, key: &[u8], touch: bool) -> Option<Value<'_>> {
        let (guard, handle) = self.find(key, touch);
        let stats = &mut self.guards[guard].1.shard.stats;
        let Some(handle) = handle else {
            stats.misses += 1;
            self.notify(Events::KEY_MISS, "keymiss", key);
            return None;
        };
        stats.hits += 1;
        Some(self.guards[guard].1.shard.value(handle))
    }

    /// The value of a key that this command has [read](Self::read) before. Changes nothing, so that
    /// several values can be held at once.
    pub fn seen(&self, key: &[u8]) -> Option<Value<'_>> {
        let hash = self.cache.hash(key);
        let shard = &self.guards[self.guard_index(self.cache.shard_of_hash(hash))].1.shard;
        shard.find(self.db, hash, key).map(|handle| shard.value(handle))
    }

    /// The value of a key, looked at without a trace.
    pub fn peek(&mut self, key: &[u8]) -> Option<Value<'_>> {
        let spot = self.look_up(key, false)?;
        Some(self.guards[spot.guard].1.shard.value(spot.handle))
    }

    /// Whether a key exists, without counting as a use.
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.look_up(key, false).is_some()
    }

    /// Counts as a use of a key, without being a hit or a miss; whether there is one.
    pub fn touch(&mut self, key: &[u8]) -> bool {
        self.look_up(key, true).is_some()
    }

    /// The string under a key.
    pub fn string(&mut self, key: &[u8]) -> Result<Option<Str<'_>>, Error> {
        match self.read(key) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(Error::WRONG_TYPE),
        }
    }

    /// The string under a key, for a command that will write it: no hit, no miss.
    pub fn string_to_write(&mut self, key: &[u8]) -> Result<Option<Str<'_>>, Error> {
        let Some(spot) = self.look_up(key, true) else { return Ok(None) };
        let value = self.guards[spot.guard].1.shard.value(spot.handle);
        value.as_str().map(Some).ok_or(Error::WRONG_TYPE)
    }

    /// The container under a key.
    pub fn get<T: Container>(&mut self, key: &[u8]) -> Result<Option<&T>, Error> {
        match self.read(key) {
            None => Ok(None),
            Some(Value::Object(object)) => T::of(object).map(Some).ok_or(Error::WRONG_TYPE),
            Some(Value::Short(_)) => Err(Error::WRONG_TYPE),
        }
    }

    // ---- writing ----

    /// The container under a key, to be changed. Say [`changed`](Self::changed) afterwards.
    pub fn get_mut<T: Container>(&mut self, key: &[u8]) -> Result<Option<&mut T>, Error> {
        let Some(spot) = self.look_up(key, true) else { return Ok(None) };
        let object = self.guards[spot.guard].1.shard.object_mut(spot.handle);
        object.and_then(T::of_mut).map(Some).ok_or(Error::WRONG_TYPE)
    }

    /// The container under a key, made if there is none. It must not stay empty.
    pub fn obtain<T: Container>(&mut self, key: &[u8]) -> Result<&mut T, Error> {
        let spot = match self.look_up(key, true) {
            Some(spot) => spot,
            None => self.add(key, Fresh::Object(T::default().into_object()), None),
        };
        let object = self.guards[spot.guard].1.shard.object_mut(spot.handle);
        object.and_then(T::of_mut).ok_or(Error::WRONG_TYPE)
    }

    /// The bytes of a string that grows or changes in place, made if there is none. A string that
    /// lies in its entry moves to the heap first, and stays there.
    pub fn text_mut(&mut self, key: &[u8]) -> Result<&mut Vec<u8>, Error> {
        let spot = match self.look_up(key, true) {
            None => self.add(key, Fresh::Object(Object::Text(Vec::new())), None),
            Some(spot) => {
                let (db, now_ms) = (self.db, self.now.ms);
                let shard = &mut self.guards[spot.guard].1.shard;
                let short = match shard.value(spot.handle) {
                    Value::Object(_) => None,
                    Value::Short(text) => Some(text.to_vec()),
                };
                let life = Life { deadline: shard.deadline(spot.handle), now_ms };
                let handle = match short {
                    None => spot.handle,
                    Some(text) => {
                        let fresh = Fresh::Object(Object::Text(text));
                        shard.replace(db, spot.handle, key, fresh, life)
                    }
                };
                Spot { handle, ..spot }
            }
        };
        match self.guards[spot.guard].1.shard.object_mut(spot.handle) {
            Some(Object::Text(text)) => Ok(text),
            _ => Err(Error::WRONG_TYPE),
        }
    }

    /// Puts a string under a key, whatever was there, to live until `deadline`.
    pub fn set_string(&mut self, key: &[u8], text: &[u8], deadline: Option<i64>) {
        self.set(key, Fresh::Text(text), deadline);
    }

    /// Puts a value under a key, whatever was there, to live until `deadline`.
    pub fn set(&mut self, key: &[u8], fresh: Fresh<'_>, deadline: Option<i64>) {
        let Some(spot) = self.look_up(key, true) else {
            self.add(key, fresh, deadline);
            return;
        };
        let life = Life { deadline, now_ms: self.now.ms };
        let db = self.db;
        let shard = &mut self.guards[spot.guard].1.shard;
        if self.tuning.lazyfree_lazy_server_del
            && let Some(object) = shard.object_mut(spot.handle)
        {
            let nothing = Object::Text(Vec::new());
            self.cache.lazy_free.object(std::mem::replace(object, nothing), true);
        }
        shard.replace(db, spot.handle, key, fresh, life);
    }

    /// Puts a number under a key that holds a string or nothing; its deadline stays.
    pub fn set_int(&mut self, key: &[u8], number: i64) {
        let Some(spot) = self.look_up(key, false) else {
            self.add(key, Fresh::Int(number), None);
            return;
        };
        let shard = &mut self.guards[spot.guard].1.shard;
        if !shard.set_int(spot.handle, number) {
            let deadline = shard.deadline(spot.handle);
            self.set(key, Fresh::Int(number), deadline);
        }
    }

    /// Puts a container under a key, whatever was there; an empty one removes the key.
    pub fn put<T: Container>(&mut self, key: &[u8], container: T) {
        if container.is_empty() {
            self.remove(key);
        } else {
            self.set(key, Fresh::Object(container.into_object()), None);
        }
    }

    /// Removes a key whose value has no place any more; whether it was there, alive.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.delete(key, self.tuning.lazyfree_lazy_server_del)
    }

    /// Removes a key; whether it was there, alive. A large value is freed later, if `lazily`.
    pub fn delete(&mut self, key: &[u8], lazily: bool) -> bool {
        let Some(spot) = self.look_up(key, false) else { return false };
        let db = self.db;
        if let Some(object) = self.guards[spot.guard].1.shard.remove(db, spot.handle) {
            self.cache.lazy_free.object(object, lazily);
        }
        true
    }

    /// Removes a key whose container has become empty, and tells so; whether it had.
    pub fn remove_if_empty<T: Container>(&mut self, key: &[u8]) -> bool {
        let empty = match self.peek(key) {
            Some(Value::Object(object)) => T::of(object).is_some_and(T::is_empty),
            _ => false,
        };
        if empty {
            self.remove(key);
            self.notify(Events::GENERIC, "del", key);
        }
        empty
    }

    /// Takes a key out, with its value and deadline.
    pub fn take(&mut self, key: &[u8]) -> Option<Taken> {
        let spot = self.look_up(key, true)?;
        let db = self.db;
        let shard = &mut self.guards[spot.guard].1.shard;
        let deadline = shard.deadline(spot.handle);
        let clock = Some(shard.clock(spot.handle));
        let short = match shard.value(spot.handle) {
            Value::Short(text) => Some(Owned::short(text)),
            Value::Object(_) => None,
        };
        let object = shard.remove(db, spot.handle).map(Owned::Object);
        Some(Taken { fresh: object.or(short)?, deadline, clock })
    }

    /// A copy of a key's value, with its deadline.
    pub fn copy(&mut self, key: &[u8]) -> Option<Taken> {
        let fresh = match self.read(key)? {
            Value::Short(text) => Owned::short(text),
            Value::Object(object) => Owned::Object(object.clone()),
        };
        Some(Taken { fresh, deadline: self.deadline(key).flatten(), clock: None })
    }

    /// Puts back under a key what was [taken](Self::take), whatever is there.
    pub fn put_back(&mut self, key: &[u8], taken: Taken) {
        match taken.fresh {
            Owned::Text(text) => self.set(key, Fresh::Verbatim(&text), taken.deadline),
            Owned::Int(number) => self.set(key, Fresh::Int(number), taken.deadline),
            Owned::Object(object) => self.set(key, Fresh::Object(object), taken.deadline),
        }
        if let (Some(clock), Some(spot)) = (taken.clock, self.look_up(key, false)) {
            self.guards[spot.guard].1.shard.set_clock(spot.handle, clock);
        }
    }

    /// Does `work` in another database.
    pub fn within<T>(&mut self, db: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        let here = std::mem::replace(&mut self.db, db);
        let outcome = work(self);
        self.db = here;
        outcome
    }

    // ---- deadlines ----

    /// The deadline of a key: `None` where there is no key, `Some(None)` where it lives for ever.
    pub fn deadline(&mut self, key: &[u8]) -> Option<Option<i64>> {
        let spot = self.look_up(key, false)?;
        Some(self.guards[spot.guard].1.shard.deadline(spot.handle))
    }

    /// Changes the deadline of a key that exists.
    pub fn set_deadline(&mut self, key: &[u8], deadline: Option<i64>) {
        let life = Life { deadline, now_ms: self.now.ms };
        let db = self.db;
        if let Some(spot) = self.look_up(key, false) {
            self.guards[spot.guard].1.shard.set_deadline(db, spot.handle, life);
        }
    }

    // ---- what others hear ----

    /// Says that a key was changed: counts it, tells those who watch it, and those who listen.
    pub fn changed(&mut self, class: Events, event: &str, key: &[u8]) {
        self.touched(key);
        self.notify(class, event, key);
    }

    /// Says that a key was changed, without an event.
    pub fn touched(&mut self, key: &[u8]) {
        add(&self.counters.changes, 1);
        let db = self.db;
        let cell = self.guard_of(key);
        if !cell.watched.is_empty() {
            cell.watched.touch(db, key);
        }
        if self.cache.tracking.any() {
            self.note_change(Change::Key { key: key.into(), by_client: true });
        }
    }

    /// Counts changes that were not announced one by one.
    pub fn count_changes(&mut self, changes: usize) {
        add(&self.counters.changes, changes as u64);
    }

    /// Publishes a keyspace event, if its class is wanted.
    pub fn notify(&self, class: Events, event: &str, key: &[u8]) {
        let wanted = self.tuning.notify_keyspace_events;
        if wanted.contains(class) {
            publish_event(self.cache, wanted, self.db, event, key);
        }
    }

    // ---- one key, in detail ----

    /// Shows the shard and handle of a key to `look`, without a trace.
    pub fn inspect<T>(&mut self, key: &[u8], look: impl FnOnce(&Shard, Handle) -> T) -> Option<T> {
        let spot = self.look_up(key, false)?;
        Some(look(&self.guards[spot.guard].1.shard, spot.handle))
    }

    /// The version of a key, watched from now on.
    pub fn watch(&mut self, key: &[u8]) -> u64 {
        self.look_up(key, false);
        let db = self.db;
        self.guard_of(key).watched.watch(db, key)
    }

    /// Ends a watch; whether the key is still at `version`.
    pub fn unwatch(&mut self, db: usize, key: &[u8], version: u64) -> bool {
        let mine = std::mem::replace(&mut self.db, db);
        self.look_up(key, false);
        self.db = mine;
        self.guard_of(key).watched.unwatch(db, key) == Some(version)
    }

    /// Says to the watchers of every key of a database that is alive, or alive in `other`, that it
    /// changed.
    pub fn touch_database(&mut self, db: usize, other: Option<usize>) {
        let watched = |(_, cell): &(usize, MutexGuard<'_, Cell>)| cell.watched.keys_of(db);
        let watched: Vec<Box<[u8]>> = self.guards.iter().flat_map(watched).collect();
        for key in watched {
            // Looking removes dead keys. One that died in `other` must not seem to die in `db`
            // after they are exchanged.
            let here = self.within(db, |store| store.exists(&key));
            let there = other.is_some_and(|db| self.within(db, |store| store.exists(&key)));
            if here || there {
                self.guard_of(&key).watched.touch(db, &key);
            }
        }
    }

    /// Removes the dead keys of one database in one locked shard, dealing with `budget` keys at
    /// most; whether that was enough.
    pub fn expire_due(&mut self, shard: usize, db: usize, mut budget: usize) -> bool {
        let guard = self.guard_index(shard);
        while budget > 0 {
            let cell = &mut self.guards[guard].1;
            let Some(handle) = cell.shard.next_due(db, self.now.ms, &mut budget) else {
                return budget > 0;
            };
            budget = budget.saturating_sub(1);
            self.bury(Spot { guard, handle }, db);
        }
        false
    }

    fn bury(&mut self, spot: Spot, db: usize) {
        let cell = &mut self.guards[spot.guard].1;
        let key = cell.shard.key(spot.handle).to_vec();
        if let Some(object) = cell.shard.remove(db, spot.handle) {
            self.cache.lazy_free.object(object, self.tuning.lazyfree_lazy_expire);
        }
        cell.shard.stats.expired += 1;
        if !cell.watched.is_empty() {
            cell.watched.touch(db, &key);
        }
        if self.cache.tracking.any() {
            let key = key.as_slice().into();
            self.note_change(Change::Key { key, by_client: false });
        }
        let wanted = self.tuning.notify_keyspace_events;
        if wanted.contains(Events::EXPIRED) {
            publish_event(self.cache, wanted, db, "expired", &key);
        }
    }

    /// Finds a key that is alive. A dead one is removed.
    fn look_up(&mut self, key: &[u8], touch: bool) -> Option<Spot> {
        let (guard, handle) = self.find(key, touch);
        handle.map(|handle| Spot { guard, handle })
    }

    /// The place of a key's shard among the guards, and the key's handle if it is alive.
    fn find(&mut self, key: &[u8], touch: bool) -> (usize, Option<Handle>) {
        let hash = self.cache.hash(key);
        let guard = self.guard_index(self.cache.shard_of_hash(hash));
        let shard = &mut self.guards[guard].1.shard;
        let Some(handle) = shard.find(self.db, hash, key) else { return (guard, None) };
        if !shard.visit(handle, self.now.ms, touch.then_some(&*self.tuning.policy)) {
            self.bury(Spot { guard, handle }, self.db);
            return (guard, None);
        }
        (guard, Some(handle))
    }

    /// Makes a key, which commands may wait for. As in Redis they are not told when a list takes
    /// the place of something else, as by `SORT … STORE`.
    fn add(&mut self, key: &[u8], fresh: Fresh<'_>, deadline: Option<i64>) -> Spot {
        let awaited = matches!(fresh, Fresh::Object(Object::List(_) | Object::ZSet(_)));
        if awaited && self.cache.blocked.count().get() > 0 {
            self.ready_keys.push((self.db, key.into()));
        }
        let guard = self.guard_index(self.cache.shard_of(key));
        let clock = self.tuning.policy.inserted(self.now.ms);
        let life = Life { deadline, now_ms: self.now.ms };
        let db = self.db;
        let handle = self.guards[guard].1.shard.insert(db, key, fresh, life, clock);
        self.notify(Events::NEW, "new", key);
        Spot { guard, handle }
    }

    fn guard_of(&mut self, key: &[u8]) -> &mut Cell {
        let index = self.guard_index(self.cache.shard_of(key));
        &mut self.guards[index].1
    }

    /// Where the guard of a locked shard is: as many places in as there are locked shards below it.
    fn guard_index(&self, shard: usize) -> usize {
        debug_assert!(self.held & 1 << shard != 0, "the command did not declare this key");
        if self.guards.len() == 1 {
            0
        } else {
            (self.held & ((1 << shard) - 1)).count_ones() as usize
        }
    }
}

impl Drop for Access<'_> {
    fn drop(&mut self) {
        // At the end of a batch the locks are back already.
        if self.held != 0 {
            self.release();
        }
        if let Some(changes) = self.changes.take() {
            self.cache.tracking.tell(*changes);
        }
    }
}

/// Informs client-side caches and keyspace-event subscribers of an eviction.
pub fn publish_eviction(cache: &Cache, tuning: &Tuning, evicted: EvictedKey) {
    let EvictedKey { db, key } = evicted;
    if cache.tracking.any() {
        let mut changes = Changes::default();
        changes.push(Change::Key { key: key[..].into(), by_client: false });
        cache.tracking.tell(changes);
    }
    let wanted = tuning.notify_keyspace_events;
    if wanted.contains(Events::EVICTED) {
        publish_event(cache, wanted, db, "evicted", &key);
    }
}

/// Publishes a keyspace event on the channels that are switched on (`notify.c`).
fn publish_event(cache: &Cache, wanted: Events, db: usize, event: &str, key: &[u8]) {
    let pubsub = cache.pubsub.lock();
    if wanted.contains(Events::KEYSPACE) {
        let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
        pubsub.publish(Scope::Channel, &channel, event.as_bytes());
    }
    if wanted.contains(Events::KEYEVENT) {
        let channel = format!("__keyevent@{db}__:{event}");
        pubsub.publish(Scope::Channel, channel.as_bytes(), key);
    }
}
