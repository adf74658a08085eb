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

use super::pattern::Pattern;
use super::template::{Names, Template};

use std::collections::BTreeMap;

static EMPTY: Template = Template { parts: Vec::new() };

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
    pub patterns: Vec<(Pattern, Template)>,
    /// `default`
    pub default: Option<Template>,
}

impl Map {
    /// A map without lines.
    pub fn new(name: String, source: Template) -> Map {
        let (texts, patterns, default) = Default::default();
        Map { name, source, texts, patterns, default }
    }

    /// A line of the block: a text or pattern, and its value.
    pub(super) fn add(&mut self, words: &[String], names: &mut Names) -> Result<(), String> {
        let (key, value) = match words {
            [key, value] => (key.as_str(), value),
            [key] if key == "hostnames" || key == "volatile" => {
                return Err(format!("\"{key}\" is not supported in \"map\""));
            }
            _ => return Err("invalid number of the map parameters".to_owned()),
        };
        let pattern = match (key.strip_prefix("~*"), key.strip_prefix('~')) {
            (Some(pattern), _) => Some(Pattern::compile(pattern, true, names)?),
            (None, Some(pattern)) => Some(Pattern::compile(pattern, false, names)?),
            (None, None) => None,
        };
        let value = Template::compile(value, names)?;
        if let Some(pattern) = pattern {
            self.patterns.push((pattern, value));
        } else if key == "default" {
            if self.default.replace(value).is_some() {
                return Err("duplicate default map parameter".to_owned());
            }
        } else {
            let text = key.strip_prefix('\\').unwrap_or(key).to_ascii_lowercase().into_bytes();
            if self.texts.insert(text, value).is_some() {
                return Err(format!("conflicting parameter \"{key}\""));
            }
        }
        Ok(())
    }

    /// The value for this text of the source, and the pattern that has matched it, if one has.
    pub fn find(&self, text: &[u8]) -> (&Template, Option<&Pattern>) {
        // The texts of most maps are few and short.
        let mut texts = self.texts.iter();
        if let Some((_, value)) = texts.find(|(key, _)| key.eq_ignore_ascii_case(text)) {
            return (value, None);
        }
        match self.patterns.iter().find(|(pattern, _)| pattern.is_match(text)) {
            Some((pattern, value)) => (value, Some(pattern)),
            None => (self.default.as_ref().unwrap_or(&EMPTY), None),
        }
    }
}
