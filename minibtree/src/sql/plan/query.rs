//! From a query to a plan: everything above the joins.
//!
//! ```text
//! Limit
//!   Sort                    unless an index has the order
//!     Distinct
//!       Project
//!         Aggregate         GROUP BY, aggregates, HAVING
//!           joins and scans
//! ```
//!
//! PostgreSQL's `grouping_planner` in `planner.c`.

use super::node::{Condition, Kind, Known, LockRows, Modify, Node, Plan, Planned, SortBy, SubPlan};
use super::origin::{self, Origin};
use super::scan::{Path, Wanted, cheapest_scan};
use crate::engine::LockMode;
use crate::format::RelationId;
use crate::sql::bind::{self, Binder};
use crate::sql::catalog::{Catalog, Table, TableIndex};
use crate::sql::functions::Comparison;
use crate::sql::tree::{
    Body, Column, Compute, Computed, Expr, FromItem, Grouping, Modification, Operation,
    OutputColumn, Query, Relation, Select, SetFunction, SetOperator, SortKey, Source, Subquery,
    SubqueryKind, Window,
};
use crate::sql::values::{Type, Value};
use crate::wire::{Field, Result, SqlError};
use minibtree_cost::{self as cost, Cost, Model, methods};
use minibtree_joins::{Context, as_any, is_stable, join, with_semi_joins};
use minibtree_statistics::{Statistics, TableStatistics};
use sqlparser::ast;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The planner takes a table that was never vacuumed or analyzed to have at least so many pages,
/// as PostgreSQL does: it will grow.
const PAGES_MIN: f64 = 10.0;
/// Bytes of a row without its values in PostgreSQL's layout, which turn pages into rows.
const ROW_OVERHEAD: f64 = 28.0;

/// Plans a statement; `None` if it is one that has no plan, like CREATE TABLE. `declared` are the
/// types of parameters that the client gave; `compute` computes constant expressions.
pub fn plan(
    catalog: &Rc<Catalog>,
    statistics: &Statistics,
    model: Model,
    statement: &ast::Statement,
    declared: &[Option<Type>],
    compute: &mut Compute<'_>,
) -> Result<Option<Planned>> {
    let mut binder = Binder::new(catalog, declared);
    let mut planner = Planner {
        catalog,
        statistics,
        model,
        subplans: Vec::new(),
        init_plans: Vec::new(),
        attached: Vec::new(),
        locked: Vec::new(),
        nodes: Cell::new(0),
        tables: BTreeMap::new(),
        compute,
        failure: None,
    };
    let modification = bind::modification(&mut binder, statement)?;
    let (origins, (plan, columns)) = match (modification, statement) {
        (Some(it), _) => (origin::of_returning(&it), planner.modification(it)),
        (None, ast::Statement::Query(query)) => {
            let mut bound = bind::query(&mut binder, query, None)?;
            planner.failure = bound.fold_parts(planner.compute).err();
            (origin::of_query(&bound), (planner.top_query(&bound), bound.columns))
        }
        (None, _) => return Ok(None),
    };
    // The node of the whole statement has the last number.
    planner.attach_init_plans(planner.nodes.get());
    let field = |(column, origin): (&OutputColumn, Origin)| Field {
        name: column.name.clone(),
        type_oid: column.column_type.base.oid(),
        size: column.column_type.base.size(),
        modifier: column.column_type.modifier,
        origin,
    };
    let has_result = !columns.is_empty() || !matches!(plan, Plan::Modify(_));
    Ok(Some(Planned {
        catalog: Rc::clone(catalog),
        plan,
        subplans: planner.subplans,
        init_plans: planner.attached,
        locked: planner.locked,
        nodes: planner.nodes.get(),
        tables: planner.tables.into_iter().collect(),
        parameters: binder.parameters.iter().map(|it| it.unwrap_or(Type::Unknown)).collect(),
        fields: has_result.then(|| columns.iter().zip(origins).map(field).collect()),
        types: columns.iter().map(|column| column.column_type.base).collect(),
        failure: planner.failure,
    }))
}

