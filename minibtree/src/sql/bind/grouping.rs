//! GROUP BY: expressions over the input become expressions over the grouped row.
//!
//! ```text
//! SELECT a + 1, count(*) FROM t GROUP BY a + 1
//!
//! grouped row   a + 1   count(*)
//! targets       Column(0)  Column(1)
//! ```
//!
//! PostgreSQL's `check_ungrouped_columns` (`parse_agg.c`) and `set_upper_references` (`setrefs.c`).

use super::level::Typed;
use super::select::column;
use crate::sql::tree::{AggregateCall, Column, Expr, Grouping, Relation, Select, Source};
use crate::sql::values::ColumnType;
use crate::wire::Result;
use minibtree_errors::queries::ungrouped;
use minibtree_expression::InnerQuery;

/// Adds the grouping to a SELECT.
///
/// # Errors
/// `42803`, at one of `starts`, for a column that is neither a key nor inside an aggregate.
pub fn group(
    select: &mut Select,
    keys: Vec<Typed>,
    aggregates: Vec<AggregateCall>,
    mut having: Option<Expr>,
    starts: &[u64],
) -> Result<()> {
    let mut unique: Vec<(Expr, ColumnType)> = Vec::new();
    for key in keys {
        if !unique.iter().any(|(expr, _)| *expr == key.expr) {
            unique.push((key.expr, key.column_type));
        }
    }
    add_dependent_columns(&select.relations, &mut unique);

    let types: Vec<ColumnType> = aggregates.iter().map(|it| it.aggregate.result.plain()).collect();
    let windows = select
        .windows
        .iter_mut()
        .flat_map(|it| it.partition.iter_mut().chain(it.order.iter_mut().map(|(expr, ..)| expr)));
    let mut starts = starts.iter().copied();
    for expr in select.targets.iter_mut().chain(&mut having).chain(windows) {
        regroup(expr, 0, &unique, &types);
        let start = starts.next().unwrap_or(0);
        check(expr, &select.relations).map_err(|it| it.at(start))?;
    }
    if unique.is_empty() && aggregates.is_empty() {
        // HAVING alone: the result is one row or none, whatever FROM has, so FROM is not read.
        (select.from, select.filter) = (Vec::new(), None);
    }
    select.grouping = Some(Grouping { keys: unique, aggregates, having });
    Ok(())
}

/// If a table's primary key is among the keys, adds its other columns: the key determines them.
fn add_dependent_columns(relations: &[Relation], keys: &mut Vec<(Expr, ColumnType)>) {
    for relation in relations {
        let Source::Table(table) = &relation.source else { continue };
        let is_key =
            |position: &usize| keys.iter().any(|it| it.0.is_column(relation.start + position));
        let primary_key = table.indexes.iter().find(|it| it.is_primary);
        let is_grouped = primary_key.is_some_and(|it| it.positions().iter().all(is_key));
        if !is_grouped {
            continue;
        }
        for (index, output) in relation.columns.iter().enumerate() {
            let position = relation.start + index;
            let key = (column(position, output.column_type), output.column_type);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
}

/// Replaces keys and aggregates by columns of the grouped row, from the outside in.
fn regroup(expr: &mut Expr, depth: usize, keys: &[(Expr, ColumnType)], aggregates: &[ColumnType]) {
    let replaced =
        |position, column_type| Expr::Column(Column { level: depth, position, column_type });
    let is_key = |(key, _): &(Expr, ColumnType)| match (depth, &*expr) {
        (0, expr) => key == expr,
        // In a subquery, only a column of this query is recognized as a key, not an expression.
        (_, Expr::Column(inner)) => inner.level == depth && key.is_column(inner.position),
        _ => false,
    };
    if let Some(position) = keys.iter().position(is_key) {
        *expr = replaced(position, keys[position].1);
        return;
    }
    if let (0, Expr::Aggregate(number, _)) = (depth, &*expr) {
        *expr = replaced(keys.len() + *number, aggregates[*number]);
        return;
    }
    // Mark any other column of the input: `check` reports it.
    if let Expr::Column(inner) = expr
        && inner.level == depth
    {
        inner.position += UNGROUPED;
        return;
    }
    for child in expr.children_mut() {
        regroup(child, depth, keys, aggregates);
    }
    if let Expr::Subquery(subquery) = expr {
        // The closure does not descend again: `change` calls it for every expression.
        let mut each = |expr: &mut Expr, depth: usize| {
            if let Expr::Column(inner) = expr
                && inner.level == depth
            {
                let found = keys.iter().position(|it| it.0.is_column(inner.position));
                inner.position = found.unwrap_or(UNGROUPED + inner.position);
            }
            Ok(())
        };
        let changed = subquery.query.change(depth + 1, &mut each);
        changed.expect("the closure returns no errors");
    }
}

/// Added to the position of a column of the input that is not grouped.
const UNGROUPED: usize = 1 << 32;

fn check(expr: &Expr, relations: &[Relation]) -> Result<()> {
    let mut left = None;
    expr.walk(0, &mut |expr, depth| {
        if let Expr::Column(column) = expr
            && column.level == depth
            && column.position >= UNGROUPED
        {
            left = left.or(Some((column.position - UNGROUPED, depth > 0)));
        }
    });
    let Some((position, is_inner)) = left else { return Ok(()) };
    let relation = relations
        .iter()
        .find(|it| it.positions().contains(&position))
        .expect("each position is of a relation");
    let name = &relation.columns[position - relation.start].name;
    Err(ungrouped(&format!("{}.{name}", relation.alias), is_inner))
}
