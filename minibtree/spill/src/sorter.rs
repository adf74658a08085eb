//! An external merge sort: runs that fit in memory are sorted and written, then merged.
//!
//! ```text
//! input     pear fig | apple lime | date        `|`: memory is full
//! runs      fig pear   apple lime   date        one after another in a file
//! merge     apple date fig lime pear            always the least of the runs' first records
//! ```
//!
//! In memory, records are one after another in a single block. The sort moves only their places,
//! each with the first eight bytes of its key, so most comparisons do not read the record.
//! PostgreSQL does the same with `SortTuple::datum1` and abbreviated keys.
//!
//! # How many runs are merged at once?
//!
//! Each run needs a buffer, so as many as fit in memory, and at least [`MERGED_MIN`]. With more
//! runs than that, runs that are neighbors are merged into longer ones first. With a megabyte of
//! memory 32 runs are merged at once, and a single pass sorts 32 MB.
//!
//! With a bound, only that many first records are wanted. The block is sorted and cut whenever it
//! has twice as many, and runs are written only if the wanted records do not fit in memory.
//! PostgreSQL keeps a heap instead (`top-N heapsort`), which needs no more comparisons over time.

use crate::file::{self, Reader, Writer};
use minikit::storage::Disk;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Result;
use std::sync::Arc;

/// The smallest number of runs to merge at once: PostgreSQL's `MINORDER`.
const MERGED_MIN: usize = 6;

/// Bounds below this are treated like it: cutting the block every other record would be slow.
const BOUND_MIN: usize = 32;

/// The space that a sort has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Bytes of memory.
    Memory(usize),
    /// Bytes of temporary files.
    Disk(u64),
}

/// Where a record is in the block.
#[derive(Clone, Copy)]
struct Place {
    /// The first bytes of the key, so that most comparisons do not read the record.
    head: u64,
    at: usize,
}

/// Sorts records by key, in memory or in a temporary file.
pub struct Sorter {
    disk: Arc<dyn Disk>,
    memory_max: usize,
    bound: Option<usize>,
    /// Records, one after another.
    block: Vec<u8>,
    places: Vec<Place>,
    /// The file that runs are written to, once there are any.
    file: Option<Writer>,
    runs: Vec<Reader>,
    /// The bytes of all runs.
    run_bytes: u64,
    memory: usize,
}

impl Sorter {
    /// A sorter without records. With a bound, only that many first records are returned.
    pub fn new(disk: Arc<dyn Disk>, memory_max: usize, bound: Option<usize>) -> Sorter {
        let (block, places, runs) = (Vec::new(), Vec::new(), Vec::new());
        let (file, run_bytes, memory) = (None, 0, 0);
        Sorter { disk, memory_max, bound, block, places, file, runs, run_bytes, memory }
    }

    /// Reserves memory, so that records need not move while their number grows. The system provides
    /// a page of it when it is first used; if it refuses, the sorter grows by and by.
    pub fn reserve(&mut self) {
        let _ = self.block.try_reserve(self.memory_max);
    }

    /// Adds a record. Those with the same key stay in the order in which they are added.
    ///
    /// # Errors
    /// Those of [`file`](mod@crate::file).
    pub fn add(&mut self, key: &[u8], payload: &[u8]) -> Result<()> {
        self.places.push(Place { head: head(key), at: self.block.len() });
        file::append(key, payload, &mut self.block);

        let bound = self.bound.map(|it| it.max(BOUND_MIN));
        if bound.is_some_and(|bound| self.places.len() >= bound.saturating_mul(2)) {
            self.cut();
        }
        self.memory = self.memory.max(self.used());
        if self.used() >= self.memory_max { self.write_run() } else { Ok(()) }
    }

    /// Adds the records of another sorter. Those with the same key may be in any order then.
    pub fn append(&mut self, mut other: Sorter) {
        self.runs.append(&mut other.runs);
        self.run_bytes += other.run_bytes;
        let moved = |it: &Place| Place { at: it.at + self.block.len(), ..*it };
        self.places.extend(other.places.iter().map(moved));
        self.block.append(&mut other.block);
        self.memory = self.memory.max(self.used());
    }

