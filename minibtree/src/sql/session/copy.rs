//! `COPY t FROM STDIN`: lines of values, separated by tabs.
//!
//! ```
//! use minibtree::sql::session::copy_fields as fields;
//!
//! let line = fields(b"1\t\\N\ta\\tb\t")?.collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(line, [Some("1".into()), None, Some("a\tb".into()), Some("".into())]);
//! # Ok::<(), minibtree::wire::SqlError>(())
//! ```
//!
//! Messages need not end where lines do: pgbench sends a message per line, psql fills its buffer.
//! A line `\.` ends the data. PostgreSQL's `copyfromparse.c`.

use crate::engine::Transaction;
use crate::format::RelationId;
use crate::sql::bind::{Binder, insert_write, target_columns};
use crate::sql::catalog::{Catalog, ForeignKey, Table};
use crate::sql::execute::{Context, Insertion};
use crate::sql::values::Value;
use crate::wire::{Result, SqlError, code};
use std::borrow::Cow;
use std::sync::Arc;

/// The longest line in bytes: that of the longest message. PostgreSQL's is 1 GB.
const LINE_MAX: usize = 64 << 20;

/// A COPY that is going on.
pub struct CopyIn {
    table: Arc<Table>,
    /// The columns that a line has values for.
    positions: Vec<usize>,
    /// What happens to each row.
    insertion: Insertion,
    /// The beginning of a line whose end has not arrived.
    partial: Vec<u8>,
    lines: u64,
    has_ended: bool,
}

impl CopyIn {
    /// Begins.
    ///
    /// # Errors
    /// `42703` if a column does not exist.
    pub fn new(
        catalog: &Catalog,
        table: Arc<Table>,
        columns: &[String],
        context: Context,
    ) -> Result<CopyIn> {
        let positions = target_columns(&table, columns)?;
        let mut binder = Binder::new(catalog, &[]);
        let parent =
            |key: &ForeignKey| Some((key.clone(), catalog.by_oid(RelationId(key.parent))?.clone()));
        let write = insert_write(&mut binder, &table, &positions)?;
        let parents = table.foreign_keys.iter().filter_map(parent).collect();
        let insertion = Insertion::new(write, parents, context);
        Ok(CopyIn { table, positions, insertion, partial: Vec::new(), lines: 0, has_ended: false })
    }

    /// How many values a line has.
    pub fn columns(&self) -> usize {
        self.positions.len()
    }

    /// Inserts the lines that are complete.
    ///
    /// # Errors
    /// `22P04` for a line with too few or too many values, and what a bad value is.
    pub fn receive(&mut self, data: &[u8], transaction: &mut Transaction) -> Result<()> {
        let mut rest = data;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, next) = (&rest[..end], &rest[end + 1..]);
            rest = next;
            if self.partial.is_empty() {
                self.insert(line, transaction)?;
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.insert(&whole, transaction)?;
            }
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() > LINE_MAX {
            let text = format!("a line of COPY data is longer than {LINE_MAX} bytes");
            return Err(SqlError::new(code::PROGRAM_LIMIT_EXCEEDED, text));
        }
        Ok(())
    }

    /// Inserts the last line if it has no end, and returns the number of rows.
    pub fn finish(mut self, transaction: &mut Transaction) -> Result<u64> {
        if !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            self.insert(&line, transaction)?;
        }
        self.insertion.flush(transaction)?;
        Ok(self.lines)
    }

    fn insert(&mut self, line: &[u8], transaction: &mut Transaction) -> Result<()> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.has_ended |= line == b"\\.";
        if self.has_ended {
            return Ok(());
        }
        self.lines += 1;
        let inserted =
            self.values(line).and_then(|values| self.insertion.insert(values, transaction));
        inserted.map_err(|error| match error.detail {
            Some(_) => error,
            None => error.detail(format!("COPY {}, line {}", self.table.name, self.lines)),
        })
    }

    fn values(&self, line: &[u8]) -> Result<Vec<Value>> {
        let mut fields = fields(line)?;
        if line.iter().filter(|byte| **byte == b'\t').count() >= self.positions.len() {
            return Err(error!(BAD_COPY_FILE_FORMAT, "extra data after last expected column"));
        }

        let mut values = vec![Value::Null; self.table.columns.len()];
        for position in &self.positions {
            let column = &self.table.columns[*position];
            let field = fields.next().ok_or_else(|| {
                error!(BAD_COPY_FILE_FORMAT, "missing data for column \"{}\"", column.name)
            })?;
            let Some(text) = field? else { continue };
            values[*position] = column.column_type.fit(column.column_type.base.parse(&text)?)?;
        }
        Ok(values)
    }
}

/// The values of a line; `None` is NULL.
///
/// # Errors
/// `22021` if the line is not text; for a value, `0A000` if its escape is not supported.
pub fn fields(line: &[u8]) -> Result<impl Iterator<Item = Result<Option<Cow<'_, str>>>>> {
    let line = std::str::from_utf8(line).ok().filter(|line| !line.contains('\0'));
    let line = line.ok_or_else(|| {
        error!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\"")
    })?;
    let field = |field| if field == "\\N" { Ok(None) } else { unescape(field).map(Some) };
    Ok(line.split('\t').map(field))
}

fn unescape(field: &str) -> Result<Cow<'_, str>> {
    if !field.contains('\\') {
        return Ok(Cow::Borrowed(field));
    }
    let mut text = String::with_capacity(field.len());
    let mut rest = field.chars();
    while let Some(character) = rest.next() {
        text.push(match character {
            '\\' => match rest.next() {
                Some('b') => '\x08',
                Some('f') => '\x0c',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('v') => '\x0b',
                Some('0'..='7' | 'x') => {
                    return Err(SqlError::unsupported("a numeric escape in COPY data"));
                }
                Some(other) => other,
                // PostgreSQL takes the tab or line end after it as data.
                None => return Err(SqlError::unsupported("an escaped tab or line end")),
            },
            character => character,
        });
    }
    Ok(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_n_is_a_line_feed_and_a_capital_n_is_null() {
        let fields = fields(b"\\n\t\\N\t\\\\N").expect("valid").collect::<Result<Vec<_>>>();
        let fields = fields.expect("no unsupported escapes");
        assert_eq!(fields, [Some("\n".into()), None, Some("\\N".into())]);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for line in [&b"\xff"[..], b"a\0b"] {
            let error = fields(line).err().expect("no text");
            assert_eq!(error.code, code::CHARACTER_NOT_IN_REPERTOIRE);
        }
    }
}
