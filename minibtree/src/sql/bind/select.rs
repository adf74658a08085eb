//! SELECT, VALUES, UNION, WITH, ORDER BY and LIMIT.
//!
//! PostgreSQL's `transformSelectStmt` and `transformSetOperationStmt` in `analyze.c`.

use super::coerce::{assign, coerce, common_type, implicit, unify, unknown_to_text};
use super::expression::{boolean, expression};
use super::level::{Binder, Typed};
use super::{from, grouping};
use crate::engine::LockMode;
use crate::sql::functions::casts::{self, Context};
use crate::sql::statement::{folded, parse_query, position_of, table_name};
use crate::sql::tree::{
    Body, Column, Expr, FromItem, JoinKind, Lock, OutputColumn, Query, Relation, Select,
    SetOperator, SortKey, Source,
};
use crate::sql::values::{ColumnType, Type, Value};
use crate::wire::{Result, SqlError, code};
use minibtree_errors::queries::{not_distinct, too_many_names, uneven_values};
use minibtree_errors::relations::missing_relation;
use minibtree_grammar::table_of_lock;
use minibtree_places::start_of;
use sqlparser::ast::{self, SelectItem, SetExpr};

/// Binds a query. `wanted` are the columns of an INSERT that its values go to: they decide the
/// types of literals. An empty list leaves those unknown.
pub fn query(
    binder: &mut Binder,
    query: &ast::Query,
    wanted: Option<&[(String, ColumnType)]>,
) -> Result<Query> {
    binder.inside("", |binder| query_in_level(binder, query, wanted))
}

/// A query in an expression or in WITH.
pub fn subquery(binder: &mut Binder, inner: &ast::Query) -> Result<Query> {
    match binder.level().detached {
        Some(clause) => Err(error!(FEATURE_NOT_SUPPORTED, "cannot use subquery in {clause}")),
        None => query(binder, inner, None),
    }
}

fn query_in_level(
    binder: &mut Binder,
    query: &ast::Query,
    wanted: Option<&[(String, ColumnType)]>,
) -> Result<Query> {
    let refused = || unsupported!("the query {query}");
    let ast::Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators,
    } = query
    else {
        return Err(refused());
    };
    if !pipe_operators.is_empty() {
        return Err(refused());
    }
    if let Some(with) = with {
        ctes(binder, with)?;
    }
    let sort = match order_by {
        None => &[][..],
        Some(ast::OrderBy { kind: ast::OrderByKind::Expressions(exprs), interpolate: None }) => {
            exprs
        }
        Some(_) => return Err(refused()),
    };

    let mut bound = match &**body {
        SetExpr::Select(select) => self::select(binder, select, sort, wanted)?,
        SetExpr::Values(values) => {
            let bound = self::values(binder, values, wanted)?;
            sorted_by_output(bound, sort)?
        }
        SetExpr::Query(inner) => {
            let bound = self::query(binder, inner, wanted)?;
            if bound.order.is_empty() && bound.limit.is_none() && bound.offset.is_none() {
                // Its level is one deeper than it would be without parentheses, which only matters
                // if it uses outer columns.
                check_uncorrelated(&bound)?;
                sorted_by_output(bound, sort)?
            } else if sort.is_empty() && limit_clause.is_none() && fetch.is_none() {
                check_uncorrelated(&bound)?;
                bound
            } else {
                return Err(refused());
            }
        }
        SetExpr::SetOperation { op, set_quantifier, left, right } => {
            let bound = set_operation(binder, op, set_quantifier, left, right)?;
            sorted_by_output(bound, sort)?
        }
        _ => return Err(refused()),
    };
    limits(binder, &mut bound, limit_clause.as_ref(), fetch.as_ref())?;
    if !locks.is_empty() {
        bound.lock = Some(lock(binder, &bound, locks)?);
    }
    Ok(bound)
}

/// A query in parentheses gets a level of its own; outer columns would be one level too deep.
fn check_uncorrelated(query: &Query) -> Result<()> {
    match query.is_correlated() {
        true => Err(SqlError::unsupported("a correlated query in parentheses")),
        false => Ok(()),
    }
}

