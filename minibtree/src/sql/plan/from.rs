//! FROM and WHERE: what is known of each relation, and how it is read by itself.
//!
//! ```text
//! FROM a JOIN (SELECT ..) AS b ON b.x = a.x WHERE a.y = 5
//!
//! a    pages and rows, statistics, the columns that are used     scans of `scan.rs`
//! b    the rows of its plan                                      Subquery Scan
//! ```
//!
//! The crate `minibtree/joins` asks for these plans and joins them.

use super::node::{Condition, Kind, Known, Node};
use super::query::{Planner, constant};
use super::scan::{Path, Wanted, cheapest_scan};
use crate::engine::LockMode;
use crate::sql::bind::{self, Binder};
use crate::sql::catalog::{Table, TableIndex};
use crate::sql::functions::Comparison;
use crate::sql::tree::{
    Computed, Expr, FromItem, Query, Relation, Select, SetFunction, Source, Window,
};
use crate::sql::values::{Type, Value};
use minibtree_cost::{self as cost, Cost, Model};
use minibtree_joins::Context;
use minibtree_statistics::TableStatistics;
use std::rc::Rc;
use std::sync::Arc;

/// The planner takes a table that was never vacuumed or analyzed to have at least so many pages,
/// as PostgreSQL does: it will grow.
const PAGES_MIN: f64 = 10.0;
/// Bytes of a row without its values in PostgreSQL's layout, which turn pages into rows.
const ROW_OVERHEAD: f64 = 28.0;

/// Plans the FROM clause of one SELECT.
pub struct FromPlanner<'p, 'a, 'c, 'q> {
    pub planner: &'p mut Planner<'a, 'c>,
    select: &'q Select,
    known: Known<'q>,
    pages: Vec<f64>,
    needed: Vec<bool>,
    /// Columns that are compared with other relations: those in whose order sides can be merged.
    merged: Vec<usize>,
    /// For each relation, what its indexes compute.
    computed: Vec<Vec<Computed>>,
}

impl<'p, 'a: 'q, 'c, 'q> FromPlanner<'p, 'a, 'c, 'q> {
    pub fn new(
        planner: &'p mut Planner<'a, 'c>,
        select: &'q Select,
        extra: &[usize],
        used: &[Expr],
    ) -> FromPlanner<'p, 'a, 'c, 'q> {
        let mut needed = vec![false; select.width];
        let mut positions = extra.to_vec();
        let exprs = from_expressions(select).into_iter().chain(used);
        positions.extend(exprs.flat_map(Expr::positions));
        positions.into_iter().for_each(|it| needed[it] = true);

        let (mut tables, mut pages, mut computed) = (Vec::new(), Vec::new(), Vec::new());
        for relation in &select.relations {
            let (statistics, rows, blocks) = match &relation.source {
                Source::Table(table) => {
                    planner.lock(table.oid, LockMode::KeyShare);
                    let statistics: Option<&'a TableStatistics> =
                        planner.statistics.get(&table.heap.id()).map(|it| &**it);
                    let (rows, blocks) = size_of_table(table, statistics);
                    (statistics, rows, blocks)
                }
                Source::Query(_) | Source::Function(..) => (None, 1_000.0, 1.0),
            };
            tables.push((statistics, rows));
            pages.push(blocks);
            computed.push(computed_by_indexes(planner, relation));
        }
        let known = Known { relations: &select.relations, tables };
        let merged = merged_columns(select);
        FromPlanner { planner, select, known, pages, needed, merged, computed }
    }

    /// WHERE as conditions, and those of them that use no relation.
    pub fn where_conditions(&mut self) -> (Vec<Condition>, Vec<Expr>) {
        let Some(filter) = &self.select.filter else { return (Vec::new(), Vec::new()) };
        let all = Context::conditions(self, filter);
        let (constant, conditions) = all.into_iter().partition(|it: &Condition| it.relations == 0);
        let constant: Vec<Condition> = constant;
        (conditions, constant.into_iter().map(|it| it.expr).collect())
    }

    fn wanted<'w>(&'w self, relation: &'w Relation, number: usize) -> Option<Wanted<'w>> {
        let Source::Table(table) = &relation.source else { return None };
        let end = relation.tid_position();
        Some(Wanted {
            table,
            alias: &relation.alias,
            start: relation.start,
            width: self.select.width,
            needed: &self.needed[relation.start..end],
            needs_tid: self.needed[end],
            pages: self.pages[number],
            rows: self.known.tables[number].1,
            computed: &self.computed[number],
            known: &self.known,
            model: &self.planner.model,
            nodes: &self.planner.nodes,
        })
    }

    /// The cheapest scan of the only relation, with sorting or in order.
    pub fn ordered_scan(
        &self,
        conditions: &[Expr],
        order: &[(Expr, bool, bool)],
        query: &Query,
    ) -> (Path, bool) {
        let wanted = self.wanted(&self.select.relations[0], 0).expect("the relation is a table");
        let limit = query.limit.as_ref().and_then(constant);
        let skipped = query.offset.as_ref().and_then(constant).unwrap_or(0.0);
        let price = |cost: Cost| cost::limit(cost, skipped, limit).total;
        if order.is_empty() {
            return (cheapest_scan(&wanted, conditions, &price), true);
        }
        let unordered = cheapest_scan(&wanted, conditions, &|it| it.total);
        let count = limit.map(|it| it + skipped);
        let (mut best, mut is_sorted) =
            (price(self.planner.model.sort(unordered.cost, count)), false);
        let mut path = unordered;
        for index in 0..wanted.table.indexes.len() {
            let Some(is_backward) = wanted.has_order(index, conditions, order) else {
                continue;
            };
            let scan = wanted.index_scan(index, conditions, &[], true, is_backward);
            if let Some(scan) = scan.filter(|it| price(it.cost) < best) {
                (best, path, is_sorted) = (price(scan.cost), scan, true);
            }
        }
        (path, is_sorted)
    }
}

