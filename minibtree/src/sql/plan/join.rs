//! The order of joins, and how each is done.
//!
//! Relations that are joined by inner joins can be joined in any order. The planner builds the
//! cheapest plan for each set of them from the cheapest plans for smaller sets, adding one relation
//! at a time:
//!
//! ```text
//! {a} {b} {c}  ->  {a b} {a c} {b c}  ->  {a b c}      the best of (a b) c, (a c) b, (b c) a
//! ```
//!
//! A left join cannot be reordered so freely; it is one relation to the joins around it.
//!
//! PostgreSQL's `joinrels.c` and `joinpath.c`, which also try bushy trees and merge joins.

use super::cost;
use super::estimate::Known;
use super::node::{Cost, Kind, Node};
use super::scan::Wanted;
use crate::sql::functions::Comparison;
use crate::sql::tree::{Expr, FromItem, JoinKind};
use crate::sql::values::Type;
use std::collections::HashMap;
use std::rc::Rc;

/// As many relations are joined in the best order; more are joined greedily.
const EXHAUSTIVE_MAX: usize = 8;

/// A condition and the relations that it uses, as bits.
#[derive(Clone, Debug)]
pub struct Condition {
    pub expr: Expr,
    pub relations: u64,
}

/// What the join planner needs from the query planner.
pub trait Context {
    /// The best plan for one relation with conditions on it alone.
    fn scan(&mut self, relation: usize, conditions: Vec<Expr>) -> Rc<Node>;
    /// The best plan for a relation through an index whose bounds come from other relations.
    fn parameterized(
        &mut self,
        relation: usize,
        conditions: &[Expr],
        parameters: &[Expr],
    ) -> Option<Rc<Node>>;
    /// A node.
    fn node(&mut self, cost: Cost, kind: Kind) -> Rc<Node>;
    /// What is known about the relations.
    fn known(&self) -> &Known<'_>;
    /// Splits ON into conditions.
    fn conditions(&mut self, on: &Expr) -> Vec<Condition>;
}

/// Something that is joined as a whole.
struct Item {
    relations: u64,
    plan: Rc<Node>,
    /// The relation, if it is a single one, and its conditions.
    single: Option<(usize, Vec<Expr>)>,
}

/// Joins everything in FROM.
pub fn join(
    context: &mut impl Context,
    from: &[FromItem],
    mut conditions: Vec<Condition>,
) -> Rc<Node> {
    let mut flat = Vec::new();
    for item in from {
        flatten(context, item, &mut flat, &mut conditions);
    }
    let items: Vec<Item> =
        flat.into_iter().map(|item| plan_item(context, item, &mut conditions)).collect();
    match items.len() <= EXHAUSTIVE_MAX {
        true => exhaustive(context, &items, &conditions),
        false => greedy(context, &items, &conditions),
    }
}

/// Takes inner joins apart.
fn flatten<'a>(
    context: &mut impl Context,
    item: &'a FromItem,
    items: &mut Vec<&'a FromItem>,
    conditions: &mut Vec<Condition>,
) {
    match item {
        FromItem::Join { kind: JoinKind::Inner, left, right, condition } => {
            flatten(context, left, items, conditions);
            flatten(context, right, items, conditions);
            if let Some(condition) = condition {
                conditions.extend(context.conditions(condition));
            }
        }
        item => items.push(item),
    }
}

/// Plans what is joined as a whole, with the conditions that can be checked in it, which are taken
/// away.
fn plan_item(context: &mut impl Context, item: &FromItem, conditions: &mut Vec<Condition>) -> Item {
    let relations = bits(item);
    match item {
        FromItem::Relation(number) => {
            let own = take(conditions, |it| it & !relations == 0);
            let own: Vec<Expr> = own.into_iter().map(|it| it.expr).collect();
            let plan = context.scan(*number, own.clone());
            Item { relations, plan, single: Some((*number, own)) }
        }
        FromItem::Join { kind, left, right, condition } => {
            // Conditions on the left side alone can be checked before the join; those that use the
            // right side must see its NULLs. ON itself can be checked early on the right side only.
            let (left_bits, right_bits) = (bits(left), bits(right));
            let mut on = match condition {
                Some(condition) => context.conditions(condition),
                None => Vec::new(),
            };
            let left_only = take(conditions, |it| it & !left_bits == 0);
            let right_only = take(&mut on, |it| it != 0 && it & !right_bits == 0);
            let outer = join(context, std::slice::from_ref(left), left_only);
            let single = match &**right {
                FromItem::Relation(number) => {
                    let own: Vec<Expr> = right_only.iter().map(|it| it.expr.clone()).collect();
                    Some((*number, own))
                }
                FromItem::Join { .. } => None,
            };
            let inner = join(context, std::slice::from_ref(right), right_only);
            let inner = Item { relations: right_bits, plan: inner, single };
            let on: Vec<Expr> = on.into_iter().map(|it| it.expr).collect();
            let mut plan = pair(context, *kind, &outer, left_bits, &inner, on);

            // WHERE sees the NULLs of the join.
            let above = take(conditions, |it| it & !relations == 0);
            let above: Vec<Expr> = above.into_iter().map(|it| it.expr).collect();
            if !above.is_empty() {
                let known = context.known();
                let fraction = known.all(&above);
                let rows = (plan.cost.rows * fraction).round().max(1.0);
                let cost = Cost { rows, ..cost::per_row(plan.cost, above.len() as f64) };
                plan =
                    context.node(cost, Kind::Filter { input: plan, condition: Expr::all(above) });
            }
            Item { relations, plan, single: None }
        }
    }
}

