//! Sorting, in memory. With a LIMIT it keeps only the rows that can still be among the first.
//!
//! PostgreSQL's `nodeSort.c` and `tuplesort.c`, which sort on disk what does not fit in memory;
//! ours ends with an error.

use super::context::{Context, Memory, Row};
use super::evaluate::evaluate;
use super::open::{Rows, gathered, limits};
use crate::sql::plan::{Kind, Node, SortBy};
use crate::sql::values::{Type, Value, compare_with_nulls};
use crate::wire::Result;
use std::cmp::Ordering;
use std::rc::Rc;

/// Sorted rows.
pub fn sorted(node: Rc<Node>, context: Context, mut input: Box<dyn Rows>) -> Result<Box<dyn Rows>> {
    let Kind::Sort { bound, .. } = &node.kind else { unreachable!("a sort") };
    let bound = match bound {
        None => None,
        Some((limit, offset)) => {
            let (limit, skipped) = limits(&Some(limit.clone()), offset, &context)?;
            limit.and_then(|limit| usize::try_from(limit.saturating_add(skipped)).ok())
        }
    };
    Ok(gathered(move || {
        let Kind::Sort { keys, .. } = &node.kind else { unreachable!("opened so") };
        let mut memory = Memory::new(&context);
        let (mut rows, mut count): (Vec<(Row, Row)>, usize) = (Vec::new(), 0);
        // With a bound, the list is cut whenever it is twice as long.
        let limit = bound.map(|bound| bound.saturating_mul(2).max(64));
        while let Some(row) = input.next()? {
            let values = keys.iter().map(|key| evaluate(&key.expr, &context, &row));
            let values = values.collect::<Result<Row, _>>()?;
            memory.take(&row)?;
            rows.push((values, row));
            count += 1;
            if limit.is_some_and(|limit| rows.len() >= limit) {
                rows.sort_by(|a, b| order(keys, &a.0, &b.0));
                rows.truncate(bound.unwrap_or(usize::MAX));
                memory = Memory::new(&context);
                rows.iter().try_for_each(|(_, row)| memory.take(row))?;
            }
        }
        rows.sort_by(|a, b| order(keys, &a.0, &b.0));
        context.measure(node.id, |it| {
            it.memory = it.memory.max(memory.taken());
            // As PostgreSQL, which has no use for a heap before.
            it.is_bounded = bound.is_some_and(|bound| count > bound.saturating_mul(2));
        });
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }))
}

fn order(keys: &[SortBy], left: &[Value], right: &[Value]) -> Ordering {
    for (key, (left, right)) in keys.iter().zip(left.iter().zip(right)) {
        let padded = key.base == Type::Bpchar;
        let order = compare_with_nulls(left, right, padded, key.descending, key.nulls_first);
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}
