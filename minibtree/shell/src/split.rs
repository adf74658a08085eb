//! From lines to statements: where does a semicolon end one, and what is a backslash?
//!
//! ```text
//! select 'a;b'; select (1;       two quotes, then an end; the second ; is inside of ( )
//! select $x$ ; $x$ /* ; */ -- ;  no end: all of them are in a string or a comment
//! \q                             a command, as long as it is outside of all of these
//! ```
//!
//! A statement is sent as it was typed, with its semicolon and comments, so the position in an
//! error is a position in that text. Blanks and line comments before it are dropped, as in psql.
//!
//! PostgreSQL's `psqlscan.l`. Absent: variables (`:name`), and bodies of functions that begin with
//! BEGIN ATOMIC.

/// What a line completes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A statement, with its semicolon.
    Statement(String),
    /// The word after a backslash, and the rest of the line.
    Command(String),
}

/// What has been read of a statement.
#[derive(Debug, Default)]
pub struct Splitter {
    text: String,
    inside: Inside,
    /// Parentheses that are open.
    depth: usize,
}

/// What a character is part of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Nothing,
    /// `'...'`; in `E'...'` a backslash takes the next character with it.
    Text { has_escapes: bool },
    /// `"..."`
    Name,
    /// `$tag$...$tag$`, with the whole tag.
    Dollar(String),
    /// `/* ... */`, in as many of them.
    Comment(usize),
}

impl Splitter {
    /// Takes a line without its end. Returns what is complete with it.
    pub fn line(&mut self, line: &str) -> Vec<Input> {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let (mut complete, mut rest) = (Vec::new(), line);
        while let Some(next) = rest.chars().next() {
            let mut taken = next.len_utf8();
            match &self.inside {
                Inside::Nothing if rest.starts_with("--") => {
                    // The comment of a statement is a part of it.
                    if !self.text.is_empty() {
                        self.text.push_str(rest);
                    }
                    break;
                }
                Inside::Nothing if next == '\\' => {
                    complete.push(Input::Command(rest[1..].trim_end().to_owned()));
                    break;
                }
                Inside::Nothing if next == ';' && self.depth == 0 => {
                    let statement = std::mem::take(&mut self.text);
                    // A semicolon alone is no statement.
                    let is_empty = statement.is_empty();
                    complete.extend((!is_empty).then(|| Input::Statement(statement + ";")));
                    rest = &rest[1..];
                    continue;
                }
                Inside::Nothing if next.is_ascii_whitespace() && self.text.is_empty() => {
                    rest = &rest[taken..];
                    continue;
                }
                Inside::Nothing => taken = self.begin(rest),
                Inside::Text { has_escapes: true } if next == '\\' => {
                    taken += rest[1..].chars().next().map_or(0, char::len_utf8);
                }
                Inside::Text { .. } if next == '\'' => self.inside = Inside::Nothing,
                Inside::Name if next == '"' => self.inside = Inside::Nothing,
                Inside::Dollar(tag) if rest.starts_with(tag.as_str()) => {
                    taken = tag.len();
                    self.inside = Inside::Nothing;
                }
                Inside::Comment(depth) if rest.starts_with("/*") => {
                    taken = 2;
                    self.inside = Inside::Comment(depth + 1);
                }
                Inside::Comment(depth) if rest.starts_with("*/") => {
                    taken = 2;
                    let is_last = *depth == 1;
                    self.inside =
                        if is_last { Inside::Nothing } else { Inside::Comment(depth - 1) };
                }
                _ => {}
            }
            self.text.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
        complete
    }

    /// Enters what begins here. Returns the length of its beginning in bytes.
    fn begin(&mut self, rest: &str) -> usize {
        let is_in_word = self.text.ends_with(is_of_word);
        let first = rest.chars().next().expect("the caller has seen it");
        match first {
            '\'' => {
                let mut before = self.text.chars().rev();
                let has_escapes = matches!(before.next(), Some('e' | 'E'))
                    && !before.next().is_some_and(is_of_word);
                self.inside = Inside::Text { has_escapes };
            }
            '"' => self.inside = Inside::Name,
            '(' => self.depth += 1,
            ')' => self.depth = self.depth.saturating_sub(1),
            '$' if !is_in_word => {
                let tag = rest[1..].find('$').map(|at| &rest[..at + 2]);
                let is_tag = |tag: &&str| {
                    let name = &tag[1..tag.len() - 1];
                    name.chars().all(|it| is_of_word(it) && it != '$')
                        && !name.starts_with(|it: char| it.is_ascii_digit())
                };
                if let Some(tag) = tag.filter(is_tag) {
                    self.inside = Inside::Dollar(tag.to_owned());
                    return tag.len();
                }
            }
            '/' if rest.starts_with("/*") => {
                self.inside = Inside::Comment(1);
                return 2;
            }
            _ => {}
        }
        first.len_utf8()
    }

    /// What is left at the end of the input: a statement without its semicolon.
    pub fn finish(&mut self) -> Option<String> {
        let (rest, _) = (std::mem::take(&mut self.text), std::mem::take(self));
        (!rest.trim().is_empty()).then_some(rest)
    }

    /// The character of the prompt: what is open. `=` is nothing at all.
    pub fn prompt(&self) -> char {
        match self.inside {
            Inside::Text { .. } => '\'',
            Inside::Name => '"',
            Inside::Dollar(_) => '$',
            Inside::Comment(_) => '*',
            Inside::Nothing if self.depth > 0 => '(',
            Inside::Nothing if self.text.is_empty() => '=',
            Inside::Nothing => '-',
        }
    }
}

/// Returns true for characters of names; a `$` within a name does not begin a string.
fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_$".contains(character) || !character.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statements of a text, and what is left.
    fn split(text: &str) -> (Vec<String>, Option<String>) {
        let mut splitter = Splitter::default();
        let complete = text.lines().flat_map(|line| splitter.line(line)).collect::<Vec<_>>();
        let statements = complete.into_iter().map(|it| match it {
            Input::Statement(text) => text,
            Input::Command(text) => format!("\\{text}"),
        });
        (statements.collect(), splitter.finish())
    }

