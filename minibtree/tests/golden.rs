//! Golden scripts of the B+tree: what happens to pages, by phenomenon.
//!
//! ```text
//! insert 1..400      keys 1 to 400 in this order, each with a row; also 400..1
//! shuffled 1..400    the same keys in a seeded random order
//! build 1..400       the index of an empty tree from sorted entries
//! long 1..400        keys of 100 bytes that begin with these numbers
//! equal 9 word       as many rows with one key
//! delete 1..400      deletes rows; their entries stay until `vacuum`
//! vacuum
//! tree               nodes, entries and fill of each level, and the mean length of separators
//! node 3             one node
//! scan 5..9          the keys of a range; `back 5..9` in the other direction
//! naive 7            the naive search reads the root, `look` lets it read the leaf
//! find 7             the real search
//! ```
#![cfg(not(loom))]

use minibtree::engine::{
    Database, Direction, Heap, Index, Isolation, KeyRange, NaiveSearch, NodeSummary, Options,
    Result,
};
use minibtree::format::{PAGE_SIZE, RelationId, Tid};
use minikit::storage::SimulatedDisk;
use std::fmt::Write;
use std::sync::Arc;

#[test]
fn btree() {
    let directory = format!("{}/tests/golden", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(directory, |_| {
        let mut tree = Tree::new().expect("an empty disk");
        move |line: &str| tree.run(line).expect("no operation fails")
    });
}

struct Tree {
    database: Database,
    heap: Heap,
    index: Index,
    rows: Vec<(Vec<u8>, Tid)>,
    naive: Option<(NaiveSearch, Vec<u8>)>,
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// The numbers `a..b`, both included, in this order.
fn numbers(range: &str) -> Vec<u64> {
    let (a, b) = range.split_once("..").expect("a range");
    let (a, b) = (number(a), number(b));
    if a <= b { (a..=b).collect() } else { (b..=a).rev().collect() }
}

/// Swaps numbers as a small generator says: the same on every machine.
fn shuffle(numbers: &mut [u64]) {
    let mut state = 7u64;
    for last in (1..numbers.len()).rev() {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        numbers.swap(last, (state >> 33) as usize % (last + 1));
    }
}

/// A key, without its TID, as text.
fn show(key: &[u8]) -> String {
    match key {
        [] => "-".into(),
        [0, ..] => {
            let mut bytes = [0; 8];
            let length = key.len().min(8);
            bytes[..length].copy_from_slice(&key[..length]);
            u64::from_be_bytes(bytes).to_string()
        }
        _ => key.iter().take_while(|byte| **byte != 0).map(|byte| *byte as char).collect(),
    }
}

impl Tree {
    fn new() -> Result<Tree> {
        let database = Database::open(
            Arc::new(SimulatedDisk::new(1)),
            Options { pool_pages: 256, wal_segment_bytes: 1 << 20, ..Options::default() },
        )?;
        let mut transaction = database.begin(Isolation::ReadCommitted);
        let heap = Heap::create(&mut transaction, RelationId(1))?;
        let index = Index::create(&mut transaction, RelationId(2))?;
        transaction.commit()?;
        Ok(Tree { database, heap, index, rows: Vec::new(), naive: None })
    }

    fn run(&mut self, line: &str) -> Result<String> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let keys = |numbers: Vec<u64>| numbers.iter().map(|it| it.to_be_bytes().to_vec()).collect();
        match command {
            "insert" => self.insert(keys(numbers(rest))),
            "shuffled" => {
                let mut numbers = numbers(rest);
                shuffle(&mut numbers);
                self.insert(keys(numbers))
            }
            "long" => {
                let key = |it: &u64| format!("{it:05}{}\0", "-".repeat(94)).into_bytes();
                self.insert(numbers(rest).iter().map(key).collect())
            }
            "equal" => {
                let (count, word) = rest.split_once(' ').expect("a count and a word");
                self.equal(number(count), word)
            }
            "build" => self.build(keys(numbers(rest))),
            "delete" => self.delete(keys(numbers(rest))),
            "vacuum" => {
                let vacuumed =
                    self.database.vacuum(&self.heap, std::slice::from_ref(&self.index))?;
                Ok(format!("{} entries removed", vacuumed.index_entries))
            }
            "tree" => self.tree(),
            "node" => self.node(number(rest) as u32),
            "scan" => self.scan(rest, Direction::Forward),
            "back" => self.scan(rest, Direction::Backward),
            "naive" => {
                let key = number(rest).to_be_bytes().to_vec();
                let search = self.index.naive_search(&key)?;
                let page = search.child();
                self.naive = Some((search, key));
                Ok(format!("the root says: page {page}"))
            }
            "look" => {
                let (search, key) = self.naive.take().expect("after `naive`");
                let found = search.finish(&key)?;
                Ok(if found { "found".into() } else { "not found".into() })
            }
            "find" => self.find(&number(rest).to_be_bytes()),
            other => panic!("no command {other}"),
        }
    }

    fn insert(&mut self, keys: Vec<Vec<u8>>) -> Result<String> {
        let before = self.database.wal_end().0;
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        let count = keys.len();
        let mut in_heap = 0;
        for key in keys {
            let start = self.database.wal_end().0;
            let tid = self.heap.insert(&mut transaction, &key)?;
            in_heap += self.database.wal_end().0 - start;
            self.index.insert_unique(&mut transaction, &self.heap, &key, tid, b"")?;
            self.rows.push((key, tid));
        }
        let bytes = self.database.wal_end().0 - before - in_heap;
        transaction.commit()?;
        Ok(format!("{} bytes of log per entry", bytes / count as u64))
    }

    fn equal(&mut self, count: u64, word: &str) -> Result<String> {
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        let key = format!("{word}\0").into_bytes();
        for _ in 0..count {
            let tid = self.heap.insert(&mut transaction, &key)?;
            self.index.insert(&mut transaction, &key, tid, b"")?;
        }
        transaction.commit()?;
        Ok(String::new())
    }

    fn build(&mut self, keys: Vec<Vec<u8>>) -> Result<String> {
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        let mut entries = self.index.spool(1 << 20);
        for key in keys {
            let tid = self.heap.insert(&mut transaction, &key)?;
            entries.add(&key, tid, b"", true)?;
            self.rows.push((key, tid));
        }
        self.index.build(&mut transaction, entries)?;
        transaction.commit()?;
        Ok(String::new())
    }

    fn delete(&mut self, keys: Vec<Vec<u8>>) -> Result<String> {
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        for key in keys {
            let place = self.rows.iter().position(|(it, _)| *it == key).expect("inserted before");
            let (_, tid) = self.rows.swap_remove(place);
            self.heap.delete(&mut transaction, tid)?;
        }
        transaction.commit()?;
        Ok(String::new())
    }

    fn nodes(&self) -> Result<Vec<NodeSummary>> {
        (0..self.index.pages()).map(|block| self.index.node(block)).collect()
    }

    fn tree(&self) -> Result<String> {
        let nodes = self.nodes()?;
        let mut text = String::new();
        for level in (0..self.index.height()? as u16).rev() {
            let level: Vec<_> =
                nodes.iter().filter(|it| it.level == level && !it.is_deleted).collect();
            let entries: usize = level.iter().map(|it| it.keys.len()).sum();
            let used: usize = level.iter().map(|it| it.used_bytes).sum();
            let fill = used * 100 / (level.len() * PAGE_SIZE);
            let (name, count) = (level[0].level, level.len());
            write!(text, "level {name}: {count} nodes, {entries} entries, {fill} % full")
                .expect("a String takes everything");
            let separators: Vec<_> =
                level.iter().flat_map(|it| &it.keys).filter(|it| !it.is_empty()).collect();
            if name > 0 && !separators.is_empty() {
                let bytes: usize = separators.iter().map(|it| it.len()).sum();
                let mean = bytes as f64 / separators.len() as f64;
                write!(text, ", separators of {mean:.1} bytes").expect("as above");
            }
            text.push('\n');
        }
        let deleted = nodes.iter().filter(|it| it.is_deleted).count();
        if deleted > 0 {
            writeln!(text, "{deleted} deleted").expect("as above");
        }
        Ok(text)
    }

    fn node(&self, block: u32) -> Result<String> {
        let node = self.index.node(block)?;
        let mut keys: Vec<_> = node.keys.iter().map(|key| show(key)).collect();
        if !node.children.is_empty() {
            let children = node.children.iter();
            keys =
                keys.iter().zip(children).map(|(key, child)| format!("{key} -> {child}")).collect();
        }
        if keys.len() > 8 {
            let left_out = keys.len() - 6;
            keys.splice(3..keys.len() - 3, [format!(".. {left_out} more ..")]);
        }
        let high = node.high_key.map(|key| format!(", high key {}", show(&key)));
        let right = node.right.map(|right| format!(", right -> {right}"));
        let deleted = if node.is_deleted { ", deleted" } else { "" };
        Ok(format!(
            "page {block}, level {}{}{}{deleted}\n{}",
            node.level,
            high.unwrap_or_default(),
            right.unwrap_or_default(),
            keys.join("  "),
        ))
    }

    fn scan(&self, range: &str, direction: Direction) -> Result<String> {
        let (a, b) = range.split_once("..").expect("a range");
        let (a, b) = (number(a).to_be_bytes(), number(b).to_be_bytes());
        let range = KeyRange::all().at_least(&a).up_to(&b);
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        let mut scan = self.index.scan(transaction.snapshot(), range, direction);
        let mut keys = Vec::new();
        while let Some(entry) = scan.next()? {
            keys.push(show(entry.key));
        }
        Ok(keys.join(" "))
    }

    fn find(&self, key: &[u8]) -> Result<String> {
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        let range = KeyRange::equal(key);
        let mut scan = self.index.scan(transaction.snapshot(), range, Direction::Forward);
        let found = scan.next()?;
        Ok(found.map_or("not found".into(), |entry| format!("found, row {}", entry.tid)))
    }
}
