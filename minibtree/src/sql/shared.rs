//! The state of a database that all sessions share.

use super::catalog::Catalog;
use super::sequence::Sequences;
use crate::engine::{Database, Isolation};
use crate::wire::Result;
use minibtree_locks::Timeouts;
use minibtree_statistics::Statistics;
use minibtree_versions::Versions;
use minikit::sync::Mutex;
use std::sync::Arc;

/// The engine, and what sessions know about its tables beside their own copies of the catalog.
pub struct Shared {
    /// The database.
    pub database: Arc<Database>,
    /// Tells sessions when their copies of the catalog are outdated.
    pub versions: Versions,
    /// The sequences of the database.
    pub sequences: Arc<Sequences>,
    /// What ANALYZE has collected. Planning clones the `Arc`, so that it sees one state throughout.
    pub statistics: Mutex<Arc<Statistics>>,
    /// Cancels statements that exceed `statement_timeout`.
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
        let statistics = Mutex::new(Arc::new(Catalog::load_statistics(&database, &snapshot)?));
        drop(snapshot);
        database.remove_orphans(|id| catalog.uses(id))?;
        minibtree_spill::file::remove_leftovers(&**database.disk())?;
        let database = Arc::new(database);
        let sequences = Arc::new(Sequences::new(Arc::clone(&database)));
        let (versions, timeouts) = (Versions::default(), Arc::default());
        Ok(Shared { database, versions, sequences, statistics, timeouts, now })
    }
}
