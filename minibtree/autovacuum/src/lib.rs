//! Counts what changes in a table, and says when it needs VACUUM or ANALYZE.
//!
//! ```text
//! 1,000 rows are known   VACUUM after   50 + 20 % = 250 dead versions
//!                                or 1,000 + 20 % = 1,200 insertions: for all-visible pages
//!                        ANALYZE after  50 + 10 % = 150 changed rows
//! ```
//!
//! The counters are in memory and begin at 0 after a restart. A statement counts when it changes a
//! page, not when it commits, so a rolled-back insertion counts too: it leaves a dead version.
//!
//! ```
//! use minibtree_autovacuum::Activity;
//!
//! let activity = Activity::default();
//! activity.inserted(1_000);
//! (0..251).for_each(|_| activity.replaced());
//! assert!(activity.needs_analyze(1_000.0) && activity.needs_vacuum(1_000.0, 7));
//!
//! // A snapshot holds the horizon at transaction 7: nothing was removed, and nothing can be.
//! activity.vacuumed(251, 7);
//! assert!(!activity.needs_vacuum(1_000.0, 7));
//! assert!(activity.needs_vacuum(1_000.0, 8));
//!
//! // Updates have pruned their pages meanwhile.
//! activity.pruned(200);
//! assert!(!activity.needs_vacuum(1_000.0, 8));
//! ```
//!
//! PostgreSQL's `relation_needs_vacanalyze` (`autovacuum.c`) and `pgstat_relation.c`; these are the
//! defaults of its settings.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// `autovacuum_vacuum_threshold` and `autovacuum_vacuum_scale_factor`.
const DEAD: (f64, f64) = (50.0, 0.2);
/// `autovacuum_vacuum_insert_threshold` and `autovacuum_vacuum_insert_scale_factor`.
const INSERTED: (f64, f64) = (1_000.0, 0.2);
/// `autovacuum_analyze_threshold` and `autovacuum_analyze_scale_factor`.
const CHANGED: (f64, f64) = (50.0, 0.1);

/// The counters of a table. Threads share them.
#[derive(Debug, Default)]
pub struct Activity {
    /// Versions that are dead, or will be when the transaction that replaced them has ended.
    dead: AtomicU64,
    /// Rows inserted since the last VACUUM.
    inserted: AtomicU64,
    /// Rows inserted, updated and deleted since the last ANALYZE.
    changed: AtomicU64,
    /// Rows that the last VACUUM has found.
    rows: AtomicU64,
    /// The horizon of the last VACUUM: it could remove what was dead before this transaction.
    horizon: AtomicU64,
}

impl Activity {
    /// Rows were inserted.
    pub fn inserted(&self, rows: usize) {
        self.inserted.fetch_add(rows as u64, Relaxed);
        self.changed.fetch_add(rows as u64, Relaxed);
    }

    /// A row was updated or deleted, and its old version is there until it is removed.
    pub fn replaced(&self) {
        self.dead.fetch_add(1, Relaxed);
        self.changed.fetch_add(1, Relaxed);
    }

    /// Dead versions were removed.
    pub fn pruned(&self, versions: usize) {
        let less = |dead: u64| Some(dead.saturating_sub(versions as u64));
        // It always changes: `less` never returns `None`.
        let _ = self.dead.fetch_update(Relaxed, Relaxed, less);
    }

    /// A VACUUM that began with this horizon has left so many dead versions to a later one.
    pub fn vacuumed(&self, left: u64, horizon: u64) {
        self.dead.store(left, Relaxed);
        self.inserted.store(0, Relaxed);
        self.horizon.store(horizon, Relaxed);
    }

    /// A VACUUM has found so many rows that are not dead.
    pub fn counted(&self, rows: u64) {
        self.rows.store(rows, Relaxed);
    }

    /// How many rows the last VACUUM has found.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// An ANALYZE has read the rows.
    pub fn analyzed(&self) {
        self.changed.store(0, Relaxed);
    }

    /// Returns true if a table of this many rows should be vacuumed, and the horizon has moved
    /// since that was done.
    pub fn needs_vacuum(&self, rows: f64, horizon: u64) -> bool {
        let is_due = exceeds(&self.dead, DEAD, rows) || exceeds(&self.inserted, INSERTED, rows);
        is_due && horizon > self.horizon.load(Relaxed)
    }

    /// Returns true if a table of this many rows should be analyzed.
    pub fn needs_analyze(&self, rows: f64) -> bool {
        exceeds(&self.changed, CHANGED, rows)
    }
}

fn exceeds(counter: &AtomicU64, (threshold, scale): (f64, f64), rows: f64) -> bool {
    counter.load(Relaxed) as f64 > threshold + scale * rows
}
