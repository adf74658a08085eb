//! minibtree's engine against embedded stores: a lookup by key with its row, a scan of a hundred
//! entries with their rows, an insertion.
//!
//! `cargo bench -p benches --bench btree`; with `-- /1k/` only the small one.
//!
//! Keys are 8 bytes, hashed so that their order is random; rows are 100 bytes; everything fits
//! memory. Writes do not wait for the disk in any of them (a durable commit measures the disk).
//! `BTreeMap` is the floor: it has no pages, no transactions and no file.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use minibtree::engine::{Database, Direction, Heap, Index, Isolation, KeyRange, Options, Snapshot};
use minibtree::format::RelationId;
use minikit::storage::DataDir;

const SIZES: [(u64, &str); 2] = [(1_000, "1k"), (1_000_000, "1M")];
const ROW_BYTES: usize = 100;
const SCANNED: usize = 100;

/// A store with `keys` rows.
trait Store {
    const NAME: &'static str;

    fn load(directory: &Path, keys: u64) -> Self;

    /// Looks a key up, and returns a byte of its row.
    fn get(&mut self, key: [u8; 8]) -> u8;

    /// Reads rows from a key on, and returns how many there were.
    fn scan(&mut self, from: [u8; 8]) -> usize;

    /// Adds a row with a new key.
    fn insert(&mut self, key: [u8; 8]);
}

/// The key of a number: a bijection, so keys of different numbers differ.
fn key(number: u64) -> [u8; 8] {
    (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32).to_be_bytes()
}

fn row(key: [u8; 8]) -> [u8; ROW_BYTES] {
    [key[7]; ROW_BYTES]
}

struct Minibtree {
    _directory: DataDir,
    database: Database,
    heap: Heap,
    index: Index,
    snapshot: Arc<Snapshot>,
    row: Vec<u8>,
}

impl Store for Minibtree {
    const NAME: &'static str = "minibtree";

    fn load(directory: &Path, keys: u64) -> Minibtree {
        let locked = DataDir::lock(directory).expect("a directory of our own");
        let options =
            Options { synchronous_commit: false, pool_pages: 65_536, ..Options::default() };
        let disk = Arc::new(locked.disk());
        let database = Database::open(disk, options).expect("an empty directory");
        let mut transaction = database.begin(Isolation::ReadCommitted);
        let heap = Heap::create(&mut transaction, RelationId(1)).expect("a new number");
        let index = Index::create(&mut transaction, RelationId(2)).expect("a new number");
        let mut entries = index.spool(64 << 20);
        for key in (0..keys).map(key) {
            let tid = heap.insert(&mut transaction, &row(key)).expect("the disk works");
            entries.add(&key, tid, b"", true).expect("the disk works");
        }
        index.build(&mut transaction, entries).expect("no duplicates");
        transaction.commit().expect("the disk works");
        let snapshot = database.begin(Isolation::RepeatableRead).snapshot();
        Minibtree { _directory: locked, database, heap, index, snapshot, row: Vec::new() }
    }

    fn get(&mut self, key: [u8; 8]) -> u8 {
        let range = KeyRange::equal(&key);
        let mut scan = self.index.scan(Arc::clone(&self.snapshot), range, Direction::Forward);
        let tid = scan.next().expect("the disk works").expect("every key is there").tid;
        self.heap.fetch(tid, &self.snapshot, &mut self.row).expect("the disk works");
        self.row[0]
    }

    fn scan(&mut self, from: [u8; 8]) -> usize {
        let range = KeyRange::all().at_least(&from);
        let mut scan = self.index.scan(Arc::clone(&self.snapshot), range, Direction::Forward);
        let mut count = 0;
        while count < SCANNED
            && let Some(entry) = scan.next().expect("the disk works")
        {
            let tid = entry.tid;
            self.heap.fetch(tid, &self.snapshot, &mut self.row).expect("the disk works");
            count += usize::from(self.row.len() == ROW_BYTES);
        }
        count
    }

    fn insert(&mut self, key: [u8; 8]) {
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        let tid = self.heap.insert(&mut transaction, &row(key)).expect("the disk works");
        let index = &self.index;
        index.insert_unique(&mut transaction, &self.heap, &key, tid, b"").expect("a new key");
        transaction.commit().expect("the disk works");
    }
}

