//! PostgreSQL's types: what a column can hold (`utils/adt` there).
//!
//! | module | what it is |
//! |---|---|
//! | [`error`](mod@error) | the crate `minibtree/errors` |
//! | [`values`] | types and values: as text, in binary and in keys |
//!
//! This crate knows values, not tables, pages or clients. Functions and operators on them are in
//! `minibtree/functions`; the engine sorts the bytes of
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

#[macro_use(error, unsupported)]
pub extern crate minibtree_errors as error;

pub use minibtree_errors::{error, unsupported};

pub mod values;
