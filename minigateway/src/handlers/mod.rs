//! Handles a request: finds its route, charges its limits and builds the response.
//!
//! | module | what it is |
//! |---|---|
//! | [`pipeline`] | the route, the keys and the decision |
//! | [`filters`] | authentication, versions, CORS and header changes |
//! | [`answers`] | problem responses and limit headers |
//! | [`access_log`] | a line of JSON per request |
//! | [`explain`] | the explanation of a decision |
//!
//! Nothing here waits, sends or reads a clock.

pub mod access_log;
pub mod answers;
pub mod explain;
pub mod filters;
pub mod pipeline;
