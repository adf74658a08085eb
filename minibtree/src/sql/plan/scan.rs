//! The ways to read one table: page by page, or through each of its indexes.
//!
//! ```text
//! index (a, b, c), a = 1 AND b > 5 AND c = 2
//!
//! bounds   equal: [1], lower: 5 excluded      c = 2 is a filter: b is not fixed
//! ```
//!
//! A hash index is a way only if its column equals something.
//!
//! PostgreSQL's `indxpath.c`.

use super::estimate::Known;
use super::join::hash_type;
use super::node::{Bounds, Kind, Scanned};
use crate::sql::catalog::{IndexColumn, Table, TableIndex};
use crate::sql::functions::Comparison;
use crate::sql::tree::{Computed, Expr};
use crate::sql::values::{Type, compare};
use minibtree_estimate::cost::{self, Cost, IndexScan};

/// A way to read a table.
pub struct Path {
    pub cost: Cost,
    pub kind: Kind,
}

/// A table and what of it is wanted.
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
        let columns = self.table.columns.iter().zip(self.needed).filter(|it| *it.1);
        columns.map(|(column, _)| column.column_type.base.width()).sum()
    }

    /// Reads the table page by page.
    pub fn seq_scan(&self, conditions: &[Expr]) -> Path {
        let rows = self.rows_of(conditions);
        let operators = conditions.len() as f64;
        let cost = cost::seq_scan(self.pages, self.rows, operators, rows, self.bytes());
        let filter = Expr::all(conditions.to_vec());
        Path { cost, kind: Kind::SeqScan { scanned: self.scanned(), filter } }
    }

    /// Estimated rows that meet conditions.
    pub fn rows_of(&self, conditions: &[Expr]) -> f64 {
        (self.rows * self.known.all(conditions)).round().max(1.0)
    }

    /// Reads the table through an index, if it is of use: conditions bound it, or `is_ordered` asks
    /// for its order. `parameters` are conditions that use other relations too.
    pub fn index_scan(
        &self,
        index: usize,
        conditions: &[Expr],
        parameters: &[Expr],
        is_ordered: bool,
        is_backward: bool,
    ) -> Option<Path> {
        let definition = &self.table.indexes[index];
        let own = self.start..self.start + self.table.columns.len() + 1;
        let (bounds, used) = self.bounds(index, own, conditions, parameters);
        let is_hash = definition.index.is_hash();
        let predicate = self.computed.get(index).and_then(|it| it.predicate.as_ref());
        if predicate.is_some_and(|it| !is_implied(it, conditions)) {
            return None;
        }
        // A part of the rows is worth reading as a whole.
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

        let is_only = !is_hash && !self.needs_tid && self.covers(definition);
        let mut found = bounding.clone();
        found.extend(predicate.cloned().filter(|it| !bounding.contains(it)));
        let fraction = self.known.all(&found);
        let is_one = definition.is_unique && bounds.equal.len() == definition.columns.len();
        let selectivity = if is_one { 1.0 / self.rows.max(1.0) } else { fraction };
        let scan = IndexScan {
            pages: self.pages,
            tuples: self.rows,
            index_pages: f64::from(definition.index.pages()),
            height: (!is_hash)
                .then(|| f64::from(definition.index.height().unwrap_or(1).saturating_sub(1))),
            selectivity,
            bounds: bounding.len() as f64,
            operators: rest.len() as f64,
            correlation: if is_hash { 0.0 } else { self.correlation(definition) },
            is_only,
        };
        let unknown = rest.iter().filter(|it| predicate != Some(it)).cloned();
        let filtered = self.known.all(&unknown.collect::<Vec<_>>());
        let rows = (self.rows * selectivity * filtered).round().max(1.0);
        let kind = Kind::IndexScan {
            scanned: self.scanned(),
            index,
            bounds,
            conditions: bounding,
            is_backward,
            is_only,
            filter: Expr::all(rest),
        };
        Some(Path { cost: scan.cost(rows, self.bytes()), kind })
    }

    /// Returns which way an index is to be read for its rows to come in an order, if it has it.
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
            // Columns with one value in all rows have no influence on the order.
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
        own: std::ops::Range<usize>,
        conditions: &[Expr],
        parameters: &[Expr],
    ) -> (Bounds, Vec<usize>) {
        let mut bounds = Bounds::default();
        let mut used = Vec::new();
        let definition = &self.table.indexes[index];
        for column in &definition.columns {
            let base = self.table.type_of(definition, column);
            let is_key = |it: &Expr| self.is_key(index, column, it);
            let found =
                conditions.iter().chain(parameters).enumerate().filter_map(|(number, it)| {
                    let (comparison, value) = bound_on(it, &is_key, base, &own)?;
                    Some((number, comparison, value))
                });
            let found: Vec<(usize, Comparison, Expr)> = found.collect();
            if let Some((number, _, value)) = found.iter().find(|it| it.1 == Comparison::Eq) {
                bounds.equal.push(value.clone());
                used.push(*number);
                continue;
            }
            for (number, comparison, value) in found {
                let is_included = matches!(comparison, Comparison::Le | Comparison::Ge);
                let side = match comparison {
                    Comparison::Lt | Comparison::Le => &mut bounds.upper,
                    _ => &mut bounds.lower,
                };
                if side.is_none() {
                    *side = Some((value, is_included));
                    used.push(number);
                }
            }
            break;
        }
        (bounds, used)
    }

    fn correlation(&self, index: &TableIndex) -> f64 {
        let relation = self.known.relations.iter().position(|it| it.start == self.start);
        let statistics = relation.and_then(|it| self.known.tables[it].0);
        let column = index.columns[0].position;
        let known = statistics.and_then(|it| it.columns.get(column)).map(|it| it.correlation);
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

/// What a condition says about a column of an index: how it compares with a value that does not
/// depend on the table.
fn bound_on(
    condition: &Expr,
    is_key: &dyn Fn(&Expr) -> bool,
    base: Type,
    own: &std::ops::Range<usize>,
) -> Option<(Comparison, Expr)> {
    let Expr::Compare(comparison, left, right, _) = condition else { return None };
    if *comparison == Comparison::Ne {
        return None;
    }
    let is_value = |expr: &Expr| {
        let is_own = expr.positions().iter().any(|it| own.contains(it));
        !is_own && is_stable(expr) && is_same_kind(expr.base(), base)
    };
    if is_key(left) && is_value(right) {
        return Some((*comparison, (**right).clone()));
    }
    if is_key(right) && is_value(left) {
        return Some((comparison.swapped(), (**left).clone()));
    }
    None
}

/// Returns true if rows that meet the conditions meet the predicate of an index, as far as that is
/// simple (`predtest.c`): each part of it is one of them, or follows from a comparison with a
/// constant.
fn is_implied(predicate: &Expr, conditions: &[Expr]) -> bool {
    let parts = predicate.clone().conjuncts();
    parts.iter().all(|part| conditions.iter().any(|it| it == part || follows(part, it)))
}

fn follows(part: &Expr, condition: &Expr) -> bool {
    if let Expr::Or(parts) = part {
        return parts.iter().any(|it| it == condition || follows(it, condition));
    }
    if let Expr::Not(inner) = part {
        // What is true of a column is not true of NULL.
        let Expr::IsNull(column) = &**inner else { return false };
        return match condition {
            Expr::Compare(_, left, right, _) => left == column || right == column,
            condition => *condition == **column,
        };
    }
    let Expr::Compare(comparison, column, value, _) = condition else { return false };
    if !matches!(**column, Expr::Column(_)) {
        return false;
    }
    match part {
        Expr::Compare(wanted, other, limit, false) if other == column => {
            let (Expr::Constant(value, left), Expr::Constant(limit, right)) = (&**value, &**limit)
            else {
                return false;
            };
            if left != right || value.is_null() || limit.is_null() {
                return false;
            }
            let order = compare(value, limit, false);
            match (comparison, wanted) {
                (Comparison::Eq, _) => wanted.is_met(order),
                (Comparison::Gt, Comparison::Gt | Comparison::Ge) => order.is_ge(),
                (Comparison::Ge, Comparison::Ge) => order.is_ge(),
                (Comparison::Ge, Comparison::Gt) => order.is_gt(),
                (Comparison::Lt, Comparison::Lt | Comparison::Le) => order.is_le(),
                (Comparison::Le, Comparison::Le) => order.is_le(),
                (Comparison::Le, Comparison::Lt) => order.is_lt(),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Subqueries are executed once per scan at least; others are left to the filter.
pub fn is_stable(expr: &Expr) -> bool {
    let mut is_stable = true;
    expr.walk(0, &mut |expr, _| {
        is_stable &= expr.is_stable();
    });
    is_stable
}

/// A varchar column is compared as text.
fn stripped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(inner, Type::Varchar, Type::Text, false) => inner,
        expr => expr,
    }
}

/// Returns true if values of the one type have the same keys as those of the other.
fn is_same_kind(left: Type, right: Type) -> bool {
    let is_timestamp = |it| matches!(it, Type::Timestamp | Type::TimestampTz);
    hash_type(left, right).is_some() || is_timestamp(left) && is_timestamp(right)
}
