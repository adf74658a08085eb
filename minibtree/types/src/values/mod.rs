//! Types and values: what a column can hold, and how it is written, stored and sorted.
//!
//! | file | what it is |
//! |---|---|
//! | `types.rs` | the table of types |
//! | `value.rs` | values, and which of two comes first |
//! | `text.rs`, `binary.rs` | values as clients write and read them |
//! | `numeric.rs`, `datetime.rs`, `array.rs` | decimal arithmetic, the calendar, lists |
//! | `key.rs` | values as the bytes that the engine sorts |

pub mod array;
mod binary;
pub mod datetime;
pub mod key;
pub mod numeric;
mod text;
mod types;
mod value;

pub use text::float_text;
pub use types::{Category, ColumnType, Format, Type};
pub use value::{Float, Value, compare, compare_with_nulls};
