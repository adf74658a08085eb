//! `x = ANY (array)` and its kin. Elements that are written there (`ARRAY[1, y]`, `'{1,2}'`) are a
//! list as in `x IN (1, y)`. PostgreSQL's `make_scalar_array_op` and `transformArrayExpr`.

use super::coerce::{explicit, implicit, unify};
use super::expression::{expression, negated, one_of, operator, quantified};
use super::level::{Binder, Typed};
use crate::sql::statement::{column_type, parse_query};
use crate::sql::tree::{Expr, SubqueryKind};
use crate::sql::values::{ColumnType, Type, Value};
use crate::wire::Result;
use sqlparser::ast::{self, BinaryOperator, CastKind};

/// Binds a comparison with the elements of an array.
///
/// # Errors
/// `22P02` for a malformed array, `42809` for what is none, and those of the operator.
pub fn in_array(
    binder: &mut Binder,
    left: &ast::Expr,
    op: &BinaryOperator,
    array: &ast::Expr,
    is_any: bool,
) -> Result<Typed> {
    if *op != if is_any { BinaryOperator::Eq } else { BinaryOperator::NotEq } {
        let query = parse_query(&format!("SELECT * FROM unnest({array})"))?;
        let kind = if is_any { SubqueryKind::Any } else { SubqueryKind::All };
        return quantified(binder, left, op, &query, kind);
    }
    let value = expression(binder, left)?;
    let found = match written(binder, array)? {
        Some(items) => one_of(binder, value, items)?,
        None => in_value(binder, value, array)?,
    };
    if is_any { Ok(found) } else { negated(found) }
}

/// The elements of `ARRAY[1, 2]`, which have one type, or that of a cast.
fn written(binder: &mut Binder, array: &ast::Expr) -> Result<Option<Vec<Typed>>> {
    match array {
        ast::Expr::Nested(inner) => written(binder, inner),
        ast::Expr::Array(ast::Array { elem, named: _ }) if !elem.is_empty() => {
            let items = elem.iter().map(|it| expression(binder, it)).collect::<Result<_>>()?;
            let (exprs, column_type) = unify(binder, items, "ARRAY")?;
            Ok(Some(exprs.into_iter().map(|expr| Typed { expr, column_type, start: 0 }).collect()))
        }
        ast::Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr,
            data_type,
            format: None,
        } => {
            let (items, array) = (written(binder, expr)?, column_type(data_type)?);
            let Some((items, base)) = items.zip(array.base.element()) else { return Ok(None) };
            let to = ColumnType { base, ..array };
            items.into_iter().map(|it| explicit(binder, it, to)).collect::<Result<_>>().map(Some)
        }
        _ => Ok(None),
    }
}

/// A value in an array that is the value of an expression: a parameter, for instance.
fn in_value(binder: &mut Binder, value: Typed, array: &ast::Expr) -> Result<Typed> {
    let array = expression(binder, array)?;
    let element = Some(array.base()).filter(|it| *it == Type::Unknown).or(array.base().element());
    let element = element.ok_or_else(|| {
        error!(WRONG_OBJECT_TYPE, "op ANY/ALL (array) requires array on right side")
    })?;
    // The operator is found with a stand-in for the elements, whose casts are those of the array.
    let stand_in = Typed::new(Expr::Aggregate(0, element), element);
    let Expr::Compare(_, left, right, is_padded) =
        operator(binder, "=", vec![value.clone(), stand_in])?.expr
    else {
        unreachable!("= compares")
    };
    let base = right.base();
    let to = Type::array_of(base).ok_or_else(|| unsupported!("an array of {}", base.name()))?;
    let found = match implicit(binder, array, to)? {
        Expr::Constant(Value::Array(elements), _) if !elements.is_empty() => {
            let constant = |it: &Value| Typed::new(Expr::Constant(it.clone(), base), base);
            return one_of(binder, value, elements.iter().map(constant).collect());
        }
        array => Expr::InList(left, vec![array], is_padded),
    };
    Ok(Typed::new(found, Type::Bool))
}
