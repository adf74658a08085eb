//! What answers say about limits.
//!
//! | module | what it is |
//! |---|---|
//! | [`ratelimit`] | the headers: RateLimit, Retry-After, X-RateLimit |
//! | [`problem`] | the body of a refusal: problem+json |

pub mod problem;
pub mod ratelimit;
