//! Commits that others see but that may not be durable yet.
//!
//! ```text
//! log durable up to 700   commits of ids 5, 7, 6 end at 680, 760, 790
//! first undurable id 6    id 5 may be revealed; 6 and 7 once the log is durable up to 790
//! ```
//!
//! The position is the end of the last commit, not of the one that was met: one sync usually covers
//! all of them. PostgreSQL keeps such positions for commits with `synchronous_commit = off`, for
//! groups of 32 ids (`TransactionIdGetCommitLSN` in `transam.c`).

use crate::engine::wal::Wal;
use crate::format::{Lsn, Xid};
use std::collections::VecDeque;

/// The commits that were not durable at the last look.
#[derive(Default)]
pub struct RecentCommits {
    /// The end of each record with the first id, in about this order.
    commits: VecDeque<(Lsn, Xid)>,
    last: Lsn,
}

impl RecentCommits {
    /// Adds a commit: the end of its record, and its first id.
    pub fn push(&mut self, wal: &Wal, lsn: Lsn, xid: Xid) {
        self.forget_durable(wal);
        self.commits.push_back((lsn, xid));
        self.last = self.last.max(lsn);
    }

    /// The commits of smaller ids are durable. `next` is the id after all that were given out.
    pub fn first_undurable(&mut self, wal: &Wal, next: Xid) -> Xid {
        self.forget_durable(wal);
        self.commits.iter().fold(next, |first, it| first.min(it.1))
    }

    /// The end of the last commit.
    pub fn last(&self) -> Lsn {
        self.last
    }

    fn forget_durable(&mut self, wal: &Wal) {
        while self.commits.front().is_some_and(|it| wal.is_durable(it.0)) {
            self.commits.pop_front();
        }
    }
}
