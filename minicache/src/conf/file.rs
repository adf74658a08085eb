//! `redis.conf` and the command line.
//!
//! A file has one directive per line: a name and words ([`crate::format::words`]). `#` starts a
//! comment only at the start of a line. The command line is more of the same file: `minicache
//! my.conf --port 7000 --save 900 1` reads `my.conf` as if it ended with
//!
//! ```text
//! port "7000"
//! save "900" "1"
//! ```
//!
//! The first `save` replaces the default, later ones add to it. The server does not start with a
//! mistake, and prints where it is:
//!
//! ```text
//! *** FATAL CONFIG FILE ERROR (minicache 0.1.0) ***
//! Reading the configuration file, at line 2
//! >>> 'maxmemory lots'
//! argument must be a memory value
//! ```
//!
//! Directives that would change what the server is are refused: `rename-command`, `user`,
//! `loadmodule`, `sentinel`, and the parameters marked `lacking` in the [table](super::table).
//! Three that Redis retired are ignored, as Redis does. The counterparts
//! in Redis are `loadServerConfigFromString` (`config.c`) and `main` (`server.c`).

use super::{Config, Settings, find, table::PARAMETERS};
use crate::format::words::{join, quoted, split};
use std::fmt;

/// Files within files. A file that includes itself reaches this.
const INCLUDE_DEPTH_MOST: usize = 16;
/// Directives of older versions of Redis, ignored.
const RETIRED: [&[u8]; 3] =
    [b"list-max-ziplist-entries", b"list-max-ziplist-value", b"lua-replicate-commands"];
/// Directives of Redis that this server refuses.
const UNSUPPORTED: [&[u8]; 4] = [b"rename-command", b"user", b"loadmodule", b"sentinel"];

/// Returns the text of an included file, or why it cannot be read.
pub type Include<'a> = &'a mut dyn FnMut(&[u8]) -> Result<Vec<u8>, String>;

/// A mistake in a file. Its `Display` is what the server prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Counted from one in each file. The command line continues the file.
    pub line: usize,
    /// The line without the spaces around it.
    pub text: Vec<u8>,
    /// What is wrong with it, as Redis says it if Redis has such an error.
    pub reason: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        writeln!(out, "*** FATAL CONFIG FILE ERROR (minicache {version}) ***")?;
        writeln!(out, "Reading the configuration file, at line {}", self.line)?;
        writeln!(out, ">>> '{}'", String::from_utf8_lossy(&self.text))?;
        write!(out, "{}", self.reason)
    }
}

impl std::error::Error for LoadError {}

/// Applies a file and then the arguments of the command line (without program and file name).
///
/// # Errors
/// The first mistake. Directives before it have been applied, so the caller must not use the
/// configuration.
pub fn load(
    config: &mut Config,
    text: &[u8],
    args: &[&[u8]],
    include: Include<'_>,
) -> Result<(), LoadError> {
    let whole = [text, b"\n", &directives(args)].concat();
    Loading { config: &mut *config, include, save_seen: false, depth: 0 }.file(&whole)?;
    config.settings = Settings::read(&config.texts);
    Ok(())
}

/// The text of a file with its directives brought up to date (`CONFIG REWRITE`). Comments stay.
/// All parameters that differ from their defaults follow at the end.
pub fn rewritten(config: &Config, before: &[u8]) -> Vec<u8> {
    let is_directive = |line: &[u8]| {
        let words = split(line).unwrap_or_default();
        words.first().is_some_and(|name| find(name).is_some())
    };
    let kept = before.split(|byte| *byte == b'\n').filter(|line| !is_directive(line));
    let mut text = kept.collect::<Vec<_>>().join(&b'\n').trim_ascii_end().to_vec();
    for (row, value) in config.iter().filter(|(row, value)| row.default.as_bytes() != *value) {
        text.push(b'\n');
        text.extend_from_slice(row.name.as_bytes());
        text.push(b' ');
        let several = row.kind.takes_words() && !value.is_empty();
        text.extend_from_slice(&if several { value.to_vec() } else { quoted(value) });
    }
    text.push(b'\n');
    text
}

