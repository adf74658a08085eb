//! Plans: what a statement does, with every name and type resolved.
//!
//! ```text
//! SELECT abalance FROM pgbench_accounts WHERE aid = $1
//!
//! Select { scan: Scan { probe: pgbench_accounts_pkey, key [$1], filter: aid = $1 },
//!          output: [abalance] }
//! ```
//!
//! The planner has one decision so far: if the condition fixes the first columns of an index by
//! `=`, the rows come from that index; otherwise from the heap. The condition is checked for every
//! row in both cases, because an index entry may lead to a version with another key.
//!
//! # How is a clause that the planner does not know noticed?
//!
//! A syntax tree has dozens of fields, and one that is forgotten here would make a wrong answer.
//! So the planner writes down the part of the statement that it has understood and compares it with
//! the whole. What is left over is refused:
//!
//! ```text
//! statement     SELECT aid FROM t LIMIT 1
//! understood    SELECT aid FROM t            not the same: 0A000
//! ```
//!
//! PostgreSQL's `parse_analyze` and `planner` are two steps, with a query tree between them that
//! rules rewrite; without rules and views one step is enough.

use super::catalog::{Catalog, Table};
use super::expression::{Binder, Comparison, Expr};
use super::statement::{folded, table_name};
use super::{Type, Value};
use crate::wire::{Field, SqlError, code};
use sqlparser::ast::{self, SelectItem, SetExpr};
use std::fmt::Display;
use std::sync::Arc;

/// A statement that reads or changes rows.
#[derive(Clone)]
pub enum Plan {
    /// SELECT.
    Select(Select),
    /// INSERT.
    Insert(Insert),
    /// UPDATE, or DELETE if there are no assignments.
    Change(Change),
}

/// A plan and what a client may ask about it.
#[derive(Clone)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Types of the parameters.
    pub parameters: Vec<Type>,
    /// The columns of the result; none for statements without one.
    pub fields: Vec<Field>,
    /// Their types.
    pub types: Vec<Type>,
}

/// Rows of one table, or one row of no columns.
#[derive(Clone)]
pub struct Select {
    /// The table.
    pub scan: Option<Scan>,
    /// What is returned.
    pub output: Output,
}

/// What a SELECT returns.
#[derive(Clone)]
pub enum Output {
    /// A row for each row.
    Rows(Vec<Expr>),
    /// One row for all rows.
    Aggregates(Vec<Aggregate>),
}

/// An aggregate function and its argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// `count(*)`
    CountRows,
    /// `count(x)`: those that are not NULL.
    Count(Expr),
    /// `sum(x)` of int2 and int4.
    Sum(Expr),
    /// `min(x)`
    Min(Expr),
    /// `max(x)`
    Max(Expr),
}

/// Where rows come from.
#[derive(Clone)]
pub struct Scan {
    /// The table.
    pub table: Arc<Table>,
    /// The index lookup, if there is one.
    pub probe: Option<Probe>,
    /// The condition.
    pub filter: Option<Expr>,
}

/// A lookup in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Which index of the table.
    pub index: usize,
    /// Values of its first columns.
    pub key: Vec<Expr>,
}

/// INSERT ... VALUES.
#[derive(Clone)]
pub struct Insert {
    /// The table.
    pub table: Arc<Table>,
    /// For each row, a value for each column of the table.
    pub rows: Vec<Vec<Expr>>,
}

/// UPDATE or DELETE.
#[derive(Clone)]
pub struct Change {
    /// The rows.
    pub scan: Scan,
    /// New values of columns, or nothing: delete the row.
    pub assignments: Option<Vec<(usize, Expr)>>,
}

impl Plan {
    /// The table that is locked, and true if rows are changed.
    pub fn table(&self) -> Option<(&Arc<Table>, bool)> {
        match self {
            Plan::Select(select) => select.scan.as_ref().map(|scan| (&scan.table, false)),
            Plan::Insert(insert) => Some((&insert.table, true)),
            Plan::Change(change) => Some((&change.scan.table, true)),
        }
    }
}

