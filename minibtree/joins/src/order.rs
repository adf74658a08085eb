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
//! A left join cannot be reordered so freely, so the joins around it treat it as one relation. A
//! semi or anti join removes rows of the others: it may come at any time after the relations that
//! its conditions use. A semi join may also come first, with duplicate keys removed, as in
//! `FROM small_unique_keys JOIN large`.
//!
//! For each set, more expensive plans are kept as well if a merge join can use their order.
//!
//! PostgreSQL's `joinrels.c` and `joinpath.c`, which also try bushy trees.

use crate::merge::{Sides, prune_dominated};
use crate::{Known, Table, hash_type, is_stable};
use minibtree_cost::{self as cost, Cost, HashJoin, Model, methods};
use minibtree_functions::Comparison;
use minibtree_plan::{Kind, Method, Node};
use minibtree_query::{Expr, FromItem, JoinKind};
use minibtree_types::values::Type;
use std::collections::HashMap;
use std::rc::Rc;

/// Up to this many relations, every order is tried: 2^n sets. More are joined greedily.
const EXHAUSTIVE_MAX: usize = 8;

/// A condition and the relations that it uses, as bits.
#[derive(Clone, Debug)]
pub struct Condition<T> {
    /// The condition.
    pub expr: Expr<T>,
    /// The relations.
    pub relations: u64,
}

/// What the join planner needs from the query planner.
pub trait Context<T> {
    /// The best plan for one relation with conditions on it alone.
    fn scan(&mut self, relation: usize, conditions: Vec<Expr<T>>) -> Rc<Node<T>>;
    /// The best plan for a relation through an index whose bounds come from other relations.
    fn parameterized(
        &mut self,
        relation: usize,
        conditions: &[Expr<T>],
        parameters: &[Expr<T>],
    ) -> Option<Rc<Node<T>>>;
    /// Plans for one relation through indexes in whose order it can be merged with others.
    fn ordered(&mut self, relation: usize, conditions: &[Expr<T>]) -> Vec<Rc<Node<T>>>;
    /// A node.
    fn node(&mut self, cost: Cost, kind: Kind<T>) -> Rc<Node<T>>;
    /// What is known about the relations.
    fn known(&self) -> &Known<'_, T>;
    /// What costs depend on.
    fn model(&self) -> &Model;
    /// Splits ON into conditions.
    fn conditions(&mut self, on: &Expr<T>) -> Vec<Condition<T>>;
}

/// The cheapest plan, then more expensive ones, each with another order.
pub type Plans<T> = Vec<Rc<Node<T>>>;

/// Something that is joined as a unit: a relation, a left join, or the right side of a semi join.
struct Item<T> {
    relations: u64,
    /// The cheapest plan, then others with an order.
    plans: Plans<T>,
    /// The relation, if it is a single one, and its conditions.
    single: Option<(usize, Vec<Expr<T>>)>,
    /// Semi or anti if it removes rows of the others, otherwise inner.
    kind: JoinKind,
    /// The relations that must be joined before it.
    needs: u64,
    /// For a semi join: the plan without duplicate keys. An inner join with it has the same rows.
    unique: Option<Rc<Node<T>>>,
    /// Conditions of an anti join that do not use its own relations.
    extra: Vec<Expr<T>>,
}

/// A part of FROM once inner joins are taken apart.
struct Part<'a, T> {
    item: &'a FromItem<T>,
    /// The conditions of a semi or anti join that use its own relations only.
    own: Vec<Condition<T>>,
    needs: u64,
    extra: Vec<Expr<T>>,
}

/// Joins everything in FROM.
pub fn join<T: Table>(
    context: &mut impl Context<T>,
    from: &[FromItem<T>],
    conditions: Vec<Condition<T>>,
) -> Plans<T> {
    let (mut parts, mut conditions) = (Vec::new(), conditions);
    for item in from {
        flatten(context, item, &mut parts, &mut conditions);
    }
    let items: Vec<Item<T>> =
        parts.into_iter().map(|part| plan_item(context, part, &mut conditions)).collect();
    match items.len() <= EXHAUSTIVE_MAX {
        true => exhaustive(context, &items, &conditions),
        false => greedy(context, &items, &conditions),
    }
}

