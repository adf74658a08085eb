//! An NGINX small enough to read in an evening: the part that chooses where a connection goes.
//!
//! | module | what it is |
//! |---|---|
//! | [`engine`] | peers, balancers and failure accounting, without sockets and clocks |

pub mod engine;
