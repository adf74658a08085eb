//! LMDB, sled, fjall and SQLite.

use std::hint::black_box;
use std::ops::Bound;
use std::path::Path;
use std::thread;
use std::time::Duration;

use fjall::{KeyspaceCreateOptions, PersistMode};
use heed::types::Bytes;
use heed::{CommitOrAbort, RoTxn, WithoutTls};

use crate::raw;
use crate::{Key, ROW_BYTES, SCANNED, Store, row};

/// Memory for all rows, with what a store needs beside them.
fn cache_bytes(rows: usize) -> usize {
    rows * 512 + (64 << 20)
}

pub struct Lmdb {
    // Before the environment: fields are dropped in this order.
    reader: Option<RoTxn<'static, WithoutTls>>,
    rows: heed::Database<'static, Bytes, Bytes>,
    environment: heed::Env<WithoutTls>,
}

impl Lmdb {
    fn insert(&mut self, keys: impl Iterator<Item = Key>) {
        self.reader = None;
        let mut transaction = self.environment.write_txn().expect("the disk works");
        for key in keys {
            self.rows.put(&mut transaction, &key, &row(key)).expect("the map is large enough");
        }
        transaction.commit().expect("the disk works");
    }

    fn reader(&mut self) -> &RoTxn<'static, WithoutTls> {
        let begin = || self.environment.clone().static_read_txn().expect("the only reader");
        self.reader.get_or_insert_with(begin)
    }
}

impl Store for Lmdb {
    fn load(directory: &Path, keys: impl ExactSizeIterator<Item = Key>) -> Lmdb {
        let map = cache_bytes(keys.len()).next_multiple_of(1 << 20);
        let environment = raw::open(directory, map).expect("an empty directory");
        let transaction = environment.write_txn().expect("the disk works");
        let created =
            environment.create_databases_and_commit(transaction, |opener, transaction| {
                let rows = opener.create_database(transaction, None)?;
                Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(rows))
            });
        let rows = created.expect("the disk works").unwrap_commit();
        let mut store = Lmdb { reader: None, rows, environment };
        store.insert(keys);
        store
    }

    fn get(&mut self, key: Key) -> u8 {
        let rows = self.rows;
        rows.get(self.reader(), &key).expect("the disk works").expect("every key is there")[0]
    }

    fn scan(&mut self, from: Key) -> usize {
        let (rows, range) = (self.rows, (Bound::Included(&from[..]), Bound::Unbounded));
        let rows = rows.range(self.reader(), &range).expect("the disk works");
        rows.take(SCANNED).inspect(|it| check(it.as_ref().expect("the disk works").1)).count()
    }

    fn put(&mut self, key: Key) {
        self.insert([key].into_iter());
    }

    fn sync_commits(&mut self) {
        self.reader = None;
        self.environment.force_sync().expect("the disk works");
        raw::sync_commits(&mut self.environment).expect("a flag that can be changed");
    }

    /// The file is synced (`fdatasync`), then its first page is written with O_DSYNC.
    fn commit(&mut self, key: Key) {
        self.put(key);
    }
}

/// Reads a row.
fn check(bytes: &[u8]) {
    assert_eq!(black_box(bytes).len(), ROW_BYTES);
}

pub struct Sled {
    rows: sled::Db,
}

impl Store for Sled {
    fn load(directory: &Path, keys: impl ExactSizeIterator<Item = Key>) -> Sled {
        let cache = cache_bytes(keys.len()) as u64;
        let config = sled::Config::new().path(directory).cache_capacity(cache);
        let mut store = Sled { rows: config.open().expect("an empty directory") };
        keys.for_each(|key| store.put(key));
        store.rows.flush().expect("the disk works");
        store
    }

    fn get(&mut self, key: Key) -> u8 {
        self.rows.get(key).expect("the disk works").expect("every key is there")[0]
    }

    fn scan(&mut self, from: Key) -> usize {
        let rows = self.rows.range(from..).take(SCANNED).map(|it| it.expect("the disk works"));
        rows.inspect(|(_, row)| check(row)).count()
    }

    fn put(&mut self, key: Key) {
        self.rows.insert(key, &row(key)[..]).expect("the disk works");
    }

    /// On Linux, sled 0.34 waits until the kernel has written the pages (`sync_file_range`), but
    /// does not ask the disk to empty its cache: less than the others promise.
    fn commit(&mut self, key: Key) {
        self.put(key);
        self.rows.flush().expect("the disk works");
    }
}

pub struct Fjall {
    database: fjall::Database,
    rows: fjall::Keyspace,
}

