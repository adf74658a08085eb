//! Merge joins: both sides come in the order of the keys.
//!
//! ```text
//! FROM a JOIN b ON a.x = b.x AND a.y = b.y      keys 0 and 1
//!
//! an index on a (y)     order [1]: b is sorted by y, and x is compared for each pair
//! no index              order [0, 1]: both sides are sorted by x, then y
//! ```
//!
//! Besides the cheapest plan, plans with an order of their own are kept: a merge join may save a
//! sort with them.
//!
//! PostgreSQL's `sort_inner_and_outer` and `match_unsorted_outer` (`joinpath.c`). There, pathkeys
//! are classes of equal expressions; ours are columns.

use crate::order::{Context, Keys, Plans, pairs_of};
use crate::{Indexed, Table, stripped};
use minibtree_cost::{Cost, MergeJoin, Side};
use minibtree_functions::Comparison;
use minibtree_plan::{Kind, Method, Node, SortBy};
use minibtree_query::{Expr, JoinKind};
use minibtree_types::values::Type;
use std::rc::Rc;

/// Keeps the cheapest of several plans for the same rows, and each plan with an order that no
/// cheaper one has (`add_path`).
pub fn prune_dominated<T: Table>(mut plans: Plans<T>) -> Plans<T> {
    plans.sort_by(|a, b| a.cost.total.total_cmp(&b.cost.total));
    let mut kept = Plans::new();
    for plan in plans {
        let order = order_of(&plan);
        let has_order = |it: &Rc<Node<T>>| order_of(it).first() == order.first();
        if kept.is_empty() || !order.is_empty() && !kept.iter().any(has_order) {
            kept.push(plan);
        }
    }
    kept
}

/// The columns by which the rows of a plan are sorted, ascending, NULLs last.
fn order_of<T: Table>(node: &Node<T>) -> Vec<usize> {
    match &node.kind {
        Kind::IndexScan { scanned, index, is_backward, .. } => {
            let sorted = scanned.table.ascending(*index, *is_backward).into_iter();
            sorted.map(|it| scanned.start + it).collect()
        }
        Kind::NestedLoop { outer: input, .. }
        | Kind::EquiJoin { outer: input, method: Method::Merge { .. }, .. }
        | Kind::Filter { input, .. } => order_of(input),
        Kind::Sort { keys, .. } => {
            let column = |it: &SortBy<T>| match stripped(&it.expr) {
                Expr::Column(column) if !it.descending && !it.nulls_first => Some(column.position),
                _ => None,
            };
            keys.iter().map_while(column).collect()
        }
        _ => Vec::new(),
    }
}

/// Two sides that are joined by keys.
pub struct Sides<'a, T> {
    pub kind: JoinKind,
    pub outers: &'a [Rc<Node<T>>],
    pub inners: &'a [Rc<Node<T>>],
    pub keys: &'a Keys<T>,
    /// Other conditions.
    pub rest: &'a [Expr<T>],
    /// No row of the outer side has two partners.
    pub is_unique: bool,
}

/// A side in the order of the keys: a plan that has the order, or one that must be sorted.
struct Sorted<T> {
    plan: Rc<Node<T>>,
    cost: Cost,
    needs_sort: bool,
}

/// A merge join in an order.
struct Candidate<T> {
    cost: Cost,
    is_materialized: bool,
    outer: Sorted<T>,
    inner: Sorted<T>,
    /// The keys by their numbers.
    order: Vec<usize>,
}