    /// Sorts.
    ///
    /// # Errors
    /// Those of [`file`](mod@crate::file).
    pub fn finish(mut self) -> Result<Sorted> {
        let left = self.bound.unwrap_or(usize::MAX);
        if self.runs.is_empty() {
            self.sort();
            let Sorter { block, places, memory, .. } = self;
            let source = Source::Memory { block, places: places.into_iter() };
            return Ok(Sorted { source, space: Space::Memory(memory), left });
        }
        if !self.places.is_empty() {
            self.write_run()?;
        }
        let (mut runs, mut bytes) = (self.runs, self.run_bytes);
        let merged_max = (self.memory_max / file::BUFFER).max(MERGED_MIN);
        while runs.len() > merged_max {
            let mut longer = Writer::create(&*self.disk)?;
            let (mut rest, mut longer_runs) = (runs.into_iter(), Vec::new());
            while rest.len() > 0 {
                let start = longer.bytes();
                let mut merged = Merge::of(rest.by_ref().take(merged_max).collect())?;
                while let Some((key, payload)) = merged.next()? {
                    longer.add(key, payload)?;
                }
                longer_runs.push(longer.read(start..longer.bytes())?);
            }
            // Both files are there until the old one is closed here.
            bytes = 2 * self.run_bytes;
            runs = longer_runs;
        }
        let source = Source::Disk(Merge::of(runs)?);
        Ok(Sorted { source, space: Space::Disk(bytes), left })
    }

    fn used(&self) -> usize {
        self.block.len() + self.places.len() * size_of::<Place>()
    }

    /// Sorts the records in memory. Runs that are in order already are only merged. This takes half
    /// the memory of `places` in addition.
    pub fn sort(&mut self) {
        let key = |place: &Place| file::record(&self.block[place.at..]).0;
        self.places.sort_by(|a, b| a.head.cmp(&b.head).then_with(|| key(a).cmp(key(b))));
    }

    /// Removes the records that are not among the first `bound`.
    fn cut(&mut self) {
        self.sort();
        self.places.truncate(self.bound.unwrap_or(usize::MAX));
        let mut block = Vec::with_capacity(self.block.len());
        for place in &mut self.places {
            let (key, payload) = file::record(&self.block[place.at..]);
            place.at = block.len();
            file::append(key, payload, &mut block);
        }
        self.block = block;
    }

    fn write_run(&mut self) -> Result<()> {
        self.sort();
        if self.file.is_none() {
            self.file = Some(Writer::create(&*self.disk)?);
        }
        let file = self.file.as_mut().expect("created above");
        let start = file.bytes();
        for place in self.places.drain(..) {
            let (key, payload) = file::record(&self.block[place.at..]);
            file.add(key, payload)?;
        }
        self.run_bytes += file.bytes() - start;
        self.runs.push(file.read(start..file.bytes())?);
        self.block.clear();
        Ok(())
    }
}

/// The first bytes of a key, as a number that sorts like them.
fn head(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(8);
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}

/// Sorted records.
pub struct Sorted {
    source: Source,
    space: Space,
    left: usize,
}

enum Source {
    Memory { block: Vec<u8>, places: std::vec::IntoIter<Place> },
    Disk(Merge),
}

impl Sorted {
    /// The key and payload of the next record, or `None` at the end.
    ///
    /// # Errors
    /// Those of [`file`](mod@crate::file).
    pub fn next_record(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        match &mut self.source {
            Source::Memory { block, places } => {
                Ok(places.next().map(|place| file::record(&block[place.at..])))
            }
            Source::Disk(merge) => merge.next(),
        }
    }

    /// The space that the sort has used.
    pub fn space(&self) -> Space {
        self.space
    }
}

/// Runs that are read side by side.
struct Merge {
    runs: Vec<Reader>,
    /// The key of the current record of each run that has one, with the number of the run: of equal
    /// keys, that of the earlier run comes first.
    least: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    /// The run whose current record was returned last.
    returned: Option<(Vec<u8>, usize)>,
}

