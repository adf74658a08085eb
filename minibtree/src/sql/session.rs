//! A session: one client's transaction, prepared statements and portals.
//!
//! Messages come in, replies go out into a buffer; sockets are not its business.
//!
//! ```text
//! Q "sql"          parse, and for each statement: plan, lock, run     -> T D.. C .. Z
//! P name "sql"     parse, plan: the types of the parameters are known -> 1
//! B portal name    read the parameters                                -> 2
//! D portal         the columns                                        -> T or n
//! E portal         lock, run                                          -> D.. C or s
//! S                commit unless in a block                           -> Z
//! ```
//!
//! # States
//!
//! ```text
//! Idle ──statement──> Implicit ──Sync, end of Query──> Idle        commits
//! Idle, Implicit ──BEGIN──> Block ──COMMIT, ROLLBACK──> Idle
//! Block ──error──> Failed ──COMMIT, ROLLBACK──> Idle               everything else: 25P02
//! ```
//!
//! # When does a reply wait for the log?
//!
//! A commit returns when it is durable. A reader may have seen a commit that is not durable yet:
//! [`Session::settle`] waits for that before the replies are written.
//!
//! PostgreSQL's `tcop/postgres.c`, `xact.c` (whose block states are these and those of savepoints)
//! and `plancache.c`. There is one isolation level so far, READ COMMITTED; another is refused.

use super::catalog::{Catalog, Editor, TABLES, Version};
use super::copy::CopyIn;
use super::execute::{self, Cursor};
use super::expression::Scope;
use super::plan::{self, Plan, Planned, target_columns};
use super::statement::{self, CopyFrom, Statement, Vacuum};
use super::{Shared, Type, Value, definition};
use crate::engine::{Interrupt, Isolation, LockMode, LockWait, Transaction};
use crate::format::Lsn;
use crate::wire::{Bind, Format, Message, Replies, Severity, SqlError, Target, TransactionStatus};
use crate::wire::{code, format_of};
use sqlparser::ast;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// Bytes of replies after which they are written before more rows are produced.
const REPLY_BYTES: usize = 64 << 10;

/// What the connection does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Handles the next message.
    Message,
    /// Writes the replies and calls [`Session::resume`].
    Resume,
    /// Writes the replies before it reads: the client waits for them.
    Flush,
    /// Closes the connection.
    Close,
    /// Writes the replies and ends the server: the log cannot be written.
    EndServer,
}

/// One client's session.
pub struct Session {
    shared: Arc<Shared>,
    interrupt: Interrupt,
    state: State,
    /// When the transaction began, in microseconds since 2000.
    began: i64,
    /// The transaction has changed the catalog.
    has_changed_catalog: bool,
    catalog: Rc<Catalog>,
    version: Version,
    statements: HashMap<String, Rc<Prepared>>,
    portals: HashMap<String, Portal>,
    work: Option<Work>,
    copy: Option<CopyIn>,
    /// After an error in the extended protocol, messages up to Sync are ignored.
    is_skipping: bool,
    /// What the replies tell becomes durable here.
    seen: Lsn,
}

enum State {
    Idle,
    Implicit(Transaction),
    Block(Transaction),
    Failed,
}

/// A prepared statement.
struct Prepared {
    /// `None`: the text was empty.
    statement: Option<Statement>,
    parameters: Vec<Type>,
    planned: Option<(Rc<Catalog>, Rc<Planned>)>,
}

/// A statement with its parameters.
struct Portal {
    prepared: Rc<Prepared>,
    parameters: Vec<Value>,
    formats: Vec<Format>,
    /// Set by the first Execute of a SELECT.
    running: Option<(Rc<Planned>, Cursor)>,
    rows: u64,
    is_done: bool,
}

/// What goes on after replies were written or a COPY has ended.
enum Work {
    /// A Query: the statements that are left, and the one that returns rows.
    Query { rest: VecDeque<Statement>, portal: Option<Box<Portal>> },
    /// An Execute of this portal, with the rows that are left; `None` is no limit.
    Execute { portal: String, left: Option<u32> },
}