/// The command line as lines of a file.
///
/// Words after `--name` belong to it until the next `--name`; directly after a name, a word may
/// start with `--` itself. `--save` alone means no saving. A first word without dashes starts a
/// directive too.
fn directives(args: &[&[u8]]) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut has_words = true;
    for (index, arg) in args.iter().enumerate() {
        let Some(name) = arg.strip_prefix(b"--").filter(|_| has_words) else {
            lines.extend(quoted(arg));
            lines.push(b' ');
            has_words = true;
            continue;
        };
        if !lines.is_empty() {
            lines.push(b'\n');
        }
        lines.extend_from_slice(name);
        lines.push(b' ');
        has_words = split(arg).is_none_or(|words| words.len() != 1);
        let next = args.get(index + 1);
        let ends_here = next.is_none_or(|next| next.starts_with(b"--"));
        if arg.eq_ignore_ascii_case(b"--save") && ends_here {
            lines.extend_from_slice(b"\"\"");
            has_words = true;
        }
    }
    lines
}

struct Loading<'a> {
    config: &'a mut Config,
    include: Include<'a>,
    /// True once a `save` has replaced the default.
    save_seen: bool,
    depth: usize,
}

impl Loading<'_> {
    fn file(&mut self, text: &[u8]) -> Result<(), LoadError> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            self.line(line).map_err(|problem| match problem {
                Problem::Here(reason) => LoadError { line: index + 1, text: line.into(), reason },
                Problem::Included(error) => error,
            })?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Problem> {
        let words = split(line).ok_or("Unbalanced quotes in configuration line")?;
        let Some((name, words)) = words.split_first() else { return Ok(()) };
        let name = name.to_ascii_lowercase();
        if let Some(known) = find(&name) {
            return Ok(self.parameter(known.index, words)?);
        }
        match (name.as_slice(), words) {
            (b"include", [path]) => self.included(path),
            (name, [_]) if RETIRED.contains(&name) => Ok(()),
            (name, _) if UNSUPPORTED.contains(&name) => {
                Err(format!("{} is not supported", String::from_utf8_lossy(name)).into())
            }
            _ => Err("Bad directive or wrong number of arguments".into()),
        }
    }

    /// Sets a parameter. A single word that holds several, as in `--save "900 1"`, is split.
    fn parameter(&mut self, index: usize, words: &[Vec<u8>]) -> Result<(), String> {
        let row = &PARAMETERS[index];
        let apart = match words {
            [word] if row.kind.takes_words() && !word.is_empty() => {
                Some(split(word).ok_or("Unbalanced quotes in configuration line")?)
            }
            [_] => None,
            _ if row.kind.takes_words() => None,
            _ => return Err("wrong number of arguments".into()),
        };
        let words = apart.as_deref().unwrap_or(words);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let text = row.read(&self.config.texts[index], &words)?;
        self.config.texts[index] = if row.name == "save" { self.saved(index, text) } else { text };
        Ok(())
    }

    /// `save` lines add up, but the first one replaces the default, and an empty one all before it.
    fn saved(&mut self, index: usize, text: Vec<u8>) -> Vec<u8> {
        let earlier = &self.config.texts[index];
        let first = !std::mem::replace(&mut self.save_seen, true);
        if first || text.is_empty() || earlier.is_empty() {
            return text;
        }
        join([earlier.as_slice(), &text])
    }

    fn included(&mut self, path: &[u8]) -> Result<(), Problem> {
        if self.depth == INCLUDE_DEPTH_MOST {
            return Err("Files include each other without end".into());
        }
        let text = (self.include)(path)?;
        self.depth += 1;
        let read = self.file(&text);
        self.depth -= 1;
        read.map_err(Problem::Included)
    }
}

/// What is wrong with a line: the line itself, or a line of the file it includes.
enum Problem {
    Here(String),
    Included(LoadError),
}

impl<S: Into<String>> From<S> for Problem {
    fn from(reason: S) -> Problem {
        Problem::Here(reason.into())
    }
}
