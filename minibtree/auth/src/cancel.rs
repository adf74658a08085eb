//! Cancel requests: a number and a secret that let another connection stop a statement.
//!
//! ```text
//! connection 1   <- BackendKeyData 1, 0x5eC2e7     executes a long query
//! connection 2   -> CancelRequest 1, 0x5eC2e7      closed without a reply
//! connection 1   <- ERROR 57014 canceling statement due to user request
//! ```
//!
//! PostgreSQL sends SIGINT to the process (`SendCancelRequest`, `procsignal.c`). Here the request
//! sets a flag that waits and loops check.

use minibtree_locks::Interrupt;
use minikit::sync::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// The keys of all connections.
#[derive(Default)]
pub struct CancelKeys {
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    last: u32,
    sessions: HashMap<u32, (u32, Interrupt)>,
}

/// A connection's key. It is void when dropped.
pub struct CancelKey<'a> {
    keys: &'a CancelKeys,
    /// The number of the connection.
    pub process: u32,
    /// The secret that a cancel request must contain.
    pub secret: u32,
    /// The flag that a cancel request sets.
    pub interrupt: Interrupt,
}

impl CancelKeys {
    /// A key for a new connection.
    pub fn issue(&self) -> CancelKey<'_> {
        let interrupt = Interrupt::default();
        let mut keys = self.keys.lock();
        keys.last = keys.last.wrapping_add(1);
        let process = keys.last;
        // A `RandomState` is seeded by the operating system.
        let secret = RandomState::new().hash_one(process) as u32;
        keys.sessions.insert(process, (secret, interrupt.clone()));
        CancelKey { keys: self, process, secret, interrupt }
    }

    /// Cancels the statement of a connection if the secret is correct.
    pub fn cancel(&self, process: u32, secret: u32) {
        let keys = self.keys.lock();
        if let Some((expected, interrupt)) = keys.sessions.get(&process)
            && *expected == secret
        {
            interrupt.cancel();
        }
    }
}

impl Drop for CancelKey<'_> {
    fn drop(&mut self) {
        self.keys.keys.lock().sessions.remove(&self.process);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_of_an_open_connection_cancels() {
        let keys = CancelKeys::default();
        let (mine, other) = (keys.issue(), keys.issue());
        keys.cancel(mine.process, mine.secret.wrapping_add(1));
        assert!(mine.interrupt.check().is_ok());
        keys.cancel(mine.process, mine.secret);
        assert!(mine.interrupt.check().is_err() && other.interrupt.check().is_ok());

        let (process, secret, interrupt) = (other.process, other.secret, other.interrupt.clone());
        drop(other);
        keys.cancel(process, secret);
        assert!(interrupt.check().is_ok());
    }
}
