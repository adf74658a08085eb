//! A running statement: its rows, and the tag that it ends with. PostgreSQL's `execMain.c`.

use super::context::{Context, Row};
use super::lock::Locking;
use super::modify::modify;
use super::open::open;
use crate::engine::Transaction;
use crate::sql::plan::Plan;
use crate::sql::tree::Operation;
use crate::wire::Result;
use minibtree_explain::Measured;
use minibtree_streams::rows::{Rows, given};
use std::rc::Rc;

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
