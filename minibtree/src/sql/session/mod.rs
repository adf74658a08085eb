//! A session: one client's transaction, prepared statements and portals.
//!
//! Messages come in, replies go out into a buffer. The session has no socket: `server` has.
//!
//! | file | what it is |
//! |---|---|
//! | `messages.rs` | the simple and the extended protocol |
//! | `portal.rs`, `named.rs` | prepared statements and portals; those that SQL names |
//! | `transaction.rs` | BEGIN, COMMIT, ROLLBACK and savepoints |
//! | `settings.rs`, `explain.rs`, `copy.rs` | SET, SHOW and RESET; EXPLAIN; COPY |
//! | `maintenance.rs`, `cleaner.rs` | VACUUM, ANALYZE and REINDEX; the same in the background |
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
//! A commit returns when it is durable. But a statement may have read another transaction's commit
//! that is not durable yet. [`Session::settle`] waits for it before the replies are written.
//!
//! Before the transaction ends, a mere count of changed rows does not wait. A crash would undo the
//! transaction too, so the client cannot rely on it. Otherwise a transaction that updates a hot row
//! would keep it locked for the time of a sync:
//!
//! ```text
//! UPDATE 1            sent at once, even if the last version is not durable
//! a row, an error     wait for the commits that they depend on
//! COMMIT, ROLLBACK    wait for the commits that the whole transaction depends on
//! ```
//!
//! PostgreSQL's `xact.c` (whose block states are these and those of savepoints), `pquery.c` and
//! `plancache.c`.

mod cleaner;
mod copy;
mod explain;
mod maintenance;
mod messages;
mod named;
mod portal;
mod settings;
mod transaction;

use super::catalog::{Catalog, Editor, TABLES};
use super::define;
use super::execute::{Context, Cursor, evaluate, read_only};
use super::plan::{self, Plan, Planned};
use super::shared::Shared;
use super::statement::{self, Command, Statement};
use super::tree::{Expr, Operation};
use super::values::{Type, Value};
use crate::engine::{
    Database, Interrupt, Isolation, LockMode, LockWait, Savepoint, Snapshot, Transaction,
};
use crate::format::Lsn;
use crate::wire::{Message, Replies, Result, SqlError, TransactionStatus, code};
pub use cleaner::{Cleaned, clean_tables};
use copy::CopyIn;
use minibtree_control::is_transaction_control;
use minibtree_data_row::{text_field, write_row};
use minibtree_locks::Armed;
use minibtree_session_settings::{Saved, SessionSettings};
use minibtree_settings::{IDLE_TIMEOUT, LOCK_TIMEOUT, READ_COMMITTED, STATEMENT_TIMEOUT};
use minibtree_versions::Version;
use named::Fetching;
pub use portal::Prepared;
use portal::{Portal, Running};
use sqlparser::ast;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use transaction::{level, transaction_control};

/// Bytes of replies after which they are written before more rows are produced.
const REPLY_BYTES: usize = 64 << 10;

/// The type of the document of EXPLAIN (FORMAT JSON).
const JSON_OID: u32 = 114;

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
    /// The isolation level of the block, for AND CHAIN; `None` is the default level.
    block_isolation: Option<&'static str>,
    /// The last block began with READ ONLY.
    block_is_read_only: bool,
    /// The transaction has changed the catalog.
    has_changed_catalog: bool,
    catalog: Rc<Catalog>,
    version: Version,
    statements: HashMap<String, Rc<Prepared>>,
    portals: HashMap<String, Portal>,
    work: Option<Work>,
    copy: Option<Box<CopyIn>>,
    /// After an error in the extended protocol, messages up to Sync are ignored.
    is_skipping: bool,
    /// The log must be durable up to here before the replies are written.
    seen: Arc<AtomicU64>,
    /// The replies contain more than counts of changed rows.
    has_answered: bool,
    settings: SessionSettings,
    /// The savepoints of the block, each with its name and the settings when it was set.
    savepoints: Vec<(String, Savepoint, Saved)>,
    /// The deadline of the statement.
    armed: Option<Armed>,
    /// A Query of several statements is running. Cursors and VACUUM treat it like a block.
    is_batch: bool,
    /// An Execute is done, and its transaction stays open until Sync: a block to those two as well.
    is_pipeline: bool,
}