struct Planner<'a, 'c> {
    catalog: &'a Catalog,
    statistics: &'a Statistics,
    model: Model,
    subplans: Vec<SubPlan>,
    /// The init plans of the query that is being planned, by their numbers.
    init_plans: Vec<usize>,
    /// Those of the whole statement, as in [`Planned::init_plans`].
    attached: Vec<(usize, usize)>,
    /// Subqueries that lock their rows.
    locked: Vec<Rc<LockRows>>,
    nodes: Cell<usize>,
    tables: BTreeMap<RelationId, LockMode>,
    compute: &'c mut Compute<'c>,
    /// The error of a constant part.
    failure: Option<SqlError>,
}

impl Planner<'_, '_> {
    fn node(&mut self, cost: Cost, kind: Kind) -> Rc<Node> {
        Rc::new(Node::new(&self.nodes, cost, kind))
    }

    /// Locks a table before the plan is executed.
    fn lock(&mut self, table: RelationId, mode: LockMode) {
        let held = self.tables.entry(table).or_insert(mode);
        *held = (*held).max(mode);
    }

    /// Plans the subqueries of an expression.
    fn with_subplans(&mut self, mut expr: Expr) -> Expr {
        self.replace_subqueries(&mut expr);
        expr
    }

    fn replace_subqueries(&mut self, expr: &mut Expr) {
        for child in expr.children_mut() {
            self.replace_subqueries(child);
        }
        if let Expr::Subquery(subquery) = &*expr {
            let (node, base) = (self.query(&subquery.query), expr.base());
            // It is not known here how often the subquery is evaluated. Assume ten times.
            let hashed = as_any(subquery).map(|it| (self.query(&it.query), it));
            let hashed = hashed.filter(|(it, _)| it.cost.total < 10.0 * node.cost.total);
            *expr = match hashed {
                None => self.subplan(node, (**subquery).clone(), base),
                Some((it, any)) => {
                    Expr::IsTruth(Box::new(self.subplan(it, any, base)), Some(true), false)
                }
            };
        }
    }

    fn subplan(&mut self, node: Rc<Node>, subquery: Subquery, base: Type) -> Expr {
        let Subquery { kind, left, query } = subquery;
        let types = query.columns.iter().map(|it| it.column_type.base).collect();
        let (number, is_correlated) = (self.subplans.len(), query.is_correlated());
        let has_value = !matches!(kind, SubqueryKind::Any(_) | SubqueryKind::All(_));
        self.subplans.push(SubPlan { kind, node, types, is_correlated });
        if !has_value || is_correlated {
            return Expr::SubPlan(number, left);
        }
        self.init_plans.push(number);
        Expr::InitPlan(number, base)
    }

    /// Attaches the init plans of a query to its topmost node. Returns what they cost
    /// (`SS_charge_for_initplans`).
    fn attach_init_plans(&mut self, top: usize) -> f64 {
        self.attached.extend(self.init_plans.iter().map(|number| (*number, top)));
        let cost = |number: usize| {
            let plan = &self.subplans[number];
            let Cost { startup, total, rows, .. } = plan.node.cost;
            let is_exists = plan.kind == SubqueryKind::Exists;
            if is_exists { startup + (total - startup) / rows.max(1.0) } else { total }
        };
        self.init_plans.drain(..).map(cost).sum()
    }

    /// The subqueries of a condition once more, for rows that must meet it again: EXPLAIN shows
    /// those that the scans have.
    fn recheck(&mut self, condition: &Option<Expr>) -> Option<Expr> {
        let known = self.init_plans.len();
        let condition = condition.clone().map(|it| self.with_subplans(it));
        self.init_plans.truncate(known);
        condition
    }

    fn top_query(&mut self, query: &Query) -> Plan {
        match self.lock_rows(query) {
            Some(lock) => Plan::Lock(lock),
            None => Plan::Query(self.query(query)),
        }
    }

