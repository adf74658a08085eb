//! Statements of one thread, and the cache of their plans.
//!
//! ```text
//! "SELECT name FROM t WHERE id = $1"   first: parsed and planned, kept by its text
//!                                      again: its parameters are filled in
//! ALTER TABLE t ..                     of any session: planned again when it is next executed
//! ```

use crate::convert::fit;
use crate::database::Open;
use crate::{Column, Error, Result, Row, ToValue, Transaction, Value, code};
use minibtree::engine::{Interrupt, Isolation};
use minibtree::sql::{self, Prepared, statement};
use minibtree::wire::TransactionStatus;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// How many plans are kept. A program has fewer statements unless it writes values into their text.
const CACHED: usize = 256;

/// A session: one transaction at a time, its settings and its plans. It stays on its thread.
/// Dropped, it rolls back.
pub struct Session {
    open: Arc<Open>,
    session: sql::Session,
    statements: HashMap<String, Rc<Cached>>,
    interrupt: Interrupt,
    /// The transaction and the savepoints in it that are open.
    pub(crate) depth: usize,
}

/// A statement that is planned.
struct Cached {
    prepared: Rc<Prepared>,
    columns: Arc<[Column]>,
}

impl Session {
    pub(crate) fn new(open: Arc<Open>) -> Session {
        let interrupt = Interrupt::default();
        let session = sql::Session::new(Arc::clone(&open.shared), interrupt.clone());
        Session { open, session, statements: HashMap::new(), interrupt, depth: 0 }
    }

    /// Executes a statement, and commits it unless a transaction is open. `$1` in it stands for
    /// the first parameter. Returns how many rows it has changed or, for a query, found.
    ///
    /// # Errors
    /// The statement's, with PostgreSQL's SQLSTATE; `42804` or `22003` for a parameter that the
    /// type it stands for cannot hold.
    pub fn execute(&mut self, sql: &str, parameters: &[&dyn ToValue]) -> Result<u64> {
        self.run(sql, parameters, &mut |_| Ok(()))
    }

    /// Executes a query, and gathers its rows in memory.
    ///
    /// # Errors
    /// As those of [`Session::execute`].
    pub fn query(&mut self, sql: &str, parameters: &[&dyn ToValue]) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.for_each(sql, parameters, |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Executes a query, and calls `each` with its rows one by one, so that any number of them
    /// takes little memory. Returns their number.
    ///
    /// # Errors
    /// As those of [`Session::execute`], and that of `each`, which ends the query.
    pub fn for_each(
        &mut self,
        sql: &str,
        parameters: &[&dyn ToValue],
        mut each: impl FnMut(Row) -> Result<()>,
    ) -> Result<u64> {
        self.run(sql, parameters, &mut each)
    }

    /// Executes statements that are separated by semicolons, for instance a schema. Each commits
    /// by itself unless a transaction is open.
    ///
    /// # Errors
    /// That of the first that fails; those before it are done.
    pub fn execute_all(&mut self, sql: &str) -> Result<()> {
        self.open.check()?;
        let statements = statement::parse(sql).map_err(|error| self.session.give_up(error))?;
        for statement in statements {
            let prepared = self.prepare(statement)?;
            self.bind(&prepared, &[])?;
            self.session.execute(&prepared, Vec::new(), &mut |_| Ok(()))?;
        }
        Ok(())
    }

    /// Begins a transaction, or a savepoint if one is open.
    ///
    /// ```
    /// use minibtree_embedded::Database;
    ///
    /// # let scratch = minikit::harness::Scratch::new("embedded")?;
    /// # let directory = scratch.path();
    /// let mut session = Database::open(directory)?.session();
    /// session.execute("CREATE TABLE t (id int)", &[])?;
    /// let mut transaction = session.begin()?;
    /// transaction.execute("INSERT INTO t VALUES (1)", &[])?;
    /// {
    ///     let mut savepoint = transaction.begin()?;
    ///     savepoint.execute("INSERT INTO t VALUES (2)", &[])?;
    ///     // It is not committed, so its end takes back the 2.
    /// }
    /// transaction.commit()?;
    /// assert_eq!(session.query("SELECT id FROM t", &[])?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `25P02` if the transaction has failed.
    pub fn begin(&mut self) -> Result<Transaction<'_>> {
        match self.depth {
            0 => Transaction::begin(self, None),
            _ => Transaction::savepoint(self),
        }
    }

