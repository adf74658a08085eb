//! The messages of a client: the simple and the extended protocol.
//!
//! ```text
//! Q "sql"          parse, and for each statement: plan, lock, run           -> T D.. C .. Z
//! P name "sql"     parse, plan, lock: the types of the parameters are known -> 1
//! B portal name    read the parameters                                      -> 2
//! D portal         the columns                                              -> T or n
//! E portal         lock, plan again if the catalog has changed, run         -> D.. C or s
//! S                commit unless in a block                                 -> Z
//! ```
//!
//! PostgreSQL's `tcop/postgres.c`.

use super::portal::{Portal, Running};
use super::{Next, Session, State, Work, copy, failed_block};
use crate::sql::statement::{self, Statement};
use crate::sql::values::Type;
use crate::wire::{Bind, Message, Replies, Result, Severity, SqlError, Target, code};
use minibtree_control::is_transaction_control;
use std::collections::VecDeque;
use std::rc::Rc;

/// Handles a message.
pub fn handle(session: &mut Session, message: Message<'_>, out: &mut Replies) -> Next {
    let handled = match message {
        Message::Terminate => return Next::Close,
        // Sent by a client that did not notice that it had started a COPY. PostgreSQL ignores
        // them as well (`copyfromparse.c`).
        Message::Sync | Message::Flush | Message::Malformed(b'S' | b'H', _)
            if session.copy.is_some() =>
        {
            return Next::Message;
        }
        Message::Sync => {
            session.is_skipping = false;
            return sync(session, out);
        }
        Message::Flush => return Next::Flush,
        // Without this Sync, a client that waits for its reply would wait forever.
        Message::Malformed(b'S', error) => {
            session.is_skipping = false;
            malformed(session, b'S', error)
        }
        _ if session.is_skipping => return Next::Message,
        Message::CopyData(data) => copy::receive(session, data).map(|()| Next::Message),
        Message::CopyDone => copy_done(session, out),
        Message::CopyFail(reason) => {
            let error = error!(QUERY_CANCELED, "COPY from stdin failed: {reason}");
            copy::fail(session, error).map(|()| Next::Message)
        }
        Message::Malformed(b'f', error) => copy::fail(session, error).map(|()| Next::Message),
        _ if session.copy.is_some() => {
            let text = "unexpected message type during COPY from stdin";
            let error = SqlError::new(code::PROTOCOL_VIOLATION, text);
            out.error(&session.give_up(error).severity(Severity::Fatal));
            return Next::Close;
        }
        Message::Malformed(letter, error) => malformed(session, letter, error),
        Message::Query(sql) => query(session, sql, out),
        Message::Parse { name, sql, types } => parse(session, name, sql, &types, out),
        Message::Bind(given) => bind(session, given, out),
        Message::Describe(Target::Statement, name) => describe_statement(session, name, out),
        Message::Describe(Target::Portal, name) => describe_portal(session, name, out),
        Message::Execute { portal, max_rows } => {
            let left = (max_rows > 0).then_some(max_rows);
            if let Some(portal) = session.portals.get_mut(portal)
                && !matches!(portal.running, Some(Running::Gathered(_)))
            {
                // The tag has the rows of this Execute only.
                portal.rows = 0;
            }
            session.work = Some(Work::Execute { portal: portal.to_owned(), left });
            return resume(session, out);
        }
        Message::Close(target, name) => {
            match target {
                Target::Statement => drop(session.statements.remove(name)),
                Target::Portal => drop(session.portals.remove(name)),
            }
            out.close_complete();
            Ok(Next::Message)
        }
    };
    handled.unwrap_or_else(|error| fail(session, error, out))
}

/// Continues after [`Next::Resume`]: the reply buffer was full, and is empty again.
pub fn resume(session: &mut Session, out: &mut Replies) -> Next {
    let advanced = match session.work.take() {
        None => return Next::Message,
        Some(Work::Query { rest, portal }) => advance_query(session, rest, portal, out),
        Some(Work::Execute { portal, left }) => advance_execute(session, portal, left, out),
    };
    advanced.unwrap_or_else(|error| fail(session, error, out))
}

