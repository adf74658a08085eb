//! Names of tables and columns in SQL.
//!
//! A name without quotes is folded to lower case. Words that mean something in the grammar are
//! names only in quotes:
//!
//! ```
//! use minibtree_names::{folded, new_name};
//! use sqlparser::ast::Ident;
//!
//! assert_eq!(folded(&Ident::new("Accounts")), "accounts");
//! assert_eq!(folded(&Ident::with_quote('"', "Accounts")), "Accounts");
//! assert_eq!(new_name(&Ident::new("user")).unwrap_err().code, "42601");
//! assert_eq!(new_name(&Ident::with_quote('"', "user"))?, "user");
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! PostgreSQL's `downcase_identifier` (`scansup.c`) and `kwlist.h`.

use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::unsupported;
use sqlparser::ast;

/// The name as PostgreSQL folds it: lower case unless it is quoted.
pub fn folded(ident: &ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// Words that are no names of tables and columns unless they are quoted: `RESERVED_KEYWORD` and
/// `TYPE_FUNC_NAME_KEYWORD` in PostgreSQL's `kwlist.h`.
const RESERVED: &str = " all analyse analyze and any array as asc asymmetric authorization binary \
    both case cast check collate collation column concurrently constraint create cross \
    current_catalog current_date current_role current_schema current_time current_timestamp \
    current_user default deferrable desc distinct do else end except false fetch for foreign \
    freeze from full grant group having ilike in initially inner intersect into is isnull join \
    lateral leading left like limit localtime localtimestamp natural not notnull null offset on \
    only or order outer overlaps placing primary references returning right select session_user \
    similar some symmetric table tablesample then to trailing true union unique user using \
    variadic verbose when where window with ";

/// Returns true for a word that is a name only in quotes.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&format!(" {word} "))
}

/// The name of a column or of another thing that is defined, as PostgreSQL folds it.
///
/// # Errors
/// `42601` for a word that needs quotes.
pub fn new_name(ident: &ast::Ident) -> Result<String> {
    let name = folded(ident);
    if ident.quote_style.is_none() && is_reserved(&name) {
        let text = format!("syntax error at or near \"{}\"", ident.value);
        return Err(SqlError::new(code::SYNTAX_ERROR, text).at(ident.span.start.column));
    }
    Ok(name)
}

/// Where a name is in the text of its statement; 0 if it was not read from there.
pub fn position_of(name: &ast::ObjectName) -> u64 {
    name.0.first().and_then(|it| it.as_ident()).map_or(0, |it| it.span.start.column)
}

/// The name of a table, without or with the schema `public`.
///
/// # Errors
/// `42601` for a word that needs quotes, `0A000` for other schemas: there are none.
pub fn table_name(name: &ast::ObjectName) -> Result<String> {
    let parts: Option<Vec<&ast::Ident>> = name.0.iter().map(|part| part.as_ident()).collect();
    match parts.as_deref() {
        Some([table]) => new_name(table),
        // After a dot, any word is a name.
        Some([schema, table]) if folded(schema) == "public" => Ok(folded(table)),
        _ => Err(unsupported!("the name {name}")),
    }
}
