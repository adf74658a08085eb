//! Wire formats: rate limit headers, problem documents, traces, JSON, GraphQL and Redis's protocol.
//!
//! | module | what it is |
//! |---|---|
//! | [`ratelimit`] | the headers: RateLimit, Retry-After, X-RateLimit |
//! | [`resp`] | commands to Redis and its replies |
//! | [`trace`] | request ids and traces |
//! | [`problem`] | the body of a refusal: problem+json |
//! | [`json`] | the members of objects and elements of lists, as text |
//! | [`uri`] | normalized paths, and queries |
//! | [`graphql`] | depth and aliases of a query |
//! | [`rename`] | renames fields of JSON bodies between versions |

pub mod graphql;
pub mod json;
pub mod problem;
pub mod ratelimit;
pub mod rename;
pub mod resp;
pub mod trace;
pub mod uri;