fn bits(item: &FromItem) -> u64 {
    item.relations().into_iter().fold(0, |bits, number| bits | 1 << number)
}

/// Removes the conditions whose relations are accepted.
fn take(conditions: &mut Vec<Condition>, accepts: impl Fn(u64) -> bool) -> Vec<Condition> {
    let (taken, left) =
        std::mem::take(conditions).into_iter().partition(|it| accepts(it.relations));
    *conditions = left;
    taken
}

/// The conditions that can be checked once `new` has joined `old`, and not before.
fn applicable(conditions: &[Condition], old: u64, new: u64) -> Vec<Expr> {
    let is_due = |it: &&Condition| {
        let relations = it.relations;
        relations & !(old | new) == 0 && relations & !old != 0 && relations & !new != 0
    };
    conditions.iter().filter(is_due).map(|it| it.expr.clone()).collect()
}

fn exhaustive(context: &mut impl Context, items: &[Item], conditions: &[Condition]) -> Rc<Node> {
    let mut best: HashMap<usize, (Rc<Node>, u64)> = HashMap::new();
    for (number, item) in items.iter().enumerate() {
        best.insert(1 << number, (Rc::clone(&item.plan), item.relations));
    }
    let all = (1 << items.len()) - 1;
    for set in 1..=all {
        let set: usize = set;
        if set.count_ones() < 2 {
            continue;
        }
        let members: Vec<usize> = (0..items.len()).filter(|it| set >> it & 1 == 1).collect();
        // Pairs without a condition are tried only if there are no others.
        let is_connected = |member: &usize| {
            let rest = members.iter().filter(|it| *it != member);
            let others = rest.fold(0, |bits, it| bits | items[*it].relations);
            !applicable(conditions, others, items[*member].relations).is_empty()
        };
        let mut last: Vec<usize> = members.iter().copied().filter(is_connected).collect();
        if last.is_empty() {
            last = members;
        }
        let mut cheapest: Option<(Rc<Node>, u64)> = None;
        for member in last {
            let (outer, old) = best[&(set & !(1 << member))].clone();
            let inner = &items[member];
            let on = applicable(conditions, old, inner.relations);
            let plan = pair(context, JoinKind::Inner, &outer, old, inner, on);
            if cheapest.as_ref().is_none_or(|(it, _)| plan.cost.total < it.cost.total) {
                cheapest = Some((plan, old | inner.relations));
            }
        }
        best.insert(set, cheapest.expect("a set has members"));
    }
    Rc::clone(&best[&all].0)
}

/// Begins with the smallest relation, and adds the one that is cheapest to add.
fn greedy(context: &mut impl Context, items: &[Item], conditions: &[Condition]) -> Rc<Node> {
    let mut left: Vec<&Item> = items.iter().collect();
    let rows = |item: &Item| item.plan.cost.rows;
    let first = (0..left.len())
        .min_by(|a, b| rows(left[*a]).total_cmp(&rows(left[*b])))
        .expect("FROM has relations");
    let first = left.remove(first);
    let (mut plan, mut done) = (Rc::clone(&first.plan), first.relations);
    while !left.is_empty() {
        let mut cheapest: Option<(usize, Rc<Node>)> = None;
        for (number, item) in left.iter().enumerate() {
            let on = applicable(conditions, done, item.relations);
            let next = pair(context, JoinKind::Inner, &plan, done, item, on);
            if cheapest.as_ref().is_none_or(|(_, it)| next.cost.total < it.cost.total) {
                cheapest = Some((number, next));
            }
        }
        let (number, next) = cheapest.expect("one is left");
        done |= left.remove(number).relations;
        plan = next;
    }
    plan
}

