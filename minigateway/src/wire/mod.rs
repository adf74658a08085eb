//! What answers say about limits, what a shared store is asked, what tokens say about clients.
//!
//! | module | what it is |
//! |---|---|
//! | [`ratelimit`] | the headers: RateLimit, Retry-After, X-RateLimit |
//! | [`resp`] | what a shared store is asked and answers |
//! | [`trace`] | request ids and traces |
//! | [`problem`] | the body of a refusal: problem+json |
//! | `jwt` | tokens, signed (feature `jwt`) |

#[cfg(feature = "jwt")]
pub mod jwt;
pub mod problem;
pub mod ratelimit;
pub mod resp;
pub mod trace;
