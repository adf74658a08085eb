//! What is wrong with a configuration, and where.
//!
//! ```text
//! unknown directive "proxy_pas" in nginx.conf:7
//! no "events" section in configuration
//! ```
//!
//! NGINX counterpart: `ngx_conf_log_error` (`ngx_conf_file.c`).

use std::fmt;

/// The first error of a configuration; NGINX stops there, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfError {
    /// NGINX's words.
    pub message: String,
    /// Where it is, if it has a place.
    pub place: Option<Place>,
}

/// A line of a file, or the argument of `-g`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Path and line, from 1.
    File(String, usize),
    /// `-g`
    CommandLine,
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} in {place}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path, line) => write!(f, "{path}:{line}"),
            Place::CommandLine => f.write_str("command line"),
        }
    }
}

impl std::error::Error for ConfError {}
