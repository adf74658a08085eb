//! Executing plans: rows are pulled, one at a time, from the top.
//!
//! | file | what it is |
//! |---|---|
//! | `context.rs` | the state of an execution: parameters, snapshot, outer rows |
//! | `evaluate.rs` | the value of an expression |
//! | `open.rs` | begins a node: returns an iterator over its rows |
//! | `scan.rs`, `join.rs`, `group.rs`, `sort.rs` | the iterators |
//! | `modify.rs`, `constraint.rs` | INSERT, UPDATE, DELETE, and their foreign keys |
//! | `insertion.rs` | new rows, one or many |
//! | `lock.rs` | FOR UPDATE |
//! | `cursor.rs` | the execution of a statement |
//!
//! PostgreSQL's `src/backend/executor`; the model is Graefe's Volcano (1994).

mod constraint;
mod context;
mod cursor;
mod evaluate;
mod group;
mod insertion;
mod join;
mod lock;
mod modify;
mod open;
mod scan;
mod sort;

pub use constraint::check_foreign_keys;
pub use context::{Context, read_only};
pub use cursor::Cursor;
pub use evaluate::evaluate;
pub use insertion::Insertion;
