//! The data of COPY: rows as lines of text or CSV.
//!
//! | file | what it is |
//! |---|---|
//! | `options.rs` | the delimiter, quotes, and the text of NULL |
//! | `encode.rs` | COPY TO: from values to lines |
//! | `decode.rs` | COPY FROM: from bytes to lines |
//! | `fields.rs` | from a line to values |
//!
//! ```
//! use minibtree_copy::{Argument, Decoder, Direction, Encoder, Options};
//!
//! let csv = [("format".to_owned(), Argument::Text("csv".to_owned()))];
//! let mut data = Vec::new();
//! let encoder = Encoder::new(Options::new(&csv, Direction::To)?, &["a", "b", "c"])?;
//! encoder.row([Some("say \"hi\"".as_bytes()), None, Some(b"")], &mut data);
//! assert_eq!(data, b"\"say \"\"hi\"\"\",,\"\"\n"); // NULL is nothing, empty text is quoted
//!
//! let mut decoder = Decoder::new(Options::new(&csv, Direction::From)?, &["a", "b", "c"])?;
//! decoder.receive(&data, |fields| {
//!     let values = fields.collect::<Result<Vec<_>, _>>()?;
//!     assert_eq!(values, [Some("say \"hi\"".into()), None, Some("".into())]);
//!     Ok(())
//! })?;
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! This crate knows bytes, not tables or clients. PostgreSQL's `copyto.c` and `copyfromparse.c`,
//! which have a binary format too; ours is refused.

#[macro_use(error)]
extern crate minibtree_types;

mod decode;
mod encode;
mod fields;
mod options;

pub use decode::Decoder;
pub use encode::Encoder;
pub use fields::{Fields, shortened};
pub use options::{Argument, Columns, Direction, Options};