/// Binds WITH into the current level.
pub fn ctes(binder: &mut Binder, with: &ast::With) -> Result<()> {
    let ast::With { with_token: _, recursive, cte_tables } = with;
    if *recursive {
        return Err(SqlError::unsupported("WITH RECURSIVE"));
    }
    for cte in cte_tables {
        let ast::Cte { alias, query: inner, from: None, materialized: _, closing_paren_token: _ } =
            cte
        else {
            return Err(unsupported!("WITH {cte}"));
        };
        let name = folded(&alias.name);
        if binder.level().ctes.iter().any(|it| it.0 == name) {
            let text = format!("WITH query name \"{name}\" specified more than once");
            return Err(SqlError::new(code::DUPLICATE_ALIAS, text));
        }
        let mut bound = subquery(binder, inner)?;
        if alias.columns.len() > bound.columns.len() {
            let (has, named) = (bound.columns.len(), alias.columns.len());
            return Err(too_many_names("WITH query", &name, has, named));
        }
        for (column, renamed) in bound.columns.iter_mut().zip(&alias.columns) {
            column.name = folded(&renamed.name);
        }
        binder.level().ctes.push((name, bound));
    }
    Ok(())
}

fn values(
    binder: &mut Binder,
    values: &ast::Values,
    wanted: Option<&[(String, ColumnType)]>,
) -> Result<Query> {
    binder.clause("VALUES", false);
    let mut rows: Vec<Vec<Typed>> = Vec::new();
    for row in &values.rows {
        let row: Vec<Typed> =
            row.content.iter().map(|it| expression(binder, it)).collect::<Result<_, _>>()?;
        if rows.first().is_some_and(|first| first.len() != row.len()) {
            return Err(uneven_values().at(row.first().map_or(0, |it| it.start)));
        }
        rows.push(row);
    }
    let width = rows.first().map_or(0, Vec::len);
    check_width(width)?;
    let (mut columns, mut unified) = (Vec::new(), vec![Vec::new(); rows.len()]);
    for position in 0..width {
        let column: Vec<Typed> = rows.iter().map(|row| row[position].clone()).collect();
        let (exprs, column_type) = match wanted.and_then(|it| it.get(position)) {
            Some((name, to)) => {
                let assigned = column.into_iter().map(|it| assign(binder, it, name, *to));
                (assigned.collect::<Result<_, _>>()?, *to)
            }
            None => unify(binder, column, "VALUES")?,
        };
        unified.iter_mut().zip(exprs).for_each(|(row, expr): (&mut Vec<Expr>, _)| row.push(expr));
        columns.push(OutputColumn { name: format!("column{}", position + 1), column_type });
    }
    Ok(Query::plain(Body::Values(unified), columns))
}

fn set_operation(
    binder: &mut Binder,
    op: &ast::SetOperator,
    quantifier: &ast::SetQuantifier,
    left: &SetExpr,
    right: &SetExpr,
) -> Result<Query> {
    let operator = match op {
        ast::SetOperator::Union => SetOperator::Union,
        ast::SetOperator::Intersect => SetOperator::Intersect,
        ast::SetOperator::Except | ast::SetOperator::Minus => SetOperator::Except,
    };
    let all = match quantifier {
        ast::SetQuantifier::All => true,
        ast::SetQuantifier::Distinct | ast::SetQuantifier::None => false,
        other => return Err(unsupported!("{op} {other}")),
    };
    let (mut left, mut right) = (side(binder, left)?, side(binder, right)?);
    if left.columns.len() != right.columns.len() {
        return Err(error!(SYNTAX_ERROR, "each {op} query must have the same number of columns"));
    }
    for position in 0..left.columns.len() {
        let types = [left.columns[position].column_type, right.columns[position].column_type];
        let common = common_type(&types, &op.to_string())?;
        for side in [&mut left, &mut right] {
            let from = side.columns[position].column_type;
            if from.base == Type::Unknown {
                type_column(binder, side, position, common)?;
                continue;
            }
            let expr = Expr::Aggregate(position, from.base);
            let stand_in = Typed { expr, column_type: from, start: 0 };
            let cast = implicit(binder, stand_in, common.base)?;
            cast_column(side, position, cast)?;
            side.columns[position].column_type = common;
        }
    }
    let columns = left.columns.clone();
    let (left, right) = (Box::new(left), Box::new(right));
    Ok(Query::plain(Body::SetOperation { operator, all, left, right }, columns))
}

