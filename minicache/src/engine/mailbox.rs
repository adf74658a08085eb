//! Letters for a connection from elsewhere: a published message, the element a blocked client
//! waited for, an order to leave.
//!
//! Connections live on one core each and touch nothing of each other's. Where a command concerns
//! another client, it leaves a letter in that client's mailbox and wakes the task that owns it:
//!
//! ```text
//! PUBLISH news hi  (core 0)        Mailbox of client 7        connection 7 (core 1)
//!   deliver(Message(">3..."))  ──>  [letter] + waker  ──wake──>  collects it, then writes it
//! ```
//!
//! **No letter is lost.** A reader that finds nothing leaves its waker under the same lock under
//! which writers add letters; so either it saw the letter, or the writer sees the waker.
//! `tests/loom_mailbox.rs` checks every interleaving.

use minikit::sync::Mutex;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Something for a connection to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letter {
    /// Bytes to send as they are.
    Message(Arc<[u8]>),
    /// The reply a blocked client waited for; it is blocked no longer.
    Unblocked(Vec<u8>),
    /// Close the connection.
    Leave,
}

#[derive(Default)]
struct State {
    letters: Vec<Letter>,
    reader: Option<Waker>,
}

/// A mailbox; see the head of the file.
#[derive(Default)]
pub struct Mailbox {
    state: Mutex<State>,
}

impl Mailbox {
    /// Adds a letter and wakes the reader.
    pub fn deliver(&self, letter: Letter) {
        let reader = {
            let mut state = self.state.lock();
            state.letters.push(letter);
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// All letters there are, or a promise to wake.
    pub fn poll_collect(&self, context: &Context<'_>) -> Poll<Vec<Letter>> {
        let mut state = self.state.lock();
        if state.letters.is_empty() {
            match &mut state.reader {
                Some(reader) => reader.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut state.letters))
    }

    /// Takes the messages out and leaves the other letters.
    pub fn take_messages(&self) -> Vec<Arc<[u8]>> {
        let mut state = self.state.lock();
        let (mut messages, mut others) = (Vec::new(), Vec::new());
        for letter in std::mem::take(&mut state.letters) {
            match letter {
                Letter::Message(bytes) => messages.push(bytes),
                other => others.push(other),
            }
        }
        state.letters = others;
        messages
    }

    /// Whether letters wait.
    pub fn is_empty(&self) -> bool {
        self.state.lock().letters.is_empty()
    }
}
