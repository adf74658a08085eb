//! An API gateway small enough to read in an evening: one front door with rate limits that are
//! proven.
//!
//! | module | what it is |
//! |---|---|
//! | [`engine`] | rate limits and routes, without sockets and clocks |
//! | [`wire`] | headers and bodies that tell a client about its limits |
//! | [`conf`] | the configuration, in TOML |
//! | [`handlers`] | from a request to its route, its limits and its answer |

pub mod conf;
pub mod engine;
pub mod handlers;
pub mod wire;