impl Context<Arc<Table>> for FromPlanner<'_, '_, '_, '_> {
    fn scan(&mut self, number: usize, conditions: Vec<Expr>) -> Rc<Node> {
        let relation = &self.select.relations[number];
        if let Some(wanted) = self.wanted(relation, number) {
            let path = cheapest_scan(&wanted, &conditions, &|it| it.total);
            return self.planner.node(path.cost, path.kind);
        }
        let fraction = self.known.all(&conditions);
        let filter = Expr::all(conditions);
        let (alias, start, width) = (relation.alias.clone(), relation.start, self.select.width);
        match &relation.source {
            Source::Query(query) => {
                let query = self.planner.query(query);
                let rows = (query.cost.rows * fraction).round().max(1.0);
                self.known.tables[number].1 = query.cost.rows;
                let cost = Cost { rows, ..query.cost };
                let columns = relation.columns.len();
                let kind = Kind::SubqueryScan { query, columns, start, width, alias, filter };
                self.planner.node(cost, kind)
            }
            Source::Function(function, arguments) => {
                let arguments: Vec<Expr> =
                    arguments.iter().map(|it| self.planner.with_subplans(it.clone())).collect();
                let count = match &arguments[..] {
                    [from, to] if *function == SetFunction::Series => {
                        constant(from).zip(constant(to)).map(|(from, to)| to - from + 1.0)
                    }
                    _ => None,
                };
                let count = count.unwrap_or(1_000.0).max(1.0);
                let rows = (count * fraction).round().max(1.0);
                let cost = Cost { startup: 0.0, total: count * 0.01, rows, width: 4.0 };
                let (function, position) = (*function, start);
                let columns = relation.columns.iter().map(|it| it.name.clone()).collect();
                let kind =
                    Kind::Function { function, arguments, columns, position, width, alias, filter };
                self.planner.node(cost, kind)
            }
            Source::Table(_) => unreachable!("tables are scanned above"),
        }
    }

    fn ordered(&mut self, number: usize, conditions: &[Expr]) -> Vec<Rc<Node>> {
        let Some(wanted) = self.wanted(&self.select.relations[number], number) else {
            return Vec::new();
        };
        let scan = |number: usize| {
            let index = &wanted.table.indexes[number];
            let first = &index.columns[0];
            let is_wanted = first.expression().is_none()
                && self.merged.contains(&(wanted.start + first.position))
                && first.descending == first.nulls_first
                && !index.index.is_hash();
            let scan = || wanted.index_scan(number, conditions, &[], true, first.descending);
            is_wanted.then(scan).flatten()
        };
        let scans: Vec<Path> = (0..wanted.table.indexes.len()).filter_map(scan).collect();
        scans.into_iter().map(|it| self.planner.node(it.cost, it.kind)).collect()
    }

