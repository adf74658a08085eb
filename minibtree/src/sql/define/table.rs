//! CREATE TABLE. PostgreSQL's `transformCreateStmt` (`parse_utilcmd.c`) and `tablecmds.c`.

use super::alter::add_constraint;
use super::{is_there, reload};
use crate::sql::bind;
use crate::sql::catalog::{Catalog, Column, Editor, Identity, Stored};
use crate::sql::execute::Context;
use crate::sql::functions::quoted;
use crate::sql::statement::{check_understood, column_type, new_name, serial_type, table_name};
use crate::wire::{Replies, Result, SqlError, code};
use minibtree_schema::free_name;
use sqlparser::ast::{self, ColumnOption, GeneratedAs, TableConstraint};

/// What the column definitions of a CREATE TABLE or ADD COLUMN amount to.
#[derive(Default)]
pub struct Definition {
    pub columns: Vec<Column>,
    /// Constraints, in the order in which they are added.
    pub constraints: Vec<TableConstraint>,
    /// Sequences, by the positions of their columns.
    pub sequences: Vec<(usize, String)>,
}

/// Creates a table.
///
/// # Errors
/// `42P07`, `42701`, `42P16`; `0A000`.
pub fn create(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    create: &ast::CreateTable,
    context: &Context,
    out: &mut Replies,
) -> Result<()> {
    let name = table_name(&create.name)?;
    let columns = create.columns.iter().map(ToString::to_string);
    let constraints = create.constraints.iter().map(ToString::to_string);
    let items = columns.chain(constraints).collect::<Vec<_>>().join(", ");
    // Storage parameters (fillfactor) are accepted and change nothing.
    let options = match &create.table_options {
        ast::CreateTableOptions::With(options) => {
            let options: Vec<String> = options.iter().map(ToString::to_string).collect();
            format!(" WITH ({})", options.join(", "))
        }
        _ => String::new(),
    };
    let if_not_exists = if create.if_not_exists { "IF NOT EXISTS " } else { "" };
    let understood = format!("CREATE TABLE {if_not_exists}{} ({items}){options}", create.name);
    check_understood(create, &understood)?;

    if is_there(catalog, &name, create.if_not_exists, out)? {
        return Ok(());
    }

    let mut definition = Definition::default();
    for column in &create.columns {
        add_column(catalog, &name, &mut definition, column)?;
    }
    // Keys first: a foreign key may refer to the table itself.
    let all = std::mem::take(&mut definition.constraints);
    let all = all.into_iter().chain(create.constraints.iter().cloned());
    let (keys, others): (Vec<_>, Vec<_>) = all
        .partition(|it| matches!(it, TableConstraint::PrimaryKey(_) | TableConstraint::Unique(_)));

    let oid = editor.create_table(&name, &definition.columns)?;
    for (_, sequence) in &definition.sequences {
        editor.add_sequence(sequence, oid)?;
    }
    for constraint in keys.iter().chain(&others) {
        let current = reload(editor)?;
        let table = current.table(&name)?.clone();
        add_constraint(editor, &current, &table, constraint, context)?;
    }
    check_defaults(&reload(editor)?, &name)
}

/// Binds the defaults once, so that CREATE TABLE reports wrong ones, not the first INSERT.
fn check_defaults(catalog: &Catalog, name: &str) -> Result<()> {
    use crate::sql::bind::{Binder, insert_write};

    let mut binder = Binder::new(catalog, &[]);
    insert_write(&mut binder, catalog.table(name)?, &[]).map(drop)
}

