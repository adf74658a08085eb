//! Scans: rows of tables and of functions.
//!
//! The row of a query has a position for each column of each table. A scan fills those of its own
//! table, and of them only the columns that the query uses.
//! PostgreSQL's `nodeSeqscan.c`, `nodeIndexscan.c`, `nodeIndexonlyscan.c`, `nodeBitmapHeapscan.c`.
//! Its bitmap becomes lossy, a bit per page, when it is too large (`tidbitmap.c`); ours does not.

use super::context::{Context, Execution, Row};
use super::evaluate::{evaluate, is_kept, is_met};
use crate::engine::{Direction, HeapScan, KeyRange, buffer_usage};
use crate::format::{PageBytes, RelationId, Tid};
use crate::sql::catalog::{Table, TableIndex};
use crate::sql::plan::{Bounds, Kind, Node, Scanned};
use crate::sql::row;
use crate::sql::tree::{Expr, SetFunction};
use crate::sql::values::{Type, Value, key};
use crate::wire::{Result, SqlError, code};
use minibtree_inspect::{level_row, levels, page_row};
use minibtree_streams::rows::Rows;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// The TID of a row as a value.
pub fn tid_value(tid: Tid) -> Value {
    Value::Int(i64::from(tid.block) << 16 | i64::from(tid.slot))
}

/// The TID in a value.
pub fn tid_of(value: &Value) -> Tid {
    match value {
        Value::Int(packed) => Tid { block: (packed >> 16) as u32, slot: *packed as u16 },
        _ => unreachable!("the scan has filled in the TID"),
    }
}

/// The row of the query with the columns of a version in it.
fn filled(scanned: &Scanned, tid: Tid, bytes: &[u8]) -> Result<Row> {
    let mut values = vec![Value::Null; scanned.width];
    let columns = &mut values[scanned.start..];
    scanned.table.decode_into(bytes, |it| scanned.needed[it], columns)?;
    if scanned.needs_tid {
        columns[scanned.needed.len()] = tid_value(tid);
    }
    Ok(values)
}

/// The rows of a table, page by page.
pub fn seq_rows(node: Rc<Node>, context: Context, mut rows: HeapScan) -> impl Rows {
    move || {
        let Kind::SeqScan { scanned, filter } = &node.kind else { unreachable!("opened so") };
        loop {
            context.execution.interrupt.check()?;
            let Some(found) = rows.next()? else { return Ok(None) };
            let row = filled(scanned, found.tid, found.bytes)?;
            if is_kept(&node, filter, &context, &row)? {
                return Ok(Some(row));
            }
        }
    }
}

/// The rows that an index leads to. `outer` is the outer row, whose columns the bounds may use.
pub fn index_rows(node: Rc<Node>, context: Context, outer: &[Value]) -> Result<Box<dyn Rows>> {
    let Kind::IndexScan { scanned, index, bounds, is_backward, .. } = &node.kind else {
        unreachable!("an index scan")
    };
    let definition = &scanned.table.indexes[*index];
    let mut ranges = key_ranges(&scanned.table, definition, bounds, &context, outer)?;
    let direction = if *is_backward { Direction::Backward } else { Direction::Forward };
    if *is_backward {
        ranges.reverse();
    }
    let (mut ranges, mut entries) = (ranges.into_iter(), None);
    let (outer, mut bytes) = (outer.to_vec(), Vec::new());

    Ok(Box::new(move || {
        let Kind::IndexScan { scanned, index, conditions, is_only, filter, .. } = &node.kind else {
            unreachable!("an index scan")
        };
        let (heap, snapshot) = (&scanned.table.heap, &context.execution.snapshot);
        loop {
            context.execution.interrupt.check()?;
            let Some(current) = &mut entries else {
                let Some(range) = ranges.next() else { return Ok(None) };
                let index = &scanned.table.indexes[*index].index;
                entries = Some(index.scan(Arc::clone(snapshot), range, direction));
                continue;
            };
            let Some(entry) = current.next()? else {
                entries = None;
                continue;
            };
            let mut row = if *is_only && heap.is_all_visible(entry.tid) {
                covered(scanned, &scanned.table.indexes[*index], entry.key, entry.payload)?
            } else {
                if *is_only {
                    context.measure(node.id, |it| it.heap_fetches += 1);
                }
                let Some(tid) = heap.fetch(entry.tid, snapshot, &mut bytes)? else { continue };
                filled(scanned, tid, &bytes)?
            };

            // Check the conditions of the bounds again: an entry may lead to a version with another
            // key, and a range may include NULLs. The conditions may use the outer row.
            for (position, value) in outer.iter().enumerate() {
                if !value.is_null() {
                    row[position] = value.clone();
                }
            }
            if is_met(conditions, &context, &row)? && is_kept(&node, filter, &context, &row)? {
                return Ok(Some(row));
            }
        }
    }))
}

