//! Reads the syntax trees of statements that control a session: SET, BEGIN, DECLARE, EXECUTE.
//!
//! `sqlparser` accepts forms that PostgreSQL does not have, or minibtree does not support: they are
//! refused here. A session gets only what it needs to execute the others.
//!
//! ```
//! use minibtree_control::{Assignment, assignment};
//! use minibtree_statement::parse;
//! use sqlparser::ast;
//!
//! let statements = parse("set local work_mem to '4MB'")?;
//! let Some(ast::Statement::Set(set)) = statements[0].sql() else { panic!("a SET") };
//! let Assignment::Setting { name, value, .. } = assignment(set)? else { panic!("a setting") };
//! assert_eq!((name.as_str(), value.as_str()), ("work_mem", "4MB"));
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```

use minibtree_settings::isolation;
use minibtree_statement::{folded, setting_text};
use minibtree_types::error::{Result, SqlError};
use minibtree_types::unsupported;
use sqlparser::ast;

/// What a SET changes.
pub enum Assignment {
    /// A setting.
    Setting {
        /// Its name.
        name: String,
        /// Its new value.
        value: String,
        /// It lasts until the end of the block.
        is_local: bool,
    },
    /// An isolation level.
    Isolation {
        /// Its name, if there is one.
        level: Option<&'static str>,
        /// It is that of later transactions, not of this one.
        is_session: bool,
    },
}

/// What a SET changes.
///
/// # Errors
/// `0A000`.
pub fn assignment(set: &ast::Set) -> Result<Assignment> {
    let (name, value, is_local) = match set {
        ast::Set::SingleAssignment { scope, hivevar: false, variable, values } => {
            let is_local = *scope == Some(ast::ContextModifier::Local);
            (variable.to_string(), setting_text(values), is_local)
        }
        ast::Set::SetTimeZone { local, value } => {
            ("timezone".to_owned(), setting_text(std::slice::from_ref(value)), *local)
        }
        ast::Set::SetNames { charset_name, collation_name: None } => {
            ("client_encoding".to_owned(), charset_name.value.clone(), false)
        }
        ast::Set::SetTransaction { modes, snapshot: None, session } => {
            let level = isolation_of(modes)?;
            return Ok(Assignment::Isolation { level, is_session: *session });
        }
        other => return Err(unsupported!("{other}")),
    };
    Ok(Assignment::Setting { name, value, is_local })
}

/// The name of the isolation level of transaction modes.
///
/// # Errors
/// `0A000` for other modes.
pub fn isolation_of(modes: &[ast::TransactionMode]) -> Result<Option<&'static str>> {
    use ast::{TransactionAccessMode, TransactionMode};

    let mut found = None;
    for mode in modes {
        match mode {
            TransactionMode::AccessMode(TransactionAccessMode::ReadWrite) => {}
            TransactionMode::IsolationLevel(level) => {
                found = Some(isolation(&level.to_string())?);
            }
            mode => return Err(unsupported!("{mode}")),
        }
    }
    Ok(found)
}

/// Returns true for the statements that begin or end a transaction, or a part of it.
pub fn is_transaction_control(sql: &ast::Statement) -> bool {
    use ast::Statement::*;

    matches!(
        sql,
        StartTransaction { .. }
            | Commit { .. }
            | Rollback { .. }
            | Savepoint { .. }
            | ReleaseSavepoint { .. }
    )
}

/// A cursor, as a DECLARE describes it.
pub struct Declared<'a> {
    /// Its name.
    pub name: String,
    /// SCROLL, NO SCROLL, or neither.
    pub scroll: Option<bool>,
    /// Its rows.
    pub query: &'a ast::Query,
}

/// What a DECLARE says.
///
/// # Errors
/// `0A000`.
pub fn declared(declared: &[ast::Declare]) -> Result<Declared<'_>> {
    match declared {
        [
            ast::Declare {
                names,
                binary: None | Some(false),
                sensitive: _,
                scroll,
                hold: None | Some(false),
                for_query: Some(query),
                ..
            },
        ] => {
            let name = names.iter().map(folded).collect::<String>();
            Ok(Declared { name, scroll: *scroll, query })
        }
        _ => Err(SqlError::unsupported("a cursor that is BINARY or WITH HOLD")),
    }
}

/// The name and the parameters of an EXECUTE.
///
/// # Errors
/// `0A000`.
pub fn executed(sql: &ast::Statement) -> Result<(String, &[ast::Expr])> {
    match sql {
        ast::Statement::Execute {
            name: Some(name),
            parameters,
            into,
            using,
            output: false,
            default: false,
            ..
        } if into.is_empty() && using.is_empty() => Ok((name.to_string(), parameters)),
        _ => Err(unsupported!("{sql}")),
    }
}
