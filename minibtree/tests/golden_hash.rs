//! Golden scripts of the hash index: what happens to buckets, by phenomenon.
//!
//! ```text
//! insert 1..400      the keys 1 to 400 in this order, each with a row
//! equal 900 word     as many rows with one key; `delete 0..0` deletes them
//! file               pages of the index
//! build 1..400       an empty index from all entries at once
//! delete 1..400      deletes rows; their entries stay until `vacuum`
//! vacuum
//! buckets            how many, fill, overflow pages, pages read by a look-up
//! bucket 3           one bucket
//! remember           a second handle, which remembers how many buckets there are now
//! find 7             look-up through the first handle; `late 7` through the second
//! ```
#![cfg(not(loom))]

use minibtree::engine::{
    BucketSummary, Database, Direction, Heap, Index, Isolation, KeyRange, Options, Result,
};
use minibtree::format::{PAGE_SIZE, RelationId, Tid};
use minikit::storage::SimulatedDisk;
use std::sync::Arc;

const INDEX: RelationId = RelationId(2);

#[test]
fn hash() {
    let directory = format!("{}/tests/golden_hash", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(directory, |_| {
        let mut table = Table::new().expect("an empty disk");
        move |line: &str| table.run(line).expect("no operation fails")
    });
}

struct Table {
    database: Database,
    heap: Heap,
    index: Index,
    late: Option<Index>,
    rows: Vec<(u64, Tid)>,
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn numbers(range: &str) -> std::ops::RangeInclusive<u64> {
    let (a, b) = range.split_once("..").expect("a range");
    number(a)..=number(b)
}

impl Table {
    fn new() -> Result<Table> {
        let options = Options { pool_pages: 256, wal_segment_bytes: 1 << 20, ..Options::default() };
        let database = Database::open(Arc::new(SimulatedDisk::new(1)), options)?;
        let mut transaction = database.begin(Isolation::ReadCommitted);
        let heap = Heap::create(&mut transaction, RelationId(1))?;
        let index = Index::create_hash(&mut transaction, INDEX)?;
        transaction.commit()?;
        Ok(Table { database, heap, index, late: None, rows: Vec::new() })
    }

    fn run(&mut self, line: &str) -> Result<String> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "insert" => self.insert(rest),
            "equal" => {
                let (count, word) = rest.split_once(' ').expect("a count and a word");
                let mut transaction = self.database.begin(Isolation::ReadCommitted);
                for _ in 0..number(count) {
                    let tid = self.heap.insert(&mut transaction, b"row")?;
                    self.index.insert(&mut transaction, word.as_bytes(), tid, b"")?;
                    self.rows.push((0, tid));
                }
                transaction.commit()?;
                Ok(String::new())
            }
            "build" => {
                let mut transaction = self.database.begin(Isolation::ReadCommitted);
                let mut entries = self.index.spool(1 << 20);
                for key in numbers(rest) {
                    let tid = self.heap.insert(&mut transaction, b"row")?;
                    self.rows.push((key, tid));
                    entries.add(&key.to_be_bytes(), tid, b"", true)?;
                }
                self.index.build(&mut transaction, entries)?;
                transaction.commit()?;
                Ok(String::new())
            }
            "delete" => {
                let range = numbers(rest);
                let mut transaction = self.database.begin(Isolation::ReadCommitted);
                for (_, tid) in self.rows.iter().filter(|(key, _)| range.contains(key)) {
                    self.heap.delete(&mut transaction, *tid)?;
                }
                self.rows.retain(|(key, _)| !range.contains(key));
                transaction.commit()?;
                Ok(String::new())
            }
            "vacuum" => {
                let indexes = std::slice::from_ref(&self.index);
                let vacuumed = self.database.vacuum(&self.heap, indexes)?;
                Ok(format!("{} entries removed", vacuumed.index_entries))
            }
            "buckets" => self.buckets(),
            "file" => Ok(format!("{} pages", self.index.pages())),
            "bucket" => {
                let found = self.index.bucket(number(rest) as u32)?;
                Ok(found.map_or("no such bucket".into(), |it| show(number(rest), &it)))
            }
            "remember" => {
                self.late = Some(self.database.index(INDEX)?);
                Ok(String::new())
            }
            "find" => self.find(&self.index, number(rest)),
            "late" => self.find(self.late.as_ref().expect("after `remember`"), number(rest)),
            other => panic!("no command {other}"),
        }
    }

    fn insert(&mut self, range: &str) -> Result<String> {
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        let (mut bytes, mut count) = (0, 0);
        for key in numbers(range) {
            let tid = self.heap.insert(&mut transaction, b"row")?;
            let before = self.database.wal_end().0;
            self.index.insert(&mut transaction, &key.to_be_bytes(), tid, b"")?;
            bytes += self.database.wal_end().0 - before;
            count += 1;
            self.rows.push((key, tid));
        }
        transaction.commit()?;
        Ok(format!("{} bytes of log per entry", bytes / count))
    }

    fn buckets(&self) -> Result<String> {
        let mut all = Vec::new();
        while let Some(bucket) = self.index.bucket(all.len() as u32)? {
            all.push(bucket);
        }
        let pages: usize = all.iter().map(|it| it.entries.len()).sum();
        let entries: usize = all.iter().flat_map(|it| &it.entries).sum();
        let used: usize = all.iter().map(|it| it.used_bytes).sum();
        // A look-up reads all pages of its bucket.
        let reads: usize =
            all.iter().map(|it| it.entries.len() * it.entries.iter().sum::<usize>()).sum();
        Ok(format!(
            "{} buckets and {} overflow pages, {entries} entries, {} % full, {:.2} pages a look-up",
            all.len(),
            pages - all.len(),
            used * 100 / (pages * PAGE_SIZE),
            reads as f64 / entries.max(1) as f64,
        ))
    }

    fn find(&self, index: &Index, key: u64) -> Result<String> {
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        let range = KeyRange::equal(&key.to_be_bytes());
        let mut scan = index.scan(transaction.snapshot(), range, Direction::Forward);
        let found = scan.next()?;
        Ok(found.map_or("not found".into(), |entry| format!("found, row {}", entry.tid)))
    }
}

fn show(number: u64, bucket: &BucketSummary) -> String {
    let BucketSummary { block, depth, entries, .. } = bucket;
    let entries: Vec<String> = entries.iter().map(usize::to_string).collect();
    let bits =
        (0..u64::from(*depth)).rev().map(|bit| if number >> bit & 1 == 1 { '1' } else { '0' });
    let bits = bits.collect::<String>();
    format!("page {block}, hashes ..{bits}, entries {}", entries.join(" + "))
}