/// Plans a statement, or returns `None` if it is not one that reads or changes rows. `declared` are
/// types that the client gave to the first parameters; `None` lets the planner infer them.
///
/// # Errors
/// What [`Binder`] returns; `42P01` for a table that does not exist; `0A000`.
pub fn plan(
    catalog: &Catalog,
    statement: &ast::Statement,
    declared: &[Option<Type>],
) -> Result<Option<Planned>, SqlError> {
    let mut parameters = declared.to_vec();
    let (plan, names) = match statement {
        ast::Statement::Query(query) => {
            let (select, columns) = plan_select(catalog, query, &mut parameters)?;
            (Plan::Select(select), columns)
        }
        ast::Statement::Insert(insert) => {
            (Plan::Insert(plan_insert(catalog, insert, &mut parameters)?), Vec::new())
        }
        ast::Statement::Update(update) => {
            (Plan::Change(plan_update(catalog, update, &mut parameters)?), Vec::new())
        }
        ast::Statement::Delete(delete) => {
            (Plan::Change(plan_delete(catalog, delete, &mut parameters)?), Vec::new())
        }
        _ => return Ok(None),
    };

    let field = |(name, base): &(String, Type)| Field {
        name: name.clone(),
        type_oid: base.oid(),
        size: base.size(),
        modifier: -1,
    };
    Ok(Some(Planned {
        plan,
        parameters: parameters.into_iter().map(|it| it.unwrap_or(Type::Text)).collect(),
        fields: names.iter().map(field).collect(),
        types: names.iter().map(|(_, base)| *base).collect(),
    }))
}

/// Refuses a statement of which something was not understood.
fn check_understood(whole: &impl Display, understood: &str) -> Result<(), SqlError> {
    if whole.to_string() == understood {
        return Ok(());
    }
    Err(SqlError::unsupported("this form of the statement")
        .detail(format!("Understood was only: {understood}")))
}

fn where_clause(selection: &Option<ast::Expr>) -> String {
    selection.as_ref().map_or(String::new(), |it| format!(" WHERE {it}"))
}

fn listed<T: Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// The table of a FROM clause and its alias.
fn source(
    catalog: &Catalog,
    from: &ast::TableWithJoins,
) -> Result<(Arc<Table>, Option<String>), SqlError> {
    let ast::TableFactor::Table { name, alias, .. } = &from.relation else {
        return Err(SqlError::unsupported(format!("FROM {from}")));
    };
    let table = Arc::clone(catalog.table(&table_name(name)?)?);
    let alias_text = alias.as_ref().map_or(String::new(), |it| format!(" {it}"));
    check_understood(from, &format!("{name}{alias_text}"))?;
    match alias {
        Some(alias) if !alias.columns.is_empty() => {
            Err(SqlError::unsupported("an alias with columns"))
        }
        alias => Ok((table, alias.as_ref().map(|it| folded(&it.name)))),
    }
}

fn scan(
    table: Arc<Table>,
    alias: Option<String>,
    condition: &Option<ast::Expr>,
    parameters: &mut Vec<Option<Type>>,
) -> Result<Scan, SqlError> {
    let mut binder = Binder { table: Some(&table), alias, parameters };
    let filter = condition.as_ref().map(|it| binder.boolean(it, "WHERE")).transpose()?;
    let probe = filter.as_ref().and_then(|filter| probe(&table, filter));
    Ok(Scan { table, probe, filter })
}

/// The index whose first columns the condition fixes; of several, the one with the most.
fn probe(table: &Table, filter: &Expr) -> Option<Probe> {
    let mut fixed = Vec::new();
    fixed_columns(filter, &mut fixed);
    let key_of = |(index, it): (usize, &super::catalog::TableIndex)| {
        let value = |column: &usize| fixed.iter().find(|(fixed, _)| fixed == column);
        let key: Vec<Expr> = it.columns.iter().map_while(value).map(|it| it.1.clone()).collect();
        (!key.is_empty()).then_some(Probe { index, key })
    };
    table.indexes.iter().enumerate().filter_map(key_of).max_by_key(|probe| probe.key.len())
}

/// Columns that every row which meets the condition has with a known value.
fn fixed_columns(condition: &Expr, fixed: &mut Vec<(usize, Expr)>) {
    match condition {
        Expr::And(left, right) => {
            fixed_columns(left, fixed);
            fixed_columns(right, fixed);
        }
        Expr::Compare(Comparison::Eq, left, right, _) => match (&**left, &**right) {
            (Expr::Column(column), value) | (value, Expr::Column(column))
                if value.is_constant() =>
            {
                fixed.push((*column, value.clone()));
            }
            _ => {}
        },
        _ => {}
    }
}

type Columns = Vec<(String, Type)>;

fn plan_select(
    catalog: &Catalog,
    query: &ast::Query,
    parameters: &mut Vec<Option<Type>>,
) -> Result<(Select, Columns), SqlError> {
    let SetExpr::Select(select) = &*query.body else {
        return Err(SqlError::unsupported(format!("the query {}", query.body)));
    };
    let from = match &select.from[..] {
        [] => String::new(),
        from => format!(" FROM {}", listed(from)),
    };
    let items = listed(&select.projection);
    check_understood(query, &format!("SELECT {items}{from}{}", where_clause(&select.selection)))?;

    let (scan, alias) = match &select.from[..] {
        [] if select.selection.is_some() => {
            return Err(SqlError::unsupported("WHERE without FROM"));
        }
        [] => (None, None),
        [one] => {
            let (table, alias) = source(catalog, one)?;
            (Some(scan(table, alias.clone(), &select.selection, parameters)?), alias)
        }
        _ => return Err(SqlError::unsupported("a join")),
    };

    let table = scan.as_ref().map(|scan| &*scan.table);
    let mut binder = Binder { table, alias, parameters };
    let (output, columns) = match select.projection.iter().any(is_aggregate) {
        true => {
            let bound = select.projection.iter().map(|item| aggregate(&mut binder, item));
            let (aggregates, columns) = bound.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
            (Output::Aggregates(aggregates), columns)
        }
        false => {
            let (exprs, columns) = projection(&mut binder, &select.projection)?;
            (Output::Rows(exprs), columns)
        }
    };
    Ok((Select { scan, output }, columns))
}

