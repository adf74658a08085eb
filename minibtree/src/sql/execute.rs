//! Executing plans: rows are pulled, one at a time.
//!
//! ```text
//! Cursor::next          evaluates the select list
//!   Scanner::next       index entry or page -> version that the snapshot sees -> condition
//!     IndexScan, HeapScan, Heap::fetch       the engine
//! ```
//!
//! # What does an UPDATE do with a row that another transaction has just changed?
//!
//! The engine waits for that transaction. If it commits, the row is read again in its newest
//! version, and is changed if it still meets the condition, as READ COMMITTED demands: two
//! transactions that add 1 to a balance must add 2.
//!
//! ```text
//! A: UPDATE .. SET b = b + 1 WHERE id = 1     b 0 -> 1
//! B: UPDATE .. SET b = b + 1 WHERE id = 1     sees 0, waits for A
//! A: COMMIT                                   B reads 1, checks id = 1, writes 2
//! ```
//!
//! PostgreSQL's `ExecutePlan` (`execMain.c`) and, for the second look, `EvalPlanQual`.

use super::catalog::Table;
use super::expression::{Expr, Scope};
use super::plan::{Aggregate, Change, Insert, Output, Scan, Select};
use super::types::{Type, compare};
use super::{Value, key, row};
use crate::engine::{Changed, Direction, Error, HeapScan, IndexScan, Interrupt, KeyRange};
use crate::engine::{Snapshot, Transaction};
use crate::format::Tid;
use crate::wire::{SqlError, code};
use std::sync::Arc;

/// The rows of a SELECT.
pub struct Cursor {
    scanner: Option<Scanner>,
    is_done: bool,
}

impl Cursor {
    /// Begins. The snapshot is that of the statement.
    pub fn open(
        select: &Select,
        scope: Scope<'_>,
        snapshot: Arc<Snapshot>,
        interrupt: Interrupt,
    ) -> Result<Cursor, SqlError> {
        let open = |scan| Scanner::open(scan, scope, snapshot, interrupt);
        Ok(Cursor { scanner: select.scan.as_ref().map(open).transpose()?, is_done: false })
    }

    /// The next row, or `None` at the end.
    pub fn next(
        &mut self,
        select: &Select,
        scope: Scope<'_>,
    ) -> Result<Option<Vec<Value>>, SqlError> {
        if self.is_done {
            return Ok(None);
        }
        match &select.output {
            Output::Rows(exprs) => {
                let Some(row) = self.next_input(select, scope)? else { return Ok(None) };
                let row = exprs.iter().map(|expr| expr.eval(scope, &row));
                row.collect::<Result<_, _>>().map(Some)
            }
            Output::Aggregates(aggregates) => {
                let mut values: Vec<Value> = aggregates.iter().map(Aggregate::start).collect();
                while let Some(row) = self.next_input(select, scope)? {
                    for (aggregate, value) in aggregates.iter().zip(&mut values) {
                        aggregate.add(scope, &row, value)?;
                    }
                }
                Ok(Some(values))
            }
        }
    }

    /// The next row of the table, or the only row of no columns.
    fn next_input(
        &mut self,
        select: &Select,
        scope: Scope<'_>,
    ) -> Result<Option<Vec<Value>>, SqlError> {
        let found = match (&mut self.scanner, &select.scan) {
            (Some(scanner), Some(scan)) => scanner.next(scan, scope)?.map(|(_, row)| row),
            _ => (!std::mem::replace(&mut self.is_done, true)).then(Vec::new),
        };
        self.is_done |= found.is_none();
        Ok(found)
    }
}

impl Aggregate {
    fn start(&self) -> Value {
        match self {
            Aggregate::CountRows | Aggregate::Count(_) => Value::Int(0),
            _ => Value::Null,
        }
    }

    /// Adds a row. NULLs do not count.
    fn add(&self, scope: Scope<'_>, row: &[Value], sum: &mut Value) -> Result<(), SqlError> {
        let value = match self {
            Aggregate::CountRows => Value::Int(1),
            Aggregate::Count(expr)
            | Aggregate::Sum(expr)
            | Aggregate::Min(expr)
            | Aggregate::Max(expr) => expr.eval(scope, row)?,
        };
        *sum = match (self, &*sum, value) {
            (_, _, Value::Null) => return Ok(()),
            (Aggregate::CountRows | Aggregate::Count(_), Value::Int(count), _) => {
                Value::Int(count + 1)
            }
            (Aggregate::Sum(_), Value::Int(sum), Value::Int(number)) => {
                let text = "bigint out of range";
                let out_of_range = || SqlError::new(code::NUMERIC_VALUE_OUT_OF_RANGE, text);
                Value::Int(sum.checked_add(number).ok_or_else(out_of_range)?)
            }
            (Aggregate::Min(_), old, new) if *old != Value::Null => {
                if compare(&new, old, true).is_lt() { new } else { return Ok(()) }
            }
            (Aggregate::Max(_), old, new) if *old != Value::Null => {
                if compare(&new, old, true).is_gt() { new } else { return Ok(()) }
            }
            (_, _, first) => first,
        };
        Ok(())
    }
}

