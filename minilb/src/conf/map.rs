//! `map`: a variable whose value depends on another one.
//!
//! # Example
//!
//! ```text
//! map $http_upgrade $connection_upgrade {
//!     default upgrade;
//!     ''      close;
//! }
//!
//! Upgrade: websocket     upgrade
//! (no header)            close
//! ```
//!
//! First the texts are compared, in any case; then the patterns are tried in the order of the file;
//! then the default is taken, which is the empty text if there is none.
//!
//! NGINX counterpart: `ngx_http_map_find` (`ngx_http_variables.c`), `ngx_http_map_module.c`.
//! Difference: no `hostnames` and no `volatile`.

use super::template::Template;
use regex::bytes::Regex;
use std::collections::BTreeMap;

/// A `map` block.
#[derive(Clone, Debug)]
pub struct Map {
    /// The variable that it defines, without `$`.
    pub name: String,
    /// What is compared.
    pub source: Template,
    /// By text in lower case.
    pub texts: BTreeMap<Vec<u8>, Template>,
    /// In the order of the file.
    pub patterns: Vec<(Regex, Template)>,
    /// `default`
    pub default: Template,
}

impl PartialEq for Map {
    /// Names are unique within a configuration.
    fn eq(&self, other: &Map) -> bool {
        self.name == other.name
    }
}

impl Eq for Map {}

impl Map {
    /// The value for this text of the source.
    pub fn find(&self, text: &[u8]) -> &Template {
        // The texts of most maps are few and short.
        let exact = self.texts.iter().find(|(key, _)| key.eq_ignore_ascii_case(text));
        let exact = exact.map(|(_, value)| value);
        let by_pattern = || {
            let found = self.patterns.iter().find(|(pattern, _)| pattern.is_match(text));
            found.map(|(_, value)| value)
        };
        exact.or_else(by_pattern).unwrap_or(&self.default)
    }
}
