//! Memory of a statement.
//!
//! ```
//! use minibtree_streams::memory::Memory;
//! use minibtree_types::values::Value;
//! use std::{cell::Cell, rc::Rc};
//!
//! let statement = Rc::new(Cell::new(0));
//! let mut table = Memory::new(&statement, 100);
//! table.take(&[Value::Int(1)])?;
//! assert!(!table.is_full() && table.taken() == statement.get());
//! drop(table);
//! assert_eq!(statement.get(), 0);
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```

use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::Value;
use std::cell::Cell;
use std::rc::Rc;

/// Bytes that hash tables and materialized rows of one statement may take. Only what cannot go on
/// in files comes near it.
const STATEMENT_MAX: usize = 512 << 20;

/// How often a hash table may take `work_mem`: PostgreSQL's default of `hash_mem_multiplier`.
const HASH_MULTIPLIER: usize = 2;

/// Memory that is taken until this is dropped.
pub struct Memory {
    /// What the statement has taken.
    statement: Rc<Cell<usize>>,
    work_mem: usize,
    taken: usize,
}

impl Memory {
    /// None yet.
    pub fn new(statement: &Rc<Cell<usize>>, work_mem: usize) -> Memory {
        Memory { statement: Rc::clone(statement), work_mem, taken: 0 }
    }

    /// None yet, of the same statement.
    pub fn another(&self) -> Memory {
        Memory::new(&self.statement, self.work_mem)
    }

    /// Takes some for a row.
    ///
    /// # Errors
    /// `53200` if the statement has too much.
    pub fn take(&mut self, row: &[Value]) -> Result<()> {
        let bytes = row.iter().map(Value::memory).sum::<usize>() + 64;
        let all = self.statement.get() + bytes;
        if all > STATEMENT_MAX {
            let detail = format!("Hash tables and kept rows take more than {STATEMENT_MAX} bytes.");
            return Err(SqlError::new(code::OUT_OF_MEMORY, "out of memory").detail(detail));
        }
        self.statement.set(all);
        self.taken += bytes;
        Ok(())
    }

    /// Returns true if a hash table has to go on in files.
    pub fn is_full(&self) -> bool {
        self.taken >= HASH_MULTIPLIER * self.work_mem
    }

    /// Bytes taken.
    pub fn taken(&self) -> usize {
        self.taken
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.statement.set(self.statement.get() - self.taken);
    }
}
