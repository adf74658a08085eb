//! The configuration: TOML, checked as a whole, with the place of a mistake and what to write.
//!
//! | module | what it is |
//! |---|---|
//! | [`mod@file`] | the tables of the file, as they are written |
//! | [`config`] | what they mean, once everything is checked |
//! | [`front`] | clients, versions, browsers and headers |
//! | [`redis`] | where shared limits are kept |
//! | [`values`] | rates, durations and keys |
//! | [`error`] | where a mistake is, and the nearest name that exists |
//!
//! Nothing here reads a file: the text is handed in.

pub mod config;
pub mod error;
pub mod file;
pub mod front;
pub mod redis;
pub mod values;
