//! What changes about a request while it is decided: its path, its query, its variables.
//!
//! # Example
//!
//! ```text
//! GET /old/a%20b?x                path /old/a b    args x           is_original
//! set $kind old                   values[$kind] = old
//! rewrite ^/old/(.*) /new/$1      path /new/a b    groups ["/old/a b", "a b"]
//! ```
//!
//! `$request_uri` and the request line stay those of the client; `$uri` and `$args` are these.
//!
//! NGINX counterpart: `ngx_http_request_t` with `uri`, `args`, `variables`, `captures`,
//! `valid_unparsed_uri` (here `is_original`), `valid_location` and `uri_changes`.

use crate::conf::listen::Address;
use crate::conf::pattern::Pattern;
use std::ops::Range;

/// How often a request may look for another location, by `rewrite` or `error_page`.
pub const URI_CHANGES_MAX: u8 = 10;

/// The state of one request. Reused for the next one.
#[derive(Clone, Debug, Default)]
pub struct RequestState {
    /// `$uri`
    pub path: Vec<u8>,
    /// `$args`
    pub args: Vec<u8>,
    /// There is a query, if an empty one.
    pub has_args: bool,
    /// Variables of the configuration, by slot; those of `map` and `split_clients` stay empty.
    pub values: Vec<Vec<u8>>,
    /// Groups of the pattern that matched last.
    pub groups: Groups,
    /// The path and query are those of the client's request line.
    pub is_original: bool,
    /// The client's URI has `%` or `+`.
    pub is_quoted: bool,
    /// The path begins with the prefix of the location; false after `rewrite … break`.
    pub is_in_location: bool,
    /// A `rewrite` wants another location.
    pub is_changed: bool,
    /// Further changes of the location that are allowed.
    pub changes_left: u8,
    /// An error page was asked for with GET in place of the client's method.
    pub is_get: bool,
    /// The status that an error page is shown with.
    pub error_status: Option<u16>,
    /// It has failed in a way after which the connection ends, whatever the error page is.
    pub ends_connection: bool,
    /// An error page is being looked for, so a further failure has none.
    pub is_error_page: bool,
    /// Limits were checked.
    pub is_limited: bool,
    /// The client's address by `real_ip_header`.
    pub real_ip: Option<Address>,
}

/// Groups of a pattern, with the text that they are pieces of.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    text: Vec<u8>,
    spans: Vec<Range<usize>>,
}

impl Groups {
    /// A group, or nothing if there is none with this number.
    pub fn get(&self, group: usize) -> &[u8] {
        self.spans.get(group).map_or(b"", |it| &self.text[it.clone()])
    }

    /// Matches a pattern. Returns true if it occurs in the text, and has its groups then.
    pub fn capture(&mut self, pattern: &Pattern, text: &[u8]) -> bool {
        let Some(captures) = pattern.regex.captures(text) else { return false };
        self.text.clear();
        self.text.extend_from_slice(text);
        self.spans.clear();
        self.spans.extend(captures.iter().map(|it| it.map_or(0..0, |it| it.range())));
        true
    }

    /// Forgets all groups.
    pub fn clear(&mut self) {
        self.spans.clear();
    }
}

impl RequestState {
    /// Prepares for a request of a configuration with so many variables.
    pub fn begin(&mut self, variables: usize) {
        self.path.clear();
        self.args.clear();
        self.values.resize_with(variables, Vec::new);
        self.values.iter_mut().for_each(Vec::clear);
        self.groups.clear();
        (self.is_original, self.is_in_location) = (true, true);
        (self.is_quoted, self.is_changed, self.is_get) = (false, false, false);
        self.changes_left = URI_CHANGES_MAX;
        (self.error_status, self.ends_connection, self.is_error_page) = (None, false, false);
        (self.has_args, self.is_limited, self.real_ip) = (false, false, None);
    }

    /// Matches a pattern, and sets the variables of its named groups if it occurs in the text.
    pub fn capture(&mut self, pattern: &Pattern, text: &[u8]) -> bool {
        let is_match = self.groups.capture(pattern, text);
        if is_match {
            for (group, slot) in &pattern.named {
                self.values[*slot].clear();
                self.values[*slot].extend_from_slice(self.groups.get(*group));
            }
        }
        is_match
    }

    /// The same with the path as text.
    pub fn capture_path(&mut self, pattern: &Pattern) -> bool {
        let path = std::mem::take(&mut self.path);
        let is_match = self.capture(pattern, &path);
        self.path = path;
        is_match
    }
}
