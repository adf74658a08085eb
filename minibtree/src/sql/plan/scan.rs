//! The access paths of one table: page by page, or through its indexes.
//!
//! ```text
//! index (a, b, c), a = 1 AND b > 5 AND c = 2
//!
//! bounds   equal: [1], lower: 5 excluded      c = 2 is a filter: b is not fixed
//! ```
//!
//! `a IN (1, 2)` is two lookups. A hash index needs an equality with a single value.
//!
//! PostgreSQL's `indxpath.c`.

use super::node::{Bounds, Kind, Known, Node, Scanned};
use crate::sql::bind::is_implied;
use crate::sql::catalog::{IndexColumn, Table, TableIndex};
use crate::sql::functions::Comparison;
use crate::sql::tree::{Computed, Expr};
use crate::sql::values::Type;
use minibtree_cost::{self as cost, Cost, IndexScan, Model, methods};
use minibtree_joins::{hash_type, is_stable, stripped};
use minibtree_statistics::TableStatistics;
use std::cell::Cell;
use std::rc::Rc;

/// An access path: one way to read a table.
pub struct Path {
    pub cost: Cost,
    pub kind: Kind,
}

/// A table, what the query needs of it, and what is known about it.
pub struct Wanted<'a> {
    pub table: &'a std::sync::Arc<Table>,
    pub alias: &'a str,
    pub start: usize,
    pub width: usize,
    pub needed: &'a [bool],
    pub needs_tid: bool,
    pub pages: f64,
    pub rows: f64,
    /// What each index computes; empty if none computes anything.
    pub computed: &'a [Computed],
    pub known: &'a Known<'a>,
    pub model: &'a Model,
    /// The number of nodes of the plan so far.
    pub nodes: &'a Cell<usize>,
}

/// A bitmap of rows.
#[derive(Clone)]
struct Bitmap {
    node: Rc<Node>,
    /// Its share of the cost of the node above.
    total: f64,
    /// The conditions that all its rows meet.
    recheck: Vec<Expr>,
}

