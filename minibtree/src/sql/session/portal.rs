//! Prepared statements and portals.
//!
//! A prepared statement keeps its plan until the catalog changes. A portal is a prepared statement
//! with parameters; a client fetches its rows at once or some at a time (`portalmem.c`).

use super::copy::CopyOut;
use super::named::Fetching;
use crate::format::RelationId;
use crate::sql::Type;
use crate::sql::bind::indeterminate_type;
use crate::sql::execute::Cursor;
use crate::sql::plan::{Plan, Planned};
use crate::sql::statement::Statement;
use crate::sql::values::Value;
use crate::wire::{Field, Format, Replies, Result};
use std::cell::RefCell;
use std::rc::Rc;

/// A prepared statement.
pub struct Prepared {
    /// `None`: the text was empty.
    pub statement: Option<Statement>,
    /// The types of `$1`, `$2` and so on.
    pub parameters: Vec<Type>,
    /// Its plan, which is replaced by one of the current catalog when it is executed.
    pub(super) planned: Option<RefCell<Rc<Planned>>>,
    /// The columns of the result; `None` for statements without one.
    pub fields: Option<Vec<Field>>,
}

impl Prepared {
    /// A statement without a plan.
    pub fn plain(statement: Option<Statement>, fields: Option<Vec<Field>>) -> Prepared {
        Prepared { statement, parameters: Vec::new(), planned: None, fields }
    }

    /// The same, unless a parameter has no type.
    ///
    /// # Errors
    /// `42P18`.
    pub fn decided(self) -> Result<Prepared> {
        let open = self.parameters.iter().position(|it| *it == Type::Unknown);
        open.map_or(Ok(self), |index| Err(indeterminate_type(index)))
    }

    /// The error of a constant part, which the planner has found.
    pub fn check_constants(&self) -> Result<()> {
        let failure = self.planned.as_ref().and_then(|it| it.borrow().failure.clone());
        failure.map_or(Ok(()), Err)
    }

    /// Tells the client the columns.
    pub fn describe(&self, formats: &[Format], out: &mut Replies) {
        match &self.fields {
            Some(fields) => out.row_description(fields, formats),
            None => out.no_data(),
        }
    }
}

/// A statement with its parameters.
pub struct Portal {
    pub prepared: Rc<Prepared>,
    pub parameters: Vec<Value>,
    pub formats: Vec<Format>,
    /// Rows for a caller in this process, which are not sent.
    pub kept: Option<Vec<Vec<Value>>>,
    /// Set by the first Execute.
    pub running: Option<Running>,
    /// The number of rows returned; of a modification that is done, the number changed. For a
    /// cursor with gathered rows, its position.
    pub rows: u64,
    /// DECLARE with SCROLL is `Some(true)`, with NO SCROLL `Some(false)`.
    pub scroll: Option<bool>,
    pub is_done: bool,
    /// How many savepoints there were when it began: a rollback to one of them leaves it alone.
    pub savepoints: usize,
}

/// What returns the rows of a portal.
pub enum Running {
    Cursor(Box<Cursor>),
    /// The lines of COPY TO.
    Copy(Box<CopyOut>),
    /// Lines of text: EXPLAIN and SHOW, with their tag.
    Lines(std::vec::IntoIter<String>, &'static str),
    /// The rows of a cursor.
    Fetch(Fetching),
    /// All rows of a cursor that is declared with SCROLL.
    Gathered(Vec<Vec<Value>>),
}

impl Portal {
    /// A portal that has not begun.
    pub fn new(prepared: Rc<Prepared>, parameters: Vec<Value>, formats: Vec<Format>) -> Portal {
        let (kept, running, scroll, is_done) = (None, None, None, false);
        let (rows, savepoints) = (0, 0);
        Portal { prepared, parameters, formats, kept, running, rows, scroll, is_done, savepoints }
    }

    /// The types of its parameters, for a statement inside of its own.
    pub fn types(&self) -> Vec<Option<Type>> {
        self.prepared.parameters.iter().copied().map(Some).collect()
    }

    /// The tables of a query that has begun.
    pub fn reads(&self) -> Vec<RelationId> {
        let has_begun = self.running.is_some() || self.is_done;
        let planned = self.prepared.planned.as_ref().filter(|_| has_begun).map(|it| it.borrow());
        match planned {
            Some(it) if !matches!(it.plan, Plan::Modify(_)) => {
                it.tables.iter().map(|it| it.0).collect()
            }
            _ => Vec::new(),
        }
    }
}
