//! Every parameter of `CONFIG`, as text and as numbers.
//!
//! A parameter is stored as the text that `CONFIG GET` shows. Its [`kind`] says which texts may
//! replace it. One [`table`] lists all parameters; [`special`] has those with a grammar of their
//! own. [`settings`] derives numbers from the texts whenever one changes, [`live`] publishes them
//! to all cores, [`mod@file`] reads and rewrites `redis.conf`, and [`host`] is the process that a
//! change may have to reach.
//!
//! ```text
//! CONFIG SET maxmemory 1gb hz 1000          CONFIG GET maxmemory h?
//!   Memory: "1gb"  -> "1073741824"            maxmemory -> 1073741824
//!   Word(hz): "1000" -> "500"                 hz        -> 500
//!   settings: maxmemory: 1073741824, hz: 500
//! ```
//!
//! `CONFIG SET` applies all pairs or none, so it works on a copy. The caller changes the process
//! (another port, another directory) through [`Host`]. If that fails, it drops the copy and replies
//! with [`ConfigError::Refused`].
//!
//! The counterpart in Redis is `config.c`. Two differences: a number of bytes beyond 64 bits
//! becomes the largest number (Redis wraps around), and `notify-keyspace-events` shows the `n` of
//! `An` (Redis drops it).

pub mod file;
pub(crate) mod host;
pub(crate) mod kind;
pub(crate) mod live;
pub(crate) mod settings;
mod special;
pub mod table;

use crate::engine::glob;
pub(crate) use host::{Host, ProcessInfo};
pub(crate) use live::LiveConfig;
pub use live::Snapshot;
pub use settings::Settings;
use table::{Change, PARAMETERS, Parameter};

/// All parameters. Cloning copies some 170 short texts.
#[derive(Clone)]
pub struct Config {
    texts: Vec<Vec<u8>>,
    settings: Settings,
}

/// Why `CONFIG SET` changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// No parameter has this name.
    Unknown(Vec<u8>),
    /// The parameter exists, but the change was refused.
    Refused {
        /// The parameter.
        name: Vec<u8>,
        /// Why, as Redis says it if Redis has such an error.
        reason: String,
    },
}

impl ConfigError {
    /// The error reply. It contains the client's bytes, so the caller must replace line breaks.
    pub fn reply(&self) -> Vec<u8> {
        match self {
            ConfigError::Unknown(name) => {
                let start = b"ERR Unknown option or number of arguments for CONFIG SET - '";
                [start, name.as_slice(), b"'"].concat()
            }
            ConfigError::Refused { name, reason } => {
                let start = b"ERR CONFIG SET failed (possibly related to argument '";
                [start, name.as_slice(), b"') - ", reason.as_bytes()].concat()
            }
        }
    }
}

impl Default for Config {
    /// Every parameter at its default.
    fn default() -> Config {
        let texts: Vec<Vec<u8>> =
            PARAMETERS.iter().map(|row| row.default.as_bytes().to_vec()).collect();
        let settings = Settings::read(&texts);
        Config { texts, settings }
    }
}

