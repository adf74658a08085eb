//! Regular expressions of `server_name`, `location`, `map`, `if` and `rewrite`.
//!
//! # Example
//!
//! ```text
//! location ~ ^/u/(?<user>\w+)/(.*)$       /u/ann/a/b     $user = ann   $1 = ann   $2 = a/b
//! ```
//!
//! A named group defines a variable for the whole request. Numbered groups are those of the pattern
//! that matched last: after an `if ($args ~ x)` the groups of the location are gone.
//!
//! # Differences from NGINX (`ngx_http_regex_compile`, `ngx_http_variables.c`)
//!
//! NGINX has PCRE. The crate `regex` runs in time linear in the text, so no client can stall a core
//! with a bad pattern; the price is that look-around and back-references are refused.

use super::template::Names;
use regex::bytes::{Regex, RegexBuilder};

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The expression.
    pub regex: Regex,
    /// Named groups: the group, and the slot of its variable.
    pub named: Vec<(usize, usize)>,
}

impl Pattern {
    /// Compiles a pattern, and defines the variables of its named groups.
    ///
    /// # Errors
    /// If the pattern is broken, or has what PCRE has and this engine has not.
    pub fn compile(text: &str, ignore_case: bool, names: &mut Names) -> Result<Pattern, String> {
        // PCRE writes named groups in two more ways.
        let text = text.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!");
        let built = RegexBuilder::new(&text).case_insensitive(ignore_case).unicode(false).build();
        let regex = built.map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("the pattern \"{text}\" is not supported: {reason}")
        })?;

        let mut named = Vec::new();
        for (group, name) in regex.capture_names().enumerate() {
            if let Some(name) = name {
                named.push((group, names.define_settable(name)?));
            }
        }
        Ok(Pattern { regex, named })
    }

    /// Returns true if the pattern occurs in the text.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// Returns true if there is anything in it to be used later.
    pub fn has_groups(&self) -> bool {
        self.regex.captures_len() > 1
    }

    /// The pattern as it is written.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }
}
