//! redb.

use std::hint::black_box;
use std::path::Path;

use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition};

use crate::{Key, ROW_BYTES, SCANNED, Store, row};

const TABLE: TableDefinition<Key, [u8; ROW_BYTES]> = TableDefinition::new("rows");

pub struct Redb {
    database: Database,
    table: Option<ReadOnlyTable<Key, [u8; ROW_BYTES]>>,
}

impl Redb {
    fn table(&mut self) -> &ReadOnlyTable<Key, [u8; ROW_BYTES]> {
        self.table.get_or_insert_with(|| {
            let transaction = self.database.begin_read().expect("the disk works");
            transaction.open_table(TABLE).expect("created before")
        })
    }

    fn insert(&mut self, keys: impl Iterator<Item = Key>, durability: Durability) {
        self.table = None;
        let mut transaction = self.database.begin_write().expect("the disk works");
        transaction.set_durability(durability).expect("no savepoint is open");
        let mut table = transaction.open_table(TABLE).expect("the disk works");
        keys.for_each(|key| {
            table.insert(key, row(key)).expect("the disk works");
        });
        drop(table);
        transaction.commit().expect("the disk works");
    }
}

impl Store for Redb {
    fn load(directory: &Path, keys: impl ExactSizeIterator<Item = Key>) -> Redb {
        let mut builder = Database::builder();
        let builder = builder.set_cache_size(keys.len() * 512 + (64 << 20));
        let database = builder.create(directory.join("redb")).expect("an empty directory");
        let mut store = Redb { database, table: None };
        store.insert(keys, Durability::Immediate);
        store
    }

    fn get(&mut self, key: Key) -> u8 {
        self.table().get(key).expect("the disk works").expect("every key is there").value()[0]
    }

    fn scan(&mut self, from: Key) -> usize {
        let range = self.table().range(from..).expect("the disk works");
        let rows = range.take(SCANNED).map(|it| it.expect("the disk works"));
        rows.inspect(|(_, row)| _ = black_box(row.value())).count()
    }

    fn put(&mut self, key: Key) {
        self.insert([key].into_iter(), Durability::None);
    }

    /// The file is synced (`fdatasync`) before the commit returns.
    fn commit(&mut self, key: Key) {
        self.insert([key].into_iter(), Durability::Immediate);
    }
}
