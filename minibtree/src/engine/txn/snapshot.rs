//! Snapshots: which transactions had committed when a statement began.
//!
//! ```text
//! transactions  5 committed   6 running   7 aborted   8 committed   next: 9
//! snapshot      xmin 6, active [6], xmax 9
//! sees          5 and 8; not 6 even if it commits later, not 7, nothing from 9 on
//! ```
//!
//! A snapshot sees a version if it sees the commit of `xmin` but not of `xmax`. Of the changes of
//! its own transaction, a statement sees those of earlier statements but not its own. Otherwise an
//! `UPDATE` would find its own new versions and update them again (the Halloween problem).
//!
//! A tuple has one field, `command`, for the number of the inserting or the deleting statement. If
//! a transaction deletes a row that it inserted itself, both are needed, and the first number is
//! kept in memory. PostgreSQL calls that pair a combo command id (`combocid.c`); the rest is
//! `HeapTupleSatisfiesMVCC` and `GetSnapshotData`.

use super::System;
use crate::engine::Result;
use crate::format::heap::TupleHeader;
use crate::format::{Lsn, RelationId, Tid, Xid};
use minikit::sync::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which transactions were running. Snapshots share it until one begins to write or ends.
#[derive(Debug, Default)]
pub(super) struct SnapshotData {
    /// Transactions with smaller ids had ended.
    pub xmin: Xid,
    /// Transactions with this id or a greater one had not begun to write.
    pub xmax: Xid,
    /// The ids between them that were running, in ascending order.
    pub active: Vec<Xid>,
    /// The commits of smaller ids were durable.
    pub first_undurable: Xid,
    /// The end of the last commit record.
    pub lsn: Lsn,
}

/// For rows that one transaction inserted and then deleted: the inserting statement.
pub(super) type Inserted = Mutex<HashMap<(RelationId, Tid), u32>>;

/// Groups of sixteen transactions whose commit bits a snapshot remembers: a few pages full of old
/// versions of hot rows have that many.
const KNOWN: usize = 32;

/// What one statement sees. Until the snapshot is dropped, vacuum keeps the versions it sees.
pub struct Snapshot {
    system: Arc<System>,
    data: Arc<SnapshotData>,
    /// The ids of the snapshot's own transaction.
    own: Vec<Xid>,
    /// The number of the statement in its transaction.
    command: u32,
    inserted: Arc<Inserted>,
    /// A cache: sixteen bits of the commit log, and above them the transaction id / 16, which also
    /// decides the place. The rows of a bulk load have one transaction, and the versions of a hot
    /// row have neighboring ids.
    known: [AtomicU64; KNOWN],
    /// Where the log must be durable before a client is told what was seen.
    seen: Arc<AtomicU64>,
}

impl Snapshot {
    /// A snapshot that is registered with `data`.
    pub(super) fn new(
        system: Arc<System>,
        data: Arc<SnapshotData>,
        own: Vec<Xid>,
        command: u32,
        inserted: Arc<Inserted>,
        seen: Arc<AtomicU64>,
    ) -> Snapshot {
        let known = [const { AtomicU64::new(u64::MAX) }; KNOWN];
        Snapshot { system, data, own, command, inserted, known, seen }
    }

    pub(super) fn data(&self) -> &Arc<SnapshotData> {
        &self.data
    }

    /// Returns true if the snapshot sees this version.
    pub(in crate::engine) fn sees(
        &self,
        relation: RelationId,
        tid: Tid,
        header: &TupleHeader,
    ) -> Result<bool> {
        let (xmin, xmax) = (Xid(header.xmin), Xid(header.xmax));
        // Most old versions of a hot row end here: their `xmax` is committed.
        let is_own_delete = self.own.contains(&xmax);
        if xmax != Xid::NONE && !is_own_delete && self.sees_commit_of(xmax)? {
            return Ok(false);
        }

        if self.own.contains(&xmin) {
            // `command` is the deleting statement if `xmax` is set.
            let known = || self.inserted.lock().get(&(relation, tid)).copied();
            let known = (xmax != Xid::NONE).then(known).flatten();
            if known.unwrap_or(header.command) >= self.command {
                return Ok(false);
            }
        } else if !self.sees_commit_of(xmin)? {
            return Ok(false);
        }
        Ok(!is_own_delete || header.command >= self.command)
    }

    /// Returns true if the transaction had committed when the snapshot was taken.
    fn sees_commit_of(&self, xid: Xid) -> Result<bool> {
        let SnapshotData { xmin, xmax, active, first_undurable, lsn } = &*self.data;
        if xid >= *xmax || (xid >= *xmin && active.binary_search(&xid).is_ok()) {
            return Ok(false);
        }

        // The transaction ended before the snapshot was taken, so its bit is final.
        let group = xid.0 >> 4;
        let place = &self.known[group as usize % KNOWN];
        let mut known = place.load(Ordering::Relaxed);
        if known >> 16 != group {
            known = group << 16 | u64::from(self.system.commit_log.bits(&self.system.pool, xid)?);
            place.store(known, Ordering::Relaxed);
        }
        let is_committed = known >> (xid.0 & 15) & 1 == 1;
        if is_committed && xid >= *first_undurable {
            self.seen.fetch_max(lsn.0, Ordering::Relaxed);
        }
        Ok(is_committed)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.system.unregister(self.data.xmin);
    }
}