    /// A query with FOR UPDATE or FOR SHARE; `None` for another one.
    fn lock_rows(&mut self, query: &Query) -> Option<Rc<LockRows>> {
        let (Some(lock), Body::Select(select)) = (&query.lock, &query.body) else { return None };
        // The newest version of a locked row may be read again, so all its columns are needed.
        let mut extra = Vec::new();
        let mut relations = Vec::new();
        for number in &lock.relations {
            let relation = &select.relations[*number];
            extra.extend(relation.positions());
            if let Source::Table(table) = &relation.source {
                relations.push((table.clone(), relation.start));
            }
        }
        let targets = select.targets[..query.columns.len()].iter().cloned();
        let targets = targets.map(|it| self.with_subplans(it)).collect();
        let joined = with_semi_joins(select);
        let joined = joined.as_ref().unwrap_or(select);
        let (mut node, is_sorted) = match self.column_order(query, joined) {
            Some(order) => self.ordered_from(joined, &order, query, &extra),
            None => (self.from(joined, &extra, &[]), false),
        };
        if !query.order.is_empty() && !is_sorted {
            let target = |it: &SortKey| self.with_subplans(select.targets[it.position].clone());
            let exprs: Vec<Expr> = query.order.iter().map(target).collect();
            node = self.sort(node, sort_by(&query.order, exprs), None);
        }
        let joins = select.from.iter().flat_map(FromItem::joins).map(|(kind, condition, right)| {
            let right = right.into_iter().flat_map(|it| select.relations[it].positions());
            (kind, self.recheck(condition), right.collect())
        });
        let joins = joins.collect();
        Some(Rc::new(LockRows {
            input: node,
            lock: lock.clone(),
            relations,
            joins,
            filter: self.recheck(&select.filter),
            targets,
            limit: query.limit.clone().map(|it| self.with_subplans(it)),
            offset: query.offset.clone().map(|it| self.with_subplans(it)),
        }))
    }

    /// The rows of a subquery that locks them: once, however often it is used.
    fn locked(&mut self, query: &Query) -> Option<Rc<Node>> {
        let number = query.lock.as_ref()?.number;
        let known = self.locked.iter().position(|it| it.lock.number == number);
        if known.is_none() {
            let locked = self.lock_rows(query)?;
            self.locked.push(locked);
        }
        let number = known.unwrap_or(self.locked.len() - 1);
        let lock = Rc::clone(&self.locked[number]);
        let cost = limited(lock.input.cost, &lock.limit, &lock.offset);
        Some(self.node(cost, Kind::Locked { lock, number }))
    }

    /// A query with its init plans.
    fn query(&mut self, query: &Query) -> Rc<Node> {
        let around = std::mem::take(&mut self.init_plans);
        let mut node = self.query_alone(query);
        let cost = self.attach_init_plans(node.id);
        self.init_plans = around;

        // EXPLAIN shows what is computed by a projection as a part of the node below.
        let mut top = Rc::get_mut(&mut node);
        while let Some(node) = top {
            (node.cost.startup, node.cost.total) =
                (node.cost.startup + cost, node.cost.total + cost);
            let Kind::Project { input, .. } = &mut node.kind else { break };
            top = Rc::get_mut(input);
        }
        node
    }

    fn query_alone(&mut self, query: &Query) -> Rc<Node> {
        if let Some(locked) = self.locked(query) {
            return locked;
        }
        let (mut node, is_sorted) = match &query.body {
            Body::Select(select) => self.select(query, select),
            Body::Values(rows) => {
                let rows: Vec<Vec<Expr>> = rows
                    .iter()
                    .map(|row| row.iter().map(|it| self.with_subplans(it.clone())).collect())
                    .collect();
                let count = rows.len() as f64;
                let total = count * cost::OPERATOR;
                let cost = Cost { startup: 0.0, total, rows: count, width: 8.0 };
                (self.node(cost, Kind::Values { rows }), false)
            }
            Body::SetOperation { operator, all, left, right } => {
                (self.set_operation(query, *operator, *all, left, right), false)
            }
        };
        let offset = query.offset.clone().map(|it| self.with_subplans(it));
        let limit = query.limit.clone().map(|it| self.with_subplans(it));
        if !query.order.is_empty() && !is_sorted {
            let exprs = query.order.iter().map(|it| column(it.position, it.column_type.base));
            let bound = limit.clone().map(|limit| (limit, offset.clone()));
            node = self.sort(node, sort_by(&query.order, exprs.collect()), bound);
        }
        let hidden = match &query.body {
            Body::Select(select) => select.targets.len() > query.columns.len(),
            _ => false,
        };
        if limit.is_some() || offset.is_some() {
            node = self.limit(node, limit, offset);
        }
        if hidden {
            let kept = query.columns.iter().enumerate();
            let targets = kept.map(|(at, it)| column(at, it.column_type.base)).collect();
            node = self.node(node.cost, Kind::Project { input: node, targets });
        }
        node
    }

