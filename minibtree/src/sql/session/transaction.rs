//! BEGIN, COMMIT, ROLLBACK and savepoints: what moves a session from state to state.
//!
//! ```text
//! BEGIN           Block
//! SAVEPOINT a     Block, savepoints [a]
//! error           Failed, the transaction is kept for a
//! ROLLBACK TO a   Block
//! COMMIT          Idle
//! ```
//!
//! PostgreSQL's `xact.c`, where a savepoint is a subtransaction of its own.

use super::{Session, State};
use crate::engine::Isolation;
use crate::sql::statement::folded;
use crate::wire::{Replies, Result, Severity, SqlError, code};
use minibtree_settings::{REPEATABLE_READ, isolation};
use sqlparser::ast;

/// Executes BEGIN, COMMIT, SAVEPOINT and their kin, and returns the tag; `None` if it is
/// another statement.
pub fn transaction_control(
    session: &mut Session,
    sql: &ast::Statement,
    out: &mut Replies,
) -> Result<Option<&'static str>> {
    let refused = || unsupported!("{sql}");
    match sql {
        ast::Statement::StartTransaction { modes, begin, statements, modifier: None, .. }
            if statements.is_empty() =>
        {
            begin_block(session, modes, out)?;
            Ok(Some(if *begin { "BEGIN" } else { "START TRANSACTION" }))
        }
        ast::Statement::Commit { chain: false, modifier: None, .. } => {
            warn_outside_block(session, out);
            if let State::Failed(_) = session.state {
                session.roll_back();
                return Ok(Some("ROLLBACK"));
            }
            session.commit().map(|()| Some("COMMIT"))
        }
        ast::Statement::Rollback { chain: false, savepoint: None } => {
            warn_outside_block(session, out);
            session.roll_back();
            Ok(Some("ROLLBACK"))
        }
        ast::Statement::Rollback { chain: false, savepoint: Some(name) } => {
            roll_back_to(session, &folded(name)).map(|()| Some("ROLLBACK"))
        }
        ast::Statement::Savepoint { name } => {
            check_block(session, "SAVEPOINT")?;
            let savepoint = session.begin_statement()?.savepoint();
            let settings = (session.settings.clone(), session.settings_around.clone());
            session.savepoints.push((folded(name), savepoint, settings));
            Ok(Some("SAVEPOINT"))
        }
        ast::Statement::ReleaseSavepoint { name } => {
            check_block(session, "RELEASE SAVEPOINT")?;
            session.transaction()?;
            let at = savepoint_named(session, &folded(name))?;
            session.savepoints.truncate(at);
            Ok(Some("RELEASE"))
        }
        ast::Statement::StartTransaction { .. }
        | ast::Statement::Commit { .. }
        | ast::Statement::Rollback { .. } => Err(refused()),
        _ => Ok(None),
    }
}

fn warn_outside_block(session: &Session, out: &mut Replies) {
    if let State::Idle | State::Implicit(_) = session.state {
        let text = "there is no transaction in progress";
        let warning = SqlError::new(code::NO_ACTIVE_SQL_TRANSACTION, text);
        out.error(&warning.severity(Severity::Warning));
    }
}

fn begin_block(
    session: &mut Session,
    modes: &[ast::TransactionMode],
    out: &mut Replies,
) -> Result<()> {
    let isolation = isolation_of(modes)?;
    if let State::Block(_) = session.state {
        let text = "there is already a transaction in progress";
        let warning = SqlError::new(code::ACTIVE_SQL_TRANSACTION, text);
        out.error(&warning.severity(Severity::Warning));
    }
    if let (State::Idle, Some(isolation)) = (&session.state, isolation) {
        let usual = session.settings.isolation.replace(isolation);
        let begun = session.begin_statement().map(drop);
        session.settings.isolation = usual;
        begun?;
    }
    let current = session.begin_statement()?.isolation();
    if isolation.is_some_and(|it| level(it) != current) {
        let text = "SET TRANSACTION ISOLATION LEVEL must be called before any query";
        return Err(SqlError::new(code::ACTIVE_SQL_TRANSACTION, text));
    }
    session.state = match std::mem::replace(&mut session.state, State::Failed(None)) {
        State::Implicit(it) | State::Block(it) => State::Block(it),
        other => other,
    };
    Ok(())
}

/// Savepoints are only in blocks.
fn check_block(session: &Session, what: &str) -> Result<()> {
    match session.state {
        State::Block(_) | State::Failed(_) => Ok(()),
        State::Idle | State::Implicit(_) => {
            Err(error!(NO_ACTIVE_SQL_TRANSACTION, "{what} can only be used in transaction blocks"))
        }
    }
}

fn savepoint_named(session: &Session, name: &str) -> Result<usize> {
    session
        .savepoints
        .iter()
        .rposition(|it| it.0 == name)
        .ok_or_else(|| error!(INVALID_SAVEPOINT, "savepoint \"{name}\" does not exist"))
}

fn roll_back_to(session: &mut Session, name: &str) -> Result<()> {
    check_block(session, "ROLLBACK TO SAVEPOINT")?;
    let at = savepoint_named(session, name)?;
    session.portals.clear();
    session.savepoints.truncate(at + 1);
    let savepoint = session.savepoints[at].1;
    let state = std::mem::replace(&mut session.state, State::Failed(None));
    let (State::Block(mut transaction) | State::Failed(Some(mut transaction))) = state else {
        return session.transaction().map(drop);
    };
    transaction.rollback_to(savepoint)?;
    (session.settings, session.settings_around) = session.savepoints[at].2.clone();
    session.state = State::Block(transaction);
    if session.has_changed_catalog {
        session.refresh_catalog()?;
    }
    Ok(())
}

/// Returns true for the statements that [`transaction_control`] executes.
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

/// The isolation level of this name.
pub fn level(name: &str) -> Isolation {
    if name == REPEATABLE_READ { Isolation::RepeatableRead } else { Isolation::ReadCommitted }
}

/// The name of the isolation level of transaction modes.
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