/// The expressions of a select list, and their names.
fn projection(
    binder: &mut Binder<'_>,
    items: &[SelectItem],
) -> Result<(Vec<Expr>, Columns), SqlError> {
    let (mut exprs, mut columns) = (Vec::new(), Vec::new());
    for item in items {
        if let SelectItem::Wildcard(_) = item {
            let table = binder.table.ok_or_else(|| {
                SqlError::new(code::SYNTAX_ERROR, "SELECT * with no tables specified is not valid")
            })?;
            check_understood(item, "*")?;
            for (position, column) in table.columns.iter().enumerate() {
                exprs.push(Expr::Column(position));
                columns.push((column.name.clone(), column.column_type.base));
            }
            continue;
        }
        let (expr, name) = named(item)?;
        let (bound, base) = binder.bind(expr, None)?;
        exprs.push(bound);
        columns.push((name, base));
    }
    Ok((exprs, columns))
}

/// An expression of a select list and the name of its column, as PostgreSQL's `FigureColname`.
fn named(item: &SelectItem) -> Result<(&ast::Expr, String), SqlError> {
    match item {
        SelectItem::ExprWithAlias { expr, alias } => Ok((expr, folded(alias))),
        SelectItem::UnnamedExpr(expr) => {
            let name = match expr {
                ast::Expr::Identifier(name) => folded(name),
                ast::Expr::CompoundIdentifier(parts) => {
                    parts.last().map(folded).unwrap_or_default()
                }
                ast::Expr::Function(call) => call.name.to_string().to_lowercase(),
                ast::Expr::Value(literal) if matches!(literal.value, ast::Value::Boolean(_)) => {
                    "bool".to_owned()
                }
                _ => "?column?".to_owned(),
            };
            Ok((expr, name))
        }
        item => Err(SqlError::unsupported(format!("the select item {item}"))),
    }
}

/// Returns true for a call of an aggregate function.
fn is_aggregate(item: &SelectItem) -> bool {
    let Ok((ast::Expr::Function(call), _)) = named(item) else { return false };
    let name = call.name.to_string().to_lowercase();
    ["count", "sum", "min", "max"].contains(&name.as_str())
}

fn aggregate(
    binder: &mut Binder<'_>,
    item: &SelectItem,
) -> Result<(Aggregate, (String, Type)), SqlError> {
    let unsupported = || SqlError::unsupported(format!("{item} beside an aggregate"));
    let (ast::Expr::Function(call), column) = named(item)? else { return Err(unsupported()) };
    let function = call.name.to_string().to_lowercase();
    let ast::FunctionArguments::List(list) = &call.args else { return Err(unsupported()) };
    let [ast::FunctionArg::Unnamed(argument)] = &list.args[..] else { return Err(unsupported()) };
    check_understood(call, &format!("{}({argument})", call.name))?;

    let expr = match (function.as_str(), argument) {
        ("count", ast::FunctionArgExpr::Wildcard) => {
            return Ok((Aggregate::CountRows, (column, Type::Int8)));
        }
        (_, ast::FunctionArgExpr::Expr(expr)) => expr,
        _ => return Err(unsupported()),
    };
    let (bound, base) = binder.bind(expr, None)?;
    let (aggregate, result) = match (function.as_str(), base) {
        ("count", _) => (Aggregate::Count(bound), Type::Int8),
        ("sum", Type::Int2 | Type::Int4) => (Aggregate::Sum(bound), Type::Int8),
        // PostgreSQL has no min and max of bool.
        ("min", base) if base != Type::Bool => (Aggregate::Min(bound), base),
        ("max", base) if base != Type::Bool => (Aggregate::Max(bound), base),
        (_, base) => {
            return Err(SqlError::unsupported(format!("{function} of {}", base.name())));
        }
    };
    Ok((aggregate, (column, result)))
}

