//! `EXISTS` as `IN`: the subquery is executed once, and its rows are looked up in a hash table.
//!
//! ```text
//! EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y > 5)
//! a.x IN (SELECT b.x FROM b WHERE b.y > 5 AND b.x IS NOT NULL) IS TRUE
//! ```
//!
//! The subquery may use columns of the query around it in equalities only. A NULL equals nothing:
//! EXISTS is false where IN is NULL, hence IS TRUE. PostgreSQL's `convert_EXISTS_to_ANY`
//! (`subselect.c`).

use crate::hash_type;
use minibtree_expression::{InnerQuery, SubqueryKind};
use minibtree_functions::Comparison;
use minibtree_query::{Body, Expr, OutputColumn, Query, Subquery};

/// The subquery of an EXISTS as that of an IN, if it can be one.
pub fn as_any<T: Clone>(subquery: &Subquery<T>) -> Option<Subquery<T>> {
    let Query { body: Body::Select(select), limit: None, offset: None, lock: None, .. } =
        &subquery.query
    else {
        return None;
    };
    if subquery.kind != SubqueryKind::Exists
        || select.grouping.is_some()
        || !select.windows.is_empty()
    {
        return None;
    }

    // Equalities become what is looked up; other conditions must not use the query around.
    let mut select = (**select).clone();
    let (mut left, mut targets, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = Vec::new();
    for condition in select.filter.take()?.conjuncts() {
        if !condition.uses_outer(0) {
            rest.push(condition);
            continue;
        }
        let Expr::Compare(Comparison::Eq, a, b, padded) = condition else { return None };
        let (mut outer, inner) = if a.uses_outer(0) { (*a, *b) } else { (*b, *a) };
        let base = hash_type(outer.base(), inner.base())?;
        let is_split = outer.positions().is_empty() && !inner.positions().is_empty();
        if !is_split || inner.uses_outer(0) {
            return None;
        }
        // In the query around, its columns are one level nearer.
        let mut is_plain = true;
        let lifted = outer.change(0, &mut |expr, _| {
            match expr {
                Expr::Column(column) => column.level = column.level.saturating_sub(1),
                Expr::Subquery(_) | Expr::Aggregate(..) => is_plain = false,
                _ => {}
            }
            Ok(())
        });
        lifted.ok().filter(|()| is_plain)?;
        left.push((outer, (Comparison::Eq, padded)));
        rest.push(Expr::Not(Box::new(Expr::IsNull(Box::new(inner.clone())))));
        targets.push(inner);
        columns.push(OutputColumn { name: String::new(), column_type: base.plain() });
    }
    select.filter = Expr::all(rest);
    (select.targets, select.distinct) = (targets, false);
    let body = Body::Select(Box::new(select));
    let query = Query::plain(body, columns);

    // A volatile function may return something else each time, so the subquery must run each time.
    let mut is_stable = !left.is_empty() && !query.is_correlated();
    query.walk(0, &mut |expr, _| {
        is_stable &= !matches!(expr, Expr::Call(function, _) if function.is_volatile());
    });
    let (left, comparisons) = left.into_iter().unzip();
    is_stable.then_some(Subquery { kind: SubqueryKind::Any(comparisons), left, query })
}
