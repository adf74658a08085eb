//! BEGIN, COMMIT, ROLLBACK and savepoints: the statements that change the state of a session.
//!
//! ```text
//! BEGIN           Block
//! SAVEPOINT a     Block, savepoints [a]
//! error           Failed, the transaction is kept for a
//! ROLLBACK TO a   Block
//! COMMIT          Idle
//! ```
//!
//! PostgreSQL's `xact.c`, where each savepoint begins a subtransaction with a state of its own.

use super::{Session, State};
use crate::engine::Isolation;
use crate::sql::statement::folded;
use crate::wire::{Replies, Result, Severity, SqlError, code};
use minibtree_control::isolation_of;
use minibtree_settings::{READ_COMMITTED, REPEATABLE_READ};
use sqlparser::ast;

const READ_ONLY: ast::TransactionMode =
    ast::TransactionMode::AccessMode(ast::TransactionAccessMode::ReadOnly);

/// Executes BEGIN, COMMIT, ROLLBACK, SAVEPOINT or RELEASE and returns its tag; `None` for any
/// other statement.
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
            let is_read_only = |it: &ast::TransactionMode| *it == READ_ONLY;
            let others = modes.iter().filter(|it| !is_read_only(it)).cloned().collect::<Vec<_>>();
            begin_block(session, isolation_of(&others)?, modes.iter().any(is_read_only), out)?;
            Ok(Some(if *begin { "BEGIN" } else { "START TRANSACTION" }))
        }
        ast::Statement::Commit { chain, modifier: None, .. } => {
            check_end(session, "COMMIT", *chain, out)?;
            let (isolation, is_read_only) = (session.block_isolation, session.block_is_read_only);
            let tag = match session.state {
                State::Failed(_) => {
                    session.roll_back();
                    "ROLLBACK"
                }
                _ => {
                    session.commit()?;
                    "COMMIT"
                }
            };
            if *chain {
                begin_block(session, isolation, is_read_only, out)?;
            }
            Ok(Some(tag))
        }
        ast::Statement::Rollback { chain, savepoint: None } => {
            check_end(session, "ROLLBACK", *chain, out)?;
            let (isolation, is_read_only) = (session.block_isolation, session.block_is_read_only);
            session.roll_back();
            if *chain {
                begin_block(session, isolation, is_read_only, out)?;
            }
            Ok(Some("ROLLBACK"))
        }
        ast::Statement::Rollback { chain: false, savepoint: Some(name) } => {
            roll_back_to(session, &folded(name)).map(|()| Some("ROLLBACK"))
        }
        ast::Statement::Savepoint { name } => {
            check_block(session, "SAVEPOINT")?;
            let savepoint = session.begin_statement()?.savepoint();
            session.savepoints.push((folded(name), savepoint, session.settings.save()));
            Ok(Some("SAVEPOINT"))
        }
        ast::Statement::ReleaseSavepoint { name } => {
            check_block(session, "RELEASE SAVEPOINT")?;
            session.transaction()?;
            let at = savepoint_named(session, &folded(name))?;
            session.savepoints.truncate(at);
            session.portals.values_mut().for_each(|it| it.savepoints = it.savepoints.min(at));
            Ok(Some("RELEASE"))
        }
        ast::Statement::StartTransaction { .. }
        | ast::Statement::Commit { .. }
        | ast::Statement::Rollback { .. } => Err(refused()),
        _ => Ok(None),
    }
}

/// Outside of a block, COMMIT and ROLLBACK only warn, but AND CHAIN is an error.
fn check_end(session: &Session, what: &str, is_chain: bool, out: &mut Replies) -> Result<()> {
    if is_chain {
        return check_block(session, &format!("{what} AND CHAIN"));
    }
    if let State::Idle | State::Implicit(_) = session.state {
        let text = "there is no transaction in progress";
        let warning = SqlError::new(code::NO_ACTIVE_SQL_TRANSACTION, text);
        out.error(&warning.severity(Severity::Warning));
    }
    Ok(())
}

fn begin_block(
    session: &mut Session,
    isolation: Option<&'static str>,
    is_read_only: bool,
    out: &mut Replies,
) -> Result<()> {
    if let State::Block(_) = session.state {
        let text = "there is already a transaction in progress";
        let warning = SqlError::new(code::ACTIVE_SQL_TRANSACTION, text);
        out.error(&warning.severity(Severity::Warning));
    } else {
        session.block_is_read_only = false;
    }
    if let (State::Idle, Some(isolation)) = (&session.state, isolation) {
        let usual = session.settings.now.isolation.replace(isolation);
        let begun = session.begin_statement().map(drop);
        session.settings.now.isolation = usual;
        begun?;
    }
    let current = session.begin_statement()?.isolation();
    if isolation.is_some_and(|it| level(it) != current) {
        let text = "SET TRANSACTION ISOLATION LEVEL must be called before any query";
        return Err(SqlError::new(code::ACTIVE_SQL_TRANSACTION, text));
    }
    session.block_is_read_only |= is_read_only;
    session.block_isolation = isolation.or(session.settings.now.isolation);
    session.state = match std::mem::replace(&mut session.state, State::Failed(None)) {
        State::Implicit(it) | State::Block(it) => State::Block(it),
        other => other,
    };
    Ok(())
}

/// The error for a statement that needs a block.
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
    session.portals.retain(|_, it| it.savepoints <= at);
    session.savepoints.truncate(at + 1);
    let savepoint = session.savepoints[at].1;
    let state = std::mem::replace(&mut session.state, State::Failed(None));
    let (State::Block(mut transaction) | State::Failed(Some(mut transaction))) = state else {
        return session.transaction().map(drop);
    };
    transaction.rollback_to(savepoint)?;
    session.settings.roll_back_to(session.savepoints[at].2.clone());
    session.state = State::Block(transaction);
    if session.has_changed_catalog {
        session.refresh_catalog()?;
    }
    Ok(())
}

/// The isolation level of this name.
pub fn level(name: &str) -> Isolation {
    if name == REPEATABLE_READ { Isolation::RepeatableRead } else { Isolation::ReadCommitted }
}

/// The name of an isolation level, as SHOW prints it.
pub fn name_of_level(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::ReadCommitted => READ_COMMITTED,
        Isolation::RepeatableRead => REPEATABLE_READ,
    }
}
