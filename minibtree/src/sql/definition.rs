//! Statements that change the catalog: CREATE TABLE, DROP TABLE, TRUNCATE, ADD PRIMARY KEY.
//!
//! Each runs in a transaction that holds the lock of the catalog, so one transaction at a time
//! changes it, and locks the table in mode `Update`, so that nobody reads it meanwhile. All of them
//! can be rolled back:
//!
//! ```text
//! BEGIN
//! TRUNCATE t      t gets a new, empty heap; the old one stays on disk
//! COPY t ...      into the new heap
//! COMMIT          others see the new heap; the old file goes
//! ```
//!
//! A primary key of a table with rows is built from a sorted list of its keys, leaf after leaf,
//! which is why pgbench adds its keys after loading. PostgreSQL's `tablecmds.c` and `index.c`.

use super::catalog::{Catalog, Column, Editor, Table, TableIndex, undefined_table};
use super::execute::{key_of, key_text};
use super::plan::target_columns;
use super::statement::{folded, table_name};
use super::types::{ColumnType, Type};
use super::{Value, row};
use crate::engine::{self, Error, LockMode, LockWait};
use crate::wire::{Replies, Severity, SqlError, code};
use sqlparser::ast::{self, ColumnOption, TableConstraint};
use std::sync::Arc;

/// The longest `char(n)` and `varchar(n)`: PostgreSQL's limit.
const LENGTH_MAX: u64 = 10_485_760;

/// Executes a statement that changes the catalog, and returns its tag; `None` if it is another
/// statement.
///
/// # Errors
/// `42P01`, `42P07`, `42703`, `23502`, `23505`; `0A000` for what is not supported.
pub fn execute(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    statement: &ast::Statement,
    out: &mut Replies,
) -> Result<Option<&'static str>, SqlError> {
    match statement {
        ast::Statement::CreateTable(create) => {
            create_table(editor, catalog, create, out)?;
            Ok(Some("CREATE TABLE"))
        }
        ast::Statement::Drop {
            object_type: ast::ObjectType::Table,
            if_exists,
            names,
            cascade,
            ..
        } => {
            if *cascade {
                return Err(SqlError::unsupported("DROP TABLE CASCADE"));
            }
            drop_tables(editor, catalog, names, *if_exists, out)?;
            Ok(Some("DROP TABLE"))
        }
        ast::Statement::Truncate(truncate) => {
            let names = truncate.table_names.iter().map(|it| it.to_string()).collect::<Vec<_>>();
            let table = if truncate.table { "TABLE " } else { "" };
            check_understood(truncate, &format!("TRUNCATE {table}{}", names.join(", ")))?;
            for target in &truncate.table_names {
                let table = catalog.table(&table_name(&target.name)?)?;
                lock(editor, table)?;
                editor.truncate(table)?;
            }
            Ok(Some("TRUNCATE TABLE"))
        }
        ast::Statement::AlterTable(alter) => {
            alter_table(editor, catalog, alter)?;
            Ok(Some("ALTER TABLE"))
        }
        _ => Ok(None),
    }
}

/// Returns true for the statements that [`execute`] knows.
pub fn is_definition(statement: &ast::Statement) -> bool {
    matches!(
        statement,
        ast::Statement::CreateTable(_)
            | ast::Statement::Drop { object_type: ast::ObjectType::Table, .. }
            | ast::Statement::Truncate(_)
            | ast::Statement::AlterTable(_)
    )
}

fn check_understood(whole: &impl std::fmt::Display, understood: &str) -> Result<(), SqlError> {
    match whole.to_string() == understood {
        true => Ok(()),
        false => Err(SqlError::unsupported(format!("{whole}"))),
    }
}

fn lock(editor: &mut Editor<'_>, table: &Table) -> Result<(), SqlError> {
    Ok(editor.transaction.lock_relation(table.oid, LockMode::Update, LockWait::Block)?)
}

