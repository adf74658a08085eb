//! From text to statements: `words ;`, `words {` or `}`.
//!
//! # Example
//!
//! ```text
//! server "a b:80" weight=5; # c     ["server", "a b:80", "weight=5"] ;
//! upstream a{                       ["upstream", "a"] {
//! }                                 }
//! ```
//!
//! # Traps
//!
//! - A quote is one only at the beginning of a word: `a"b` is a word of three characters.
//! - After a closing quote comes a space, `;`, `{` or `)`; anything else is an error.
//! - `#` is a comment only at the beginning of a word.
//! - A backslash keeps the next character from being special, and stays in the word, except in
//!   `\"`, `\'`, `\\`, `\t`, `\r` and `\n`.
//! - `${name}` does not open a block.
//! - A `}` inside of a statement is an error only at the beginning of a word.
//!
//! The line of an error is the line that was reached, so the `;` of a statement over several lines
//! decides.
//!
//! NGINX counterpart: `ngx_conf_read_token` (`ngx_conf_file.c`), the same states. NGINX limits a
//! word to 4,096 bytes; we do not.

use crate::error::{ConfError, Place};

/// One statement of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Name and arguments; at least the name. `opens_block` is true if `{` ended it.
    Directive {
        /// The words, without quotes.
        words: Vec<String>,
        /// Ended by `{` instead of `;`.
        opens_block: bool,
    },
    /// `}`
    BlockEnd,
    /// Nothing is left.
    End,
}

/// Reads statements one by one.
pub struct Lexer {
    text: Vec<u8>,
    position: usize,
    line: usize,
    /// The path of the file; `None` for the argument of `-g`.
    path: Option<String>,
}

impl Lexer {
    /// At the beginning of a file, or of the argument of `-g` if there is no path.
    pub fn new(text: Vec<u8>, path: Option<String>) -> Lexer {
        Lexer { text, position: 0, line: 1, path }
    }

    /// Where the lexer is.
    pub fn place(&self) -> Place {
        match &self.path {
            Some(path) => Place::File(path.clone(), self.line),
            None => Place::CommandLine,
        }
    }

    /// An error at this place.
    pub fn error(&self, message: impl Into<String>) -> ConfError {
        ConfError { message: message.into(), place: Some(self.place()) }
    }

    /// The next statement.
    ///
    /// # Errors
    /// If the text ends inside of a statement or has a character where it cannot be.
    pub fn next_statement(&mut self) -> Result<Statement, ConfError> {
        let mut words: Vec<String> = Vec::new();
        loop {
            let Some(byte) = self.skip_blanks() else {
                return match words.is_empty() {
                    true => Ok(Statement::End),
                    false => Err(self.unexpected_end()),
                };
            };
            match byte {
                b';' | b'{' if words.is_empty() => return Err(self.unexpected(byte)),
                b';' | b'{' => {
                    self.position += 1;
                    return Ok(Statement::Directive { words, opens_block: byte == b'{' });
                }
                b'}' if !words.is_empty() => return Err(self.unexpected(byte)),
                b'}' => {
                    self.position += 1;
                    return Ok(Statement::BlockEnd);
                }
                b'"' | b'\'' => words.push(self.quoted_word(byte)?),
                _ => words.push(self.plain_word()?),
            }
        }
    }

