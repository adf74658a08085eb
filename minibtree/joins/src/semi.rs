//! EXISTS and IN in WHERE become semi and anti joins.
//!
//! ```text
//! FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y > 5)
//! FROM a SEMI JOIN b ON b.x = a.x AND b.y > 5
//!
//! row of the subquery   x y           positions 0 1, of a: level 1
//! row of the join       x | x y       positions 1 2, of a: level 0
//! ```
//!
//! The relations of the subquery become relations of the query, so that the planner can join them
//! in any order and by any method. NOT EXISTS is an anti join. NOT IN stays a subquery: it is NULL,
//! not true, as soon as the subquery returns a NULL.
//!
//! PostgreSQL's `pull_up_sublinks` (`prepjointree.c`) and `convert_EXISTS_sublink_to_join`
//! (`subselect.c`), whose conditions these are: a subquery with aggregates or LIMIT stays one in
//! EXISTS and becomes a relation in IN, and only WHERE of an EXISTS may use the query around it.

use minibtree_expression::{Column, InnerQuery, SubqueryKind};
use minibtree_query::{Body, Expr, FromItem, JoinKind, Query, Relation, Select, Source, Subquery};
use minibtree_types::values::{ColumnType, Value};

/// The relations of a query are bits of a `u64`.
const RELATIONS_MAX: usize = 64;

/// The query with its subqueries as joins; `None` if there are none that can be.
pub fn with_semi_joins<T: Clone>(select: &Select<T>) -> Option<Select<T>> {
    let is_subquery = |it: &Expr<T>| match it {
        Expr::Not(inner) => matches!(**inner, Expr::Subquery(_)),
        it => matches!(it, Expr::Subquery(_)),
    };
    let has_subquery = match select.filter.as_ref()? {
        Expr::And(conditions) => conditions.iter().any(is_subquery),
        condition => is_subquery(condition),
    };
    if !has_subquery || select.from.is_empty() {
        return None;
    }

    let (mut joined, mut rest) = (select.clone(), Vec::new());
    for condition in joined.filter.take()?.conjuncts() {
        match semi_join(&mut joined, &condition) {
            Some(item) => joined.from.push(item),
            None => rest.push(condition),
        }
    }
    let is_joined = joined.from.len() > select.from.len();
    joined.filter = Expr::all(rest);
    is_joined.then_some(joined)
}

/// A condition as a join, whose relations are added to the query.
fn semi_join<T: Clone>(select: &mut Select<T>, condition: &Expr<T>) -> Option<FromItem<T>> {
    let (kind, subquery) = match condition {
        Expr::Subquery(it) => (JoinKind::Semi, &**it),
        Expr::Not(inner) => match &**inner {
            Expr::Subquery(it) if it.kind == SubqueryKind::Exists => (JoinKind::Anti, &**it),
            _ => return None,
        },
        _ => return None,
    };
    let mut inner = match &subquery.kind {
        SubqueryKind::Exists => exists(&subquery.query)?,
        SubqueryKind::Any(_) => any(subquery)?,
        _ => return None,
    };
    if condition.is_volatile() || select.relations.len() + inner.relations.len() > RELATIONS_MAX {
        return None;
    }

    // Append the subquery's row to that of the query: shift its positions.
    let (start, number) = (select.width, select.relations.len());
    let query = Body::Select(Box::new(std::mem::take(&mut inner)));
    let mut query = Query::plain(query, Vec::new());
    let moved = query.change(0, &mut |expr, depth| {
        if let Expr::Column(column) = expr {
            match column.level {
                level if level == depth => column.position += start,
                level if level > depth => column.level -= 1,
                _ => {}
            }
        }
        Ok(())
    });
    moved.expect("the closure returns no errors");
    let Body::Select(inner) = query.body else { unreachable!("it was made above") };
    let Select { mut relations, width, mut from, filter, targets, .. } = *inner;
    relations.iter_mut().for_each(|it| it.start += start);
    from.iter_mut().for_each(|it| it.renumber(number));
    select.relations.extend(relations);
    select.width += width;

    let mut conditions = filter.map_or(Vec::new(), Expr::conjuncts);
    if let SubqueryKind::Any(comparisons) = &subquery.kind {
        let pairs = subquery.left.iter().zip(targets).zip(comparisons);
        conditions.extend(pairs.map(|((left, right), (comparison, padded))| {
            Expr::Compare(*comparison, Box::new(left.clone()), Box::new(right), *padded)
        }));
    }
    Some(FromItem::Exists { kind, right: from, condition: Expr::all(conditions)? })
}

/// The subquery of an EXISTS, if it is one that a join can replace.
fn exists<T: Clone>(query: &Query<T>) -> Option<Select<T>> {
    let Query { body: Body::Select(select), limit, offset: None, lock: None, .. } = query else {
        return None;
    };
    let is_limited = match limit {
        None => false,
        Some(Expr::Constant(Value::Int(limit), _)) => *limit < 1,
        Some(_) => true,
    };
    let is_plain = select.grouping.is_none() && select.windows.is_empty();
    if is_limited || !is_plain || select.from.is_empty() {
        return None;
    }

    let mut select = with_semi_joins(select).unwrap_or_else(|| (**select).clone());
    select.targets.clear();
    let filter = select.filter.take();
    let uses_parent = filter.as_ref().is_some_and(|it| it.has(0, is_of));
    if !uses_parent
        || query_uses_parent(&Query::plain(Body::Select(Box::new(select.clone())), Vec::new()))
    {
        return None;
    }
    select.filter = filter;
    Some(select)
}

/// The subquery of an IN: a SELECT with what is compared as its targets.
fn any<T: Clone>(subquery: &Subquery<T>) -> Option<Select<T>> {
    let query = &subquery.query;
    let is_constant = subquery.left.iter().all(|it| it.positions().is_empty());
    if is_constant || query_uses_parent(query) {
        return None;
    }
    if let Query { body: Body::Select(select), limit: None, offset: None, lock: None, .. } = query
        && select.grouping.is_none()
        && select.windows.is_empty()
        && !select.distinct
        && !select.from.is_empty()
    {
        return Some(with_semi_joins(select).unwrap_or_else(|| (**select).clone()));
    }

    // Anything else is a relation of its own, as it would be in FROM.
    let columns = query.columns.clone();
    let column = |(position, column_type): (usize, ColumnType)| {
        Expr::Column(Column { level: 0, position, column_type })
    };
    let targets = columns.iter().map(|it| it.column_type).enumerate().map(column).collect();
    let (width, alias) = (columns.len(), "ANY_subquery".to_owned());
    let source = Source::Query(Box::new(query.clone()));
    let relations = vec![Relation { alias, source, start: 0, columns }];
    Some(Select {
        relations,
        width,
        from: vec![FromItem::Relation(0)],
        targets,
        ..Select::default()
    })
}

fn query_uses_parent<T: Clone>(query: &Query<T>) -> bool {
    let mut uses_parent = false;
    query.walk(0, &mut |expr, depth| uses_parent |= is_of(expr, depth));
    uses_parent
}

/// Returns true for a column of the query around the one that is so many levels up.
fn is_of<T: Clone>(expr: &Expr<T>, depth: usize) -> bool {
    matches!(expr, Expr::Column(column) if column.level == depth + 1)
}
