//! Joins.
//!
//! Both sides fill their own positions of one row, so a pair is the outer row with the inner side's
//! positions copied into it.
//!
//! The crate `minibtree/streams` finds rows with equal keys. PostgreSQL's `nodeHashjoin.c`,
//! `nodeMergejoin.c` and `nodeNestloop.c`, whose inner rows a node of their own may keep
//! (`nodeMaterial.c`); here the join keeps them, in memory.

use super::context::{Context, Row};
use super::evaluate::{evaluate, is_kept};
use super::open::open;
use crate::sql::plan::{Kind, Method, Node};
use crate::sql::tree::{Expr, JoinKind};
use crate::sql::values::{Type, Value, key};
use crate::wire::Result;
use minibtree_spill::batches::KeyedRows;
use minibtree_streams::hash::HashJoin;
use minibtree_streams::memory::Memory;
use minibtree_streams::merge::MergeJoin;
use minibtree_streams::rows::Rows;
use minibtree_streams::{Join, Partners as Found};
use std::rc::Rc;

/// Returns true if the join returns outer rows that have no partner.
fn is_kept_alone(kind: JoinKind) -> bool {
    matches!(kind, JoinKind::Left | JoinKind::Anti)
}

/// Returns true if the first partner of an outer row decides, so that no second one is needed.
fn is_decided_by_first(kind: JoinKind) -> bool {
    matches!(kind, JoinKind::Semi | JoinKind::Anti)
}

/// The inner rows of one outer row.
enum Partners {
    /// The rows of a list from this number on. Each has only the inner side's own values.
    Kept(Found, usize),
    Opened(Box<dyn Rows>),
}

impl Partners {
    /// The outer row with the values of the next partner.
    fn next_pair(&mut self, outer: &[Value], positions: &[usize]) -> Result<Option<Row>> {
        match self {
            Partners::Kept(parts, at) => {
                let part = parts.as_ref().and_then(|parts| parts.get(*at));
                *at += 1;
                Ok(part.map(|part| {
                    let mut pair = outer.to_vec();
                    for (position, value) in positions.iter().zip(part) {
                        pair[*position] = value.clone();
                    }
                    pair
                }))
            }
            Partners::Opened(rows) => Ok(rows.next()?.map(|mut row| {
                let mut pair = outer.to_vec();
                positions.iter().for_each(|it| std::mem::swap(&mut pair[*it], &mut row[*it]));
                pair
            })),
        }
    }
}

/// The pairs of a join. `next_outer` returns a row of the outer side with its partners.
fn joined(
    node: Rc<Node>,
    context: Context,
    mut next_outer: impl FnMut() -> Result<Option<(Row, Partners)>>,
) -> impl Rows {
    // The outer row, its remaining partners, and true if one of them has met the condition.
    let mut current: Option<(Row, Partners, bool)> = None;
    move || {
        let (Kind::NestedLoop { kind, condition, positions, .. }
        | Kind::EquiJoin { kind, condition, positions, .. }) = &node.kind
        else {
            unreachable!("a join")
        };
        loop {
            context.execution.interrupt.check()?;
            if current.is_none() {
                let Some((row, partners)) = next_outer()? else { return Ok(None) };
                current = Some((row, partners, false));
            }

            let (row, partners, has_partner) = current.as_mut().expect("set above");
            let Some(pair) = partners.next_pair(row, positions)? else {
                let (row, _, has_partner) = current.take().expect("set above");
                if !has_partner && is_kept_alone(*kind) {
                    return Ok(Some(row));
                }
                continue;
            };
            if is_kept(&node, condition, &context, &pair)? {
                *has_partner = true;
                if is_decided_by_first(*kind) {
                    current = None;
                }
                if *kind != JoinKind::Anti {
                    return Ok(Some(pair));
                }
            }
        }
    }
}

/// Reads the inner side for each row of the outer one.
pub fn nested_loop(node: Rc<Node>, context: Context, mut outer: Box<dyn Rows>) -> impl Rows {
    let mut kept: Option<(Rc<Vec<Row>>, Memory)> = None;
    joined(Rc::clone(&node), context.clone(), move || {
        let Kind::NestedLoop { inner, is_kept, positions, .. } = &node.kind else {
            unreachable!("opened so")
        };
        let Some(row) = outer.next()? else { return Ok(None) };
        if !*is_kept {
            let partners = Partners::Opened(open(inner, &context, &row)?);
            return Ok(Some((row, partners)));
        }
        if kept.is_none() {
            kept = Some(all_parts(inner, &context, positions)?);
        }
        let parts = kept.as_ref().map(|it| Rc::clone(&it.0));
        Ok(Some((row, Partners::Kept(parts, 0))))
    })
}

/// The values of a row that are at these positions.
fn part(row: &[Value], positions: &[usize]) -> Row {
    positions.iter().map(|it| row[*it].clone()).collect()
}

fn all_parts(
    node: &Rc<Node>,
    context: &Context,
    positions: &[usize],
) -> Result<(Rc<Vec<Row>>, Memory)> {
    let (mut parts, mut memory) = (Vec::new(), context.memory());
    let mut rows = open(node, context, &[])?;
    while let Some(row) = rows.next()? {
        let part = part(&row, positions);
        memory.take(&part)?;
        parts.push(part);
    }
    Ok((Rc::new(parts), memory))
}

/// Joins the rows of both sides that have equal keys.
pub fn equi_join(node: Rc<Node>, context: Context, outer: Box<dyn Rows>) -> impl Rows {
    let (mut outer, mut join) = (Some(outer), None::<Box<dyn Join>>);
    joined(Rc::clone(&node), context.clone(), move || {
        let Kind::EquiJoin { kind, method, inner, .. } = &node.kind else {
            unreachable!("opened so")
        };
        if let Some(outer) = outer.take() {
            let inner = keyed(&node, &context, open(inner, &context, &[])?, true);
            let (outer, memory) = (keyed(&node, &context, outer, false), context.memory());
            join = Some(match method {
                Method::Hash => Box::new(HashJoin::new(outer, inner, context.disk(), memory)),
                Method::Merge { .. } => {
                    Box::new(MergeJoin::new(outer, inner, is_kept_alone(*kind), memory))
                }
            });
        }
        let join = join.as_mut().expect("set above");
        let next = join.next()?;
        context.measure(node.id, |it| {
            let figures = join.figures();
            (it.entries, it.memory) = (figures.entries, figures.memory);
            it.batches = figures.batches;
        });
        Ok(next.map(|(row, partners)| (row, Partners::Kept(partners, 0))))
    })
}

/// The rows of a side with their keys. Rows of the inner side have only its own values.
fn keyed(node: &Rc<Node>, context: &Context, mut rows: Box<dyn Rows>, is_inner: bool) -> KeyedRows {
    let (node, context) = (Rc::clone(node), context.clone());
    Box::new(move || {
        let Kind::EquiJoin { keys, positions, .. } = &node.kind else { unreachable!("opened so") };
        while let Some(row) = rows.next()? {
            let exprs = keys.iter().map(|it| (if is_inner { &it.1 } else { &it.0 }, it.2));
            match hash_key(exprs, &context, &row)? {
                // A key with NULL equals nothing, so the row is nobody's partner.
                None if is_inner => {}
                Some(key) if is_inner => return Ok(Some((key, part(&row, positions)))),
                key => return Ok(Some((key.unwrap_or_default(), row))),
            }
        }
        Ok(None)
    })
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
