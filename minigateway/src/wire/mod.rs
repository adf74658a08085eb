//! What answers say about limits, and what a shared store is asked.
//!
//! | module | what it is |
//! |---|---|
//! | [`ratelimit`] | the headers: RateLimit, Retry-After, X-RateLimit |
//! | [`resp`] | what a shared store is asked and answers |
//! | [`trace`] | request ids and traces |
//! | [`problem`] | the body of a refusal: problem+json |

pub mod problem;
pub mod ratelimit;
pub mod resp;
pub mod trace;
