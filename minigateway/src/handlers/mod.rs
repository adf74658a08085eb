//! From a request to its route, its limits and its answer.
//!
//! | module | what it is |
//! |---|---|
//! | [`pipeline`] | which route, which keys, admitted or not |
//! | [`answers`] | what the client is told |
//!
//! Neither of them waits, sends or reads a clock.

pub mod answers;
pub mod pipeline;
