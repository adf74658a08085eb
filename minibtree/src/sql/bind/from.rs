//! FROM: tables, subqueries, functions, and how they are joined.
//!
//! PostgreSQL's `parse_clause.c`. LATERAL and FULL JOIN are refused.

use super::coerce::implicit;
use super::expression::{boolean, expression, operator};
use super::level::{Binder, Name, Typed};
use super::select;
use crate::sql::catalog::Table;
use crate::sql::statement::{folded, new_name, position_of, table_name};
use crate::sql::tree::{
    Body, Expr, FromItem, JoinKind, OutputColumn, Query, Relation, SetFunction, Source,
};
use crate::sql::values::Type;
use crate::wire::{Result, SqlError};
use minibtree_errors::queries::{no_alias, not_one_column, too_many_names};
use minibtree_inspect::{LEVEL_COLUMNS, PAGE_COLUMNS};
use sqlparser::ast::{self, JoinConstraint, JoinOperator, TableFactor};
use std::sync::Arc;

/// Binds FROM into the current level.
///
/// # Errors
/// `42P01`, `42712` and others for names; `0A000`.
pub fn from(binder: &mut Binder, items: &[ast::TableWithJoins]) -> Result<Vec<FromItem>> {
    let (mut bound, mut names) = (Vec::new(), Vec::new());
    for item in items {
        let (item, more) = joined(binder, item)?;
        check_aliases(&names, &more)?;
        bound.push(item);
        names.extend(more);
    }
    binder.level().names = names;
    Ok(bound)
}

/// Refuses a second relation of the same name.
fn check_aliases(names: &[Name], more: &[Name]) -> Result<()> {
    match more.iter().find(|new| names.iter().any(|old| old.table == new.table)) {
        None => Ok(()),
        Some(name) => {
            Err(error!(DUPLICATE_ALIAS, "table name \"{}\" specified more than once", name.table))
        }
    }
}

fn joined(binder: &mut Binder, item: &ast::TableWithJoins) -> Result<(FromItem, Vec<Name>)> {
    let (mut left, mut names) = factor(binder, &item.relation)?;
    for join in &item.joins {
        let ast::Join { relation, global: false, join_operator } = join else {
            return Err(unsupported!("the join {join}"));
        };
        let (right, more) = factor(binder, relation)?;
        check_aliases(&names, &more)?;
        (left, names) = join_of(binder, join_operator, (left, names), (right, more))?;
    }
    Ok((left, names))
}

/// What is joined, and the names in it.
pub type Side = (FromItem, Vec<Name>);

fn join_of(binder: &mut Binder, operator: &JoinOperator, left: Side, right: Side) -> Result<Side> {
    let (kind, is_swapped, constraint) = match operator {
        JoinOperator::Join(it) | JoinOperator::Inner(it) | JoinOperator::CrossJoin(it) => {
            (JoinKind::Inner, false, it)
        }
        JoinOperator::Left(it) | JoinOperator::LeftOuter(it) => (JoinKind::Left, false, it),
        JoinOperator::Right(it) | JoinOperator::RightOuter(it) => (JoinKind::Left, true, it),
        JoinOperator::FullOuter(_) => return Err(SqlError::unsupported("FULL JOIN")),
        _ => return Err(SqlError::unsupported("this kind of join")),
    };
    let ((left, left_names), (right, right_names)) = (left, right);
    let (condition, names) = match constraint {
        JoinConstraint::None if matches!(operator, JoinOperator::CrossJoin(_)) => {
            (None, [left_names, right_names].concat())
        }
        JoinConstraint::On(expr) => {
            let names = [left_names, right_names].concat();
            binder.level().names = names.clone();
            binder.clause("JOIN conditions", false);
            let condition = boolean(binder, expr, "JOIN/ON");
            binder.level().names.clear();
            (Some(condition?), names)
        }
        JoinConstraint::Using(columns) => {
            let columns: Result<Vec<String>, _> = columns.iter().map(table_name).collect();
            using(binder, &columns?, left_names, right_names, is_swapped)?
        }
        JoinConstraint::Natural => {
            let is_common = |name: &&Name| right_names.iter().any(|it| it.name == name.name);
            let common = left_names.iter().filter(|it| !it.is_merged && is_common(it));
            let columns: Vec<String> = common.map(|it| it.name.clone()).collect();
            using(binder, &columns, left_names, right_names, is_swapped)?
        }
        _ => return Err(SqlError::unsupported("this kind of join condition")),
    };
    let (left, right) = if is_swapped { (right, left) } else { (left, right) };
    let (left, right) = (Box::new(left), Box::new(right));
    Ok((FromItem::Join { kind, left, right, condition }, names))
}

