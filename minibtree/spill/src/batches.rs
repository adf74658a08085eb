//! Rows of a hash table in batches: a row that does not fit in memory returns in a later batch.
//!
//! ```text
//! work_mem is full after the groups a b c
//! input     a b a c b d c e     d and e are deferred, by the hash of their key
//! batch 1   d
//! batch 2   e
//! ```
//!
//! Rows of the groups in memory still go to their groups; only rows of new groups are written. That
//! is how [`Batches`] handles one input. A join divides all rows of both [`Sides`] (GRACE hash
//! join, Kitsuregawa, 1983). PostgreSQL's join keeps the first batch in memory and doubles the
//! number of batches when it is full (`ExecHashIncreaseNumBatches`); its aggregation works as ours
//! (`hashagg_spill_tuple` in `nodeAgg.c`).

use crate::file::Reader;
use crate::partitions::Partitions;
use crate::row::{decode, encode};
use minibtree_types::error::Result;
use minibtree_types::values::Value;
use minikit::storage::Disk;
use std::sync::Arc;

/// A row.
pub type Row = Vec<Value>;

/// Returns the next row on each call, and `None` at the end.
pub type Rows = Box<dyn FnMut() -> Result<Option<Row>>>;

/// Like [`Rows`], with the key of each row. A row with an empty key matches no other row.
pub type KeyedRows = Box<dyn FnMut() -> Result<Option<(Vec<u8>, Row)>>>;

/// The number of parts that rows are divided into. Each has an open file and a buffer.
pub const PARTITIONS: usize = 32;

/// The rows of an input, in batches.
pub struct Batches {
    disk: Arc<dyn Disk>,
    rows: Rows,
    /// How many times the rows of this batch have been deferred.
    level: u32,
    put_off: Option<Partitions>,
    /// Later batches, the next one last.
    waiting: Vec<(Reader, u32)>,
    /// The number of batches so far, including those that wait.
    pub count: usize,
    /// The bytes of all files so far.
    pub bytes: u64,
}

impl Batches {
    /// The first batch is the input itself.
    pub fn new(disk: &Arc<dyn Disk>, rows: Rows) -> Batches {
        let (disk, waiting) = (Arc::clone(disk), Vec::new());
        Batches { disk, rows, level: 0, put_off: None, waiting, count: 1, bytes: 0 }
    }

    /// The next row of this batch.
    ///
    /// # Errors
    /// Those of the input, and of [`file`](mod@crate::file).
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        (self.rows)()
    }

    /// Defers a row of this batch to a later one.
    ///
    /// # Errors
    /// Those of [`file`](mod@crate::file).
    pub fn put_off(&mut self, key: &[u8], row: &[Value]) -> Result<()> {
        if self.put_off.is_none() {
            self.put_off = Some(Partitions::create(&*self.disk, PARTITIONS, self.level)?);
        }
        let mut bytes = Vec::new();
        encode(row, &mut bytes);
        Ok(self.put_off.as_mut().expect("set above").add(key, &bytes)?)
    }

    /// Begins the next batch. Returns false after the last one.
    ///
    /// # Errors
    /// Those of [`file`](mod@crate::file).
    pub fn advance(&mut self) -> Result<bool> {
        if let Some(put_off) = self.put_off.take() {
            self.count += PARTITIONS;
            self.bytes += put_off.bytes();
            let level = self.level + 1;
            self.waiting.extend(put_off.finish()?.into_iter().rev().map(|it| (it, level)));
        }
        let Some((mut reader, level)) = self.waiting.pop() else { return Ok(false) };
        self.level = level;
        self.rows = Box::new(move || Ok(reader.next_record()?.map(|(_, row)| decode(row))));
        Ok(true)
    }
}

/// Both sides of a join, or a part of each.
pub struct Sides {
    /// The side whose rows are looked up in the hash table.
    pub outer: KeyedRows,
    /// The side whose rows are in the hash table.
    pub inner: KeyedRows,
    /// How many times the sides have been divided.
    pub level: u32,
}

impl Sides {
    /// Divides both sides. `loaded` are the first rows of the inner side, already read.
    ///
    /// # Errors
    /// Those of the sides, and of [`file`](mod@crate::file).
    pub fn divide(
        mut self,
        disk: &dyn Disk,
        loaded: impl Iterator<Item = (Vec<u8>, Row)>,
    ) -> Result<Vec<Sides>> {
        let create = || Partitions::create(disk, PARTITIONS, self.level);
        let (mut outer, mut inner) = (create()?, create()?);
        let mut bytes = Vec::new();
        let mut write = |to: &mut Partitions, key: &[u8], row: &[Value]| {
            bytes.clear();
            encode(row, &mut bytes);
            to.add(key, &bytes)
        };
        for (key, row) in loaded {
            write(&mut inner, &key, &row)?;
        }
        while let Some((key, row)) = (self.inner)()? {
            write(&mut inner, &key, &row)?;
        }
        while let Some((key, row)) = (self.outer)()? {
            write(&mut outer, &key, &row)?;
        }

        let read = |mut from: Reader| -> KeyedRows {
            Box::new(move || Ok(from.next_record()?.map(|(key, row)| (key.to_vec(), decode(row)))))
        };
        let level = self.level + 1;
        let pairs = outer.finish()?.into_iter().zip(inner.finish()?);
        let sides =
            pairs.map(|(outer, inner)| Sides { outer: read(outer), inner: read(inner), level });
        Ok(sides.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minikit::storage::SimulatedDisk;

    fn disk() -> Arc<dyn Disk> {
        Arc::new(SimulatedDisk::new(1))
    }

    fn key(number: i64) -> Vec<u8> {
        number.to_le_bytes().to_vec()
    }

    #[test]
    fn a_row_that_is_put_off_again_and_again_comes_once() {
        let mut numbers = 0..1_000;
        let rows = move || Ok(numbers.next().map(|it| vec![Value::Int(it)]));
        let mut batches = Batches::new(&disk(), Box::new(rows));
        let mut seen = Vec::new();
        loop {
            // Room for one row in each batch.
            let mut has_room = true;
            while let Some(row) = batches.next_row().unwrap() {
                let [Value::Int(number)] = row[..] else { panic!("a number") };
                if std::mem::take(&mut has_room) {
                    seen.push(number);
                } else {
                    batches.put_off(&key(number), &row).unwrap();
                }
            }
            if !batches.advance().unwrap() {
                break;
            }
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..1_000));
        assert!(batches.count > 1_000 && batches.bytes > 0);
    }

    #[test]
    fn rows_with_one_key_are_in_one_part_of_both_sides() {
        let side = |mut numbers: std::ops::Range<i64>| -> KeyedRows {
            Box::new(move || Ok(numbers.next().map(|it| (key(it % 50), vec![Value::Int(it)]))))
        };
        let sides = Sides { outer: side(0..200), inner: side(100..200), level: 0 };
        let loaded = (0..100).map(|it| (key(it % 50), vec![Value::Int(it)]));
        let parts = sides.divide(&*disk(), loaded).unwrap();
        assert_eq!(parts.len(), PARTITIONS);

        let all = |mut side: KeyedRows| {
            let mut all: Vec<_> = std::iter::from_fn(|| side().unwrap()).map(|it| it.0).collect();
            all.sort();
            all
        };
        let mut count = 0;
        for part in parts {
            let (outer, inner) = (all(part.outer), all(part.inner));
            assert_eq!(outer, inner);
            count += outer.len();
        }
        assert_eq!(count, 200);
    }
}