/// Takes inner joins apart.
fn flatten<'a, T: Table>(
    context: &mut impl Context<T>,
    item: &'a FromItem<T>,
    parts: &mut Vec<Part<'a, T>>,
    conditions: &mut Vec<Condition<T>>,
) {
    match item {
        FromItem::Join { kind: JoinKind::Inner, left, right, condition } => {
            flatten(context, left, parts, conditions);
            flatten(context, right, parts, conditions);
            if let Some(condition) = condition {
                conditions.extend(context.conditions(condition));
            }
        }
        FromItem::Exists { kind, right, condition } => {
            let mut all = context.conditions(condition);
            // A semi join with at most one partner for each row is an inner join.
            if let ([item @ FromItem::Relation(number)], JoinKind::Semi) = (&right[..], kind)
                && context.known().has_one_row(*number, all.iter().map(|it| &it.expr))
            {
                conditions.extend(all);
                return parts.push(Part { item, own: Vec::new(), needs: 0, extra: Vec::new() });
            }
            let relations = bits(item);
            let own = take(&mut all, |it| it & !relations == 0);
            let extra = match kind {
                JoinKind::Anti => take(&mut all, |it| it & relations == 0),
                _ => Vec::new(),
            };
            let needs = all.iter().chain(&extra).fold(0, |bits, it| bits | it.relations);
            let extra = extra.into_iter().map(|it| it.expr).collect();
            conditions.extend(all);
            parts.push(Part { item, own, needs: needs & !relations, extra });
        }
        item => parts.push(Part { item, own: Vec::new(), needs: 0, extra: Vec::new() }),
    }
}

/// Plans a part of FROM. Takes the conditions that can be checked in it out of `conditions`.
fn plan_item<T: Table>(
    context: &mut impl Context<T>,
    part: Part<'_, T>,
    conditions: &mut Vec<Condition<T>>,
) -> Item<T> {
    let Part { item, own, needs, extra } = part;
    let relations = bits(item);
    let inner = |plans, single| {
        let (kind, unique, extra) = (JoinKind::Inner, None, Vec::new());
        Item { relations, plans, single, kind, needs, unique, extra }
    };
    match item {
        FromItem::Relation(number) => {
            let own = take(conditions, |it| it & !relations == 0);
            let own: Vec<Expr<T>> = own.into_iter().map(|it| it.expr).collect();
            let mut plans = vec![context.scan(*number, own.clone())];
            plans.extend(context.ordered(*number, &own));
            inner(plans, Some((*number, own)))
        }
        FromItem::Exists { kind, right, .. } => {
            let single = single(right, &own);
            let plans = join(context, right, own);
            let unique = match kind {
                JoinKind::Semi => with_unique_keys(context, relations, &plans[0], conditions),
                _ => None,
            };
            Item { relations, plans, single, kind: *kind, needs, unique, extra }
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
            let single = single(std::slice::from_ref(right), &right_only);
            let plans = join(context, std::slice::from_ref(right), right_only);
            let right = Item { relations: right_bits, ..inner(plans, single) };
            let on: Vec<Expr<T>> = on.into_iter().map(|it| it.expr).collect();
            let mut plans = pair(context, *kind, &outer, left_bits, &right, on);

            // WHERE sees the NULLs of the join.
            let above = take(conditions, |it| it & !relations == 0);
            let above: Vec<Expr<T>> = above.into_iter().map(|it| it.expr).collect();
            if !above.is_empty() {
                let fraction = context.known().all(&above);
                let condition = Expr::all(above.clone());
                for plan in &mut plans {
                    let rows = (plan.cost.rows * fraction).round().max(1.0);
                    let cost = Cost { rows, ..cost::per_row(plan.cost, above.len() as f64) };
                    let (input, condition) = (Rc::clone(plan), condition.clone());
                    *plan = context.node(cost, Kind::Filter { input, condition });
                }
            }
            inner(plans, None)
        }
    }
}