    fn sort(
        &mut self,
        input: Rc<Node>,
        keys: Vec<SortBy>,
        bound: Option<(Expr, Option<Expr>)>,
    ) -> Rc<Node> {
        let count = bound.as_ref().and_then(|(limit, offset)| {
            Some(constant(limit)? + offset.as_ref().map_or(Some(0.0), constant)?)
        });
        let cost = self.model.sort(input.cost, count);
        self.node(cost, Kind::Sort { input, keys, bound })
    }

    fn limit(&mut self, input: Rc<Node>, limit: Option<Expr>, offset: Option<Expr>) -> Rc<Node> {
        let cost = limited(input.cost, &limit, &offset);
        self.node(cost, Kind::Limit { input, limit, offset })
    }

    fn set_operation(
        &mut self,
        query: &Query,
        operator: SetOperator,
        all: bool,
        left: &Query,
        right: &Query,
    ) -> Rc<Node> {
        let (left, right) = (self.query(left), self.query(right));
        let types: Vec<Type> = query.columns.iter().map(|it| it.column_type.base).collect();
        let (a, b) = (left.cost, right.cost);
        let both = Cost {
            startup: a.startup,
            total: a.total + b.total,
            rows: a.rows + b.rows,
            width: a.width,
        };
        match operator {
            SetOperator::Union => {
                let append = self.node(both, Kind::Append { inputs: vec![left, right] });
                if all { append } else { self.distinct(append, types) }
            }
            _ => {
                let total = both.total + both.rows * cost::OPERATOR * types.len() as f64;
                let cost = Cost { startup: total, total, rows: a.rows, width: a.width };
                self.node(cost, Kind::SetOperation { operator, all, left, right, types })
            }
        }
    }

    fn distinct(&mut self, input: Rc<Node>, types: Vec<Type>) -> Rc<Node> {
        let cost = cost::per_row(input.cost, types.len() as f64);
        let cost = self.model.price(methods::HASH_AGG, cost);
        let key = |(position, base): (usize, Type)| (column(position, base), base);
        let keys = types.into_iter().enumerate().map(key).collect();
        self.node(cost, Kind::Distinct { input, keys })
    }

    /// Plans a SELECT up to DISTINCT. Returns the plan, and true if its rows are sorted already.
    fn select(&mut self, query: &Query, select: &Select) -> (Rc<Node>, bool) {
        let joined = with_semi_joins(select);
        let select = joined.as_ref().unwrap_or(select);
        let targets = select.targets.iter().map(|it| self.with_subplans(it.clone()));
        let mut targets: Vec<Expr> = targets.collect();
        let order = self.column_order(query, select);
        let (mut node, is_sorted) = match order {
            Some(order) => self.ordered_from(select, &order, query, &[]),
            None => (self.from(select, &[], &[]), false),
        };
        if let Some(grouping) = &select.grouping {
            node = self.aggregate(node, grouping);
        }
        node = self.windows(node, select, &mut targets);
        let width = targets.iter().map(|it| it.base().width()).sum();
        let cost = Cost { width, ..node.cost };
        node = self.node(cost, Kind::Project { input: node, targets });
        if select.distinct {
            let types = select.targets.iter().map(Expr::base).collect();
            node = self.distinct(node, types);
        }
        (node, is_sorted)
    }

