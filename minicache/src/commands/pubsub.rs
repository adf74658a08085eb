//! Publishing and subscribing (`pubsub.c`).
//!
//! ```text
//! client a: SUBSCRIBE news       client b: PUBLISH news hi      client a's mailbox
//!   1) "subscribe"                 (integer) 1                    1) "message"
//!   2) "news"                                                     2) "news"
//!   3) (integer) 1                                                3) "hi"
//! ```
//!
//! What `SUBSCRIBE` answers is itself a message, one for each channel, and is sent even where
//! `CLIENT REPLY OFF` suppresses replies. A RESP2 client that has subscribed may only speak of
//! subscriptions; under RESP3 messages are marked as such, and it may do anything, even publish to
//! itself: then it finds the message in front of the reply.
//!
//! Left out: an order among messages about one command from different sources. Keyspace events that
//! a client causes and listens to come behind the reply here, in Redis now before it, now behind.

use super::messages::{write_pending, write_subscription};
use super::{Call, Mode, handlers::variants, session::Replies};
use crate::engine::error::{Answer, Error};
use crate::engine::{mailbox::Message, pubsub::Scope};

variants! {
    subscribe = subscribe_to(Scope::Channel, "subscribe");            // channel [channel ...]
    psubscribe = subscribe_to(Scope::Pattern, "psubscribe");          // pattern [pattern ...]
    unsubscribe = unsubscribe_from(Scope::Channel, "unsubscribe");    // [channel [channel ...]]
    punsubscribe = unsubscribe_from(Scope::Pattern, "punsubscribe");  // [pattern [pattern ...]]
    // [shardchannel [shardchannel ...]]
    sunsubscribe = unsubscribe_from(Scope::Shard, "sunsubscribe");
    publish = send(Scope::Channel);                                 // channel message
    spublish = send(Scope::Shard);                                  // shardchannel message
    pubsub_channels = names(Scope::Channel);                        // [pattern]
    pubsub_shardchannels = names(Scope::Shard);                     // [pattern]
    pubsub_numsub = counts(Scope::Channel);                         // [channel [channel ...]]
    // [shardchannel [shardchannel ...]]
    pubsub_shardnumsub = counts(Scope::Shard);
}

/// `SSUBSCRIBE shardchannel [shardchannel ...]`
pub fn ssubscribe(c: &mut Call) -> Answer {
    if c.mode == Mode::Transaction {
        return Err(Error::new("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    subscribe_to(c, Scope::Shard, "ssubscribe")
}

fn subscribe_to(c: &mut Call, scope: Scope, kind: &'static str) -> Answer {
    for name in c.args.from(1).iter() {
        if c.session.subscriptions.add(scope, name) {
            c.cache.registry.pubsub.lock().subscribe(scope, name, &c.session.client);
        }
        confirm(c, scope, kind, Some(name));
    }
    Ok(())
}

fn unsubscribe_from(c: &mut Call, scope: Scope, kind: &'static str) -> Answer {
    let named = c.args.from(1);
    let all = if named.is_empty() { c.session.subscriptions.names(scope) } else { Vec::new() };
    for name in named.iter().chain(all.iter().map(|name| &**name)) {
        if c.session.subscriptions.remove(scope, name) {
            c.cache.registry.pubsub.lock().unsubscribe(scope, name, c.session.client.id);
        }
        // Nothing of this channel may follow the confirmation.
        receive(c);
        confirm(c, scope, kind, Some(name));
    }
    if named.is_empty() && all.is_empty() {
        confirm(c, scope, kind, None);
    }
    Ok(())
}

/// Confirms that a subscription has begun or ended, and tells how many there are.
fn confirm(c: &mut Call, scope: Scope, kind: &'static str, name: Option<&[u8]>) {
    let subscriptions = &c.session.subscriptions;
    let count = match scope {
        Scope::Shard => subscriptions.count(Scope::Shard),
        _ => subscriptions.count(Scope::Channel) + subscriptions.count(Scope::Pattern),
    };
    if c.session.replies == Replies::On {
        write_subscription(c.out, kind, name, count);
    } else {
        // What is written as a reply will be thrown away.
        let name = name.map(Into::into);
        c.session.client.mailbox.deliver(Message::SubscriptionChanged { kind, name, count });
    }
}

/// Writes the messages that have arrived for this client, unless its replies are discarded.
fn receive(c: &mut Call) {
    if c.session.replies == Replies::On {
        write_pending(c.session, c.out);
    }
}

fn send(c: &mut Call, scope: Scope) -> Answer {
    let reached = c.cache.registry.pubsub.lock().publish(scope, c.arg(1), c.arg(2));
    if !c.session.subscriptions.is_empty() {
        receive(c);
    }
    c.out.answer_count(reached)
}

fn names(c: &mut Call, scope: Scope) -> Answer {
    if c.args.len() > 3 {
        return Err(c.wrong_subcommand());
    }
    let pubsub = c.cache.registry.pubsub.lock();
    let names = pubsub.names(scope, c.args.get(2));
    c.out.array(names.len());
    names.iter().for_each(|name| c.out.bulk(name));
    Ok(())
}

fn counts(c: &mut Call, scope: Scope) -> Answer {
    let (names, pubsub) = (c.args.from(2), c.cache.registry.pubsub.lock());
    c.out.array(2 * names.len());
    for name in names.iter() {
        c.out.bulk(name);
        c.out.count(pubsub.subscribers(scope, name));
    }
    Ok(())
}

pub fn pubsub_numpat(c: &mut Call) -> Answer {
    c.out.answer_count(c.cache.registry.pubsub.lock().count(Scope::Pattern))
}

#[cfg(test)]
mod tests;
