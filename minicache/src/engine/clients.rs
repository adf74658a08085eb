//! The connected clients: what `CLIENT LIST` shows of them, and their mailboxes (`server.clients`).
//!
//! A [`Client`] is the part of a connection that other cores may read. Its connection updates it
//! with relaxed stores; a reader sees each figure as it was a moment ago.
//!
//! ```text
//! core 0: connection 7   figures.db = 3, figures.queued = 2 ...     relaxed stores
//! core 1: CLIENT LIST    id=7 db=3 multi=2 ...                      relaxed loads
//!         CLIENT KILL    7.mailbox.deliver(Close)
//! ```
//!
//! In Redis one thread owns all clients, so `CLIENT LIST` reads `struct client` itself.

use super::mailbox::{Mailbox, Message};
use super::watch::Dirty;
use minikit::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::{collections::BTreeMap, sync::Arc};

/// The public part of a connection.
pub struct Client {
    /// Counts up from 1 over the life of the server; never used twice.
    pub id: u64,
    /// The peer, as `CLIENT LIST` prints it.
    pub address: Box<str>,
    /// Our end.
    pub local_address: Box<str>,
    /// Unix milliseconds when it connected.
    pub since_ms: i64,
    /// Messages from other connections.
    pub mailbox: Mailbox,
    /// Its name and library, if it has told any.
    pub about: Mutex<Option<Box<About>>>,
    /// Figures that change with every command.
    pub figures: Figures,
    /// Its share of [`Clients::charged`].
    charged: AtomicUsize,
    gone: AtomicBool,
}

/// What a client has told about itself.
#[derive(Clone, Default)]
pub struct About {
    /// `CLIENT SETNAME`.
    pub name: Box<[u8]>,
    /// `CLIENT SETINFO LIB-NAME`.
    pub library: Box<[u8]>,
    /// `CLIENT SETINFO LIB-VER`.
    pub library_version: Box<[u8]>,
}

/// Figures of a client, written by its connection alone.
#[derive(Default)]
pub struct Figures {
    /// Unix milliseconds of the last command.
    pub active_ms: AtomicI64,
    /// The number of the last command in the table, plus one; 0 before the first.
    pub last_command: AtomicU32,
    pub db: AtomicU32,
    /// Commands queued since `MULTI`, or -1 outside a transaction.
    pub queued: AtomicI64,
    pub channels: AtomicU32,
    pub patterns: AtomicU32,
    pub watching: AtomicU32,
    /// Bytes of its buffers.
    pub buffer_bytes: AtomicUsize,
    /// Bytes of its queued commands, watched keys and subscriptions.
    pub held_bytes: AtomicUsize,
    pub queued_bytes: AtomicUsize,
    /// Bytes of requests not yet complete.
    pub input_bytes: AtomicUsize,
    /// Bytes of replies not yet written to its socket.
    pub output_bytes: AtomicUsize,
    /// True if it waits in a blocking command, or for the end of a pause.
    pub blocked: AtomicBool,
    pub resp3: AtomicBool,
    /// True if `CLIENT NO-EVICT` protects it.
    pub no_evict: AtomicBool,
    pub monitor: AtomicBool,
    /// True if a key that it watches has changed.
    pub dirty: Dirty,
    /// The number of its socket among the open files.
    pub file: AtomicU32,
}

impl Client {
    /// Bytes of memory it takes: a connection, its buffers, and the state held for it.
    pub fn memory(&self) -> usize {
        let Figures { buffer_bytes, held_bytes, .. } = &self.figures;
        let growing = [buffer_bytes, held_bytes].map(|bytes| bytes.load(Ordering::Relaxed));
        CONNECTION_BYTES + growing.iter().sum::<usize>()
    }

    /// What it has told about itself; nothing is empty.
    pub fn about(&self) -> About {
        self.about.lock().as_deref().cloned().unwrap_or_default()
    }

