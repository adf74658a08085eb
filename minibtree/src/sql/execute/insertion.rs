//! New rows: their checks, their bytes and their index entries; many at once, if a statement has
//! many.
//!
//! PostgreSQL gathers the rows of COPY (`copyfrom.c`), but not those of INSERT.

use super::constraint::check_foreign_keys;
use super::context::{Context, Row};
use super::evaluate::{evaluate, is_met};
use crate::engine::{Error, Heap, LongValues, Transaction};
use crate::format::Tid;
use crate::sql::catalog::{ForeignKey, Table};
use crate::sql::row::{self, Pointer};
use crate::sql::tree::Write;
use crate::sql::values::Value;
use crate::wire::Result;
use minibtree_errors::relations::{check_fails, duplicate_key, null_value};
use minibtree_schema::failing_row;
use std::sync::Arc;

/// Rows that are gathered before they are inserted: a page is then latched and logged once for all
/// rows that it gets.
const GATHERED_ROWS: usize = 1_000;
/// Bytes that they may take before they are inserted.
const GATHERED_BYTES: usize = 1 << 20;

/// Inserts many rows: of COPY, of a table that is rewritten, of INSERT from a query.
pub struct Insertion {
    write: Write,
    context: Context,
    /// The foreign keys of the table, with the tables that they refer to.
    parents: Vec<(ForeignKey, Arc<Table>)>,
    /// The gathered rows as bytes, and where the first begins and each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The line that the next row is from, 0 without a COPY; and those of the gathered rows.
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

    /// Inserts a row of these values and of defaults. The caller overwrites `values` for the next
    /// row.
    ///
    /// # Errors
    /// Those of [`Insertion::add`].
    pub fn insert(&mut self, values: &mut Row, transaction: &mut Transaction) -> Result<()> {
        for (value, default) in values.iter_mut().zip(&self.write.values) {
            if let Some(default) = default {
                *value = evaluate(default, &self.context, &[])?;
            }
        }
        self.add(values, transaction)
    }

    /// Inserts a row. The caller overwrites `values` for the next one.
    ///
    /// # Errors
    /// `23502`, `23514`; those of [`Insertion::flush`].
    pub fn add(&mut self, values: &mut Row, transaction: &mut Transaction) -> Result<()> {
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

/// Most rows are no longer, so that their memory is allocated once.
pub const USUAL_ROW_BYTES: usize = 128;

/// Appends the bytes of a row that will be inserted. Stores its long values.
pub fn encode_new(
    table: &Table,
    values: &[Value],
    transaction: &mut Transaction,
    out: &mut Vec<u8>,
) -> Result<()> {
    encode(table, values, |_, value| insert_long(table, value, transaction), out)
}

/// Appends the bytes of a row. If they do not fit a page, `store` gets its longest values.
pub fn encode(
    table: &Table,
    values: &[Value],
    store: impl FnMut(usize, &[u8]) -> Result<Pointer>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let start = out.len();
    row::encode(&table.types, values, out);
    if out.len() - start > Heap::ROW_MAX {
        let small = row::split(&table.types, &out[start..], Heap::ROW_MAX, store)?;
        out.truncate(start);
        out.extend_from_slice(&small);
    }
    Ok(())
}

/// Stores a value outside of its row.
pub fn insert_long(table: &Table, value: &[u8], transaction: &mut Transaction) -> Result<Pointer> {
    let first = LongValues::of(&table.heap).insert(transaction, value)?.to_bytes();
    Ok(Pointer { first, length: value.len() as u32 })
}

/// Checks the NOT NULL and CHECK constraints of a row.
///
/// # Errors
/// `23502`, `23514`.
pub fn check_row(write: &Write, context: &Context, values: &[Value]) -> Result<()> {
    let table = &*write.table;
    let mut columns = table.columns.iter().zip(values);
    if let Some((column, _)) = columns.find(|(column, it)| column.not_null && it.is_null()) {
        return Err(null_value(&table.name, &column.name, failing_row(&table.types, values)));
    }
    for (name, condition) in &write.checks {
        if evaluate(condition, context, values)? == Value::Bool(false) {
            return Err(check_fails(&table.name, name, failing_row(&table.types, values)));
        }
    }
    Ok(())
}

/// Returns true if a row has an entry in an index: it meets its WHERE.
pub fn is_indexed(
    write: &Write,
    context: &Context,
    index: usize,
    values: &[Value],
) -> Result<bool> {
    write.computed.get(index).map_or(Ok(true), |it| is_met(&it.predicate, context, values))
}

/// The values of the expressions of an index.
pub fn computed(write: &Write, context: &Context, index: usize, values: &[Value]) -> Result<Row> {
    let expressions = write.computed.get(index).map_or(&[][..], |it| &it.expressions);
    expressions.iter().map(|it| evaluate(it, context, values)).collect()
}

/// Adds the index entries of a new version. `23505` if one of its keys is taken.
pub fn insert_entries(
    write: &Write,
    context: &Context,
    values: &[Value],
    tid: Tid,
    transaction: &mut Transaction,
) -> Result<()> {
    let table = &*write.table;
    for (number, index) in table.indexes.iter().enumerate() {
        if !is_indexed(write, context, number, values)? {
            continue;
        }
        let computed = computed(write, context, number, values)?;
        let key = table.key_of(index, values, &computed);
        let payload = table.payload_of(index, values);
        // A unique index may have any number of keys with NULL, which equals nothing.
        let has_null = index.columns.iter().any(|it| it.value(values, &computed).is_null());
        let inserted = match index.is_unique && !has_null {
            true => index.index.insert_unique(transaction, &table.heap, &key, tid, &payload),
            false => index.index.insert(transaction, &key, tid, &payload),
        };
        inserted.map_err(|error| match error {
            Error::UniqueViolation { .. } => {
                let key = table.index_key_text(index, values, &computed);
                duplicate_key(&table.name, &index.name, &key)
            }
            error => index.entry_error(error),
        })?;
    }
    Ok(())
}
