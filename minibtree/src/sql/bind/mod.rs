//! Binding: from the syntax tree to a tree with every name and type resolved.
//!
//! | file | what it is |
//! |---|---|
//! | `level.rs` | the names that are in scope |
//! | `expression.rs`, `calls.rs`, `coerce.rs` | expressions, calls, casts |
//! | `array.rs` | `= ANY (array)` |
//! | `from.rs`, `select.rs`, `grouping.rs` | queries |
//! | `shown.rs` | expressions that the catalog stores |
//! | `write.rs` | INSERT, UPDATE, DELETE |
//!
//! # What if the parser accepts a clause that minibtree does not know?
//!
//! To ignore it would give a wrong answer. So each node of the syntax tree is destructured with all
//! its fields named, and a field that minibtree does not support must be empty, or the statement is
//! refused. If a new version of the parser adds a field, this code does not compile.
//!
//! PostgreSQL's `parse_analyze` (`analyze.c` and `parse_*.c`).

mod array;
mod calls;
mod coerce;
mod conflict;
mod expression;
mod from;
mod grouping;
mod implied;
mod level;
mod select;
mod shown;
mod write;

pub use coerce::{argument, indeterminate_type};
pub use implied::is_implied;
pub use level::Binder;
pub use select::{direction, query};
pub use shown::{shown_condition, shown_default, shown_expression};
pub use write::{PREDICATES, computed, insert_write, modification, target_columns};