/// The relation of a side that has only one, and the conditions on it.
fn single<T: Table>(side: &[FromItem<T>], own: &[Condition<T>]) -> Option<(usize, Vec<Expr<T>>)> {
    let [FromItem::Relation(number)] = side else { return None };
    Some((*number, own.iter().map(|it| it.expr.clone()).collect()))
}

/// The rows of the right side of a semi join with each key once, if its conditions are equalities.
fn with_unique_keys<T: Table>(
    context: &mut impl Context<T>,
    relations: u64,
    plan: &Rc<Node<T>>,
    conditions: &[Condition<T>],
) -> Option<Rc<Node<T>>> {
    let on = applicable(conditions, !relations, relations);
    let (keys, rest) = split_equalities(context, &on, !relations, relations);
    if keys.is_empty() || !rest.is_empty() {
        return None;
    }
    let keys: Vec<(Expr<T>, Type)> =
        keys.into_iter().map(|(_, inner, base)| (inner, base)).collect();
    let groups: f64 = keys.iter().map(|(key, _)| context.known().distinct(key)).product();
    let rows = groups.min(plan.cost.rows).round().max(1.0);
    let (count, width) = (keys.len() as f64, plan.cost.width);
    let cost = context.model().aggregate(plan.cost, count, 0.0, rows, width);
    Some(context.node(cost, Kind::Distinct { input: Rc::clone(plan), keys }))
}

fn bits<T: Table>(item: &FromItem<T>) -> u64 {
    item.relations().into_iter().fold(0, |bits, number| bits | 1 << number)
}

/// Removes the conditions whose relations are accepted.
fn take<T: Table>(
    conditions: &mut Vec<Condition<T>>,
    accepts: impl Fn(u64) -> bool,
) -> Vec<Condition<T>> {
    let (taken, left) =
        std::mem::take(conditions).into_iter().partition(|it| accepts(it.relations));
    *conditions = left;
    taken
}

/// The conditions that can be checked once `new` has joined `old`, and not before.
fn applicable<T: Table>(conditions: &[Condition<T>], old: u64, new: u64) -> Vec<Expr<T>> {
    let is_due = |it: &&Condition<T>| {
        let relations = it.relations;
        relations & !(old | new) == 0 && relations & !old != 0 && relations & !new != 0
    };
    conditions.iter().filter(is_due).map(|it| it.expr.clone()).collect()
}

fn exhaustive<T: Table>(
    context: &mut impl Context<T>,
    items: &[Item<T>],
    conditions: &[Condition<T>],
) -> Plans<T> {
    let mut best: HashMap<usize, (Plans<T>, u64)> = HashMap::new();
    for (number, item) in items.iter().enumerate() {
        // A join that removes rows of the others cannot be first.
        let first = match item.kind {
            JoinKind::Inner => Some(item.plans.clone()),
            _ => item.unique.as_ref().map(|it| vec![Rc::clone(it)]),
        };
        best.extend(first.map(|it| (1 << number, (it, item.relations))));
    }
    let all = (1 << items.len()) - 1;
    for set in 1..=all {
        let set: usize = set;
        if set.count_ones() < 2 {
            continue;
        }
        let can_be_last = |member: &usize| {
            let others = best.get(&(set & !(1 << member)));
            set >> member & 1 == 1 && others.is_some_and(|it| items[*member].needs & !it.1 == 0)
        };
        let members: Vec<usize> = (0..items.len()).rev().filter(can_be_last).collect();
        // Pairs without a condition are tried only if there are no others.
        let is_connected = |member: &usize| {
            let others = best[&(set & !(1 << member))].1;
            !applicable(conditions, others, items[*member].relations).is_empty()
        };
        let mut last: Vec<usize> = members.iter().copied().filter(is_connected).collect();
        if last.is_empty() {
            last = members;
        }
        let (mut found, mut relations) = (Vec::new(), 0);
        for member in last {
            let (outer, old) = best[&(set & !(1 << member))].clone();
            found.extend(add(context, &outer, old, &items[member], conditions));
            relations = old | items[member].relations;
        }
        if !found.is_empty() {
            best.insert(set, (prune_dominated(found), relations));
        }
    }
    best.remove(&all).expect("the set of all has a plan").0
}

