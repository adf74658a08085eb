//! The state of an execution. PostgreSQL's `EState` and `ExprContext` (`execnodes.h`).

use crate::engine::{Interrupt, Snapshot};
use crate::format::{Lsn, PAGE_SIZE, RelationId};
use crate::sql::functions::SystemCall;
use crate::sql::plan::Planned;
use crate::sql::sequence::Sequences;
use crate::sql::values::{Type, Value};
use crate::wire::{Result, SqlError};
use minibtree_explain::Measured;
use minibtree_pg_catalog::name_of;
use minibtree_pg_catalog::objects::Objects;
use minibtree_streams::memory::Memory;
use minikit::storage::Disk;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

/// A row.
pub type Row = Vec<Value>;

/// `25006`: a transaction that is READ ONLY cannot do this.
pub fn read_only(what: &str) -> SqlError {
    SqlError::new("25006", format!("cannot execute {what} in a read-only transaction"))
}

/// One execution of a plan.
pub struct Execution {
    pub planned: Rc<Planned>,
    pub parameters: Vec<Value>,
    /// When the transaction began, in microseconds since 2000.
    pub now: i64,
    pub snapshot: Arc<Snapshot>,
    pub interrupt: Interrupt,
    /// Where `nextval` takes its numbers from.
    pub sequences: Arc<Sequences>,
    /// The results of uncorrelated subqueries, by their numbers: each is executed once.
    pub results: RefCell<Vec<Option<Rc<SubResult>>>>,
    /// The rows of subqueries that lock them, in the order of [`Planned::locked`].
    pub locked: RefCell<Vec<Vec<Row>>>,
    /// The measurements of each node; `None` unless it is an EXPLAIN ANALYZE.
    pub measured: Option<RefCell<Vec<Measured>>>,
    /// Bytes that all its hash tables and lists take.
    pub memory: Rc<Cell<usize>>,
    /// Bytes in memory after which a sort or hash table moves to files.
    pub work_mem: usize,
    /// It must not write, not even take a number from a sequence.
    pub is_read_only: bool,
}

/// The result of a subquery, in the form that answers its question fastest.
pub enum SubResult {
    /// The value of a scalar subquery, or of EXISTS.
    Value(Value),
    /// For `= ANY`: the keys of the rows without NULL. True if there are rows with NULL, too.
    Keys(HashSet<Vec<u8>>, bool),
    Rows(Vec<Row>),
}

/// The execution, and the current rows of the queries around this one.
#[derive(Clone)]
pub struct Context {
    pub execution: Rc<Execution>,
    /// The current row of the query around this one.
    pub outer: Option<Rc<Outer>>,
}

/// The current row of an outer query, and the queries around that one.
pub struct Outer {
    pub row: Row,
    pub outer: Option<Rc<Outer>>,
}

impl Context {
    /// The context of a statement at its beginning.
    pub fn start(
        planned: &Rc<Planned>,
        parameters: Vec<Value>,
        now: i64,
        sequences: &Arc<Sequences>,
        snapshot: Arc<Snapshot>,
        interrupt: &Interrupt,
        work_mem: usize,
    ) -> Context {
        let execution = Execution {
            planned: Rc::clone(planned),
            parameters,
            now,
            snapshot,
            interrupt: interrupt.clone(),
            sequences: Arc::clone(sequences),
            results: RefCell::new(vec![None; planned.subplans.len()]),
            locked: RefCell::default(),
            measured: None,
            memory: Rc::default(),
            work_mem,
            is_read_only: false,
        };
        Context { execution: Rc::new(execution), outer: None }
    }

    /// Turns on the measurements of EXPLAIN ANALYZE. Costs two clock readings per row and node.
    pub fn measured(mut self) -> Context {
        let execution = Rc::get_mut(&mut self.execution).expect("it has not begun");
        let nodes = vec![Measured::default(); execution.planned.nodes];
        execution.measured = Some(RefCell::new(nodes));
        self
    }

    /// The same for a transaction that is READ ONLY.
    pub fn read_only(mut self) -> Context {
        Rc::get_mut(&mut self.execution).expect("it has not begun").is_read_only = true;
        self
    }

    /// An account for the memory of one hash table or list, charged to the whole statement.
    pub fn memory(&self) -> Memory {
        Memory::new(&self.execution.memory, self.execution.work_mem)
    }

    /// The disk for temporary files.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        self.execution.sequences.database.disk()
    }

    /// The context of a subquery for this row.
    pub fn inside(&self, row: &[Value]) -> Context {
        let outer = Outer { row: row.to_vec(), outer: self.outer.clone() };
        Context { execution: Rc::clone(&self.execution), outer: Some(Rc::new(outer)) }
    }

    /// Calls a function that asks the database.
    ///
    /// # Errors
    /// Those of [`Sequences::next`].
    pub fn system(&self, call: SystemCall, arguments: &[Value]) -> Result<Value> {
        let Execution { planned, sequences, .. } = &*self.execution;
        let objects = planned.catalog.objects();
        let oid = if let [Value::Int(number), ..] = arguments { *number as u32 } else { 0 };
        Ok(match call {
            SystemCall::NextValue if self.execution.is_read_only => {
                return Err(read_only("nextval()"));
            }
            SystemCall::NextValue => {
                let check = || check_sequence(planned.catalog.objects(), oid);
                Value::Int(sequences.next(RelationId(oid), check)?)
            }
            SystemCall::WalEnd => {
                let Lsn(end) = sequences.database.wal_end();
                Value::Text(format!("{:X}/{:X}", end >> 32, end & 0xffff_ffff))
            }
            SystemCall::Size { .. } if oid == 0 => {
                return Err(SqlError::unsupported("the size of a TOAST table"));
            }
            SystemCall::Size { heap, indexes } => {
                let Some(files) = minibtree_pg_catalog::files(objects, oid, heap, indexes) else {
                    return Ok(Value::Null);
                };
                let mut pages = 0;
                for file in files {
                    pages += i64::from(sequences.database.heap(RelationId(file))?.pages());
                }
                Value::Int(pages * PAGE_SIZE as i64)
            }
            SystemCall::Catalog(call) => minibtree_pg_catalog::call(objects, call, arguments),
        })
    }

    /// The current row of the query `level` levels up; 1 is the query around this one.
    pub fn outer_row(&self, level: usize) -> &Row {
        let mut outer = self.outer.as_ref().expect("the binder counts levels");
        for _ in 1..level {
            outer = outer.outer.as_ref().expect("the binder counts levels");
        }
        &outer.row
    }

    /// Updates the measurements of a node, if this is an EXPLAIN ANALYZE.
    pub fn measure(&self, node: usize, count: impl FnOnce(&mut Measured)) {
        if let Some(measured) = &self.execution.measured {
            count(&mut measured.borrow_mut()[node]);
        }
    }
}

/// Any other relation would be read and written as if it were one.
fn check_sequence(objects: &Objects, oid: u32) -> Result<()> {
    if objects.sequences.iter().any(|it| it.oid == oid) {
        return Ok(());
    }
    let name = name_of(objects, Type::Regclass, oid.into());
    Err(error!(WRONG_OBJECT_TYPE, "\"{name}\" is not a sequence"))
}
