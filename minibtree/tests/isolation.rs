//! What transactions see of each other, as PostgreSQL's two levels behave, and threads that
//! update the same rows at once.
#![cfg(not(loom))]

use minibtree::engine::{
    Changed, Database, Direction, Error, Heap, Index, Isolation, KeyRange, LockMode, LockWait,
    Options, Result, Transaction,
};
use minibtree::format::{Lsn, RelationId, Tid};
use minikit::storage::{Faults, SimulatedDisk};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const READ_COMMITTED: Isolation = Isolation::ReadCommitted;
const REPEATABLE_READ: Isolation = Isolation::RepeatableRead;

struct Store {
    database: Database,
    heap: Heap,
    index: Index,
}

/// A database with one heap and one index, and rows `key=0`.
fn store(keys: &[&str]) -> Store {
    store_on(&SimulatedDisk::new(1), keys)
}

fn store_on(disk: &SimulatedDisk, keys: &[&str]) -> Store {
    let options = Options { wal_segment_bytes: 1 << 20, pool_pages: 64, ..Options::default() };
    let database = Database::open(Arc::new(disk.clone()), options).expect("an empty disk");
    let mut transaction = database.begin(READ_COMMITTED);
    let heap = Heap::create(&mut transaction, RelationId(1)).expect("a new number");
    let index = Index::create(&mut transaction, RelationId(2)).expect("a new number");
    let store = Store { database, heap, index };
    keys.iter().for_each(|key| store.insert(&mut transaction, key, 0).expect("a new key"));
    transaction.commit().expect("the disk works");
    store
}

impl Store {
    fn begin(&self, isolation: Isolation) -> Transaction {
        self.database.begin(isolation)
    }

    fn insert(&self, transaction: &mut Transaction, key: &str, value: u64) -> Result<()> {
        let key = format!("{key}\0").into_bytes();
        let tid = self.heap.insert(transaction, &value.to_le_bytes())?;
        self.index.insert_unique(transaction, &self.heap, &key, tid, b"")
    }

    /// The row that this statement sees.
    fn find(&self, transaction: &mut Transaction, key: &str) -> Result<Option<(Tid, u64)>> {
        let range = KeyRange::equal(format!("{key}\0").as_bytes());
        let snapshot = transaction.snapshot();
        let mut scan = self.index.scan(snapshot.clone(), range, Direction::Forward);
        let mut row = Vec::new();
        while let Some(entry) = scan.next()? {
            if let Some(tid) = self.heap.fetch(entry.tid, &snapshot, &mut row)? {
                return Ok(Some((tid, value(&row))));
            }
        }
        Ok(None)
    }

    fn read(&self, transaction: &mut Transaction, key: &str) -> Option<u64> {
        transaction.next_statement();
        self.find(transaction, key).expect("the disk works").map(|(_, value)| value)
    }

    /// `UPDATE .. SET value = value + 1`, as an executor does it: READ COMMITTED checks the newest
    /// version and tries again.
    fn increment(&self, transaction: &mut Transaction, key: &str) -> Result<bool> {
        transaction.next_statement();
        let Some((mut tid, mut old)) = self.find(transaction, key)? else { return Ok(false) };
        let index_key = format!("{key}\0").into_bytes();
        let mut row = Vec::new();
        loop {
            let new = (old + 1).to_le_bytes();
            match self.heap.update(transaction, tid, &new, true)? {
                Changed::Done { tid, needs_index_entries } => {
                    if needs_index_entries {
                        let (heap, index) = (&self.heap, &self.index);
                        index.insert_unique(transaction, heap, &index_key, tid, b"")?;
                    }
                    return Ok(true);
                }
                Changed::Updated { newest } => {
                    tid = newest;
                    assert!(self.heap.fetch_version(tid, &mut row)?, "the newest version is kept");
                    old = value(&row);
                }
                Changed::Deleted => return Ok(false),
            }
        }
    }
}

fn value(row: &[u8]) -> u64 {
    u64::from_le_bytes(row.try_into().expect("rows are numbers"))
}

#[test]
fn no_dirty_read() {
    let store = store(&["a"]);
    let (mut writer, mut reader) = (store.begin(READ_COMMITTED), store.begin(READ_COMMITTED));
    store.increment(&mut writer, "a").expect("free");
    assert_eq!(store.read(&mut writer, "a"), Some(1));
    assert_eq!(store.read(&mut reader, "a"), Some(0));
    drop(writer);
    assert_eq!(store.read(&mut reader, "a"), Some(0));
}

