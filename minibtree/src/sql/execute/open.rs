//! Begins the nodes of a plan: each becomes an iterator (PostgreSQL's `execProcnode.c`).

use super::context::Context;
use super::evaluate::{evaluate, is_kept, is_met};
use super::group::{distinct, grouped, numbered, set_operation};
use super::join::{equi_join, nested_loop};
use super::scan::{bitmap_of, bitmap_rows, function_rows, index_rows, seq_rows};
use super::sort::sorted;
use crate::engine::buffer_usage;
use crate::sql::plan::{Kind, Node};
use crate::sql::tree::Expr;
use crate::sql::values::Value;
use crate::wire::{Result, SqlError, code};
use minibtree_streams::rows::{Rows, given, limited};
use std::rc::Rc;
use std::time::Instant;

/// Begins a node. `row` is the outer row, if the node is the inner side of a nested loop.
pub fn open(node: &Rc<Node>, context: &Context, row: &[Value]) -> Result<Box<dyn Rows>> {
    if context.execution.measured.is_none() {
        return open_plain(node, context, row);
    }
    let begun = (Instant::now(), buffer_usage());
    let mut rows = open_plain(node, context, row)?;
    context.measure(node.id, |it| {
        it.loops += 1;
        it.startup += begun.0.elapsed();
        it.add_since(begun, buffer_usage());
    });

    let (node, context, mut has_begun) = (node.id, context.clone(), false);
    Ok(Box::new(move || {
        let begun = (Instant::now(), buffer_usage());
        let row = rows.next()?;
        let is_first = !std::mem::replace(&mut has_begun, true);
        context.measure(node, |it| {
            it.add_since(begun, buffer_usage());
            it.startup += if is_first { begun.0.elapsed() } else { Default::default() };
            it.rows += u64::from(row.is_some());
        });
        Ok(row)
    }))
}

fn open_plain(node: &Rc<Node>, context: &Context, row: &[Value]) -> Result<Box<dyn Rows>> {
    let inside = |it: &Rc<Node>| open(it, context, row);
    let (kept, of) = (Rc::clone(node), context.clone());
    Ok(match &node.kind {
        Kind::Result { condition, input } => match input {
            _ if !is_met(condition, context, &[])? => given(Vec::new()),
            Some(input) => open(input, context, row)?,
            None => given(vec![Vec::new()]),
        },
        Kind::Filter { input, .. } => Box::new(filtered(kept, of, inside(input)?)),
        Kind::SeqScan { scanned, .. } => {
            let rows = scanned.table.heap.scan(context.execution.snapshot.clone());
            Box::new(seq_rows(kept, of, rows))
        }
        Kind::IndexScan { .. } => index_rows(kept, of, row)?,
        Kind::BitmapScan { bitmap, .. } => {
            Box::new(bitmap_rows(kept, of, bitmap_of(bitmap, context)?))
        }
        Kind::BitmapIndexScan { .. } | Kind::BitmapMerge { .. } => {
            unreachable!("a bitmap returns no rows")
        }
        Kind::Function { .. } => function_rows(kept, of)?,
        Kind::Values { .. } => Box::new(values(kept, of)),
        Kind::SubqueryScan { query, .. } => {
            Box::new(subquery(kept, of, open(query, &context.inside(&[]), &[])?))
        }
        Kind::Locked { number, .. } => given(context.execution.locked.borrow()[*number].clone()),
        Kind::NestedLoop { outer, .. } => Box::new(nested_loop(kept, of, inside(outer)?)),
        Kind::EquiJoin { outer, .. } => Box::new(equi_join(kept, of, inside(outer)?)),
        Kind::Aggregate { input, .. } => Box::new(grouped(kept, of, inside(input)?)),
        Kind::Project { input, .. } => Box::new(projected(kept, of, inside(input)?)),
        Kind::Distinct { input, .. } => Box::new(distinct(kept, of, inside(input)?)),
        Kind::Window { input, .. } => Box::new(numbered(kept, of, inside(input)?)),
        Kind::Sort { input, .. } => Box::new(sorted(kept, of, inside(input)?)?),
        Kind::Limit { input, limit, offset } => {
            let (left, skipped) = limits(limit, offset, context)?;
            Box::new(limited(inside(input)?, left, skipped))
        }
        Kind::Append { inputs } => Box::new(appended(inputs.clone(), of)),
        Kind::SetOperation { left, right, .. } => {
            set_operation(kept, of, inside(left)?, inside(right)?)
        }
    })
}

/// LIMIT and OFFSET as numbers.
///
/// # Errors
/// `2201W` or `2201X` if they are negative.
pub fn limits(
    limit: &Option<Expr>,
    offset: &Option<Expr>,
    context: &Context,
) -> Result<(Option<u64>, u64)> {
    let number = |expr: &Option<Expr>, code, name: &str| match expr {
        None => Ok(None),
        Some(expr) => match evaluate(expr, context, &[])? {
            Value::Int(number) => u64::try_from(number)
                .map(Some)
                .map_err(|_| SqlError::new(code, format!("{name} must not be negative"))),
            _ => Ok(None),
        },
    };
    let skipped = number(offset, code::INVALID_ROW_COUNT_IN_OFFSET, "OFFSET")?;
    Ok((number(limit, code::INVALID_ROW_COUNT_IN_LIMIT, "LIMIT")?, skipped.unwrap_or(0)))
}

fn values(node: Rc<Node>, context: Context) -> impl Rows {
    let mut at = 0;
    move || {
        let Kind::Values { rows } = &node.kind else { unreachable!("opened for VALUES") };
        let Some(row) = rows.get(at) else { return Ok(None) };
        at += 1;
        row.iter().map(|expr| evaluate(expr, &context, &[])).collect::<Result<_, _>>().map(Some)
    }
}

fn subquery(node: Rc<Node>, context: Context, mut rows: Box<dyn Rows>) -> impl Rows {
    move || {
        let Kind::SubqueryScan { columns, start, width, filter, .. } = &node.kind else {
            unreachable!("opened for a subquery")
        };
        while let Some(values) = rows.next()? {
            context.execution.interrupt.check()?;
            let mut row = vec![Value::Null; *width];
            for (at, value) in values.into_iter().take(*columns).enumerate() {
                row[start + at] = value;
            }
            if is_kept(&node, filter, &context, &row)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

fn filtered(node: Rc<Node>, context: Context, mut rows: Box<dyn Rows>) -> impl Rows {
    move || {
        let Kind::Filter { condition, .. } = &node.kind else { unreachable!("a filter") };
        while let Some(row) = rows.next()? {
            if is_kept(&node, condition, &context, &row)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

fn projected(node: Rc<Node>, context: Context, mut rows: Box<dyn Rows>) -> impl Rows {
    move || {
        let Kind::Project { targets, .. } = &node.kind else { unreachable!("a projection") };
        let Some(row) = rows.next()? else { return Ok(None) };
        let values = targets.iter().map(|expr| evaluate(expr, &context, &row));
        values.collect::<Result<_, _>>().map(Some)
    }
}

/// The rows of each input in turn, which is opened when the one before it has ended.
fn appended(inputs: Vec<Rc<Node>>, context: Context) -> impl Rows {
    let (mut inputs, mut rows) = (inputs.into_iter(), given(Vec::new()));
    move || {
        loop {
            if let Some(row) = rows.next()? {
                return Ok(Some(row));
            }
            let Some(input) = inputs.next() else { return Ok(None) };
            rows = open(&input, &context, &[])?;
        }
    }
}
