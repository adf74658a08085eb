//! Who may have what in a cache of its own: the server's half of client-side caching
//! (`tracking.c`).
//!
//! A client that tracks is told when something it has read is no longer so:
//!
//! ```text
//! 7: CLIENT TRACKING ON      table {}              7 speaks RESP3
//! 7: GET k  -> "1"           table {k: [7]}        7 keeps k = 1 and asks no more
//! 9: SET k 2                 table {}              7 gets  > invalidate [k]  and forgets k
//! 9: SET k 3                 table {}              nothing to tell: 7 has no k
//! 8: CLIENT TRACKING ON BCAST PREFIX a:            8 hears of every a:… there is, read or not
//! ```
//!
//! A RESP2 client cannot be told anything unasked; it names another to be told instead, which
//! subscribes to `__redis__:invalidate`. Messages travel as letters ([`super::mailbox`]).
//!
//! 1. *Nobody keeps what has changed.* A key is remembered under the lock of its shard, right after
//!    it was read, and looked up in the table under that lock, right after it was changed. So the
//!    change either came before the read, or finds the reader. That goes for [`Tracking::any`] too,
//!    though it is read without a lock of its own: who reads has set it before taking the shard's.
//! 2. The table has no more keys than `tracking-table-max-keys`, and what one command adds to it:
//!    beyond that keys are forgotten, as if they had changed.
//! 3. Ids of clients that no longer track stay in the table until the key changes; before its list
//!    of ids grows, they are taken out. So a list is at most twice as long as there are clients.
//!
//! Keys mean the same in all databases, as in Redis. Unlike there, what nobody did, expiry and
//! eviction, is told to `NOLOOP` clients even where a command of their own brought it about; and
//! the null of `FLUSHALL` is written in the protocol of who receives it.

use super::clients::Client;
use super::mailbox::{Message, SharedBytes};
use super::values::allocation;
use super::values::dict::{Dict, Entry};
use minikit::sync::Mutex;
use minikit::sync::atomic::{AtomicUsize, Ordering};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// Keys forgotten at once, so that a table whose limit was lowered does not hold up everybody.
const FORGOTTEN_MAX: usize = 1000;

/// Which keys a client wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All it reads.
    Read,
    /// Those it reads behind `CLIENT CACHING YES`.
    OptIn,
    /// Those it reads, but not behind `CLIENT CACHING NO`.
    OptOut,
    /// Those with its prefixes, whether it reads them or not.
    Broadcast,
}

impl Wanted {
    /// Whether what a command reads is remembered; `caching` where `CLIENT CACHING` came before it.
    pub fn remembers(self, caching: bool) -> bool {
        match self {
            Wanted::Read => true,
            Wanted::OptIn => caching,
            Wanted::OptOut => !caching,
            Wanted::Broadcast => false,
        }
    }
}

/// What a client that tracks has asked for.
pub struct Tracker {
    /// Who it is.
    pub client: Arc<Client>,
    /// Who is told instead.
    pub redirect: Option<Arc<Client>>,
    /// Which keys.
    pub wanted: Wanted,
    /// Whether it is spared what it changes itself.
    pub no_loop: bool,
    /// Prefixes of the keys it wants, if that is how it wants them.
    pub prefixes: BTreeSet<Box<[u8]>>,
    /// Whether it could not be told, because who was to be told instead is gone.
    pub broken: bool,
}

/// Something that trackers have to hear of.
pub enum Change {
    /// A key is not what it was.
    Key {
        /// Its name.
        key: SharedBytes,
        /// Whether the client did it whose command is being executed; otherwise nobody did.
        by_client: bool,
    },
    /// A database was emptied.
    All,
}

/// The changes of a batch of commands. Each is told to those who read the key as soon as its
/// command is done; those who want prefixes hear of all of them at the end, in one message each.
#[derive(Default)]
pub struct Changes {
    fresh: Vec<Change>,
    /// The keys, each with who changed it last.
    broadcast: BTreeMap<SharedBytes, Option<u64>>,
}

impl Changes {
    /// Takes note of a change.
    pub fn push(&mut self, change: Change) {
        self.fresh.push(change);
    }
}