impl Config {
    /// The parameters as numbers.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Names and texts for `CONFIG GET`: a name as the client spelled it, or every name that a
    /// pattern (anything with `*`, `?` or `[`) matches, older names included, in the order of the
    /// table. No name comes twice.
    pub fn get<'a>(&'a self, patterns: &[&'a [u8]]) -> Vec<(&'a [u8], &'a [u8])> {
        let mut found: Vec<(&[u8], &[u8])> = Vec::new();
        for pattern in patterns {
            if pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
                let matching = names().filter(|name| {
                    !name.row().hidden && glob::matches_any_case(pattern, name.text.as_bytes())
                });
                for name in matching {
                    self.add_once(&mut found, name.text.as_bytes(), name.index);
                }
            } else if let Some(name) = find(pattern) {
                self.add_once(&mut found, pattern, name.index);
            }
        }
        found
    }

    fn add_once<'a>(&'a self, found: &mut Vec<(&'a [u8], &'a [u8])>, name: &'a [u8], index: usize) {
        if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            found.push((name, &self.texts[index]));
        }
    }

    /// `CONFIG SET`: applies every pair of name and text, or none. Returns the names of the
    /// parameters that changed. A `trusted` client may change protected parameters.
    ///
    /// # Errors
    /// The first pair that is refused, and why.
    pub fn set_many(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        trusted: bool,
    ) -> Result<Vec<&'static str>, ConfigError> {
        let names = changeable(pairs, trusted)?;
        let mut texts = self.texts.clone();
        for (name, (_, text)) in names.iter().zip(pairs) {
            let row = name.row();
            let words = if row.kind.takes_words() { at_spaces(text) } else { vec![*text] };
            let read = row.read(&texts[name.index], &words);
            let refused = |reason| ConfigError::Refused { name: name.text.into(), reason };
            texts[name.index] = read.map_err(refused)?;
        }
        let mut changed: Vec<usize> = names.iter().map(|name| name.index).collect();
        changed.retain(|index| texts[*index] != self.texts[*index]);
        changed.dedup();
        self.settings = Settings::read(&texts);
        self.texts = texts;
        Ok(changed.into_iter().map(|index| PARAMETERS[index].name).collect())
    }

    /// Sets one parameter, even one that cannot change while running: for what the server finds out
    /// at start, such as the working directory or the port that port 0 became.
    ///
    /// # Errors
    /// If there is no such parameter, or it cannot have this text.
    pub fn put(&mut self, name: &str, words: &[&[u8]]) -> Result<(), ConfigError> {
        let name = find(name.as_bytes()).ok_or_else(|| ConfigError::Unknown(name.into()))?;
        let refused = |reason| ConfigError::Refused { name: name.text.into(), reason };
        self.texts[name.index] =
            name.row().read(&self.texts[name.index], words).map_err(refused)?;
        self.settings = Settings::read(&self.texts);
        Ok(())
    }

    /// Every row with its text, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Parameter, &[u8])> {
        PARAMETERS.iter().zip(self.texts.iter().map(Vec::as_slice))
    }

    /// Parameters that differ from their defaults although this server does not obey them.
    pub fn without_effect(&self) -> impl Iterator<Item = &'static str> {
        self.iter()
            .filter(|(row, text)| !row.used && row.default.as_bytes() != *text)
            .map(|(row, _)| row.name)
    }
}

/// Returns true if the text of this parameter must not appear in logs, `MONITOR` or `SLOWLOG`.
pub fn is_secret(name: &[u8]) -> bool {
    find(name).is_some_and(|name| name.row().secret)
}

/// A name of a parameter: its own, or the older one.
#[derive(Clone, Copy)]
struct Name {
    text: &'static str,
    index: usize,
}

impl Name {
    fn row(self) -> &'static Parameter {
        &PARAMETERS[self.index]
    }
}

/// Every name, each older one after its successor.
fn names() -> impl Iterator<Item = Name> {
    let both = |(index, row): (usize, &'static Parameter)| {
        [row.name, row.alias].map(|text| Name { text, index })
    };
    PARAMETERS.iter().enumerate().flat_map(both).filter(|name| !name.text.is_empty())
}

fn find(name: &[u8]) -> Option<Name> {
    names().find(|known| known.text.as_bytes().eq_ignore_ascii_case(name))
}

/// The names of the pairs, if each is known, may change and comes once. An older name and its
/// successor may both be given, as in Redis; the later one wins.
fn changeable(pairs: &[(&[u8], &[u8])], trusted: bool) -> Result<Vec<Name>, ConfigError> {
    let mut names: Vec<Name> = Vec::new();
    for (asked, _) in pairs {
        let name = find(asked).ok_or_else(|| ConfigError::Unknown(asked.to_vec()))?;
        let reason = match name.row().change {
            Change::AtStart => Some("can't set immutable config"),
            Change::Protected if !trusted => Some("can't set protected config"),
            _ if names.iter().any(|known| known.text == name.text) => Some("duplicate parameter"),
            _ => None,
        };
        if let Some(reason) = reason {
            return Err(ConfigError::Refused { name: asked.to_vec(), reason: reason.into() });
        }
        names.push(name);
    }
    Ok(names)
}

/// The words of a list in `CONFIG SET`, between single spaces.
fn at_spaces(text: &[u8]) -> Vec<&[u8]> {
    if text.is_empty() { Vec::new() } else { text.split(|byte| *byte == b' ').collect() }
}

#[cfg(test)]
mod tests;
