//! Subscriptions to channels and patterns (`pubsub.c`).
//!
//! ```text
//!              PubSub                                    Subscriptions of client 7
//! channels     news -> {7, 9}   jobs -> {9}              news
//! patterns     n*   -> {7}                               n*
//! ```
//!
//! Both sides are kept: publishing looks into one map, and a client that disconnects need not
//! search. `PUBLISH news hi` reaches client 7 twice and client 9 once. The payload is copied once;
//! all three messages share it.

use super::mailbox::{Message, SharedBytes};
use super::{clients::Client, glob};
use std::{cell::LazyCell, collections::BTreeMap, sync::Arc};

type Subscribers = BTreeMap<u64, Arc<Client>>;

/// One of the two kinds of subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `SUBSCRIBE` and `PUBLISH`.
    Channel,
    /// `PSUBSCRIBE`.
    Pattern,
}

/// The subscribers of everything, by scope and name. Maps are ordered, so that `PUBSUB CHANNELS`
/// gives the same answer every time.
#[derive(Default)]
pub struct PubSub([BTreeMap<SharedBytes, Subscribers>; 2]);

impl PubSub {
    pub fn subscribe(&mut self, scope: Scope, name: &[u8], client: &Arc<Client>) {
        let subscribers = self.0[scope as usize].entry(name.into()).or_default();
        subscribers.insert(client.id, Arc::clone(client));
    }

    /// Removes a subscriber, and the channel with its last one.
    pub fn unsubscribe(&mut self, scope: Scope, name: &[u8], client: u64) {
        let registry = &mut self.0[scope as usize];
        if let Some(subscribers) = registry.get_mut(name) {
            subscribers.remove(&client);
            if subscribers.is_empty() {
                registry.remove(name);
            }
        }
    }

    pub fn unsubscribe_all(&mut self, subscriptions: &Subscriptions, client: u64) {
        for scope in [Scope::Channel, Scope::Pattern] {
            for name in subscriptions.names(scope) {
                self.unsubscribe(scope, &name, client);
            }
        }
    }

    /// Delivers a message and returns how many subscriptions received it; a client that receives it
    /// through two patterns counts twice.
    pub fn publish(&self, channel: &[u8], payload: &[u8]) -> usize {
        let direct = self.0[Scope::Channel as usize].get_key_value(channel);

        // Both copies are made for the first subscriber and shared with all others. A channel with
        // a subscriber of its own is not copied at all.
        let payload: LazyCell<SharedBytes, _> = LazyCell::new(|| payload.into());
        let shared_channel: LazyCell<SharedBytes, _> =
            LazyCell::new(|| direct.map_or_else(|| channel.into(), |(name, _)| name.clone()));

        let deliver = |pattern: Option<&SharedBytes>, subscribers: &Subscribers| {
            for client in subscribers.values() {
                client.mailbox.deliver(Message::Published {
                    pattern: pattern.cloned(),
                    channel: SharedBytes::clone(&shared_channel),
                    payload: SharedBytes::clone(&payload),
                });
            }
            subscribers.len()
        };

        let mut received = 0;
        if let Some((_, subscribers)) = direct {
            received += deliver(None, subscribers);
        }
        for (pattern, subscribers) in &self.0[Scope::Pattern as usize] {
            if glob::matches(pattern, channel) {
                received += deliver(Some(pattern), subscribers);
            }
        }
        received
    }

    /// The channels with subscribers; if there is a `pattern`, those that match it.
    pub fn channels(&self, pattern: Option<&[u8]>) -> Vec<&[u8]> {
        let wanted = |name: &&[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        self.0[Scope::Channel as usize].keys().map(|name| &**name).filter(wanted).collect()
    }

    /// The number of subscribers to a channel.
    pub fn subscribers(&self, channel: &[u8]) -> usize {
        self.0[Scope::Channel as usize].get(channel).map_or(0, BTreeMap::len)
    }

    pub fn count(&self, scope: Scope) -> usize {
        self.0[scope as usize].len()
    }
}

/// The subscriptions of a client. Most clients have none, so an idle one is a null pointer.
#[derive(Default)]
pub struct Subscriptions(Option<Box<Held>>);

#[derive(Default)]
struct Held {
    /// By scope, the names with a number that grows from each subscription to the next.
    names: [BTreeMap<Box<[u8]>, u64>; 2],
    last: u64,
    bytes: usize,
}

/// Bytes of a subscription besides its name, here and in the registry.
const SUBSCRIPTION_BYTES: usize = 128;

impl Subscriptions {
    /// Adds a name. Returns false if it was subscribed to already.
    pub fn add(&mut self, scope: Scope, name: &[u8]) -> bool {
        let held = self.0.get_or_insert_default();
        let names = &mut held.names[scope as usize];
        if names.contains_key(name) {
            return false;
        }
        held.last += 1;
        held.bytes += SUBSCRIPTION_BYTES + name.len();
        names.insert(name.into(), held.last);
        true
    }

    /// Removes a name. Returns false if it was not subscribed to.
    pub fn remove(&mut self, scope: Scope, name: &[u8]) -> bool {
        let Some(held) = &mut self.0 else { return false };
        let known = held.names[scope as usize].remove(name).is_some();
        if known {
            held.bytes -= SUBSCRIPTION_BYTES + name.len();
        }
        if held.bytes == 0 {
            self.0 = None;
        }
        known
    }

    /// Bytes of memory that the subscriptions take.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |held| held.bytes)
    }

    pub fn count(&self, scope: Scope) -> usize {
        self.0.as_ref().map_or(0, |held| held.names[scope as usize].len())
    }

    /// The names of a scope, the oldest first.
    pub fn names(&self, scope: Scope) -> Vec<Box<[u8]>> {
        let Some(held) = &self.0 else { return Vec::new() };
        let mut names: Vec<_> = held.names[scope as usize].iter().collect();
        names.sort_by_key(|(_, number)| **number);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// Returns true if there is no subscription of any kind: one comparison, as every command asks.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clients::Clients;

    #[test]
    fn one_publication_is_one_copy() {
        let (clients, mut pubsub) = (Clients::default(), PubSub::default());
        let [one, other] = [(); 2].map(|()| clients.enter(String::new(), String::new(), 0));
        pubsub.subscribe(Scope::Channel, b"news", &one);
        pubsub.subscribe(Scope::Channel, b"news", &other);
        pubsub.subscribe(Scope::Pattern, b"n*", &one);
        assert_eq!(pubsub.publish(b"news", b"hi"), 3);

        let messages = [one.mailbox.take_pushes(), other.mailbox.take_pushes()].concat();
        let bytes = messages.iter().map(|message| match message {
            Message::Published { channel, payload, .. } => [channel, payload],
            other => panic!("{other:?}"),
        });
        let bytes: Vec<_> = bytes.collect();
        assert_eq!(bytes.len(), 3);
        assert!(bytes.iter().all(|[channel, payload]| {
            Arc::ptr_eq(channel, bytes[0][0]) && Arc::ptr_eq(payload, bytes[0][1])
        }));
    }
}
