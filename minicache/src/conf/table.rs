//! Every parameter of Redis 7.0.15: the rows of `parameters.tsv`.
//!
//! ```text
//! name        older  obeyed  kind            default  marks     what it does
//! timeout            yes     integer 0 2147… 0                  Seconds of silence before …
//! rdbcompression     no      bool            yes                There are no snapshots.
//! logfile            yes     text                     at-start  Where to; empty for standard …
//! ```
//!
//! A parameter that is not obeyed is checked, stored and shown, and has no other effect. A warning
//! at start names those that a file sets to something else. If ignoring it would make a server that
//! lets more clients in, or another kind of server, it is marked `lacking`, and any value but the
//! default is refused: at start, and by `CONFIG SET`.
//!
//! Other marks: `at-start` cannot change while running, `protected` changes only for clients that
//! `enable-protected-configs` allows, `secret` is kept out of logs, `hidden` is shown only for its
//! full name. Names, ranges and defaults are those of Redis, whose table is `static_configs`
//! (`config.c`). There a row also has the address of the variable it sets; here
//! [`settings`](super::settings) derives the variables.

use super::kind::Kind;
use std::sync::LazyLock;

/// One row of the table.
pub struct Parameter {
    /// The name, in lower case.
    pub name: &'static str,
    /// An older name for the same value, or nothing.
    pub alias: &'static str,
    /// How the text is checked.
    pub kind: Kind,
    /// The text if no one sets it, in the form in which it is shown.
    pub default: &'static str,
    /// True if this server obeys it.
    pub used: bool,
    /// When it may change.
    pub change: Change,
    /// True if logs, `MONITOR` and `SLOWLOG` must not show the value.
    pub secret: bool,
    /// True if patterns in `CONFIG GET` skip it.
    pub hidden: bool,
    /// Why only the default is accepted, if so.
    lacking: Option<&'static str>,
}

/// When a parameter may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At any time.
    Live,
    /// At any time, by clients that `enable-protected-configs` allows.
    Protected,
    /// Only by file or command line.
    AtStart,
}

/// All rows, in the order of the file. Parsed at first use, in some ten microseconds.
pub static PARAMETERS: LazyLock<Vec<Parameter>> = LazyLock::new(|| {
    include_str!("parameters.tsv").lines().skip(1).map(Parameter::parse).collect()
});

impl Parameter {
    fn parse(line: &'static str) -> Parameter {
        let cells: Vec<&str> = line.split('\t').collect();
        let [name, alias, obeyed, kind, default, marks, what] = cells[..] else {
            panic!("a row of parameters.tsv has seven cells: {line}");
        };
        let is = |mark: &str| marks.split(' ').any(|given| given == mark);
        Parameter {
            name,
            alias,
            kind: Kind::parse(kind),
            default,
            used: obeyed == "yes",
            change: match (is("at-start"), is("protected")) {
                (true, _) => Change::AtStart,
                (_, true) => Change::Protected,
                _ => Change::Live,
            },
            secret: is("secret"),
            hidden: is("hidden"),
            lacking: is("lacking").then_some(what),
        }
    }

    /// The text to keep for `words`, or the reason why not.
    pub(super) fn read(&self, current: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
        let text = self.kind.read(current, words)?;
        match self.lacking {
            Some(why) if text != self.default.as_bytes() => Err(format!("not supported: {why}")),
            _ => Ok(text),
        }
    }
}
