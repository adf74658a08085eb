//! Who sees every command (`MONITOR`, `replicationFeedMonitors` in `replication.c`).
//!
//! ```text
//! +1795365307.563614 [0 127.0.0.1:54668] "SET" "k" "v"
//! ```

use super::access::Moment;
use super::clients::Client;
use super::mailbox::Letter;
use crate::format::words::quoted;
use crate::wire::request::Args;
use minikit::sync::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The monitoring clients.
#[derive(Default)]
pub struct Monitors {
    any: AtomicBool,
    clients: Mutex<Vec<Arc<Client>>>,
}

impl Monitors {
    /// Adds a client.
    pub fn add(&self, client: &Arc<Client>) {
        self.clients.lock().push(Arc::clone(client));
        self.any.store(true, Ordering::Relaxed);
    }

    /// Removes a client, if it is there.
    pub fn remove(&self, id: u64) {
        let mut clients = self.clients.lock();
        clients.retain(|client| client.id != id);
        self.any.store(!clients.is_empty(), Ordering::Relaxed);
    }

    /// Whether anybody looks: one load, for every command.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Shows them a command.
    #[cold]
    pub fn show(&self, now: Moment, db: usize, by: &Client, args: Args) {
        let micros = (now.ms % 1000) * 1000 + i64::from(now.us);
        let head = format!("+{}.{micros:06} [{db} {}]", now.ms / 1000, by.address);
        let mut line = head.into_bytes();
        for argument in args.iter() {
            line.push(b' ');
            line.extend(quoted(argument));
        }
        line.extend(b"\r\n");
        let bytes: Arc<[u8]> = line.into();
        for client in self.clients.lock().iter() {
            client.mailbox.deliver(Letter::Message(Arc::clone(&bytes)));
        }
    }
}