/// Reads the definition of a column.
pub fn add_column(
    catalog: &Catalog,
    table: &str,
    definition: &mut Definition,
    column: &ast::ColumnDef,
) -> Result<()> {
    let name = new_name(&column.name)?;
    if definition.columns.iter().any(|it| it.name == name) {
        return Err(error!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once"));
    }
    let has = |wanted| column.options.iter().any(|it| it.option == wanted);
    if has(ColumnOption::Null) && has(ColumnOption::NotNull) {
        let what = "conflicting NULL/NOT NULL declarations for column";
        return Err(error!(SYNTAX_ERROR, "{what} \"{name}\" of table \"{table}\""));
    }
    let serial = serial_type(&column.data_type);
    let column_type = match serial {
        Some(base) => base.plain(),
        None => column_type(&column.data_type)?,
    };
    if column_type.base.is_object() || column_type.base.element().is_some() {
        return Err(unsupported!("a column of the type {}", column_type.base.name()));
    }
    let mut new =
        Column { name, column_type, not_null: false, default: None, identity: Identity::None };
    if serial.is_some() {
        add_sequence(catalog, table, definition, &mut new)?;
    }
    for option in &column.options {
        add_option(catalog, table, definition, &mut new, option)?;
    }
    if definition.columns.len() == 1600 {
        return Err(error!(TOO_MANY_COLUMNS, "tables can have at most 1600 columns"));
    }
    definition.columns.push(new);
    Ok(())
}

/// The default that takes the next number of a sequence.
pub fn next_value(sequence: &str) -> String {
    format!("nextval('{}'::regclass)", quoted(sequence).replace('\'', "''"))
}

fn add_sequence(
    catalog: &Catalog,
    table: &str,
    definition: &mut Definition,
    column: &mut Column,
) -> Result<()> {
    let columns = std::slice::from_ref(&column.name);
    let sequence = free_name(table, columns, "seq", |name| catalog.has_relation(name));
    column.not_null = true;
    let text = next_value(&sequence);
    column.default = Some(Stored::read(text.clone(), text)?);
    definition.sequences.push((definition.columns.len(), sequence));
    Ok(())
}

fn add_option(
    catalog: &Catalog,
    table: &str,
    definition: &mut Definition,
    column: &mut Column,
    option: &ast::ColumnOptionDef,
) -> Result<()> {
    let name = || option.name.clone();
    let ident = ast::Ident::with_quote('"', column.name.clone());
    let key = index_column(&ident);
    match &option.option {
        ColumnOption::Null => {}
        ColumnOption::NotNull => column.not_null = true,
        ColumnOption::Default(expr) => {
            if column.default.is_some() {
                let text = "multiple default values specified for column";
                return Err(error!(
                    SYNTAX_ERROR,
                    "{text} \"{}\" of table \"{table}\"", column.name
                ));
            }
            let default = bind::shown_default(catalog, expr, column.column_type)?;
            // DEFAULT NULL is the same as no default.
            column.default = Some(default).filter(|it| !it.shown.starts_with("NULL::"));
        }
        ColumnOption::PrimaryKey(it) => {
            definition.constraints.push(TableConstraint::PrimaryKey(ast::PrimaryKeyConstraint {
                name: name(),
                columns: vec![key],
                ..it.clone()
            }))
        }
        ColumnOption::Unique(it) => {
            definition.constraints.push(TableConstraint::Unique(ast::UniqueConstraint {
                name: name(),
                columns: vec![key],
                ..it.clone()
            }))
        }
        ColumnOption::Check(it) => definition
            .constraints
            .push(TableConstraint::Check(ast::CheckConstraint { name: name(), ..it.clone() })),
        ColumnOption::ForeignKey(it) => {
            definition.constraints.push(TableConstraint::ForeignKey(ast::ForeignKeyConstraint {
                name: name(),
                columns: vec![ident],
                ..it.clone()
            }))
        }
        ColumnOption::Generated {
            generated_as: as_ @ (GeneratedAs::Always | GeneratedAs::ByDefault),
            sequence_options,
            generation_expr: None,
            ..
        } if sequence_options.as_ref().is_none_or(Vec::is_empty) => {
            if !column.column_type.base.is_integer() {
                let text = "identity column type must be smallint, integer, or bigint";
                return Err(SqlError::new(code::INVALID_PARAMETER_VALUE, text));
            }
            add_sequence(catalog, table, definition, column)?;
            let is_always = matches!(as_, GeneratedAs::Always);
            column.identity = if is_always { Identity::Always } else { Identity::ByDefault };
        }
        other => return Err(unsupported!("{other}")),
    }
    Ok(())
}

/// A column of a key, as it would be written in a constraint of the table.
fn index_column(name: &ast::Ident) -> ast::IndexColumn {
    let expr = ast::Expr::Identifier(name.clone());
    let options = ast::OrderByOptions { sort: None, nulls_first: None };
    let column = ast::OrderByExpr { expr, options, with_fill: None };
    ast::IndexColumn { column, operator_class: None }
}