/// Syncs fail, so a commit stays as it is between its record and the end of the sync: others see
/// it, and know if they have. A vacuum leaves what a crash would bring back.
#[test]
fn a_commit_that_is_not_durable_is_noticed_by_those_that_meet_it() {
    let disk = SimulatedDisk::new(1);
    let store = store_on(&disk, &["a", "b"]);
    disk.set_faults(Faults { fail_sync: 1, ..Faults::default() });
    let mut writer = store.begin(READ_COMMITTED);
    let (tid, _) = store.find(&mut writer, "a").expect("readable").expect("inserted");
    store.heap.delete(&mut writer, tid).expect("free");
    assert!(matches!(writer.commit(), Err(Error::LogFailed(_))));

    let has_met = |key| {
        let (mut reader, seen) = (store.begin(READ_COMMITTED), Arc::new(AtomicU64::new(0)));
        reader.set_seen(Arc::clone(&seen));
        let found = store.read(&mut reader, key);
        (found, store.database.wait_durable(Lsn(seen.load(Ordering::Relaxed))).is_err())
    };
    assert_eq!(has_met("a"), (None, true));
    assert_eq!(has_met("b"), (Some(0), false));

    let indexes = std::slice::from_ref(&store.index);
    let vacuumed = store.database.vacuum(&store.heap, indexes).expect("writes no file");
    assert_eq!((vacuumed.rows, vacuumed.index_entries), (0, 0));
    assert_eq!(has_met("a"), (None, true));
}

#[test]
fn read_committed_sees_the_next_commit_and_repeatable_read_does_not() {
    let store = store(&["a"]);
    let (mut committed, mut repeatable) =
        (store.begin(READ_COMMITTED), store.begin(REPEATABLE_READ));
    assert_eq!(store.read(&mut committed, "a"), Some(0));
    assert_eq!(store.read(&mut repeatable, "a"), Some(0));
    let mut writer = store.begin(READ_COMMITTED);
    store.increment(&mut writer, "a").expect("free");
    store.insert(&mut writer, "b", 7).expect("a new key");
    writer.commit().expect("the disk works");
    assert_eq!(store.read(&mut committed, "a"), Some(1));
    assert_eq!(store.read(&mut committed, "b"), Some(7));
    assert_eq!(store.read(&mut repeatable, "a"), Some(0));
    assert_eq!(store.read(&mut repeatable, "b"), None);
    let update = store.increment(&mut repeatable, "a");
    assert!(matches!(update, Err(Error::Serialization)), "{update:?}");
}

#[test]
fn a_statement_does_not_see_its_own_changes() {
    let store = store(&["a", "b", "c"]);
    let mut transaction = store.begin(READ_COMMITTED);
    transaction.next_statement();
    let mut scan = store.heap.scan(transaction.snapshot());
    let mut seen = 0;
    while let Some(row) = scan.next().expect("the disk works") {
        let tid = row.tid;
        let new = store.heap.update(&mut transaction, tid, &9u64.to_le_bytes(), true);
        assert!(matches!(new, Ok(Changed::Done { .. })), "{new:?}");
        let again = store.heap.update(&mut transaction, tid, &8u64.to_le_bytes(), true);
        assert!(matches!(again, Ok(Changed::Deleted)), "{again:?}");
        seen += 1;
    }
    assert_eq!(seen, 3);
    assert_eq!(store.read(&mut transaction, "b"), Some(9));
}

#[test]
fn a_savepoint_undoes_what_came_after_it() {
    let store = store(&["a"]);
    let mut transaction = store.begin(READ_COMMITTED);
    store.increment(&mut transaction, "a").expect("free");
    let savepoint = transaction.savepoint();
    store.increment(&mut transaction, "a").expect("own");
    store.insert(&mut transaction, "b", 1).expect("a new key");
    assert_eq!(store.read(&mut transaction, "a"), Some(2));
    transaction.rollback_to(savepoint).expect("the disk works");
    assert_eq!(store.read(&mut transaction, "a"), Some(1));
    assert_eq!(store.read(&mut transaction, "b"), None);
    store.insert(&mut transaction, "b", 2).expect("the key is free again");
    store.increment(&mut transaction, "a").expect("own");
    transaction.commit().expect("the disk works");
    let mut reader = store.begin(READ_COMMITTED);
    assert_eq!(store.read(&mut reader, "a"), Some(2));
    assert_eq!(store.read(&mut reader, "b"), Some(2));
}

#[test]
fn a_row_inserted_and_deleted_by_one_transaction_is_seen_in_between_only() {
    let store = store(&[]);
    let mut transaction = store.begin(READ_COMMITTED);
    let before = transaction.snapshot();
    store.insert(&mut transaction, "a", 1).expect("a new key");
    transaction.next_statement();
    let between = transaction.snapshot();
    let (tid, _) = store.find(&mut transaction, "a").expect("works").expect("inserted");
    transaction.next_statement();
    store.heap.delete(&mut transaction, tid).expect("own");
    transaction.next_statement();
    let after = transaction.snapshot();
    let mut row = Vec::new();
    let seen = [before, between, after]
        .map(|it| store.heap.fetch(tid, &it, &mut row).expect("the disk works").is_some());
    assert_eq!(seen, [false, true, false]);
}

