//! Text formats of Redis: glob patterns, quoted words and long doubles.
//!
//! ```
//! use minicache_text::{glob, long_double::LongDouble, words};
//! assert!(glob::matches(b"h*llo", b"hello"));
//! assert_eq!(words::split(b"dir '/a b'"), Some(vec![b"dir".to_vec(), b"/a b".to_vec()]));
//! let sum = LongDouble::parse(b"3").zip(LongDouble::parse(b"0.1"));
//! let sum = sum.and_then(|(one, other)| one.plus(other));
//! assert_eq!(sum.map(|sum| sum.to_text()), Some("3.1".to_owned()));
//! ```
//!
//! * [`glob`]: the patterns of `KEYS` and `PSUBSCRIBE`.
//! * [`words`]: splits a line into words, with quotes.
//! * [`long_double`]: the numbers of `INCRBYFLOAT`.
//!
//! The counterpart in Redis is `util.c`.

pub mod glob;
pub mod long_double;
pub mod words;
