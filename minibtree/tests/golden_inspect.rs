//! Golden scripts of `minibtree explain`: what files hold, and what it says about damaged ones.
//!
//! ```text
//! insert 1..400          rows with keys 1 to 400: heap 1, B+tree 2, hash index 3
//! update 7               a new version of the row with key 7
//! delete 1..9            deletes rows
//! vacuum                 removes their entries
//! checkpoint             writes every page to its file
//! explain base/2         what the file holds; `explain base/2 0` each byte of page 0
//! damage base/2 100 ff   writes a byte
//! cut base/2 5000        cuts the file
//! ```
#![cfg(not(loom))]

use minibtree::engine::{Database, Heap, Index, Isolation, Options, Result};
use minibtree::format::{RelationId, Tid};
use minibtree_inspect::explain;
use minikit::storage::{Disk, SimulatedDisk};
use std::sync::Arc;

/// Lines of each list.
const PARTS_MAX: usize = 20;

#[test]
fn files() {
    let directory = format!("{}/tests/golden_inspect", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(directory, |_| {
        let mut files = Files::new().expect("an empty disk");
        move |line: &str| files.run(line)
    });
}

/// Random bytes in every part of every file: each file and page is explained or refused.
#[test]
fn damage_never_panics() {
    let mut files = Files::new().expect("an empty disk");
    files.run("insert 1..900");
    files.run("checkpoint");
    files.run("delete 1..9");
    let mut state = 7u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    let mut names: Vec<String> = (0..4).map(|number| format!("base/{number}")).collect();
    let segments = files.disk.list("wal").expect("a directory");
    names.extend(segments.iter().map(|it| format!("wal/{it}")));

    for _ in 0..400 {
        let name = &names[random(names.len() as u64) as usize];
        let file = files.disk.open(name).expect("a file");
        let length = file.len().expect("it is open");
        // Most fields are at the ends of a page.
        let at = match random(3) {
            0 => random(length),
            1 => random(length / 8192) * 8192 + random(64),
            _ => random(length / 8192) * 8192 + 8191 - random(64),
        };
        file.write_all_at(&[random(256) as u8], at).expect("the disk works");
        for block in [None, Some((at / 8192) as u32)] {
            _ = explain(&files.disk, name, block, PARTS_MAX);
        }
    }
}

struct Files {
    disk: SimulatedDisk,
    database: Database,
    heap: Heap,
    indexes: [Index; 2],
    rows: Vec<Tid>,
}

impl Files {
    fn new() -> Result<Files> {
        let disk = SimulatedDisk::new(1);
        let options = Options { wal_segment_bytes: 1 << 16, ..Options::default() };
        let database = Database::open(Arc::new(disk.clone()), options)?;
        let mut transaction = database.begin(Isolation::ReadCommitted);
        let heap = Heap::create(&mut transaction, RelationId(1))?;
        let tree = Index::create(&mut transaction, RelationId(2))?;
        let hash = Index::create_hash(&mut transaction, RelationId(3))?;
        transaction.commit()?;
        Ok(Files { disk, database, heap, indexes: [tree, hash], rows: Vec::new() })
    }

    fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["explain"] => self.explain("", None),
            ["explain", name] => self.explain(name, None),
            ["explain", name, block] => self.explain(name, Some(number(block) as u32)),
            ["damage", name, at, hex] => {
                let byte = u8::from_str_radix(hex, 16).expect("two digits");
                let file = self.disk.open(name).expect("a file");
                file.write_all_at(&[byte], number(at) as u64).expect("the disk works");
                "done".to_owned()
            }
            ["cut", name, length] => {
                let file = self.disk.open(name).expect("a file");
                file.truncate(number(length) as u64).expect("the disk works");
                "done".to_owned()
            }
            _ => self.change(&words).expect("no operation fails"),
        }
    }

    fn explain(&self, name: &str, block: Option<u32>) -> String {
        explain(&self.disk, name, block, PARTS_MAX)
            .unwrap_or_else(|error| format!("error: {error}"))
    }

    fn change(&mut self, words: &[&str]) -> Result<String> {
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        match words {
            ["insert", range] => {
                for key in numbers(range) {
                    let row = format!("row {key}");
                    let tid = self.heap.insert(&mut transaction, row.as_bytes())?;
                    let bytes = (key as u32).to_be_bytes();
                    for index in &self.indexes {
                        index.insert(&mut transaction, &bytes, tid, &[])?;
                    }
                    self.rows.push(tid);
                }
            }
            ["update", key] => {
                let tid = self.rows[number(key) - 1];
                let row = format!("row {key}, new");
                self.heap.update(&mut transaction, tid, row.as_bytes(), true)?;
            }
            ["delete", range] => {
                for key in numbers(range) {
                    self.heap.delete(&mut transaction, self.rows[key - 1])?;
                }
            }
            ["vacuum"] => _ = self.database.vacuum(&self.heap, &self.indexes)?,
            ["checkpoint"] => self.database.checkpoint()?,
            _ => panic!("unknown command {words:?}"),
        }
        transaction.commit()?;
        Ok("done".to_owned())
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn numbers(range: &str) -> std::ops::RangeInclusive<usize> {
    let (first, last) = range.split_once("..").expect("a range");
    number(first)..=number(last)
}
