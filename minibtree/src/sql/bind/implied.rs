//! Whether a condition follows from others: what a partial index is good for.
//!
//! ```text
//! CREATE UNIQUE INDEX ON t (a) WHERE b > 5
//!
//! WHERE a = 1 AND b > 7            b > 5 follows from b > 7
//! ON CONFLICT (a) WHERE b > 5      the same condition
//! ```
//!
//! PostgreSQL's `predtest.c`, as far as that is simple.

use crate::sql::functions::Comparison;
use crate::sql::tree::Expr;
use crate::sql::values::compare;

/// Returns true if rows that meet the conditions meet the predicate of an index: each part of it is
/// one of them, or follows from a comparison with a constant.
pub fn is_implied(predicate: &Expr, conditions: &[Expr]) -> bool {
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
    let Expr::Compare(wanted, other, limit, false) = part else { return false };
    let (Expr::Constant(value, left), Expr::Constant(limit, right)) = (&**value, &**limit) else {
        return false;
    };
    let is_comparable = left == right && !value.is_null() && !limit.is_null();
    if !is_comparable || other != column || !matches!(**column, Expr::Column(_)) {
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
