//! Functions, operators and casts: tables, and which row is meant by a call.
//!
//! | file | what it is |
//! |---|---|
//! | `table.rs` | what a function is, and the search for one by the types of its arguments |
//! | `operators.rs` | `+ - * / % ||` and the pairs of types that can be compared |
//! | `numbers.rs`, `strings.rs`, `dates.rs` | functions |
//! | `catalog.rs` | functions of the catalog and of arrays |
//! | `casts.rs` | from one type to another |
//! | `like.rs` | LIKE |
//! | `aggregates.rs` | `count`, `sum`, `avg` and their kin |
//!
//! ```text
//! 1 + 2.5     int4 + numeric: no such row
//!             candidates: numeric + numeric, float8 + float8, .. int4 converts to all of them
//!             one exact match: numeric + numeric, so 1 is cast to numeric
//! ```

pub mod aggregates;
pub mod casts;
mod catalog;
mod dates;
mod like;
mod numbers;
mod operators;
mod strings;
mod table;

pub use catalog::quoted;
pub use operators::Comparison;
pub use table::{Call, CatalogCall, Found, Function, SystemCall, find, find_operator, is_function};
