//! Messages for a connection from elsewhere: a published message, a key that changed, the reply a
//! blocked client waited for, the order to close.
//!
//! A connection lives on one core, and no other core touches its socket or buffers. A command that
//! concerns another client leaves a [`Message`] in that client's mailbox and wakes the task that
//! owns it:
//!
//! ```text
//! PUBLISH news hi  (core 0)          Mailbox of client 7          connection 7 (core 1)
//!   deliver(Published{news, hi})  ──>  [message] + waker  ──wake──>  collects, encodes, writes
//! ```
//!
//! A message is data. The receiving connection encodes it, because only that connection knows
//! which protocol it speaks by then (`commands/messages.rs`). The bytes of a message are shared, so
//! a publication to a thousand clients is copied once. Redis has one thread, so its
//! `addReplyPubsubMessage` (`pubsub.c`) writes into the other client's output buffer directly.
//!
//! **No message is lost.** A reader that finds nothing leaves its waker under the same lock under
//! which writers add messages; so either it saw the message, or the writer sees the waker.
//! `tests/loom_mailbox.rs` checks every interleaving.

use minikit::sync::Mutex;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Bytes shared between the messages of several clients.
pub type SharedBytes = Arc<[u8]>;

/// Something that happened elsewhere and concerns a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A message was published to a channel that the client subscribes to.
    Published {
        /// The pattern that matched; `None` for a subscription to the channel itself.
        pattern: Option<SharedBytes>,
        /// The channel.
        channel: SharedBytes,
        /// What was published.
        payload: SharedBytes,
    },
    /// The client's own subscription began or ended while its replies are off.
    SubscriptionChanged {
        /// The command, such as `subscribe`.
        kind: &'static str,
        /// The channel or pattern; `None` if an `UNSUBSCRIBE` found no subscription.
        name: Option<SharedBytes>,
        /// How many subscriptions the client has now.
        count: usize,
    },
    /// Keys that the client may hold in a cache of its own have changed.
    Invalidated {
        /// The keys, or `None` if a database was emptied.
        keys: Option<Arc<[SharedBytes]>>,
        /// True if another client's tracking is redirected to this one.
        redirected: bool,
    },
    /// The client that should receive this client's invalidations has disconnected.
    RedirectBroken {
        /// The id of the other client.
        redirect: u64,
    },
    /// A command was executed and this client monitors: the line, without its line end.
    Monitored(Arc<str>),
    /// The reply of the blocking command that the client waits in, which is over.
    Unblocked(Vec<u8>),
    /// Close the connection.
    Close,
}

impl Message {
    /// Returns true if the message goes out as it is, between replies; `Unblocked` and `Close`
    /// change what the connection does next.
    pub fn is_push(&self) -> bool {
        !matches!(self, Message::Unblocked(_) | Message::Close)
    }
}

#[derive(Default)]
struct State {
    messages: Vec<Message>,
    reader: Option<Waker>,
}

/// A mailbox; see the head of the file.
#[derive(Default)]
pub struct Mailbox {
    state: Mutex<State>,
}

impl Mailbox {
    /// Adds a message and wakes the reader.
    pub fn deliver(&self, message: Message) {
        let reader = {
            let mut state = self.state.lock();
            state.messages.push(message);
            state.reader.take()
        };

        // The lock is released first: the reader may run at once, on another core, and wants it.
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Returns all messages, or registers the waker if there are none.
    pub fn poll_collect(&self, context: &Context<'_>) -> Poll<Vec<Message>> {
        let mut state = self.state.lock();
        if state.messages.is_empty() {
            match &mut state.reader {
                Some(reader) => reader.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut state.messages))
    }

    /// Removes and returns the messages that [may be sent between replies](Message::is_push).
    pub fn take_pushes(&self) -> Vec<Message> {
        self.state.lock().messages.extract_if(.., |message| message.is_push()).collect()
    }

    /// Returns true if no message waits.
    pub fn is_empty(&self) -> bool {
        self.state.lock().messages.is_empty()
    }
}
