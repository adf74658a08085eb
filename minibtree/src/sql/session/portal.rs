//! Prepared statements and portals.
//!
//! A prepared statement keeps its plan until the catalog changes. A portal is a prepared statement
//! with parameters; it is executed at once or some rows at a time.

use super::named::Fetching;
use crate::sql::Type;
use crate::sql::catalog::Catalog;
use crate::sql::execute::Cursor;
use crate::sql::plan::Planned;
use crate::sql::statement::Statement;
use crate::sql::values::Value;
use crate::wire::{Field, Format, Replies, format_of};
use minibtree_pg_catalog::name_of;
use std::rc::Rc;

/// A prepared statement.
pub struct Prepared {
    /// `None`: the text was empty.
    pub statement: Option<Statement>,
    pub parameters: Vec<Type>,
    pub planned: Option<Rc<Planned>>,
    /// The columns of the result; none for statements without one.
    pub fields: Vec<Field>,
}

impl Prepared {
    /// A statement without a plan.
    pub fn plain(statement: Option<Statement>, fields: Vec<Field>) -> Prepared {
        Prepared { statement, parameters: Vec::new(), planned: None, fields }
    }

    /// Tells the client the columns.
    pub fn describe(&self, formats: &[Format], out: &mut Replies) {
        match self.fields.is_empty() {
            false => out.row_description(&self.fields, formats),
            true => out.no_data(),
        }
    }
}

/// A statement with its parameters.
pub struct Portal {
    pub prepared: Rc<Prepared>,
    pub parameters: Vec<Value>,
    pub formats: Vec<Format>,
    /// Set by the first Execute.
    pub running: Option<Running>,
    pub rows: u64,
    pub is_done: bool,
}

/// What returns the rows of a portal.
pub enum Running {
    Cursor(Box<Cursor>),
    /// Lines of text: EXPLAIN and SHOW, with their tag.
    Lines(std::vec::IntoIter<String>, &'static str),
    /// The rows of a cursor.
    Fetch(Fetching),
}

impl Portal {
    /// A portal that has not begun.
    pub fn new(prepared: Rc<Prepared>, parameters: Vec<Value>, formats: Vec<Format>) -> Portal {
        Portal { prepared, parameters, formats, running: None, rows: 0, is_done: false }
    }
}

/// Appends a row as it is sent.
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
            if value.is_null() {
                row.value(None);
                continue;
            }
            text.clear();
            match (value, format_of(formats, index)) {
                (Value::Int(number), Format::Text) if base.is_object() => {
                    text.extend_from_slice(name_of(catalog.objects(), *base, *number).as_bytes());
                }
                (value, format) => base.send(value, format, &mut text),
            }
            row.value(Some(&text));
        }
    });
}

/// A column of text.
pub fn text_field(name: &str) -> Field {
    let (type_oid, size) = (Type::Text.oid(), Type::Text.size());
    Field { name: name.to_owned(), type_oid, size, modifier: -1 }
}
