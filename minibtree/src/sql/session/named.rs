//! What a session calls by name in SQL: cursors, and prepared statements.
//!
//! A cursor is a portal, and `PREPARE` fills the same list as a Parse message, so that both ways
//! can be mixed: psycopg declares a cursor by SQL, and asks for its columns by a Describe message.
//!
//! ```text
//! DECLARE c CURSOR FOR SELECT ..    portals: c, begun: its snapshot is that of the DECLARE
//! FETCH 2 FROM c                    two rows of it
//! CLOSE c, or the end of the block
//! ```
//!
//! PostgreSQL's `portalcmds.c` and `prepare.c`. Cursors go forward only and end with their block.

use super::Session;
use super::portal::{Portal, Prepared, Running};
use crate::engine::Transaction;
use crate::sql::bind::{self, Binder};
use crate::sql::statement::{Fetch, Statement, column_type, folded, table_name};
use crate::sql::tree::Expr;
use crate::sql::values::Value;
use crate::wire::{Result, SqlError, code};
use sqlparser::ast;
use std::rc::Rc;

/// A FETCH that is going on. The cursor is among the portals again when it has ended.
pub struct Fetching {
    pub cursor: String,
    pub portal: Box<Portal>,
    /// Rows that are wanted; `None`: all.
    left: Option<u64>,
}

impl Fetching {
    pub fn new(session: &mut Session, fetch: &Fetch) -> Result<Fetching> {
        let portal = session.portals.remove(&fetch.cursor);
        let portal = Box::new(portal.ok_or_else(|| no_cursor(&fetch.cursor))?);
        Ok(Fetching { cursor: fetch.cursor.clone(), portal, left: fetch.count })
    }

    /// The next row; `None` if no more are wanted, or left.
    pub fn next(&mut self, transaction: &mut Transaction) -> Result<Option<Vec<Value>>> {
        let Some(Running::Cursor(cursor)) = &mut self.portal.running else { return Ok(None) };
        if self.left == Some(0) {
            return Ok(None);
        }
        self.left = self.left.map(|left| left - 1);
        cursor.next(transaction)
    }
}

/// DECLARE.
pub fn declare(session: &mut Session, declared: &[ast::Declare]) -> Result<()> {
    let [
        ast::Declare {
            names,
            binary: None | Some(false),
            sensitive: _,
            scroll: None | Some(false),
            hold: None | Some(false),
            for_query: Some(query),
            ..
        },
    ] = declared
    else {
        return Err(SqlError::unsupported("a cursor that is BINARY, SCROLL or WITH HOLD"));
    };
    let name = names.iter().map(folded).collect::<String>();
    if !session.is_in_block() && !session.is_pipeline {
        let text = "DECLARE CURSOR can only be used in transaction blocks";
        return Err(SqlError::new(code::NO_ACTIVE_SQL_TRANSACTION, text));
    }
    if session.portals.contains_key(&name) {
        return Err(error!(DUPLICATE_CURSOR, "cursor \"{name}\" already exists"));
    }

    let sql = Box::new(ast::Statement::Query(query.clone()));
    let prepared = session.prepare(Some(Statement::Sql(sql.clone())), &[])?;
    let Some(cached) = prepared.planned.as_ref().filter(|_| prepared.parameters.is_empty()) else {
        return Err(SqlError::unsupported("a cursor with parameters"));
    };
    let planned = session.lock(&sql, cached)?;
    let cursor = session.open(&planned, Vec::new(), false)?;
    let mut portal = Portal::new(Rc::new(prepared), Vec::new(), Vec::new());
    portal.running = Some(Running::Cursor(Box::new(cursor)));
    session.portals.insert(name, portal);
    Ok(())
}

/// MOVE: leaves out rows. Returns how many there were.
pub fn move_forward(session: &mut Session, fetch: &Fetch) -> Result<u64> {
    let (mut fetching, mut rows) = (Fetching::new(session, fetch)?, 0);
    while fetching.next(session.transaction()?)?.is_some() {
        rows += 1;
    }
    session.portals.insert(fetching.cursor, *fetching.portal);
    Ok(rows)
}

/// CLOSE. Returns the tag.
pub fn close(session: &mut Session, cursor: &ast::CloseCursor) -> Result<&'static str> {
    match cursor {
        ast::CloseCursor::All => {
            session.portals.clear();
            Ok("CLOSE CURSOR ALL")
        }
        ast::CloseCursor::Specific { name } => {
            let name = folded(name);
            session.portals.remove(&name).ok_or_else(|| no_cursor(&name))?;
            Ok("CLOSE CURSOR")
        }
    }
}

/// PREPARE.
pub fn prepare(
    session: &mut Session,
    name: &ast::Ident,
    types: &[ast::DataType],
    statement: &ast::Statement,
) -> Result<()> {
    let name = folded(name);
    session.check_is_new(&name)?;
    let declared = types.iter().map(|it| Ok(Some(column_type(it)?.base)));
    let declared = declared.collect::<Result<Vec<_>>>()?;
    let statement = Statement::Sql(Box::new(statement.clone()));
    let prepared = session.prepare(Some(statement), &declared)?;
    if prepared.planned.is_none() {
        return Err(SqlError::unsupported("PREPARE of this statement"));
    }
    session.statements.insert(name, Rc::new(prepared));
    Ok(())
}

/// DEALLOCATE. Returns the tag.
pub fn deallocate(session: &mut Session, name: &ast::Ident) -> Result<&'static str> {
    if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all") {
        session.statements.clear();
        return Ok("DEALLOCATE ALL");
    }
    session.prepared(&folded(name))?;
    session.statements.remove(&folded(name));
    Ok("DEALLOCATE")
}

/// The statement that an EXECUTE names; `None` if it is another statement.
pub fn executed(session: &Session, sql: &ast::Statement) -> Result<Option<Rc<Prepared>>> {
    match sql {
        ast::Statement::Execute { name: Some(name), immediate: false, .. } => {
            session.prepared(&table_name(name)?).map(|it| Some(Rc::clone(it)))
        }
        _ => Ok(None),
    }
}

/// The parameters of an EXECUTE.
pub fn arguments(
    session: &mut Session,
    sql: &ast::Statement,
    prepared: &Prepared,
) -> Result<Vec<Value>> {
    let ast::Statement::Execute {
        name,
        parameters,
        into,
        using,
        output: false,
        default: false,
        ..
    } = sql
    else {
        return Err(unsupported!("{sql}"));
    };
    if !into.is_empty() || !using.is_empty() {
        return Err(unsupported!("{sql}"));
    }
    let (wanted, given) = (prepared.parameters.len(), parameters.len());
    if wanted != given {
        let name = name.as_ref().map_or(String::new(), ToString::to_string);
        let text = format!("wrong number of parameters for prepared statement \"{name}\"");
        let error = SqlError::new(code::SYNTAX_ERROR, text);
        return Err(error.detail(format!("Expected {wanted} parameters but got {given}.")));
    }

    session.refresh_catalog()?;
    let mut binder = Binder::new(&session.catalog, &[]);
    let values = parameters.iter().zip(&prepared.parameters).enumerate();
    let values = values.map(|(index, (expr, base))| {
        match bind::argument(&mut binder, expr, index, *base)? {
            Expr::Constant(value, _) => Ok(value),
            _ => Err(unsupported!("EXECUTE with the expression {expr}")),
        }
    });
    values.collect()
}

fn no_cursor(name: &str) -> SqlError {
    SqlError::new(code::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}