    /// Numbers the rows of each window, and appends the numbers to the row.
    fn windows(&mut self, mut node: Rc<Node>, select: &Select, targets: &mut [Expr]) -> Rc<Node> {
        let grouped = select.grouping.as_ref().map(|it| it.keys.len() + it.aggregates.len());
        let width = grouped.unwrap_or(select.width);
        for Window { partition, order } in &select.windows {
            let keys = partition.iter().map(|it| (it, false, false));
            let keys = keys.chain(
                order
                    .iter()
                    .map(|(expr, descending, nulls_first)| (expr, *descending, *nulls_first)),
            );
            let keys = keys.map(|(expr, descending, nulls_first)| {
                let expr = self.with_subplans(expr.clone());
                SortBy { base: expr.base(), expr, descending, nulls_first }
            });
            let keys: Vec<SortBy> = keys.collect();
            let key = |it: &SortBy| (it.expr.clone(), it.base);
            let partition = keys[..partition.len()].iter().map(key).collect();
            if !keys.is_empty() {
                node = self.sort(node, keys, None);
            }
            node =
                self.node(cost::per_row(node.cost, 1.0), Kind::Window { input: node, partition });
        }
        for target in targets {
            let changed = target.change(0, &mut |expr, depth| {
                if let (Expr::Window(number), 0) = (&*expr, depth) {
                    *expr = column(width + number, Type::Int8);
                }
                Ok(())
            });
            changed.expect("the closure returns no errors");
        }
        node
    }

    /// ORDER BY as expressions of the row, if it is by what an index of the only relation may have.
    fn column_order(&self, query: &Query, select: &Select) -> Option<Vec<(Expr, bool, bool)>> {
        let is_simple = (!query.order.is_empty() || query.limit.is_some())
            && select.grouping.is_none()
            && select.windows.is_empty()
            && !select.distinct
            && matches!(select.from[..], [FromItem::Relation(0)])
            && matches!(select.relations[0].source, Source::Table(_));
        if !is_simple {
            return None;
        }
        let indexable = |key: &SortKey| {
            let expr = &select.targets[key.position];
            let is_of_row = !expr.positions().is_empty() && is_stable(expr);
            is_of_row.then(|| (expr.clone(), key.descending, key.nulls_first))
        };
        query.order.iter().map(indexable).collect()
    }

    fn aggregate(&mut self, input: Rc<Node>, grouping: &Grouping) -> Rc<Node> {
        let keys: Vec<(Expr, Type)> = grouping
            .keys
            .iter()
            .map(|(key, column_type)| (self.with_subplans(key.clone()), column_type.base))
            .collect();
        let mut aggregates = grouping.aggregates.clone();
        for call in &mut aggregates {
            for expr in call.arguments.iter_mut().chain(&mut call.filter) {
                self.replace_subqueries(expr);
            }
        }
        let having = grouping.having.clone().map(|it| self.with_subplans(it));
        let groups = if keys.is_empty() { 1.0 } else { input.cost.rows.sqrt().ceil().max(1.0) };
        let bytes = keys.iter().map(|it| it.1.width()).sum::<f64>() + 8.0 * aggregates.len() as f64;
        let (key_count, count) = (keys.len() as f64, aggregates.len() as f64);
        let cost = self.model.aggregate(input.cost, key_count, count, groups, bytes);
        self.node(cost, Kind::Aggregate { input, keys, aggregates, having })
    }

    fn modification(&mut self, modification: Modification) -> (Plan, Vec<OutputColumn>) {
        let Modification { mut operation, mut source, mut returning, columns } = modification;
        self.failure = source.fold_parts(self.compute).err();
        let mut used = returning.clone();
        if let Operation::Update(write) = &operation {
            used.extend(write.values.iter().flatten().cloned());
        }
        let exprs = match &mut operation {
            Operation::Insert(write, conflict) => {
                let update = conflict.iter_mut().flat_map(|it| &mut it.update);
                let update =
                    update.flat_map(|(values, filter)| values.iter_mut().flatten().chain(filter));
                write.values.iter_mut().flatten().chain(update).collect::<Vec<_>>()
            }
            Operation::Update(write) => write.values.iter_mut().flatten().collect(),
            Operation::Delete(_) => Vec::new(),
        };
        for expr in exprs.into_iter().chain(&mut returning) {
            self.failure = expr.fold(self.compute).err().or(self.failure.take());
            self.replace_subqueries(expr);
        }
        let (node, filter) = match &source.body {
            Body::Select(select) if !matches!(operation, Operation::Insert(..)) => {
                let extra: Vec<usize> = select.relations[0].positions().collect();
                let joined = with_semi_joins(select);
                let node = self.from(joined.as_ref().unwrap_or(select), &extra, &used);
                (node, self.recheck(&select.filter))
            }
            _ => (self.query_alone(&source), None),
        };

        let table = operation.table().clone();
        self.lock(table.oid, LockMode::Share);
        let parent = |key: &crate::sql::catalog::ForeignKey| {
            self.catalog.by_oid(RelationId(key.parent)).map(|it| (key.clone(), it.clone()))
        };
        let parents: Vec<_> = table.foreign_keys.iter().filter_map(parent).collect();
        let children = self.catalog.children_of(table.oid);
        for (_, other) in parents.iter().chain(&children) {
            self.lock(other.oid, LockMode::KeyShare);
        }
        let plan = Modify { operation, source: node, filter, returning, parents, children };
        (Plan::Modify(Box::new(plan)), columns)
    }