#[test]
fn a_unique_key_waits_for_the_other_transaction() {
    let store = store(&[]);
    for commits in [true, false] {
        let key = if commits { "a" } else { "b" };
        let mut first = store.begin(READ_COMMITTED);
        store.insert(&mut first, key, 1).expect("a new key");
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                let mut second = store.begin(READ_COMMITTED);
                let result = store.insert(&mut second, key, 2);
                if result.is_ok() {
                    second.commit().expect("the disk works");
                }
                result
            });
            match commits {
                true => first.commit().expect("the disk works"),
                false => drop(first),
            }
            let second = second.join().expect("no panic");
            match commits {
                true => assert!(matches!(second, Err(Error::UniqueViolation { .. }))),
                false => second.expect("the key became free"),
            }
        });
        let mut reader = store.begin(READ_COMMITTED);
        assert_eq!(store.read(&mut reader, key), Some(if commits { 1 } else { 2 }));
    }
}

#[test]
fn a_locked_row_is_refused_or_waited_for() {
    let store = store(&["a"]);
    let mut holder = store.begin(READ_COMMITTED);
    let (tid, _) = store.find(&mut holder, "a").expect("works").expect("inserted");
    let lock =
        |transaction: &mut Transaction, mode, wait| store.heap.lock(transaction, tid, mode, wait);
    lock(&mut holder, LockMode::Share, LockWait::Block).expect("free");
    let mut other = store.begin(READ_COMMITTED);
    lock(&mut other, LockMode::KeyShare, LockWait::Error).expect("compatible");
    let refused = lock(&mut other, LockMode::Update, LockWait::Error);
    assert!(matches!(refused, Err(Error::LockNotAvailable)), "{refused:?}");
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut waiter = store.begin(READ_COMMITTED);
            store.increment(&mut waiter, "a").expect("granted in the end");
            waiter.commit().expect("the disk works");
        });
        drop(holder);
        drop(other);
        waiter.join().expect("no panic");
    });
    let mut reader = store.begin(READ_COMMITTED);
    assert_eq!(store.read(&mut reader, "a"), Some(1));
}

#[test]
fn two_that_wait_for_each_other() {
    let store = store(&["a", "b"]);
    let run = |first: &str, second: &str, barrier: &std::sync::Barrier| -> Result<()> {
        let mut transaction = store.begin(READ_COMMITTED);
        store.increment(&mut transaction, first)?;
        barrier.wait();
        store.increment(&mut transaction, second)?;
        transaction.commit()
    };
    let barrier = std::sync::Barrier::new(2);
    let results = thread::scope(|scope| {
        let other = scope.spawn(|| run("b", "a", &barrier));
        [run("a", "b", &barrier), other.join().expect("no panic")]
    });
    let deadlocks = results.iter().filter(|it| matches!(it, Err(Error::Deadlock { .. })));
    assert!((1..=2).contains(&deadlocks.count()), "{results:?}");
}

/// The four sums of pgbench in small: two threads add to a hot row, to rows of their own choice,
/// and insert a row for each addition. Meanwhile a third one takes checkpoints and vacuums, and a
/// fourth one checks that no snapshot ever sees half of a transaction.
#[test]
fn sums_agree_under_load() {
    const ROUNDS: u64 = 300;

    let names: Vec<String> = (0..20).map(|number| format!("account {number}")).collect();
    let mut keys: Vec<&str> = names.iter().map(String::as_str).collect();
    keys.push("branch");
    let store = store(&keys);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let sums = |transaction: &mut Transaction| -> [u64; 3] {
        let branch = store.find(transaction, "branch").expect("works").expect("there").1;
        let accounts = names
            .iter()
            .map(|name| store.find(transaction, name).expect("works").expect("there").1);
        let accounts = accounts.sum();
        let mut scan = store.heap.scan(transaction.snapshot());
        let mut history = 0;
        while let Some(row) = scan.next().expect("works") {
            history += u64::from(value(row.bytes) == u64::MAX);
        }
        [branch, accounts, history]
    };

    thread::scope(|scope| {
        let writers: Vec<_> = (0..3u64)
            .map(|writer| {
                let (store, names) = (&store, &names);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let mut transaction = store.begin(READ_COMMITTED);
                        let account = &names[((round * 7 + writer * 3) % 20) as usize];
                        store.increment(&mut transaction, account).expect("no deadlock");
                        store.increment(&mut transaction, "branch").expect("no deadlock");
                        let history = u64::MAX.to_le_bytes();
                        store.heap.insert(&mut transaction, &history).expect("works");
                        if round % 10 == 9 {
                            drop(transaction);
                        } else {
                            transaction.commit().expect("works");
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Acquire) {
                let mut reader = store.begin(REPEATABLE_READ);
                let [branch, accounts, history] = sums(&mut reader);
                assert_eq!((branch, branch), (accounts, history));
            }
        });
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Acquire) {
                store.database.checkpoint().expect("works");
                let indexes = std::slice::from_ref(&store.index);
                store.database.vacuum(&store.heap, indexes).expect("works");
            }
        });
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        is_over.store(true, std::sync::atomic::Ordering::Release);
    });
    let expected = 3 * ROUNDS * 9 / 10;
    assert_eq!(sums(&mut store.begin(READ_COMMITTED)), [expected; 3]);
}