impl Store for BTreeMap<[u8; 8], [u8; ROW_BYTES]> {
    const NAME: &'static str = "BTreeMap";

    fn load(_: &Path, keys: u64) -> Self {
        (0..keys).map(key).map(|key| (key, row(key))).collect()
    }

    fn get(&mut self, key: [u8; 8]) -> u8 {
        BTreeMap::get(self, &key).expect("every key is there")[0]
    }

    fn scan(&mut self, from: [u8; 8]) -> usize {
        self.range(from..).take(SCANNED).inspect(|(_, row)| _ = black_box(**row)).count()
    }

    fn insert(&mut self, key: [u8; 8]) {
        BTreeMap::insert(self, key, row(key));
    }
}

const TABLE: redb::TableDefinition<[u8; 8], [u8; ROW_BYTES]> = redb::TableDefinition::new("rows");

struct Redb {
    database: redb::Database,
    table: redb::ReadOnlyTable<[u8; 8], [u8; ROW_BYTES]>,
}

fn read_table(database: &redb::Database) -> redb::ReadOnlyTable<[u8; 8], [u8; ROW_BYTES]> {
    use redb::ReadableDatabase;

    let transaction = database.begin_read().expect("the disk works");
    transaction.open_table(TABLE).expect("created before")
}

impl Store for Redb {
    const NAME: &'static str = "redb";

    fn load(directory: &Path, keys: u64) -> Redb {
        let database = redb::Database::create(directory.join("redb")).expect("an empty directory");
        let transaction = database.begin_write().expect("the disk works");
        let mut table = transaction.open_table(TABLE).expect("the disk works");
        (0..keys).map(key).for_each(|key| {
            table.insert(key, row(key)).expect("the disk works");
        });
        drop(table);
        transaction.commit().expect("the disk works");
        let table = read_table(&database);
        Redb { database, table }
    }

    fn get(&mut self, key: [u8; 8]) -> u8 {
        self.table.get(key).expect("the disk works").expect("every key is there").value()[0]
    }

    fn scan(&mut self, from: [u8; 8]) -> usize {
        let range = self.table.range(from..).expect("the disk works");
        let rows = range.take(SCANNED).map(|it| it.expect("the disk works"));
        rows.inspect(|(_, row)| _ = black_box(row.value())).count()
    }

    fn insert(&mut self, key: [u8; 8]) {
        let mut transaction = self.database.begin_write().expect("the disk works");
        let durability = transaction.set_durability(redb::Durability::None);
        durability.expect("no savepoint is open");
        let mut table = transaction.open_table(TABLE).expect("created before");
        table.insert(key, row(key)).expect("the disk works");
        drop(table);
        transaction.commit().expect("the disk works");
    }
}

fn run<S: Store>(criterion: &mut Criterion, (keys, name): (u64, &str)) {
    let directory = scratch(S::NAME, name);
    let mut store = S::load(&directory, keys);
    let mut number = 0;
    let mut next = move || {
        number = (number + 7_919) % keys;
        number
    };

    let mut group = criterion.benchmark_group(format!("lookup/{name}"));
    group.bench_function(S::NAME, |bencher| {
        bencher.iter(|| {
            let key = key(next());
            assert_eq!(store.get(key), key[7]);
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group(format!("range/{name}"));
    group.bench_function(S::NAME, |bencher| {
        bencher.iter(|| store.scan(key(next())));
    });
    group.finish();

    let mut new = keys;
    let mut group = criterion.benchmark_group(format!("insert/{name}"));
    group.bench_function(S::NAME, |bencher| {
        bencher.iter(|| {
            store.insert(key(new));
            new += 1;
        });
    });
    group.finish();
    drop(store);
    std::fs::remove_dir_all(directory).expect("ours");
}

/// A directory of this process.
fn scratch(store: &str, size: &str) -> PathBuf {
    let name = format!("minibtree-bench-{}-{store}-{size}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).expect("the temporary directory is writable");
    path
}

fn everything(criterion: &mut Criterion) {
    for size in SIZES {
        run::<Minibtree>(criterion, size);
        run::<BTreeMap<[u8; 8], [u8; ROW_BYTES]>>(criterion, size);
        run::<Redb>(criterion, size);
    }
}

criterion_group!(benches, everything);
criterion_main!(benches);