/// `USING (a, b)`: equal columns, of which one of each pair is shown, first of all.
fn using(
    binder: &mut Binder,
    columns: &[String],
    mut left: Vec<Name>,
    mut right: Vec<Name>,
    is_swapped: bool,
) -> Result<(Option<Expr>, Vec<Name>)> {
    let (mut conditions, mut merged) = (Vec::new(), Vec::new());
    for column in columns {
        let at = |names: &[Name], side: &str| {
            let mut found =
                (0..names.len()).filter(|it| names[*it].name == *column && !names[*it].is_merged);
            let first = found.next().ok_or_else(|| not_one_column(column, side, true))?;
            match found.next() {
                None => Ok(first),
                Some(_) => Err(not_one_column(column, side, false)),
            }
        };
        let (in_left, in_right) = (at(&left, "left")?, at(&right, "right")?);
        let sides = vec![left[in_left].at(0), right[in_right].at(0)];
        if sides[0].base() != sides[1].base() {
            return Err(SqlError::unsupported("USING of columns of different types"));
        }
        conditions.push(operator(binder, "=", sides)?.expr);

        // Show the column of the side whose rows an outer join keeps: the other may be NULL.
        let shown = if is_swapped { &right[in_right] } else { &left[in_left] };
        merged.push(Name { table: String::new(), ..shown.clone() });
        left[in_left].is_merged = true;
        right[in_right].is_merged = true;
    }
    merged.extend(left);
    merged.extend(right);
    Ok((Expr::all(conditions), merged))
}

fn factor(binder: &mut Binder, factor: &TableFactor) -> Result<Side> {
    let refused = || unsupported!("FROM {factor}");
    match factor {
        TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_directives,
            inheritance: None,
        } if with_hints.is_empty() && partitions.is_empty() && index_directives.is_empty() => {
            table(binder, name, alias.as_ref())
        }
        TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
            let args = args.args.iter().map(argument).collect::<Result<_, _>>()?;
            function(binder, &name.to_string(), args, *with_ordinality, alias.as_ref())
        }
        TableFactor::Function { lateral: false, name, args, with_ordinality, alias } => {
            let args = args.iter().map(argument).collect::<Result<_, _>>()?;
            function(binder, &name.to_string(), args, *with_ordinality, alias.as_ref())
        }
        TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_ordinality, .. } => {
            let arrays = array_exprs.iter().collect();
            function(binder, "unnest", arrays, *with_ordinality, alias.as_ref())
        }
        TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
            let query = select::subquery(binder, subquery)?;
            let Some(alias) = alias else { return Err(no_alias()) };
            let columns = query.columns.clone();
            relation(binder, "", Some(alias), columns, Source::Query(Box::new(query)))
        }
        TableFactor::NestedJoin { table_with_joins, alias: None } => {
            joined(binder, table_with_joins)
        }
        _ => Err(refused()),
    }
}

fn table(
    binder: &mut Binder,
    name: &ast::ObjectName,
    alias: Option<&ast::TableAlias>,
) -> Result<Side> {
    let (schema, last) = match &name.0[..] {
        [schema, last] => (schema.as_ident().map(folded), last),
        [.., last] => (None, last),
        [] => return Err(unsupported!("FROM {name}")),
    };
    let last = last.as_ident().map(folded).unwrap_or_default();
    if let Some(query) = system_relation(binder, schema.as_deref(), &last)? {
        let columns = query.columns.clone();
        return relation(binder, &last, alias, columns, Source::Query(Box::new(query)));
    }
    let plain = table_name(name)?;
    if name.0.len() == 1
        && let Some(query) = binder.cte(&plain)?
    {
        let columns = query.columns.clone();
        return relation(binder, &plain, alias, columns, Source::Query(Box::new(query)));
    }
    let table = binder.catalog.table(&plain).map_err(|it| it.at(position_of(name)))?;
    let table = Arc::clone(table);
    relation(binder, &plain, alias, columns_of(&table), Source::Table(table))
}

/// The columns of a table as those of a relation.
pub fn columns_of(table: &Table) -> Vec<OutputColumn> {
    let output = |column: &crate::sql::catalog::Column| OutputColumn {
        name: column.name.clone(),
        column_type: column.column_type,
    };
    table.columns.iter().map(output).collect()
}

/// Adds a table to the row of the current query.
pub fn table_relation(binder: &mut Binder, table: &Arc<Table>, alias: &str) -> Result<Side> {
    relation(binder, alias, None, columns_of(table), Source::Table(Arc::clone(table)))
}

