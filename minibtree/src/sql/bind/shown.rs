//! Expressions that the catalog stores: DEFAULT, CHECK and indexes, as written and as shown.
//!
//! ```text
//! b varchar DEFAULT 'x' CHECK (b <> '')      'x'::character varying      ((b)::text <> ''::text)
//! ```
//!
//! PostgreSQL stores the bound tree and prints it on demand (`pg_get_expr`).

use super::coerce::implicit;
use super::expression::expression;
use super::level::Binder;
use super::write::{condition, index_expression};
use crate::sql::catalog::{Catalog, Stored, Table};
use crate::sql::tree::{Deparser, Expr};
use crate::sql::values::{ColumnType, Type};
use crate::wire::Result;
use sqlparser::ast;
use std::sync::Arc;

/// The default of a column. A literal has the column's type; another expression keeps its own.
///
/// # Errors
/// Those of binding the expression.
pub fn shown_default(catalog: &Catalog, expr: &ast::Expr, to: ColumnType) -> Result<Stored> {
    let mut binder = Binder { keeps_casts: true, ..Binder::new(catalog, &[]) };
    let typed = binder.inside("DEFAULT expressions", |binder| expression(binder, expr))?;
    let bound = match typed.base() {
        Type::Unknown => implicit(&mut binder, typed, to.base)?,
        _ => typed.expr,
    };
    let name_of = &|base, number| catalog.name_of(base, number);
    let shown = Deparser { name_of, names: &[], subplan: None }.text(&bound);
    Stored::read(expr.to_string(), shown)
}

/// A CHECK or an index predicate, and the positions of the columns that it uses.
///
/// # Errors
/// Those of binding the condition.
pub fn shown_condition(
    catalog: &Catalog,
    table: &Arc<Table>,
    expr: &ast::Expr,
    clause: &'static str,
) -> Result<(Stored, Vec<usize>)> {
    let mut binder = Binder { keeps_casts: true, ..Binder::new(catalog, &[]) };
    let bound = condition(&mut binder, table, expr, clause)?;
    let mut used = bound.positions();
    used.sort_unstable();
    used.dedup();
    Ok((stored(catalog, table, expr, &bound)?, used))
}

/// An expression of an index, and its type.
///
/// # Errors
/// Those of binding the expression.
pub fn shown_expression(
    catalog: &Catalog,
    table: &Arc<Table>,
    expr: &ast::Expr,
) -> Result<(Stored, Type)> {
    let mut binder = Binder { keeps_casts: true, ..Binder::new(catalog, &[]) };
    let bound = index_expression(&mut binder, table, expr)?;
    Ok((stored(catalog, table, expr, &bound.expr)?, bound.base()))
}

fn stored(catalog: &Catalog, table: &Table, expr: &ast::Expr, bound: &Expr) -> Result<Stored> {
    let names: Vec<String> = table.columns.iter().map(|it| it.name.clone()).collect();
    let name_of = &|base, number| catalog.name_of(base, number);
    let shown = Deparser { name_of, names: &[&names], subplan: None }.text(bound);
    Stored::read(expr.to_string(), shown)
}
