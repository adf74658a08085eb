//! Transactions and savepoints that are rolled back unless they are committed.
//!
//! ```text
//! begin              BEGIN            depth 1
//!   begin            SAVEPOINT s2     depth 2
//!   commit           RELEASE s2       depth 1
//!   drop             ROLLBACK         depth 0
//! ```
//!
//! As `Transaction` of the crate `postgres`.

use crate::{Error, Result, Session, code};
use minibtree::engine::Isolation;
use minibtree::wire::TransactionStatus;
use std::ops::{Deref, DerefMut};

/// An open transaction, or a savepoint in one. It executes what a [`Session`] does. An error in it
/// makes it fail: the next statement ends with `25P02`, until the end of the innermost
/// [`Session::begin`]. Dropped, it is rolled back.
pub struct Transaction<'s> {
    session: &'s mut Session,
    /// 1 is the transaction, above that are savepoints.
    depth: usize,
}

impl<'s> Transaction<'s> {
    pub(crate) fn begin(session: &'s mut Session, isolation: Option<Isolation>) -> Result<Self> {
        session.check_is_idle()?;
        let sql = match isolation {
            None => "BEGIN",
            Some(Isolation::ReadCommitted) => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Some(Isolation::RepeatableRead) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        };
        session.execute(sql, &[])?;
        session.depth = 1;
        Ok(Transaction { session, depth: 1 })
    }

    pub(crate) fn savepoint(session: &'s mut Session) -> Result<Self> {
        let depth = session.depth + 1;
        session.execute(&format!("SAVEPOINT s{depth}"), &[])?;
        session.depth = depth;
        Ok(Transaction { session, depth })
    }

    /// Commits. The changes of a savepoint become those of its transaction.
    ///
    /// # Errors
    /// `25P02` if a statement has failed: all is rolled back. `25P01` if it was ended by a COMMIT
    /// or ROLLBACK that was executed. Those of the disk.
    pub fn commit(mut self) -> Result<()> {
        let (code, text) = match self.status() {
            TransactionStatus::InBlock => {
                let sql = match self.depth {
                    1 => "COMMIT".to_owned(),
                    depth => format!("RELEASE SAVEPOINT s{depth}"),
                };
                self.execute(&sql, &[])?;
                self.end();
                return Ok(());
            }
            TransactionStatus::Failed => (
                code::IN_FAILED_SQL_TRANSACTION,
                "a statement of the transaction has failed, so it is rolled back",
            ),
            TransactionStatus::Idle => {
                (code::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress")
            }
        };
        Err(Error::new(code, text))
    }

    /// Takes back what was done since it began.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn rollback(mut self) -> Result<()> {
        self.take_back()
    }

    fn take_back(&mut self) -> Result<()> {
        let depth = self.depth;
        self.end();
        match depth {
            0 => Ok(()),
            1 => self.execute("ROLLBACK", &[]).map(drop),
            depth => {
                self.execute(&format!("ROLLBACK TO SAVEPOINT s{depth}"), &[])?;
                self.execute(&format!("RELEASE SAVEPOINT s{depth}"), &[]).map(drop)
            }
        }
    }

    /// From here on there is nothing to take back.
    fn end(&mut self) {
        self.session.depth = self.depth.saturating_sub(1);
        self.depth = 0;
    }
}

impl Deref for Transaction<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.session
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // What could not be taken back is not committed either.
        let _ = self.take_back();
    }
}
