//! Expressions without the parentheses that they can do without, as `\d` shows them.
//!
//! ```text
//! ((a > 1) AND ((b)::text = 'x'::text))      a > 1 AND b::text = 'x'::text
//! ```
//!
//! `PRETTYFLAG_PAREN` of PostgreSQL's `ruleutils.c`. There, a CASE gets lines of its own too; here
//! it is left as it is.

use crate::parse_expression;
use sqlparser::ast::{BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments};

/// An expression, given with all its parentheses, without those that it can do without.
pub fn pretty(text: &str) -> String {
    parse_expression(text).ok().and_then(|it| bare(&it)).unwrap_or_else(|| text.to_owned())
}

/// An expression without parentheses around it; `None` if a part is of a kind not known here.
fn bare(expr: &Expr) -> Option<String> {
    use BinaryOperator::{And, Divide, Minus, Modulo, Multiply, Or, Plus};
    Some(match expr {
        Expr::Nested(inner) => bare(inner)?,
        Expr::Value(value) => value.to_string(),
        Expr::Identifier(name) => name.to_string(),
        Expr::BinaryOp { left, op, right } => {
            // Of arithmetic operators, it is known which one binds closer.
            let keeps = |side: &Expr, is_right: bool| match (op, operator_of(side)) {
                (And, Some(Or)) => true,
                (And | Or, _) => false,
                (Plus | Minus, Some(Multiply | Divide | Modulo)) => false,
                (Plus | Minus, Some(Plus | Minus)) => is_right,
                (Multiply | Divide | Modulo, Some(Multiply | Divide | Modulo)) => is_right,
                _ => true,
            };
            let side = |it, is_right| if keeps(it, is_right) { operand(it) } else { bare(it) };
            format!("{} {op} {}", side(left, false)?, side(right, true)?)
        }
        Expr::UnaryOp { op, expr } => format!("{op} {}", operand(expr)?),
        Expr::IsNull(inner) => format!("{} IS NULL", operand(inner)?),
        Expr::IsNotNull(inner) => format!("{} IS NOT NULL", operand(inner)?),
        Expr::Cast { expr, data_type, .. } => {
            format!("{}::{}", operand(expr)?, data_type.to_string().to_lowercase())
        }
        Expr::IsDistinctFrom(left, right) => {
            format!("{} IS DISTINCT FROM {}", operand(left)?, operand(right)?)
        }
        Expr::IsTrue(inner) => format!("{} IS TRUE", operand(inner)?),
        Expr::IsNotTrue(inner) => format!("{} IS NOT TRUE", operand(inner)?),
        Expr::IsFalse(inner) => format!("{} IS FALSE", operand(inner)?),
        Expr::IsNotFalse(inner) => format!("{} IS NOT FALSE", operand(inner)?),
        Expr::AllOp { left, compare_op, right } => {
            format!("{} {compare_op} ALL ({})", operand(left)?, bare(right)?)
        }
        Expr::AnyOp { left, compare_op, right, .. } => {
            format!("{} {compare_op} ANY ({})", operand(left)?, bare(right)?)
        }
        Expr::Array(array) => format!("ARRAY[{}]", listed(array.elem.iter().map(bare))?),
        Expr::Function(call) => match &call.args {
            FunctionArguments::None => call.to_string(),
            FunctionArguments::List(list) => {
                let argument = |it: &FunctionArg| match it {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => bare(expr),
                    _ => None,
                };
                format!("{}({})", call.name, listed(list.args.iter().map(argument))?)
            }
            FunctionArguments::Subquery(_) => return None,
        },
        _ => return None,
    })
}

fn listed(mut all: impl Iterator<Item = Option<String>>) -> Option<String> {
    let first = all.next().unwrap_or_else(|| Some(String::new()));
    all.fold(first, |list, next| Some(format!("{}, {}", list?, next?)))
}

/// An expression as a part of another one: an operator keeps its parentheses.
fn operand(expr: &Expr) -> Option<String> {
    let is_operator = |it: &Expr| {
        use Expr::{AnyOp, BinaryOp, IsNotNull, IsNull, UnaryOp};
        matches!(it, BinaryOp { .. } | UnaryOp { .. } | IsNull(_) | IsNotNull(_) | AnyOp { .. })
    };
    match expr {
        Expr::Nested(inner) => operand(inner),
        it if is_operator(it) => Some(format!("({})", bare(it)?)),
        it => bare(it),
    }
}

fn operator_of(expr: &Expr) -> Option<&BinaryOperator> {
    match expr {
        Expr::Nested(inner) => operator_of(inner),
        Expr::BinaryOp { op, .. } => Some(op),
        _ => None,
    }
}