/// Gives a type to the literals in a column of one side of a set operation.
fn type_column(
    binder: &mut Binder,
    side: &mut Query,
    position: usize,
    to: ColumnType,
) -> Result<()> {
    side.columns[position].column_type = to;
    let Body::Select(select) = &mut side.body else { return Ok(()) };
    let target = &mut select.targets[position];
    let typed = Typed::new(std::mem::replace(target, Expr::null(Type::Unknown)), Type::Unknown);
    *target = implicit(binder, typed, to.base)?;
    Ok(())
}

/// One side of a UNION, bound at the same level. Its literals have no type yet.
fn side(binder: &mut Binder, side: &SetExpr) -> Result<Query> {
    let outer = std::mem::take(binder.level());
    binder.level().ctes = outer.ctes.clone();
    let bound = match side {
        SetExpr::Select(select) => self::select(binder, select, &[], Some(&[])),
        SetExpr::Values(values) => self::values(binder, values, None),
        SetExpr::SetOperation { op, set_quantifier, left, right } => {
            set_operation(binder, op, set_quantifier, left, right)
        }
        SetExpr::Query(inner) => query(binder, inner, None).and_then(|bound| {
            check_uncorrelated(&bound)?;
            match &bound.lock {
                Some(lock) => not_allowed(lock_name(lock.mode), "UNION/INTERSECT/EXCEPT"),
                None => Ok(bound),
            }
        }),
        other => Err(unsupported!("the query {other}")),
    };
    *binder.level() = outer;
    bound
}

/// Casts a column of a query as `cast` does with a stand-in for the column.
pub fn cast_column(query: &mut Query, position: usize, cast: Expr) -> Result<()> {
    let (from, to) = match cast {
        Expr::Aggregate(..) => return Ok(()),
        Expr::Cast(_, from, to, _) => (from, to),
        _ => return Err(SqlError::unsupported("this cast of a subquery's column")),
    };
    let wrap = |expr: &mut Expr| {
        let inner = std::mem::replace(expr, Expr::null(Type::Unknown));
        *expr = match inner {
            Expr::Constant(value, _) if !value.is_null() => {
                Expr::Constant(casts::cast(value, from, to)?, to)
            }
            inner => Expr::Cast(Box::new(inner), from, to, false),
        };
        Ok::<_, SqlError>(())
    };
    match &mut query.body {
        Body::Values(rows) => rows.iter_mut().try_for_each(|row| wrap(&mut row[position]))?,
        Body::Select(select) => {
            let is_sorted = query.order.iter().any(|it| it.position == position);
            if is_sorted && !casts::is_relabeling(from, to) {
                return Err(SqlError::unsupported("a cast of a column that is sorted by"));
            }
            wrap(&mut select.targets[position])?;
        }
        Body::SetOperation { left, right, .. } => {
            for side in [left, right] {
                let inner = Box::new(Expr::Aggregate(position, from));
                cast_column(side, position, Expr::Cast(inner, from, to, false))?;
            }
        }
    }
    query.columns[position].column_type = to.plain();
    Ok(())
}