impl Session {
    /// A session of a database. `interrupt` cancels what it executes.
    pub fn new(shared: Arc<Shared>, interrupt: Interrupt) -> Session {
        Session {
            shared,
            interrupt,
            state: State::Idle,
            began: 0,
            has_changed_catalog: false,
            catalog: Rc::default(),
            version: None,
            statements: HashMap::new(),
            portals: HashMap::new(),
            work: None,
            copy: None,
            is_skipping: false,
            seen: Lsn(0),
        }
    }

    /// What ReadyForQuery tells.
    pub fn status(&self) -> TransactionStatus {
        match self.state {
            State::Idle | State::Implicit(_) => TransactionStatus::Idle,
            State::Block(_) => TransactionStatus::InBlock,
            State::Failed => TransactionStatus::Failed,
        }
    }

    /// Waits until everything that the replies tell is durable. Call it before they are written.
    ///
    /// # Errors
    /// If the log cannot be written: the replies must not be sent.
    pub fn settle(&mut self) -> Result<(), SqlError> {
        Ok(self.shared.database.wait_durable(std::mem::take(&mut self.seen))?)
    }

    /// Handles a message.
    pub fn handle(&mut self, message: Message<'_>, out: &mut Replies) -> Next {
        let handled = match message {
            Message::Terminate => return Next::Close,
            Message::Query(sql) => {
                self.is_skipping = false;
                self.query(sql, out)
            }
            Message::Sync => {
                self.is_skipping = false;
                return self.sync(out);
            }
            Message::Flush => return Next::Flush,
            _ if self.is_skipping => return Next::Message,
            Message::CopyData(data) => self.copy_data(data).map(|()| Next::Message),
            Message::CopyDone => self.copy_done(out),
            Message::CopyFail(reason) => self.copy_fail(reason),
            Message::Parse { name, sql, types } => self.parse(name, sql, &types, out),
            Message::Bind(bind) => self.bind(bind, out),
            Message::Describe(Target::Statement, name) => self.describe_statement(name, out),
            Message::Describe(Target::Portal, name) => self.describe_portal(name, out),
            Message::Execute { portal, max_rows } => {
                let left = (max_rows > 0).then_some(max_rows);
                self.work = Some(Work::Execute { portal: portal.to_owned(), left });
                return self.resume(out);
            }
            Message::Close(target, name) => {
                match target {
                    Target::Statement => drop(self.statements.remove(name)),
                    Target::Portal => drop(self.portals.remove(name)),
                }
                out.close_complete();
                Ok(Next::Message)
            }
        };
        handled.unwrap_or_else(|error| self.fail(&error, out))
    }

    /// Goes on with what was interrupted by a full reply buffer.
    pub fn resume(&mut self, out: &mut Replies) -> Next {
        let advanced = match self.work.take() {
            None => return Next::Message,
            Some(Work::Query { rest, portal }) => self.advance_query(rest, portal, out),
            Some(Work::Execute { portal, left }) => self.advance_execute(portal, left, out),
        };
        advanced.unwrap_or_else(|error| self.fail(&error, out))
    }

    /// Reports an error and rolls back. A Query ends with it; in the extended protocol the next
    /// Sync does.
    fn fail(&mut self, error: &SqlError, out: &mut Replies) -> Next {
        let is_query = matches!(self.work, Some(Work::Query { .. }));
        self.work = None;
        self.copy = None;
        out.error(error);
        self.abort();
        if error.severity == Severity::Panic {
            return Next::EndServer;
        }
        if is_query {
            out.ready(self.status());
        } else {
            self.is_skipping = true;
        }
        Next::Message
    }

