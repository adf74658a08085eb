//! What an `http { }` block does with a request, without sockets.
//!
//! | module | what it is |
//! |---|---|
//! | [`facts`] | the client's connection, and how a request ended |
//! | [`date`] | dates of headers and logs |
//! | [`uri`] | `$uri`: decoded and without dot segments |
//! | [`locate`] | which server and which location a request is for |
//! | [`state`] | path, query and variables, as they change |
//! | [`rewrite`] | `set`, `if`, `return`, `rewrite`, `break` |
//! | [`client_ip`] | the client behind other proxies |
//! | [`header_rules`] | `proxy_redirect`, `proxy_cookie_*` |
//! | [`target`] | the request line for an upstream server |
//! | [`variables`] | `$host` and the others |
//! | [`stream_variables`] | those of `stream { }` |
//! | [`explain`] | how its servers were chosen, in words |

pub mod client_ip;
pub mod date;
pub mod explain;
pub mod facts;
pub mod header_rules;
pub mod locate;
pub mod rewrite;
pub mod state;
pub mod stream_variables;
pub mod target;
pub mod uri;
pub mod variables;