/// All of it; see the head of the file. Lock it after shards, never before.
#[derive(Default)]
pub struct Tracking {
    clients: AtomicUsize,
    registry: Mutex<Registry>,
}

impl Tracking {
    /// How many clients track.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// Whether anybody tracks: one load, for every change.
    pub fn any(&self) -> bool {
        self.clients() > 0
    }

    /// Lets a client track, or track differently; prefixes are added to those it has.
    pub fn enable(&self, tracker: Tracker) {
        let mut registry = self.registry.lock();
        registry.enable(tracker);
        self.clients.store(registry.trackers.len(), Ordering::Relaxed);
    }

    /// Lets a client track no more.
    pub fn disable(&self, id: u64) {
        let mut registry = self.registry.lock();
        registry.disable(id);
        self.clients.store(registry.trackers.len(), Ordering::Relaxed);
    }

    /// Shows a client's wishes to `look`, if it tracks.
    pub fn inspect<T>(&self, id: u64, look: impl FnOnce(&Tracker) -> T) -> Option<T> {
        self.registry.lock().trackers.get(&id).map(look)
    }

    /// Keys in the table, ids in the table, prefixes that somebody wants.
    pub fn counts(&self) -> [usize; 3] {
        let registry = self.registry.lock();
        [registry.table.len(), registry.items, registry.prefixes.len()]
    }

    /// Remembers that a client has read these keys. Call it with their shards locked.
    pub fn remember(&self, id: u64, keys: &[&[u8]]) {
        let mut registry = self.registry.lock();
        keys.iter().for_each(|key| registry.remember(id, key));
    }

    /// Tells those who read what has just changed, and keeps the keys for [`tell`](Self::tell).
    /// `author` is the client whose command it was.
    pub fn invalidate(&self, changes: &mut Changes, author: Option<u64>) {
        if changes.fresh.is_empty() {
            return;
        }
        let mut registry = self.registry.lock();
        for change in changes.fresh.drain(..) {
            match change {
                Change::All => registry.invalidate_all(),
                Change::Key { key, by_client } => {
                    let author = author.filter(|_| by_client);
                    registry.invalidate(&key, author);
                    if !registry.prefixes.is_empty() {
                        changes.broadcast.insert(key, author);
                    }
                }
            }
        }
    }

    /// Tells everybody who has not been told yet, those who want prefixes among them.
    #[cold]
    pub fn tell(&self, mut changes: Changes) {
        self.invalidate(&mut changes, None);
        if !changes.broadcast.is_empty() {
            self.registry.lock().broadcast(&changes.broadcast);
        }
    }

    /// Forgets keys until there are at most `keys_max`, and invalidates them in the caches of their
    /// readers; 0 means no limit. Returns false if more calls are needed to get there.
    pub fn limit(&self, keys_max: u64) -> bool {
        let mut registry = self.registry.lock();
        for _ in 0..FORGOTTEN_MAX {
            if keys_max == 0 || registry.table.len() as u64 <= keys_max {
                return true;
            }
            registry.forget_any();
        }
        false
    }
}

/// A key and who read it, by ascending id.
struct Readers {
    key: Box<[u8]>,
    ids: Vec<u64>,
}

impl Entry for Readers {
    fn member(&self) -> &[u8] {
        &self.key
    }

    fn heap(&self) -> usize {
        allocation(self.key.len()) + allocation(self.ids.capacity() * size_of::<u64>())
    }
}

#[derive(Default)]
struct Registry {
    trackers: BTreeMap<u64, Tracker>,
    table: Dict<Readers>,
    /// The ids in the table.
    items: usize,
    /// Who wants keys with a prefix.
    prefixes: BTreeMap<Box<[u8]>, BTreeSet<u64>>,
    /// The place of the key that is forgotten next.
    hand: usize,
}

impl Registry {
    fn enable(&mut self, mut tracker: Tracker) {
        let id = tracker.client.id;
        if let Some(before) = self.trackers.remove(&id) {
            tracker.prefixes.extend(before.prefixes);
        }
        for prefix in &tracker.prefixes {
            self.prefixes.entry(prefix.clone()).or_default().insert(id);
        }
        self.trackers.insert(id, tracker);
    }