fn create_table(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    create: &ast::CreateTable,
    out: &mut Replies,
) -> Result<(), SqlError> {
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

    if catalog.get(&name).is_some() {
        let exists =
            SqlError::new(code::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"));
        if create.if_not_exists {
            let notice = SqlError { message: format!("{}, skipping", exists.message), ..exists };
            out.error(&notice.severity(Severity::Notice));
            return Ok(());
        }
        return Err(exists);
    }

    let (columns, mut key) = columns_of(create)?;
    for constraint in &create.constraints {
        match primary_key(constraint)? {
            names if key.is_empty() => key = names,
            _ => return Err(several_keys(&name)),
        }
    }
    let oid = editor.create_table(&name, &columns)?;
    if !key.is_empty() {
        editor.transaction.next_statement();
        let snapshot = editor.transaction.snapshot();
        let catalog = Catalog::load(editor.database, &snapshot)?;
        let table = catalog.table(&name)?;
        debug_assert_eq!(table.oid, oid);
        add_primary_key(editor, table, &key, None)?;
    }
    Ok(())
}

fn several_keys(table: &str) -> SqlError {
    let text = format!("multiple primary keys for table \"{table}\" are not allowed");
    SqlError::new(code::INVALID_TABLE_DEFINITION, text)
}

/// The columns, and those that are declared PRIMARY KEY.
fn columns_of(create: &ast::CreateTable) -> Result<(Vec<Column>, Vec<String>), SqlError> {
    let (mut columns, mut key) = (Vec::<Column>::new(), Vec::new());
    for definition in &create.columns {
        let name = folded(&definition.name);
        if columns.iter().any(|column| column.name == name) {
            let text = format!("column \"{name}\" specified more than once");
            return Err(SqlError::new(code::DUPLICATE_COLUMN, text));
        }
        let mut not_null = false;
        for option in &definition.options {
            match &option.option {
                ColumnOption::Null => {}
                ColumnOption::NotNull => not_null = true,
                ColumnOption::PrimaryKey(_) if option.option.to_string() == "PRIMARY KEY" => {
                    if !key.is_empty() {
                        return Err(several_keys(&create.name.to_string()));
                    }
                    key.push(name.clone());
                }
                other => return Err(SqlError::unsupported(format!("{other}"))),
            }
        }
        let column_type = column_type(&definition.data_type)?;
        columns.push(Column { name, column_type, not_null });
    }
    Ok((columns, key))
}

fn column_type(name: &ast::DataType) -> Result<ColumnType, SqlError> {
    use ast::{CharacterLength, DataType};

    let with_length = |base: Type, length: &Option<CharacterLength>, default: Option<u64>| {
        let length = match length {
            None => default,
            Some(CharacterLength::IntegerLength { length, unit: None }) => Some(*length),
            Some(_) => return Err(SqlError::unsupported(format!("the type {name}"))),
        };
        match length {
            None => Ok(base.plain()),
            Some(length) if (1..=LENGTH_MAX).contains(&length) => {
                Ok(ColumnType { base, modifier: length as i32 + 4 })
            }
            Some(_) => {
                let text = format!("length for type {} must be 1 to {LENGTH_MAX}", base.name());
                Err(SqlError::new("22023", text))
            }
        }
    };
    Ok(match name {
        DataType::Bool | DataType::Boolean => Type::Bool.plain(),
        DataType::SmallInt(None) | DataType::Int2(None) => Type::Int2.plain(),
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => Type::Int4.plain(),
        DataType::BigInt(None) | DataType::Int8(None) => Type::Int8.plain(),
        DataType::Text => Type::Text.plain(),
        DataType::Varchar(length) | DataType::CharacterVarying(length) => {
            with_length(Type::Varchar, length, None)?
        }
        DataType::Char(length) | DataType::Character(length) => {
            with_length(Type::Bpchar, length, Some(1))?
        }
        DataType::Timestamp(None, ast::TimezoneInfo::None | ast::TimezoneInfo::WithoutTimeZone) => {
            Type::Timestamp.plain()
        }
        DataType::Timestamp(None, ast::TimezoneInfo::WithTimeZone | ast::TimezoneInfo::Tz) => {
            Type::TimestampTz.plain()
        }
        other => return Err(SqlError::unsupported(format!("the type {other}"))),
    })
}

fn drop_tables(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    names: &[ast::ObjectName],
    if_exists: bool,
    out: &mut Replies,
) -> Result<(), SqlError> {
    for name in names {
        let name = table_name(name)?;
        match catalog.get(&name) {
            Some(table) => {
                lock(editor, table)?;
                editor.drop_table(table)?;
            }
            None if if_exists => {
                let text = format!("table \"{name}\" does not exist, skipping");
                let notice = SqlError::new(code::SUCCESSFUL_COMPLETION, text);
                out.error(&notice.severity(Severity::Notice));
            }
            None => {
                let text = format!("table \"{name}\" does not exist");
                return Err(SqlError { message: text, ..undefined_table(&name) });
            }
        }
    }
    Ok(())
}

fn alter_table(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    alter: &ast::AlterTable,
) -> Result<(), SqlError> {
    let [ast::AlterTableOperation::AddConstraint { constraint, .. }] = &alter.operations[..] else {
        return Err(SqlError::unsupported(format!("{alter}")));
    };
    check_understood(alter, &format!("ALTER TABLE {} ADD {constraint}", alter.name))?;

    let table = Arc::clone(catalog.table(&table_name(&alter.name)?)?);
    let key = primary_key(constraint)?;
    if table.indexes.iter().any(|it| it.is_primary) {
        return Err(several_keys(&table.name));
    }
    let name = match constraint {
        TableConstraint::PrimaryKey(it) => it.name.as_ref().map(folded),
        _ => None,
    };
    lock(editor, &table)?;
    add_primary_key(editor, &table, &key, name)
}

/// The columns of a PRIMARY KEY constraint.
fn primary_key(constraint: &TableConstraint) -> Result<Vec<String>, SqlError> {
    let TableConstraint::PrimaryKey(key) = constraint else {
        return Err(SqlError::unsupported(format!("the constraint {constraint}")));
    };
    let columns: Vec<String> = key.columns.iter().map(ToString::to_string).collect();
    let name = key.name.as_ref().map_or(String::new(), |name| format!("CONSTRAINT {name} "));
    check_understood(constraint, &format!("{name}PRIMARY KEY ({})", columns.join(", ")))?;
    let names = key.columns.iter().map(|column| match &column.column.expr {
        ast::Expr::Identifier(name) if column.to_string() == name.to_string() => Ok(folded(name)),
        _ => Err(SqlError::unsupported(format!("the key column {column}"))),
    });
    names.collect()
}

/// Adds the primary key and fills it with the rows of the table.
fn add_primary_key(
    editor: &mut Editor<'_>,
    table: &Table,
    key: &[String],
    name: Option<String>,
) -> Result<(), SqlError> {
    let columns = target_columns(table, key)?;
    let name = name.unwrap_or_else(|| format!("{}_pkey", table.name));
    editor.set_not_null(table, &columns)?;
    let index = editor.add_index(table.oid, &name, &columns)?;

    // All rows are read before the first is written: the build needs the transaction itself.
    editor.transaction.next_statement();
    let mut rows = table.heap.scan(editor.transaction.snapshot());
    let mut entries = Vec::new();
    while let Some(found) = rows.next()? {
        let values = row::decode(&table.types, found.bytes)?;
        if let Some(column) = columns.iter().find(|column| values[**column] == Value::Null) {
            let column = &table.columns[*column].name;
            let text =
                format!("column \"{column}\" of relation \"{}\" contains null values", table.name);
            return Err(SqlError::new(code::NOT_NULL_VIOLATION, text));
        }
        entries.push((key_of(table, &columns, &values), found.tid));
    }

    let entry = |(key, tid)| Ok::<_, engine::Error>((key, table.heap.root(tid)?, Vec::new()));
    let built = index.build(editor.transaction, true, entries.into_iter().map(entry));
    built.map_err(|error| match error {
        Error::UniqueViolation { existing } => {
            let index = TableIndex { name, index: index.clone(), is_primary: true, columns };
            duplicate(table, &index, existing)
        }
        error => error.into(),
    })
}

/// The error for a key that two rows of a table have.
fn duplicate(table: &Table, index: &TableIndex, row: crate::format::Tid) -> SqlError {
    let text = format!("could not create unique index \"{}\"", index.name);
    let error = SqlError::new(code::UNIQUE_VIOLATION, text);
    let mut bytes = Vec::new();
    match table.heap.fetch_version(row, &mut bytes) {
        Ok(true) => match row::decode(&table.types, &bytes) {
            Ok(values) => {
                error.detail(format!("Key {} is duplicated.", key_text(table, index, &values)))
            }
            Err(_) => error,
        },
        _ => error,
    }
}
