//! SET, SHOW and RESET.
//!
//! A setting that a block changes is undone if the block rolls back, and so is what SET LOCAL
//! changes if it commits:
//!
//! ```text
//!                      now   after a rollback   after a commit
//! SET x = 1             1
//! BEGIN                 1           1                 1
//! SET x = 2             2           1                 2
//! SET LOCAL x = 3       3           1                 2
//! ```
//!
//! PostgreSQL's `guc.c`, which keeps a stack of values for each setting.

use super::transaction::{level, name_of_level};
use super::{Session, State};
use crate::sql::statement::variable_name;
use crate::wire::{Replies, Result, Severity, SqlError, code};
use minibtree_control::{Assignment, assignment};
use minibtree_settings::Settings;
use sqlparser::ast;

/// SET, and SET TRANSACTION.
///
/// # Errors
/// `42704` for a setting that does not exist, `22023` for a value that it cannot have.
pub fn set(session: &mut Session, set: &ast::Set, out: &mut Replies) -> Result<()> {
    let (name, value, is_local) = match assignment(set)? {
        Assignment::Setting { name, value, is_local } => (name, value, is_local),
        Assignment::Isolation { level: isolation, is_session: true } => {
            return change(session, false, |it| {
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
        return session.settings.clone().set(&name, &value);
    }
    change(session, is_local, |it| it.set(&name, &value))
}

/// The value that SHOW prints.
///
/// # Errors
/// `42704`.
pub fn shown(session: &mut Session, variable: &[ast::Ident]) -> Result<String> {
    let name = variable_name(variable);
    let shown = match name.as_str() {
        "transaction_isolation" => name_of_level(session.transaction()?.isolation()),
        _ => &session.settings.show(&name)?,
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
    name.as_ref().map(|it| session.settings.show(it)).transpose()?;
    let start = session.start.clone();
    change(session, false, |it| {
        it.reset(name.as_deref());
        let is_it = |set: &str| name.as_ref().is_none_or(|it| it.eq_ignore_ascii_case(set));
        let mut again = start.iter().filter(|(set, _)| is_it(set));
        again.try_for_each(|(name, value)| it.set(name, value))
    })
}

/// Changes settings. Remembers what a commit keeps and a rollback restores.
fn change(
    session: &mut Session,
    is_local: bool,
    change: impl Fn(&mut Settings) -> Result<()>,
) -> Result<()> {
    if let State::Implicit(_) | State::Block(_) = session.state {
        let now = || (session.settings.clone(), session.settings.clone());
        let mut around = session.settings_around.take().unwrap_or_else(now);
        let changed = if is_local { Ok(()) } else { change(&mut around.1) };
        session.settings_around = Some(around);
        changed?;
    }
    change(&mut session.settings)
}