impl Wanted<'_> {
    fn scanned(&self) -> Scanned {
        Scanned {
            table: self.table.clone(),
            alias: self.alias.to_owned(),
            start: self.start,
            width: self.width,
            needed: self.needed.to_vec(),
            needs_tid: self.needs_tid,
        }
    }

    /// Bytes of the columns that are used.
    fn bytes(&self) -> f64 {
        let statistics = self.statistics();
        let width = |(position, base): (usize, &Type)| {
            let known = statistics.and_then(|it| it.columns.get(position)).map(|it| it.width);
            known.filter(|it| *it > 0.0).unwrap_or_else(|| base.width())
        };
        let columns = self.table.types.iter().enumerate().filter(|it| self.needed[it.0]);
        columns.map(width).sum()
    }

    fn statistics(&self) -> Option<&TableStatistics> {
        let relation = self.known.relations.iter().position(|it| it.start == self.start);
        relation.and_then(|it| self.known.tables[it].0)
    }

    /// Reads the table page by page.
    pub fn seq_scan(&self, conditions: &[Expr]) -> Path {
        let rows = self.rows_of(conditions);
        let operators = operators(conditions);
        let cost = self.model.seq_scan(self.pages, self.rows, operators, rows, self.bytes());
        let filter = Expr::all(conditions.to_vec());
        Path { cost, kind: Kind::SeqScan { scanned: self.scanned(), filter } }
    }

    /// Estimated rows that meet conditions.
    pub fn rows_of(&self, conditions: &[Expr]) -> f64 {
        (self.rows * self.known.all(conditions)).round().max(1.0)
    }

    /// Reads the table through an index. `None` if that is of no use: no condition bounds it, and
    /// its order is not wanted (`is_ordered`). `parameters` are conditions on other relations too.
    pub fn index_scan(
        &self,
        index: usize,
        conditions: &[Expr],
        parameters: &[Expr],
        is_ordered: bool,
        is_backward: bool,
    ) -> Option<Path> {
        let definition = &self.table.indexes[index];
        let is_hash = definition.index.is_hash();
        let predicate = self.computed.get(index).and_then(|it| it.predicate.as_ref());
        if !definition.is_read || predicate.is_some_and(|it| !is_implied(it, conditions)) {
            return None;
        }
        let (bounds, used) = self.bounds(index, conditions, parameters);
        // A partial index is worth reading as a whole.
        let is_of_use = !used.is_empty() || is_ordered || predicate.is_some();
        if bounds.equal.is_empty() && (is_hash || !is_of_use) {
            return None;
        }
        let all: Vec<&Expr> = conditions.iter().chain(parameters).collect();
        let bounding: Vec<Expr> = used.iter().map(|it| all[*it].clone()).collect();
        let rest: Vec<Expr> = (0..conditions.len())
            .filter(|it| !used.contains(it))
            .map(|it| conditions[it].clone())
            .collect();

        let is_only = !is_hash
            && !self.needs_tid
            && self.covers(definition)
            && self.model.methods.is_on(methods::INDEX_ONLY_SCAN);
        let operators = operators(&rest);
        let scan = IndexScan { is_only, operators, ..self.entries(index, &bounds, &bounding) };
        let unknown = rest.iter().filter(|it| predicate != Some(it)).cloned();
        let filtered = self.known.all(&unknown.collect::<Vec<_>>());
        let rows = (self.rows * scan.selectivity * filtered).round().max(1.0);
        let kind = Kind::IndexScan {
            scanned: self.scanned(),
            index,
            bounds,
            conditions: Expr::all(bounding),
            is_backward,
            is_only,
            filter: Expr::all(rest),
        };
        let cost = self.model.price(methods::INDEX_SCAN, scan.cost(rows, self.bytes()));
        Some(Path { cost, kind })
    }

    /// What the cost model needs to know about a scan of an index within bounds.
    fn entries(&self, index: usize, bounds: &Bounds, bounding: &[Expr]) -> IndexScan {
        let definition = &self.table.indexes[index];
        let is_hash = definition.index.is_hash();
        let mut found = bounding.to_vec();
        let predicate = self.computed.get(index).and_then(|it| it.predicate.clone());
        found.extend(predicate.filter(|it| !bounding.contains(it)));
        let scans = bounds.equal.iter().map(|it| Expr::item_count(it)).product();
        let is_whole = bounds.equal.len() == definition.columns.len();
        let is_one = definition.is_unique && is_whole && scans == 1.0;
        let one = 1.0 / self.rows.max(1.0);
        let height = || f64::from(definition.index.height().unwrap_or(1).saturating_sub(1));
        IndexScan {
            pages: self.pages,
            tuples: self.rows,
            index_pages: f64::from(definition.index.pages()),
            height: (!is_hash).then(height),
            selectivity: if is_one { one } else { self.known.all(&found) },
            bounds: bounding.len() as f64,
            scans,
            operators: 0.0,
            correlation: if is_hash { 0.0 } else { self.correlation(definition) },
            is_only: false,
        }
    }

    /// Reads the rows that one or several indexes lead to in the order of their pages.
    pub fn bitmap_scan(&self, conditions: &[Expr]) -> Option<Path> {
        let bitmap = self.best_bitmap(conditions, conditions)?;
        let cost = self.cost_of(&bitmap, conditions);
        let cost = Cost { rows: self.rows_of(conditions), width: self.bytes(), ..cost };
        let cost = self.model.price(methods::BITMAP_SCAN, cost);
        let rest = conditions.iter().filter(|it| !bitmap.recheck.contains(it)).cloned();
        let (filter, recheck) = (Expr::all(rest.collect()), Expr::all(bitmap.recheck));
        let (scanned, bitmap) = (self.scanned(), bitmap.node);
        Some(Path { cost, kind: Kind::BitmapScan { scanned, bitmap, recheck, filter } })
    }

    /// The best bitmap for some of the conditions, perhaps an intersection of several
    /// (`choose_bitmap_and`).
    fn best_bitmap(&self, wanted: &[Expr], all: &[Expr]) -> Option<Bitmap> {
        let indexes = 0..self.table.indexes.len();
        let mut found: Vec<Bitmap> =
            indexes.filter_map(|index| self.index_bitmap(index, wanted, all)).collect();
        found.extend(wanted.iter().filter_map(|it| self.union(it, all)));
        found.sort_by(|a, b| a.total.total_cmp(&b.total));

        // Each as the first one, and with it those of the others that make it cheaper.
        let price = |it: &Bitmap| self.cost_of(it, all).total;
        let add = |best: Bitmap, other: &Bitmap| {
            if other.recheck.iter().any(|it| best.recheck.contains(it)) {
                return best;
            }
            let recheck = [&best.recheck[..], &other.recheck[..]].concat();
            let both = self.merged(&[best.clone(), other.clone()], false, recheck);
            if price(&both) < price(&best) { both } else { best }
        };
        let groups = (0..found.len()).map(|it| found[it + 1..].iter().fold(found[it].clone(), add));
        groups.min_by(|a, b| price(a).total_cmp(&price(b)))
    }

    /// The bitmap of an index, if the conditions bound it.
    fn index_bitmap(&self, index: usize, wanted: &[Expr], all: &[Expr]) -> Option<Bitmap> {
        let definition = &self.table.indexes[index];
        let predicate = self.computed.get(index).and_then(|it| it.predicate.as_ref());
        let (bounds, used) = self.bounds(index, wanted, &[]);
        let is_implied = || predicate.is_none_or(|it| is_implied(it, all));
        let is_of_use = definition.is_read && !used.is_empty() && is_implied();
        if !is_of_use || definition.index.is_hash() && bounds.equal.is_empty() {
            return None;
        }
        let conditions: Vec<Expr> = used.iter().map(|it| wanted[*it].clone()).collect();
        let scan = self.entries(index, &bounds, &conditions);
        let cost = Cost { startup: 0.0, ..scan.entries() };
        let mut recheck = conditions.clone();
        recheck.extend(predicate.cloned().filter(|it| !conditions.contains(it)));
        let conditions = Expr::all(conditions);
        let kind = Kind::BitmapIndexScan { scanned: self.scanned(), index, bounds, conditions };
        let node = Rc::new(Node::new(self.nodes, cost, kind));
        let total = cost::bitmap(cost, self.rows_of(all));
        Some(Bitmap { node, total, recheck })
    }

    /// The bitmap of an OR, if each of its parts has one.
    fn union(&self, condition: &Expr, all: &[Expr]) -> Option<Bitmap> {
        let Expr::Or(parts) = condition else { return None };
        let parts = parts.iter().map(|it| self.best_bitmap(&it.clone().conjuncts(), all));
        let parts = parts.collect::<Option<Vec<Bitmap>>>()?;
        let recheck = parts.iter().filter_map(|it| Expr::all(it.recheck.clone())).collect();
        Some(self.merged(&parts, true, vec![Expr::Or(recheck)]))
    }

    /// Intersects or unites bitmaps; these conditions are met then.
    fn merged(&self, parts: &[Bitmap], is_union: bool, recheck: Vec<Expr>) -> Bitmap {
        let fractions = parts.iter().map(|it| it.node.cost.rows / self.rows.max(1.0));
        let fraction = if is_union { fractions.sum::<f64>().min(1.0) } else { fractions.product() };
        let rows = (self.rows * fraction).round().max(1.0);
        // An index adds its rows to the union that there is already.
        let is_index = |it: &Bitmap| matches!(it.node.kind, Kind::BitmapIndexScan { .. });
        let merges = parts[1..].iter().filter(|it| !is_union || !is_index(it)).count();
        let total = parts.iter().map(|it| it.total).sum();
        let cost = cost::merged_bitmaps(total, merges, rows);
        // One BitmapAnd intersects any number of bitmaps.
        let inputs = parts.iter().flat_map(|it| match &it.node.kind {
            Kind::BitmapMerge { inputs, is_union: false } if !is_union => inputs.clone(),
            _ => vec![Rc::clone(&it.node)],
        });
        let kind = Kind::BitmapMerge { inputs: inputs.collect(), is_union };
        let node = Rc::new(Node::new(self.nodes, cost, kind));
        Bitmap { node, total: cost.total, recheck }
    }

    fn cost_of(&self, bitmap: &Bitmap, conditions: &[Expr]) -> Cost {
        let rows = bitmap.node.cost.rows;
        cost::bitmap_scan(bitmap.total, rows, self.pages, operators(conditions))
    }

    /// Returns true if an index must be read backward for its rows to come in an order, false if
    /// forward, and `None` if it does not have the order.
    pub fn has_order(
        &self,
        index: usize,
        conditions: &[Expr],
        order: &[(Expr, bool, bool)],
    ) -> Option<bool> {
        let is_fixed = |is_meant: &dyn Fn(&Expr) -> bool| {
            conditions.iter().any(|condition| match condition {
                Expr::Compare(Comparison::Eq, left, right, _) => {
                    is_meant(left) && right.is_constant() || is_meant(right) && left.is_constant()
                }
                _ => false,
            })
        };
        let is_key = |column: &IndexColumn, expr: &Expr| self.is_key(index, column, expr);
        let mut columns = self.table.indexes[index].columns.iter().peekable();
        let mut direction = None;
        for (expr, descending, nulls_first) in order {
            // A column that has the same value in all rows does not affect the order.
            while columns
                .peek()
                .is_some_and(|it| !is_key(it, expr) && is_fixed(&|other| is_key(it, other)))
            {
                columns.next();
            }
            let is_next = columns.peek().is_some_and(|it| is_key(it, expr));
            if !is_next && is_fixed(&|other| other == expr) {
                continue;
            }
            let column = columns.next().filter(|_| is_next)?;
            let is_same = column.descending == *descending && column.nulls_first == *nulls_first;
            let is_reverse = column.descending != *descending && column.nulls_first != *nulls_first;
            let is_backward = match (is_same, is_reverse) {
                (true, _) => false,
                (_, true) => true,
                _ => return None,
            };
            if direction.is_some_and(|it| it != is_backward) {
                return None;
            }
            direction = Some(is_backward);
        }
        Some(direction.unwrap_or(false))
    }

    /// Returns true if an expression is this column of an index.
    fn is_key(&self, index: usize, column: &IndexColumn, expr: &Expr) -> bool {
        match column.expression() {
            Some(number) => self.computed[index].expressions[number] == *expr,
            None => stripped(expr).is_column(self.start + column.position),
        }
    }

    /// The bounds that conditions put on an index, and which conditions are used, by number: first
    /// those of the table alone, then the parameters.
    fn bounds(
        &self,
        index: usize,
        conditions: &[Expr],
        parameters: &[Expr],
    ) -> (Bounds, Vec<usize>) {
        let own = self.start..self.start + self.table.columns.len() + 1;
        let mut bounds = Bounds::default();
        let mut used = Vec::new();
        let definition = &self.table.indexes[index];
        for column in &definition.columns {
            let base = self.table.type_of(definition, column);
            let is_key = |it: &Expr| self.is_key(index, column, it);
            let found =
                conditions.iter().chain(parameters).enumerate().filter_map(|(number, it)| {
                    let (comparison, values) = bound_on(it, &is_key, base, &own)?;
                    Some((number, comparison, values))
                });
            let can_be = |it: &(_, _, Vec<Expr>)| {
                Expr::item_count(&it.2) == 1.0 || !definition.index.is_hash()
            };
            let found: Vec<(usize, Comparison, Vec<Expr>)> = found.filter(can_be).collect();
            if let Some((number, _, values)) = found.iter().find(|it| it.1 == Comparison::Eq) {
                bounds.equal.push(values.clone());
                used.push(*number);
                continue;
            }
            for (number, comparison, mut values) in found {
                let is_included = matches!(comparison, Comparison::Le | Comparison::Ge);
                let side = match comparison {
                    Comparison::Lt | Comparison::Le => &mut bounds.upper,
                    _ => &mut bounds.lower,
                };
                if side.is_none() {
                    *side = values.pop().map(|value| (value, is_included));
                    used.push(number);
                }
            }
            break;
        }
        (bounds, used)
    }

    fn correlation(&self, index: &TableIndex) -> f64 {
        let column = index.columns[0].position;
        let known =
            self.statistics().and_then(|it| it.columns.get(column)).map(|it| it.correlation);
        known.unwrap_or(0.0) * if index.columns.len() > 1 { 0.75 } else { 1.0 }
    }

    /// Returns true if the entries of an index have all columns that are used, exactly as they are.
    fn covers(&self, index: &TableIndex) -> bool {
        let in_key = |position: usize| {
            let base = self.table.types[position];
            is_exact(base) && index.columns.iter().any(|it| it.position == position)
        };
        let is_there = |position: usize| in_key(position) || index.included.contains(&position);
        self.needed.iter().enumerate().all(|(position, needed)| !needed || is_there(position))
    }
}