/// Refuses clauses that are not supported. Returns the keys of GROUP BY, and true for DISTINCT.
fn check_select(select: &ast::Select) -> Result<(&[ast::Expr], bool)> {
    let refused = || unsupported!("the query {select}");
    let ast::Select {
        select_token: _,
        optimizer_hints: _,
        distinct,
        select_modifiers: None,
        top: None,
        top_before_distinct: _,
        projection: _,
        exclude: None,
        into: None,
        from: _,
        lateral_views,
        prewhere: None,
        selection: _,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having: _,
        named_window,
        qualify: None,
        window_before_qualify: _,
        value_table_mode: None,
        flavor: _,
    } = select
    else {
        return Err(refused());
    };
    let is_plain = lateral_views.is_empty()
        && connect_by.is_empty()
        && cluster_by.is_empty()
        && distribute_by.is_empty()
        && sort_by.is_empty()
        && named_window.is_empty();
    let ast::GroupByExpr::Expressions(keys, modifiers) = group_by else { return Err(refused()) };
    let distinct = match distinct {
        None | Some(ast::Distinct::All) => false,
        Some(ast::Distinct::Distinct) => true,
        Some(ast::Distinct::On(_)) => return Err(SqlError::unsupported("DISTINCT ON")),
    };
    if !is_plain || !modifiers.is_empty() {
        return Err(refused());
    }
    Ok((keys, distinct))
}

fn select(
    binder: &mut Binder,
    select: &ast::Select,
    sort: &[ast::OrderByExpr],
    wanted: Option<&[(String, ColumnType)]>,
) -> Result<Query> {
    let (keys, distinct) = check_select(select)?;
    let ast::Select { projection, from, selection, having, .. } = select;
    // `SELECT generate_series(1, 3)` becomes `SELECT * FROM generate_series(1, 3)`.
    if let ([SelectItem::UnnamedExpr(ast::Expr::Function(call))], []) = (&projection[..], &from[..])
        && from::set_function_name(&call.name.to_string()).is_some()
    {
        let query = parse_query(&format!("SELECT * FROM {call}"))?;
        let SetExpr::Select(rewritten) = &*query.body else { unreachable!("it was written so") };
        return self::select(binder, rewritten, sort, wanted);
    }
    let from = from::from(binder, from)?;
    binder.clause("WHERE", false);
    let filter = selection.as_ref().map(|it| boolean(binder, it, "WHERE")).transpose()?;
    binder.clause("SELECT", true);
    let mut targets = projection_of(binder, projection, wanted)?;
    let keys = group_keys(binder, keys, &targets)?;
    binder.clause("HAVING", true);
    let having = having.as_ref().map(|it| boolean(binder, it, "HAVING")).transpose()?;
    binder.clause("ORDER BY", true);
    let visible = targets.len();
    let order = sort_keys(binder, sort, &mut targets, distinct)?;

    let level = std::mem::take(binder.level());
    let columns = targets[..visible]
        .iter()
        .map(|(name, typed)| OutputColumn { name: name.clone(), column_type: typed.column_type });
    let columns = columns.collect();
    // A column that should be grouped is where its target is, if that is nothing else.
    let start = |it: &Typed| if matches!(it.expr, Expr::Column(_)) { it.start } else { 0 };
    let starts: Vec<u64> = targets.iter().map(|it| start(&it.1)).collect();
    let width = level.relations.last().map_or(0, |it| it.positions().end);
    let mut bound = Select {
        relations: level.relations,
        width,
        from,
        filter,
        grouping: None,
        windows: level.windows,
        targets: targets.into_iter().map(|(_, typed)| typed.expr).collect(),
        distinct,
    };
    if !keys.is_empty() || !level.aggregates.is_empty() || having.is_some() {
        grouping::group(&mut bound, keys, level.aggregates, having, &starts)?;
    }
    binder.level().ctes = level.ctes;
    Ok(Query { order, ..Query::plain(Body::Select(Box::new(bound)), columns) })
}