/// The rows of a table that meet a condition, with their TIDs.
pub struct Scanner {
    snapshot: Arc<Snapshot>,
    interrupt: Interrupt,
    source: Source,
    /// The bytes of a row.
    bytes: Vec<u8>,
}

enum Source {
    Heap(HeapScan),
    Index(IndexScan),
    /// No row can meet the condition.
    Nothing,
}

impl Scanner {
    /// Begins.
    pub fn open(
        scan: &Scan,
        scope: Scope<'_>,
        snapshot: Arc<Snapshot>,
        interrupt: Interrupt,
    ) -> Result<Scanner, SqlError> {
        let source = match &scan.probe {
            None => Source::Heap(scan.table.heap.scan(Arc::clone(&snapshot))),
            Some(probe) => {
                let index = &scan.table.indexes[probe.index];
                let values: Result<Vec<Value>, _> =
                    probe.key.iter().map(|expr| expr.eval(scope, &[])).collect();
                match probe_key(&scan.table, &index.columns, &values?) {
                    Some(key) => {
                        let (range, forward) = (KeyRange::equal(&key), Direction::Forward);
                        let scan = index.index.scan(Arc::clone(&snapshot), range, forward);
                        Source::Index(scan)
                    }
                    None => Source::Nothing,
                }
            }
        };
        Ok(Scanner { snapshot, interrupt, source, bytes: Vec::new() })
    }

    /// The next row, or `None` at the end.
    pub fn next(
        &mut self,
        scan: &Scan,
        scope: Scope<'_>,
    ) -> Result<Option<(Tid, Vec<Value>)>, SqlError> {
        let Table { heap, types, .. } = &*scan.table;
        loop {
            self.interrupt.check()?;
            let (tid, values) = match &mut self.source {
                Source::Nothing => return Ok(None),
                Source::Heap(rows) => {
                    let Some(found) = rows.next()? else { return Ok(None) };
                    (found.tid, row::decode(types, found.bytes)?)
                }
                Source::Index(entries) => {
                    let Some(entry) = entries.next()? else { return Ok(None) };
                    let root = entry.tid;
                    self.bytes.clear();
                    let Some(tid) = heap.fetch(root, &self.snapshot, &mut self.bytes)? else {
                        continue;
                    };
                    (tid, row::decode(types, &self.bytes)?)
                }
            };
            match &scan.filter {
                Some(filter) if !filter.is_met(scope, &values)? => {}
                _ => return Ok(Some((tid, values))),
            }
        }
    }
}

/// The key for these values of the first columns, or `None` if no row can have them: NULL equals
/// nothing, and a number may be too large for the column.
fn probe_key(table: &Table, columns: &[usize], values: &[Value]) -> Option<Vec<u8>> {
    let types = columns.iter().map(|column| table.types[*column]);
    let fits = |(base, value): (Type, &Value)| match value {
        Value::Null => false,
        Value::Int(number) => base.holds(*number),
        _ => true,
    };
    let parts: Vec<(Type, &Value)> = types.zip(values).collect();
    parts.iter().all(|part| fits(*part)).then(|| key::of(&parts))
}

/// Inserts rows, and returns how many.
pub fn insert(
    insert: &Insert,
    scope: Scope<'_>,
    transaction: &mut Transaction,
) -> Result<u64, SqlError> {
    for exprs in &insert.rows {
        let values = exprs.iter().map(|expr| expr.eval(scope, &[]));
        insert_row(&insert.table, &values.collect::<Result<Vec<_>, _>>()?, transaction)?;
    }
    Ok(insert.rows.len() as u64)
}

/// Inserts one row whose values fit their columns.
pub fn insert_row(
    table: &Table,
    values: &[Value],
    transaction: &mut Transaction,
) -> Result<(), SqlError> {
    check_not_null(table, values)?;
    let mut bytes = Vec::new();
    row::encode(&table.types, values, &mut bytes);
    let tid = table.heap.insert(transaction, &bytes)?;
    insert_entries(table, values, tid, transaction)
}

fn check_not_null(table: &Table, values: &[Value]) -> Result<(), SqlError> {
    let missing = |(_, value): &(_, &Value)| **value == Value::Null;
    let mut required = table.columns.iter().zip(values).filter(|(column, _)| column.not_null);
    match required.find(missing) {
        None => Ok(()),
        Some((column, _)) => Err(null_violation(table, &column.name)),
    }
}