impl Merge {
    fn of(runs: Vec<Reader>) -> Result<Merge> {
        let mut merge = Merge { runs, least: BinaryHeap::new(), returned: None };
        for number in 0..merge.runs.len() {
            merge.advance(number, Vec::new())?;
        }
        Ok(merge)
    }

    fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        if let Some((key, number)) = self.returned.take() {
            self.advance(number, key)?;
        }
        let Some(Reverse(least)) = self.least.pop() else { return Ok(None) };
        let (_, number) = self.returned.insert(least);
        Ok(Some(self.runs[*number].current()))
    }

    /// Moves to the next record of a run and copies its key into `key`, whose memory is reused.
    fn advance(&mut self, number: usize, mut key: Vec<u8>) -> Result<()> {
        if let Some((next, _)) = self.runs[number].next_record()? {
            key.clear();
            key.extend_from_slice(next);
            self.least.push(Reverse((key, number)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minikit::storage::SimulatedDisk;
    use proptest::prelude::*;

    type Record = (Vec<u8>, Vec<u8>);

    /// Sorts with so much memory, and returns how much it used.
    fn sort(records: &[Record], memory: usize, bound: Option<usize>) -> (Vec<Record>, Space) {
        read(filled(records, memory, bound))
    }

    fn filled(records: &[Record], memory: usize, bound: Option<usize>) -> Sorter {
        let mut sorter = Sorter::new(Arc::new(SimulatedDisk::new(1)), memory, bound);
        records.iter().for_each(|(key, payload)| sorter.add(key, payload).unwrap());
        sorter
    }

    fn read(sorter: Sorter) -> (Vec<Record>, Space) {
        let mut sorted = sorter.finish().unwrap();
        let mut all = Vec::new();
        while let Some((key, payload)) = sorted.next_record().unwrap() {
            all.push((key.to_vec(), payload.to_vec()));
        }
        (all, sorted.space())
    }

    proptest! {
        #[test]
        fn records_come_in_order_whatever_the_memory(
            keys in prop::collection::vec(prop::collection::vec(0u8..3, 0..12), 0..300),
            memory in 1usize..4_000,
            bound in prop::option::of(0usize..300),
        ) {
            let numbered = keys.into_iter().enumerate();
            let records: Vec<Record> =
                numbered.map(|(at, key)| (key, at.to_le_bytes().to_vec())).collect();
            let mut expected = records.clone();
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            expected.truncate(bound.unwrap_or(usize::MAX));
            prop_assert_eq!(sort(&records, memory, bound).0, expected);
        }

        #[test]
        fn two_sorters_are_one(
            keys in prop::collection::vec(any::<u16>(), 0..300),
            at in 0usize..300,
            memory in [1usize..4_000, 1usize..4_000],
        ) {
            let records: Vec<Record> =
                keys.into_iter().map(|it| (it.to_be_bytes().to_vec(), Vec::new())).collect();
            let (first, second) = records.split_at(at.min(records.len()));
            let [mut first, mut second] =
                [(first, memory[0]), (second, memory[1])].map(|it| filled(it.0, it.1, None));
            second.sort();
            first.append(second);
            let mut expected = records.clone();
            expected.sort();
            prop_assert_eq!(read(first).0, expected);
        }
    }

    #[test]
    fn a_record_may_be_longer_than_a_buffer() {
        let long = |byte: u8| (vec![byte; 5], vec![byte; 3 * file::BUFFER]);
        let records: Vec<Record> = (0..20).rev().map(long).collect();
        let (sorted, space) = sort(&records, 100_000, None);
        assert!(sorted.iter().eq(records.iter().rev()));
        assert!(matches!(space, Space::Disk(bytes) if bytes > 20 * 3 * file::BUFFER as u64));
    }

    #[test]
    fn a_bound_keeps_the_sort_in_memory() {
        let records: Vec<Record> =
            (0..10_000u32).rev().map(|it| (it.to_be_bytes().to_vec(), vec![7; 100])).collect();
        let (sorted, space) = sort(&records, 100_000, Some(50));
        assert_eq!(sorted.len(), 50);
        assert_eq!(sorted[49].0, 49u32.to_be_bytes());
        assert!(matches!(space, Space::Memory(bytes) if bytes < 20_000), "{space:?}");
    }
}