/// The expressions of a select list, and their names.
pub fn projection_of(
    binder: &mut Binder,
    items: &[SelectItem],
    wanted: Option<&[(String, ColumnType)]>,
) -> Result<Vec<(String, Typed)>> {
    let mut targets = Vec::new();
    for item in items {
        match item {
            SelectItem::Wildcard(options) => {
                check_wildcard(options)?;
                let names = binder.level().names.clone();
                if binder.level().relations.is_empty() {
                    let text = "SELECT * with no tables specified is not valid";
                    let place = options.wildcard_token.0.span.start.column;
                    return Err(SqlError::new(code::SYNTAX_ERROR, text).at(place));
                }
                let shown = names.into_iter().filter(|it| !it.is_merged);
                targets.extend(shown.map(|it| (it.name.clone(), it.at(0))));
            }
            SelectItem::QualifiedWildcard(
                ast::SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            ) => {
                check_wildcard(options)?;
                let table = table_name(name)?;
                let names = binder.level().names.clone();
                let before = targets.len();
                let shown = names.into_iter().filter(|it| it.table == table);
                targets.extend(shown.map(|it| (it.name.clone(), it.at(0))));
                if targets.len() == before {
                    return Err(missing_relation(&table, None).at(position_of(name)));
                }
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                targets.push((folded(alias), target(binder, expr, targets.len(), wanted)?));
            }
            SelectItem::UnnamedExpr(expr) => {
                let name = column_name(expr).unwrap_or_else(|| "?column?".to_owned());
                targets.push((name, target(binder, expr, targets.len(), wanted)?));
            }
            item => return Err(unsupported!("the select item {item}")),
        }
    }
    check_width(targets.len())?;

    // In a UNION, the type of the other side decides.
    if wanted.is_some_and(<[_]>::is_empty) {
        return Ok(targets);
    }
    let known = targets.into_iter().map(|(name, it)| Ok((name, unknown_to_text(binder, it)?)));
    known.collect()
}

/// Fails if a row has more columns than PostgreSQL's can: a message counts them in 16 bits.
fn check_width(columns: usize) -> Result<()> {
    let too_many = || error!(TOO_MANY_COLUMNS, "target lists can have at most 1664 entries");
    (columns <= 1664).then_some(()).ok_or_else(too_many)
}

fn target(
    binder: &mut Binder,
    expr: &ast::Expr,
    position: usize,
    wanted: Option<&[(String, ColumnType)]>,
) -> Result<Typed> {
    let typed = expression(binder, expr)?;
    match wanted.and_then(|it| it.get(position)) {
        Some((name, to)) if typed.base() == Type::Unknown => {
            Ok(Typed { expr: assign(binder, typed, name, *to)?, column_type: *to, start: 0 })
        }
        _ => Ok(typed),
    }
}

fn check_wildcard(options: &ast::WildcardAdditionalOptions) -> Result<()> {
    if options.to_string().is_empty() { Ok(()) } else { Err(unsupported!("*{options}")) }
}

/// The name of the column of an expression, as PostgreSQL's `FigureColname`.
pub fn column_name(expr: &ast::Expr) -> Option<String> {
    named_by(expr).map(|it| it.0)
}

/// The name, and true if it is a strong one. A cast takes a strong name of its operand, otherwise
/// the name of the type.
fn named_by(expr: &ast::Expr) -> Option<(String, bool)> {
    use ast::Expr::*;

    let good = |name: &str| Some((name.to_owned(), true));
    match expr {
        Identifier(name) => good(&folded(name)),
        CompoundIdentifier(parts) => good(&parts.last().map(folded)?),
        Function(call) => good(&call.name.0.last()?.as_ident().map(folded)?),
        Nested(inner) => named_by(inner),
        Cast { expr, data_type, .. } => match named_by(expr) {
            Some((name, true)) => good(&name),
            _ => Some((type_name(data_type), false)),
        },
        TypedString(typed) => Some((type_name(&typed.data_type), false)),
        Case { else_result, .. } => match else_result.as_deref().and_then(named_by) {
            Some((name, true)) => good(&name),
            _ => Some(("case".to_owned(), false)),
        },
        Exists { negated: false, .. } => good("exists"),
        Subquery(query) => match &*query.body {
            SetExpr::Select(select) => match select.projection.first()? {
                SelectItem::ExprWithAlias { alias, .. } => good(&folded(alias)),
                SelectItem::UnnamedExpr(expr) => named_by(expr),
                _ => None,
            },
            SetExpr::Values(_) => good("column1"),
            _ => None,
        },
        Extract { .. } => good("extract"),
        Ceil { .. } => good("ceil"),
        Floor { .. } => good("floor"),
        Position { .. } => good("position"),
        Overlay { .. } => good("overlay"),
        AtTimeZone { .. } => good("timezone"),
        Substring { shorthand: true, .. } => good("substr"),
        Substring { .. } => good("substring"),
        Trim { trim_where, .. } => good(match trim_where {
            None | Some(ast::TrimWhereField::Both) => "btrim",
            Some(ast::TrimWhereField::Leading) => "ltrim",
            Some(ast::TrimWhereField::Trailing) => "rtrim",
        }),
        _ => None,
    }
}