/// The rows of a bitmap in the order of their pages.
pub fn bitmap_rows(node: Rc<Node>, context: Context, bitmap: Vec<Tid>) -> impl Rows {
    let (mut bitmap, mut bytes, mut block) = (bitmap.into_iter(), Vec::new(), None);
    move || {
        let Kind::BitmapScan { scanned, recheck, filter, .. } = &node.kind else {
            unreachable!("a bitmap scan")
        };
        for entry in bitmap.by_ref() {
            context.execution.interrupt.check()?;
            if block.replace(entry.block) != Some(entry.block) {
                context.measure(node.id, |it| it.heap_fetches += 1);
            }
            let found = scanned.table.heap.fetch(entry, &context.execution.snapshot, &mut bytes)?;
            let Some(tid) = found else { continue };
            let row = filled(scanned, tid, &bytes)?;
            // An entry may lead to a version with another key.
            if is_met(recheck, &context, &row)? && is_kept(&node, filter, &context, &row)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

/// The rows of a bitmap, in order and without duplicates.
pub fn bitmap_of(node: &Node, context: &Context) -> Result<Vec<Tid>> {
    let begun = (Instant::now(), buffer_usage());
    let (mut tids, mut count) = (Vec::new(), 0);
    if let Kind::BitmapIndexScan { scanned, index, bounds, .. } = &node.kind {
        let definition = &scanned.table.indexes[*index];
        for range in key_ranges(&scanned.table, definition, bounds, context, &[])? {
            let snapshot = context.execution.snapshot.clone();
            let mut entries = definition.index.scan(snapshot, range, Direction::Forward);
            while let Some(entry) = entries.next()? {
                context.execution.interrupt.check()?;
                tids.push(entry.tid);
            }
        }
        count = tids.len();
    }
    let is_union = matches!(node.kind, Kind::BitmapMerge { is_union: true, .. });
    for (number, input) in node.inputs().into_iter().enumerate() {
        if is_union || number == 0 {
            tids.extend(bitmap_of(input, context)?);
        } else if !tids.is_empty() {
            let others = bitmap_of(input, context)?;
            tids.retain(|it| others.binary_search(it).is_ok());
        }
    }
    tids.sort_unstable();
    tids.dedup();
    context.measure(node.id, |it| {
        (it.loops, it.rows) = (it.loops + 1, it.rows + count as u64);
        it.add_since(begun, buffer_usage());
        it.startup = it.total;
    });
    Ok(tids)
}

/// The row of the query with the columns that an index entry has.
fn covered(scanned: &Scanned, index: &TableIndex, mut key: &[u8], payload: &[u8]) -> Result<Row> {
    let damaged = || SqlError::new(code::DATA_CORRUPTED, "an index entry is damaged");
    let mut values = vec![Value::Null; scanned.width];
    for column in &index.columns {
        let order = scanned.table.order_of(index, column);
        let value = key::take(order, &mut key).ok_or_else(damaged)?;
        if column.expression().is_none() {
            values[scanned.start + column.position] = value;
        }
    }
    if !index.included.is_empty() {
        let types: Vec<Type> = index.included.iter().map(|it| scanned.table.types[*it]).collect();
        for (position, value) in index.included.iter().zip(row::decode(&types, payload)?) {
            values[scanned.start + position] = value;
        }
    }
    Ok(values)
}

/// The parts of an index within bounds, in its order. They do not overlap.
fn key_ranges(
    table: &Table,
    index: &TableIndex,
    bounds: &Bounds,
    context: &Context,
    outer: &[Value],
) -> Result<Vec<KeyRange>> {
    // The prefixes of the wanted keys: each combination of values for the first columns.
    let mut prefixes = vec![Vec::new()];
    for (exprs, column) in bounds.equal.iter().zip(&index.columns) {
        let (order, shorter) = (table.order_of(index, column), std::mem::take(&mut prefixes));
        for value in values(exprs, context, outer)? {
            if matches!(place(&value, order.base), Place::Within) {
                for mut prefix in shorter.iter().cloned() {
                    key::append(order, &value, &mut prefix);
                    prefixes.push(prefix);
                }
            }
        }
    }
    prefixes.sort_unstable();
    prefixes.dedup();

    let mut limits = Vec::new();
    for (bound, is_lower) in [(&bounds.lower, true), (&bounds.upper, false)] {
        let Some((expr, included)) = bound else { continue };
        limits.push((evaluate(expr, context, outer)?, *included, is_lower));
    }
    let order = index.columns.get(bounds.equal.len()).map(|it| table.order_of(index, it));
    let range = |prefix: Vec<u8>| {
        let all = if prefix.is_empty() { KeyRange::all() } else { KeyRange::equal(&prefix) };
        let Some(order) = order else { return Some(all) };
        limits.iter().try_fold(all, |range, limit| bounded(order, &prefix, limit, range))
    };
    Ok(prefixes.into_iter().filter_map(range).collect())
}

/// The values of a list, or the elements of the array that is its only item.
fn values(exprs: &[Expr], context: &Context, outer: &[Value]) -> Result<Vec<Value>> {
    let values = exprs.iter().map(|it| evaluate(it, context, outer));
    let values = values.collect::<Result<Vec<_>>>()?;
    Ok(if let [Value::Array(elements)] = &values[..] { elements.to_vec() } else { values })
}

/// Where a value is beside the values that a column can have.
enum Place {
    Null,
    Below,
    Within,
    Above,
}

fn place(value: &Value, base: Type) -> Place {
    match value {
        Value::Null => Place::Null,
        Value::Int(number) if base.holds(*number) => Place::Within,
        Value::Int(..0) => Place::Below,
        Value::Int(_) => Place::Above,
        _ => Place::Within,
    }
}

/// Narrows a range by a bound: its value, true if it is included, true if it is the lower bound.
/// Returns `None` if nothing is left.
fn bounded(
    order: key::Order,
    prefix: &[u8],
    (value, included, is_lower): &(Value, bool, bool),
    range: KeyRange,
) -> Option<KeyRange> {
    match (place(value, order.base), *is_lower) {
        (Place::Null, _) | (Place::Above, true) | (Place::Below, false) => return None,
        (Place::Below, true) | (Place::Above, false) => return Some(range),
        (Place::Within, _) => {}
    }
    let mut key = prefix.to_vec();
    key::append(order, value, &mut key);
    // In a descending column the large values come first.
    Some(match (*is_lower != order.descending, *included) {
        (true, true) => range.at_least(&key),
        (true, false) => range.after(&key),
        (false, true) => range.up_to(&key),
        (false, false) => range.before(&key),
    })
}

/// The rows of a function.
///
/// # Errors
/// `22023` if the step of a series is zero, `42809` for a relation that is of another kind.
pub fn function_rows(node: Rc<Node>, context: Context) -> Result<Box<dyn Rows>> {
    let Kind::Function { function, arguments, .. } = &node.kind else { unreachable!("opened so") };
    let arguments = arguments.iter().map(|it| evaluate(it, &context, &[]));
    let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
    let mut rows: Box<dyn Iterator<Item = Result<Row>>> = match (function, &arguments[..]) {
        (SetFunction::Unnest(_), [Value::Array(elements)]) => {
            let elements = elements.to_vec();
            Box::new(elements.into_iter().map(|it| Ok(vec![it])))
        }
        (SetFunction::Series, [Value::Int(from), Value::Int(to)]) => series(*from, *to, 1)?,
        (SetFunction::Series, [Value::Int(from), Value::Int(to), Value::Int(step)]) => {
            series(*from, *to, *step)?
        }
        (SetFunction::Pages, [Value::Int(oid)]) => {
            let (mut read, mut blocks) = (page_reader(&context, *oid)?, 0..);
            Box::new(std::iter::from_fn(move || {
                let block = blocks.next()?;
                read(block).map(|it| it.map(|page| page_row(block, &page))).transpose()
            }))
        }
        (SetFunction::Levels, [Value::Int(oid)]) => {
            let damaged = |text| error!(WRONG_OBJECT_TYPE, "not a B+tree, or damaged: {text}");
            let levels = levels(page_reader(&context, *oid)?, damaged)?;
            Box::new((0..levels.len()).rev().zip(levels).map(|it| Ok(level_row(it.0, &it.1))))
        }
        // A NULL among the arguments makes no rows.
        _ => Box::new(std::iter::empty()),
    };

    let mut number = 0;
    Ok(Box::new(move || {
        let Kind::Function { columns, position, width, filter, .. } = &node.kind else {
            unreachable!("opened so")
        };
        loop {
            context.execution.interrupt.check()?;
            let Some(values) = rows.next() else { return Ok(None) };
            number += 1;
            let values = values?.into_iter().chain([Value::Int(number)]).take(columns.len());
            let mut row = vec![Value::Null; *width];
            row[*position..].iter_mut().zip(values).for_each(|(place, it)| *place = it);
            if is_kept(&node, filter, &context, &row)? {
                return Ok(Some(row));
            }
        }
    }))
}

/// The numbers of `generate_series`.
fn series(from: i64, to: i64, step: i64) -> Result<Box<dyn Iterator<Item = Result<Row>>>> {
    if step == 0 {
        return Err(error!(INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    let numbers = std::iter::successors(Some(from), move |it| it.checked_add(step));
    let is_within = move |it: &i64| if step > 0 { *it <= to } else { *it >= to };
    Ok(Box::new(numbers.take_while(is_within).map(|it| Ok(vec![Value::Int(it)]))))
}

/// Reads the pages of a relation by their numbers; `None` after the last one.
fn page_reader(
    context: &Context,
    oid: i64,
) -> Result<impl FnMut(u32) -> Result<Option<Box<PageBytes>>> + use<>> {
    let Execution { planned, sequences, .. } = &*context.execution;
    let objects = planned.catalog.objects();
    let files = minibtree_pg_catalog::files(objects, oid as u32, true, false).unwrap_or_default();
    let [file] = files[..] else {
        return Err(error!(WRONG_OBJECT_TYPE, "relation with OID {oid} has no pages"));
    };
    let database = Arc::clone(&sequences.database);
    Ok(move |block| Ok(database.page(RelationId(file), block)?))
}