    /// Returns true if it has disconnected or was dismissed.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Returns true if its protocol is RESP3, as far as its connection has published that.
    pub fn speaks_resp3(&self) -> bool {
        self.figures.resp3.load(Ordering::Relaxed)
    }

    /// Returns true if it has a subscription.
    pub fn is_subscriber(&self) -> bool {
        let Figures { channels, patterns, .. } = &self.figures;
        [channels, patterns].iter().any(|n| n.load(Ordering::Relaxed) > 0)
    }
}

/// About what an idle connection takes: its task, its session, a [`Client`].
const CONNECTION_BYTES: usize = 2048;

/// All clients, by id.
#[derive(Default)]
pub struct Clients {
    by_id: Mutex<BTreeMap<u64, Arc<Client>>>,
    last_id: AtomicU64,
    /// The sum of all charges.
    charged: AtomicUsize,
    /// Clients closed because of `maxmemory-clients`.
    pub evicted: AtomicU64,
}

impl Clients {
    /// Registers a connection.
    pub fn enter(&self, address: String, local_address: String, now_ms: i64) -> Arc<Client> {
        let client = Arc::new(Client {
            id: self.last_id.fetch_add(1, Ordering::Relaxed) + 1,
            address: address.into(),
            local_address: local_address.into(),
            since_ms: now_ms,
            mailbox: Mailbox::default(),
            about: Mutex::default(),
            figures: Figures::default(),
            charged: AtomicUsize::new(0),
            gone: AtomicBool::new(false),
        });
        client.figures.queued.store(-1, Ordering::Relaxed);
        client.figures.active_ms.store(now_ms, Ordering::Relaxed);
        self.by_id.lock().insert(client.id, Arc::clone(&client));
        client
    }

    /// Removes a connection. Removing it again changes nothing.
    pub fn leave(&self, id: u64) {
        let gone = self.by_id.lock().remove(&id);
        if let Some(client) = gone {
            self.set_charge(&client, 0);
            client.gone.store(true, Ordering::Relaxed);
        }
    }

    /// Closes a connection (`freeClientAsync`). It is removed at once and closes itself later.
    pub fn dismiss(&self, client: &Client) {
        self.leave(client.id);
        client.mailbox.deliver(Message::Close);
    }

    /// Updates a client's share of the sum, and returns the sum of all clients' memory.
    pub fn charge(&self, client: &Client) -> usize {
        self.set_charge(client, client.memory());
        self.charged.load(Ordering::Relaxed)
    }

    fn set_charge(&self, client: &Client, bytes: usize) {
        let before = client.charged.swap(bytes, Ordering::Relaxed);
        self.charged.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
    }

    pub fn memory(&self) -> usize {
        self.by_id.lock().values().map(|client| client.memory()).sum()
    }

    /// Closes the clients that take most until all take at most `limit` bytes, except those that
    /// `CLIENT NO-EVICT` protects (`evictClients`). Returns the closed clients. O(n log n).
    pub fn evict(&self, limit: u64) -> Vec<Arc<Client>> {
        let clients = self.all();
        let mut rest: usize = clients.iter().map(|client| client.memory()).sum();
        let exempt = |client: &Arc<Client>| client.figures.no_evict.load(Ordering::Relaxed);
        let mut candidates: Vec<(usize, Arc<Client>)> = clients
            .into_iter()
            .inspect(|client| self.set_charge(client, client.memory()))
            .filter(|client| !exempt(client))
            .map(|client| (client.memory(), client))
            .collect();
        candidates.sort_by_key(|(bytes, client)| (*bytes, client.id));
        let mut gone = Vec::new();
        while rest as u64 > limit
            && let Some((bytes, client)) = candidates.pop()
        {
            rest = rest.saturating_sub(bytes);
            self.dismiss(&client);
            self.evicted.fetch_add(1, Ordering::Relaxed);
            gone.push(client);
        }
        gone
    }

    pub fn len(&self) -> usize {
        self.by_id.lock().len()
    }

    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// All clients, the oldest first.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.by_id.lock().values().cloned().collect()
    }
}
