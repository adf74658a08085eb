//! minibtree's engine: a heap and a B+tree index, as a table with a primary key has them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use minibtree::engine::{Database, Direction, Heap, Index, Isolation, KeyRange, Options, Snapshot};
use minibtree::format::RelationId;
use minikit::storage::DataDir;

use crate::{Key, ROW_BYTES, SCANNED, Store, row};

const HEAP: RelationId = RelationId(1);
const INDEX: RelationId = RelationId(2);

pub struct Minibtree {
    path: PathBuf,
    options: Options,
    /// `None` while it is opened again.
    open: Option<Open>,
    snapshot: Option<Arc<Snapshot>>,
    row: Vec<u8>,
}

struct Open {
    _directory: DataDir,
    database: Database,
    heap: Heap,
    index: Index,
}

impl Minibtree {
    fn open(&self) -> &Open {
        self.open.as_ref().expect("it is opened again at once")
    }

    fn snapshot(&mut self) -> Arc<Snapshot> {
        let database = &self.open.as_ref().expect("it is opened again at once").database;
        let begin = || database.begin(Isolation::RepeatableRead).snapshot();
        Arc::clone(self.snapshot.get_or_insert_with(begin))
    }
}

fn database(path: &Path, options: Options) -> (DataDir, Database) {
    let locked = DataDir::lock(path).expect("a directory of our own");
    let database = Database::open(Arc::new(locked.disk()), options).expect("the disk works");
    (locked, database)
}

impl Store for Minibtree {
    fn load(directory: &Path, keys: impl ExactSizeIterator<Item = Key>) -> Minibtree {
        // A page of the heap has 60 rows, a leaf of the index some 300 entries.
        let pool_pages = keys.len() / 32 + 4_096;
        let options = Options { synchronous_commit: false, pool_pages, ..Options::default() };
        let (locked, database) = database(directory, options);
        let mut transaction = database.begin(Isolation::ReadCommitted);
        let heap = Heap::create(&mut transaction, HEAP).expect("a new number");
        let index = Index::create(&mut transaction, INDEX).expect("a new number");
        for key in keys {
            let tid = heap.insert(&mut transaction, &row(key)).expect("the disk works");
            index.insert(&mut transaction, &key, tid, b"").expect("the disk works");
        }
        transaction.commit().expect("the disk works");
        let open = Some(Open { _directory: locked, database, heap, index });
        let path = directory.to_owned();
        Minibtree { path, options, open, snapshot: None, row: Vec::new() }
    }

    fn get(&mut self, key: Key) -> u8 {
        let (snapshot, range) = (self.snapshot(), KeyRange::equal(&key));
        let Open { heap, index, .. } = self.open.as_ref().expect("it is opened again at once");
        let mut scan = index.scan(Arc::clone(&snapshot), range, Direction::Forward);
        let tid = scan.next().expect("the disk works").expect("every key is there").tid;
        heap.fetch(tid, &snapshot, &mut self.row).expect("the disk works");
        self.row[0]
    }

    fn scan(&mut self, from: Key) -> usize {
        let (snapshot, range) = (self.snapshot(), KeyRange::all().at_least(&from));
        let Open { heap, index, .. } = self.open.as_ref().expect("it is opened again at once");
        let mut scan = index.scan(Arc::clone(&snapshot), range, Direction::Forward);
        let mut count = 0;
        while count < SCANNED
            && let Some(entry) = scan.next().expect("the disk works")
        {
            let tid = entry.tid;
            heap.fetch(tid, &snapshot, &mut self.row).expect("the disk works");
            count += usize::from(self.row.len() == ROW_BYTES);
        }
        count
    }

    fn put(&mut self, key: Key) {
        self.snapshot = None;
        let Open { database, heap, index, .. } = self.open();
        let mut transaction = database.begin(Isolation::ReadCommitted);
        let tid = heap.insert(&mut transaction, &row(key)).expect("the disk works");
        index.insert_unique(&mut transaction, heap, &key, tid, b"").expect("a new key");
        transaction.commit().expect("the disk works");
    }

    fn sync_commits(&mut self) {
        self.open().database.checkpoint().expect("the disk works");
        (self.snapshot, self.open) = (None, None);
        self.options.synchronous_commit = true;
        let (locked, database) = database(&self.path, self.options);
        let heap = database.heap(HEAP).expect("created before");
        let index = database.index(INDEX).expect("created before");
        self.open = Some(Open { _directory: locked, database, heap, index });
    }

    /// The log is synced (`fdatasync`) before the commit returns.
    fn commit(&mut self, key: Key) {
        self.put(key);
    }
}
