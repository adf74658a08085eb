//! SQL: what clients may ask, and how the engine answers it.
//!
//! | file | what it is |
//! |---|---|
//! | `catalog/`, `sequence.rs` | tables, columns, indexes and constraints; numbers for keys |
//! | `tree.rs` | queries and expressions, with tables of the catalog in them |
//! | `bind/` | resolves the names and types of a syntax tree |
//! | `plan/` | chooses the cheapest plan |
//! | `execute/` | runs the plan and returns its rows |
//! | `define/` | CREATE, DROP, TRUNCATE, ALTER |
//! | `analyze.rs` | ANALYZE |
//! | `session/` | one client: its transaction, prepared statements and portals |
//!
//! A statement goes down this list: [`session::Session::handle`] gets the message,
//! `statement::parse` reads it, `bind` resolves names and types, `plan::plan` chooses how to find
//! the rows, and `execute` asks the engine for them.

mod analyze;
mod bind;
pub(crate) mod catalog;
mod define;
mod execute;
mod plan;
mod sequence;
pub mod session;
mod shared;
mod tree;

use minibtree_row as row;
pub use minibtree_statement as statement;
pub use minibtree_types::values::{ColumnType, Type, Value, compare};
pub use session::{Cleaned, Next, Prepared, Session, clean_tables};
pub use shared::Shared;

use minibtree_functions as functions;
use minibtree_types::values;