/// Returns true if equal keys mean equal values: `1.0` and `1.00` are one key.
fn is_exact(base: Type) -> bool {
    !matches!(base, Type::Numeric | Type::Float4 | Type::Float8 | Type::Bpchar)
}

/// Operators that conditions cost for each row. A list is gone through to its middle, or hashed if
/// it is long (`cost_qual_eval_walker`).
fn operators(conditions: &[Expr]) -> f64 {
    let operators = |it: &Expr| match it {
        Expr::InList(_, list, _) if list.len() < 9 => Expr::item_count(list) / 2.0,
        Expr::InList(..) => 2.0,
        _ => 1.0,
    };
    conditions.iter().map(operators).sum()
}

/// What a condition says about a column of an index: how it compares with a value that does not
/// depend on the table, or that it equals any of several.
fn bound_on(
    condition: &Expr,
    is_key: &dyn Fn(&Expr) -> bool,
    base: Type,
    own: &std::ops::Range<usize>,
) -> Option<(Comparison, Vec<Expr>)> {
    let is_value = |expr: &Expr| {
        let is_own = expr.positions().iter().any(|it| own.contains(it));
        let element = expr.base().element().unwrap_or(expr.base());
        !is_own && is_stable(expr) && is_same_kind(element, base)
    };
    match condition {
        Expr::InList(value, list, _) if is_key(value) && list.iter().all(is_value) => {
            Some((Comparison::Eq, list.clone()))
        }
        Expr::Compare(Comparison::Ne, ..) => None,
        Expr::Compare(comparison, left, right, _) if is_key(left) && is_value(right) => {
            Some((*comparison, vec![(**right).clone()]))
        }
        Expr::Compare(comparison, left, right, _) if is_key(right) && is_value(left) => {
            Some((comparison.swapped(), vec![(**left).clone()]))
        }
        _ => None,
    }
}

/// Returns true if values of the one type have the same keys as those of the other.
fn is_same_kind(left: Type, right: Type) -> bool {
    let is_timestamp = |it| matches!(it, Type::Timestamp | Type::TimestampTz);
    hash_type(left, right).is_some() || is_timestamp(left) && is_timestamp(right)
}

/// The scan of a table that has the lowest price.
pub fn cheapest_scan(wanted: &Wanted, conditions: &[Expr], price: &dyn Fn(Cost) -> f64) -> Path {
    let indexes = 0..wanted.table.indexes.len();
    let scans = indexes.filter_map(|it| wanted.index_scan(it, conditions, &[], false, false));
    let cheaper = |a: Path, b: Path| if price(b.cost) < price(a.cost) { b } else { a };
    let best = scans.fold(wanted.seq_scan(conditions), cheaper);
    match wanted.bitmap_scan(conditions) {
        // Its first row comes late, so PostgreSQL wants the total to be cheaper by 1 %.
        Some(path) if price(path.cost) * 1.01 < price(best.cost) => path,
        _ => best,
    }
}