/// The relation of a name in the schema `pg_catalog` or in none, as the query of its rows.
///
/// # Errors
/// `0A000` for a relation of `pg_catalog` that we do not have.
fn system_relation(binder: &Binder, schema: Option<&str>, name: &str) -> Result<Option<Query>> {
    let relation = match (schema, minibtree_pg_catalog::relation(name)) {
        (None | Some("pg_catalog"), Some(relation)) => relation,
        (Some("pg_catalog"), None) => return Err(unsupported!("the relation pg_catalog.{name}")),
        _ => return Ok(None),
    };
    let rows = minibtree_pg_catalog::rows_of(binder.catalog.objects(), relation).into_iter();
    let rows = rows.map(|row| {
        let typed = row.into_iter().zip(&relation.columns);
        typed.map(|(value, (_, base, _))| Expr::Constant(value, *base)).collect()
    });
    let columns = relation.columns.iter().map(|(name, base, _)| OutputColumn {
        name: (*name).to_owned(),
        column_type: base.plain(),
    });
    Ok(Some(Query::plain(Body::Values(rows.collect()), columns.collect())))
}

/// The name of a function that returns rows, without `pg_catalog`.
pub fn set_function_name(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    let all = ["generate_series", "unnest", "pg_partition_ancestors", "mb_pages", "mb_btree"];
    all.into_iter().find(|it| *it == name)
}

/// The expression that is an argument of a function.
pub fn argument(argument: &ast::FunctionArg) -> Result<&ast::Expr> {
    match argument {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Ok(expr),
        _ => Err(unsupported!("the argument {argument}")),
    }
}

/// A function that returns rows.
fn function(
    binder: &mut Binder,
    name: &str,
    arguments: Vec<&ast::Expr>,
    with_ordinality: bool,
    alias: Option<&ast::TableAlias>,
) -> Result<Side> {
    let refused = || unsupported!("the function {name} in FROM");
    let plain = set_function_name(name).ok_or_else(refused)?;
    binder.clause("functions in FROM", false);
    let bound = arguments.into_iter().map(|it| expression(binder, it));
    let bound = bound.collect::<Result<Vec<_>, _>>()?;

    let types: Vec<Type> = bound.iter().map(Typed::base).collect();
    let is_integer = |it: &Type| it.is_integer() || *it == Type::Unknown;
    // A single column has the name of the alias.
    let single = alias.map_or(plain.to_owned(), |it| folded(&it.name));
    let one = |it: Type| vec![(single.as_str(), it)];
    let (function, to, result) = match (plain, &types[..]) {
        ("generate_series", [_, _] | [_, _, _]) if types.iter().all(is_integer) => {
            let base = if types.contains(&Type::Int8) { Type::Int8 } else { Type::Int4 };
            (SetFunction::Series, base, one(base))
        }
        ("unnest", [array]) => {
            let element = array.element().ok_or_else(refused)?;
            (SetFunction::Unnest(element), *array, one(element))
        }
        ("pg_partition_ancestors", [_]) => {
            (SetFunction::Ancestors, Type::Regclass, one(Type::Regclass))
        }
        ("mb_pages", [_]) => (SetFunction::Pages, Type::Regclass, PAGE_COLUMNS.to_vec()),
        ("mb_btree", [_]) => (SetFunction::Levels, Type::Regclass, LEVEL_COLUMNS.to_vec()),
        _ => return Err(refused()),
    };
    let exprs = bound.into_iter().map(|it| implicit(binder, it, to)).collect::<Result<_, _>>()?;

    let ordinality = with_ordinality.then_some(("ordinality", Type::Int8));
    let columns = result.into_iter().chain(ordinality);
    let columns = columns
        .map(|(name, base)| OutputColumn { name: name.to_owned(), column_type: base.plain() });
    let columns = columns.collect();
    relation(binder, plain, alias, columns, Source::Function(function, exprs))
}

/// Adds a relation to the row of the current query.
fn relation(
    binder: &mut Binder,
    name: &str,
    alias: Option<&ast::TableAlias>,
    mut columns: Vec<OutputColumn>,
    source: Source,
) -> Result<Side> {
    let mut table = name.to_owned();
    if let Some(alias) = alias {
        table = new_name(&alias.name)?;
        if alias.columns.len() > columns.len() {
            let (has, named) = (columns.len(), alias.columns.len());
            return Err(too_many_names("table", &table, has, named));
        }
        for (column, renamed) in columns.iter_mut().zip(&alias.columns) {
            if renamed.data_type.is_some() || alias.at.is_some() {
                return Err(unsupported!("the alias {alias}"));
            }
            column.name = new_name(&renamed.name)?;
        }
    }

    let relations = &mut binder.level().relations;
    let start = relations.last().map_or(0, |it| it.positions().end);
    let relation = Relation { alias: table.clone(), source, start, columns };
    let names = relation.columns.iter().enumerate().map(|(index, column)| Name {
        table: table.clone(),
        name: column.name.clone(),
        position: start + index,
        column_type: column.column_type,
        is_merged: false,
    });
    let names = names.collect();
    relations.push(relation);
    Ok((FromItem::Relation(relations.len() - 1), names))
}
