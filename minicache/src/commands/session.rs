//! The state of one client between commands: database, protocol, transaction, watched keys,
//! subscriptions (`struct client` in `server.h`, without buffers and socket).
//!
//! ```text
//! SELECT 2, MULTI, INCR n     { db: 2, protocol: Resp2, transaction: Some([INCR n]), ... }
//! ```
//!
//! Only the connection's core touches a session. What others may see of it is in [`Client`], which
//! [`Session::publish_figures`] updates after each batch.

use super::Command;
use crate::engine::pubsub::{Scope, Subscriptions};
use crate::engine::{clients::Client, tracking::Wanted};
use crate::wire::{reply::Protocol, request::OwnedArgs};
use std::{collections::BTreeSet, sync::Arc, sync::atomic::Ordering};

/// The state of one client; see the head of the file.
pub struct Session {
    /// The part that other cores may read.
    pub client: Arc<Client>,
    pub(crate) db: usize,
    /// The protocol of its replies.
    pub protocol: Protocol,
    /// True if the client has authenticated, or no password is set.
    pub authenticated: bool,
    /// Commands queued since `MULTI`.
    pub transaction: Option<Box<Transaction>>,
    /// The number of commands of the transaction that `EXEC` runs, and the bytes they take.
    pub executing: Option<(usize, usize)>,
    /// The watched keys, by database and name.
    pub watched: BTreeSet<(usize, Box<[u8]>)>,
    /// Bytes that the names of watched keys take.
    pub watched_bytes: usize,
    /// Its subscriptions.
    pub subscriptions: Subscriptions,
    /// The keys whose invalidations it wants, if it tracks.
    pub tracking: Option<Wanted>,
    /// True if the previous command was `CLIENT CACHING`.
    pub caching: bool,
    /// The replies it receives (`CLIENT REPLY`).
    pub replies: Replies,
    /// The id of the blocking command it waits in.
    pub waiting: Option<u64>,
    /// True while its script is paused.
    pub script_paused: bool,
    /// The transaction that this script is part of, and the number of its next command.
    pub rest: Option<(Box<Transaction>, usize)>,
    /// Unix milliseconds at which the blocking command times out; `None` for never.
    pub wait_until_ms: Option<i64>,
    /// Unix milliseconds until which a pause delays its next command.
    pub held_until_ms: Option<i64>,
    /// True if the connection closes once the replies are written.
    pub closing: bool,
    /// True if the batch ends after this command, because it slept or changed the configuration:
    /// the next one needs a new timestamp and a new snapshot.
    pub ends_batch: bool,
    /// True if it is in `MONITOR`.
    pub monitor: bool,
}

/// Commands between `MULTI` and `EXEC`.
#[derive(Default)]
pub struct Transaction {
    /// The commands in the order of arrival.
    pub commands: Vec<Queued>,
    /// True if a command could not be queued, so that `EXEC` must fail.
    pub poisoned: bool,
    pub(crate) bytes: usize,
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
    /// No reply until `CLIENT REPLY ON`.
    Off,
    /// No reply to the next command.
    SkipNext,
}

impl Session {
    /// The session of a new connection.
    pub fn new(client: Arc<Client>, authenticated: bool) -> Session {
        Session {
            client,
            db: 0,
            protocol: Protocol::Resp2,
            authenticated,
            transaction: None,
            executing: None,
            watched: BTreeSet::new(),
            watched_bytes: 0,
            subscriptions: Subscriptions::default(),
            tracking: None,
            caching: false,
            replies: Replies::On,
            waiting: None,
            script_paused: false,
            rest: None,
            wait_until_ms: None,
            held_until_ms: None,
            closing: false,
            ends_batch: false,
            monitor: false,
        }
    }

    /// Returns true if this is a RESP2 client with subscriptions. Such a client may only send
    /// commands about subscriptions.
    pub fn in_subscribed_mode(&self) -> bool {
        self.protocol == Protocol::Resp2 && !self.subscriptions.is_empty()
    }

    /// Returns true if the client is on this machine.
    pub fn is_local(&self) -> bool {
        let address = &self.client.address;
        ["127.", "[::1]", "/"].iter().any(|start| address.starts_with(start)) || address.is_empty()
    }

    /// Copies what other cores may see into [`Client`].
    pub fn publish_figures(&self) {
        let figures = &self.client.figures;
        let open = self.transaction.as_ref().map(|open| (open.commands.len(), open.bytes));
        let open = open.or(self.executing);
        let queued = open.map_or(-1, |(commands, _)| commands as i64);
        let store =
            |to: &std::sync::atomic::AtomicU32, n: usize| to.store(n as u32, Ordering::Relaxed);
        let queued_bytes = open.map_or(0, |(_, bytes)| bytes);
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
        store(&figures.watching, self.watched.len());
    }
}
