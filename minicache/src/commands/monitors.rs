//! The clients in `MONITOR`, which receive every command (`replicationFeedMonitors` in
//! `replication.c`). The line has the time, the database, the sender and the arguments:
//!
//! ```text
//! +1795365307.563614 [0 127.0.0.1:54668] "SET" "k" "v"
//! ```

use super::secrets::redacted;
use crate::engine::{clients::Client, mailbox::Message, timestamp::Timestamp};
use crate::format::words::quoted;
use crate::wire::request::Args;
use minikit::sync::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Default)]
pub struct Monitors {
    any: AtomicBool,
    clients: Mutex<Vec<Arc<Client>>>,
}

impl Monitors {
    pub fn add(&self, client: &Arc<Client>) {
        self.clients.lock().push(Arc::clone(client));
        self.any.store(true, Ordering::Relaxed);
    }

    pub fn remove(&self, id: u64) {
        let mut clients = self.clients.lock();
        clients.retain(|client| client.id != id);
        self.any.store(!clients.is_empty(), Ordering::Relaxed);
    }

    /// Returns true if a client monitors. Every command asks, so it is one load.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Sends a command to all monitoring clients.
    #[cold]
    pub fn show(&self, now: Timestamp, db: usize, sender: &str, args: Args) {
        let micros = (now.ms % 1000) * 1000 + i64::from(now.us);
        let mut line = format!("{}.{micros:06} [{db} {}]", now.ms / 1000, sender);
        for argument in redacted(args).as_args().iter() {
            line.push(' ');
            line.push_str(&String::from_utf8_lossy(&quoted(argument)));
        }
        let line: Arc<str> = line.into();
        for client in self.clients.lock().iter() {
            client.mailbox.deliver(Message::Monitored(Arc::clone(&line)));
        }
    }
}
