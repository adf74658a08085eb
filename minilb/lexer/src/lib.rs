//! The words and statements of nginx.conf, and what can be wrong with them: for minilb, which gives
//! them a meaning, and for `minilb diff`, which only replaces addresses.

pub mod error;
pub mod lexer;
