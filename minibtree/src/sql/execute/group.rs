//! What gathers rows: GROUP BY, DISTINCT, INTERSECT and EXCEPT, each with a hash table.
//!
//! Rows come out in the order in which their groups began. PostgreSQL's `nodeAgg.c` and
//! `nodeSetOp.c`.

use super::context::{Context, Memory, Row};
use super::evaluate::{evaluate, is_met};
use super::open::{Given, Rows};
use crate::sql::functions::aggregates::State;
use crate::sql::plan::{Kind, Node};
use crate::sql::tree::{AggregateCall, SetOperator};
use crate::sql::values::{Type, Value, key};
use crate::wire::SqlError;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// GROUP BY and aggregates.
pub struct Aggregation {
    node: Rc<Node>,
    context: Context,
    input: Box<dyn Rows>,
    groups: Option<Given>,
}

/// A group: its key, and the aggregates so far.
struct Group {
    key: Row,
    states: Vec<State>,
    /// The arguments that DISTINCT aggregates have had.
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
    ) -> Result<(), SqlError> {
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
            }
            self.states[number].add(&call.aggregate, &arguments)?;
        }
        Ok(())
    }

    fn finish(self, calls: &[AggregateCall]) -> Result<Row, SqlError> {
        let mut row = self.key;
        for (state, call) in self.states.into_iter().zip(calls) {
            row.push(state.finish(&call.aggregate)?);
        }
        Ok(row)
    }
}

impl Aggregation {
    /// Begins.
    pub fn new(node: &Rc<Node>, context: &Context, input: Box<dyn Rows>) -> Aggregation {
        let (node, context) = (Rc::clone(node), context.clone());
        Aggregation { node, context, input, groups: None }
    }

    fn gather(&mut self) -> Result<Vec<Row>, SqlError> {
        let Kind::Aggregate { keys, aggregates, having, .. } = &self.node.kind else {
            unreachable!("a grouping")
        };
        let mut memory = Memory::new(&self.context);
        let (mut groups, mut numbers) = (Vec::<Group>::new(), HashMap::new());
        if keys.is_empty() {
            groups.push(Group::new(Vec::new(), aggregates));
        }
        while let Some(row) = self.input.next()? {
            let number = match keys.is_empty() {
                true => 0,
                false => {
                    let values = keys.iter().map(|(key, _)| evaluate(key, &self.context, &row));
                    let values = values.collect::<Result<Row, _>>()?;
                    let hashed = key::hashed(keys.iter().map(|it| it.1).zip(&values));
                    match numbers.get(&hashed) {
                        Some(number) => *number,
                        None => {
                            memory.take(&values)?;
                            groups.push(Group::new(values, aggregates));
                            numbers.insert(hashed, groups.len() - 1);
                            groups.len() - 1
                        }
                    }
                }
            };
            groups[number].add(aggregates, &self.context, &row)?;
        }
        self.context.measure(self.node.id, |it| it.memory = memory.taken());

        let mut rows = Vec::with_capacity(groups.len());
        for group in groups {
            let row = group.finish(aggregates)?;
            if is_met(having, &self.context, &row)? {
                rows.push(row);
            } else {
                self.context.measure(self.node.id, |it| it.removed += 1);
            }
        }
        Ok(rows)
    }
}

impl Rows for Aggregation {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        if self.groups.is_none() {
            self.groups = Some(Given(self.gather()?.into_iter()));
        }
        self.groups.as_mut().expect("set above").next()
    }
}

/// DISTINCT.
pub struct Distinct {
    node: Rc<Node>,
    rows: Box<dyn Rows>,
    seen: HashSet<Vec<u8>>,
    memory: Memory,
}

impl Distinct {
    /// Begins.
    pub fn new(node: &Rc<Node>, context: &Context, rows: Box<dyn Rows>) -> Distinct {
        let memory = Memory::new(context);
        Distinct { node: Rc::clone(node), rows, seen: HashSet::new(), memory }
    }
}

impl Rows for Distinct {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        let Kind::Distinct { types, .. } = &self.node.kind else { unreachable!("opened so") };
        while let Some(row) = self.rows.next()? {
            if self.seen.insert(key::hashed(types.iter().copied().zip(&row))) {
                self.memory.take(&row)?;
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

/// INTERSECT and EXCEPT.
pub struct SetOperation {
    node: Rc<Node>,
    context: Context,
    left: Box<dyn Rows>,
    right: Box<dyn Rows>,
    result: Option<Given>,
}

impl SetOperation {
    /// Begins.
    pub fn new(
        node: &Rc<Node>,
        context: &Context,
        left: Box<dyn Rows>,
        right: Box<dyn Rows>,
    ) -> SetOperation {
        let (node, context) = (Rc::clone(node), context.clone());
        SetOperation { node, context, left, right, result: None }
    }

    fn gather(&mut self) -> Result<Vec<Row>, SqlError> {
        let Kind::SetOperation { operator, all, types, .. } = &self.node.kind else {
            unreachable!("opened so")
        };
        // How often the right side has each row.
        let mut memory = Memory::new(&self.context);
        let mut counts = HashMap::<Vec<u8>, u64>::new();
        while let Some(row) = self.right.next()? {
            memory.take(&row)?;
            *counts.entry(hashed(types, &row)).or_default() += 1;
        }
        let (mut rows, mut seen) = (Vec::new(), HashSet::new());
        while let Some(row) = self.left.next()? {
            let key = hashed(types, &row);
            let count = counts.get_mut(&key).filter(|count| **count > 0);
            let is_in_both = count.is_some();
            if let (true, Some(count)) = (*all, count) {
                *count -= 1;
            }
            let is_wanted = is_in_both == (*operator == SetOperator::Intersect);
            if is_wanted && (*all || seen.insert(key)) {
                memory.take(&row)?;
                rows.push(row);
            }
        }
        Ok(rows)
    }
}

fn hashed(types: &[Type], row: &[Value]) -> Vec<u8> {
    key::hashed(types.iter().copied().zip(row))
}

impl Rows for SetOperation {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        if self.result.is_none() {
            self.result = Some(Given(self.gather()?.into_iter()));
        }
        self.result.as_mut().expect("set above").next()
    }
}
