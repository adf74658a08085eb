//! nginx.conf: from text to a checked configuration.
//!
//! | module | what it is |
//! |---|---|
//! | [`lexer`] | text to statements: words, quotes, comments |
//! | [`directives`] | every directive that exists, and where |
//! | [`values`] | times, numbers and addresses |
//! | [`template`] | values with variables |
//! | [`map`] | variables that depend on others |
//! | [`split_clients`] | variables that divide clients into shares |
//! | [`pattern`] | regular expressions and their groups |
//! | [`cidr`] | networks |
//! | [`health`] | `health_check` and `circuit_breaker` |
//! | [`rewrite`] | `set`, `if`, `return`, `rewrite` |
//! | [`config`] | what comes out |
//! | [`http`] | what comes out of `http { }` |
//! | [`listen`] | `listen` of both blocks |
//! | [`reader`] | statement by statement into the configuration |
//! | [`http_reader`] | the directives of `http { }` |
//! | [`http_lists`] | those that take several values or may be repeated |
//! | [`host`] | files and names, handed in |
//! | [`error`] | what is wrong, and where |
//!
//! Every error has the words of NGINX 1.22.1 and the same `file:line`; `clients/run` asks a real
//! `nginx -t` about each of them. A directive that minilb does not have is "unknown" with the name
//! of the nearest one it has.

pub mod cidr;
pub mod config;
pub mod directives;
pub mod health;
pub mod host;
pub mod http;
pub mod http_lists;
pub mod http_reader;
pub mod listen;
pub mod map;
pub mod pattern;
pub mod reader;
pub mod resolver;
pub mod rewrite;
pub mod split_clients;
pub mod template;
pub mod values;

pub use minilb_lexer::{error, lexer};
