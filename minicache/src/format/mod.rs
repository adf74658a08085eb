//! Bytes in memory. Nothing else in the crate knows an offset.
//!
//! * [`entry`]: one key with its value and deadline, in a slot of the slab.
//! * [`listpack`]: a short list, hash or sorted set, packed into one run of bytes.
//! * [`number`]: numbers as text, and text as numbers.
//! * [`words`]: a line as words, with quotes.

pub mod entry;
pub mod listpack;
pub mod number;
pub mod words;