/// Refuses a message that could not be read. Only the extended protocol skips to the next Sync.
fn malformed(session: &mut Session, letter: u8, error: SqlError) -> Result<Next> {
    if matches!(letter, b'Q' | b'F' | b'S') {
        session.work = Some(Work::Query { rest: VecDeque::new(), portal: None });
    }
    Err(error)
}

/// Reports an error and aborts the transaction. A Query is over then; in the extended protocol,
/// messages up to the next Sync are ignored.
fn fail(session: &mut Session, error: SqlError, out: &mut Replies) -> Next {
    let is_query = matches!(session.work, Some(Work::Query { .. }));
    let error = session.give_up(error);
    out.error(&error);
    if error.severity == Severity::Panic {
        return Next::EndServer;
    }
    if is_query {
        ready(session, out);
    } else {
        session.is_skipping = true;
    }
    Next::Message
}

/// Ends the transaction, unless it is a block.
fn sync(session: &mut Session, out: &mut Replies) -> Next {
    session.is_pipeline = false;
    if let Err(error) = session.commit_implicit() {
        out.error(&error);
        session.abort();
        if error.severity == Severity::Panic {
            return Next::EndServer;
        }
    }
    if !matches!(session.state, State::Block(_) | State::Failed(_)) {
        session.portals.clear();
    }
    ready(session, out);
    Next::Message
}

/// Tells the client that it may send more, and of a setting that has changed. A block that has
/// failed gets its old settings back when it ends, so the client is told of none before.
fn ready(session: &mut Session, out: &mut Replies) {
    if !matches!(session.state, State::Failed(_))
        && let Some((name, value)) = session.settings.report()
    {
        out.parameter_status(name, value);
    }
    out.ready(session.status());
}

fn query(session: &mut Session, sql: &str, out: &mut Replies) -> Result<Next> {
    // Tells `fail` that the client uses the simple protocol.
    session.work = Some(Work::Query { rest: VecDeque::new(), portal: None });
    session.statements.remove("");
    let rest = VecDeque::from(statement::parse(sql)?);
    session.is_batch = rest.len() > 1;
    if rest.is_empty() {
        out.empty_query();
    }
    advance_query(session, rest, None, out)
}

fn advance_query(
    session: &mut Session,
    mut rest: VecDeque<Statement>,
    mut portal: Option<Box<Portal>>,
    out: &mut Replies,
) -> Result<Next> {
    // Tells `fail` that the client uses the simple protocol.
    session.work = Some(Work::Query { rest: VecDeque::new(), portal: None });
    loop {
        if let Some(mut running) = portal.take()
            && !session.run(&mut running, &mut None, out)?
        {
            // Either a COPY waits for the client's data, or the reply buffer is full.
            let is_copy = session.copy.is_some();
            let portal = Some(running).filter(|_| !is_copy);
            session.work = Some(Work::Query { rest, portal });
            return Ok(if is_copy { Next::Flush } else { Next::Resume });
        }
        session.disarm();
        let Some(statement) = rest.pop_front() else { break };
        session.arm();
        let prepared = Rc::new(session.prepare(Some(statement), &[])?);
        if let Some(parameter) = prepared.parameters.len().checked_sub(1) {
            return Err(error!(UNDEFINED_PARAMETER, "there is no parameter ${}", parameter + 1));
        }
        prepared.check_constants()?;
        if let Some(fields) = &prepared.fields {
            out.row_description(fields, &[]);
        }
        portal = Some(Box::new(Portal::new(prepared, Vec::new(), Vec::new())));
    }

    session.is_batch = false;
    session.commit_implicit()?;
    session.work = None;
    ready(session, out);
    Ok(Next::Message)
}