/// The error for a NULL in a NOT NULL column.
fn null_violation(table: &Table, column: &str) -> SqlError {
    let text = format!(
        "null value in column \"{column}\" of relation \"{}\" violates not-null constraint",
        table.name
    );
    SqlError::new(code::NOT_NULL_VIOLATION, text)
}

/// The key of a row in an index.
pub fn key_of(table: &Table, columns: &[usize], values: &[Value]) -> Vec<u8> {
    let part = |column: &usize| (table.types[*column], &values[*column]);
    key::of(&columns.iter().map(part).collect::<Vec<_>>())
}

fn insert_entries(
    table: &Table,
    values: &[Value],
    tid: Tid,
    transaction: &mut Transaction,
) -> Result<(), SqlError> {
    for index in &table.indexes {
        let key = key_of(table, &index.columns, values);
        let inserted = index.index.insert_unique(transaction, &table.heap, &key, tid, b"");
        inserted.map_err(|error| match error {
            Error::UniqueViolation { .. } => {
                let text =
                    format!("duplicate key value violates unique constraint \"{}\"", index.name);
                let detail = format!("Key {} already exists.", key_text(table, index, values));
                SqlError::new(code::UNIQUE_VIOLATION, text).detail(detail)
            }
            error => error.into(),
        })?;
    }
    Ok(())
}

/// `(bid)=(1)`, as error messages show a key.
pub fn key_text(table: &Table, index: &super::catalog::TableIndex, values: &[Value]) -> String {
    let names = index.columns.iter().map(|column| table.columns[*column].name.as_str());
    let texts = index.columns.iter().map(|column| {
        let mut text = Vec::new();
        table.types[*column].send(&values[*column], crate::wire::Format::Text, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let (names, texts): (Vec<&str>, Vec<String>) = names.zip(texts).unzip();
    format!("({})=({})", names.join(", "), texts.join(", "))
}

/// Updates or deletes rows, and returns how many.
pub fn change(
    change: &Change,
    scope: Scope<'_>,
    transaction: &mut Transaction,
    interrupt: Interrupt,
) -> Result<u64, SqlError> {
    let mut scanner = Scanner::open(&change.scan, scope, transaction.snapshot(), interrupt)?;
    let mut changed = 0;
    while let Some((tid, values)) = scanner.next(&change.scan, scope)? {
        changed += u64::from(change_row(change, scope, transaction, tid, values)?);
    }
    Ok(changed)
}

/// Changes one row. Returns false if another transaction changed it so that it no longer meets the
/// condition.
fn change_row(
    change: &Change,
    scope: Scope<'_>,
    transaction: &mut Transaction,
    mut tid: Tid,
    mut old: Vec<Value>,
) -> Result<bool, SqlError> {
    let table = &*change.scan.table;
    let mut bytes = Vec::new();
    loop {
        let new = new_values(change, scope, &old)?;
        let outcome = match &new {
            None => table.heap.delete(transaction, tid)?,
            Some(new) => {
                bytes.clear();
                row::encode(&table.types, new, &mut bytes);
                let is_same_key = |columns: &[usize]| columns.iter().all(|it| old[*it] == new[*it]);
                let keys_unchanged = table.indexes.iter().all(|it| is_same_key(&it.columns));
                table.heap.update(transaction, tid, &bytes, keys_unchanged)?
            }
        };
        match outcome {
            Changed::Deleted => return Ok(false),
            Changed::Done { tid, needs_index_entries } => {
                if let Some(new) = new.filter(|_| needs_index_entries) {
                    insert_entries(table, &new, tid, transaction)?;
                }
                return Ok(true);
            }
            Changed::Updated { newest } => {
                bytes.clear();
                if !table.heap.fetch_version(newest, &mut bytes)? {
                    return Ok(false);
                }
                (tid, old) = (newest, row::decode(&table.types, &bytes)?);
                if let Some(filter) = &change.scan.filter
                    && !filter.is_met(scope, &old)?
                {
                    return Ok(false);
                }
            }
        }
    }
}

/// The row after an UPDATE, or `None` for a DELETE.
fn new_values(
    change: &Change,
    scope: Scope<'_>,
    old: &[Value],
) -> Result<Option<Vec<Value>>, SqlError> {
    let Some(assignments) = &change.assignments else { return Ok(None) };
    let mut new = old.to_vec();
    for (position, expr) in assignments {
        new[*position] = Expr::eval(expr, scope, old)?;
    }
    check_not_null(&change.scan.table, &new)?;
    Ok(Some(new))
}
