//! Client-side caching: the server remembers which client has read which key, and sends an
//! invalidation when the key changes (`tracking.c`).
//!
//! ```text
//! 7: CLIENT TRACKING ON      table {}              7 speaks RESP3
//! 7: GET k  -> "1"           table {k: [7]}        7 caches k = 1
//! 9: SET k 2                 table {}              7 receives  > invalidate [k]
//! 9: SET k 3                 table {}              no message: 7 has no k
//! 8: CLIENT TRACKING ON BCAST PREFIX a:            8 receives every changed key a:…
//! ```
//!
//! RESP2 has no push messages. A RESP2 client redirects its invalidations to a second connection,
//! which subscribes to `__redis__:invalidate`. Messages go through the [mailbox](super::mailbox).
//!
//! # Invariants
//!
//! 1. *No client keeps a value that has changed.* A read adds the client to the table, and a change
//!    looks the key up there, both under the lock of the key's shard. So the change either comes
//!    before the read or finds the reader. [`Tracking::any`] has no lock, but a client sets it
//!    before its first read takes the shard's lock.
//! 2. The table has at most `tracking-table-max-keys` keys plus those of one command. Keys beyond
//!    that are removed and invalidated as if they had changed.
//! 3. The id of a client that stopped tracking stays in the table until the key changes, or until
//!    the key's list of ids would grow. So a list is at most twice as long as there are clients.
//!
//! # Differences from Redis
//!
//! As in Redis, a key means the same in all databases. A `NOLOOP` client receives an invalidation
//! for expiry and eviction even if its own command caused them.

use super::mailbox::{Message, SharedBytes};
use super::values::dict::{Dict, Entry};
use super::{clients::Client, values::allocation};
use minikit::sync::Mutex;
use minikit::sync::atomic::{AtomicUsize, Ordering};
use std::collections::{BTreeMap, BTreeSet};
use std::{ops::Bound, sync::Arc};

/// Keys removed per call of [`Tracking::limit`]: after `CONFIG SET` lowered the limit, millions may
/// be over it, and all other clients would wait.
const FORGOTTEN_MAX: usize = 1000;

/// The keys whose invalidations a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All keys it reads.
    Read,
    /// Keys it reads right after `CLIENT CACHING YES`.
    OptIn,
    /// Keys it reads, except right after `CLIENT CACHING NO`.
    OptOut,
    /// All keys with one of its prefixes, even if it has not read them.
    Broadcast,
}

impl Wanted {
    /// Returns true if the keys that a command reads are remembered. `caching` is true if
    /// `CLIENT CACHING` came right before the command.
    pub fn remembers(self, caching: bool) -> bool {
        match self {
            Wanted::Read => true,
            Wanted::OptIn => caching,
            Wanted::OptOut => !caching,
            Wanted::Broadcast => false,
        }
    }
}

/// The options of a client that tracks.
pub struct Tracker {
    pub client: Arc<Client>,
    /// The client that receives its invalidations instead (`REDIRECT`).
    pub redirect: Option<Arc<Client>>,
    /// The keys it wants.
    pub wanted: Wanted,
    /// True if it receives no invalidation for its own changes (`NOLOOP`).
    pub no_loop: bool,
    /// The prefixes of [`Wanted::Broadcast`].
    pub prefixes: BTreeSet<Box<[u8]>>,
    /// True if the client it redirects to has disconnected.
    pub broken: bool,
}

pub enum Change {
    /// A key was written, deleted, expired or evicted.
    Key {
        key: SharedBytes,
        /// True if the command being executed did it; false for expiry and eviction.
        by_client: bool,
    },
    /// A database was emptied.
    All,
}

/// The changes of a batch of commands. The clients that have read a key receive its invalidation
/// when the command is done. Clients with prefixes receive one message at the end of the batch.
#[derive(Default)]
pub struct Changes {
    fresh: Vec<Change>,
    /// The keys, each with the id of the client that changed it last.
    broadcast: BTreeMap<SharedBytes, Option<u64>>,
}

impl Changes {
    pub fn push(&mut self, change: Change) {
        self.fresh.push(change);
    }
}

