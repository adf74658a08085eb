//! Formats: limit headers, problems, traces, JSON bodies, GraphQL and Redis's protocol.
//!
//! | module | what it is |
//! |---|---|
//! | [`ratelimit`] | the headers: RateLimit, Retry-After, X-RateLimit |
//! | [`resp`] | what a shared store is asked and answers |
//! | [`trace`] | request ids and traces |
//! | [`problem`] | the body of a refusal: problem+json |
//! | [`json`] | objects and lists as text |
//! | [`uri`] | queries, percent-decoded |
//! | [`graphql`] | depth and aliases of a query |
//! | [`rename`] | fields that have another name in another version |

pub mod graphql;
pub mod json;
pub mod problem;
pub mod ratelimit;
pub mod rename;
pub mod resp;
pub mod trace;
pub mod uri;
