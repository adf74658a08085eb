//! SQL: what clients may ask, and how the engine answers it.
//!
//! | file | what it is |
//! |---|---|
//! | `types.rs` | types and values |
//! | `row.rs`, `key.rs` | values as the bytes that the engine stores and sorts |
//! | `catalog.rs` | tables, columns and indexes |
//! | `statement.rs` | from text to statements |
//! | `expression.rs` | expressions: names and types found, then evaluated |
//! | `plan.rs`, `execute.rs` | SELECT, INSERT, UPDATE, DELETE: what they do, and doing it |
//! | `definition.rs` | CREATE, DROP, TRUNCATE, ALTER |
//! | `copy.rs` | COPY FROM STDIN |
//! | `session.rs` | one client: its transaction, prepared statements and portals |
//!
//! A statement goes down this list: [`session::Session::handle`] gets the message,
//! `statement::parse` reads it, `plan::plan` resolves names and types, and `execute.rs` asks the
//! engine for rows.

pub mod catalog;
pub mod copy;
mod definition;
mod execute;
pub mod expression;
pub mod key;
mod plan;
pub mod row;
pub mod session;
pub mod statement;
mod types;

pub use catalog::Table;
pub use session::{Next, Session};
pub use types::{ColumnType, Type, Value, compare};

use crate::engine::{Database, Isolation};
use crate::wire::SqlError;
use catalog::{Catalog, Versions};

/// What all sessions of a database share.
pub struct Shared {
    /// The database.
    pub database: Database,
    /// How often the catalog has changed.
    pub versions: Versions,
    /// The time of day, in microseconds since 2000.
    pub now: fn() -> i64,
}

impl Shared {
    /// Prepares a database for sessions: creates the catalog if there is none, and removes files
    /// that a crash has left.
    pub fn new(database: Database, now: fn() -> i64) -> Result<Shared, SqlError> {
        Catalog::create(&database)?;
        let snapshot = database.begin(Isolation::ReadCommitted).snapshot();
        let catalog = Catalog::load(&database, &snapshot)?;
        drop(snapshot);
        database.remove_orphans(|id| catalog.uses(id))?;
        Ok(Shared { database, versions: Versions::default(), now })
    }
}
