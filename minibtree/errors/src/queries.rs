//! Errors about expressions, values and columns of a query, in PostgreSQL's words.
//!
//! ```
//! use minibtree_errors::queries::no_operator;
//!
//! let error = no_operator("integer + boolean", false);
//! assert_eq!(error.message, "operator does not exist: integer + boolean");
//! assert!(error.hint.is_some_and(|it| it.ends_with("explicit type casts.")));
//! ```
//!
//! PostgreSQL's `parse_oper.c`, `parse_func.c`, `parse_target.c`, `parse_agg.c`.

use crate::{SqlError, code, error};

const REWRITE: &str = "You will need to rewrite or cast the expression.";

/// `42883`: no operator is for these types, as in `integer + boolean`.
pub fn no_operator(described: &str, is_unary: bool) -> SqlError {
    let hint = match is_unary {
        true => "type. You might need to add an explicit type cast.",
        false => "types. You might need to add explicit type casts.",
    };
    error!(UNDEFINED_FUNCTION, "operator does not exist: {described}")
        .hint(format!("No operator matches the given name and argument {hint}"))
}

/// `42725`: several operators are for these types.
pub fn ambiguous_operator(described: &str) -> SqlError {
    let error = error!(AMBIGUOUS_FUNCTION, "operator is not unique: {described}");
    error.hint(
        "Could not choose a best candidate operator. You might need to add explicit type casts.",
    )
}

/// `42725`: several functions are for these types.
pub fn ambiguous_function(name: &str, types: &[&str]) -> SqlError {
    error!(AMBIGUOUS_FUNCTION, "function {name}({}) is not unique", types.join(", ")).hint(
        "Could not choose a best candidate function. You might need to add explicit type casts.",
    )
}

/// `42804`: a value of EXECUTE cannot have the type of its parameter, which is counted from 0 on.
pub fn wrong_parameter(index: usize, from: &str, to: &str) -> SqlError {
    let what = format!("parameter ${} of type {from}", index + 1);
    let error = error!(DATATYPE_MISMATCH, "{what} cannot be coerced to the expected type {to}");
    error.hint(REWRITE)
}

/// `42804`: a column cannot be assigned a value of this type.
pub fn wrong_value(column: &str, to: &str, from: &str) -> SqlError {
    let what = format!("column \"{column}\" is of type {to}");
    error!(DATATYPE_MISMATCH, "{what} but expression is of type {from}").hint(REWRITE)
}

/// `42803`: a column of a query with groups, of this query or of the one around a subquery.
pub fn ungrouped(column: &str, is_outer: bool) -> SqlError {
    match is_outer {
        false => error!(
            GROUPING_ERROR,
            "column \"{column}\" must appear in the GROUP BY clause or be used in an aggregate \
             function"
        ),
        true => {
            error!(GROUPING_ERROR, "subquery uses ungrouped column \"{column}\" from outer query")
        }
    }
}

/// `42703`: a table lacks a column that a statement writes.
pub fn no_column(column: &str, table: &str) -> SqlError {
    error!(UNDEFINED_COLUMN, "column \"{column}\" of relation \"{table}\" does not exist")
}

/// `42P10`: ON CONFLICT names columns that have no unique index.
pub fn no_unique_index() -> SqlError {
    let text = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
    SqlError::new(code::INVALID_COLUMN_REFERENCE, text)
}

/// `42601`: ON CONFLICT DO UPDATE does not say on which conflict.
pub fn no_conflict_target() -> SqlError {
    let text = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
    SqlError::new(code::SYNTAX_ERROR, text).hint("For example, ON CONFLICT (column_name).")
}

/// `42P10`: an alias names more columns than `what` has, which is a table or a WITH query.
pub fn too_many_names(what: &str, name: &str, columns: usize, names: usize) -> SqlError {
    let text = format!("{what} \"{name}\" has {columns} columns available");
    error!(INVALID_COLUMN_REFERENCE, "{text} but {names} columns specified")
}

/// `42703` or `42702`: not exactly one column of a side of a join has the name that USING gives.
pub fn not_one_column(column: &str, side: &str, is_missing: bool) -> SqlError {
    match is_missing {
        true => {
            let what = format!("column \"{column}\" specified in USING clause");
            error!(UNDEFINED_COLUMN, "{what} does not exist in {side} table")
        }
        false => {
            let what = format!("common column name \"{column}\"");
            error!(AMBIGUOUS_COLUMN, "{what} appears more than once in {side} table")
        }
    }
}

/// `42601`: a subquery in FROM has no name.
pub fn no_alias() -> SqlError {
    error!(SYNTAX_ERROR, "subquery in FROM must have an alias")
        .hint("For example, FROM (SELECT ...) [AS] foo.")
}

/// `42P10`: DISTINCT has left out what ORDER BY needs.
pub fn not_distinct() -> SqlError {
    let text = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
    SqlError::new(code::INVALID_COLUMN_REFERENCE, text)
}

/// `21000`: two rows of one INSERT would update the same row.
pub fn second_update() -> SqlError {
    let error = error!(
        CARDINALITY_VIOLATION,
        "ON CONFLICT DO UPDATE command cannot affect row a second time"
    );
    error.hint(
        "Ensure that no rows proposed for insertion within the same command have duplicate \
         constrained values.",
    )
}

/// `42601`: a row of VALUES has more or fewer values than the first.
pub fn uneven_values() -> SqlError {
    error!(SYNTAX_ERROR, "VALUES lists must all be the same length")
}
