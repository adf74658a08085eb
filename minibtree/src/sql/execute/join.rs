//! Joins.
//!
//! Both sides fill their own positions of one row, so a pair is the outer row with the inner side's
//! positions copied into it.
//!
//! PostgreSQL's `nodeNestloop.c` (with `nodeMaterial.c`, whose rows are kept here by the join) and
//! `nodeHashjoin.c`, which spills to disk what does not fit in memory; ours ends with an error.

use super::context::{Context, Memory, Row};
use super::evaluate::{evaluate, is_met};
use super::open::{Rows, open};
use crate::sql::plan::{Kind, Node};
use crate::sql::tree::{Expr, JoinKind};
use crate::sql::values::{Type, Value, key};
use crate::wire::SqlError;
use std::collections::HashMap;
use std::rc::Rc;

/// The values that a row of the inner side contributes.
type Part = Rc<Vec<Value>>;

fn part(row: &[Value], positions: &[usize]) -> Part {
    Rc::new(positions.iter().map(|it| row[*it].clone()).collect())
}

fn pair(outer: &[Value], part: &[Value], positions: &[usize]) -> Row {
    let mut row = outer.to_vec();
    for (position, value) in positions.iter().zip(part) {
        row[*position] = value.clone();
    }
    row
}

/// For each row of the outer side, the rows of the inner one.
pub struct NestedLoop {
    node: Rc<Node>,
    context: Context,
    outer: Box<dyn Rows>,
    /// The inner rows, if they are the same for all outer rows.
    kept: Option<(Vec<Part>, Memory)>,
    /// The outer row, its partners, and whether it has had one.
    current: Option<(Row, Partners, bool)>,
}

enum Partners {
    Kept(usize),
    Opened(Box<dyn Rows>),
}

impl NestedLoop {
    pub fn new(node: &Rc<Node>, context: &Context, outer: Box<dyn Rows>) -> NestedLoop {
        let (node, context) = (Rc::clone(node), context.clone());
        NestedLoop { node, context, outer, kept: None, current: None }
    }

    /// Takes the next outer row. Returns false if there is none.
    fn advance(&mut self) -> Result<bool, SqlError> {
        let Kind::NestedLoop { inner, is_parameterized, positions, .. } = &self.node.kind else {
            unreachable!("a nested loop")
        };
        let Some(row) = self.outer.next()? else { return Ok(false) };
        if !is_parameterized && self.kept.is_none() {
            let mut memory = Memory::new(&self.context);
            let mut parts = Vec::new();
            let mut rows = open(inner, &self.context, &[])?;
            while let Some(row) = rows.next()? {
                let part = part(&row, positions);
                memory.take(&part)?;
                parts.push(part);
            }
            self.kept = Some((parts, memory));
        }
        let partners = match is_parameterized {
            true => Partners::Opened(open(inner, &self.context, &row)?),
            false => Partners::Kept(0),
        };
        self.current = Some((row, partners, false));
        Ok(true)
    }
}

impl Rows for NestedLoop {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        loop {
            if self.current.is_none() && !self.advance()? {
                return Ok(None);
            }
            self.context.execution.interrupt.check()?;
            let Kind::NestedLoop { kind, condition, positions, .. } = &self.node.kind else {
                unreachable!("opened so")
            };
            let (outer, partners, has_partner) = self.current.as_mut().expect("set above");
            let next = match partners {
                Partners::Opened(rows) => rows.next()?.map(|row| part(&row, positions)),
                Partners::Kept(at) => {
                    *at += 1;
                    self.kept.as_ref().and_then(|(parts, _)| parts.get(*at - 1)).cloned()
                }
            };
            let Some(part) = next else {
                let (row, _, has_partner) = self.current.take().expect("set above");
                if !has_partner && *kind == JoinKind::Left {
                    return Ok(Some(row));
                }
                continue;
            };
            let row = pair(outer, &part, positions);
            if !is_met(condition, &self.context, &row)? {
                continue;
            }
            *has_partner = true;
            return Ok(Some(row));
        }
    }
}

/// The rows of the inner side by their key.
type HashTable = HashMap<Vec<u8>, Vec<Part>>;

/// A hash table of the inner side, in which the outer side is looked up.
pub struct HashJoin {
    node: Rc<Node>,
    context: Context,
    outer: Box<dyn Rows>,
    table: Option<(HashTable, Memory)>,
    /// The outer row, its key, how many of its partners were tried, and whether one fitted.
    current: Option<(Row, Option<Vec<u8>>, usize, bool)>,
}

impl HashJoin {
    pub fn new(node: &Rc<Node>, context: &Context, outer: Box<dyn Rows>) -> HashJoin {
        let (node, context) = (Rc::clone(node), context.clone());
        HashJoin { node, context, outer, table: None, current: None }
    }

    fn build(&mut self) -> Result<(), SqlError> {
        let Kind::HashJoin { inner, keys, positions, .. } = &self.node.kind else {
            unreachable!("a hash join")
        };
        let mut memory = Memory::new(&self.context);
        let mut table = HashMap::<Vec<u8>, Vec<Part>>::new();
        let mut rows = open(inner, &self.context, &[])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let exprs = keys.iter().map(|(_, inner, base)| (inner, *base));
            let Some(key) = hash_key(exprs, &self.context, &row)? else { continue };
            let part = part(&row, positions);
            memory.take(&part)?;
            table.entry(key).or_default().push(part);
            count += 1;
        }
        self.context.measure(self.node.id, |it| {
            (it.entries, it.memory) = (count, memory.taken());
        });
        self.table = Some((table, memory));
        Ok(())
    }
}

/// The key of a row; `None` if a value is NULL, which equals nothing.
fn hash_key<'a>(
    exprs: impl Iterator<Item = (&'a Expr, Type)>,
    context: &Context,
    row: &[Value],
) -> Result<Option<Vec<u8>>, SqlError> {
    let mut values = Vec::new();
    for (expr, base) in exprs {
        let value = evaluate(expr, context, row)?;
        if value.is_null() {
            return Ok(None);
        }
        values.push((base, value));
    }
    Ok(Some(key::hashed(values.iter().map(|(base, value)| (*base, value)))))
}

impl Rows for HashJoin {
    fn next(&mut self) -> Result<Option<Row>, SqlError> {
        if self.table.is_none() {
            self.build()?;
        }
        loop {
            self.context.execution.interrupt.check()?;
            let Kind::HashJoin { kind, keys, condition, positions, .. } = &self.node.kind else {
                unreachable!("opened so")
            };
            if self.current.is_none() {
                let Some(row) = self.outer.next()? else { return Ok(None) };
                let exprs = keys.iter().map(|(outer, _, base)| (outer, *base));
                let key = hash_key(exprs, &self.context, &row)?;
                self.current = Some((row, key, 0, false));
            }
            let (outer, key, tried, has_partner) = self.current.as_mut().expect("set above");
            let (table, _) = self.table.as_ref().expect("built above");
            let parts = key.as_ref().and_then(|key| table.get(key));
            let Some(part) = parts.and_then(|parts| parts.get(*tried)) else {
                let (row, _, _, has_partner) = self.current.take().expect("set above");
                if !has_partner && *kind == JoinKind::Left {
                    return Ok(Some(row));
                }
                continue;
            };
            *tried += 1;
            let row = pair(outer, part, positions);
            if !is_met(condition, &self.context, &row)? {
                continue;
            }
            *has_partner = true;
            return Ok(Some(row));
        }
    }
}
