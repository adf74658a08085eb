//! Cursors and prepared statements that SQL names: DECLARE, FETCH, MOVE, CLOSE, PREPARE, EXECUTE.
//!
//! A cursor is a portal, and `PREPARE` fills the same map as a Parse message. So a client can mix
//! both ways: psycopg declares a cursor in SQL and asks for its columns with a Describe message.
//!
//! ```text
//! DECLARE c CURSOR FOR SELECT ..    portals: c, begun: its snapshot is that of the DECLARE
//! FETCH 2 FROM c                    two rows of it
//! CLOSE c, or the end of the block
//! ```
//!
//! Only a cursor declared with SCROLL can go back. Its first FETCH gathers all rows in memory;
//! PostgreSQL executes the plan backwards. Cursors end with their block, or at a ROLLBACK TO a
//! savepoint that is older.
//!
//! PostgreSQL's `portalcmds.c`, `prepare.c` and `DoPortalRunFetch` in `pquery.c`.

use super::Session;
use super::portal::{Portal, Prepared, Running};
use crate::engine::Transaction;
use crate::sql::bind::{self, Binder};
use crate::sql::plan::Plan;
use crate::sql::statement::{Fetch, Path, Statement, column_type, folded, table_name};
use crate::sql::tree::Expr;
use crate::sql::values::Value;
use crate::wire::{Result, SqlError, code};
use minibtree_control::{self as control, Declared};
use sqlparser::ast;
use std::rc::Rc;

/// A running FETCH. It takes the cursor out of the portals and puts it back when it ends.
pub struct Fetching {
    pub cursor: String,
    pub portal: Box<Portal>,
    /// The rows still to return, by their numbers.
    path: Path,
}

impl Fetching {
    /// Moves the cursor to the row before the first one wanted.
    ///
    /// # Errors
    /// `34000` if there is no such cursor; `55000` or `0A000` if it would have to go back.
    pub fn new(session: &mut Session, fetch: &Fetch) -> Result<Fetching> {
        let portal = session.portals.remove(&fetch.cursor);
        let mut portal = Box::new(portal.ok_or_else(|| Fetch::no_cursor(&fetch.cursor))?);
        if portal.scroll == Some(true)
            && let Some(Running::Cursor(cursor)) = &mut portal.running
        {
            let rows = cursor.gather(session.transaction()?)?;
            portal.running = Some(Running::Gathered(rows));
        }

        if let Some(Running::Gathered(rows)) = &portal.running {
            let path = fetch.path(portal.rows, rows.len() as u64);
            portal.rows = path.end;
            return Ok(Fetching { cursor: fetch.cursor.clone(), portal, path });
        }
        let at = portal.rows + u64::from(portal.is_done);
        let path = fetch.path(at, if portal.is_done { portal.rows } else { Fetch::UNKNOWN });
        // MOVE BACKWARD ALL begins again, for which nothing is to be done at the start.
        let is_rewound = at == 0 && fetch.is_move && path.is_backward && fetch.count == Fetch::ALL;
        if !Fetch::is_ahead(&path, at) && !is_rewound {
            return Err(Fetch::no_way_back(portal.scroll));
        }
        let mut fetching = Fetching { cursor: fetch.cursor.clone(), portal, path: path.clone() };
        fetching.path.rows = at + 1..path.rows.start;
        while fetching.next(session.transaction()?)?.is_some() {}
        Ok(Fetching { path, ..fetching })
    }

    /// The next row; `None` if FETCH wants no more, or the cursor has none.
    pub fn next(&mut self, transaction: &mut Transaction) -> Result<Option<Vec<Value>>> {
        let (path, portal) = (&mut self.path, &mut *self.portal);
        let number = if path.is_backward { path.rows.next_back() } else { path.rows.next() };
        match (number, &mut portal.running) {
            (Some(number), Some(Running::Gathered(rows))) => {
                Ok(Some(rows[number as usize - 1].clone()))
            }
            (Some(_), Some(Running::Cursor(cursor))) => {
                let row = cursor.next(transaction)?;
                portal.is_done |= row.is_none();
                portal.rows += u64::from(row.is_some());
                Ok(row)
            }
            _ => Ok(None),
        }
    }
}

/// The query of a DECLARE as a statement.
pub fn cursor_query(declared: &[ast::Declare]) -> Result<ast::Statement> {
    let query = control::declared(declared)?.query;
    Ok(ast::Statement::Query(Box::new(query.clone())))
}

/// DECLARE, with the parameters of a portal.
pub fn declare(session: &mut Session, declared: &[ast::Declare], portal: &Portal) -> Result<()> {
    let Declared { name, scroll, .. } = control::declared(declared)?;
    if !session.is_in_block() && !session.is_pipeline {
        let text = "DECLARE CURSOR can only be used in transaction blocks";
        return Err(SqlError::new(code::NO_ACTIVE_SQL_TRANSACTION, text));
    }
    if session.portals.contains_key(&name) {
        return Err(error!(DUPLICATE_CURSOR, "cursor \"{name}\" already exists"));
    }

    let sql = Box::new(cursor_query(declared)?);
    let prepared = session.prepare(Some(Statement::Sql(sql.clone())), &portal.types())?;
    let cached = prepared.planned.as_ref().expect("a query has a plan");
    let planned = session.lock(&sql, cached)?;
    match planned.plan {
        Plan::Lock(..) if scroll == Some(true) => {
            return Err(SqlError::unsupported("DECLARE SCROLL CURSOR ... FOR UPDATE"));
        }
        Plan::Modify(_) => return Err(error!(SYNTAX_ERROR, "a cursor needs a SELECT or VALUES")),
        _ => {}
    }
    let cursor = session.open(&planned, portal.parameters.clone(), false)?;
    let mut portal = Portal::new(Rc::new(prepared), Vec::new(), Vec::new());
    portal.running = Some(Running::Cursor(Box::new(cursor)));
    (portal.scroll, portal.savepoints) = (scroll, session.savepoints.len());
    session.portals.insert(name, portal);
    Ok(())
}

/// MOVE: goes past rows without returning them. Returns how many there were.
pub fn move_cursor(session: &mut Session, fetch: &Fetch) -> Result<u64> {
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
            session.portals.remove(&name).ok_or_else(|| Fetch::no_cursor(&name))?;
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
    let prepared = session.prepare(Some(statement), &declared)?.decided()?;
    if prepared.planned.is_none() {
        return Err(SqlError::unsupported("PREPARE of a statement without a plan"));
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

/// The prepared statement that `sql`, an EXECUTE, names; `None` if it is not an EXECUTE.
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
    let (name, parameters) = control::executed(sql)?;
    let (wanted, given) = (prepared.parameters.len(), parameters.len());
    // PostgreSQL ignores values if there are no parameters.
    if wanted != given && wanted > 0 {
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
