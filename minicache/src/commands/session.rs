//! What the server remembers of one conversation between commands: the database, the protocol, an
//! open transaction, the keys watched, the channels heard (`client` in `server.h`, without its
//! buffers and socket).

use super::Command;
use crate::engine::clients::Client;
use crate::engine::pubsub::{Scope, Subscriptions};
use crate::engine::tracking::Wanted;
use crate::wire::reply::Protocol;
use crate::wire::request::OwnedArgs;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One client's conversation.
pub struct Session {
    /// What others see of it.
    pub client: Arc<Client>,
    /// The selected database.
    pub db: usize,
    /// How replies are written.
    pub protocol: Protocol,
    /// True if the client has authenticated, or no password is set.
    pub authenticated: bool,
    /// Commands queued since `MULTI`.
    pub transaction: Option<Transaction>,
    /// Keys that must stay as they are until `EXEC`, by database and name: the versions they had.
    pub watched: BTreeMap<(usize, Box<[u8]>), u64>,
    /// Bytes their names take.
    pub watched_bytes: usize,
    /// What it is subscribed to.
    pub subscriptions: Subscriptions,
    /// Which keys it wants to hear of, if it has a cache of its own.
    pub tracking: Option<Wanted>,
    /// Whether `CLIENT CACHING` came just before.
    pub caching: bool,
    /// Which replies it wants.
    pub replies: Replies,
    /// The ticket of the blocking command it waits in.
    pub waiting: Option<u64>,
    /// Unix milliseconds when it stops waiting; `None` never.
    pub wait_until_ms: Option<i64>,
    /// Unix milliseconds until which a pause holds it up.
    pub held_until_ms: Option<i64>,
    /// Whether the connection is to end once the replies are written.
    pub closing: bool,
    /// Whether its next command is to find a new clock and new rules, because the last one slept or
    /// changed the configuration.
    pub ends_batch: bool,
    /// Whether it sees every command (`MONITOR`).
    pub monitor: bool,
}

/// Commands between `MULTI` and `EXEC`.
#[derive(Default)]
pub struct Transaction {
    /// In the order they came.
    pub commands: Vec<Queued>,
    /// Whether one could not be queued, so that `EXEC` must refuse.
    pub poisoned: bool,
    /// Bytes they take.
    pub bytes: usize,
}

/// A command between `MULTI` and `EXEC`.
pub struct Queued {
    /// The command.
    pub command: &'static Command,
    /// Its arguments.
    pub args: OwnedArgs,
    /// The hash of argument 1, once `EXEC` has computed it to find the shard.
    pub key_hash: Option<u64>,
}

/// `CLIENT REPLY`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// All.
    #[default]
    On,
    /// None until further notice.
    Off,
    /// Not the one to the next command.
    SkipNext,
}

impl Session {
    /// A conversation that begins.
    pub fn new(client: Arc<Client>, authenticated: bool) -> Session {
        Session {
            client,
            db: 0,
            protocol: Protocol::Resp2,
            authenticated,
            transaction: None,
            watched: BTreeMap::new(),
            watched_bytes: 0,
            subscriptions: Subscriptions::default(),
            tracking: None,
            caching: false,
            replies: Replies::On,
            waiting: None,
            wait_until_ms: None,
            held_until_ms: None,
            closing: false,
            ends_batch: false,
            monitor: false,
        }
    }

    /// Returns true if this is a RESP2 client with subscriptions, which may only send commands about
    /// subscriptions.
    pub fn in_subscribed_mode(&self) -> bool {
        self.protocol == Protocol::Resp2 && !self.subscriptions.is_empty()
    }

    /// Whether the client is on this machine.
    pub fn is_local(&self) -> bool {
        let address = &self.client.address;
        ["127.", "[::1]", "/"].iter().any(|start| address.starts_with(start)) || address.is_empty()
    }

    /// Lets others see what has changed.
    pub fn publish_figures(&self) {
        let figures = &self.client.figures;
        let queued = self.transaction.as_ref().map_or(-1, |open| open.commands.len() as i64);
        let store =
            |to: &std::sync::atomic::AtomicU32, n: usize| to.store(n as u32, Ordering::Relaxed);
        let queued_bytes = self.transaction.as_ref().map_or(0, |open| open.bytes);
        let waits = self.waiting.is_some() || self.held_until_ms.is_some();
        let held = queued_bytes + self.watched_bytes + self.subscriptions.bytes();
        figures.queued.store(queued, Ordering::Relaxed);
        figures.queued_bytes.store(queued_bytes, Ordering::Relaxed);
        figures.held_bytes.store(held, Ordering::Relaxed);
        figures.resp3.store(self.protocol == Protocol::Resp3, Ordering::Relaxed);
        figures.monitor.store(self.monitor, Ordering::Relaxed);
        figures.blocked.store(waits, Ordering::Relaxed);
        store(&figures.db, self.db);
        store(&figures.channels, self.subscriptions.count(Scope::Channel));
        store(&figures.patterns, self.subscriptions.count(Scope::Pattern));
        store(&figures.shard_channels, self.subscriptions.count(Scope::Shard));
        store(&figures.watching, self.watched.len());
    }
}
