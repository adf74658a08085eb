//! A hash table of the inner side, in which the outer side is looked up.
//!
//! If the inner side does not fit in memory, both sides are divided into files by the hashes of
//! their keys, and the parts are joined one after another:
//!
//! ```text
//! inner   a b c | memory is full
//! parts   inner: a d    b    c e       with what is left of the inner side
//!         outer: a a    e f  c         the whole outer side
//! ```

use crate::memory::Memory;
use crate::{Figures, Join, Partners};
use minibtree_spill::batches::{KeyedRows, PARTITIONS, Row, Sides};
use minibtree_types::error::Result;
use minikit::storage::Disk;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// How often sides are divided. If so many rows have one key that this does not help, they are kept
/// in memory.
const LEVELS: u32 = 4;

/// A hash join.
pub struct HashJoin {
    disk: Arc<dyn Disk>,
    /// Parts that wait, the next one last.
    waiting: Vec<Sides>,
    batch: Option<Batch>,
    memory: Memory,
    figures: Figures,
}

/// Two sides of which the inner one is in memory, by its keys.
struct Batch {
    outer: KeyedRows,
    table: HashMap<Vec<u8>, Rc<Vec<Row>>>,
    /// What the table takes, until it is dropped.
    _memory: Memory,
}

impl HashJoin {
    /// Joins two sides. Rows of the outer one with an empty key have no partners.
    pub fn new(
        outer: KeyedRows,
        inner: KeyedRows,
        disk: &Arc<dyn Disk>,
        memory: Memory,
    ) -> HashJoin {
        let waiting = vec![Sides { outer, inner, level: 0 }];
        let (disk, figures) = (Arc::clone(disk), Figures::default());
        HashJoin { disk, waiting, batch: None, memory, figures }
    }

    /// Loads the inner side into memory; `None` if it does not fit, and both sides were divided.
    fn load(&mut self, mut sides: Sides) -> Result<Option<Batch>> {
        let mut table = HashMap::<Vec<u8>, Rc<Vec<Row>>>::new();
        let (mut memory, mut count) = (self.memory.another(), 0);
        while let Some((key, row)) = (sides.inner)()? {
            memory.take(&row)?;
            Rc::make_mut(table.entry(key).or_default()).push(row);
            count += 1;
            if memory.is_full() && sides.level < LEVELS {
                let row = |key: &Vec<u8>, row: &Row| (key.clone(), row.clone());
                let rows = table.iter().flat_map(|(key, it)| it.iter().map(move |it| row(key, it)));
                let parts = sides.divide(&*self.disk, rows)?;
                self.waiting.extend(parts.into_iter().rev());
                self.figures.batches += PARTITIONS;
                return Ok(None);
            }
        }
        self.figures.entries = self.figures.entries.max(count);
        self.figures.memory = self.figures.memory.max(memory.taken());
        Ok(Some(Batch { outer: sides.outer, table, _memory: memory }))
    }
}

impl Join for HashJoin {
    fn next(&mut self) -> Result<Option<(Row, Partners)>> {
        loop {
            if let Some(Batch { outer, table, .. }) = &mut self.batch
                && let Some((key, row)) = outer()?
            {
                return Ok(Some((row, table.get(&key).cloned())));
            }
            self.batch = None;
            let Some(sides) = self.waiting.pop() else { return Ok(None) };
            self.batch = self.load(sides)?;
        }
    }

    fn figures(&self) -> Figures {
        self.figures
    }
}