/// Begins with the smallest relation, and adds the one that is cheapest to add.
fn greedy<T: Table>(
    context: &mut impl Context<T>,
    items: &[Item<T>],
    conditions: &[Condition<T>],
) -> Plans<T> {
    let mut left: Vec<&Item<T>> = items.iter().collect();
    let rows = |item: &Item<T>| item.plans[0].cost.rows;
    let first = (0..left.len())
        .filter(|it| left[*it].kind == JoinKind::Inner)
        .min_by(|a, b| rows(left[*a]).total_cmp(&rows(left[*b])))
        .expect("FROM has relations");
    let first = left.remove(first);
    let (mut plans, mut done) = (first.plans.clone(), first.relations);
    while !left.is_empty() {
        let mut cheapest: Option<(usize, Plans<T>)> = None;
        for (number, item) in left.iter().enumerate().filter(|(_, it)| it.needs & !done == 0) {
            let next = add(context, &plans, done, item, conditions);
            let is_cheaper = |it: &(usize, Plans<T>)| next[0].cost.total < it.1[0].cost.total;
            if cheapest.as_ref().is_none_or(is_cheaper) {
                cheapest = Some((number, next));
            }
        }
        let (number, next) = cheapest.expect("one is left");
        done |= left.remove(number).relations;
        plans = next;
    }
    plans
}

/// Joins an item to what is joined already.
fn add<T: Table>(
    context: &mut impl Context<T>,
    outer: &[Rc<Node<T>>],
    old: u64,
    item: &Item<T>,
    conditions: &[Condition<T>],
) -> Plans<T> {
    let mut on = applicable(conditions, old, item.relations);
    on.extend(item.extra.iter().cloned());
    pair(context, item.kind, outer, old, item, on)
}

/// The cheapest plan to join two sides, and perhaps another one with an order.
fn pair<T: Table>(
    context: &mut impl Context<T>,
    kind: JoinKind,
    outers: &[Rc<Node<T>>],
    outer_relations: u64,
    inner: &Item<T>,
    on: Vec<Expr<T>>,
) -> Plans<T> {
    let outer = &outers[0];
    let known = context.known();
    let rows = rows_of(known, kind, outer.cost.rows, inner, &on);
    let positions = positions_of(context, inner.relations);
    let (keys, rest) = split_equalities(context, &on, outer_relations, inner.relations);
    let is_unique = matches!(kind, JoinKind::Inner | JoinKind::Left)
        && inner.single.as_ref().is_some_and(|(number, own)| {
            context.known().has_one_row(*number, on.iter().chain(own))
        });

    // Each candidate: its cost, and what makes it.
    let (model, kept) = (context.model(), &inner.plans[0]);
    let is_kept = model.methods.is_on(methods::MATERIAL);
    let looped = model.nested_loop(outer.cost, kept.cost, is_kept, on.len() as f64, rows);
    let inners = &inner.plans;
    let sides = Sides { kind, outers, inners, keys: &keys, rest: &rest, is_unique };
    let hashed = hash_cost(context, &sides, rows);
    let probed = inner.single.as_ref().and_then(|(number, conditions)| {
        let plan = context.parameterized(*number, conditions, &on)?;
        let cost = context.model().nested_loop(outer.cost, plan.cost, false, 1.0, rows);
        Some((cost, plan))
    });
    let merged = sides.merge_join(context, rows, &positions);

    let loops = |inner, is_parameterized, is_kept| Kind::NestedLoop {
        kind,
        outer: Rc::clone(outer),
        inner,
        is_parameterized,
        is_kept,
        is_unique,
        condition: Expr::all(on),
        positions: positions.clone(),
    };
    let best = match (probed, hashed) {
        (Some((cost, plan)), _)
            if cost.total < looped.total && hashed.is_none_or(|it| cost.total < it.total) =>
        {
            context.node(cost, loops(plan, true, false))
        }
        (_, Some(cost)) if cost.total <= looped.total => {
            let (outer, inner) = (Rc::clone(outer), Rc::clone(kept));
            let (method, condition) = (Method::Hash, Expr::all(rest));
            let positions = positions.clone();
            let kind = Kind::EquiJoin {
                kind,
                method,
                outer,
                inner,
                keys,
                is_unique,
                condition,
                positions,
            };
            context.node(cost, kind)
        }
        _ => context.node(looped, loops(Rc::clone(kept), false, is_kept)),
    };
    prune_dominated(std::iter::once(best).chain(merged).collect())
}