    /// Skips space and comments. Returns the next byte without taking it.
    fn skip_blanks(&mut self) -> Option<u8> {
        let mut in_comment = false;
        while let Some(&byte) = self.text.get(self.position) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    in_comment = false;
                }
                _ if in_comment => {}
                b'#' => in_comment = true,
                b' ' | b'\t' | b'\r' => {}
                _ => return Some(byte),
            }
            self.position += 1;
        }
        None
    }

    /// The word between two quotes, and the check of what follows it.
    fn quoted_word(&mut self, quote: u8) -> Result<String, ConfError> {
        self.position += 1;
        let start = self.position;
        loop {
            match self.take()? {
                b'\\' => {
                    self.take()?;
                }
                byte if byte == quote => break,
                _ => {}
            }
        }
        let word = unescape(&self.text[start..self.position - 1]);

        match self.text.get(self.position) {
            // As in `if ($a = "b")`, where the parenthesis begins the next word.
            None | Some(b')' | b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{') => {}
            Some(&byte) => return Err(self.unexpected(byte)),
        }
        Ok(word)
    }

    /// A word up to a space, `;` or `{`, which stays.
    fn plain_word(&mut self) -> Result<String, ConfError> {
        let start = self.position;
        let mut after_dollar = false;
        loop {
            let byte = self.take()?;
            match byte {
                b'\\' => {
                    self.take()?;
                }
                b'{' if after_dollar => {}
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' => break,
                _ => {}
            }
            after_dollar = byte == b'$';
        }

        // The end of the word belongs to what follows.
        self.position -= 1;
        if self.text[self.position] == b'\n' {
            self.line -= 1;
        }
        Ok(unescape(&self.text[start..self.position]))
    }

    fn take(&mut self) -> Result<u8, ConfError> {
        let byte = *self.text.get(self.position).ok_or_else(|| self.unexpected_end())?;
        self.position += 1;
        if byte == b'\n' {
            self.line += 1;
        }
        Ok(byte)
    }

    fn unexpected(&self, byte: u8) -> ConfError {
        self.error(format!("unexpected \"{}\"", byte as char))
    }

    fn unexpected_end(&self) -> ConfError {
        self.error(match self.path {
            Some(_) => "unexpected end of file, expecting \";\" or \"}\"",
            None => "unexpected end of parameter, expecting \";\"",
        })
    }
}

/// Replaces the six escapes. Bytes that are not UTF-8 become replacement characters; no directive
/// takes them.
fn unescape(word: &[u8]) -> String {
    let mut plain = Vec::with_capacity(word.len());
    let mut bytes = word.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let replaced = match (byte, bytes.peek()) {
            (b'\\', Some(&next @ (b'"' | b'\'' | b'\\'))) => Some(next),
            (b'\\', Some(b't')) => Some(b'\t'),
            (b'\\', Some(b'r')) => Some(b'\r'),
            (b'\\', Some(b'n')) => Some(b'\n'),
            _ => None,
        };
        if replaced.is_some() {
            bytes.next();
        }
        plain.push(replaced.unwrap_or(byte));
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All statements, each as its words and its end.
    fn statements(text: &str) -> Result<Vec<String>, String> {
        let mut lexer = Lexer::new(text.into(), Some("f".to_owned()));
        let mut found = Vec::new();
        loop {
            match lexer.next_statement().map_err(|it| it.to_string())? {
                Statement::Directive { words, opens_block } => {
                    found.push(format!(
                        "{}{}",
                        words.join("|"),
                        if opens_block { "{" } else { ";" }
                    ));
                }
                Statement::BlockEnd => found.push("}".to_owned()),
                Statement::End => return Ok(found),
            }
        }
    }

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let text = "server \"a b:80\" weight=5; # c\nupstream a{\n}\n";
        assert_eq!(
            statements(text),
            Ok(vec!["server|a b:80|weight=5;".into(), "upstream|a{".into(), "}".into()])
        );
    }

    #[test]
    fn the_traps_at_the_head_of_the_file() {
        for (text, expected) in [
            ("a\"b c;", "a\"b|c;"),
            ("a#b c;", "a#b|c;"),
            ("a \\; \\{ \\\"b;", "a|\\;|\\{|\"b;"),
            ("a 'it\\'s' 'a\\tb';", "a|it's|a\tb;"),
            ("a ${b}c;", "a|${b}c;"),
            ("a b}c;", "a|b}c;"),
        ] {
            assert_eq!(statements(text), Ok(vec![expected.to_owned()]), "{text}");
        }
    }

    #[test]
    fn errors_name_the_line_that_was_reached() {
        for (text, expected) in [
            ("a\n;\n;", "unexpected \";\" in f:3"),
            ("a \"b\"c;", "unexpected \"c\" in f:1"),
            ("a b\n}", "unexpected \"}\" in f:2"),
            ("a 'b\n\n", "unexpected end of file, expecting \";\" or \"}\" in f:3"),
            ("a b", "unexpected end of file, expecting \";\" or \"}\" in f:1"),
        ] {
            assert_eq!(statements(text), Err(expected.to_owned()), "{text}");
        }
    }
}
