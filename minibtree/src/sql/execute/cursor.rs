//! A running statement: its rows, and the tag that it ends with. PostgreSQL's `execMain.c`.

use super::constraint::check_foreign_keys;
use super::context::{Context, Row};
use super::evaluate::evaluate;
use super::lock::Locking;
use super::modify::{check_row, encode_new, insert_entries, modify};
use super::open::open;
use crate::engine::Transaction;
use crate::sql::catalog::{ForeignKey, Table};
use crate::sql::plan::Plan;
use crate::sql::tree::{Operation, Write};
use crate::wire::Result;
use minibtree_explain::Measured;
use minibtree_streams::rows::{Rows, given};
use std::rc::Rc;
use std::sync::Arc;

/// The rows of a statement.
pub struct Cursor {
    context: Context,
    rows: State,
    changed: u64,
}

enum State {
    Rows(Box<dyn Rows>),
    Locking(Locking),
}

impl Cursor {
    /// Begins a statement. Subqueries lock all their rows, and a modification is executed whole,
    /// before its first row is returned.
    pub fn open(context: Context, transaction: &mut Transaction) -> Result<Cursor> {
        let planned = Rc::clone(&context.execution.planned);
        for lock in &planned.locked {
            let rows = State::Locking(Locking::open(lock, &context)?);
            let mut locking = Cursor { context: context.clone(), rows, changed: 0 };
            let rows = locking.gather(transaction)?;
            context.execution.locked.borrow_mut().push(rows);
        }
        let mut changed = 0;
        let rows = match &planned.plan {
            Plan::Copy => State::Rows(given(Vec::new())),
            Plan::Query(node) => State::Rows(open(node, &context, &[])?),
            Plan::Lock(lock) => State::Locking(Locking::open(lock, &context)?),
            Plan::Modify(plan) => {
                let outcome = modify(plan, &context, transaction)?;
                changed = outcome.count;
                State::Rows(given(outcome.returned))
            }
        };
        Ok(Cursor { context, rows, changed })
    }

    /// The next row, or `None` at the end.
    pub fn next(&mut self, transaction: &mut Transaction) -> Result<Option<Row>> {
        match &mut self.rows {
            State::Rows(rows) => rows.next(),
            State::Locking(rows) => rows.next(&self.context, transaction),
        }
    }

    /// All remaining rows, for a cursor declared with SCROLL and for a subquery that locks them.
    pub fn gather(&mut self, transaction: &mut Transaction) -> Result<Vec<Row>> {
        let (mut rows, mut memory) = (Vec::new(), self.context.memory());
        while let Some(row) = self.next(transaction)? {
            memory.take(&row)?;
            rows.push(row);
        }
        Ok(rows)
    }

    /// The command tag of the statement after it has returned `rows` rows. For a modification, sets
    /// `rows` to the number of rows that it has changed, which is the one in the tag.
    pub fn tag(&self, rows: &mut u64) -> String {
        let Plan::Modify(plan) = &self.context.execution.planned.plan else {
            return format!("SELECT {rows}");
        };
        *rows = self.changed;
        match plan.operation {
            Operation::Insert(..) => format!("INSERT 0 {rows}"),
            Operation::Update(_) => format!("UPDATE {rows}"),
            Operation::Delete(_) => format!("DELETE {rows}"),
        }
    }

    /// What each node has done.
    pub fn measured(&self) -> Vec<Measured> {
        self.context.execution.measured.as_ref().map_or(Vec::new(), |it| it.borrow().clone())
    }
}

/// Rows that are gathered before they are inserted, as in PostgreSQL's `copyfrom.c`: a page is then
/// latched and logged once for all rows that it gets.
const GATHERED_ROWS: usize = 1_000;
/// Bytes that they may take before they are inserted.
const GATHERED_BYTES: usize = 1 << 20;

/// Inserts rows that come without a plan, from COPY or from a table that is rewritten.
pub struct Insertion {
    write: Write,
    context: Context,
    /// The foreign keys of the table, with the tables that they refer to.
    parents: Vec<(ForeignKey, Arc<Table>)>,
    /// The gathered rows as bytes, and where the first begins and each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The line of a COPY that the next row is from, and those of the gathered rows.
    pub line: u64,
    lines: Vec<u64>,
    /// Their values, if there are indexes or foreign keys.
    gathered: Vec<Row>,
}

impl Insertion {
    pub fn new(
        write: Write,
        parents: Vec<(ForeignKey, Arc<Table>)>,
        context: Context,
    ) -> Insertion {
        let (bytes, ends, lines, gathered) = (Vec::new(), vec![0], Vec::new(), Vec::new());
        Insertion { write, context, parents, bytes, ends, line: 0, lines, gathered }
    }

    /// Adds a row of these values and of defaults. The caller overwrites `values` for the next row.
    ///
    /// # Errors
    /// `23502`, `23514`; those of [`Insertion::flush`].
    pub fn insert(&mut self, values: &mut Row, transaction: &mut Transaction) -> Result<()> {
        for (value, default) in values.iter_mut().zip(&self.write.values) {
            if let Some(default) = default {
                *value = evaluate(default, &self.context, &[])?;
            }
        }
        check_row(&self.write, &self.context, values)?;
        let table = &*self.write.table;
        encode_new(table, values, transaction, &mut self.bytes)?;
        self.ends.push(self.bytes.len());
        if !table.indexes.is_empty() || !self.parents.is_empty() {
            self.gathered.push(std::mem::take(values));
            self.lines.push(self.line);
        }
        let has_room = self.ends.len() <= GATHERED_ROWS && self.bytes.len() < GATHERED_BYTES;
        if has_room { Ok(()) } else { self.flush(transaction) }
    }

    /// Inserts the rows that were gathered.
    ///
    /// # Errors
    /// `23503`, `23505`.
    pub fn flush(&mut self, transaction: &mut Transaction) -> Result<()> {
        let Insertion { write, context, parents, bytes, ends, lines, gathered, .. } = self;
        let rows: Vec<&[u8]> = ends.windows(2).map(|it| &bytes[it[0]..it[1]]).collect();
        let tids = write.table.heap.insert_many(transaction, &rows)?;
        for ((values, tid), line) in gathered.iter().zip(tids).zip(lines.drain(..)) {
            let place = || format!("COPY {}, line {line}", write.table.name);
            let added = insert_entries(write, context, values, tid, transaction);
            added.map_err(|it| if line == 0 { it } else { it.context(place) })?;
        }
        for values in gathered.drain(..) {
            check_foreign_keys(&write.table, parents, &values, transaction)?;
        }
        bytes.clear();
        ends.truncate(1);
        Ok(())
    }
}
