//! INSERT, UPDATE and DELETE.
//!
//! A query like any other finds the rows to change. The first relation of an UPDATE or DELETE is
//! the table itself, whose TID column says which version to change.
//!
//! PostgreSQL's `transformInsertStmt` and its kin in `analyze.c`, and `rewriteTargetListIU`, which
//! adds the defaults.

use super::coerce::{assign, unknown_to_text};
use super::conflict::conflict;
use super::expression::{boolean, expression};
use super::from;
use super::level::{Binder, Typed};
use super::select::{column, ctes, projection_of, query};
use crate::sql::catalog::{Identity, Table};
use crate::sql::statement::{folded, position_of, table_name};
use crate::sql::tree::{
    Body, Computed, Expr, FromItem, Modification, Operation, OutputColumn, Query, Select, Source,
    Write,
};
use crate::sql::values::ColumnType;
use crate::wire::{Result, SqlError, code};
use minibtree_errors::queries::{no_column, uneven_values};
use minibtree_errors::relations::is_generated;
use minibtree_places::start_of;
use sqlparser::ast::{self, SelectItem, SetExpr};
use std::sync::Arc;

/// Binds INSERT, UPDATE or DELETE, also after WITH; `None` if it is another statement.
pub fn modification(
    binder: &mut Binder,
    statement: &ast::Statement,
) -> Result<Option<Modification>> {
    Ok(Some(match statement {
        ast::Statement::Insert(it) => insert(binder, it)?,
        ast::Statement::Update(it) => update(binder, it)?,
        ast::Statement::Delete(it) => delete(binder, it)?,
        ast::Statement::Query(query) => {
            let (SetExpr::Insert(it) | SetExpr::Update(it) | SetExpr::Delete(it), Some(with)) =
                (&*query.body, &query.with)
            else {
                return Ok(None);
            };
            return binder.inside("", |binder| {
                ctes(binder, with)?;
                modification(binder, it)
            });
        }
        _ => return Ok(None),
    }))
}

fn insert(binder: &mut Binder, insert: &ast::Insert) -> Result<Modification> {
    let refused = || unsupported!("{insert}");
    let ast::Insert {
        insert_token: _,
        optimizer_hints: _,
        or: None,
        ignore: false,
        into: true,
        table: ast::TableObject::TableName(name),
        table_alias,
        columns,
        by_name: false,
        overwrite: false,
        source,
        assignments,
        partitioned: None,
        after_columns,
        overriding,
        has_table_keyword: false,
        on,
        returning,
        output: None,
        replace_into: false,
        priority: None,
        insert_alias: None,
        settings: None,
        format_clause: None,
        multi_table_insert_type: None,
        multi_table_into_clauses,
        multi_table_when_clauses,
        multi_table_else_clause: None,
    } = insert
    else {
        return Err(refused());
    };
    let is_plain = assignments.is_empty()
        && after_columns.is_empty()
        && multi_table_into_clauses.is_empty()
        && multi_table_when_clauses.is_empty()
        && overriding.is_none();
    if !is_plain {
        return Err(refused());
    }

    let table = binder.catalog.table(&table_name(name)?);
    let table = Arc::clone(table.map_err(|it| it.at(position_of(name)))?);
    let alias = table_alias.as_ref().map_or(table.name.clone(), |it| folded(&it.alias));
    let positions = named_columns(&table, columns)?;
    let (source, positions) = insert_source(binder, &table, source.as_deref(), positions, columns)?;
    let mut write = insert_write(binder, &table, &positions)?;
    for (index, position) in positions.iter().enumerate() {
        let target = &table.columns[*position];
        let column_type = source.columns[index].column_type;
        let value = Typed { expr: column(index, column_type), column_type, start: 0 };
        write.values[*position] = Some(assign(binder, value, &target.name, target.column_type)?);
    }

    let conflict = match on {
        None => None,
        Some(ast::OnInsert::OnConflict(on)) => Some(conflict(binder, &table, &alias, on)?),
        Some(_) => return Err(refused()),
    };
    let (returning, columns) = insert_returning(binder, &table, &alias, returning.as_deref())?;
    let operation = Operation::Insert(write, conflict);
    Ok(Modification { operation, source, returning, columns })
}

/// RETURNING of the rows that were inserted.
fn insert_returning(
    binder: &mut Binder,
    table: &Arc<Table>,
    alias: &str,
    returning: Option<&[SelectItem]>,
) -> Result<(Vec<Expr>, Vec<OutputColumn>)> {
    binder.inside("", |binder| {
        binder.level().names = from::table_relation(binder, table, alias)?.1;
        returning_of(binder, returning)
    })
}