/// The cheapest way to join two plans.
fn pair(
    context: &mut impl Context,
    kind: JoinKind,
    outer: &Rc<Node>,
    outer_relations: u64,
    inner: &Item,
    on: Vec<Expr>,
) -> Rc<Node> {
    let known = context.known();
    let fraction = known.all(&on);
    let pairs = (outer.cost.rows * inner.plan.cost.rows * fraction).max(1.0);
    let rows = match kind {
        JoinKind::Inner => pairs.round(),
        JoinKind::Left => pairs.max(outer.cost.rows).round(),
    };
    let positions = positions_of(context, inner.relations);
    let operators = on.len() as f64;
    let sides = split_equalities(context, &on, outer_relations, inner.relations);
    let (keys, rest) = sides;

    // Each candidate: its cost, and what makes it.
    let kept = cost::nested_loop(outer.cost, inner.plan.cost, true, operators, rows);
    let hashed = (!keys.is_empty()).then(|| {
        cost::hash_join(outer.cost, inner.plan.cost, keys.len() as f64, rest.len() as f64, rows)
    });
    let probed = inner.single.as_ref().and_then(|(number, conditions)| {
        let plan = context.parameterized(*number, conditions, &on)?;
        let cost = cost::nested_loop(outer.cost, plan.cost, false, 1.0, rows);
        Some((cost, plan))
    });

    let (outer, whole) = (Rc::clone(outer), Expr::all(on));
    if let Some((cost, plan)) = probed
        && cost.total < kept.total
        && hashed.is_none_or(|it| cost.total < it.total)
    {
        let kind = Kind::NestedLoop {
            kind,
            outer,
            inner: plan,
            is_parameterized: true,
            condition: whole,
            positions,
        };
        return context.node(cost, kind);
    }
    let inner = Rc::clone(&inner.plan);
    match hashed.filter(|it| it.total <= kept.total) {
        Some(cost) => {
            let condition = Expr::all(rest);
            context.node(cost, Kind::HashJoin { kind, outer, inner, keys, condition, positions })
        }
        None => {
            let condition = whole;
            let is_parameterized = false;
            let kind =
                Kind::NestedLoop { kind, outer, inner, is_parameterized, condition, positions };
            context.node(kept, kind)
        }
    }
}

fn positions_of(context: &impl Context, relations: u64) -> Vec<usize> {
    let all = context.known().relations.iter().enumerate();
    let inside = all.filter(|(number, _)| relations >> number & 1 == 1);
    inside.flat_map(|(_, relation)| relation.positions()).collect()
}

type Keys = Vec<(Expr, Expr, Type)>;

/// The conditions that say that a value of the one side equals one of the other, and the rest.
fn split_equalities(
    context: &impl Context,
    on: &[Expr],
    outer: u64,
    inner: u64,
) -> (Keys, Vec<Expr>) {
    let relations = context.known().relations;
    let bits = |expr: &Expr| {
        expr.positions().into_iter().fold(0u64, |bits, position| {
            let number = relations.iter().position(|it| it.positions().contains(&position));
            bits | number.map_or(0, |it| 1 << it)
        })
    };
    let (mut keys, mut rest) = (Vec::new(), Vec::new());
    for condition in on {
        if let Expr::Compare(Comparison::Eq, left, right, _) = condition
            && let Some(base) = hash_type(left.base(), right.base())
        {
            let (a, b) = (bits(left), bits(right));
            if a != 0 && b != 0 && a & !outer == 0 && b & !inner == 0 {
                keys.push(((**left).clone(), (**right).clone(), base));
                continue;
            }
            if a != 0 && b != 0 && a & !inner == 0 && b & !outer == 0 {
                keys.push(((**right).clone(), (**left).clone(), base));
                continue;
            }
        }
        rest.push(condition.clone());
    }
    (keys, rest)
}

/// The type whose hash both sides have, if they have one.
pub fn hash_type(left: Type, right: Type) -> Option<Type> {
    let both = |is: fn(Type) -> bool| is(left) && is(right);
    match () {
        () if left == right => Some(left),
        () if both(Type::is_integer) => Some(Type::Int8),
        () if both(|it| matches!(it, Type::Text | Type::Varchar)) => Some(Type::Text),
        () if both(|it| matches!(it, Type::Float4 | Type::Float8)) => Some(Type::Float8),
        () => None,
    }
}

/// The cheapest scan of a table.
pub fn cheapest_scan(wanted: &Wanted, conditions: &[Expr]) -> super::scan::Path {
    let mut best = wanted.seq_scan(conditions);
    for index in 0..wanted.table.indexes.len() {
        if let Some(path) = wanted.index_scan(index, conditions, &[], false, false)
            && path.cost.total < best.cost.total
        {
            best = path;
        }
    }
    best
}