fn plan_insert(
    catalog: &Catalog,
    insert: &ast::Insert,
    parameters: &mut Vec<Option<Type>>,
) -> Result<Insert, SqlError> {
    let ast::TableObject::TableName(name) = &insert.table else {
        return Err(SqlError::unsupported(format!("INSERT INTO {}", insert.table)));
    };
    let source = insert.source.as_ref().map(|query| (&*query.body, query.to_string()));
    let Some((SetExpr::Values(values), source)) = source else {
        return Err(SqlError::unsupported("INSERT without VALUES"));
    };
    let columns = match insert.columns.is_empty() {
        true => String::new(),
        false => format!(" ({})", listed(&insert.columns)),
    };
    check_understood(insert, &format!("INSERT INTO {name}{columns} {source}"))?;
    let rows = values.rows.iter().map(|row| format!("({})", listed(row)));
    let rows = rows.collect::<Vec<_>>().join(", ");
    check_understood(&source, &format!("VALUES {rows}"))?;

    let table = Arc::clone(catalog.table(&table_name(name)?)?);
    let names = insert.columns.iter().map(table_name).collect::<Result<Vec<_>, _>>()?;
    let positions = target_columns(&table, &names)?;
    let rows = values
        .rows
        .iter()
        .map(|row| bind_row(&table, &positions, row, !names.is_empty(), &mut *parameters));
    let rows = rows.collect::<Result<_, _>>()?;
    Ok(Insert { table, rows })
}

/// One row of VALUES as a value for each column of the table.
fn bind_row(
    table: &Table,
    positions: &[usize],
    row: &[ast::Expr],
    is_list_given: bool,
    parameters: &mut Vec<Option<Type>>,
) -> Result<Vec<Expr>, SqlError> {
    if row.len() > positions.len() {
        let text = "INSERT has more expressions than target columns";
        return Err(SqlError::new(code::SYNTAX_ERROR, text));
    }
    if row.len() < positions.len() && is_list_given {
        let text = "INSERT has more target columns than expressions";
        return Err(SqlError::new(code::SYNTAX_ERROR, text));
    }

    let mut exprs = vec![Expr::Constant(Value::Null); table.columns.len()];
    let mut binder = Binder { table: None, alias: None, parameters };
    for (position, expr) in positions.iter().zip(row) {
        let column = &table.columns[*position];
        exprs[*position] = binder.assigned(expr, &column.name, column.column_type)?;
    }
    Ok(exprs)
}

/// Positions of the named columns, or of all.
///
/// # Errors
/// `42703` or `42701`.
pub fn target_columns(table: &Table, names: &[String]) -> Result<Vec<usize>, SqlError> {
    if names.is_empty() {
        return Ok((0..table.columns.len()).collect());
    }
    let mut positions = Vec::new();
    for name in names {
        let position = table.columns.iter().position(|column| column.name == *name);
        let position = position.ok_or_else(|| {
            let text = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
            SqlError::new(code::UNDEFINED_COLUMN, text)
        })?;
        if positions.contains(&position) {
            let text = format!("column \"{name}\" specified more than once");
            return Err(SqlError::new(code::DUPLICATE_COLUMN, text));
        }
        positions.push(position);
    }
    Ok(positions)
}

fn plan_update(
    catalog: &Catalog,
    update: &ast::Update,
    parameters: &mut Vec<Option<Type>>,
) -> Result<Change, SqlError> {
    let assignments = listed(&update.assignments);
    let condition = where_clause(&update.selection);
    check_understood(update, &format!("UPDATE {} SET {assignments}{condition}", update.table))?;

    let (table, alias) = source(catalog, &update.table)?;
    let mut names = Vec::new();
    for assignment in &update.assignments {
        let ast::AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(SqlError::unsupported(format!("the assignment {assignment}")));
        };
        names.push(table_name(name)?);
    }
    let positions = target_columns(&table, &names)?;

    let mut binder = Binder { table: Some(&table), alias: alias.clone(), parameters };
    let mut assigned = Vec::new();
    for (position, assignment) in positions.into_iter().zip(&update.assignments) {
        let column = &table.columns[position];
        let value = binder.assigned(&assignment.value, &column.name, column.column_type)?;
        assigned.push((position, value));
    }
    let scan = scan(Arc::clone(&table), alias, &update.selection, parameters)?;
    Ok(Change { scan, assignments: Some(assigned) })
}

fn plan_delete(
    catalog: &Catalog,
    delete: &ast::Delete,
    parameters: &mut Vec<Option<Type>>,
) -> Result<Change, SqlError> {
    let ast::FromTable::WithFromKeyword(from) = &delete.from else {
        return Err(SqlError::unsupported("DELETE without FROM"));
    };
    let condition = where_clause(&delete.selection);
    check_understood(delete, &format!("DELETE FROM {}{condition}", listed(from)))?;
    let [from] = &from[..] else { return Err(SqlError::unsupported("DELETE from several tables")) };
    let (table, alias) = source(catalog, from)?;
    let scan = scan(table, alias, &delete.selection, parameters)?;
    Ok(Change { scan, assignments: None })
}
