//! SET, SHOW, RESET and DISCARD.
//!
//! The crate `minibtree/session_settings` keeps the values over blocks and savepoints. PostgreSQL's
//! `guc_funcs.c` and `discard.c`.

use super::Session;
use super::transaction::{level, name_of_level};
use crate::sql::statement::variable_name;
use crate::wire::{Replies, Result, Severity, SqlError, code};
use minibtree_control::{Assignment, assignment};
use sqlparser::ast;

/// SET, and SET TRANSACTION.
///
/// # Errors
/// `42704` for a setting that does not exist, `22023` for a value that it cannot have.
pub fn set(session: &mut Session, set: &ast::Set, out: &mut Replies) -> Result<()> {
    let (name, value, is_local) = match assignment(set)? {
        Assignment::Setting { name, value, is_local } => (name, value, is_local),
        Assignment::Isolation { level: isolation, is_session: true } => {
            return session.settings.change(false, |it| {
                it.isolation = isolation.or(it.isolation);
                Ok(())
            });
        }
        Assignment::Isolation { level: isolation, .. } => {
            let is_current = |it| session.transaction().is_ok_and(|t| t.isolation() == level(it));
            let is_same = isolation.is_none_or(is_current);
            return if is_same { Ok(()) } else { Err(unsupported!("{set}")) };
        }
    };
    if is_local && !session.is_in_block() {
        // The change would end with this statement, but a wrong value is still an error.
        let text = "SET LOCAL can only be used in transaction blocks";
        let warning = SqlError::new(code::NO_ACTIVE_SQL_TRANSACTION, text);
        out.error(&warning.severity(Severity::Warning));
        return session.settings.now.clone().set(&name, &value);
    }
    session.settings.change(is_local, |it| it.set(&name, &value))
}

/// The value that SHOW prints.
///
/// # Errors
/// `42704`.
pub fn shown(session: &mut Session, variable: &[ast::Ident]) -> Result<String> {
    let name = variable_name(variable);
    let shown = match name.as_str() {
        "transaction_isolation" => name_of_level(session.transaction()?.isolation()),
        "transaction_read_only" if session.is_read_only() => "on",
        _ => &session.settings.now.show(&name)?,
    };
    Ok(shown.to_owned())
}

/// RESET: returns to what the client began with.
///
/// # Errors
/// `42704`.
pub fn reset(session: &mut Session, reset: &ast::ResetStatement) -> Result<()> {
    let name = match &reset.reset {
        // There is one user.
        ast::Reset::SessionAuthorization => return Ok(()),
        ast::Reset::ALL => None,
        ast::Reset::ConfigurationParameter(name) => Some(name.to_string()),
    };
    session.settings.reset(name.as_deref())
}

/// DISCARD ALL: returns to a session that has just begun.
///
/// # Errors
/// `25001` in a block.
pub fn discard(session: &mut Session) -> Result<()> {
    if session.is_in_block() || session.is_pipeline {
        let text = "DISCARD ALL cannot run inside a transaction block";
        return Err(SqlError::new(code::ACTIVE_SQL_TRANSACTION, text));
    }
    session.portals.clear();
    session.statements.clear();
    session.settings.reset(None)
}
