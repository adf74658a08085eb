//! Who hears what: channels, patterns and shard channels (`pubsub.c`).
//!
//! A message is encoded once per protocol, and every subscriber's mailbox gets a reference to the same bytes.

use super::clients::Client;
use super::glob;
use crate::wire::reply::{Protocol, Reply};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::mailbox::Letter;

type Listeners = BTreeMap<u64, Arc<Client>>;

/// The three registries. Maps are ordered, so that `PUBSUB CHANNELS` answers alike every time.
#[derive(Default)]
pub struct PubSub {
    channels: BTreeMap<Box<[u8]>, Listeners>,
    patterns: BTreeMap<Box<[u8]>, Listeners>,
    shard_channels: BTreeMap<Box<[u8]>, Listeners>,
}

/// Which registry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `SUBSCRIBE` and `PUBLISH`.
    Channel,
    /// `PSUBSCRIBE`.
    Pattern,
    /// `SSUBSCRIBE` and `SPUBLISH`.
    Shard,
}

impl PubSub {
    /// Adds a listener.
    pub fn subscribe(&mut self, scope: Scope, name: &[u8], client: &Arc<Client>) {
        let listeners = self.registry(scope).entry(name.into()).or_default();
        listeners.insert(client.id, Arc::clone(client));
    }

    /// Removes a listener, and the channel with its last one.
    pub fn unsubscribe(&mut self, scope: Scope, name: &[u8], client: u64) {
        let registry = self.registry(scope);
        if let Some(listeners) = registry.get_mut(name) {
            listeners.remove(&client);
            if listeners.is_empty() {
                registry.remove(name);
            }
        }
    }

    /// Delivers a message; returns how many it reached. A client heard through two patterns is reached twice.
    pub fn publish(&self, scope: Scope, channel: &[u8], message: &[u8]) -> usize {
        let registry = if scope == Scope::Shard { &self.shard_channels } else { &self.channels };
        let mut reached = 0;
        if let Some(listeners) = registry.get(channel) {
            let kind = if scope == Scope::Shard { "smessage" } else { "message" };
            reached += deliver(listeners, &[kind.as_bytes(), channel, message]);
        }
        if scope == Scope::Channel {
            for (pattern, listeners) in &self.patterns {
                if glob::matches(pattern, channel) {
                    reached += deliver(listeners, &[b"pmessage", pattern, channel, message]);
                }
            }
        }
        reached
    }

    /// Names of channels with listeners, those that match `pattern` where there is one.
    pub fn names(&self, scope: Scope, pattern: Option<&[u8]>) -> Vec<&[u8]> {
        let registry = if scope == Scope::Shard { &self.shard_channels } else { &self.channels };
        let wanted = |name: &&[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        registry.keys().map(|name| &**name).filter(wanted).collect()
    }

    /// How many hear a channel.
    pub fn listeners(&self, scope: Scope, name: &[u8]) -> usize {
        let registry = if scope == Scope::Shard { &self.shard_channels } else { &self.channels };
        registry.get(name).map_or(0, BTreeMap::len)
    }

    /// How many patterns are subscribed to.
    pub fn pattern_count(&self) -> usize {
        self.patterns.len()
    }

    /// How many channels are subscribed to.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    fn registry(&mut self, scope: Scope) -> &mut BTreeMap<Box<[u8]>, Listeners> {
        match scope {
            Scope::Channel => &mut self.channels,
            Scope::Pattern => &mut self.patterns,
            Scope::Shard => &mut self.shard_channels,
        }
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
