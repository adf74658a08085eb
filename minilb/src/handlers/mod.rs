//! What an `http { }` block does with a request, without sockets.
//!
//! | module | what it is |
//! |---|---|
//! | [`facts`] | the client's connection, and how a request ended |
//! | [`date`] | dates of headers and logs |
//! | [`uri`] | `$uri`: decoded and without dot segments |
//! | [`locate`] | which server and which location a request is for |
//! | [`target`] | the request line for an upstream server |
//! | [`variables`] | `$host` and the others |

pub mod date;
pub mod facts;
pub mod locate;
pub mod target;
pub mod uri;
pub mod variables;
