//! Completions from the command table.
//!
//! ```text
//! typed            Tab
//! ge               get getbit getdel getex getrange getset
//! config g         config get
//! ```
//!
//! A completion is in capitals if the typed text is. The counterpart in Redis is
//! `completionCallback` (`redis-cli.c`), which also hints at the arguments still to come.

use crate::commands::catalogue;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

/// All completions of `typed`, sorted.
pub fn completions(typed: &str) -> Vec<String> {
    let in_capitals = !typed.chars().any(|letter| letter.is_ascii_lowercase());
    let fits = |name: &String| {
        name.get(..typed.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(typed))
    };
    let as_typed = |name: String| if in_capitals { name } else { name.to_lowercase() };
    // `CONFIG GET`, and not `config|get` as in the table.
    let names = catalogue::COMMANDS.iter().map(|row| row.name.replace('|', " ").to_uppercase());
    let mut found: Vec<String> = names.filter(fits).map(as_typed).collect();
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
        assert_eq!(completions("nothing"), [""; 0]);
        assert_eq!(completions("gé"), [""; 0]);
        assert_eq!(completions("").len(), catalogue::COMMANDS.len());
    }
}