    /// The joins and scans of a SELECT. `extra` are positions that are used by others, and `used`
    /// expressions that are.
    fn from(&mut self, select: &Select, extra: &[usize], used: &[Expr]) -> Rc<Node> {
        let mut planner = FromPlanner::new(self, select, extra, used);
        let (conditions, constant) = planner.where_conditions();
        let node = match select.from.is_empty() {
            true => planner.planner.result(None, None, 0),
            false => join(&mut planner, &select.from, conditions).swap_remove(0),
        };
        planner.planner.filtered_once(node, constant)
    }

    /// The same for one table, with its rows in an order if that is cheaper than sorting.
    fn ordered_from(
        &mut self,
        select: &Select,
        order: &[(Expr, bool, bool)],
        query: &Query,
        extra: &[usize],
    ) -> (Rc<Node>, bool) {
        let mut planner = FromPlanner::new(self, select, extra, &[]);
        let (conditions, constant) = planner.where_conditions();
        let exprs: Vec<Expr> = conditions.into_iter().map(|it| it.expr).collect();
        let (path, is_sorted) = planner.ordered_scan(&exprs, order, query);
        let node = planner.planner.node(path.cost, path.kind);
        (planner.planner.filtered_once(node, constant), is_sorted)
    }

    fn result(
        &mut self,
        condition: Option<Expr>,
        input: Option<Rc<Node>>,
        width: usize,
    ) -> Rc<Node> {
        let one = Cost { startup: 0.0, total: 0.01, rows: 1.0, width: 0.0 };
        let cost = input.as_ref().map_or(one, |it| it.cost);
        self.node(cost, Kind::Result { condition, input, width })
    }

    fn filtered_once(&mut self, node: Rc<Node>, constant: Vec<Expr>) -> Rc<Node> {
        match Expr::all(constant) {
            None | Some(Expr::Constant(Value::Bool(true), _)) => node,
            Some(condition) => self.result(Some(condition), Some(node), 0),
        }
    }
}

fn sort_by(order: &[SortKey], exprs: Vec<Expr>) -> Vec<SortBy> {
    let keys = order.iter().zip(exprs);
    let key = |(key, expr): (&SortKey, Expr)| {
        let SortKey { column_type, descending, nulls_first, .. } = *key;
        SortBy { expr, base: column_type.base, descending, nulls_first }
    };
    keys.map(key).collect()
}

/// The cost of a query with LIMIT and OFFSET.
fn limited(input: Cost, limit: &Option<Expr>, offset: &Option<Expr>) -> Cost {
    // PostgreSQL assumes a tenth of the rows for a limit that it does not know.
    let tenth = (input.rows / 10.0).round().max(1.0);
    let count = limit.as_ref().map(|it| constant(it).unwrap_or(tenth));
    let skipped = offset.as_ref().map_or(0.0, |it| constant(it).unwrap_or(tenth));
    cost::limit(input, skipped, count)
}

/// A number that is known when the statement is planned.
fn constant(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Constant(Value::Int(number), _) => Some(*number as f64),
        _ => None,
    }
}

/// A column of the row below.
fn column(position: usize, base: Type) -> Expr {
    Expr::Column(Column { level: 0, position, column_type: base.plain() })
}

/// Plans the FROM clause of one SELECT.
struct FromPlanner<'p, 'a, 'c, 'q> {
    planner: &'p mut Planner<'a, 'c>,
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
    fn new(
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
    fn where_conditions(&mut self) -> (Vec<Condition>, Vec<Expr>) {
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
    fn ordered_scan(
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
