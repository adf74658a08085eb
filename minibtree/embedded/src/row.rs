//! Rows: values with the names and types of their columns.

use crate::{Error, FromValue, Result, Type, Value, code};
use minibtree::wire::Field;
use std::sync::Arc;

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name. Two columns may have the same.
    pub name: String,
    /// Its type.
    pub base: Type,
}

/// A row of a result. It may go to other threads.
#[derive(Clone, Debug)]
pub struct Row {
    columns: Arc<[Column]>,
    values: Vec<Value>,
}

/// What names a column of a row: its position from 0 on, or its name.
pub trait Place {
    /// The position; `None` if there is no such column.
    fn position(&self, columns: &[Column]) -> Option<usize>;

    /// How errors name it.
    fn shown(&self) -> String;
}

impl Column {
    pub(crate) fn of(field: &Field) -> Column {
        // The document of EXPLAIN (FORMAT JSON) is text here.
        let base = Type::from_oid(field.type_oid).unwrap_or(Type::Text);
        Column { name: field.name.clone(), base }
    }
}

impl Row {
    pub(crate) fn new(columns: Arc<[Column]>, values: Vec<Value>) -> Row {
        Row { columns, values }
    }

    /// The value of a column as a Rust type.
    ///
    /// ```
    /// # let scratch = minikit::harness::Scratch::new("embedded")?;
    /// # let database = minibtree_embedded::Database::open(scratch.path())?;
    /// let rows = database.query("SELECT 70000 AS big, NULL::text AS nothing", &[])?;
    /// assert_eq!(rows[0].get("big"), Ok(70_000_i64));
    /// assert_eq!(rows[0].get("nothing"), Ok(None::<String>));
    ///
    /// let error = rows[0].get::<i16>("big").expect_err("it needs 17 bits");
    /// assert_eq!(error.message, "column \"big\": 70000 does not fit i16");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `42703` if there is no such column, `42804` if its type has no such Rust type, `22003` if
    /// the value does not fit, `22004` for NULL, which is read as an [`Option`].
    pub fn get<'r, T: FromValue<'r>>(&'r self, column: impl Place) -> Result<T> {
        let position = column.position(&self.columns).filter(|it| *it < self.values.len());
        let position = position.ok_or_else(|| {
            let text = format!("column {} does not exist", column.shown());
            Error::new(code::UNDEFINED_COLUMN, text)
        })?;
        let Column { name, base } = &self.columns[position];
        T::from_value(&self.values[position], *base).map_err(|error| Error {
            message: format!("column \"{name}\": {}", error.message),
            ..error
        })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The values, one for each column.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values without a copy.
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }
}

impl Place for usize {
    fn position(&self, _: &[Column]) -> Option<usize> {
        Some(*self)
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Place for &str {
    fn position(&self, columns: &[Column]) -> Option<usize> {
        columns.iter().position(|it| it.name == *self)
    }

    fn shown(&self) -> String {
        format!("\"{self}\"")
    }
}
