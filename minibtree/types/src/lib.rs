//! PostgreSQL's types: what a column can hold, and what can be done with it (`utils/adt` there).
//!
//! | module | what it is |
//! |---|---|
//! | [`error`](mod@error) | an error with its SQLSTATE |
//! | [`values`] | types and values: as text, in binary and in keys |
//! | [`functions`] | functions, operators, casts and aggregates |
//!
//! This crate knows values, not tables, pages or clients. minibtree's binder looks up a function
//! by the types of its arguments, the executor calls it, and the engine sorts the bytes of
//! [`values::key`].
//!
//! ```
//! use minibtree_types::values::Type;
//!
//! let number = Type::Numeric.parse("1.50")?;
//! assert_eq!(Type::Numeric.text_of(&number), "1.50");
//!
//! let error = Type::Int4.parse("1.5").expect_err("not a whole number");
//! assert_eq!(error.message, "invalid input syntax for type integer: \"1.5\"");
//! assert_eq!(error.code, "22P02");
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```

#[macro_use]
pub mod error;

pub mod functions;
pub mod values;
