//! Bytes in memory. Nothing else in the crate knows an offset.
//!
//! * [`entry`]: one key with its value and deadline, in a slot of the slab.
//! * [`listpack`]: a short list, hash or sorted set, packed into one run of bytes.
//! * [`number`]: numbers as text, and text as numbers.
//! * [`words`]: a line as words, with quotes, from `minicache-text`.

pub(crate) mod entry;
pub(crate) mod listpack;
pub(crate) mod number;
pub use minicache_text::words;