    fn abort(&mut self) {
        self.portals.clear();
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::Block(_) | State::Failed => State::Failed,
            State::Idle | State::Implicit(_) => State::Idle,
        };
        self.forget_catalog_change();
    }

    /// The copy of a transaction that changed the catalog is wrong once it has ended.
    fn forget_catalog_change(&mut self) {
        if std::mem::take(&mut self.has_changed_catalog) {
            self.version = None;
            self.catalog = Rc::default();
        }
    }

    fn sync(&mut self, out: &mut Replies) -> Next {
        if let State::Implicit(_) = self.state
            && let Err(error) = self.commit()
        {
            out.error(&error);
            self.abort();
            if error.severity == Severity::Panic {
                return Next::EndServer;
            }
        }
        if !matches!(self.state, State::Block(_)) {
            self.portals.clear();
        }
        out.ready(self.status());
        Next::Message
    }

    /// Commits the transaction, if there is one.
    fn commit(&mut self) -> Result<(), SqlError> {
        // A suspended SELECT ends with its transaction.
        self.portals.clear();
        let state = std::mem::replace(&mut self.state, State::Idle);
        let (State::Implicit(transaction) | State::Block(transaction)) = state else {
            return Ok(());
        };
        if !self.has_changed_catalog {
            return Ok(transaction.commit()?);
        }
        self.shared.versions.begin_change();
        let committed = transaction.commit();
        self.shared.versions.end_change();
        self.forget_catalog_change();
        Ok(committed?)
    }

    /// Begins a statement, and a transaction if there is none.
    fn begin_statement(&mut self) -> Result<&mut Transaction, SqlError> {
        if let State::Idle = self.state {
            let mut transaction = self.shared.database.begin(Isolation::ReadCommitted);
            transaction.set_interrupt(self.interrupt.clone());
            // A cancel request that came too late for the last statement does not cancel this one.
            let _ = self.interrupt.check();
            self.began = (self.shared.now)();
            self.state = State::Implicit(transaction);
        } else if let State::Implicit(transaction) | State::Block(transaction) = &mut self.state {
            transaction.next_statement();
        }
        self.transaction()
    }

    fn transaction(&mut self) -> Result<&mut Transaction, SqlError> {
        match &mut self.state {
            State::Implicit(transaction) | State::Block(transaction) => Ok(transaction),
            State::Idle | State::Failed => Err(SqlError::new(
                code::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            )),
        }
    }

    /// Makes the copy of the catalog current.
    fn refresh_catalog(&mut self) -> Result<(), SqlError> {
        let shared = Arc::clone(&self.shared);
        if self.has_changed_catalog {
            let transaction = self.transaction()?;
            transaction.next_statement();
            let snapshot = transaction.snapshot();
            self.catalog = Rc::new(Catalog::load(&shared.database, &snapshot)?);
            return Ok(());
        }
        while !shared.versions.is_current(self.version) {
            let version = shared.versions.look();
            let mut reader = shared.database.begin(Isolation::ReadCommitted);
            match Catalog::load(&shared.database, &reader.snapshot()) {
                Ok(catalog) => (self.catalog, self.version) = (Rc::new(catalog), version),
                // A table may have been dropped between the snapshot and the look at its file.
                Err(error) if shared.versions.is_current(version) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(())
    }

    // ---- simple protocol

    fn query(&mut self, sql: &str, out: &mut Replies) -> Result<Next, SqlError> {
        // So that `fail` knows which protocol it is.
        self.work = Some(Work::Query { rest: VecDeque::new(), portal: None });
        let rest = VecDeque::from(statement::parse(sql)?);
        if rest.is_empty() {
            out.empty_query();
        }
        self.advance_query(rest, None, out)
    }

    fn advance_query(
        &mut self,
        mut rest: VecDeque<Statement>,
        mut portal: Option<Box<Portal>>,
        out: &mut Replies,
    ) -> Result<Next, SqlError> {
        // So that `fail` knows which protocol it is.
        self.work = Some(Work::Query { rest: VecDeque::new(), portal: None });
        loop {
            if let Some(mut running) = portal.take()
                && !self.run(&mut running, &mut None, out)?
            {
                // The data of a COPY has to come, or the replies are full.
                let is_copy = self.copy.is_some();
                let portal = Some(running).filter(|_| !is_copy);
                self.work = Some(Work::Query { rest, portal });
                return Ok(if is_copy { Next::Flush } else { Next::Resume });
            }
            let Some(statement) = rest.pop_front() else { break };
            let prepared = Rc::new(self.prepare(Some(statement), &[])?);
            if let Some(parameter) = prepared.parameters.len().checked_sub(1) {
                let text = format!("there is no parameter ${}", parameter + 1);
                return Err(SqlError::new(code::UNDEFINED_PARAMETER, text));
            }
            if let Some((_, planned)) = &prepared.planned
                && let Plan::Select(_) = planned.plan
            {
                out.row_description(&planned.fields, &[]);
            }
            portal = Some(Box::new(Portal::new(prepared, Vec::new(), Vec::new())));
        }

        if let State::Implicit(_) = self.state {
            self.commit()?;
        }
        self.work = None;
        out.ready(self.status());
        Ok(Next::Message)
    }

    // ---- extended protocol

    fn parse(
        &mut self,
        name: &str,
        sql: &str,
        types: &[u32],
        out: &mut Replies,
    ) -> Result<Next, SqlError> {
        if !name.is_empty() && self.statements.contains_key(name) {
            let text = format!("prepared statement \"{name}\" already exists");
            return Err(SqlError::new(code::DUPLICATE_PREPARED_STATEMENT, text));
        }
        let mut statements = statement::parse(sql)?;
        if statements.len() > 1 {
            let text = "cannot insert multiple commands into a prepared statement";
            return Err(SqlError::new(code::SYNTAX_ERROR, text));
        }
        let declared = types.iter().map(|oid| match oid {
            0 => Ok(None),
            oid => Type::from_oid(*oid).map(Some).ok_or_else(|| {
                SqlError::unsupported(format!("a parameter of the type with OID {oid}"))
            }),
        });
        let declared = declared.collect::<Result<Vec<_>, _>>()?;
        let prepared = self.prepare(statements.pop(), &declared)?;
        self.statements.insert(name.to_owned(), Rc::new(prepared));
        out.parse_complete();
        Ok(Next::Message)
    }

    /// Plans a statement, so far as it has a plan.
    fn prepare(
        &mut self,
        statement: Option<Statement>,
        declared: &[Option<Type>],
    ) -> Result<Prepared, SqlError> {
        let Some(Statement::Sql(sql)) = &statement else {
            return Ok(Prepared { statement, parameters: Vec::new(), planned: None });
        };
        if is_transaction_control(sql) {
            return Ok(Prepared { statement, parameters: Vec::new(), planned: None });
        }
        self.begin_statement()?;
        self.refresh_catalog()?;
        let planned = plan::plan(&self.catalog, sql, declared)?.map(Rc::new);
        let parameters = planned.as_ref().map_or(Vec::new(), |it| it.parameters.clone());
        let planned = planned.map(|it| (Rc::clone(&self.catalog), it));
        Ok(Prepared { statement, parameters, planned })
    }

    fn bind(&mut self, bind: Bind<'_>, out: &mut Replies) -> Result<Next, SqlError> {
        let prepared = Rc::clone(self.prepared(bind.statement)?);
        if bind.parameters.len() != prepared.parameters.len() {
            let text = format!(
                "bind message supplies {} parameters, but prepared statement \"{}\" requires {}",
                bind.parameters.len(),
                bind.statement,
                prepared.parameters.len()
            );
            return Err(SqlError::new(code::PROTOCOL_VIOLATION, text));
        }
        if !bind.portal.is_empty() && self.portals.contains_key(bind.portal) {
            let text = format!("cursor \"{}\" already exists", bind.portal);
            return Err(SqlError::new(code::DUPLICATE_CURSOR, text));
        }

        let mut parameters = Vec::with_capacity(bind.parameters.len());
        for (index, (bytes, base)) in bind.parameters.iter().zip(&prepared.parameters).enumerate() {
            parameters.push(match (bytes, format_of(&bind.parameter_formats, index)) {
                (None, _) => Value::Null,
                (Some(bytes), Format::Binary) => base.receive(bytes)?,
                (Some(bytes), Format::Text) => match Type::Text.receive(bytes)? {
                    Value::Text(text) => base.parse(&text)?,
                    _ => unreachable!("text is received as text"),
                },
            });
        }
        let portal = Portal::new(prepared, parameters, bind.result_formats);
        self.portals.insert(bind.portal.to_owned(), portal);
        out.bind_complete();
        Ok(Next::Message)
    }

    fn prepared(&self, name: &str) -> Result<&Rc<Prepared>, SqlError> {
        self.statements.get(name).ok_or_else(|| {
            let text = format!("prepared statement \"{name}\" does not exist");
            SqlError::new(code::INVALID_SQL_STATEMENT_NAME, text)
        })
    }

    fn describe_statement(&mut self, name: &str, out: &mut Replies) -> Result<Next, SqlError> {
        let prepared = self.prepared(name)?;
        let types: Vec<u32> = prepared.parameters.iter().map(|base| base.oid()).collect();
        out.parameter_description(&types);
        prepared.describe(&[], out);
        Ok(Next::Message)
    }

    fn describe_portal(&mut self, name: &str, out: &mut Replies) -> Result<Next, SqlError> {
        let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
        portal.prepared.describe(&portal.formats, out);
        Ok(Next::Message)
    }

    fn advance_execute(
        &mut self,
        name: String,
        mut left: Option<u32>,
        out: &mut Replies,
    ) -> Result<Next, SqlError> {
        let mut portal = self.portals.remove(&name).ok_or_else(|| no_portal(&name))?;
        let is_done = self.run(&mut portal, &mut left, out)?;
        self.portals.insert(name.clone(), portal);
        if self.copy.is_some() {
            self.work = Some(Work::Execute { portal: name, left });
            return Ok(Next::Flush);
        }
        if is_done {
            return Ok(Next::Message);
        }
        if left == Some(0) {
            out.portal_suspended();
            return Ok(Next::Message);
        }
        self.work = Some(Work::Execute { portal: name, left });
        Ok(Next::Resume)
    }

    // ---- running

    /// Runs a portal until it is done, `left` rows are written or the replies are full. Returns
    /// true if it is done; then the tag is written.
    fn run(
        &mut self,
        portal: &mut Portal,
        left: &mut Option<u32>,
        out: &mut Replies,
    ) -> Result<bool, SqlError> {
        let prepared = Rc::clone(&portal.prepared);
        let Some(statement) = &prepared.statement else {
            out.empty_query();
            return Ok(true);
        };
        if portal.running.is_some() || portal.is_done {
            return self.fetch(portal, left, out);
        }
        if let Statement::Sql(sql) = statement
            && let Some(tag) = self.transaction_control(sql, out)?
        {
            out.command_complete(tag);
            portal.is_done = true;
            return Ok(true);
        }

        self.begin_statement()?;
        match (statement, &prepared.planned) {
            (Statement::CopyFrom(copy), _) => return self.copy_in(copy, out).map(|()| false),
            (Statement::Vacuum(vacuum), _) => {
                self.vacuum(vacuum, out)?;
                out.command_complete("VACUUM");
            }
            (Statement::Sql(sql), None) => {
                let tag = self.define(sql, out)?;
                out.command_complete(tag);
            }
            (Statement::Sql(sql), Some(cached)) => {
                let planned = self.lock(sql, cached)?;
                return self.start(portal, planned, left, out);
            }
        }
        portal.is_done = true;
        Ok(true)
    }

    /// Locks the table of a plan, and plans again if the catalog has changed.
    fn lock(
        &mut self,
        sql: &ast::Statement,
        cached: &(Rc<Catalog>, Rc<Planned>),
    ) -> Result<Rc<Planned>, SqlError> {
        let (mut catalog, mut planned) = (Rc::clone(&cached.0), Rc::clone(&cached.1));
        loop {
            let is_current =
                self.has_changed_catalog || self.shared.versions.is_current(self.version);
            if !is_current {
                self.refresh_catalog()?;
            }
            if !Rc::ptr_eq(&catalog, &self.catalog) {
                let declared: Vec<_> = planned.parameters.iter().copied().map(Some).collect();
                let again = plan::plan(&self.catalog, sql, &declared)?;
                let again = again.expect("a statement with a plan has one again");
                if again.types != planned.types {
                    return Err(SqlError::unsupported("a cached plan with another result type"));
                }
                (catalog, planned) = (Rc::clone(&self.catalog), Rc::new(again));
            }

            if let Some((table, is_write)) = planned.plan.table() {
                let mode = if is_write { LockMode::Share } else { LockMode::KeyShare };
                self.transaction()?.lock_relation(table.oid, mode, LockWait::Block)?;
            }
            if self.has_changed_catalog || self.shared.versions.is_current(self.version) {
                return Ok(planned);
            }
        }
    }

    fn start(
        &mut self,
        portal: &mut Portal,
        planned: Rc<Planned>,
        left: &mut Option<u32>,
        out: &mut Replies,
    ) -> Result<bool, SqlError> {
        let scope = Scope { parameters: &portal.parameters, now: self.began };
        let interrupt = self.interrupt.clone();
        let transaction = self.transaction()?;
        let tag = match &planned.plan {
            Plan::Select(select) => {
                let snapshot = transaction.snapshot();
                let seen = snapshot.lsn();
                let cursor = Cursor::open(select, scope, snapshot, interrupt)?;
                self.seen = self.seen.max(seen);
                portal.running = Some((planned, cursor));
                return self.fetch(portal, left, out);
            }
            Plan::Insert(insert) => {
                format!("INSERT 0 {}", execute::insert(insert, scope, transaction)?)
            }
            Plan::Change(change) => {
                let verb = if change.assignments.is_some() { "UPDATE" } else { "DELETE" };
                let count = execute::change(change, scope, transaction, interrupt)?;
                // That no row was found may be due to a commit that is not durable.
                let seen = transaction.snapshot().lsn();
                self.seen = self.seen.max(seen);
                format!("{verb} {count}")
            }
        };
        out.command_complete(&tag);
        portal.is_done = true;
        Ok(true)
    }

    /// Writes rows of a portal that runs.
    fn fetch(
        &mut self,
        portal: &mut Portal,
        left: &mut Option<u32>,
        out: &mut Replies,
    ) -> Result<bool, SqlError> {
        let Portal { parameters, formats, running, rows, is_done, .. } = portal;
        let scope = Scope { parameters, now: self.began };
        let Some((planned, cursor)) = running else {
            // The portal is used up: PostgreSQL answers with no rows, or refuses.
            let text = "portal cannot be run again";
            return Err(SqlError::new(code::INVALID_CURSOR_NAME, text));
        };
        let Plan::Select(select) = &planned.plan else { unreachable!("only SELECT returns rows") };
        while *left != Some(0) && out.len() < REPLY_BYTES {
            let Some(values) = cursor.next(select, scope)? else {
                out.command_complete(&format!("SELECT {rows}"));
                (*running, *is_done) = (None, true);
                return Ok(true);
            };
            *rows += 1;
            *left = left.map(|left| left - 1);
            write_row(&planned.types, &values, formats, out);
        }
        Ok(false)
    }

    /// Executes BEGIN, COMMIT or ROLLBACK, and returns its tag; `None` if it is none of them.
    fn transaction_control(
        &mut self,
        sql: &ast::Statement,
        out: &mut Replies,
    ) -> Result<Option<&'static str>, SqlError> {
        let mut warn = |code, text: &str| {
            out.error(&SqlError::new(code, text).severity(Severity::Warning));
        };
        let (is_commit, is_plain) = match sql {
            ast::Statement::StartTransaction { modes, statements, modifier: None, .. } => {
                let is_plain = statements.is_empty() && modes.iter().all(is_default_mode);
                if !is_plain {
                    return Err(SqlError::unsupported(format!("{sql}")));
                }
                if let State::Block(_) = self.state {
                    let text = "there is already a transaction in progress";
                    warn(code::ACTIVE_SQL_TRANSACTION, text);
                }
                self.begin_statement()?;
                self.state = match std::mem::replace(&mut self.state, State::Failed) {
                    State::Implicit(it) | State::Block(it) => State::Block(it),
                    other => other,
                };
                return Ok(Some("BEGIN"));
            }
            ast::Statement::Commit { chain, modifier, .. } => (true, !chain && modifier.is_none()),
            ast::Statement::Rollback { chain, savepoint } => (false, !chain && savepoint.is_none()),
            _ => return Ok(None),
        };
        if !is_plain {
            return Err(SqlError::unsupported(format!("{sql}")));
        }

        if let State::Idle | State::Implicit(_) = self.state {
            let text = "there is no transaction in progress";
            warn(code::NO_ACTIVE_SQL_TRANSACTION, text);
        }
        if is_commit && !matches!(self.state, State::Failed) {
            self.commit()?;
            return Ok(Some("COMMIT"));
        }
        self.state = State::Idle;
        self.abort();
        Ok(Some("ROLLBACK"))
    }

    /// Executes a statement that changes the catalog.
    fn define(
        &mut self,
        sql: &ast::Statement,
        out: &mut Replies,
    ) -> Result<&'static str, SqlError> {
        let refused = || SqlError::unsupported(first_words(sql));
        if !definition::is_definition(sql) {
            return Err(refused());
        }
        let lock = (TABLES, LockMode::Update, LockWait::Block);
        self.transaction()?.lock_relation(lock.0, lock.1, lock.2)?;
        self.refresh_catalog()?;

        // From here on the copy of others is not that of this transaction.
        self.has_changed_catalog = true;
        let (shared, catalog) = (Arc::clone(&self.shared), Rc::clone(&self.catalog));
        let transaction = self.transaction()?;
        let mut editor = Editor { database: &shared.database, transaction };
        let tag = definition::execute(&mut editor, &catalog, sql, out)?.ok_or_else(refused)?;
        self.refresh_catalog()?;
        Ok(tag)
    }

    fn vacuum(&mut self, vacuum: &Vacuum, out: &mut Replies) -> Result<(), SqlError> {
        if let State::Block(_) = self.state {
            let text = "VACUUM cannot run inside a transaction block";
            return Err(SqlError::new(code::ACTIVE_SQL_TRANSACTION, text));
        }
        self.refresh_catalog()?;
        let catalog = Rc::clone(&self.catalog);
        let names = match &vacuum.tables[..] {
            [] => catalog.names().map(str::to_owned).collect(),
            names => names.to_vec(),
        };
        for name in names {
            let oid = catalog.table(&name)?.oid;
            // `KeyShare` keeps the table; the lock of the heap keeps out a second vacuum.
            self.transaction()?.lock_relation(oid, LockMode::KeyShare, LockWait::Block)?;
            self.refresh_catalog()?;
            let table = Arc::clone(self.catalog.table(&name)?);
            let heap = table.heap.id();
            self.transaction()?.lock_relation(heap, LockMode::Update, LockWait::Block)?;

            let indexes: Vec<_> = table.indexes.iter().map(|it| it.index.clone()).collect();
            let done = self.shared.database.vacuum(&table.heap, &indexes)?;
            if vacuum.verbose {
                let text = format!(
                    "vacuumed \"{name}\": {} pages, {} dead rows and {} index entries removed",
                    done.pages, done.rows, done.index_entries
                );
                out.error(
                    &SqlError::new(code::SUCCESSFUL_COMPLETION, text).severity(Severity::Info),
                );
            }
        }
        Ok(())
    }

    // ---- COPY

    fn copy_in(&mut self, copy: &CopyFrom, out: &mut Replies) -> Result<(), SqlError> {
        let table = loop {
            if !self.has_changed_catalog {
                self.refresh_catalog()?;
            }
            let table = Arc::clone(self.catalog.table(&copy.table)?);
            let lock =
                self.transaction()?.lock_relation(table.oid, LockMode::Share, LockWait::Block);
            lock?;
            if self.has_changed_catalog || self.shared.versions.is_current(self.version) {
                break table;
            }
        };
        let positions = target_columns(&table, &copy.columns)?;
        let copy = CopyIn::new(table, positions);
        out.copy_in(copy.columns());
        self.copy = Some(copy);
        Ok(())
    }

    /// Data that comes without a COPY belongs to one that has failed.
    fn copy_data(&mut self, data: &[u8]) -> Result<(), SqlError> {
        let Some(mut copy) = self.copy.take() else { return Ok(()) };
        self.interrupt.check()?;
        copy.receive(data, self.transaction()?)?;
        self.copy = Some(copy);
        Ok(())
    }

    fn copy_done(&mut self, out: &mut Replies) -> Result<Next, SqlError> {
        let Some(copy) = self.copy.take() else { return Ok(Next::Message) };
        let rows = copy.finish(self.transaction()?)?;
        out.command_complete(&format!("COPY {rows}"));
        match self.work.take() {
            Some(Work::Query { rest, .. }) => self.advance_query(rest, None, out),
            _ => Ok(Next::Message),
        }
    }

    fn copy_fail(&mut self, reason: &str) -> Result<Next, SqlError> {
        match self.copy.take() {
            None => Ok(Next::Message),
            Some(_) => {
                let text = format!("COPY from stdin failed: {reason}");
                Err(SqlError::new(code::QUERY_CANCELED, text))
            }
        }
    }
}

