//! Completions from the command table.
//!
//! ```text
//! typed            Tab
//! ge               get getbit getdel getex getrange getset
//! config g         config get
//! help @s          help @server help @set help @sorted-set help @string
//! ```
//!
//! A completion is in capitals if the typed text is. The counterpart in Redis is
//! `completionCallback` (`redis-cli.c`), which also hints at the arguments still to come.

use super::help::{spoken, topics};
use crate::commands::catalogue;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

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

/// The completer of the line editor.
pub(super) struct Assist;

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

impl Hinter for Assist {
    type Hint = String;
}

impl Highlighter for Assist {}
impl Validator for Assist {}
impl Helper for Assist {}

#[cfg(test)]
mod tests {
    use super::*;

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
