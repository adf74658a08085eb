//! SQL: what clients may ask, and how the engine answers it.
//!
//! | file | what it is |
//! |---|---|
//! | `types.rs` | types and values |
//! | `row.rs`, `key.rs` | values as the bytes that the engine stores and sorts |
//! | `catalog.rs` | tables, columns and indexes |
//! | `statement.rs` | from text to statements |
//! | `expression.rs` | expressions: names and types found, then evaluated |

pub mod catalog;
pub mod expression;
pub mod key;
pub mod row;
pub mod statement;
mod types;

pub use catalog::Table;
pub use types::{ColumnType, Type, Value, compare};