/// What a hash join of two sides costs, if there are keys.
fn hash_cost<T: Table>(context: &impl Context<T>, sides: &Sides<'_, T>, rows: f64) -> Option<Cost> {
    let (known, keys) = (context.known(), sides.keys);
    let (outer, inner) = (sides.outers[0].cost, sides.inners[0].cost);
    let bucket = keys.iter().map(|it| known.bucket(&it.1, inner.rows)).reduce(f64::min)?;
    Some(context.model().hash_join(HashJoin {
        outer,
        inner,
        keys: keys.len() as f64,
        operators: sides.rest.len() as f64,
        pairs: pairs_of(known, outer, inner, keys, sides.is_unique),
        bucket,
        is_unique: sides.is_unique,
        rows,
    }))
}

/// How many pairs have equal keys. If no row has two partners, PostgreSQL takes this for the
/// fraction of rows that have one.
pub fn pairs_of<T: Table>(
    known: &Known<'_, T>,
    outer: Cost,
    inner: Cost,
    keys: &[(Expr<T>, Expr<T>, Type)],
    is_unique: bool,
) -> f64 {
    let distinct = |it: &(Expr<T>, Expr<T>, Type)| known.distinct(&it.0).max(known.distinct(&it.1));
    let fraction = 1.0 / keys.iter().map(distinct).product::<f64>();
    let pairs = if is_unique { outer.rows } else { outer.rows * inner.rows };
    (pairs * fraction).round().max(1.0)
}

/// How many rows a join has.
fn rows_of<T: Table>(
    known: &Known<'_, T>,
    kind: JoinKind,
    outer: f64,
    inner: &Item<T>,
    on: &[Expr<T>],
) -> f64 {
    let pairs = (outer * inner.plans[0].cost.rows * known.all(on)).max(1.0);
    match kind {
        JoinKind::Inner => pairs.round(),
        JoinKind::Left => pairs.max(outer).round(),
        JoinKind::Semi | JoinKind::Anti => {
            let matched = known.matched(on, inner.relations, inner.plans[0].cost.rows);
            let kept = if kind == JoinKind::Semi { matched } else { 1.0 - matched };
            (outer * kept).round().max(1.0)
        }
    }
}

fn positions_of<T: Table>(context: &impl Context<T>, relations: u64) -> Vec<usize> {
    let all = context.known().relations.iter().enumerate();
    let inside = all.filter(|(number, _)| relations >> number & 1 == 1);
    inside.flat_map(|(_, relation)| relation.positions()).collect()
}

/// Values of the outer and the inner side that are equal, and the type of their hash.
pub type Keys<T> = Vec<(Expr<T>, Expr<T>, Type)>;

/// The conditions that say that a value of the one side equals one of the other, and the rest.
fn split_equalities<T: Table>(
    context: &impl Context<T>,
    on: &[Expr<T>],
    outer: u64,
    inner: u64,
) -> (Keys<T>, Vec<Expr<T>>) {
    let known = context.known();
    let bits = |expr: &Expr<T>| known.relations_of(expr);
    let (mut keys, mut rest) = (Vec::new(), Vec::new());
    for condition in on {
        if let Expr::Compare(Comparison::Eq, left, right, _) = condition
            && let Some(base) = hash_type(left.base(), right.base())
            // The columns that a subquery uses are not known here.
            && is_stable(left)
            && is_stable(right)
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
