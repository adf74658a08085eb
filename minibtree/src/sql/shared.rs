//! What all sessions of a database share.

use super::catalog::Catalog;
use super::plan::Statistics;
use super::sequence::Sequences;
use crate::engine::{Database, Isolation};
use crate::wire::Result;
use minibtree_locks::Timeouts;
use minibtree_versions::Versions;
use minikit::sync::Mutex;
use std::sync::Arc;

/// What all sessions of a database share.
pub struct Shared {
    /// The database.
    pub database: Arc<Database>,
    /// How often the catalog has changed.
    pub versions: Versions,
    /// Its sequences.
    pub sequences: Arc<Sequences>,
    /// What ANALYZE has found out. A plan is made with those of its time.
    pub statistics: Mutex<Arc<Statistics>>,
    /// The deadlines of statements.
    pub timeouts: Arc<Timeouts>,
    /// The time of day, in microseconds since 2000.
    pub now: fn() -> i64,
}

impl Shared {
    /// Prepares a database for sessions: creates the catalog if there is none, and removes files
    /// that a crash has left.
    pub fn new(database: Database, now: fn() -> i64) -> Result<Shared> {
        Catalog::create(&database)?;
        let snapshot = database.begin(Isolation::ReadCommitted).snapshot();
        let catalog = Catalog::load(&database, &snapshot)?;
        drop(snapshot);
        database.remove_orphans(|id| catalog.uses(id))?;
        minibtree_spill::file::remove_leftovers(&**database.disk())?;
        let database = Arc::new(database);
        let sequences = Arc::new(Sequences::new(Arc::clone(&database)));
        let statistics = Mutex::default();
        let (versions, timeouts) = (Versions::default(), Arc::default());
        Ok(Shared { database, versions, sequences, statistics, timeouts, now })
    }
}
