//! Binding: from the syntax tree to a tree with every name and type resolved.
//!
//! | file | what it is |
//! |---|---|
//! | `level.rs` | which names can be seen |
//! | `expression.rs`, `calls.rs`, `coerce.rs` | expressions, calls, casts |
//! | `from.rs`, `select.rs`, `grouping.rs` | queries |
//! | `shown.rs` | expressions that the catalog keeps |
//! | `write.rs` | INSERT, UPDATE, DELETE |
//!
//! # How is a clause that nobody has thought of noticed?
//!
//! A syntax tree has dozens of fields, and one that is forgotten would make a wrong answer. So each
//! node is taken apart with all its fields named; those that we do not have must be empty, or the
//! statement is refused. A new field in the parser does not compile until it is named here.
//!
//! PostgreSQL's `parse_analyze` (`analyze.c` and `parse_*.c`).

mod calls;
mod coerce;
mod expression;
mod from;
mod grouping;
mod level;
mod select;
mod shown;
mod write;

pub use coerce::argument;
pub use level::{Binder, undefined_column};
pub use select::query;
pub use shown::{shown_condition, shown_default, shown_expression};
pub use write::{PREDICATES, computed, delete, insert, insert_write, target_columns, update};
