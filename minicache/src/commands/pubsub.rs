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
//! `CLIENT REPLY OFF` suppresses replies. A RESP2 client that has subscribed may only send commands
//! about subscriptions. RESP3 marks messages as such, so a client may send any command. If it
//! publishes to itself, the message comes before the reply.
//!
//! Left out: shard channels (`SSUBSCRIBE`), which only a cluster needs, and an order among messages
//! about one command from different sources. A keyspace event that a client causes and has
//! subscribed to comes after its reply here, and sometimes before it in Redis.

use super::messages::{write_pending, write_subscription};
use super::{Call, handlers::variants, session::Replies};
use crate::engine::error::Answer;
use crate::engine::{mailbox::Message, pubsub::Scope};

variants! {
    subscribe = subscribe_to(Scope::Channel, "subscribe");            // channel [channel ...]
    psubscribe = subscribe_to(Scope::Pattern, "psubscribe");          // pattern [pattern ...]
    unsubscribe = unsubscribe_from(Scope::Channel, "unsubscribe");    // [channel [channel ...]]
    punsubscribe = unsubscribe_from(Scope::Pattern, "punsubscribe");  // [pattern [pattern ...]]
}

fn subscribe_to(c: &mut Call, scope: Scope, kind: &'static str) -> Answer {
    for name in c.args.from(1).iter() {
        if c.session.subscriptions.add(scope, name) {
            c.cache.registry.pubsub.lock().subscribe(scope, name, &c.session.client);
        }
        reply_subscription(c, kind, Some(name));
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
        reply_pending(c);
        reply_subscription(c, kind, Some(name));
    }
    if named.is_empty() && all.is_empty() {
        reply_subscription(c, kind, None);
    }
    Ok(())
}

/// Confirms the start or end of a subscription, with the number of subscriptions that are left
/// (`addReplyPubsubSubscribed`).
fn reply_subscription(c: &mut Call, kind: &'static str, name: Option<&[u8]>) {
    let subscriptions = &c.session.subscriptions;
    let count = subscriptions.count(Scope::Channel) + subscriptions.count(Scope::Pattern);
    if c.session.replies == Replies::On {
        write_subscription(c.out, kind, name, count);
    } else {
        // What is written as a reply will be thrown away.
        let name = name.map(Into::into);
        c.session.client.mailbox.deliver(Message::SubscriptionChanged { kind, name, count });
    }
}

/// Writes the messages that have arrived for this client, unless its replies are discarded.
fn reply_pending(c: &mut Call) {
    if c.session.replies == Replies::On {
        write_pending(c.session, c.out);
    }
}

/// `PUBLISH channel message`
pub fn publish(c: &mut Call) -> Answer {
    let reached = c.cache.registry.pubsub.lock().publish(c.arg(1), c.arg(2));
    if !c.session.subscriptions.is_empty() {
        reply_pending(c);
    }
    c.out.answer_count(reached)
}

/// `PUBSUB CHANNELS [pattern]`
pub fn pubsub_channels(c: &mut Call) -> Answer {
    if c.args.len() > 3 {
        return Err(c.wrong_subcommand());
    }
    let pubsub = c.cache.registry.pubsub.lock();
    let names = pubsub.channels(c.args.get(2));
    c.out.array(names.len());
    names.iter().for_each(|name| c.out.bulk(name));
    Ok(())
}

/// `PUBSUB NUMSUB [channel [channel ...]]`
pub fn pubsub_numsub(c: &mut Call) -> Answer {
    let (names, pubsub) = (c.args.from(2), c.cache.registry.pubsub.lock());
    c.out.array(2 * names.len());
    for name in names.iter() {
        c.out.bulk(name);
        c.out.count(pubsub.subscribers(name));
    }
    Ok(())
}

pub fn pubsub_numpat(c: &mut Call) -> Answer {
    c.out.answer_count(c.cache.registry.pubsub.lock().count(Scope::Pattern))
}

#[cfg(test)]
mod tests;