/// The internal name of a type, by which a cast of a constant is called.
fn type_name(name: &ast::DataType) -> String {
    crate::sql::statement::column_type(name)
        .map_or("?column?", |it| it.base.internal_name().trim_start_matches('_'))
        .to_owned()
}

/// GROUP BY: a position, a column of FROM, a name of the select list, or an expression.
fn group_keys(
    binder: &mut Binder,
    keys: &[ast::Expr],
    targets: &[(String, Typed)],
) -> Result<Vec<Typed>> {
    binder.clause("GROUP BY", false);
    let mut bound = Vec::new();
    for key in keys {
        if let Some(position) = position(key, targets.len(), "GROUP BY")? {
            bound.push(targets[position].1.clone());
            continue;
        }
        let by_name = match key {
            ast::Expr::Identifier(name) => {
                let name = folded(name);
                let is_own = binder.level().names.iter().any(|it| it.name == name);
                let named: Vec<&Typed> =
                    targets.iter().filter(|it| it.0 == name).map(|it| &it.1).collect();
                (!is_own).then(|| named.first().map(|it| (*it).clone())).flatten()
            }
            _ => None,
        };
        let typed = match by_name {
            Some(typed) => typed,
            None => expression(binder, key)?,
        };
        if matches!(key, ast::Expr::Tuple(_) | ast::Expr::Rollup(_) | ast::Expr::Cube(_)) {
            return Err(unsupported!("GROUP BY {key}"));
        }
        if typed.expr.has(0, |it, _| matches!(it, Expr::Aggregate(..))) {
            return Err(error!(GROUPING_ERROR, "aggregate functions are not allowed in GROUP BY"));
        }
        bound.push(unknown_to_text(binder, typed)?);
    }
    Ok(bound)
}

/// The position that an integer in GROUP BY or ORDER BY names, from 0 on.
fn position(key: &ast::Expr, count: usize, clause: &str) -> Result<Option<usize>> {
    let ast::Expr::Value(literal) = key else { return Ok(None) };
    match &literal.value {
        ast::Value::Number(digits, _) if digits.bytes().all(|it| it.is_ascii_digit()) => {
            let number = digits.parse::<usize>().ok().filter(|it| (1..=count).contains(it));
            number.map(|it| Some(it - 1)).ok_or_else(|| {
                let text = format!("{clause} position {digits} is not in select list");
                SqlError::new("42P10", text).at(start_of(key))
            })
        }
        _ => Err(error!(SYNTAX_ERROR, "non-integer constant in {clause}").at(start_of(key))),
    }
}

/// ORDER BY: a name of the select list, a position, or an expression over the input. The expression
/// becomes a target that is not returned.
fn sort_keys(
    binder: &mut Binder,
    sort: &[ast::OrderByExpr],
    targets: &mut Vec<(String, Typed)>,
    distinct: bool,
) -> Result<Vec<SortKey>> {
    let visible = targets.len();
    let mut keys = Vec::new();
    for item in sort {
        let named = match &item.expr {
            ast::Expr::Identifier(name) => output_named(&folded(name), &targets[..visible])?,
            _ => None,
        };
        let position = match (named, position_or_none(&item.expr, visible)?) {
            (Some(position), _) | (None, Some(position)) => position,
            (None, None) => {
                let typed = expression(binder, &item.expr)?;
                let typed = unknown_to_text(binder, typed)?;
                match targets.iter().position(|it| it.1.expr == typed.expr) {
                    Some(position) => position,
                    None if distinct => {
                        return Err(not_distinct().at(start_of(&item.expr)));
                    }
                    None => {
                        targets.push((String::new(), typed));
                        targets.len() - 1
                    }
                }
            }
        };
        keys.push(sort_key(item, position, targets[position].1.column_type)?);
    }
    Ok(keys)
}

