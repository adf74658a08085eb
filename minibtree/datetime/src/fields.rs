//! A text as fields.
//!
//! ```text
//! Sat Nov-28-2026 11:00:49.5 PM +01
//! Word Date       Time       Word Offset
//! ```
//!
//! Blanks and other punctuation end a field and mean nothing. PostgreSQL's `ParseDateTime`.

use crate::parse::{Error, word_meaning};

/// A field, in lower case.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// Digits, perhaps with a fraction.
    Number(String),
    /// Parts with `-`, `/` or `.` between them; or the name of a time zone.
    Date(String),
    /// Digits with `:` between them.
    Time(String),
    /// A sign and digits.
    Offset(String),
    /// Letters, perhaps with a sign before them.
    Word(String),
}

/// The fields of a text.
///
/// # Errors
/// If it has a sign before nothing, or something that is no character of a date.
pub fn fields(text: &str) -> Result<Vec<Field>, Error> {
    let mut rest = Rest { text };
    let mut fields = Vec::new();
    while let Some(first) = rest.text.chars().next() {
        fields.push(match first {
            '0'..='9' => rest.number(),
            '.' => Field::Number(rest.take(|it| it == '.') + &rest.digits()),
            'a'..='z' | 'A'..='Z' => rest.word(),
            '+' | '-' => {
                let sign = first.to_string();
                rest.text = rest.text[1..].trim_start();
                match rest.text.chars().next() {
                    Some('0'..='9') => {
                        let is_inside = |it: char| it.is_ascii_digit() || ":.-".contains(it);
                        Field::Offset(sign + &rest.take(is_inside))
                    }
                    Some('a'..='z' | 'A'..='Z') => Field::Word(sign + &rest.letters()),
                    _ => return Err(Error::Malformed),
                }
            }
            it if it.is_ascii_whitespace() || it.is_ascii_punctuation() => {
                rest.text = &rest.text[1..];
                continue;
            }
            _ => return Err(Error::Malformed),
        });
    }
    Ok(fields)
}

struct Rest<'a> {
    text: &'a str,
}

impl Rest<'_> {
    fn next_is(&self, meant: impl Fn(char) -> bool) -> bool {
        self.text.chars().next().is_some_and(meant)
    }

    /// Takes characters while they are meant.
    fn take(&mut self, meant: impl Fn(char) -> bool) -> String {
        let end = self.text.find(|it| !meant(it)).unwrap_or(self.text.len());
        let (taken, rest) = self.text.split_at(end);
        self.text = rest;
        taken.to_ascii_lowercase()
    }

    fn digits(&mut self) -> String {
        self.take(|it| it.is_ascii_digit())
    }

    fn letters(&mut self) -> String {
        self.take(|it| it.is_ascii_alphabetic())
    }

    /// A field that begins with a digit.
    fn number(&mut self) -> Field {
        let mut text = self.digits();
        let Some(delimiter) = self.text.chars().next().filter(|it| ":-/.".contains(*it)) else {
            return Field::Number(text);
        };
        if delimiter == ':' {
            text += &self.take(|it| it.is_ascii_digit() || ":.".contains(it));
            return Field::Time(text);
        }

        // A month may be a word. Two numbers with a point are one number, three are a date.
        self.text = &self.text[1..];
        text.push(delimiter);
        if !self.next_is(|it| it.is_ascii_digit()) {
            text += &self.take(|it| it.is_ascii_alphanumeric() || it == delimiter);
            return Field::Date(text);
        }
        text += &self.digits();
        if self.next_is(|it| it == delimiter) {
            text += &self.take(|it| it.is_ascii_digit() || it == delimiter);
            return Field::Date(text);
        }
        if delimiter == '.' { Field::Number(text) } else { Field::Date(text) }
    }

    /// A field that begins with a letter: `t` before a digit is a word, `etc` is a time zone.
    fn word(&mut self) -> Field {
        let text = self.letters();
        let is_name = self.next_is(|it| "-/.".contains(it))
            || self.next_is(|it| it == '+' || it.is_ascii_digit()) && word_meaning(&text).is_none();
        if !is_name {
            return Field::Word(text);
        }
        let is_inside = |it: char| it.is_ascii_alphanumeric() || "+-/_.:".contains(it);
        Field::Date(text + &self.take(is_inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fall_into_fields() {
        use Field::*;

        let found = fields("20011225T040506.789-07 Etc/GMT+1 ").expect("valid");
        let wanted = [
            Number("20011225".into()),
            Word("t".into()),
            Number("040506.789".into()),
            Offset("-07".into()),
            Date("etc/gmt+1".into()),
        ];
        assert_eq!(found, wanted);
        assert_eq!(fields("J2451187").expect("valid").len(), 2);
        assert_eq!(fields("1999.008"), Ok(vec![Number("1999.008".into())]));
        assert_eq!(fields("-"), Err(Error::Malformed));
        assert_eq!(fields("ü"), Err(Error::Malformed));
    }
}
