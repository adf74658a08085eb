//! Functions, operators, casts and aggregates: tables of them, and the search for the one that a
//! call means.
//!
//! The binder looks a function up by its name and argument types, and the executor calls it.
//!
//! ```
//! use minibtree_functions::{Call, Found, find};
//! use minibtree_types::values::{Type, Value};
//!
//! let Found::One(row) = find("lpad", &[Type::Unknown, Type::Int4]) else { panic!("one") };
//! assert_eq!(row.arguments, [Type::Text, Type::Int4]);
//!
//! let Call::Pure(call) = row.call else { panic!("it needs no database") };
//! assert_eq!(call.call(&[Value::Text("7".into()), Value::Int(3)])?, Value::Text("  7".into()));
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `table.rs` | the type of a function, and the search by argument types (`parse_func.c`) |
//! | `operators.rs` | `+ - * / % ||` and the pairs of types that can be compared |
//! | `numbers.rs`, `floats.rs`, `strings.rs`, `bytes.rs`, `dates.rs` | functions |
//! | `variadic.rs` | `concat` and `format` |
//! | `catalog.rs` | functions of the catalog and of arrays |
//! | `casts.rs` | from one type to another |
//! | `like.rs` | LIKE |
//! | `aggregates.rs`, `moments.rs` | `count`, `sum`, `avg`; `stddev`, `corr` and their kin |
//!
//! ```text
//! 1 + 2.5     int4 + numeric: no such row
//!             candidates: numeric + numeric, float8 + float8, .. int4 converts to all of them
//!             one exact match: numeric + numeric, so 1 is cast to numeric
//! ```

pub mod aggregates;
mod bytes;
pub mod casts;
mod catalog;
mod dates;
mod floats;
mod like;
mod moments;
mod numbers;
mod operators;
mod strings;
mod table;
mod variadic;

pub use catalog::quoted;
pub use operators::Comparison;
pub use table::{
    Call, CatalogCall, Found, Function, Pure, SystemCall, find, find_operator, is_variadic,
    undefined_function,
};
