//! Who waits for what: clients in `BLPOP` and its kin (`blocked.c`).
//!
//! A blocking command that finds nothing leaves a [`Ticket`]: itself, word for word, and the keys
//! it waits for. Whoever puts something under such a key runs the command of the first in the queue
//! again, on its behalf, and posts the reply.
//!
//! ```text
//! client 7: BLPOP jobs 0      jobs is empty -> ticket 1 {BLPOP jobs 0}, queue of jobs: [1]
//! client 8: BLPOP jobs 0      queue of jobs: [1, 2]
//! client 9: RPUSH jobs a      1. pushes  2. sees the queue
//!                             3. runs ticket 1's BLPOP: it pops a, reply to 7's mailbox
//!                             4. runs ticket 2's: nothing there, it goes on waiting
//!                             5. gets its own reply: 1
//! ```
//!
//! **No element is missed.** A ticket is written while the locks of its keys' shards are held, and
//! a push looks at the queue after it held the lock of that shard: one of the two came first, and
//! either the command saw the element or the push sees the ticket. `tests/loom_blocking.rs` checks
//! it.

use super::clients::Client;
use crate::commands::Command;
use crate::wire::reply::Protocol;
use crate::wire::request::OwnedArgs;
use minikit::sync::Mutex;
use minikit::sync::atomic::{AtomicUsize, Ordering};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// A database and a key in it.
pub type Place = (usize, Box<[u8]>);

/// A command that waits.
#[derive(Clone)]
pub struct Ticket {
    /// Whose it is.
    pub client: Arc<Client>,
    /// What is to be run again.
    pub command: &'static Command,
    /// Its arguments.
    pub args: OwnedArgs,
    /// The database it was sent to.
    pub db: usize,
    /// How its reply is to be written.
    pub protocol: Protocol,
    /// The keys it waits for.
    pub keys: Vec<Box<[u8]>>,
    /// Unix milliseconds when it gives up; `None` never.
    pub deadline_ms: Option<i64>,
}

/// What became of an attempt to withdraw a ticket.
pub enum Withdrawal {
    /// It is out: its client may be told so.
    Out,
    /// Somebody is running its command this moment; ask again shortly.
    Busy,
    /// It was served: the reply is in its client's mailbox.
    Served,
}

struct Queued {
    ticket: Ticket,
    claimed: bool,
}

#[derive(Default)]
struct Queues {
    tickets: BTreeMap<u64, Queued>,
    by_key: HashMap<Place, VecDeque<u64>>,
    last: u64,
}

/// All tickets; see the head of the file.
#[derive(Default)]
pub struct Waiting {
    queues: Mutex<Queues>,
    count: AtomicUsize,
}

impl Waiting {
    /// How many commands wait. Read without the lock: most pushes look no further.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Queues a ticket behind all others of its keys. Call it with the shards of its keys locked.
    pub fn enter(&self, ticket: Ticket) -> u64 {
        let mut queues = self.queues.lock();
        queues.last += 1;
        let id = queues.last;
        for key in &ticket.keys {
            queues.by_key.entry((ticket.db, key.clone())).or_default().push_back(id);
        }
        queues.tickets.insert(id, Queued { ticket, claimed: false });
        self.count.store(queues.tickets.len(), Ordering::SeqCst);
        id
    }

    /// Claims a ticket in order to run its command; false where it is gone. Call it with the shards
    /// of its keys locked, and [`resume`](Self::resume) or [`finish`](Self::finish) it before they
    /// are given back.
    pub fn claim(&self, id: u64) -> bool {
        let mut queues = self.queues.lock();
        queues.tickets.get_mut(&id).map(|queued| queued.claimed = true).is_some()
    }

    /// Lets a claimed ticket go on waiting.
    pub fn resume(&self, id: u64) {
        if let Some(queued) = self.queues.lock().tickets.get_mut(&id) {
            queued.claimed = false;
        }
    }

    /// Takes a ticket out for good, claimed or not: it was served, or its client has gone. Whoever
    /// runs the command of one that has gone finds that out at the end.
    pub fn finish(&self, id: u64) {
        self.remove(&mut self.queues.lock(), id);
    }

    /// Takes a ticket out because its client waits no longer.
    pub fn withdraw(&self, id: u64) -> Withdrawal {
        let mut queues = self.queues.lock();
        match queues.tickets.get(&id) {
            None => Withdrawal::Served,
            Some(queued) if queued.claimed => Withdrawal::Busy,
            Some(_) => {
                self.remove(&mut queues, id);
                Withdrawal::Out
            }
        }
    }

    fn remove(&self, queues: &mut Queues, id: u64) {
        let Some(Queued { ticket, .. }) = queues.tickets.remove(&id) else { return };
        for key in ticket.keys {
            let place = (ticket.db, key);
            if let Some(queue) = queues.by_key.get_mut(&place) {
                queue.retain(|other| *other != id);
                if queue.is_empty() {
                    queues.by_key.remove(&place);
                }
            }
        }
        self.count.store(queues.tickets.len(), Ordering::SeqCst);
    }

    /// The tickets that wait for a key, the first come first.
    pub fn queue(&self, place: &Place) -> Vec<u64> {
        self.queues
            .lock()
            .by_key
            .get(place)
            .map(|ids| ids.iter().copied().collect())
            .unwrap_or_default()
    }

    /// A copy of a ticket, where it still waits.
    pub fn get(&self, id: u64) -> Option<Ticket> {
        self.queues.lock().tickets.get(&id).map(|queued| queued.ticket.clone())
    }

    /// The ticket of a client that waits.
    pub fn of_client(&self, client: u64) -> Option<u64> {
        let queues = self.queues.lock();
        let mut tickets = queues.tickets.iter();
        tickets.find(|(_, queued)| queued.ticket.client.id == client).map(|(id, _)| *id)
    }

    /// The keys of a database that somebody waits for.
    pub fn keys_of(&self, db: usize) -> Vec<Box<[u8]>> {
        let queues = self.queues.lock();
        queues.by_key.keys().filter(|place| place.0 == db).map(|place| place.1.clone()).collect()
    }
}