/// The rows of an INSERT, and the columns that they have values for.
fn insert_source(
    binder: &mut Binder,
    table: &Table,
    source: Option<&ast::Query>,
    mut positions: Vec<usize>,
    names: &[ast::ObjectName],
) -> Result<(Query, Vec<usize>)> {
    // DEFAULT VALUES is one row without values.
    let Some(source) = source else {
        return Ok((Query::plain(Body::Values(vec![Vec::new()]), Vec::new()), Vec::new()));
    };
    let is_plain = source.with.is_none()
        && source.order_by.is_none()
        && source.limit_clause.is_none()
        && source.fetch.is_none()
        && source.locks.is_empty();
    if let (SetExpr::Values(values), true) = (&*source.body, is_plain) {
        let row = values.rows.first().map_or(&[][..], |row| &row.content);
        let extra = row.get(positions.len()).map_or(0, start_of);
        check_count(row.len(), &mut positions, names).map_err(|it| it.at(extra))?;
        return Ok((insert_values(binder, table, &positions, values)?, positions));
    }

    let target = |position: &usize| {
        let column = &table.columns[*position];
        (column.name.clone(), column.column_type)
    };
    let wanted: Vec<(String, ColumnType)> = positions.iter().map(target).collect();
    let bound = query(binder, source, Some(&wanted))?;
    check_count(bound.columns.len(), &mut positions, names)?;
    Ok((bound, positions))
}

/// Fewer values than columns are allowed if no columns were named.
fn check_count(width: usize, positions: &mut Vec<usize>, names: &[ast::ObjectName]) -> Result<()> {
    if width > positions.len() {
        return Err(error!(SYNTAX_ERROR, "INSERT has more expressions than target columns"));
    }
    if let Some(extra) = names.get(width) {
        let error = error!(SYNTAX_ERROR, "INSERT has more target columns than expressions");
        return Err(error.at(position_of(extra)));
    }
    positions.truncate(width);
    Ok(())
}

fn insert_values(
    binder: &mut Binder,
    table: &Table,
    positions: &[usize],
    values: &ast::Values,
) -> Result<Query> {
    let rows = binder.inside("VALUES", |binder| {
        let rows = values.rows.iter().map(|row| {
            if row.content.len() != positions.len() {
                return Err(uneven_values().at(row.content.first().map_or(0, start_of)));
            }
            let row = positions.iter().zip(&row.content).map(|(position, expr)| {
                if is_default(expr) {
                    return default_of(binder, table, *position);
                }
                let typed = expression(binder, expr)?;
                check_identity(table, *position)?;
                let target = &table.columns[*position];
                assign(binder, typed, &target.name, target.column_type)
            });
            row.collect::<Result<Vec<_>, _>>()
        });
        rows.collect::<Result<Vec<_>, _>>()
    })?;
    let columns = from::columns_of(table);
    let columns = positions.iter().map(|it| columns[*it].clone()).collect();
    Ok(Query::plain(Body::Values(rows), columns))
}

/// A column GENERATED ALWAYS AS IDENTITY takes no values.
fn check_identity(table: &Table, position: usize) -> Result<()> {
    let column = &table.columns[position];
    if column.identity != Identity::Always {
        return Ok(());
    }
    let text = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
    Err(is_generated(text, &column.name).hint("Use OVERRIDING SYSTEM VALUE to override."))
}

fn is_default(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Identifier(name)
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default"))
}

/// The default of a column; NULL if it has none.
fn default_of(binder: &mut Binder, table: &Table, position: usize) -> Result<Expr> {
    let column = &table.columns[position];
    let Some(default) = &column.default else {
        return Ok(Expr::null(column.column_type.base));
    };
    let value = binder.inside("DEFAULT expressions", |binder| expression(binder, &default.expr));
    let value = value.and_then(|it| assign(binder, it, &column.name, column.column_type));
    // A place in the default would be none in the statement.
    value.map_err(|it| SqlError { position: None, ..it })
}

/// An INSERT of values for these columns: the other columns get their defaults. The caller fills in
/// the values themselves.
pub fn insert_write(binder: &mut Binder, table: &Arc<Table>, positions: &[usize]) -> Result<Write> {
    let mut values = vec![None; table.columns.len()];
    for (position, value) in values.iter_mut().enumerate() {
        if !positions.contains(&position) {
            *value = Some(default_of(binder, table, position)?);
        }
    }
    let (checks, computed) = (checks(binder, table)?, computed(binder, table)?);
    Ok(Write { table: Arc::clone(table), values, checks, computed })
}

