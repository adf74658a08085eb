//! Who hears what: channels, patterns and shard channels (`pubsub.c`).
//!
//! ```text
//!              PubSub                                    Subscriptions of client 7
//! channels     news -> {7, 9}   jobs -> {9}              news
//! patterns     n*   -> {7}                               n*
//! ```
//!
//! Both sides are kept, so that publishing asks one map and a client that leaves need not search.
//! `PUBLISH news hi` reaches client 7 twice and client 9 once. A message is encoded once per
//! protocol, and every mailbox gets a reference to the same bytes.

use super::clients::Client;
use super::glob;
use super::mailbox::Letter;
use crate::wire::reply::{Protocol, Reply};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

type Listeners = BTreeMap<u64, Arc<Client>>;

/// Which of the three kinds of subscription is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `SUBSCRIBE` and `PUBLISH`.
    Channel,
    /// `PSUBSCRIBE`.
    Pattern,
    /// `SSUBSCRIBE` and `SPUBLISH`.
    Shard,
}

impl Scope {
    /// All of them, in the order of their numbers.
    const ALL: [Scope; 3] = [Scope::Channel, Scope::Pattern, Scope::Shard];
}

/// The listeners of everything, by scope and name. Maps are ordered, so that `PUBSUB CHANNELS`
/// answers alike every time.
#[derive(Default)]
pub struct PubSub([BTreeMap<Box<[u8]>, Listeners>; 3]);

impl PubSub {
    /// Adds a listener.
    pub fn subscribe(&mut self, scope: Scope, name: &[u8], client: &Arc<Client>) {
        let listeners = self.0[scope as usize].entry(name.into()).or_default();
        listeners.insert(client.id, Arc::clone(client));
    }

    /// Removes a listener, and the channel with its last one.
    pub fn unsubscribe(&mut self, scope: Scope, name: &[u8], client: u64) {
        let registry = &mut self.0[scope as usize];
        if let Some(listeners) = registry.get_mut(name) {
            listeners.remove(&client);
            if listeners.is_empty() {
                registry.remove(name);
            }
        }
    }

    /// Removes a listener everywhere.
    pub fn unsubscribe_all(&mut self, subscriptions: &Subscriptions, client: u64) {
        for scope in Scope::ALL {
            let names = subscriptions.names[scope as usize].keys();
            names.for_each(|name| self.unsubscribe(scope, name, client));
        }
    }

    /// Delivers a message; returns how many it reached. A client heard through two patterns is
    /// reached twice. `scope` is not [`Scope::Pattern`].
    pub fn publish(&self, scope: Scope, channel: &[u8], message: &[u8]) -> usize {
        let mut reached = 0;
        if let Some(listeners) = self.0[scope as usize].get(channel) {
            let kind = if scope == Scope::Shard { "smessage" } else { "message" };
            reached += deliver(listeners, &[kind.as_bytes(), channel, message]);
        }
        if scope == Scope::Channel {
            for (pattern, listeners) in &self.0[Scope::Pattern as usize] {
                if glob::matches(pattern, channel) {
                    reached += deliver(listeners, &[b"pmessage", pattern, channel, message]);
                }
            }
        }
        reached
    }

    /// Names with listeners, those that match `pattern` where there is one.
    pub fn names(&self, scope: Scope, pattern: Option<&[u8]>) -> Vec<&[u8]> {
        let wanted = |name: &&[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        self.0[scope as usize].keys().map(|name| &**name).filter(wanted).collect()
    }

    /// How many listen to a name.
    pub fn listeners(&self, scope: Scope, name: &[u8]) -> usize {
        self.0[scope as usize].get(name).map_or(0, BTreeMap::len)
    }

    /// How many names have listeners.
    pub fn count(&self, scope: Scope) -> usize {
        self.0[scope as usize].len()
    }
}

/// What one client has subscribed to.
#[derive(Default)]
pub struct Subscriptions {
    /// By scope the names, each with a number that grows from one to the next.
    names: [BTreeMap<Box<[u8]>, u64>; 3],
    last: u64,
    bytes: usize,
}

/// What a subscription takes besides the bytes of its name, here and in the registry.
const SUBSCRIPTION_BYTES: usize = 128;

impl Subscriptions {
    /// Adds a name; false where it is there already.
    pub fn add(&mut self, scope: Scope, name: &[u8]) -> bool {
        let names = &mut self.names[scope as usize];
        if names.contains_key(name) {
            return false;
        }
        self.last += 1;
        self.bytes += SUBSCRIPTION_BYTES + name.len();
        names.insert(name.into(), self.last);
        true
    }

    /// Removes a name; false where it is not there.
    pub fn remove(&mut self, scope: Scope, name: &[u8]) -> bool {
        let known = self.names[scope as usize].remove(name).is_some();
        if known {
            self.bytes -= SUBSCRIPTION_BYTES + name.len();
        }
        known
    }

    /// Bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many names there are in a scope.
    pub fn count(&self, scope: Scope) -> usize {
        self.names[scope as usize].len()
    }

    /// The names of a scope, the oldest first.
    pub fn names(&self, scope: Scope) -> Vec<Box<[u8]>> {
        let mut names: Vec<_> = self.names[scope as usize].iter().collect();
        names.sort_by_key(|(_, number)| **number);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// Whether there is no subscription of any kind. Every command asks, so it is one comparison:
    /// each subscription takes bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

fn deliver(listeners: &Listeners, parts: &[&[u8]]) -> usize {
    let mut encoded: [Option<Arc<[u8]>>; 2] = [None, None];
    for client in listeners.values() {
        let resp3 = client.figures.resp3.load(Ordering::Relaxed);
        let bytes = encoded[usize::from(resp3)].get_or_insert_with(|| encode(resp3, parts));
        client.mailbox.deliver(Letter::Message(Arc::clone(bytes)));
    }
    listeners.len()
}

fn encode(resp3: bool, parts: &[&[u8]]) -> Arc<[u8]> {
    let mut reply = Reply::new(if resp3 { Protocol::Resp3 } else { Protocol::Resp2 });
    reply.push(parts.len());
    parts.iter().for_each(|part| reply.bulk(part));
    reply.bytes().into()
}