    /// Begins a transaction at an isolation level.
    ///
    /// # Errors
    /// `25001` if one is open.
    pub fn begin_with(&mut self, isolation: Isolation) -> Result<Transaction<'_>> {
        Transaction::begin(self, Some(isolation))
    }

    /// Calls `body` with a transaction, and commits it if `body` succeeds. A transaction that ends
    /// with SQLSTATE `40001` or `40P01` may be tried again.
    ///
    /// # Errors
    /// That of `body`, after a rollback, or of the commit.
    pub fn transaction<T>(
        &mut self,
        body: impl FnOnce(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut transaction = self.begin()?;
        let done = body(&mut transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Another thread calls [`Interrupt::cancel`] on it to end the statement that is running, with
    /// `57014`.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Fails if a transaction is open.
    pub(crate) fn check_is_idle(&self) -> Result<()> {
        if self.status() == TransactionStatus::Idle {
            return Ok(());
        }
        let error = Error::new(code::ACTIVE_SQL_TRANSACTION, "a transaction is open");
        Err(error.hint("Call begin of a session in place of executing BEGIN."))
    }

    pub(crate) fn status(&self) -> TransactionStatus {
        self.session.status()
    }

    fn run(
        &mut self,
        sql: &str,
        parameters: &[&dyn ToValue],
        each: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<u64> {
        self.open.check()?;
        let cached = self.statement(sql)?;
        let values = self.bind(&cached.prepared, parameters)?;
        self.session.execute(&cached.prepared, values, &mut |values| {
            each(Row::new(Arc::clone(&cached.columns), values))
        })
    }

    /// The plan of a statement.
    fn statement(&mut self, sql: &str) -> Result<Rc<Cached>> {
        let cached = self.statements.get(sql);
        if let Some(cached) = cached.filter(|it| self.session.is_current(&it.prepared)) {
            return Ok(Rc::clone(cached));
        }
        let one = statement::parse(sql).and_then(|mut statements| {
            let last = statements.pop().filter(|_| statements.is_empty());
            let text = "one statement is executed at a time";
            let hint = "Call execute_all with several, which have no parameters.";
            last.ok_or_else(|| Error::new(code::SYNTAX_ERROR, text).hint(hint))
        });
        let one = one.map_err(|error| self.session.give_up(error))?;
        let prepared = self.prepare(one)?;
        let columns = prepared.fields.iter().flatten().map(Column::of).collect();
        let cached = Rc::new(Cached { prepared, columns });
        if self.session.is_current(&cached.prepared) {
            if self.statements.len() >= CACHED {
                self.statements.clear();
            }
            self.statements.insert(sql.to_owned(), Rc::clone(&cached));
        }
        Ok(cached)
    }

    fn prepare(&mut self, statement: statement::Statement) -> Result<Rc<Prepared>> {
        let prepared = self.session.prepare(Some(statement), &[]).and_then(Prepared::decided);
        prepared.map(Rc::new).map_err(|error| self.session.give_up(error))
    }

    /// The parameters as values of the types that the statement wants.
    fn bind(&mut self, prepared: &Prepared, parameters: &[&dyn ToValue]) -> Result<Vec<Value>> {
        let wanted = &prepared.parameters;
        if wanted.len() != parameters.len() {
            let (has, given) = (wanted.len(), parameters.len());
            let text = format!("the statement has {has} parameters, and {given} were given");
            return Err(self.session.give_up(Error::new(code::PROTOCOL_VIOLATION, text)));
        }
        let values = parameters.iter().zip(wanted).zip(1..);
        let values = values.map(|((parameter, wanted), number)| {
            fit(parameter.to_value(), *wanted).map_err(|error| Error {
                message: format!("parameter ${number}: {}", error.message),
                ..error
            })
        });
        values.collect::<Result<_>>().map_err(|error| self.session.give_up(error))
    }
}
