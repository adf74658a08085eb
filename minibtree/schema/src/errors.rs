//! Errors and notices about relations, columns and constraints, in PostgreSQL's words.
//!
//! ```
//! use minibtree_schema::errors::undefined_column;
//!
//! assert_eq!(undefined_column("a").message, "column \"a\" does not exist");
//! assert_eq!(undefined_column("ctid").code, "0A000");
//! ```
//!
//! PostgreSQL's `parse_relation.c`, `dependency.c`, `ri_triggers.c`.

use minibtree_types::error::{Severity, SqlError, code};
use minibtree_types::{error, unsupported};

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

/// `2BP01`: dropping `what` would drop `needed`, which a foreign key of the child needs.
pub fn is_needed(what: &str, needed: &str, key: &str, child: &str) -> SqlError {
    error!(DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop {what} because other objects depend on it")
        .detail(format!("constraint {key} on table {child} depends on {needed}"))
        .hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

/// The notice of a DROP IF EXISTS that has found nothing.
pub fn skipping(kind: &str, name: &str) -> SqlError {
    let text = format!("{kind} \"{name}\" does not exist, skipping");
    SqlError::new(code::SUCCESSFUL_COMPLETION, text).severity(Severity::Notice)
}

/// `23503`: no row of the parent has the key of a new row. `shown` is like `(a)=(1)`.
pub fn no_parent(table: &str, key: &str, shown: &str, parent: &str) -> SqlError {
    let what = "violates foreign key constraint";
    error!(FOREIGN_KEY_VIOLATION, "insert or update on table \"{table}\" {what} \"{key}\"")
        .detail(format!("Key {shown} is not present in table \"{parent}\"."))
}

/// `23503`: a row of the child has the key of a row that is deleted or changed.
pub fn has_children(table: &str, key: &str, shown: &str, child: &str) -> SqlError {
    let what = format!("violates foreign key constraint \"{key}\" on table \"{child}\"");
    error!(FOREIGN_KEY_VIOLATION, "update or delete on table \"{table}\" {what}")
        .detail(format!("Key {shown} is still referenced from table \"{child}\"."))
}
