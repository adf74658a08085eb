//! GROUP BY, DISTINCT, INTERSECT and EXCEPT, each with a hash table.
//!
//! Once a hash table fills `work_mem`, rows of new groups go to files, in batches that are grouped
//! later. Without batches, groups come out in the order of their first rows. INTERSECT and EXCEPT
//! keep their rows in memory. PostgreSQL's `nodeAgg.c` and `nodeSetOp.c`.

use super::context::{Context, Row};
use super::evaluate::{evaluate, is_kept, is_met};
use crate::sql::functions::aggregates::State;
use crate::sql::plan::{Kind, Node};
use crate::sql::tree::{AggregateCall, Expr, SetOperator};
use crate::sql::values::{Type, Value, key};
use crate::wire::Result;
use minibtree_spill::batches::{Batches, KeyedRows};
use minibtree_streams::memory::Memory;
use minibtree_streams::rows::{Rows, gathered, given};
use minibtree_streams::set::set_rows;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A group: its key, and the states of its aggregates.
struct Group {
    key: Row,
    states: Vec<State>,
    /// For each DISTINCT aggregate, the arguments that it has counted already.
    seen: Vec<HashSet<Vec<u8>>>,
}

impl Group {
    fn new(key: Row, calls: &[AggregateCall]) -> Group {
        let states = calls.iter().map(|call| State::start(&call.aggregate)).collect();
        Group { key, states, seen: vec![HashSet::new(); calls.len()] }
    }

    fn add(
        &mut self,
        calls: &[AggregateCall],
        context: &Context,
        row: &[Value],
        memory: &mut Memory,
    ) -> Result<()> {
        for (number, call) in calls.iter().enumerate() {
            if !is_met(&call.filter, context, row)? {
                continue;
            }
            let arguments = call.arguments.iter().map(|expr| evaluate(expr, context, row));
            let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
            if call.distinct {
                let types = call.aggregate.arguments.iter().copied();
                if !self.seen[number].insert(key::hashed(types.zip(&arguments))) {
                    continue;
                }
                memory.take(&arguments)?;
            }
            self.states[number].add(&call.aggregate, &arguments)?;
        }
        Ok(())
    }

    fn finish(self, calls: &[AggregateCall]) -> Result<Row> {
        let mut row = self.key;
        for (state, call) in self.states.into_iter().zip(calls) {
            row.push(state.finish(&call.aggregate)?);
        }
        Ok(row)
    }
}

/// GROUP BY and aggregates.
pub fn grouped(node: Rc<Node>, context: Context, mut input: Box<dyn Rows>) -> impl Rows {
    let mut batches = Batches::new(context.disk(), Box::new(move || input.next()));
    let (mut rows, mut has_begun) = (given(Vec::new()), false);
    move || {
        loop {
            if let Some(row) = rows.next()? {
                return Ok(Some(row));
            }
            if std::mem::replace(&mut has_begun, true) && !batches.advance()? {
                return Ok(None);
            }
            rows = given(groups_of(&node, &context, &mut batches)?);
        }
    }
}

/// The groups of one batch.
fn groups_of(node: &Node, context: &Context, batch: &mut Batches) -> Result<Vec<Row>> {
    let Kind::Aggregate { keys, aggregates, having, .. } = &node.kind else {
        unreachable!("a grouping")
    };
    let mut memory = context.memory();
    let (mut groups, mut numbers) = (Vec::<Group>::new(), HashMap::new());
    if keys.is_empty() {
        groups.push(Group::new(Vec::new(), aggregates));
    }
    while let Some(row) = batch.next_row()? {
        let mut number = 0;
        if !keys.is_empty() {
            let values = keys.iter().map(|(key, _)| evaluate(key, context, &row));
            let values = values.collect::<Result<Row, _>>()?;
            let hashed = key::hashed(keys.iter().map(|it| it.1).zip(&values));
            number = match numbers.get(&hashed) {
                Some(number) => *number,
                None if memory.is_full() => {
                    batch.put_off(&hashed, &row)?;
                    continue;
                }
                None => {
                    memory.take(&values)?;
                    groups.push(Group::new(values, aggregates));
                    numbers.insert(hashed, groups.len() - 1);
                    groups.len() - 1
                }
            };
        }
        groups[number].add(aggregates, context, &row, &mut memory)?;
    }
    measure(node, context, batch, &memory);

    let mut rows = Vec::with_capacity(groups.len());
    for group in groups {
        let row = group.finish(aggregates)?;
        if is_kept(node, having, context, &row)? {
            rows.push(row);
        }
    }
    Ok(rows)
}

fn measure(node: &Node, context: &Context, batches: &Batches, memory: &Memory) {
    context.measure(node.id, |it| {
        let memory = it.memory.max(memory.taken());
        (it.memory, it.batches, it.disk) = (memory, batches.count, batches.bytes);
    });
}

/// DISTINCT.
pub fn distinct(node: Rc<Node>, context: Context, mut rows: Box<dyn Rows>) -> impl Rows {
    let (mut seen, mut memory) = (HashSet::new(), context.memory());
    let mut batches = Batches::new(context.disk(), Box::new(move || rows.next()));
    move || {
        let Kind::Distinct { keys, .. } = &node.kind else { unreachable!("opened so") };
        loop {
            while let Some(row) = batches.next_row()? {
                let key = hashed_key(keys, &context, &row)?;
                if seen.contains(&key) {
                    continue;
                }
                if memory.is_full() {
                    batches.put_off(&key, &row)?;
                    continue;
                }
                memory.take(&row)?;
                seen.insert(key);
                return Ok(Some(row));
            }

            measure(&node, &context, &batches, &memory);
            if !batches.advance()? {
                return Ok(None);
            }
            (seen, memory) = (HashSet::new(), context.memory());
        }
    }
}

/// `row_number()`: rows with the same key come one after another.
pub fn numbered(node: Rc<Node>, context: Context, mut rows: Box<dyn Rows>) -> impl Rows {
    let (mut last, mut number) = (None, 0);
    move || {
        let Kind::Window { partition, .. } = &node.kind else { unreachable!("opened so") };
        let Some(mut row) = rows.next()? else { return Ok(None) };
        let key = Some(hashed_key(partition, &context, &row)?);
        number = if key == last { number + 1 } else { 1 };
        last = key;
        row.push(Value::Int(number));
        Ok(Some(row))
    }
}

/// INTERSECT and EXCEPT.
pub fn set_operation(
    node: Rc<Node>,
    context: Context,
    left: Box<dyn Rows>,
    right: Box<dyn Rows>,
) -> Box<dyn Rows> {
    let Kind::SetOperation { operator, all, .. } = node.kind else { unreachable!("opened so") };
    let keyed = |mut rows: Box<dyn Rows>| -> KeyedRows {
        let node = Rc::clone(&node);
        Box::new(move || {
            let Kind::SetOperation { types, .. } = &node.kind else { unreachable!("opened so") };
            Ok(rows.next()?.map(|row| (key::hashed(types.iter().copied().zip(&row)), row)))
        })
    };
    let is_intersection = operator == SetOperator::Intersect;
    let (left, right) = (keyed(left), keyed(right));
    gathered(move || set_rows(left, right, is_intersection, all, context.memory()))
}

fn hashed_key(keys: &[(Expr, Type)], context: &Context, row: &[Value]) -> Result<Vec<u8>> {
    let values = keys.iter().map(|(key, _)| evaluate(key, context, row));
    let values = values.collect::<Result<Row, _>>()?;
    Ok(key::hashed(keys.iter().map(|it| it.1).zip(&values)))
}