impl Prepared {
    fn describe(&self, formats: &[Format], out: &mut Replies) {
        match &self.planned {
            Some((_, planned)) if !planned.fields.is_empty() => {
                out.row_description(&planned.fields, formats);
            }
            _ => out.no_data(),
        }
    }
}

impl Portal {
    fn new(prepared: Rc<Prepared>, parameters: Vec<Value>, formats: Vec<Format>) -> Portal {
        Portal { prepared, parameters, formats, running: None, rows: 0, is_done: false }
    }
}

fn write_row(types: &[Type], values: &[Value], formats: &[Format], out: &mut Replies) {
    let mut text = Vec::new();
    out.row(values.len(), |row| {
        for (index, (base, value)) in types.iter().zip(values).enumerate() {
            if *value == Value::Null {
                row.value(None);
                continue;
            }
            text.clear();
            base.send(value, format_of(formats, index), &mut text);
            row.value(Some(&text));
        }
    });
}

fn is_transaction_control(sql: &ast::Statement) -> bool {
    use ast::Statement::*;

    matches!(sql, StartTransaction { .. } | Commit { .. } | Rollback { .. })
}

/// READ COMMITTED and READ WRITE are what a transaction is anyway.
fn is_default_mode(mode: &ast::TransactionMode) -> bool {
    use ast::{TransactionAccessMode, TransactionIsolationLevel, TransactionMode};

    matches!(
        mode,
        TransactionMode::AccessMode(TransactionAccessMode::ReadWrite)
            | TransactionMode::IsolationLevel(TransactionIsolationLevel::ReadCommitted)
    )
}

fn no_portal(name: &str) -> SqlError {
    SqlError::new(code::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}

/// The first words of a statement, as a refusal names it.
fn first_words(sql: &ast::Statement) -> String {
    sql.to_string().split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