/// The CHECK constraints of a table.
fn checks(binder: &mut Binder, table: &Arc<Table>) -> Result<Vec<(String, Expr)>> {
    let bound = table.checks.iter().map(|check| {
        Ok((
            check.name.clone(),
            condition(binder, table, &check.condition.expr, "check constraints")?,
        ))
    });
    bound.collect()
}

/// The predicate and expressions of each index of a table; empty if no index has any.
pub fn computed(binder: &mut Binder, table: &Arc<Table>) -> Result<Vec<Computed>> {
    if table.indexes.iter().all(|it| it.predicate.is_none() && it.expressions.is_empty()) {
        return Ok(Vec::new());
    }
    let bound = table.indexes.iter().map(|index| {
        let stored = index.predicate.as_ref();
        let predicate = stored.map(|it| condition(binder, table, &it.expr, PREDICATES));
        let expressions = index.expressions.iter();
        let expressions =
            expressions.map(|it| Ok(index_expression(binder, table, &it.0.expr)?.expr));
        let expressions = expressions.collect::<Result<_>>()?;
        Ok(Computed { predicate: predicate.transpose()?, expressions })
    });
    bound.collect()
}

/// The name of an index's WHERE in errors.
pub const PREDICATES: &str = "index predicates";

/// Binds a CHECK or an index predicate, over a row of the table.
pub fn condition(
    binder: &mut Binder,
    table: &Arc<Table>,
    expr: &ast::Expr,
    clause: &'static str,
) -> Result<Expr> {
    let name = if clause == PREDICATES { "WHERE" } else { "CHECK" };
    of_row(binder, table, clause, |binder| boolean(binder, expr, name))
}

/// Binds an expression of an index, over a row of the table.
pub fn index_expression(
    binder: &mut Binder,
    table: &Arc<Table>,
    expr: &ast::Expr,
) -> Result<Typed> {
    of_row(binder, table, "index expressions", |binder| {
        let typed = expression(binder, expr)?;
        unknown_to_text(binder, typed)
    })
}

/// Binds an expression that may name the columns of a table.
fn of_row<T>(
    binder: &mut Binder,
    table: &Arc<Table>,
    clause: &'static str,
    bind: impl FnOnce(&mut Binder) -> Result<T>,
) -> Result<T> {
    binder.inside(clause, |binder| {
        binder.level().names = from::table_relation(binder, table, &table.name)?.1;
        // Only the names are in scope; there is no FROM clause.
        binder.clause(clause, false);
        bind(binder)
    })
}

/// Positions of the named columns, or of all.
///
/// # Errors
/// `42703` or `42701`.
pub fn target_columns(table: &Table, names: &[String]) -> Result<Vec<usize>> {
    if names.is_empty() {
        return Ok((0..table.columns.len()).collect());
    }
    let mut positions = Vec::new();
    for name in names {
        let position = table.columns.iter().position(|column| column.name == *name);
        let position = position.ok_or_else(|| no_column(name, &table.name))?;
        if positions.contains(&position) {
            return Err(error!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once"));
        }
        positions.push(position);
    }
    Ok(positions)
}

/// Positions of the columns that a statement names.
fn named_columns(table: &Table, columns: &[ast::ObjectName]) -> Result<Vec<usize>> {
    let names = columns.iter().map(table_name).collect::<Result<Vec<_>, _>>()?;
    target_columns(table, &names).map_err(|error| {
        let is_wrong = |it: &usize| target_columns(table, &names[..=*it]).is_err();
        error.at((0..names.len()).find(is_wrong).map_or(0, |it| position_of(&columns[it])))
    })
}

/// New values of columns; `None` for those that stay.
pub fn assignments(
    binder: &mut Binder,
    table: &Table,
    assignments: &[ast::Assignment],
) -> Result<Vec<Option<Expr>>> {
    let mut names = Vec::new();
    for assignment in assignments {
        let ast::AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(unsupported!("the assignment {assignment}"));
        };
        names.push(name.clone());
    }
    let positions = named_columns(table, &names).map_err(|error| match error.code {
        code::DUPLICATE_COLUMN => {
            let text = error.message.replace("column \"", "multiple assignments to same column \"");
            let text = text.replace(" specified more than once", "");
            SqlError::new(code::SYNTAX_ERROR, text)
        }
        _ => error,
    })?;
    let mut values = vec![None; table.columns.len()];
    for (position, assignment) in positions.into_iter().zip(assignments) {
        let target = &table.columns[position];
        let value = match is_default(&assignment.value) {
            true => default_of(binder, table, position)?,
            false => {
                if target.identity == Identity::Always {
                    let text = format!("column \"{}\" can only be updated to DEFAULT", target.name);
                    return Err(is_generated(text, &target.name));
                }
                let typed = expression(binder, &assignment.value)?;
                assign(binder, typed, &target.name, target.column_type)?
            }
        };
        values[position] = Some(value);
    }
    Ok(values)
}

