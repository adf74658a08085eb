//! Sorting, within `work_mem` or in files. With a LIMIT it keeps only the rows that can still be
//! among the first.
//!
//! The sorter compares bytes, so the keys are encoded like those of an index. PostgreSQL's
//! `nodeSort.c`, whose `tuplesort.c` calls a comparison function for each column.

use super::context::{Context, Row};
use super::evaluate::evaluate;
use super::open::limits;
use crate::sql::plan::{Kind, Node};
use crate::sql::values::key;
use crate::wire::Result;
use minibtree_spill::row::{decode, encode};
use minibtree_spill::sorter::{Sorted, Sorter, Space};
use minibtree_streams::rows::Rows;
use std::rc::Rc;
use std::sync::Arc;

/// Sorted rows.
pub fn sorted(node: Rc<Node>, context: Context, mut input: Box<dyn Rows>) -> Result<impl Rows> {
    let Kind::Sort { bound, .. } = &node.kind else { unreachable!("a sort") };
    let bound = match bound {
        None => None,
        Some((limit, offset)) => {
            let (limit, skipped) = limits(&Some(limit.clone()), offset, &context)?;
            limit.and_then(|limit| usize::try_from(limit.saturating_add(skipped)).ok())
        }
    };
    let mut sorted = None;
    Ok(move || -> Result<Option<Row>> {
        if sorted.is_none() {
            sorted = Some(sort(&node, &context, &mut *input, bound)?);
        }
        let next = sorted.as_mut().expect("set above").next_record()?;
        Ok(next.map(|(_, row)| decode(row)))
    })
}

fn sort(
    node: &Node,
    context: &Context,
    input: &mut dyn Rows,
    bound: Option<usize>,
) -> Result<Sorted> {
    let Kind::Sort { keys, .. } = &node.kind else { unreachable!("opened so") };
    let mut sorter = Sorter::new(Arc::clone(context.disk()), context.execution.work_mem, bound);
    let (mut key, mut payload, mut count) = (Vec::new(), Vec::new(), 0);
    while let Some(row) = input.next()? {
        key.clear();
        for it in keys {
            let order = key::Order {
                base: it.base,
                descending: it.descending,
                nulls_first: it.nulls_first,
            };
            key::append(order, &evaluate(&it.expr, context, &row)?, &mut key);
        }
        payload.clear();
        encode(&row, &mut payload);
        sorter.add(&key, &payload)?;
        count += 1;
    }

    let sorted = sorter.finish()?;
    context.measure(node.id, |it| {
        match sorted.space() {
            Space::Memory(bytes) => it.memory = it.memory.max(bytes),
            Space::Disk(bytes) => it.disk = it.disk.max(bytes),
        }
        // Like PostgreSQL, which builds its heap of the first rows only at this count.
        it.is_bounded = bound.is_some_and(|bound| count > bound.saturating_mul(2));
    });
    Ok(sorted)
}