impl<T: Table> Sides<'_, T> {
    /// The cheapest merge join, or `None` without keys. Tries the order of each plan of a side, and
    /// that of the conditions.
    pub fn merge_join(
        &self,
        context: &mut impl Context<T>,
        rows: f64,
        positions: &[usize],
    ) -> Option<Rc<Node<T>>> {
        let outer = self.outers.iter().map(|it| self.order(it, false));
        let orders = outer.chain(self.inners.iter().map(|it| self.order(it, true)));
        let orders = orders.chain([(0..self.keys.len()).collect()]).filter(|it| !it.is_empty());
        let candidates = orders.map(|it| self.candidate(context, rows, it));
        let Candidate { cost, is_materialized, outer, inner, order } =
            candidates.min_by(|a, b| a.cost.total.total_cmp(&b.cost.total))?;

        let keys: Keys<T> = order.iter().map(|it| self.keys[*it].clone()).collect();
        let by = |expr: &Expr<T>, base: Type| SortBy {
            expr: expr.clone(),
            base,
            descending: false,
            nulls_first: false,
        };
        let outer_by = keys.iter().map(|(outer, _, base)| by(outer, *base)).collect();
        let inner_by = keys.iter().map(|(_, inner, base)| by(inner, *base)).collect();
        let (outer, inner) = (outer.node(context, outer_by), inner.node(context, inner_by));

        // Keys by which the sides are not sorted are conditions like others.
        let others = (0..self.keys.len()).filter(|it| !order.contains(it)).map(|it| {
            let (outer, inner, base) = self.keys[it].clone();
            Expr::Compare(Comparison::Eq, outer.into(), inner.into(), base == Type::Bpchar)
        });
        let kind = Kind::EquiJoin {
            kind: self.kind,
            method: Method::Merge { is_materialized },
            outer,
            inner,
            keys,
            is_unique: self.is_unique,
            condition: Expr::all(others.chain(self.rest.iter().cloned()).collect()),
            positions: positions.to_vec(),
        };
        Some(context.node(cost, kind))
    }

    /// The keys that a plan of a side is sorted by.
    fn order(&self, plan: &Node<T>, is_inner: bool) -> Vec<usize> {
        let number = |position| {
            self.keys.iter().position(|(outer, inner, _)| {
                stripped(if is_inner { inner } else { outer }).is_column(position)
            })
        };
        let mut order = order_of(plan).into_iter().map_while(number).collect::<Vec<_>>();
        // An index may have a column twice.
        let mut seen = vec![false; self.keys.len()];
        order.retain(|it| !std::mem::replace(&mut seen[*it], true));
        order
    }

    /// The cheapest plan of a side in an order.
    fn sorted(&self, context: &impl Context<T>, order: &[usize], is_inner: bool) -> Sorted<T> {
        let plans = if is_inner { self.inners } else { self.outers };
        let has_order = |it: &&Rc<Node<T>>| self.order(it, is_inner).starts_with(order);
        let of_plan = |(plan, cost, needs_sort)| Sorted { plan: Rc::clone(plan), cost, needs_sort };
        let sorted = plans.iter().filter(has_order).map(|it| of_plan((it, it.cost, false)));
        let sort = of_plan((&plans[0], context.model().sort(plans[0].cost, None), true));
        sorted.chain([sort]).min_by(|a, b| a.cost.total.total_cmp(&b.cost.total)).expect("a sort")
    }

    fn candidate(&self, context: &impl Context<T>, rows: f64, order: Vec<usize>) -> Candidate<T> {
        let known = context.known();
        let outer = self.sorted(context, &order, false);
        let inner = self.sorted(context, &order, true);
        let (first, second, _) = &self.keys[order[0]];
        let [mut outer_part, inner_part] = known.merged(first, second);
        if matches!(self.kind, JoinKind::Left | JoinKind::Anti) {
            outer_part = (0.0, 1.0);
        }

        let keys: Keys<T> = order.iter().map(|it| self.keys[*it].clone()).collect();
        let others = self.rest.len() + self.keys.len() - order.len();
        let decides = others == 0 && matches!(self.kind, JoinKind::Semi | JoinKind::Anti);
        let (cost, is_materialized) = context.model().merge_join(MergeJoin {
            outer: Side { cost: outer.cost, read: outer_part },
            inner: Side { cost: inner.cost, read: inner_part },
            pairs: pairs_of(known, outer.cost, inner.cost, &keys, false),
            keys: order.len() as f64,
            operators: others as f64,
            rows,
            is_once: self.is_unique || decides,
            can_go_back: matches!(inner.plan.kind, Kind::IndexScan { .. } | Kind::Sort { .. }),
            is_sort: inner.needs_sort,
        });
        Candidate { cost, is_materialized, outer, inner, order }
    }
}

impl<T> Sorted<T> {
    fn node(self, context: &mut impl Context<T>, keys: Vec<SortBy<T>>) -> Rc<Node<T>> {
        let Sorted { plan: input, cost, needs_sort } = self;
        if needs_sort { context.node(cost, Kind::Sort { input, keys, bound: None }) } else { input }
    }
}