fn update(binder: &mut Binder, update: &ast::Update) -> Result<Modification> {
    let refused = || unsupported!("{update}");
    let ast::Update {
        update_token: _,
        optimizer_hints: _,
        table,
        on_cluster: None,
        assignments: assigned,
        from,
        selection,
        returning,
        output: None,
        or: None,
        order_by,
        limit: None,
        settings: None,
    } = update
    else {
        return Err(refused());
    };
    let from = match from {
        None => &[][..],
        Some(ast::UpdateTableFromKind::AfterSet(from)) => from,
        Some(_) => return Err(refused()),
    };
    if !order_by.is_empty() || !table.joins.is_empty() {
        return Err(refused());
    }
    change(binder, table, from, selection.as_ref(), returning.as_deref(), |binder, table| {
        binder.clause("UPDATE", false);
        let values = assignments(binder, table, assigned)?;
        let (checks, computed) = (checks(binder, table)?, computed(binder, table)?);
        Ok(Operation::Update(Write { table: Arc::clone(table), values, checks, computed }))
    })
}

fn delete(binder: &mut Binder, delete: &ast::Delete) -> Result<Modification> {
    let refused = || unsupported!("{delete}");
    let ast::Delete {
        delete_token: _,
        optimizer_hints: _,
        tables,
        from: ast::FromTable::WithFromKeyword(from),
        on_cluster: None,
        using,
        selection,
        returning,
        output: None,
        order_by,
        limit: None,
        settings: None,
    } = delete
    else {
        return Err(refused());
    };
    let [table] = &from[..] else { return Err(refused()) };
    if !tables.is_empty() || !order_by.is_empty() || !table.joins.is_empty() {
        return Err(refused());
    }
    let using = using.as_deref().unwrap_or(&[]);
    change(binder, table, using, selection.as_ref(), returning.as_deref(), |_, table| {
        let values = vec![None; table.columns.len()];
        let (checks, computed) = (Vec::new(), Vec::new());
        Ok(Operation::Delete(Write { table: Arc::clone(table), values, checks, computed }))
    })
}

fn change(
    binder: &mut Binder,
    target: &ast::TableWithJoins,
    others: &[ast::TableWithJoins],
    selection: Option<&ast::Expr>,
    returning: Option<&[SelectItem]>,
    operation: impl FnOnce(&mut Binder, &Arc<Table>) -> Result<Operation>,
) -> Result<Modification> {
    let mut items = vec![target.clone()];
    items.extend_from_slice(others);
    binder.inside("", |binder| {
        let from = from::from(binder, &items)?;
        let first = binder.level().relations.first().map(|it| it.source.clone());
        let Some(Source::Table(table)) = first else {
            return Err(unsupported!("a change of {target}"));
        };
        binder.clause("WHERE", false);
        let filter = selection.map(|it| boolean(binder, it, "WHERE")).transpose()?;
        let operation = operation(binder, &table)?;
        let (returning, columns) = returning_of(binder, returning)?;

        let level = std::mem::take(binder.level());
        let width = level.relations.last().map_or(0, |it| it.positions().end);
        debug_assert!(matches!(from[0], FromItem::Relation(0)));
        let select =
            Select { relations: level.relations, width, from, filter, ..Select::default() };
        let source = Query::plain(Body::Select(Box::new(select)), Vec::new());
        Ok(Modification { operation, source, returning, columns })
    })
}

fn returning_of(
    binder: &mut Binder,
    items: Option<&[SelectItem]>,
) -> Result<(Vec<Expr>, Vec<OutputColumn>)> {
    let Some(items) = items else { return Ok((Vec::new(), Vec::new())) };
    binder.clause("RETURNING", false);
    let targets = projection_of(binder, items, None)?;
    let split = targets.into_iter().map(|(name, typed)| {
        let column_type = typed.column_type;
        (typed.expr, OutputColumn { name, column_type })
    });
    Ok(split.unzip())
}
