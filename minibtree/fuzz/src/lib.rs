//! The bodies of the fuzz targets: what must hold for any bytes.
//!
//! ```text
//! cargo +nightly fuzz run sql --fuzz-dir minibtree/fuzz
//! ```
//!
//! * [`wire`]: whatever a client sends, every reply has the length it states, and the session
//!   answers the next statement.
//! * [`sql`]: whatever a statement is, the session answers the next one, and an index finds the
//!   rows that a scan finds.
//! * [`pages`]: a database with damaged files does not open, or it returns rows that were inserted,
//!   or errors.
//!
//! None of them panics. PostgreSQL has no counterpart; SQLsmith and AFL are run on it from outside.

pub mod pages;
pub mod server;
pub mod sql;
pub mod wire;
