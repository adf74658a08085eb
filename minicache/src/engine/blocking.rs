//! Keys that blocked clients wait for (`blocked.c`): `BLPOP` and the other blocking commands.
//!
//! A blocking command that finds nothing registers a *waiter* under the keys it waits for. A
//! command that stores a value under such a key then runs the commands of the waiters, in the order
//! in which they came. This registry knows keys and order only; `commands/blocked.rs` stores the
//! command of each waiter.
//!
//! ```text
//! client 7: BLPOP jobs 0      jobs is empty -> waiter 1, queue of jobs: [1]
//! client 8: BLPOP jobs 0      queue of jobs: [1, 2]
//! client 9: RPUSH jobs a      1. pushes  2. sees the queue
//!                             3. claims 1, runs its BLPOP: it pops a, finishes 1
//!                             4. claims 2, runs its BLPOP: nothing there, resumes 2
//!                             5. gets its own reply: 1
//! ```
//!
//! **No element is missed.** A waiter is registered while the locks of its keys' shards are held,
//! and a push looks at the queue after it held the lock of that shard: one of the two came first,
//! and either the blocking command saw the element or the push sees the waiter.
//! `tests/loom_blocking.rs` checks every interleaving.

use minikit::sync::Mutex;
use minikit::sync::atomic::{AtomicUsize, Ordering};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// The number of a database and a key in it.
pub type DbKey = (usize, Box<[u8]>);

/// The result of [`Blocked::withdraw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// The waiter is removed; its client may be told that it waited in vain.
    Canceled,
    /// Another core is running its command; try again shortly.
    InProgress,
    /// Its command has run: the reply is in the client's mailbox.
    Completed,
}

struct Entry<W> {
    waiter: Arc<W>,
    keys: Vec<DbKey>,
    claimed: bool,
}

struct Queues<W> {
    entries: BTreeMap<u64, Entry<W>>,
    by_key: HashMap<DbKey, VecDeque<u64>>,
    last_id: u64,
}

/// How many waiters there are, readable without the lock: most pushes look no further.
#[derive(Default)]
pub struct WaiterCount(AtomicUsize);

impl WaiterCount {
    /// The number of waiters.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// All waiters; see the head of the file.
pub struct Blocked<W> {
    queues: Mutex<Queues<W>>,
    count: WaiterCount,
}

impl<W> Default for Blocked<W> {
    fn default() -> Blocked<W> {
        let queues = Queues { entries: BTreeMap::new(), by_key: HashMap::new(), last_id: 0 };
        Blocked { queues: Mutex::new(queues), count: WaiterCount::default() }
    }
}

impl<W> Blocked<W> {
    /// The number of waiters.
    pub fn count(&self) -> &WaiterCount {
        &self.count
    }

    /// Registers a waiter after all others of its keys and returns its id. The shards of its keys
    /// must be locked.
    pub fn register(&self, waiter: W, db: usize, keys: &[&[u8]]) -> u64 {
        let keys: Vec<DbKey> = keys.iter().map(|key| (db, Box::from(*key))).collect();
        let mut queues = self.queues.lock();
        queues.last_id += 1;
        let id = queues.last_id;
        for key in &keys {
            queues.by_key.entry(key.clone()).or_default().push_back(id);
        }
        queues.entries.insert(id, Entry { waiter: Arc::new(waiter), keys, claimed: false });
        self.count.0.store(queues.entries.len(), Ordering::SeqCst);
        id
    }

    /// Claims a waiter in order to run its command. Returns false if it is gone.
    ///
    /// The shards of its keys must be locked, and it must be [resumed](Self::resume) or
    /// [finished](Self::finish) before they are unlocked.
    pub fn claim(&self, id: u64) -> bool {
        let mut queues = self.queues.lock();
        queues.entries.get_mut(&id).map(|entry| entry.claimed = true).is_some()
    }

    /// Lets a claimed waiter go on waiting.
    pub fn resume(&self, id: u64) {
        if let Some(entry) = self.queues.lock().entries.get_mut(&id) {
            entry.claimed = false;
        }
    }

    /// Removes a waiter, claimed or not: its command has run, or its client has disconnected. If a
    /// command is being run for a client that disconnects, its [`resume`](Self::resume) finds
    /// nothing.
    pub fn finish(&self, id: u64) {
        self.remove(&mut self.queues.lock(), id);
    }

    /// Removes a waiter because its client waits no longer, unless its command is running.
    pub fn withdraw(&self, id: u64) -> Withdrawal {
        let mut queues = self.queues.lock();
        match queues.entries.get(&id) {
            None => Withdrawal::Completed,
            Some(entry) if entry.claimed => Withdrawal::InProgress,
            Some(_) => {
                self.remove(&mut queues, id);
                Withdrawal::Canceled
            }
        }
    }

    fn remove(&self, queues: &mut Queues<W>, id: u64) {
        let Some(entry) = queues.entries.remove(&id) else { return };
        for key in entry.keys {
            if let Some(queue) = queues.by_key.get_mut(&key) {
                queue.retain(|other| *other != id);
                if queue.is_empty() {
                    queues.by_key.remove(&key);
                }
            }
        }
        self.count.0.store(queues.entries.len(), Ordering::SeqCst);
    }

    /// The waiters of a key, the first come first.
    pub fn queue(&self, key: &DbKey) -> Vec<u64> {
        let queues = self.queues.lock();
        queues.by_key.get(key).map(|ids| ids.iter().copied().collect()).unwrap_or_default()
    }

    /// A waiter, if it still waits.
    pub fn get(&self, id: u64) -> Option<Arc<W>> {
        self.queues.lock().entries.get(&id).map(|entry| Arc::clone(&entry.waiter))
    }

    /// The first waiter that satisfies `is_wanted`. Costs a look at every waiter.
    pub fn find(&self, is_wanted: impl Fn(&W) -> bool) -> Option<(u64, Arc<W>)> {
        let queues = self.queues.lock();
        let mut entries = queues.entries.iter();
        let (id, entry) = entries.find(|(_, entry)| is_wanted(&entry.waiter))?;
        Some((*id, Arc::clone(&entry.waiter)))
    }

    /// The keys of a database that have waiters.
    pub fn keys_of(&self, db: usize) -> Vec<Box<[u8]>> {
        let queues = self.queues.lock();
        queues.by_key.keys().filter(|key| key.0 == db).map(|key| key.1.clone()).collect()
    }
}
