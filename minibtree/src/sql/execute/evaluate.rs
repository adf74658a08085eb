//! The value of an expression for a row.
//!
//! With a NULL operand, every operator returns NULL, except AND, OR, IS and their relatives: `false
//! AND NULL` is false. `x IN (subquery)` is NULL if no row equals x and a comparison was NULL.
//!
//! PostgreSQL's `execExprInterp.c`, which compiles an expression to a program first, and
//! `nodeSubplan.c`. Here the tree is walked for each row.

use super::context::{Context, Row, SubResult};
use super::open::open;
use crate::sql::functions::{Call, Comparison, casts};
use crate::sql::plan::{Node, SubPlan};
use crate::sql::tree::{Expr, SubqueryKind};
use crate::sql::values::{Value, compare, key};
use crate::wire::{Result, SqlError, code};
use minibtree_pg_catalog::{name_of, number_of};
use minibtree_streams::rows::Rows;
use std::collections::HashSet;
use std::rc::Rc;

/// Evaluates an expression.
///
/// # Errors
/// `22003` on overflow, `22012` on division by zero, `22001` if a text is too long.
pub fn evaluate(expr: &Expr, context: &Context, row: &[Value]) -> Result<Value> {
    let value = |expr: &Expr| evaluate(expr, context, row);
    Ok(match expr {
        Expr::Constant(value, _) => value.clone(),
        Expr::Parameter(position, _) => context.execution.parameters[*position].clone(),
        Expr::Column(column) => match column.level {
            0 => row[column.position].clone(),
            level => context.outer_row(level)[column.position].clone(),
        },
        Expr::Now(_) => Value::Timestamp(context.execution.now),
        Expr::Compare(comparison, left, right, padded) => {
            comparison.of(&value(left)?, &value(right)?, *padded)
        }
        Expr::Call(function, arguments) => {
            let arguments = arguments.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            match function.call {
                _ if !function.takes_nulls && arguments.iter().any(Value::is_null) => Value::Null,
                Call::Pure(call) => call.call(&arguments)?,
                Call::System(call) => context.system(call, &arguments)?,
            }
        }
        Expr::And(all) => three_valued(all.iter().map(value), false)?,
        Expr::Or(all) => three_valued(all.iter().map(value), true)?,
        Expr::Not(inner) => match value(inner)? {
            Value::Bool(on) => Value::Bool(!on),
            other => other,
        },
        Expr::IsNull(inner) => Value::Bool(value(inner)?.is_null()),
        Expr::IsTruth(inner, wanted, negated) => {
            let found = if let Value::Bool(on) = value(inner)? { Some(on) } else { None };
            Value::Bool((found == *wanted) != *negated)
        }
        Expr::IsDistinct(left, right, padded) => {
            let (left, right) = (value(left)?, value(right)?);
            Value::Bool(match (left.is_null(), right.is_null()) {
                (false, false) => compare(&left, &right, *padded).is_ne(),
                (left, right) => left != right,
            })
        }
        Expr::Case(..)
        | Expr::Coalesce(_)
        | Expr::NullIf(..)
        | Expr::Extreme(..)
        | Expr::InList(..) => choice(expr, context, row)?,
        Expr::Cast(inner, from, to, _) => match value(inner)? {
            Value::Int(number) if from.is_object() && to.is_text() => {
                Value::Text(name_of(context.execution.planned.catalog.objects(), *from, number))
            }
            Value::Text(text) if to.is_object() => {
                Value::Int(number_of(context.execution.planned.catalog.objects(), *to, &text)?)
            }
            Value::Null => Value::Null,
            inner => casts::cast(inner, *from, *to)?,
        },
        Expr::Fit(inner, to, cut) => match (value(inner)?, *cut) {
            (inner, true) => to.fit_or_cut(inner)?,
            (inner, false) => to.fit(inner)?,
        },
        Expr::SubPlan(number, left) => {
            let left = left.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            subplan(*number, &left, context, row)?
        }
        Expr::InitPlan(number, _) => subplan(*number, &[], context, row)?,
        Expr::Aggregate(..) | Expr::Window(_) | Expr::Subquery(_) => {
            unreachable!("the planner replaces them")
        }
    })
}

/// Evaluates an expression that need not evaluate all of its operands.
fn choice(expr: &Expr, context: &Context, row: &[Value]) -> Result<Value> {
    let value = |expr: &Expr| evaluate(expr, context, row);
    Ok(match expr {
        Expr::Case(cases, otherwise) => {
            for (condition, result) in cases {
                if value(condition)? == Value::Bool(true) {
                    return value(result);
                }
            }
            value(otherwise)?
        }
        Expr::Coalesce(all) => {
            for expr in all {
                let found = value(expr)?;
                if !found.is_null() {
                    return Ok(found);
                }
            }
            Value::Null
        }
        Expr::NullIf(equal, inner) => match value(equal)? {
            Value::Bool(true) => Value::Null,
            _ => value(inner)?,
        },
        Expr::Extreme(all, is_greatest, padded) => {
            let mut best = Value::Null;
            for expr in all {
                let next = value(expr)?;
                let is_wanted = |order: std::cmp::Ordering| match is_greatest {
                    true => order.is_gt(),
                    false => order.is_lt(),
                };
                let is_better = !next.is_null()
                    && (best.is_null() || is_wanted(compare(&next, &best, *padded)));
                best = if is_better { next } else { best };
            }
            best
        }
        Expr::InList(inner, list, padded) => {
            let inner = value(inner)?;
            let equals = |item: &Value| Ok(Comparison::Eq.of(&inner, item, *padded));
            match &list[..] {
                [array] => match value(array)? {
                    Value::Array(all) => three_valued(all.iter().map(equals), true)?,
                    _ => Value::Null,
                },
                list => three_valued(list.iter().map(|it| equals(&value(it)?)), true)?,
            }
        }
        _ => unreachable!("the caller has matched"),
    })
}