    fn parameterized(
        &mut self,
        number: usize,
        conditions: &[Expr],
        parameters: &[Expr],
    ) -> Option<Rc<Node>> {
        let wanted = self.wanted(&self.select.relations[number], number)?;
        let count = wanted.table.indexes.len();
        let paths = (0..count).filter_map(|index| {
            let own = wanted.index_scan(index, conditions, &[], false, false);
            let bounds = |path: &Path| match &path.kind {
                Kind::IndexScan { bounds, .. } => {
                    bounds.equal.len() + bounds.lower.iter().chain(&bounds.upper).count()
                }
                _ => 0,
            };
            let path = wanted.index_scan(index, conditions, parameters, false, false)?;
            // The parameters must be of use.
            (bounds(&path) > own.as_ref().map_or(0, bounds)).then_some(path)
        });
        let best = paths.min_by(|a, b| a.cost.total.total_cmp(&b.cost.total))?;
        Some(self.planner.node(best.cost, best.kind))
    }

    fn node(&mut self, cost: Cost, kind: Kind) -> Rc<Node> {
        self.planner.node(cost, kind)
    }

    fn known(&self) -> &Known<'_> {
        &self.known
    }

    fn model(&self) -> &Model {
        &self.planner.model
    }

    fn conditions(&mut self, on: &Expr) -> Vec<Condition> {
        let conditions = on.clone().conjuncts().into_iter().map(|expr| {
            let relations = self.known.relations_of(&expr);
            Condition { expr: self.planner.with_subplans(expr), relations }
        });
        conditions.collect()
    }
}

/// The predicates and expressions of a table's indexes, over the row of the query.
fn computed_by_indexes(planner: &mut Planner<'_, '_>, relation: &Relation) -> Vec<Computed> {
    let Source::Table(table) = &relation.source else { return Vec::new() };
    let mut binder = Binder::new(planner.catalog, &[]);
    // They were checked when the index was created. If one fails to bind, no query uses the index.
    let never = |index: &TableIndex| Computed {
        predicate: Some(Expr::Constant(Value::Bool(false), Type::Bool)),
        expressions: index.expressions.iter().map(|it| Expr::null(it.1)).collect(),
    };
    let mut all = bind::computed(&mut binder, table)
        .unwrap_or_else(|_| table.indexes.iter().map(never).collect());
    let exprs = all.iter_mut().flat_map(|it| it.predicate.iter_mut().chain(&mut it.expressions));
    for expr in exprs {
        let moved = expr.change(0, &mut |expr, _| {
            if let Expr::Column(column) = expr {
                column.position += relation.start;
            }
            Ok(())
        });
        moved.expect("the closure returns no errors");
        // What fails is equal to nothing in a query that does not.
        let _ = expr.fold(planner.compute);
    }
    all
}

/// Columns that are compared for equality, perhaps with those of another relation.
fn merged_columns(select: &Select) -> Vec<usize> {
    let mut merged = Vec::new();
    if select.relations.len() > 1 {
        let all = select.filter.iter().chain(select.from.iter().flat_map(FromItem::conditions));
        all.for_each(|it| {
            it.walk(0, &mut |expr, _| {
                if let Expr::Compare(Comparison::Eq, left, right, _) = expr {
                    merged.extend(left.positions().into_iter().chain(right.positions()));
                }
            });
        });
    }
    merged
}

/// The expressions of a SELECT that use the row of its FROM clause.
fn from_expressions(select: &Select) -> Vec<&Expr> {
    let mut all: Vec<&Expr> = select.filter.iter().collect();
    all.extend(select.from.iter().flat_map(FromItem::conditions));
    match &select.grouping {
        None => {
            all.extend(&select.targets);
            for Window { partition, order } in &select.windows {
                all.extend(partition.iter().chain(order.iter().map(|it| &it.0)));
            }
        }
        Some(grouping) => {
            all.extend(grouping.keys.iter().map(|it| &it.0));
            for call in &grouping.aggregates {
                all.extend(call.arguments.iter().chain(&call.filter));
            }
        }
    }
    all
}

/// Rows and pages of a table: what ANALYZE saw, scaled to what it is now.
fn size_of_table(table: &Table, statistics: Option<&TableStatistics>) -> (f64, f64) {
    let now = f64::from(table.heap.pages());
    if let Some(statistics) = statistics
        && statistics.pages > 0
    {
        let density = statistics.rows / f64::from(statistics.pages);
        return ((density * now).round().max(1.0), now.max(1.0));
    }
    let pages = if statistics.is_some() { now.max(1.0) } else { now.max(PAGES_MIN) };
    let width: f64 = table.types.iter().map(|it| it.width()).sum::<f64>() + ROW_OVERHEAD;
    ((pages * 8_168.0 / width).round().max(1.0), pages)
}