    #[test]
    fn semicolons_end_statements_outside_of_everything() {
        let text = "  select 1;select 2 ; ;\n-- none\n \
                    select ';', \";\", (1;2), $$;$$, $a$;$$;$a$\n\
                    /* ; /* ; */ ; */ -- ;\n, a$b$;\nselect 3";
        let (statements, rest) = split(text);
        let long = "select ';', \";\", (1;2), $$;$$, $a$;$$;$a$\n/* ; /* ; */ ; */ -- ;\n, a$b$;";
        assert_eq!(statements, ["select 1;", "select 2 ;", long]);
        assert_eq!(rest.as_deref(), Some("select 3"));
    }

    #[test]
    fn only_e_strings_have_escapes() {
        assert_eq!(split("select '\\';").0, ["select '\\';"]);
        assert_eq!(split("select e'\\';';").0, ["select e'\\';';"]);
        assert_eq!(split("select ae'\\';").0, ["select ae'\\';"]);
        assert_eq!(split("select 'it''s;';").0, ["select 'it''s;';"]);
        assert_eq!(split("select $1; select $2$;").0, ["select $1;", "select $2$;"]);
    }

    #[test]
    fn a_backslash_is_a_command() {
        let expected = (vec!["\\q".to_owned()], Some("select 1".to_owned()));
        assert_eq!(split("select 1\n\\q ").0, expected.0);
        assert_eq!(split("select '\\q'").0, [""; 0]);
    }

    #[test]
    fn the_prompt_shows_what_is_open() {
        for (line, prompt) in
            [("", '='), ("a", '-'), ("'", '\''), ("\"", '"'), ("(", '('), ("/*", '*'), ("$$", '$')]
        {
            let mut splitter = Splitter::default();
            splitter.line(line);
            assert_eq!(splitter.prompt(), prompt, "{line}");
        }
    }
}