/// Returns true if the row meets the condition, or if there is none. NULL is not met.
pub fn is_met(condition: &Option<Expr>, context: &Context, row: &[Value]) -> Result<bool> {
    match condition {
        None => Ok(true),
        Some(condition) => Ok(evaluate(condition, context, row)? == Value::Bool(true)),
    }
}

/// Like [`is_met`], for the filter of a node. Counts the rows that the filter removes.
pub fn is_kept(
    node: &Node,
    filter: &Option<Expr>,
    context: &Context,
    row: &[Value],
) -> Result<bool> {
    let is_met = is_met(filter, context, row)?;
    if !is_met {
        context.measure(node.id, |it| it.removed += 1);
    }
    Ok(is_met)
}

/// AND if `decisive` is false, OR if it is true: the first value that is `decisive` decides, and
/// those after it are not asked for.
fn three_valued(values: impl Iterator<Item = Result<Value>>, decisive: bool) -> Result<Value> {
    let mut result = Value::Bool(!decisive);
    for value in values {
        match value? {
            Value::Bool(found) if found == decisive => return Ok(Value::Bool(decisive)),
            Value::Bool(_) => {}
            _ => result = Value::Null,
        }
    }
    Ok(result)
}

fn subplan(number: usize, left: &[Value], context: &Context, row: &[Value]) -> Result<Value> {
    let planned = Rc::clone(&context.execution.planned);
    let plan = &planned.subplans[number];
    if plan.is_correlated {
        let result = execute(plan, &context.inside(row))?;
        return answer(plan, &result, left);
    }
    let kept = context.execution.results.borrow()[number].clone();
    let result = match kept {
        Some(result) => result,
        None => {
            let result = Rc::new(execute(plan, &context.inside(row))?);
            context.execution.results.borrow_mut()[number] = Some(Rc::clone(&result));
            result
        }
    };
    answer(plan, &result, left)
}

/// Executes a subquery.
fn execute(plan: &SubPlan, context: &Context) -> Result<SubResult> {
    let mut rows = open(&plan.node, context, &[])?;
    match &plan.kind {
        SubqueryKind::Exists => Ok(SubResult::Value(Value::Bool(rows.next()?.is_some()))),
        SubqueryKind::Scalar => {
            let Some(mut first) = rows.next()? else { return Ok(SubResult::Value(Value::Null)) };
            if rows.next()?.is_some() {
                let text = "more than one row returned by a subquery used as an expression";
                return Err(SqlError::new(code::CARDINALITY_VIOLATION, text));
            }
            Ok(SubResult::Value(first.swap_remove(0)))
        }
        SubqueryKind::Array(_) => {
            Ok(SubResult::Value(Value::from(all_rows(rows, context)?.concat())))
        }
        SubqueryKind::Any(comparisons)
            if !plan.is_correlated && comparisons.iter().all(|it| it.0 == Comparison::Eq) =>
        {
            let mut memory = context.memory();
            let (mut keys, mut has_null) = (HashSet::new(), false);
            while let Some(row) = rows.next()? {
                if row.iter().any(Value::is_null) {
                    // `(1, NULL)` can be unequal to a row, so compare with each row instead.
                    if row.len() > 1 {
                        rows = open(&plan.node, context, &[])?;
                        return all_rows(rows, context).map(SubResult::Rows);
                    }
                    has_null = true;
                    continue;
                }
                memory.take(&row)?;
                keys.insert(key::hashed(plan.types.iter().copied().zip(&row)));
            }
            Ok(SubResult::Keys(keys, has_null))
        }
        _ => all_rows(rows, context).map(SubResult::Rows),
    }
}

fn all_rows(mut rows: Box<dyn Rows>, context: &Context) -> Result<Vec<Row>> {
    let (mut memory, mut all) = (context.memory(), Vec::new());
    while let Some(row) = rows.next()? {
        memory.take(&row)?;
        all.push(row);
    }
    Ok(all)
}

/// The value of the expression around a subquery, for the values on its left side.
fn answer(plan: &SubPlan, result: &SubResult, left: &[Value]) -> Result<Value> {
    let (comparisons, decisive) = match (&plan.kind, result) {
        (_, SubResult::Value(value)) => return Ok(value.clone()),
        (SubqueryKind::All(comparisons), _) => (comparisons, false),
        (SubqueryKind::Any(comparisons), _) => (comparisons, true),
        _ => unreachable!("EXISTS and scalar subqueries have a value"),
    };
    match result {
        SubResult::Value(value) => Ok(value.clone()),
        SubResult::Keys(keys, has_null) => {
            if keys.is_empty() && !has_null {
                return Ok(Value::Bool(false));
            }
            if left.iter().any(Value::is_null) {
                return Ok(Value::Null);
            }
            let wanted = key::hashed(plan.types.iter().copied().zip(left));
            Ok(match (keys.contains(&wanted), has_null) {
                (true, _) => Value::Bool(true),
                (false, true) => Value::Null,
                (false, false) => Value::Bool(false),
            })
        }
        SubResult::Rows(rows) => {
            let is_met = |row: &Vec<Value>| {
                let columns = comparisons.iter().zip(left.iter().zip(row));
                let columns = columns.map(|((comparison, padded), (left, right))| {
                    Ok(comparison.of(left, right, *padded))
                });
                three_valued(columns, false)
            };
            three_valued(rows.iter().map(is_met), decisive)
        }
    }
}