    fn disable(&mut self, id: u64) {
        let Some(tracker) = self.trackers.remove(&id) else { return };
        for prefix in &tracker.prefixes {
            if let Some(ids) = self.prefixes.get_mut(prefix) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.prefixes.remove(prefix);
                }
            }
        }
        if self.trackers.is_empty() {
            self.forget_all();
        }
    }

    fn remember(&mut self, id: u64, key: &[u8]) {
        let Registry { trackers, table, items, .. } = self;
        let create = || Readers { key: key.into(), ids: vec![id] };
        let added = table.put(key, create, |Readers { ids, .. }| {
            let Err(mut place) = ids.binary_search(&id) else { return };
            if ids.len() == ids.capacity() {
                let before = ids.len();
                ids.retain(|id| trackers.contains_key(id));
                *items -= before - ids.len();
                place = ids.partition_point(|other| *other < id);
            }
            ids.insert(place, id);
            *items += 1;
        });
        *items += usize::from(added);
    }

    fn invalidate(&mut self, key: &SharedBytes, author: Option<u64>) {
        let Some(Readers { ids, .. }) = self.table.remove(key) else { return };
        self.items -= ids.len();
        let keys: Arc<[SharedBytes]> = Arc::new([SharedBytes::clone(key)]);
        for id in ids {
            if let Some(tracker) = self.trackers.get_mut(&id)
                && tracker.wanted != Wanted::Broadcast
                && !(tracker.no_loop && author == Some(id))
            {
                tracker.tell(Some(Arc::clone(&keys)));
            }
        }
    }

    fn invalidate_all(&mut self) {
        self.forget_all();
        self.trackers.values_mut().for_each(|tracker| tracker.tell(None));
    }

    fn forget_all(&mut self) {
        (self.table, self.items) = (Dict::new(), 0);
    }

    /// Forgets the key under the hand, which goes round: a key that was just added is not the next.
    fn forget_any(&mut self) {
        self.hand = (self.hand + 1) % self.table.len().max(1);
        if let Some(key) = self.table.nth(self.hand).map(|readers| readers.key[..].into()) {
            self.invalidate(&key, None);
        }
    }

    fn broadcast(&mut self, changes: &BTreeMap<SharedBytes, Option<u64>>) {
        for (prefix, ids) in &self.prefixes {
            let start = (Bound::Included(&**prefix), Bound::Unbounded);
            let changed = changes.range::<[u8], _>(start);
            let changed: Vec<_> = changed.take_while(|(key, _)| key.starts_with(prefix)).collect();
            for id in ids {
                let Some(tracker) = self.trackers.get_mut(id) else { continue };
                let spared = |author: &Option<u64>| tracker.no_loop && *author == Some(*id);
                let told = changed.iter().filter(|(_, author)| !spared(author));
                let keys: Arc<[SharedBytes]> = told.map(|(key, _)| Arc::clone(key)).collect();
                if !keys.is_empty() {
                    tracker.tell(Some(keys));
                }
            }
        }
    }
}

impl Tracker {
    /// Sends that `keys` have changed; `None` means all keys. A RESP2 client receives nothing
    /// unless another client redirects to it and it has subscribed.
    fn tell(&mut self, keys: Option<Arc<[SharedBytes]>>) {
        let receiver = self.redirect.as_ref().unwrap_or(&self.client);
        if receiver.is_gone() {
            self.tell_broken();
            return;
        }
        let redirected = self.redirect.is_some();
        if receiver.speaks_resp3() || (redirected && receiver.is_subscriber()) {
            receiver.mailbox.deliver(Message::Invalidated { keys, redirected });
        }
    }

    /// Tells the client itself that the one it redirects to has disconnected.
    fn tell_broken(&mut self) {
        self.broken = true;
        if let Some(gone) = &self.redirect
            && self.client.speaks_resp3()
        {
            self.client.mailbox.deliver(Message::RedirectBroken { redirect: gone.id });
        }
    }
}
