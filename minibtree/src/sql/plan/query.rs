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

use super::from::FromPlanner;
use super::node::{Kind, LockRows, Modify, Node, Plan, Planned, SortBy, SubPlan};
use crate::engine::LockMode;
use crate::format::RelationId;
use crate::sql::bind::{self, Binder};
use crate::sql::catalog::Catalog;
use crate::sql::tree::{
    Body, Column, Compute, Expr, FromItem, Grouping, Modification, Operation, OutputColumn, Query,
    Select, SetOperator, SortKey, Source, Subquery, SubqueryKind, Window,
};
use crate::sql::values::{Type, Value};
use crate::wire::{Field, Result, SqlError};
use minibtree_cost::{self as cost, Cost, Model, methods};
use minibtree_joins::{as_any, is_stable, join, with_semi_joins};
use minibtree_origin::{Origin, of_query, of_returning};
use minibtree_statistics::Statistics;
use sqlparser::ast;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

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
        (Some(it), _) => {
            let table = it.operation.table();
            let origins = of_returning(&it, table.oid.0, table.columns.len());
            (origins, planner.modification(it))
        }
        (None, ast::Statement::Query(query)) => {
            let mut bound = bind::query(&mut binder, query, None)?;
            planner.failure = bound.fold_parts(planner.compute).err();
            (of_query(&bound, |it| it.oid.0), (planner.top_query(&bound), bound.columns))
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

/// What is planned of a statement so far.
pub struct Planner<'a, 'c> {
    pub catalog: &'a Catalog,
    pub statistics: &'a Statistics,
    pub model: Model,
    subplans: Vec<SubPlan>,
    /// The init plans of the query that is being planned, by their numbers.
    init_plans: Vec<usize>,
    /// Those of the whole statement, as in [`Planned::init_plans`].
    attached: Vec<(usize, usize)>,
    /// Subqueries that lock their rows.
    locked: Vec<Rc<LockRows>>,
    pub nodes: Cell<usize>,
    tables: BTreeMap<RelationId, LockMode>,
    pub compute: &'c mut Compute<'c>,
    /// The error of a constant part.
    failure: Option<SqlError>,
}

impl Planner<'_, '_> {
    pub fn node(&mut self, cost: Cost, kind: Kind) -> Rc<Node> {
        Rc::new(Node::new(&self.nodes, cost, kind))
    }

    /// Locks a table before the plan is executed.
    pub fn lock(&mut self, table: RelationId, mode: LockMode) {
        let held = self.tables.entry(table).or_insert(mode);
        *held = (*held).max(mode);
    }

    /// Plans the subqueries of an expression.
    pub fn with_subplans(&mut self, mut expr: Expr) -> Expr {
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
    pub fn query(&mut self, query: &Query) -> Rc<Node> {
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
        let hidden =
            matches!(&query.body, Body::Select(it) if it.targets.len() > query.columns.len());
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
        let both = Cost { total: a.total + b.total, rows: a.rows + b.rows, ..a };
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
            let mut by = |expr: &Expr, descending, nulls_first| {
                let expr = self.with_subplans(expr.clone());
                SortBy { base: expr.base(), expr, descending, nulls_first }
            };
            let mut keys: Vec<SortBy> = partition.iter().map(|it| by(it, false, false)).collect();
            keys.extend(order.iter().map(|it| by(&it.0, it.1, it.2)));
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
        let parents = self.catalog.parents_of(&table);
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
            true => planner.planner.result(None, None),
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

    fn result(&mut self, condition: Option<Expr>, input: Option<Rc<Node>>) -> Rc<Node> {
        let one = Cost { startup: 0.0, total: 0.01, rows: 1.0, width: 0.0 };
        let cost = input.as_ref().map_or(one, |it| it.cost);
        self.node(cost, Kind::Result { condition, input })
    }

    fn filtered_once(&mut self, node: Rc<Node>, constant: Vec<Expr>) -> Rc<Node> {
        match Expr::all(constant) {
            None | Some(Expr::Constant(Value::Bool(true), _)) => node,
            Some(Expr::Constant(Value::Null, base)) => {
                self.filtered_once(node, vec![Expr::Constant(Value::Bool(false), base)])
            }
            Some(condition) => self.result(Some(condition), Some(node)),
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
pub fn constant(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Constant(Value::Int(number), _) => Some(*number as f64),
        _ => None,
    }
}

/// A column of the row below.
fn column(position: usize, base: Type) -> Expr {
    Expr::Column(Column { level: 0, position, column_type: base.plain() })
}
