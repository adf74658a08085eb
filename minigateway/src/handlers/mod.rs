//! From a request to its route, its limits and its answer.
//!
//! | module | what it is |
//! |---|---|
//! | [`pipeline`] | which route, which keys, admitted or not |
//! | [`front`] | clients, versions, browsers, headers |
//! | [`answers`] | what the client is told |
//! | [`access_log`] | what the operator is told |
//! | [`explain`] | why, if it asks |
//!
//! None of them waits, sends or reads a clock.

pub mod access_log;
pub mod answers;
pub mod explain;
pub mod front;
pub mod pipeline;