impl Store for Fjall {
    fn load(directory: &Path, keys: impl ExactSizeIterator<Item = Key>) -> Fjall {
        let builder = fjall::Database::builder(directory);
        let builder = builder.cache_size(cache_bytes(keys.len()) as u64);
        let database = builder.open().expect("an empty directory");
        let rows = database.keyspace("rows", KeyspaceCreateOptions::default);
        let mut store = Fjall { database, rows: rows.expect("the disk works") };
        keys.for_each(|key| store.put(key));

        // Its threads write and merge tables: not while another store is measured.
        while store.database.outstanding_flushes() + store.database.active_compactions() > 0 {
            thread::sleep(Duration::from_millis(50));
        }
        store
    }

    fn get(&mut self, key: Key) -> u8 {
        self.rows.get(key).expect("the disk works").expect("every key is there")[0]
    }

    fn scan(&mut self, from: Key) -> usize {
        let rows = self.rows.range(from..).take(SCANNED);
        rows.map(|it| it.value().expect("the disk works")).inspect(|row| check(row)).count()
    }

    fn put(&mut self, key: Key) {
        self.rows.insert(key, row(key)).expect("the disk works");
    }

    /// The journal is synced (`fsync`) before it returns.
    fn commit(&mut self, key: Key) {
        self.put(key);
        self.database.persist(PersistMode::SyncAll).expect("the disk works");
    }
}

pub struct Sqlite {
    connection: rusqlite::Connection,
    is_reading: bool,
}

impl Sqlite {
    fn set(&self, pragma: &str, value: &str) {
        self.connection.pragma_update(None, pragma, value).expect("a pragma that it knows");
    }

    /// Executes a statement that returns no rows.
    fn execute(&self, sql: &str) {
        let mut statement = self.connection.prepare_cached(sql).expect("SQL that it knows");
        statement.execute([]).expect("the disk works");
    }

    fn begin_reading(&mut self) {
        if !std::mem::replace(&mut self.is_reading, true) {
            self.execute("BEGIN");
        }
    }

    fn insert(&self, key: Key) {
        let sql = "INSERT INTO rows VALUES (?1, ?2)";
        let mut statement = self.connection.prepare_cached(sql).expect("SQL that it knows");
        statement.execute((&key, &row(key))).expect("the disk works");
    }
}

impl Store for Sqlite {
    fn load(directory: &Path, keys: impl ExactSizeIterator<Item = Key>) -> Sqlite {
        let connection = rusqlite::Connection::open(directory.join("sqlite"));
        let store =
            Sqlite { connection: connection.expect("an empty directory"), is_reading: false };
        store.set("journal_mode", "WAL");
        store.set("synchronous", "OFF");
        let cache_size = format!("-{}", cache_bytes(keys.len()) >> 10);
        store.set("cache_size", &cache_size);
        store.execute("CREATE TABLE rows (key BLOB PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID");
        store.execute("BEGIN");
        keys.for_each(|key| store.insert(key));
        store.execute("COMMIT");
        store
    }

    fn get(&mut self, key: Key) -> u8 {
        self.begin_reading();
        let sql = "SELECT row FROM rows WHERE key = ?1";
        let mut statement = self.connection.prepare_cached(sql).expect("SQL that it knows");
        let first_byte = |row: &rusqlite::Row| Ok(row.get_ref(0)?.as_blob()?[0]);
        statement.query_row([&key], first_byte).expect("every key is there")
    }

    fn scan(&mut self, from: Key) -> usize {
        self.begin_reading();
        let sql = "SELECT row FROM rows WHERE key >= ?1 ORDER BY key LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).expect("SQL that it knows");
        let mut rows = statement.query((&from, SCANNED as i64)).expect("a range");
        let mut count = 0;
        while let Some(row) = rows.next().expect("the disk works") {
            check(row.get_ref(0).and_then(|it| Ok(it.as_blob()?)).expect("a BLOB"));
            count += 1;
        }
        count
    }

    fn put(&mut self, key: Key) {
        if std::mem::take(&mut self.is_reading) {
            self.execute("COMMIT");
        }
        self.insert(key);
    }

    fn sync_commits(&mut self) {
        if std::mem::take(&mut self.is_reading) {
            self.execute("COMMIT");
        }
        self.set("synchronous", "FULL");
    }

    /// `synchronous = FULL`: the log is synced (`fdatasync`) before the statement returns.
    fn commit(&mut self, key: Key) {
        self.put(key);
    }
}
