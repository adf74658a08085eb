//! The configuration: TOML, checked as a whole. Errors have a location and a hint.
//!
//! | module | what it is |
//! |---|---|
//! | [`mod@file`] | the tables of the file |
//! | [`config`] | the checked configuration |
//! | [`filters`] | authentication, versions, CORS and header changes |
//! | [`redis`] | the store of shared limits |
//! | [`values`] | rates, durations and keys |
//! | [`error`] | the location of an error, and the most similar name |
//!
//! Nothing here opens a file: the caller passes the text.

pub mod config;
pub mod error;
pub mod file;
pub mod filters;
pub mod redis;
pub mod values;
