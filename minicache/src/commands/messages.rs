//! Messages in the protocol of the connection that receives them (`addReplyPubsubMessage` in
//! `pubsub.c`, `sendTrackingMessage` in `tracking.c`).
//!
//! ```text
//! Published { channel: news, payload: hi }   RESP2  *3 $7 message $4 news $2 hi
//!                                            RESP3  >3 $7 message $4 news $2 hi
//! Invalidated { keys: [k] }                  RESP2  nothing, or if another client redirects to
//!                                                   this one and it has subscribed:
//!                                                   *3 $7 message $20 __redis__:invalidate *1 $1 k
//!                                            RESP3  >2 $10 invalidate *1 $1 k
//! ```
//!
//! One difference from Redis 7.0: after `FLUSHALL` the keys are the null of the protocol that the
//! *receiver* speaks. Redis takes that of the client that tracks, so a RESP2 client that
//! redirects to a RESP3 connection makes it receive `$-1`, and the other way round `_`.

use super::session::Session;
use crate::engine::mailbox::Message;
use crate::wire::reply::{Protocol, Reply};

/// The channel on which RESP2 clients receive invalidations.
const INVALIDATE_CHANNEL: &[u8] = b"__redis__:invalidate";

/// Writes the messages that have arrived so far, before anything else is written.
#[inline(never)]
pub fn write_pending(session: &Session, out: &mut Reply) {
    for message in session.client.mailbox.take_pushes() {
        write(&message, session, out);
    }
}

/// Writes a message as the client of this session receives it: in its protocol, or not at all.
///
/// The message must be a [push](Message::is_push).
pub fn write(message: &Message, session: &Session, out: &mut Reply) {
    out.protocol = session.protocol;
    match message {
        Message::Published { pattern, channel, payload } => {
            out.push(3 + usize::from(pattern.is_some()));
            out.text(if pattern.is_some() { "pmessage" } else { "message" });
            pattern.iter().for_each(|pattern| out.bulk(pattern));
            out.bulk(channel);
            out.bulk(payload);
        }
        Message::SubscriptionChanged { kind, name, count } => {
            write_subscription(out, kind, name.as_deref(), *count);
        }
        Message::Invalidated { keys, redirected } => {
            if session.protocol == Protocol::Resp3 {
                out.push(2);
                out.text("invalidate");
            } else if *redirected && !session.subscriptions.is_empty() {
                out.push(3);
                out.text("message");
                out.bulk(INVALIDATE_CHANNEL);
            } else {
                return;
            }
            match keys {
                None => out.null(),
                Some(keys) => {
                    out.array(keys.len());
                    keys.iter().for_each(|key| out.bulk(key));
                }
            }
        }
        Message::RedirectBroken { redirect } if session.protocol == Protocol::Resp3 => {
            out.push(2);
            out.text("tracking-redir-broken");
            out.int(*redirect as i64);
        }
        Message::RedirectBroken { .. } => {}
        Message::Monitored(line) => out.simple(line),
        Message::Unblocked(_) | Message::Close => unreachable!("not a push"),
    }
}

/// Writes that a subscription has begun or ended, and how many the client has now.
pub fn write_subscription(out: &mut Reply, kind: &str, name: Option<&[u8]>, count: usize) {
    out.push(3);
    out.text(kind);
    match name {
        Some(name) => out.bulk(name),
        None => out.null(),
    }
    out.count(count);
}
