//! Completions and hints from the command table.
//!
//! ```text
//! typed            hint                              Tab
//! ge                                                 get getbit getdel getex getrange getset
//! SET greeting      value [NX | XX] [GET] …
//! config g         (names first)                     config get
//! help @s                                            @server @set @sorted-set @string
//! ```
//!
//! A completion is in capitals if the typed text is. Hints stop at the first optional part: only a
//! full parse could tell which option was typed. The counterparts in Redis are `completionCallback`
//! and `hintsCallback` (`redis-cli.c`).

use super::help::{spoken, topics};
use crate::commands::{Command, catalogue};
use crate::format::words;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::borrow::Cow;

/// All completions of `typed`, sorted.
pub fn completions(typed: &str) -> Vec<String> {
    let (lead, asked, known) = match typed.get(..5) {
        Some(lead) if lead.eq_ignore_ascii_case("help ") => (lead, &typed[5..], topics()),
        _ => ("", typed, catalogue::COMMANDS.iter().map(spoken).collect()),
    };
    let in_capitals = !asked.chars().any(|letter| letter.is_ascii_lowercase());
    let fits = |name: &&String| {
        name.len() >= asked.len()
            && name.as_bytes()[..asked.len()].eq_ignore_ascii_case(asked.as_bytes())
    };
    let as_typed = |name: &String| match in_capitals {
        true => format!("{lead}{name}"),
        false => format!("{lead}{}", name.to_lowercase()),
    };
    let mut found: Vec<String> = known.iter().filter(fits).map(as_typed).collect();
    found.sort();
    found
}

/// The rest of the usage line of the typed command.
pub fn hint(typed: &str) -> Option<String> {
    let words = words::split(typed.as_bytes())?;
    let row = named(&words)?;
    let arguments = words.len() - row.name.split('|').count();
    let rest = remaining(row.docs().usage, arguments);
    let space = if typed.ends_with(' ') || rest.is_empty() { "" } else { " " };
    (!rest.is_empty()).then(|| format!("{space}{rest}"))
}

/// The command that these words begin with, subcommand included. A container without one has no
/// hint.
fn named(words: &[Vec<u8>]) -> Option<&'static Command> {
    let row = catalogue::find(words.first()?)?;
    if row.is_container() {
        return row.subcommand(words.get(1)?);
    }
    Some(row)
}

/// A usage line without its first `typed` parts, up to the first optional one.
fn remaining(usage: &str, typed: usize) -> &str {
    let mut rest = usage;
    for _ in 0..typed {
        if rest.starts_with('[') {
            break;
        }
        rest = after_first_part(rest);
    }
    rest
}

/// The usage line after its first word or `<…>`.
fn after_first_part(usage: &str) -> &str {
    let mut depth = 0;
    for (at, character) in usage.char_indices() {
        match character {
            '<' | '[' => depth += 1,
            '>' | ']' => depth -= 1,
            ' ' if depth == 0 => return &usage[at + 1..],
            _ => {}
        }
    }
    ""
}

/// The completer and hinter of the line editor.
pub(super) struct Assist;

/// A hint that is only shown: the right arrow must not insert it.
pub(super) struct Usage(String);

impl Hint for Usage {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Assist {
    type Hint = Usage;

    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<Usage> {
        (position == line.len()).then(|| hint(line)).flatten().map(Usage)
    }
}

impl Completer for Assist {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, completions(&line[..position])))
    }
}

impl Highlighter for Assist {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        // Bright black is gray on most terminals.
        Cow::Owned(format!("\x1b[90m{hint}\x1b[0m"))
    }
}

impl Validator for Assist {}
impl Helper for Assist {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_shrink_with_what_is_typed() {
        for (typed, expected) in [
            ("", None),
            ("nonsense", None),
            ("config", None),
            ("GETRANGE", Some(" key start end")),
            ("GETRANGE ", Some("key start end")),
            ("getrange k", Some(" start end")),
            ("getrange k 0 1", None),
            ("config get", Some(" parameter [parameter ...]")),
            ("del a ", Some("[key ...]")),
            ("del a b c", Some(" [key ...]")),
            ("linsert l", Some(" <BEFORE | AFTER> pivot element")),
            ("linsert l before ", Some("pivot element")),
            ("getrange \"a b\" ", Some("start end")),
            ("getrange \"a", None),
        ] {
            assert_eq!(hint(typed).as_deref(), expected, "{typed:?}");
        }
    }

    #[test]
    fn completions_keep_the_case() {
        assert_eq!(completions("getd"), ["getdel"]);
        assert_eq!(completions("GETD"), ["GETDEL"]);
        assert_eq!(completions("Config resets"), ["config resetstat"]);
        assert_eq!(completions("help @so"), ["help @sorted-set"]);
        assert_eq!(completions("nothing"), [""; 0]);
        assert_eq!(completions("gé"), [""; 0]);
        assert_eq!(completions("").len(), catalogue::COMMANDS.len());
    }
}