fn parse(
    session: &mut Session,
    name: &str,
    sql: &str,
    types: &[u32],
    out: &mut Replies,
) -> Result<Next> {
    session.check_is_new(name)?;
    // The unnamed statement is gone even if the new one is wrong.
    session.statements.remove(name);
    let mut statements = statement::parse(sql)?;
    if statements.len() > 1 {
        let text = "cannot insert multiple commands into a prepared statement";
        return Err(SqlError::new(code::SYNTAX_ERROR, text));
    }
    let declared = types.iter().map(|oid| match oid {
        0 => Ok(None),
        oid => match Type::from_oid(*oid) {
            None => Err(unsupported!("a parameter of the type with OID {oid}")),
            known => Ok(known.filter(|it| *it != Type::Unknown)),
        },
    });
    let declared = declared.collect::<Result<Vec<_>, _>>()?;
    let prepared = session.prepare(statements.pop(), &declared)?.decided()?;
    session.statements.insert(name.to_owned(), Rc::new(prepared));
    out.parse_complete();
    Ok(Next::Message)
}

fn bind(session: &mut Session, bind: Bind<'_>, out: &mut Replies) -> Result<Next> {
    let prepared = Rc::clone(session.prepared(bind.statement)?);
    bind.check(prepared.parameters.len(), prepared.fields.as_ref().map(Vec::len))?;
    let is_control = |it: &Statement| it.sql().is_some_and(is_transaction_control);
    let is_failed = matches!(session.state, State::Failed(_));
    if is_failed && !prepared.statement.as_ref().is_some_and(is_control) {
        session.transaction()?;
    }
    if !bind.portal.is_empty() && session.portals.contains_key(bind.portal) {
        return Err(error!(DUPLICATE_CURSOR, "cursor \"{}\" already exists", bind.portal));
    }

    let parameters = bind.values(&prepared.parameters)?;
    prepared.check_constants()?;
    let mut portal = Portal::new(prepared, parameters, bind.result_formats);
    portal.savepoints = session.savepoints.len();
    session.portals.insert(bind.portal.to_owned(), portal);
    out.bind_complete();
    Ok(Next::Message)
}

fn describe_statement(session: &Session, name: &str, out: &mut Replies) -> Result<Next> {
    let prepared = session.prepared(name)?;
    if matches!(session.state, State::Failed(_)) && prepared.fields.is_some() {
        return Err(failed_block());
    }
    let types: Vec<u32> = prepared.parameters.iter().map(|base| base.oid()).collect();
    out.parameter_description(&types);
    prepared.describe(&[], out);
    Ok(Next::Message)
}

fn describe_portal(session: &Session, name: &str, out: &mut Replies) -> Result<Next> {
    let portal = session.portals.get(name).ok_or_else(|| no_portal(session, name))?;
    portal.prepared.describe(&portal.formats, out);
    Ok(Next::Message)
}

fn advance_execute(
    session: &mut Session,
    name: String,
    mut left: Option<u32>,
    out: &mut Replies,
) -> Result<Next> {
    let portal = session.portals.remove(&name);
    let mut portal = portal.ok_or_else(|| no_portal(session, &name))?;
    if session.armed.is_none() {
        session.arm();
    }
    let is_done = session.run(&mut portal, &mut left, out)?;
    session.portals.insert(name.clone(), portal);
    if session.copy.is_some() {
        session.work = Some(Work::Execute { portal: name, left });
        return Ok(Next::Flush);
    }
    if is_done || left == Some(0) {
        session.is_pipeline = !matches!(session.state, State::Idle);
        session.disarm();
        if !is_done {
            out.portal_suspended();
        }
        return Ok(Next::Message);
    }
    session.work = Some(Work::Execute { portal: name, left });
    Ok(Next::Resume)
}

/// Ends a COPY. If a Query began it, goes on with the rest of the statements.
fn copy_done(session: &mut Session, out: &mut Replies) -> Result<Next> {
    if !copy::finish(session, out)? {
        return Ok(Next::Message);
    }
    match session.work.take() {
        Some(Work::Query { rest, .. }) => advance_query(session, rest, None, out),
        _ => {
            session.disarm();
            Ok(Next::Message)
        }
    }
}

/// A block that fails closes its portals; PostgreSQL keeps them, but refuses to use them.
fn no_portal(session: &Session, name: &str) -> SqlError {
    match session.state {
        State::Failed(_) => failed_block(),
        _ => error!(INVALID_CURSOR_NAME, "portal \"{name}\" does not exist"),
    }
}
