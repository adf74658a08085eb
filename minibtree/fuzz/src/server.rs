//! A database in memory, with sessions and without sockets.

use minibtree::engine::{Database, Interrupt, Options};
use minibtree::sql::{Next, Session, Shared};
use minibtree::wire::{Message, Replies, SqlError};
use minikit::storage::{Disk, SimulatedDisk};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Where a database keeps its files.
const DIRECTORIES: [&str; 3] = ["", "base", "wal"];
/// A message that takes longer is canceled.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the targets find in the database: two tables, and an index of each kind.
const SCHEMA: &str = "\
    CREATE TABLE t (id int PRIMARY KEY, name text, price numeric, at timestamp); \
    CREATE TABLE u (id bigint, t_id int REFERENCES t, data bytea, ok bool); \
    CREATE INDEX u_hash ON u USING hash (t_id); \
    CREATE INDEX t_name ON t (name DESC) INCLUDE (price) WHERE id > 1; \
    INSERT INTO t VALUES (1, 'one', 1.5, '2024-02-29 12:00:00'), (2, NULL, -7, NULL), \
        (3, 'three', 0.001, 'epoch'); \
    INSERT INTO u VALUES (9223372036854775807, 1, '\\x00ff', true), (-1, 3, NULL, NULL);";

/// The files of a database with these tables: a checkpoint, and a change that only the log has.
pub static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let disk = SimulatedDisk::new(1);
    let shared = open(&disk).expect("an empty disk");
    let mut client = Client::new(&shared);
    client.query(SCHEMA);
    shared.database.checkpoint().expect("the disk works");
    client.query("UPDATE t SET price = 2 WHERE id = 1");

    let mut files = Vec::new();
    for directory in DIRECTORIES {
        for name in disk.list(directory).expect("the directory is there") {
            let name = format!("{directory}/{name}");
            let name = name.trim_start_matches('/');
            // Of the names in the root two are directories.
            let Ok(file) = disk.open(name) else { continue };
            let mut bytes = vec![0; file.len().expect("it is open") as usize];
            file.read_exact_at(&mut bytes, 0).expect("it is as long");
            files.push((name.to_owned(), bytes));
        }
    }
    files
});

/// A disk with these files.
pub fn disk_of(files: &[(String, Vec<u8>)]) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    for directory in &DIRECTORIES[1..] {
        disk.create_dir(directory).expect("the disk is empty");
    }
    for (name, bytes) in files {
        let file = disk.create(name).expect("the disk is empty");
        file.write_all_at(bytes, 0).expect("the disk has room");
    }
    disk
}

/// Opens the database on a disk, and its catalog.
pub fn open(disk: &SimulatedDisk) -> Result<Arc<Shared>, SqlError> {
    let options = Options { pool_pages: 64, wal_segment_bytes: 16 << 10, ..Options::default() };
    let database = Database::open(Arc::new(disk.clone()), options)?;
    Shared::new(database, || 0).map(Arc::new)
}

/// A client of a database that no input has changed.
pub fn new_client() -> Client {
    Client::new(&open(&disk_of(&FILES)).expect("the files are intact"))
}

/// A session whose statements are canceled when they take too long.
pub struct Client {
    session: Session,
    /// Hears of the start and of the end of each message. None while it is dropped.
    watched: Option<Sender<()>>,
    watchdog: Option<JoinHandle<()>>,
}

impl Client {
    /// A session of a database.
    pub fn new(shared: &Arc<Shared>) -> Client {
        let interrupt = Interrupt::default();
        let (watched, messages) = mpsc::channel();
        let canceled = interrupt.clone();
        let watchdog = thread::spawn(move || {
            while messages.recv().is_ok() {
                // The next word says that the message is handled.
                while let Err(mpsc::RecvTimeoutError::Timeout) = messages.recv_timeout(PATIENCE) {
                    canceled.cancel();
                }
            }
        });
        let session = Session::new(Arc::clone(shared), interrupt);
        Client { session, watched: Some(watched), watchdog: Some(watchdog) }
    }

    /// Handles a message, and forgets the rows as a socket does. Returns what is next, and the
    /// last replies.
    pub fn handle(&mut self, message: Message<'_>) -> (Next, Replies) {
        self.tell_watchdog();
        let mut replies = Replies::default();
        self.session.wake();
        let mut next = self.session.handle(message, &mut replies);
        while next == Next::Resume {
            check_frames(replies.bytes());
            replies.clear();
            next = self.session.resume(&mut replies);
        }
        self.tell_watchdog();
        self.session.settle().expect("the log is written");
        check_frames(replies.bytes());
        (next, replies)
    }

    fn tell_watchdog(&self) {
        let watched = self.watched.as_ref().expect("it is not dropped");
        watched.send(()).expect("the watchdog listens as long as the client is there");
    }

    /// Executes statements. Returns the replies.
    pub fn query(&mut self, sql: &str) -> Vec<u8> {
        self.handle(Message::Query(sql)).1.bytes().to_vec()
    }
}

impl Drop for Client {
    /// Waits for the watchdog: the sanitizer counts the memory of a thread that is ending as lost.
    fn drop(&mut self) {
        self.watched = None;
        self.watchdog.take().map(JoinHandle::join);
    }
}

/// Every reply is a letter and a body of the length that it states.
fn check_frames(mut bytes: &[u8]) {
    while let Some((_, rest)) = bytes.split_first() {
        let length = rest.first_chunk::<4>().expect("a length follows the letter");
        let length = u32::from_be_bytes(*length) as usize;
        assert!(length >= 4, "the length counts itself");
        bytes = rest.get(length..).expect("the body is as long as it says");
    }
}

/// The rows among replies.
pub fn rows(mut replies: &[u8]) -> Vec<&[u8]> {
    let mut rows = Vec::new();
    while let [letter, a, b, c, d, ..] = *replies {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if letter == b'D' {
            rows.push(&replies[5..1 + length]);
        }
        replies = &replies[1 + length..];
    }
    rows
}
