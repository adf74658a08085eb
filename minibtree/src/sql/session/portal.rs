//! Prepared statements and portals.
//!
//! A prepared statement keeps its plan until the catalog changes. A portal is a prepared statement
//! with parameters; a client fetches its rows at once or some at a time (`portalmem.c`).

use super::copy::CopyOut;
use super::named::Fetching;
use crate::format::RelationId;
use crate::sql::Type;
use crate::sql::catalog::Catalog;
use crate::sql::execute::Cursor;
use crate::sql::plan::{Plan, Planned};
use crate::sql::statement::Statement;
use crate::sql::values::Value;
use crate::wire::{Field, Format, Replies, format_of};
use minibtree_pg_catalog::name_of;
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

/// Appends a DataRow message.
pub fn write_row(
    catalog: &Catalog,
    types: &[Type],
    values: &[Value],
    formats: &[Format],
    out: &mut Replies,
) {
    let mut text = Vec::new();
    out.row(types.len(), |row| {
        for (index, (base, value)) in types.iter().zip(values).enumerate() {
            let format = format_of(formats, index);
            row.value(write_value(catalog, *base, value, format, &mut text));
        }
    });
}

/// Writes a value in the format that the client wants. Returns its bytes; `None` is NULL.
pub fn write_value<'b>(
    catalog: &Catalog,
    base: Type,
    value: &Value,
    format: Format,
    buffer: &'b mut Vec<u8>,
) -> Option<&'b [u8]> {
    buffer.clear();
    match (value, format) {
        (Value::Null, _) => return None,
        (Value::Int(number), Format::Text) if base.is_object() => {
            buffer.extend_from_slice(name_of(catalog.objects(), base, *number).as_bytes());
        }
        (value, format) => base.send(value, format, buffer),
    }
    Some(buffer)
}

/// A column of text.
pub fn text_field(name: &str) -> Field {
    let (type_oid, size) = (Type::Text.oid(), Type::Text.size());
    Field { name: name.to_owned(), type_oid, size, modifier: -1 }
}
