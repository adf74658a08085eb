//! Streams of rows, and joins of two streams by equal keys: for each row of the outer side, the
//! rows of the inner side that have its key.
//!
//! | module | what it is | PostgreSQL's |
//! |---|---|---|
//! | [`rows`] | iterators over rows | `execProcnode.c` |
//! | [`hash`] | keeps the inner side in a hash table | `nodeHashjoin.c` |
//! | [`merge`] | goes through two sides that are sorted by their keys | `nodeMergejoin.c` |
//! | [`set`] | INTERSECT and EXCEPT | `nodeSetOp.c` |
//! | [`memory`] | how much memory a statement and a hash table may take | `hash_mem_multiplier` |
//!
//! Keys are bytes that sort as their values do, so this crate needs neither types nor expressions.
//! The caller decides what to do with a row that has no partners.
//!
//! ```
//! use minibtree_streams::{Join, memory::Memory, merge::MergeJoin};
//! use minibtree_spill::batches::KeyedRows;
//! use minibtree_types::values::Value;
//! use std::{cell::Cell, rc::Rc};
//!
//! let side = |keys: &'static [u8]| -> KeyedRows {
//!     let mut keys = keys.iter();
//!     Box::new(move || Ok(keys.next().map(|it| (vec![*it], vec![Value::Int((*it).into())]))))
//! };
//! let memory = Memory::new(&Rc::new(Cell::new(0)), 4 << 20);
//! let mut join = MergeJoin::new(side(&[1, 2, 2, 4]), side(&[2, 2, 3, 4]), true, memory);
//! let mut counts = Vec::new();
//! while let Some((_, partners)) = join.next()? {
//!     counts.push(partners.map_or(0, |it| it.len()));
//! }
//! assert_eq!(counts, [0, 2, 2, 1]);
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```

pub mod hash;
pub mod memory;
pub mod merge;
pub mod rows;
pub mod set;

use minibtree_spill::batches::Row;
use minibtree_types::error::Result;
use std::rc::Rc;

/// The rows of the inner side that have one key.
pub type Partners = Option<Rc<Vec<Row>>>;

/// A join of two sides.
pub trait Join {
    /// The next row of the outer side, and its partners. `None` after the last row that matters.
    ///
    /// # Errors
    /// Those of the sides; `53200` if the statement has too much memory.
    fn next(&mut self) -> Result<Option<(Row, Partners)>>;

    /// What it has used.
    fn figures(&self) -> Figures {
        Figures::default()
    }
}

/// What a hash table has used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// The most rows that it has had.
    pub entries: usize,
    /// The most bytes that they have taken.
    pub memory: usize,
    /// Batches that were divided off.
    pub batches: usize,
}