enum State {
    Idle,
    Implicit(Transaction),
    Block(Transaction),
    /// With the transaction, if it can be rolled back to a savepoint.
    Failed(Option<Transaction>),
}

/// What to continue once replies were written or a COPY has ended.
enum Work {
    /// A Query: the statements not yet begun, and the portal of the current one.
    Query { rest: VecDeque<Statement>, portal: Option<Box<Portal>> },
    /// An Execute of this portal, and how many more rows it may return; `None` is no limit.
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
            block_isolation: None,
            block_is_read_only: false,
            has_changed_catalog: false,
            catalog: Rc::default(),
            version: None,
            statements: HashMap::new(),
            portals: HashMap::new(),
            work: None,
            copy: None,
            is_skipping: false,
            seen: Arc::default(),
            has_answered: false,
            settings: SessionSettings::default(),
            savepoints: Vec::new(),
            armed: None,
            is_batch: false,
            is_pipeline: false,
        }
    }

    /// The transaction status that ReadyForQuery reports.
    pub fn status(&self) -> TransactionStatus {
        match self.state {
            State::Idle | State::Implicit(_) => TransactionStatus::Idle,
            State::Block(_) => TransactionStatus::InBlock,
            State::Failed(_) => TransactionStatus::Failed,
        }
    }

    /// Begins with these settings.
    ///
    /// # Errors
    /// Those of SET.
    pub fn start(&mut self, settings: Vec<(String, String)>) -> Result<()> {
        self.settings.start(settings)
    }

    /// Returns true if a later statement can still undo what the current one does.
    fn is_in_block(&self) -> bool {
        self.is_batch || matches!(self.state, State::Block(_))
    }

    /// How long the client may stay silent now: `idle_in_transaction_session_timeout` in a block.
    pub fn idle_limit(&self) -> Option<Duration> {
        match self.state {
            State::Block(_) | State::Failed(_) => self.settings.now.timeout(IDLE_TIMEOUT),
            State::Idle | State::Implicit(_) => None,
        }
    }

    /// Starts `statement_timeout` for the statement that begins.
    fn arm(&mut self) {
        let limit = self.settings.now.timeout(STATEMENT_TIMEOUT);
        self.armed = limit.map(|it| self.shared.timeouts.arm(it, &self.interrupt));
    }

    /// Stops the timeout of the statement that ends. Returns true if it had expired.
    fn disarm(&mut self) -> bool {
        let Some(armed) = self.armed.take() else { return false };
        let is_late = armed.has_expired();
        drop(armed);
        // Clear a cancellation that came too late, or it would cancel the next statement.
        let _ = self.interrupt.check();
        is_late
    }

    /// Waits until every commit that the replies reveal is durable. Call it before writing them.
    ///
    /// # Errors
    /// If the log cannot be written: the replies must not be sent.
    pub fn settle(&mut self) -> Result<()> {
        let has_answered = std::mem::take(&mut self.has_answered);
        if matches!(self.state, State::Implicit(_) | State::Block(_)) && !has_answered {
            return Ok(());
        }
        Ok(self.shared.database.wait_durable(Lsn(self.seen.load(Ordering::Relaxed)))?)
    }

    /// The client has sent something. A cancel request that came before that was too late for the
    /// last statement, and does not cancel this one; one that comes from now on does, even if it is
    /// still being parsed. A COPY is one statement, however often the client sends.
    pub fn wake(&mut self) {
        if self.copy.is_none() {
            let _ = self.interrupt.check();
        }
    }

    /// Handles a message.
    pub fn handle(&mut self, message: Message<'_>, out: &mut Replies) -> Next {
        messages::handle(self, message, out)
    }

    /// Continues after [`Next::Resume`]: the reply buffer was full, and is empty again.
    pub fn resume(&mut self, out: &mut Replies) -> Next {
        messages::resume(self, out)
    }

    /// Ends a statement that has failed, and aborts the transaction. Returns the error to report.
    pub fn give_up(&mut self, mut error: SqlError) -> SqlError {
        // 0 is an unknown place.
        error.position.take_if(|it| *it == 0);
        self.work = None;
        self.copy = None;
        self.is_batch = false;
        let is_late = self.disarm() && error.code == code::QUERY_CANCELED;
        self.abort();
        match is_late {
            true => error!(QUERY_CANCELED, "canceling statement due to statement timeout"),
            false => error,
        }
    }

    /// Rolls back, but stays in the block: it has failed.
    fn abort(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            // ROLLBACK TO may still save the part before a savepoint. What came after it is undone
            // now, so that nobody waits for its locks.
            State::Block(mut transaction) if !self.savepoints.is_empty() => {
                let (_, savepoint, _) = self.savepoints.last().expect("there is one");
                let is_kept = transaction.rollback_to(*savepoint).is_ok();
                return self.state = State::Failed(is_kept.then_some(transaction));
            }
            State::Failed(transaction) => return self.state = State::Failed(transaction),
            State::Block(_) => State::Failed(None),
            State::Idle | State::Implicit(_) => return self.roll_back(),
        };
        self.portals.clear();
        self.forget_catalog_change();
    }

    /// Rolls back, and leaves the block.
    fn roll_back(&mut self) {
        self.portals.clear();
        self.savepoints.clear();
        self.settings.roll_back();
        self.state = State::Idle;
        self.has_answered = true;
        self.forget_catalog_change();
    }

    /// Drops the catalog copy if the transaction that ends changed the catalog or had an old
    /// snapshot: the copy is of use to that transaction only.
    fn forget_catalog_change(&mut self) {
        if std::mem::take(&mut self.has_changed_catalog) || self.catalog.is_for_old_snapshot {
            self.version = None;
            self.catalog = Rc::default();
        }
    }

    /// Commits at the end of a statement, unless in a block.
    fn commit_implicit(&mut self) -> Result<()> {
        if let State::Implicit(_) = self.state { self.commit() } else { Ok(()) }
    }

    /// Commits the transaction, if there is one.
    fn commit(&mut self) -> Result<()> {
        // A suspended SELECT ends with its transaction.
        self.portals.clear();
        self.savepoints.clear();
        self.settings.commit();
        let state = std::mem::replace(&mut self.state, State::Idle);
        let (State::Implicit(transaction) | State::Block(transaction)) = state else {
            return Ok(());
        };
        if !self.has_changed_catalog {
            self.forget_catalog_change();
            return Ok(transaction.commit()?);
        }
        self.shared.versions.begin_change();
        let committed = transaction.commit();
        self.shared.versions.end_change();
        self.forget_catalog_change();
        Ok(committed?)
    }

    /// Begins a statement, and a transaction if there is none.
    fn begin_statement(&mut self) -> Result<&mut Transaction> {
        if let State::Idle = self.state {
            let isolation = level(self.settings.now.isolation.unwrap_or(READ_COMMITTED));
            let mut transaction = self.shared.database.begin(isolation);
            transaction.set_interrupt(self.interrupt.clone());
            transaction.set_seen(Arc::clone(&self.seen));
            self.began = (self.shared.now)();
            self.state = State::Implicit(transaction);
        } else if let State::Implicit(transaction) | State::Block(transaction) = &mut self.state {
            transaction.next_statement();
        }
        let limit = self.settings.now.timeout(LOCK_TIMEOUT);
        let transaction = self.transaction()?;
        transaction.set_lock_timeout(limit);
        Ok(transaction)
    }

    fn transaction(&mut self) -> Result<&mut Transaction> {
        match &mut self.state {
            State::Implicit(transaction) | State::Block(transaction) => Ok(transaction),
            State::Idle | State::Failed(_) => Err(failed_block()),
        }
    }

    /// Returns true if this copy of the catalog is up to date.
    fn has_current_catalog(&self) -> bool {
        self.has_changed_catalog || self.shared.versions.is_current(self.version)
    }

    /// Reads the catalog again if another transaction, or this one, has changed it.
    fn refresh_catalog(&mut self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        if self.has_changed_catalog {
            let transaction = self.transaction()?;
            transaction.next_statement();
            let snapshot = transaction.latest_snapshot();
            self.catalog = self.load_catalog(&snapshot)?;
            return Ok(());
        }
        while !shared.versions.is_current(self.version) {
            let version = shared.versions.look();
            let mut reader = shared.database.begin(Isolation::ReadCommitted);
            match self.load_catalog(&reader.snapshot()) {
                Ok(catalog) => {
                    // Waits until what the catalog says is durable: many replies depend on it.
                    reader.commit()?;
                    (self.catalog, self.version) = (catalog, version);
                }
                // A table may have been dropped between the snapshot and the look at its file.
                Err(error) if shared.versions.is_current(version) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn load_catalog(&mut self, snapshot: &Arc<Snapshot>) -> Result<Rc<Catalog>> {
        let mut catalog = Catalog::load(&self.shared.database, snapshot)?;
        catalog.statistics = Arc::clone(&self.shared.statistics.lock());
        if let Some(original) = self.transaction().ok().and_then(|it| it.original_snapshot()) {
            catalog.mark_newer_indexes(&self.shared.database, &original)?;
        }
        Ok(Rc::new(catalog))
    }

    /// Finds the columns of a statement's result, and plans it if it is one with a plan.
    ///
    /// # Errors
    /// The statement's; [`Session::give_up`] has to follow.
    pub fn prepare(
        &mut self,
        statement: Option<Statement>,
        declared: &[Option<Type>],
    ) -> Result<Prepared> {
        if let Some(Statement::Command(Command::Fetch(fetch))) = &statement {
            self.begin_statement()?;
            let portal = self.portals.get(&fetch.cursor).filter(|_| !fetch.is_move);
            let fields = portal.and_then(|it| it.prepared.fields.clone());
            return Ok(Prepared::plain(statement, fields));
        }
        let sql = statement.as_ref().and_then(Statement::sql);
        let Some(sql) = sql.filter(|it| !is_transaction_control(it)) else {
            return Ok(Prepared::plain(statement, None));
        };
        self.begin_statement()?;
        if let Some(prepared) = named::executed(self, sql)? {
            return Ok(Prepared::plain(statement, prepared.fields.clone()));
        }
        match sql {
            ast::Statement::Explain { analyze, verbose, options, statement: inner, .. } => {
                let mut field = text_field("QUERY PLAN");
                if explain::options(*analyze, *verbose, options.as_deref())?.json {
                    field.type_oid = JSON_OID;
                }
                self.refresh_catalog()?;
                let parameters = self.planned(inner, declared)?.unwrap_or_default().parameters;
                return Ok(Prepared {
                    parameters,
                    ..Prepared::plain(statement, Some(vec![field]))
                });
            }
            ast::Statement::ShowVariable { variable } => {
                let name = statement::variable_name(variable);
                return Ok(Prepared::plain(statement, Some(vec![text_field(&name)])));
            }
            ast::Statement::Declare { stmts, .. } => {
                self.refresh_catalog()?;
                let query = named::cursor_query(stmts)?;
                let parameters = self.planned(&query, declared)?.unwrap_or_default().parameters;
                return Ok(Prepared { parameters, ..Prepared::plain(statement, None) });
            }
            _ => {}
        }
        // The columns that the client is told must be those of the table that it gets to read, also
        // if a change of the table is waited for.
        let planned = loop {
            self.refresh_catalog()?;
            let Some(planned) = self.planned(sql, declared)? else {
                return Ok(Prepared::plain(statement, None));
            };
            self.lock_tables(&planned)?;
            if self.has_current_catalog() {
                break planned;
            }
        };
        // COPY TO sends lines, not rows.
        let is_copy = matches!(statement, Some(Statement::Command(_)));
        let fields = planned.fields.clone().filter(|_| !is_copy);
        let parameters = planned.parameters.clone();
        let planned = Some(RefCell::new(Rc::new(planned)));
        Ok(Prepared { statement, parameters, planned, fields })
    }

    /// The prepared statement of this name.
    fn prepared(&self, name: &str) -> Result<&Rc<Prepared>> {
        self.statements.get(name).ok_or_else(|| {
            let which = match name {
                "" => "unnamed prepared statement".to_owned(),
                name => format!("prepared statement \"{name}\""),
            };
            error!(INVALID_SQL_STATEMENT_NAME, "{which} does not exist")
        })
    }

    /// Parse replaces the unnamed statement, but a named one must not exist.
    fn check_is_new(&self, name: &str) -> Result<()> {
        if name.is_empty() || !self.statements.contains_key(name) {
            return Ok(());
        }
        Err(error!(DUPLICATE_PREPARED_STATEMENT, "prepared statement \"{name}\" already exists"))
    }

    /// Runs a portal until it is done, `left` rows are written or the replies are full. Returns
    /// true if it is done: the command tag is written then.
    fn run(
        &mut self,
        portal: &mut Portal,
        left: &mut Option<u32>,
        out: &mut Replies,
    ) -> Result<bool> {
        let prepared = Rc::clone(&portal.prepared);
        let Some(statement) = &prepared.statement else {
            out.empty_query();
            return Ok(true);
        };
        if portal.running.is_some() || portal.is_done {
            return self.fetch(portal, left, out);
        }
        if let Statement::Sql(sql) = statement
            && let Some(tag) = transaction_control(self, sql, out)?
        {
            out.command_complete(tag);
            portal.is_done = true;
            return Ok(true);
        }

        self.begin_statement()?;
        if let Statement::Sql(sql) = statement
            && let Some(inner) = named::executed(self, sql)?
        {
            portal.parameters = named::arguments(self, sql, &inner)?;
            portal.prepared = inner;
            return self.run(portal, left, out);
        }
        match (statement, &prepared.planned) {
            (Statement::Command(command), cached) => {
                if let Some(running) = self.command(command, cached.as_ref(), out)? {
                    // A COPY is not suspended.
                    *left = left.filter(|_| !matches!(running, Running::Copy(_)));
                    portal.running = Some(running);
                    return self.fetch(portal, left, out);
                }
                if self.copy.is_some() {
                    return Ok(false);
                }
            }
            (Statement::Sql(sql), None) => {
                if let Some(running) = self.utility(sql, portal, out)? {
                    portal.running = Some(running);
                    return self.fetch(portal, left, out);
                }
                self.check_writable(&statement::first_words(sql))?;
                let tag = self.define(|editor, catalog, context| {
                    let tag = define::execute(editor, catalog, sql, context, out)?;
                    tag.ok_or_else(|| SqlError::unsupported(statement::first_words(sql)))
                })?;
                out.command_complete(tag);
            }
            (Statement::Sql(sql), Some(cached)) => {
                let planned = self.lock(sql, cached)?;
                let cursor = self.open(&planned, portal.parameters.clone(), false)?;
                portal.running = Some(Running::Cursor(Box::new(cursor)));
                return self.fetch(portal, left, out);
            }
        }
        portal.is_done = true;
        Ok(true)
    }

    /// Executes a command that sqlparser does not parse. Returns what it has to send, if anything.
    fn command(
        &mut self,
        command: &Command,
        cached: Option<&RefCell<Rc<Planned>>>,
        out: &mut Replies,
    ) -> Result<Option<Running>> {
        match (command, cached) {
            (Command::Fetch(fetch), _) if fetch.is_move => {
                let rows = named::move_cursor(self, fetch)?;
                out.command_complete(&format!("MOVE {rows}"));
            }
            (Command::Fetch(fetch), _) => {
                return Ok(Some(Running::Fetch(Fetching::new(self, fetch)?)));
            }
            (Command::Copy(copy), Some(cached)) => {
                let copy = copy::begin_out(self, copy, cached, out)?;
                return Ok(Some(Running::Copy(Box::new(copy))));
            }
            (Command::Copy(copy), None) => copy::begin_in(self, copy, out)?,
            (Command::Vacuum(vacuum), _) => maintenance::vacuum(self, vacuum, out)?,
            (Command::Analyze(tables), _) => maintenance::analyze(self, tables, out)?,
            (Command::Reindex(reindex), _) => maintenance::reindex(self, reindex, out)?,
        }
        Ok(None)
    }

    /// Plans a statement; `None` if it is one that has no plan.
    fn planned(
        &mut self,
        sql: &ast::Statement,
        declared: &[Option<Type>],
    ) -> Result<Option<Planned>> {
        let (catalog, model) = (Rc::clone(&self.catalog), self.settings.now.cost_model());
        let statistics = Arc::clone(&self.shared.statistics.lock());
        let nothing = self.no_plan();
        let mut compute = |expr: &Expr| evaluate(expr, &self.context(&nothing, Vec::new())?, &[]);
        plan::plan(&catalog, &statistics, model, sql, declared, &mut compute)
    }

    /// Locks the tables of a plan. Plans again if the catalog changed before the locks were held,
    /// and keeps the new plan in `cached`.
    fn lock(&mut self, sql: &ast::Statement, cached: &RefCell<Rc<Planned>>) -> Result<Rc<Planned>> {
        let mut planned = Rc::clone(&cached.borrow());
        loop {
            if !self.has_current_catalog() {
                self.refresh_catalog()?;
            }
            if !Rc::ptr_eq(&planned.catalog, &self.catalog) {
                let declared: Vec<_> = planned.parameters.iter().copied().map(Some).collect();
                let again = self.planned(sql, &declared)?;
                let again = again.expect("the statement had a plan before");
                if again.types != planned.types {
                    // Drivers that see this routine prepare the statement again.
                    let text = "cached plan must not change result type";
                    let error = SqlError::new(code::FEATURE_NOT_SUPPORTED, text);
                    return Err(error.routine("RevalidateCachedQuery"));
                }
                planned = Rc::new(again);
                cached.replace(Rc::clone(&planned));
            }

            if let Some(error) = &planned.failure {
                return Err(error.clone());
            }

            self.lock_tables(&planned)?;
            if self.has_current_catalog() {
                return Ok(planned);
            }
            // A constant part may have been computed before the wait.
            self.transaction()?.next_statement();
        }
    }

    fn lock_tables(&mut self, planned: &Planned) -> Result<()> {
        for (table, mode) in &planned.tables {
            self.transaction()?.lock_relation(*table, *mode, LockWait::Block)?;
        }
        Ok(())
    }

    /// Begins the execution of a plan. `is_measured` is for EXPLAIN ANALYZE.
    fn open(
        &mut self,
        planned: &Rc<Planned>,
        parameters: Vec<Value>,
        is_measured: bool,
    ) -> Result<Cursor> {
        if let Some(what) = written(planned) {
            self.check_writable(what)?;
        }
        let mut context = self.context(planned, parameters)?;
        if is_measured {
            context = context.measured();
        }
        Cursor::open(context, self.transaction()?)
    }

    /// What is executed without a plan, with the current catalog.
    fn no_plan(&self) -> Rc<Planned> {
        Rc::new(Planned { catalog: Rc::clone(&self.catalog), ..Planned::default() })
    }

    /// The context that a statement is executed in.
    fn context(&mut self, planned: &Rc<Planned>, parameters: Vec<Value>) -> Result<Context> {
        let snapshot = self.transaction()?.snapshot();
        let (sequences, interrupt) = (&self.shared.sequences, &self.interrupt);
        let (now, work_mem) = (self.began, self.settings.now.memory("work_mem"));
        let context =
            Context::start(planned, parameters, now, sequences, snapshot, interrupt, work_mem);
        Ok(if self.is_read_only() { context.read_only() } else { context })
    }

    fn is_read_only(&self) -> bool {
        self.block_is_read_only && matches!(self.state, State::Block(_))
    }

    /// `25006` for what cannot be done in a block that is READ ONLY.
    fn check_writable(&self, what: &str) -> Result<()> {
        if self.is_read_only() { Err(read_only(what)) } else { Ok(()) }
    }

    /// Writes rows of a running portal until `left` are written or the replies are full.
    fn fetch(
        &mut self,
        portal: &mut Portal,
        left: &mut Option<u32>,
        out: &mut Replies,
    ) -> Result<bool> {
        let Portal { prepared, formats, kept, running, rows, is_done, .. } = portal;
        let fetched = match running {
            Some(Running::Fetch(it)) => &it.portal.prepared,
            _ => &*prepared,
        };
        let planned = fetched.planned.as_ref().map(|it| Rc::clone(&it.borrow()));
        let types = planned.as_ref().map_or(&[Type::Text][..], |it| &it.types);
        self.has_answered |= !types.is_empty();
        let catalog = Rc::clone(&self.catalog);
        let Some(source) = running else {
            // A finished query has no more rows. A finished statement of another kind must not run
            // a second time.
            if prepared.fields.is_some() {
                out.command_complete("SELECT 0");
                return Ok(true);
            }
            return Err(error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "portal cannot be run again"));
        };
        while *left != Some(0) && out.len() < REPLY_BYTES {
            let next = match source {
                Running::Cursor(cursor) => cursor.next(self.transaction()?)?,
                Running::Copy(copy) => copy.cursor.next(self.transaction()?)?,
                Running::Lines(lines, _) => lines.next().map(|line| vec![Value::Text(line)]),
                Running::Fetch(fetching) => fetching.next(self.transaction()?)?,
                // Only FETCH asks for its rows.
                Running::Gathered(_) => None,
            };
            let Some(values) = next else {
                let tag = match source {
                    Running::Cursor(cursor) => cursor.tag(rows),
                    Running::Copy(_) => {
                        out.copy_done();
                        format!("COPY {rows}")
                    }
                    Running::Lines(_, tag) => (*tag).to_owned(),
                    Running::Fetch(_) | Running::Gathered(_) => format!("FETCH {rows}"),
                };
                out.command_complete(&tag);
                *is_done = true;
                if let Some(Running::Fetch(it)) = running.take() {
                    self.portals.insert(it.cursor, *it.portal);
                }
                return Ok(true);
            };
            *rows += 1;
            *left = left.map(|left| left - 1);
            match (&*source, kept.as_mut()) {
                (Running::Copy(copy), _) => copy.write(&catalog, types, &values, out),
                (_, Some(kept)) => kept.push(values),
                (_, None) => write_row(|| catalog.objects(), types, &values, formats, out),
            }
        }
        Ok(false)
    }

    /// Runs a change of the catalog under the lock that admits one transaction at a time.
    fn define<T>(
        &mut self,
        change: impl FnOnce(&mut Editor<'_>, &Catalog, &Context) -> Result<T>,
    ) -> Result<T> {
        self.transaction()?.lock_relation(TABLES, LockMode::Update, LockWait::Block)?;
        self.refresh_catalog()?;

        // From here on, this transaction's catalog differs from that of the other sessions.
        self.has_changed_catalog = true;
        let (shared, catalog) = (Arc::clone(&self.shared), Rc::clone(&self.catalog));
        let context = self.context(&self.no_plan(), Vec::new())?;
        let mut editor = self.editor(&shared.database)?;
        let changed = change(&mut editor, &catalog, &context)?;
        self.refresh_catalog()?;
        Ok(changed)
    }

    /// What changes the catalog, in the transaction of this session.
    fn editor<'a>(&'a mut self, database: &'a Database) -> Result<Editor<'a>> {
        let maintenance_work_mem = self.settings.now.memory("maintenance_work_mem");
        // The unnamed portal ends when the next statement begins.
        let open = self.portals.iter().filter(|it| !it.0.is_empty()).flat_map(|it| it.1.reads());
        let in_use = open.collect();
        Ok(Editor { database, transaction: self.transaction()?, maintenance_work_mem, in_use })
    }

    /// Executes a statement whose result is lines of text, or a tag alone; `None` for another one.
    fn utility(
        &mut self,
        sql: &ast::Statement,
        portal: &Portal,
        out: &mut Replies,
    ) -> Result<Option<Running>> {
        let lines = |lines: Vec<String>, tag| Ok(Some(Running::Lines(lines.into_iter(), tag)));
        match sql {
            ast::Statement::Explain {
                describe_alias: ast::DescribeAlias::Explain,
                analyze,
                verbose,
                query_plan: false,
                estimate: false,
                statement,
                format: None,
                options,
            } => {
                let options = explain::options(*analyze, *verbose, options.as_deref())?;
                lines(explain::explain(self, statement, portal, options)?, "EXPLAIN")
            }
            ast::Statement::ShowVariable { variable } => {
                lines(vec![settings::shown(self, variable)?], "SHOW")
            }
            ast::Statement::Set(set) => {
                settings::set(self, set, out)?;
                lines(Vec::new(), "SET")
            }
            ast::Statement::Declare { stmts, .. } => {
                named::declare(self, stmts, portal)?;
                lines(Vec::new(), "DECLARE CURSOR")
            }
            ast::Statement::Close { cursor } => lines(Vec::new(), named::close(self, cursor)?),
            ast::Statement::Prepare { name, data_types, statement } => {
                named::prepare(self, name, data_types, statement)?;
                lines(Vec::new(), "PREPARE")
            }
            ast::Statement::Deallocate { name, .. } => {
                lines(Vec::new(), named::deallocate(self, name)?)
            }
            // LISTEN is refused, so there is nothing to stop. Drivers send this when they reset.
            ast::Statement::UNLISTEN { .. } => lines(Vec::new(), "UNLISTEN"),
            ast::Statement::Reset(reset) => {
                settings::reset(self, reset)?;
                lines(Vec::new(), "RESET")
            }
            ast::Statement::Discard { object_type: ast::DiscardObject::ALL } => {
                settings::discard(self)?;
                lines(Vec::new(), "DISCARD ALL")
            }
            _ => Ok(None),
        }
    }

    // ---- a caller in this process: values in, rows of values out (PostgreSQL's `spi.c`)

    /// Returns true if a plan is of the catalog as it is now: there is no need to plan again.
    pub fn is_current(&self, prepared: &Prepared) -> bool {
        let is_of_copy =
            |it: &RefCell<Rc<Planned>>| Rc::ptr_eq(&it.borrow().catalog, &self.catalog);
        prepared.planned.as_ref().is_some_and(is_of_copy) && self.has_current_catalog()
    }

    /// Executes a statement with values of the types of its parameters, and commits unless in a
    /// block. `each` gets the rows once what they tell is durable. Returns how many rows were
    /// returned or changed.
    ///
    /// # Errors
    /// The statement's, and that of `each`. A block that it is in has failed then.
    pub fn execute(
        &mut self,
        prepared: &Rc<Prepared>,
        parameters: Vec<Value>,
        each: &mut dyn FnMut(Vec<Value>) -> Result<()>,
    ) -> Result<u64> {
        self.wake();
        self.arm();
        let mut portal = Portal::new(Rc::clone(prepared), parameters, Vec::new());
        let executed = self.run_kept(&mut portal, each).map_err(|error| {
            let error = self.give_up(error);
            self.settle().err().unwrap_or(error)
        });
        self.disarm();
        executed.map(|()| portal.rows)
    }

    fn run_kept(
        &mut self,
        portal: &mut Portal,
        each: &mut dyn FnMut(Vec<Value>) -> Result<()>,
    ) -> Result<()> {
        /// How many rows are gathered before `each` gets them.
        const KEPT: u32 = 32;

        if let Some(Statement::Command(Command::Copy(_))) = &portal.prepared.statement {
            return Err(SqlError::unsupported("COPY without a connection"));
        }
        let (mut notices, mut is_done) = (Replies::default(), false);
        while !is_done {
            portal.kept = Some(Vec::new());
            is_done = self.run(portal, &mut Some(KEPT), &mut notices)?;
            self.settle()?;
            portal.kept.take().into_iter().flatten().try_for_each(&mut *each)?;
        }
        self.commit_implicit()
    }
}

/// What a plan writes, if anything, by the name of the command. Row locks count.
fn written(planned: &Planned) -> Option<&'static str> {
    match &planned.plan {
        Plan::Modify(it) => Some(match it.operation {
            Operation::Insert(..) => "INSERT",
            Operation::Update(_) => "UPDATE",
            Operation::Delete(_) => "DELETE",
        }),
        Plan::Lock(_) => Some("SELECT FOR UPDATE"),
        _ => (!planned.locked.is_empty()).then_some("SELECT FOR UPDATE"),
    }
}

fn failed_block() -> SqlError {
    let text = "current transaction is aborted, commands ignored until end of transaction block";
    SqlError::new(code::IN_FAILED_SQL_TRANSACTION, text)
}
