//! Joins.
//!
//! Both sides fill their own positions of one row, so a pair is the outer row with the inner side's
//! positions copied into it.
//!
//! PostgreSQL's `nodeNestloop.c` (with `nodeMaterial.c`, whose rows are kept here by the join) and
//! `nodeHashjoin.c`, which spills to disk what does not fit in memory; ours ends with an error.

use super::context::{Context, Memory, Row};
use super::evaluate::{evaluate, is_kept};
use super::open::{Rows, open};
use crate::sql::plan::{Kind, Node};
use crate::sql::tree::{Expr, JoinKind};
use crate::sql::values::{Type, Value, key};
use crate::wire::Result;
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

/// Returns true if rows of the outer side without a partner are returned.
fn is_kept_alone(kind: JoinKind) -> bool {
    matches!(kind, JoinKind::Left | JoinKind::Anti)
}

/// Returns true if a row of the outer side needs no second partner.
fn is_decided_by_first(kind: JoinKind) -> bool {
    matches!(kind, JoinKind::Semi | JoinKind::Anti)
}

/// The inner rows of one outer row.
enum Partners {
    /// Those that are the same for all outer rows, from this number on.
    Kept(usize),
    Opened(Box<dyn Rows>),
}

/// For each row of the outer side, the rows of the inner one.
pub fn nested_loop(node: Rc<Node>, context: Context, mut outer: Box<dyn Rows>) -> impl Rows {
    let mut kept: Option<(Vec<Part>, Memory)> = None;
    // The outer row, its partners, and whether it has had one.
    let mut current: Option<(Row, Partners, bool)> = None;
    move || {
        let Kind::NestedLoop { kind, inner, is_parameterized, condition, positions, .. } =
            &node.kind
        else {
            unreachable!("a nested loop")
        };
        loop {
            context.execution.interrupt.check()?;
            if current.is_none() {
                let Some(row) = outer.next()? else { return Ok(None) };
                if !is_parameterized && kept.is_none() {
                    kept = Some(all_parts(inner, &context, positions)?);
                }
                let partners = match is_parameterized {
                    true => Partners::Opened(open(inner, &context, &row)?),
                    false => Partners::Kept(0),
                };
                current = Some((row, partners, false));
            }

            let (row, partners, has_partner) = current.as_mut().expect("set above");
            let next = match partners {
                Partners::Opened(rows) => rows.next()?.map(|row| part(&row, positions)),
                Partners::Kept(at) => {
                    *at += 1;
                    kept.as_ref().and_then(|(parts, _)| parts.get(*at - 1)).cloned()
                }
            };
            let Some(part) = next else {
                let (row, _, has_partner) = current.take().expect("set above");
                if !has_partner && is_kept_alone(*kind) {
                    return Ok(Some(row));
                }
                continue;
            };
            let row = pair(row, &part, positions);
            if is_kept(&node, condition, &context, &row)? {
                *has_partner = true;
                if is_decided_by_first(*kind) {
                    current = None;
                }
                if *kind != JoinKind::Anti {
                    return Ok(Some(row));
                }
            }
        }
    }
}

fn all_parts(
    node: &Rc<Node>,
    context: &Context,
    positions: &[usize],
) -> Result<(Vec<Part>, Memory)> {
    let (mut parts, mut memory) = (Vec::new(), Memory::new(context));
    let mut rows = open(node, context, &[])?;
    while let Some(row) = rows.next()? {
        let part = part(&row, positions);
        memory.take(&part)?;
        parts.push(part);
    }
    Ok((parts, memory))
}

/// The rows of the inner side by their key.
type HashTable = HashMap<Vec<u8>, Vec<Part>>;

/// A hash table of the inner side, in which the outer side is looked up.
pub fn hash_join(node: Rc<Node>, context: Context, mut outer: Box<dyn Rows>) -> impl Rows {
    let mut table: Option<(HashTable, Memory)> = None;
    // The outer row, its key, how many of its partners were tried, and whether one fitted.
    let mut current: Option<(Row, Option<Vec<u8>>, usize, bool)> = None;
    move || {
        let Kind::HashJoin { kind, keys, condition, positions, .. } = &node.kind else {
            unreachable!("a hash join")
        };
        if table.is_none() {
            table = Some(hash_table(&node, &context)?);
        }
        loop {
            context.execution.interrupt.check()?;
            if current.is_none() {
                let Some(row) = outer.next()? else { return Ok(None) };
                let exprs = keys.iter().map(|(outer, _, base)| (outer, *base));
                let key = hash_key(exprs, &context, &row)?;
                current = Some((row, key, 0, false));
            }

            let (row, key, tried, has_partner) = current.as_mut().expect("set above");
            let (table, _) = table.as_ref().expect("built above");
            let parts = key.as_ref().and_then(|key| table.get(key));
            let Some(part) = parts.and_then(|parts| parts.get(*tried)) else {
                let (row, _, _, has_partner) = current.take().expect("set above");
                if !has_partner && is_kept_alone(*kind) {
                    return Ok(Some(row));
                }
                continue;
            };
            *tried += 1;
            let row = pair(row, part, positions);
            if is_kept(&node, condition, &context, &row)? {
                *has_partner = true;
                if is_decided_by_first(*kind) {
                    current = None;
                }
                if *kind != JoinKind::Anti {
                    return Ok(Some(row));
                }
            }
        }
    }
}

fn hash_table(node: &Node, context: &Context) -> Result<(HashTable, Memory)> {
    let Kind::HashJoin { inner, keys, positions, .. } = &node.kind else {
        unreachable!("a hash join")
    };
    let (mut table, mut memory) = (HashTable::new(), Memory::new(context));
    let mut rows = open(inner, context, &[])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let exprs = keys.iter().map(|(_, inner, base)| (inner, *base));
        let Some(key) = hash_key(exprs, context, &row)? else { continue };
        let part = part(&row, positions);
        memory.take(&part)?;
        table.entry(key).or_default().push(part);
        count += 1;
    }
    context.measure(node.id, |it| (it.entries, it.memory) = (count, memory.taken()));
    Ok((table, memory))
}

/// The key of a row; `None` if a value is NULL, which equals nothing.
fn hash_key<'a>(
    exprs: impl Iterator<Item = (&'a Expr, Type)>,
    context: &Context,
    row: &[Value],
) -> Result<Option<Vec<u8>>> {
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