/// The tracking table and its clients; see the head of the file. Locked after shards, never before.
#[derive(Default)]
pub struct Tracking {
    clients: AtomicUsize,
    registry: Mutex<Registry>,
}

impl Tracking {
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    /// Returns true if a client tracks. Every change asks, so it is one load.
    pub fn any(&self) -> bool {
        self.clients() > 0
    }

    /// Starts tracking for a client, or changes its options. Prefixes are added to those it has.
    pub fn enable(&self, tracker: Tracker) {
        let mut registry = self.registry.lock();
        registry.enable(tracker);
        self.clients.store(registry.trackers.len(), Ordering::Relaxed);
    }

    pub fn disable(&self, id: u64) {
        let mut registry = self.registry.lock();
        registry.disable(id);
        self.clients.store(registry.trackers.len(), Ordering::Relaxed);
    }

    /// Passes a client's options to `look`, if it tracks.
    pub fn inspect<T>(&self, id: u64, look: impl FnOnce(&Tracker) -> T) -> Option<T> {
        self.registry.lock().trackers.get(&id).map(look)
    }

    /// Returns the numbers of keys in the table, of ids in the table, and of prefixes.
    pub fn counts(&self) -> [usize; 3] {
        let registry = self.registry.lock();
        [registry.table.len(), registry.items, registry.prefixes.len()]
    }

    /// Remembers that a client has read these keys. Call it with their shards locked.
    pub fn remember(&self, id: u64, keys: &[&[u8]]) {
        let mut registry = self.registry.lock();
        keys.iter().for_each(|key| registry.remember(id, key));
    }

    /// Sends invalidations to the clients that have read the changed keys, and keeps the keys for
    /// [`broadcast`](Self::broadcast). `author` is the client whose command it was.
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

    /// Sends all remaining invalidations, those of prefixes too
    /// (`trackingBroadcastInvalidationMessages`).
    #[cold]
    pub fn broadcast(&self, mut changes: Changes) {
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

/// A key and the ids of the clients that have read it, ascending.
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
    items: usize,
    /// The ids of the clients of each prefix.
    prefixes: BTreeMap<Box<[u8]>, BTreeSet<u64>>,
    /// The position of the key that was removed last.
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
                tracker.send_invalidation(Some(Arc::clone(&keys)));
            }
        }
    }

    fn invalidate_all(&mut self) {
        self.forget_all();
        self.trackers.values_mut().for_each(|tracker| tracker.send_invalidation(None));
    }

    fn forget_all(&mut self) {
        (self.table, self.items) = (Dict::default(), 0);
    }

    /// Removes and invalidates one key. The position moves on each time, so that a key that was
    /// just added is rarely the next.
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
                let excluded = |author: &Option<u64>| tracker.no_loop && *author == Some(*id);
                let sent = changed.iter().filter(|(_, author)| !excluded(author));
                let keys: Arc<[SharedBytes]> = sent.map(|(key, _)| Arc::clone(key)).collect();
                if !keys.is_empty() {
                    tracker.send_invalidation(Some(keys));
                }
            }
        }
    }
}

impl Tracker {
    /// Sends that `keys` have changed; `None` means all keys. A RESP2 client receives nothing
    /// unless another client redirects to it and it has subscribed.
    fn send_invalidation(&mut self, keys: Option<Arc<[SharedBytes]>>) {
        let receiver = self.redirect.as_ref().unwrap_or(&self.client);
        if receiver.is_gone() {
            self.send_redirect_broken();
            return;
        }
        let redirected = self.redirect.is_some();
        if receiver.speaks_resp3() || (redirected && receiver.is_subscriber()) {
            receiver.mailbox.deliver(Message::Invalidated { keys, redirected });
        }
    }

    /// Notifies the client itself that the one it redirects to has disconnected.
    fn send_redirect_broken(&mut self) {
        self.broken = true;
        if let Some(gone) = &self.redirect
            && self.client.speaks_resp3()
        {
            self.client.mailbox.deliver(Message::RedirectBroken { redirect: gone.id });
        }
    }
}
