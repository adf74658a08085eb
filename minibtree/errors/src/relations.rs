//! Errors and notices about relations, columns and constraints, in PostgreSQL's words.
//!
//! ```
//! use minibtree_errors::relations::undefined_column;
//!
//! assert_eq!(undefined_column("a").message, "column \"a\" does not exist");
//! assert_eq!(undefined_column("ctid").code, "0A000");
//! ```
//!
//! PostgreSQL's `parse_relation.c`, `dependency.c`, `ri_triggers.c`.

use crate::{Severity, SqlError, code, error, unsupported};

const SYSTEM_COLUMNS: [&str; 6] = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];

/// `42P01`; `0A000` for a relation of the system, which PostgreSQL may have.
pub fn undefined_table(name: &str) -> SqlError {
    if name.starts_with("pg_") {
        return unsupported!("the relation \"{name}\"");
    }
    error!(UNDEFINED_TABLE, "relation \"{name}\" does not exist")
}

/// `42703` for `a` or `t.a`; `0A000` for a system column.
pub fn undefined_column(name: &str) -> SqlError {
    let (qualifier, column) = name.rsplit_once('.').unwrap_or(("", name));
    match qualifier {
        _ if SYSTEM_COLUMNS.contains(&column) => unsupported!("the system column {name}"),
        "" => error!(UNDEFINED_COLUMN, "column \"{name}\" does not exist"),
        _ => error!(UNDEFINED_COLUMN, "column {name} does not exist"),
    }
}

/// `42710`: the table has a constraint of this name.
pub fn constraint_exists(name: &str, table: &str) -> SqlError {
    error!(DUPLICATE_OBJECT, "constraint \"{name}\" for relation \"{table}\" already exists")
}

/// `42P01`: no relation of a query has this name, but its table may have an alias there.
pub fn missing_relation(name: &str, alias: Option<&str>) -> SqlError {
    let Some(alias) = alias else {
        return error!(UNDEFINED_TABLE, "missing FROM-clause entry for table \"{name}\"");
    };
    error!(UNDEFINED_TABLE, "invalid reference to FROM-clause entry for table \"{name}\"")
        .hint(format!("Perhaps you meant to reference the table alias \"{alias}\"."))
}

/// `428C9`: a column GENERATED ALWAYS AS IDENTITY gets a value.
pub fn is_generated(message: String, column: &str) -> SqlError {
    let detail = format!("Column \"{column}\" is an identity column defined as GENERATED ALWAYS.");
    SqlError::new("428C9", message).detail(detail)
}

/// `42804`: a foreign key whose columns, with their types, cannot be compared.
pub fn no_comparison(key: &str, (from, left): (&str, &str), (to, right): (&str, &str)) -> SqlError {
    let what = format!("Key columns \"{from}\" and \"{to}\" are of incompatible types");
    error!(DATATYPE_MISMATCH, "foreign key constraint \"{key}\" cannot be implemented")
        .detail(format!("{what}: {left} and {right}."))
}

/// `42830`: a foreign key refers to columns that are no key.
pub fn no_key(parent: &str) -> SqlError {
    let what = "there is no unique constraint matching given keys for referenced table";
    error!(INVALID_FOREIGN_KEY, "{what} \"{parent}\"")
}

/// `0A000`: TRUNCATE of a table that a foreign key of the child refers to.
pub fn is_referenced(table: &str, child: &str) -> SqlError {
    let what = "cannot truncate a table referenced in a foreign key constraint";
    let hint = format!("Truncate table \"{child}\" at the same time, or use TRUNCATE ... CASCADE.");
    SqlError::new(code::FEATURE_NOT_SUPPORTED, what)
        .detail(format!("Table \"{child}\" references \"{table}\"."))
        .hint(hint)
}

/// `2BP01`: DROP INDEX of the index of a constraint.
pub fn is_of_constraint(name: &str, table: &str) -> SqlError {
    let what = format!("constraint {name} on table {table}");
    let error = error!(
        DEPENDENT_OBJECTS_STILL_EXIST,
        "cannot drop index {name} because {what} requires it"
    );
    error.hint(format!("You can drop {what} instead."))
}

/// `2BP01`: dropping `what` would drop `needed`, which foreign keys of other tables need.
pub fn is_needed<'a>(
    what: &str,
    needed: &str,
    keys: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> SqlError {
    let line = |(key, child)| format!("constraint {key} on table {child} depends on {needed}");
    let lines: Vec<String> = keys.into_iter().map(line).collect();
    error!(DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop {what} because other objects depend on it")
        .detail(lines.join("\n"))
        .hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

/// The notice of a DROP IF EXISTS that has found nothing.
pub fn skipping(kind: &str, name: &str) -> SqlError {
    let text = format!("{kind} \"{name}\" does not exist, skipping");
    SqlError::new(code::SUCCESSFUL_COMPLETION, text).severity(Severity::Notice)
}

/// `23505`: another row has the key of a unique index. `shown` is like `(a)=(1)`.
pub fn duplicate_key(table: &str, index: &str, shown: &str) -> SqlError {
    error!(UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"{index}\"")
        .detail(format!("Key {shown} already exists."))
        .table(table)
        .constraint(index)
}

/// `23502`: a new row lacks a value. `row` is the DETAIL.
pub fn null_value(table: &str, column: &str, row: String) -> SqlError {
    let what = format!("null value in column \"{column}\" of relation \"{table}\"");
    let error = error!(NOT_NULL_VIOLATION, "{what} violates not-null constraint");
    error.detail(row).table(table).column(column)
}

/// `23502`: an existing row lacks a value.
pub fn has_nulls(table: &str, column: &str) -> SqlError {
    let what = format!("column \"{column}\" of relation \"{table}\"");
    let error = error!(NOT_NULL_VIOLATION, "{what} contains null values");
    error.table(table).column(column)
}

/// `23514`: a new row does not meet a CHECK. `row` is the DETAIL.
pub fn check_fails(table: &str, check: &str, row: String) -> SqlError {
    let what = format!("new row for relation \"{table}\"");
    let error = error!(CHECK_VIOLATION, "{what} violates check constraint \"{check}\"");
    error.detail(row).table(table).constraint(check)
}

/// `23514`: an existing row does not meet a CHECK.
pub fn is_violated(table: &str, check: &str) -> SqlError {
    let what = format!("check constraint \"{check}\" of relation \"{table}\"");
    error!(CHECK_VIOLATION, "{what} is violated by some row").table(table).constraint(check)
}

/// `23503`: no row of the parent has the key of a new row. `shown` is like `(a)=(1)`.
pub fn no_parent(table: &str, key: &str, shown: &str, parent: &str) -> SqlError {
    let what = "violates foreign key constraint";
    error!(FOREIGN_KEY_VIOLATION, "insert or update on table \"{table}\" {what} \"{key}\"")
        .detail(format!("Key {shown} is not present in table \"{parent}\"."))
        .table(table)
        .constraint(key)
}

/// `23503`: a row of the child has the key of a row that is deleted or changed.
pub fn has_children(table: &str, key: &str, shown: &str, child: &str) -> SqlError {
    let what = format!("violates foreign key constraint \"{key}\" on table \"{child}\"");
    error!(FOREIGN_KEY_VIOLATION, "update or delete on table \"{table}\" {what}")
        .detail(format!("Key {shown} is still referenced from table \"{child}\"."))
        .table(child)
        .constraint(key)
}