fn position_or_none(expr: &ast::Expr, count: usize) -> Result<Option<usize>> {
    use ast::Value;

    match expr {
        ast::Expr::Value(it) if matches!(it.value, Value::Null | Value::Placeholder(_)) => Ok(None),
        expr => position(expr, count, "ORDER BY"),
    }
}

/// The target of this name, if there is one.
fn output_named(name: &str, targets: &[(String, Typed)]) -> Result<Option<usize>> {
    let mut found = (0..targets.len()).filter(|it| targets[*it].0 == name);
    let Some(first) = found.next() else { return Ok(None) };
    match found.any(|it| targets[it].1.expr != targets[first].1.expr) {
        false => Ok(Some(first)),
        true => Err(error!(AMBIGUOUS_COLUMN, "ORDER BY \"{name}\" is ambiguous")),
    }
}

fn sort_key(item: &ast::OrderByExpr, position: usize, column_type: ColumnType) -> Result<SortKey> {
    let (descending, nulls_first) = direction(item)?;
    Ok(SortKey { position, column_type, descending, nulls_first })
}

/// True for DESC, and true for NULLS FIRST, which is the default with DESC.
pub fn direction(item: &ast::OrderByExpr) -> Result<(bool, bool)> {
    let ast::OrderByExpr { expr: _, options, with_fill: None } = item else {
        return Err(unsupported!("ORDER BY {item}"));
    };
    let descending = match &options.sort {
        None | Some(ast::OrderBySort::Asc) => false,
        Some(ast::OrderBySort::Desc) => true,
        Some(_) => return Err(unsupported!("ORDER BY {item}")),
    };
    Ok((descending, options.nulls_first.unwrap_or(descending)))
}

/// ORDER BY of a UNION or VALUES: only names and positions of the result.
fn sorted_by_output(mut query: Query, sort: &[ast::OrderByExpr]) -> Result<Query> {
    for item in sort {
        let by_name = match &item.expr {
            ast::Expr::Identifier(name) => {
                let name = folded(name);
                query.columns.iter().position(|it| it.name == name)
            }
            _ => None,
        };
        let at = match by_name {
            Some(position) => Some(position),
            None => position_or_none(&item.expr, query.columns.len())?,
        };
        let at = at.ok_or_else(|| unsupported!("ORDER BY {} of this query", item.expr))?;
        query.order.push(sort_key(item, at, query.columns[at].column_type)?);
    }
    Ok(query)
}

fn limits(
    binder: &mut Binder,
    query: &mut Query,
    limit: Option<&ast::LimitClause>,
    fetch: Option<&ast::Fetch>,
) -> Result<()> {
    let refused = || SqlError::unsupported("this form of LIMIT");
    let (mut limit, offset) = match limit {
        None => (None, None),
        Some(ast::LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
            (limit.as_ref(), offset.as_ref().map(|it| &it.value))
        }
        Some(_) => return Err(refused()),
    };
    match (fetch, limit) {
        (None, _) => {}
        (Some(ast::Fetch { with_ties: false, percent: false, quantity: Some(count) }), None) => {
            limit = Some(count);
        }
        _ => return Err(refused()),
    }
    binder.clause("LIMIT", false);
    let mut count = |expr: Option<&ast::Expr>, clause: &str| -> Result<Option<Expr>> {
        let Some(expr) = expr else { return Ok(None) };
        let typed = expression(binder, expr)?;
        let from = typed.base();
        let number = coerce(binder, typed, Type::Int8, Context::Assignment)?;
        let expr = number.ok_or_else(|| {
            let what = format!("argument of {clause} must be type bigint");
            error!(DATATYPE_MISMATCH, "{what}, not type {}", from.name()).at(start_of(expr))
        })?;
        if !expr.positions().is_empty() {
            let text = format!("argument of {clause} must not contain variables");
            return Err(SqlError::new("42P10", text));
        }
        Ok(Some(expr).filter(|it| !matches!(it, Expr::Constant(Value::Null, _))))
    };
    query.limit = count(limit, "LIMIT")?.or(query.limit.take());
    query.offset = count(offset, "OFFSET")?.or(query.offset.take());
    Ok(())
}

