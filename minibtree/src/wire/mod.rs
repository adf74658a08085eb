//! PostgreSQL's protocol, from the crate `minibtree/wire`, and the engine's errors in its words.
//!
//! ```
//! use minibtree::wire::{Message, Target, decode};
//!
//! let (describe, length) = decode(b"D\0\0\0\x06P\0")?.expect("complete");
//! assert_eq!((describe, length), (Message::Describe(Target::Portal, ""), 7));
//! # Ok::<(), minibtree::wire::SqlError>(())
//! ```
//!
//! PostgreSQL's chapter "Frontend/Backend Protocol" and `elog.c`.

mod error;

pub use minibtree_wire::*;
