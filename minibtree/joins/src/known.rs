//! Selectivity: the fraction of rows that meet a condition.
//!
//! ```text
//! a = 5      the fraction of 5 if it is a most common value, else 1 / different values
//! a < 5      how many parts of the histogram are below 5
//! otherwise  PostgreSQL's guesses: 0.005 for =, a third for <
//! ```
//!
//! PostgreSQL's `selfuncs.c` and `clausesel.c`.

use crate::{Indexed, Table, is_stable};
use minibtree_estimate::ColumnStatistics;
use minibtree_functions::Comparison;
use minibtree_query::{Expr, Relation, Source};
use minibtree_statistics::TableStatistics;
use minibtree_types::values::Value;

const EQUAL: f64 = 0.005;
const INEQUALITY: f64 = 1.0 / 3.0;
const MATCH: f64 = 0.005;
/// Different values, if nothing is known.
const DISTINCT: f64 = 200.0;

/// What is known about the relations of a query.
pub struct Known<'a, T> {
    /// The relations, whose numbers are the bits of a set of them.
    pub relations: &'a [Relation<T>],
    /// The statistics of each, and its rows.
    pub tables: Vec<(Option<&'a TableStatistics>, f64)>,
}

impl<T: Table> Known<'_, T> {
    /// The fraction of rows that meet a condition.
    pub fn selectivity(&self, condition: &Expr<T>) -> f64 {
        let fraction = match condition {
            Expr::And(all) => self.all(all),
            Expr::Or(all) => {
                let missed: f64 = all.iter().map(|it| 1.0 - self.selectivity(it)).product();
                1.0 - missed
            }
            Expr::Not(inner) => 1.0 - self.selectivity(inner),
            Expr::Constant(value, _) => f64::from(u8::from(*value == Value::Bool(true))),
            Expr::Compare(comparison, left, right, _) => self.comparison(*comparison, left, right),
            Expr::InList(value, list, _) => {
                let equal = |item: &Expr<T>| self.comparison(Comparison::Eq, value, item);
                let items = Expr::item_count(list) / list.len() as f64;
                list.iter().map(equal).sum::<f64>() * items
            }
            Expr::IsNull(inner) => self.column(inner).map_or(EQUAL, |(it, _)| it.null_fraction),
            Expr::Call(function, _) if function.name.starts_with('~') => MATCH,
            Expr::Call(function, _) if function.name.starts_with('!') => 1.0 - MATCH,
            _ => 0.5,
        };
        fraction.clamp(1e-9, 1.0)
    }

    /// The fraction of rows that meet all conditions. Conditions are assumed to be independent,
    /// except for the two ends of a range.
    pub fn all(&self, conditions: &[Expr<T>]) -> f64 {
        let mut ranges = Vec::<((usize, usize), [Option<f64>; 2])>::new();
        let mut fraction = 1.0;
        for condition in conditions {
            let own = self.selectivity(condition);
            let Some((column, side)) = self.end_of_range(condition) else {
                fraction *= own;
                continue;
            };
            let at = ranges.iter().position(|it| it.0 == column).unwrap_or(ranges.len());
            if at == ranges.len() {
                ranges.push((column, [None; 2]));
            }
            let end = &mut ranges[at].1[side];
            *end = Some(end.map_or(own, |it| it.min(own)));
        }
        for (_, ends) in ranges {
            fraction *= match ends {
                [Some(INEQUALITY), Some(INEQUALITY)] => EQUAL,
                // Rows above the lower end and rows below the upper end overlap in the range.
                [Some(lower), Some(upper)] => (lower + upper - 1.0).max(1e-10),
                [lower, upper] => lower.or(upper).unwrap_or(1.0),
            };
        }
        fraction
    }

    /// The column that a condition bounds, and 0 if it does so from below, 1 from above.
    fn end_of_range(&self, condition: &Expr<T>) -> Option<((usize, usize), usize)> {
        let Expr::Compare(comparison, left, right, _) = condition else { return None };
        let (column, comparison) = match (self.relation(left), self.relation(right)) {
            (Some(column), None) => (column, *comparison),
            (None, Some(column)) => (column, comparison.swapped()),
            _ => return None,
        };
        match comparison {
            Comparison::Gt | Comparison::Ge => Some((column, 0)),
            Comparison::Lt | Comparison::Le => Some((column, 1)),
            Comparison::Eq | Comparison::Ne => None,
        }
    }

    /// The fraction of rows that have a partner among the rows of these relations.
    pub fn matched(&self, on: &[Expr<T>], inner: u64, rows: f64) -> f64 {
        let fraction = |condition: &Expr<T>| match condition {
            Expr::Compare(Comparison::Eq, left, right, _) => {
                let is_inner = self.relations_of(left) & inner != 0;
                let (outer, inner) = if is_inner { (right, left) } else { (left, right) };
                // PostgreSQL's guess if one of the sides is not known.
                if self.column(outer).is_none() || self.column(inner).is_none() {
                    return 0.5;
                }
                (self.distinct(inner).min(rows) / self.distinct(outer)).min(1.0)
            }
            condition => self.selectivity(condition),
        };
        on.iter().map(fraction).product()
    }

    /// The parts of two sides that a merge join reads, each from where the other one begins up to
    /// where it ends (`mergejoinscansel`).
    pub fn merged(&self, outer: &Expr<T>, inner: &Expr<T>) -> [(f64, f64); 2] {
        let read = |own: &Expr<T>, other: &Expr<T>| {
            let (own, other) = (self.column(own)?.0, self.column(other)?.0);
            let (least, greatest) = other.range()?;
            let (before, end) = (own.below(least)?, own.below(greatest)?);
            Some((before, (end + own.equal(Some(greatest))).clamp(before, 1.0)))
        };
        let both = read(outer, inner).zip(read(inner, outer));
        let Some((outer, inner)) = both else { return [(0.0, 1.0); 2] };

        // Only one of them begins later than the other, and only one ends earlier.
        let begin = |own: f64, other: f64| if own > other { own } else { 0.0 };
        let end = |own: f64, other: f64| if own < other { own } else { 1.0 };
        let of = |own: (f64, f64), other: (f64, f64)| (begin(own.0, other.0), end(own.1, other.1));
        [of(outer, inner), of(inner, outer)]
    }

    /// Returns true if a table has at most one row that meets conditions: they fix a unique key.
    pub fn has_one_row<'e>(
        &self,
        relation: usize,
        conditions: impl Iterator<Item = &'e Expr<T>> + Clone,
    ) -> bool
    where
        T: 'e,
    {
        let Relation { source: Source::Table(table), start, .. } = &self.relations[relation] else {
            return false;
        };
        let is_fixed = |position: &usize| {
            conditions.clone().any(|condition| match condition {
                Expr::Compare(Comparison::Eq, left, right, false) => {
                    let others =
                        |it: &Expr<T>| is_stable(it) && self.relations_of(it) >> relation & 1 == 0;
                    left.is_column(start + position) && others(right)
                        || right.is_column(start + position) && others(left)
                }
                _ => false,
            })
        };
        table.unique_keys().iter().any(|key| key.iter().all(is_fixed))
    }

    /// The relations that an expression uses, as bits.
    pub fn relations_of(&self, expr: &Expr<T>) -> u64 {
        expr.positions().into_iter().fold(0, |bits, position| {
            let is_meant = |it: &Relation<T>| it.positions().contains(&position);
            bits | self.relations.iter().position(is_meant).map_or(0, |it| 1 << it)
        })
    }

    /// The fraction of rows that are in one bucket of a hash table by an expression
    /// (`estimate_hash_bucket_stats`).
    pub fn bucket(&self, expr: &Expr<T>, rows: f64) -> f64 {
        let all = self.rows_of(expr).unwrap_or(f64::INFINITY);
        let Some((statistics, _)) = self.column(expr) else {
            let is_known = self.is_unique(expr) || all < DISTINCT;
            return if is_known { 1.0 / all.min(rows).max(1.0) } else { 0.1 };
        };
        // A bucket with the most common value is longer than the others.
        let distinct = self.distinct(expr).min(rows).max(1.0);
        let common = statistics.common.first().map_or(0.0, |it| it.1);
        let average = (1.0 - statistics.null_fraction) / self.distinct(expr);
        (1.0 / distinct * (common / average).max(1.0)).clamp(1e-6, 1.0)
    }

    /// How many different values an expression has.
    pub fn distinct(&self, expr: &Expr<T>) -> f64 {
        match self.column(expr) {
            Some((statistics, rows)) if statistics.distinct > 0.0 => {
                statistics.distinct.min(rows).max(1.0)
            }
            _ if self.is_unique(expr) => self.rows_of(expr).unwrap_or(DISTINCT),
            _ => DISTINCT.min(self.rows_of(expr).unwrap_or(DISTINCT)).max(1.0),
        }
    }

    fn comparison(&self, comparison: Comparison, left: &Expr<T>, right: &Expr<T>) -> f64 {
        if self.relation(left).is_some() && self.relation(right).is_some() {
            return match comparison {
                Comparison::Eq => 1.0 / self.distinct(left).max(self.distinct(right)),
                Comparison::Ne => 1.0 - 1.0 / self.distinct(left).max(self.distinct(right)),
                _ => INEQUALITY,
            };
        }
        let (column, value, comparison) = match self.relation(left) {
            Some(_) => (left, right, comparison),
            None => (right, left, comparison.swapped()),
        };
        let value = match value {
            Expr::Constant(Value::Null, _) => return 0.0,
            Expr::Constant(value, _) => Some(value),
            _ => None,
        };
        let equal = self.equal(column, value);
        match comparison {
            Comparison::Eq => equal,
            Comparison::Ne => 1.0 - equal,
            _ => {
                let below = value.and_then(|value| self.column(column)?.0.below(value));
                match (below, comparison) {
                    (None, _) => INEQUALITY,
                    (Some(below), Comparison::Lt) => below,
                    (Some(below), Comparison::Le) => below + equal,
                    (Some(below), Comparison::Gt) => 1.0 - below - equal,
                    (Some(below), _) => 1.0 - below,
                }
            }
        }
    }

    fn equal(&self, column: &Expr<T>, value: Option<&Value>) -> f64 {
        let Some((statistics, _)) = self.column(column) else {
            return match (self.is_unique(column), self.rows_of(column)) {
                (true, Some(rows)) => 1.0 / rows.max(1.0),
                _ => EQUAL,
            };
        };
        statistics.equal(value)
    }

    /// The relation whose column an expression is, and which column.
    fn relation(&self, expr: &Expr<T>) -> Option<(usize, usize)> {
        match expr {
            Expr::Column(column) if column.level == 0 => {
                let is_meant = |it: &Relation<T>| it.positions().contains(&column.position);
                let relation = self.relations.iter().position(is_meant)?;
                Some((relation, column.position - self.relations[relation].start))
            }
            Expr::Cast(inner, ..) => self.relation(inner),
            _ => None,
        }
    }

    fn column(&self, expr: &Expr<T>) -> Option<(&ColumnStatistics, f64)> {
        let (relation, column) = self.relation(expr)?;
        let (statistics, rows) = &self.tables[relation];
        Some((statistics.as_ref()?.columns.get(column)?, *rows))
    }

    fn rows_of(&self, expr: &Expr<T>) -> Option<f64> {
        self.relation(expr).map(|(relation, _)| self.tables[relation].1)
    }

    /// Returns true for a column that is a unique key alone.
    fn is_unique(&self, expr: &Expr<T>) -> bool {
        let Some((relation, column)) = self.relation(expr) else { return false };
        let Source::Table(table) = &self.relations[relation].source else { return false };
        table.unique_keys().iter().any(|key| *key == [column])
    }
}