fn lock_name(mode: LockMode) -> &'static str {
    match mode {
        LockMode::KeyShare => "FOR KEY SHARE",
        LockMode::Share => "FOR SHARE",
        LockMode::NoKeyUpdate => "FOR NO KEY UPDATE",
        LockMode::Update => "FOR UPDATE",
    }
}

fn not_allowed<T>(clause: &str, with: &str) -> Result<T> {
    Err(error!(FEATURE_NOT_SUPPORTED, "{clause} is not allowed with {with}"))
}

fn lock(binder: &mut Binder, query: &Query, locks: &[ast::LockClause]) -> Result<Lock> {
    let ast::LockClause { lock_type, of: _, nonblock } = &locks[0];
    let (keys, tables): (Vec<bool>, Vec<_>) = locks.iter().map(table_of_lock).unzip();
    let is_alike = |it: &ast::LockClause| it.lock_type == *lock_type && it.nonblock == *nonblock;
    let are_alike = locks.iter().all(is_alike) && keys.iter().all(|it| *it == keys[0]);
    if query.lock.is_some() || !are_alike {
        return Err(SqlError::unsupported("a mix of locking clauses"));
    }
    if query.is_correlated() {
        return Err(SqlError::unsupported("FOR UPDATE or FOR SHARE in a correlated subquery"));
    }
    let mode = match (lock_type, keys[0]) {
        (ast::LockType::Share, true) => LockMode::KeyShare,
        (ast::LockType::Share, false) => LockMode::Share,
        (ast::LockType::Update, true) => LockMode::NoKeyUpdate,
        (ast::LockType::Update, false) => LockMode::Update,
    };
    let name = lock_name(mode);
    let not_allowed = |with| not_allowed(name, with);
    let select = match &query.body {
        Body::Select(select) if select.distinct => return not_allowed("DISTINCT clause"),
        Body::Select(select) => select,
        Body::SetOperation { .. } => return not_allowed("UNION/INTERSECT/EXCEPT"),
        Body::Values(_) => return Err(unsupported!("{name} of VALUES")),
    };
    if !select.windows.is_empty() {
        return not_allowed("window functions");
    }
    match &select.grouping {
        Some(grouping) if grouping.keys.is_empty() => return not_allowed("aggregate functions"),
        Some(_) => return not_allowed("GROUP BY clause"),
        None => {}
    }
    let is_table = |relation: &Relation| matches!(relation.source, Source::Table(_));
    let named = |of: &ast::ObjectName| {
        let of = table_name(of)?;
        let found = select.relations.iter().position(|it| it.alias == of);
        let text = || format!("relation \"{of}\" in {name} clause not found in FROM clause");
        found.ok_or_else(|| SqlError::new(code::UNDEFINED_TABLE, text()))
    };
    let relations: Vec<usize> = match tables.iter().map(Option::as_ref).collect() {
        None => (0..select.relations.len()).collect(),
        Some::<Vec<_>>(names) => names.into_iter().map(named).collect::<Result<_, _>>()?,
    };
    if !relations.iter().all(|it| is_table(&select.relations[*it])) {
        return Err(unsupported!("{name} of a subquery"));
    }
    let left_joins =
        select.from.iter().flat_map(FromItem::joins).filter(|it| it.0 == JoinKind::Left);
    if left_joins.flat_map(|it| it.2).any(|it| relations.contains(&it)) {
        let text = format!("{name} cannot be applied to the nullable side of an outer join");
        return Err(SqlError::new(code::FEATURE_NOT_SUPPORTED, text));
    }
    binder.locks += 1;
    Ok(Lock {
        number: binder.locks,
        mode,
        relations,
        no_wait: *nonblock == Some(ast::NonBlock::Nowait),
        skip_locked: *nonblock == Some(ast::NonBlock::SkipLocked),
    })
}

/// The column at a position of the row, as an expression.
pub fn column(position: usize, column_type: ColumnType) -> Expr {
    Expr::Column(Column { level: 0, position, column_type })
}
