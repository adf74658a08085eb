//! nginx.conf: from text to a checked configuration.
//!
//! | module | what it is |
//! |---|---|
//! | [`lexer`] | text to statements: words, quotes, comments |
//! | [`directives`] | every directive that exists, and where |
//! | [`values`] | times, numbers and addresses |
//! | [`config`] | what comes out |
//! | [`reader`] | statement by statement into the configuration |
//! | [`host`] | files and names, handed in |
//! | [`error`] | what is wrong, and where |
//!
//! Every error has the words of NGINX 1.22.1 and the same `file:line`; `clients/run` asks a real
//! `nginx -t` about each of them. A directive that minilb does not have is "unknown" with the name
//! of the nearest one it has.

pub mod config;
pub mod directives;
pub mod error;
pub mod host;
pub mod lexer;
pub mod reader;
pub mod values;
