//! An open directory, the threads that care for it, and its end.
//!
//! ```text
//! open      lock the directory, recover, start the threads of minibtree/upkeep
//! last drop of the Database and its sessions
//!           stop the threads, checkpoint, unlock
//! ```
//!
//! The parts that the server has too are the server's: the engine's recovery, the checkpoints and
//! the cleaner. `server/mod.rs` of minibtree is the counterpart.

use crate::{Error, Result, Row, Session, Severity, ToValue, Transaction, code};
use minibtree::engine::{self, Options};
use minibtree::sql::{Shared, clean_tables};
use minibtree_upkeep::Upkeep;
use minikit::storage::DataDir;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// An open database. Clones are the same database; it is closed when the last clone and the last
/// session are dropped.
///
/// ```
/// use minibtree_embedded::{Database, code};
///
/// # let scratch = minikit::harness::Scratch::new("embedded")?;
/// # let directory = scratch.path();
/// let database = Database::open(directory)?;
/// database.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int)", &[])?;
/// database.execute("INSERT INTO accounts VALUES (1, 100), (2, 0)", &[])?;
///
/// database.transaction(|transaction| {
///     transaction.execute("UPDATE accounts SET balance = balance - $1 WHERE id = 1", &[&30])?;
///     transaction.execute("UPDATE accounts SET balance = balance + $1 WHERE id = 2", &[&30])
/// })?;
/// let rows = database.query("SELECT balance FROM accounts ORDER BY id", &[])?;
/// assert_eq!((rows[0].get(0), rows[1].get(0)), (Ok(70), Ok(30)));
///
/// let error = database.execute("INSERT INTO accounts VALUES (1, 0)", &[]).expect_err("twice");
/// assert_eq!(error.code, code::UNIQUE_VIOLATION);
/// assert_eq!(error.detail.as_deref(), Some("Key (id)=(1) already exists."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Database {
    open: Arc<Open>,
}

/// What is closed at the end.
pub struct Open {
    pub shared: Arc<Shared>,
    /// `None` while it is dropped.
    upkeep: Option<Upkeep>,
    /// Dropped last: the lock on the directory.
    _directory: DataDir,
}

impl Database {
    /// Opens the database in a directory, which is created if it is missing, with 128 MB of memory
    /// for pages. After a crash it replays the log, 1 GB at most.
    ///
    /// # Errors
    /// `55000` if it is open already, here or in another process; `58030` if it cannot be read or
    /// written, `XX001` if it is damaged.
    pub fn open(directory: impl AsRef<Path>) -> Result<Database> {
        Database::open_with(directory, Options::default())
    }

    /// The same with other sizes, and without waiting for the disk at each commit if
    /// [`Options::synchronous_commit`] is false.
    ///
    /// # Errors
    /// As those of [`Database::open`].
    pub fn open_with(directory: impl AsRef<Path>, options: Options) -> Result<Database> {
        let path = directory.as_ref();
        let io = |error: io::Error| match error.kind() {
            io::ErrorKind::ResourceBusy => {
                let text = format!("the database in {} is open already", path.display());
                let error = Error::new(code::OBJECT_NOT_IN_PREREQUISITE_STATE, text);
                error.hint("A process opens it once; its threads share it.")
            }
            _ => Error::new(code::IO_ERROR, error.to_string()),
        };
        let directory = DataDir::lock(path).map_err(io)?;
        let database = engine::Database::open(Arc::new(directory.disk()), options)?;
        let shared = Arc::new(Shared::new(database, minibtree_upkeep::now)?);

        // A panic ends its thread, which `Open::check` notices.
        let logged = Arc::clone(&shared);
        let checkpoint = move || {
            if logged.database.needs_checkpoint() {
                logged.database.checkpoint().expect("checkpoints are written");
            }
        };
        let cleaned = Arc::clone(&shared);
        let clean = move |rest: &dyn Fn() -> bool| match clean_tables(&cleaned, rest) {
            Err(error) if error.severity == Severity::Panic => panic!("{error}"),
            // A table that cannot be cleaned now is looked at again.
            Ok(_) | Err(_) => {}
        };
        let upkeep = Some(Upkeep::start(&shared.timeouts, checkpoint, clean).map_err(io)?);
        let open = Arc::new(Open { shared, upkeep, _directory: directory });
        Ok(Database { open })
    }

    /// A session for this thread. It keeps what it has planned, so make one a thread, not one a
    /// statement.
    pub fn session(&self) -> Session {
        Session::new(Arc::clone(&self.open))
    }

    /// Executes one statement in a session of its own; see [`Session::execute`]. Costs a load of
    /// the catalog and a plan, which a session that is kept saves.
    ///
    /// # Errors
    /// The statement's; `25001` for a BEGIN, which would end with the call.
    pub fn execute(&self, sql: &str, parameters: &[&dyn ToValue]) -> Result<u64> {
        let mut session = self.session();
        let count = session.execute(sql, parameters)?;
        session.check_is_idle().map(|()| count)
    }

    /// Executes a query in a session of its own; see [`Session::query`].
    ///
    /// # Errors
    /// The query's.
    pub fn query(&self, sql: &str, parameters: &[&dyn ToValue]) -> Result<Vec<Row>> {
        self.session().query(sql, parameters)
    }

    /// Executes statements in a transaction; see [`Session::transaction`].
    ///
    /// # Errors
    /// That of `body`, after a rollback, or of the commit.
    pub fn transaction<T>(
        &self,
        body: impl FnOnce(&mut Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.session().transaction(body)
    }

    /// Writes all changed pages, so that the next opening has nothing to replay. Called by itself
    /// after each GB of log and at the end.
    ///
    /// # Errors
    /// `58030` if the disk refuses.
    pub fn checkpoint(&self) -> Result<()> {
        self.open.check()?;
        Ok(self.open.shared.database.checkpoint()?)
    }
}

impl Open {
    /// After a checkpoint has failed, nothing more may be read: the system may have dropped pages
    /// that it could not write.
    pub fn check(&self) -> Result<()> {
        if self.upkeep.as_ref().is_some_and(Upkeep::is_sound) {
            return Ok(());
        }
        let error = Error::new(code::IO_ERROR, "the database could not be written");
        let hint = "Free the disk, and open the database again: it recovers.";
        Err(error.hint(hint).severity(Severity::Panic))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.upkeep.take().is_some_and(Upkeep::stop) {
            // If it fails, the next opening replays the log.
            let _ = self.shared.database.checkpoint();
        }
    }
}
