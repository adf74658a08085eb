//! What a COPY says about its data, and which of it goes together.
//!
//! ```text
//!             text    csv
//! DELIMITER   tab     ,
//! NULL        \N      nothing
//! QUOTE       -       "
//! ESCAPE      -       as QUOTE
//! ```
//!
//! PostgreSQL's `ProcessCopyOptions` in `commands/copy.c`.

use minibtree_types::error::{Result, SqlError, code};

/// Where the data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client into a table.
    From,
    /// From a table or query to the client.
    To,
}

/// What is written after the name of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// A word, a number or a string.
    Text(String),
    /// `*`, or a list of columns.
    Columns(Columns),
}

/// Some of the columns of a COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// `*`.
    All,
    /// These.
    Named(Vec<String>),
}

/// What the first line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    #[default]
    Absent,
    Present,
    /// The names of the columns, which are compared.
    Match,
}

/// How rows are written.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) is_csv: bool,
    pub(crate) delimiter: u8,
    /// What stands for NULL.
    pub(crate) null: String,
    pub(crate) quote: u8,
    pub(crate) escape: u8,
    pub(crate) header: Header,
    pub(crate) force_quote: Columns,
    pub(crate) force_not_null: Columns,
    pub(crate) force_null: Columns,
}

/// The options by their names, as given.
struct Given<'a>(&'a [(String, Argument)]);

impl Options {
    /// Reads the options, whose names are in lower case.
    ///
    /// # Errors
    /// `42601`, `22023` or `0A000` for an option that does not exist, or does not go with the
    /// others.
    pub fn new(given: &[(String, Argument)], direction: Direction) -> Result<Options> {
        let given = Given(given);
        given.check_names()?;

        let header = given.header(direction)?;
        let is_csv = match given.text("format")?.unwrap_or("text") {
            "text" => false,
            "csv" => true,
            "binary" => return Err(SqlError::unsupported("COPY in binary format")),
            other => {
                return Err(error!(
                    INVALID_PARAMETER_VALUE,
                    "COPY format \"{other}\" not recognized"
                ));
            }
        };
        given.flag("freeze")?;
        if let Some(encoding) = given.text("encoding")?
            && !["utf8", "utf-8", "unicode"].contains(&encoding.to_lowercase().as_str())
        {
            return Err(SqlError::unsupported(format!("COPY with the encoding \"{encoding}\"")));
        }
        let options = Options {
            is_csv,
            delimiter: given.byte("delimiter", if is_csv { b',' } else { b'\t' })?,
            null: given.text("null")?.unwrap_or(if is_csv { "" } else { "\\N" }).to_owned(),
            header,
            quote: given.byte("quote", b'"')?,
            escape: given.byte("escape", given.byte("quote", b'"')?)?,
            force_quote: given.columns("force_quote")?,
            force_not_null: given.columns("force_not_null")?,
            force_null: given.columns("force_null")?,
        };

        options.check_bytes()?;
        given.check_places(is_csv, direction)?;
        options.check_null()?;
        Ok(options)
    }

    /// Checks that options name columns of the list that the COPY has, if it has one.
    ///
    /// # Errors
    /// `42P10`.
    pub fn check_listed(&self, columns: &[String]) -> Result<()> {
        for (named, option) in [
            (&self.force_quote, "FORCE_QUOTE"),
            (&self.force_not_null, "FORCE_NOT_NULL"),
            (&self.force_null, "FORCE_NULL"),
        ] {
            let Columns::Named(names) = named else { continue };
            let is_listed = |it: &&String| columns.is_empty() || columns.contains(it);
            if let Some(name) = names.iter().find(|it| !is_listed(it)) {
                let text = format!("{option} column \"{name}\" not referenced by COPY");
                return Err(SqlError::new(code::INVALID_COLUMN_REFERENCE, text));
            }
        }
        Ok(())
    }

    /// Checks that what separates values cannot be taken for a part of them.
    fn check_bytes(&self) -> Result<()> {
        let delimiter = char::from(self.delimiter);
        let null = self.null.as_bytes();
        let invalid = |text: &str| Err(SqlError::new(code::INVALID_PARAMETER_VALUE, text));
        if ['\n', '\r'].contains(&delimiter) {
            return invalid("COPY delimiter cannot be newline or carriage return");
        }
        if null.iter().any(|it| b"\n\r".contains(it)) {
            return invalid("COPY null representation cannot use newline or carriage return");
        }
        // These may follow a backslash.
        let is_escape = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
        if !self.is_csv && (is_escape(delimiter) || "\\.".contains(delimiter)) {
            return invalid(&format!("COPY delimiter cannot be \"{delimiter}\""));
        }
        if self.is_csv && self.delimiter == self.quote {
            return invalid("COPY delimiter and quote must be different");
        }
        Ok(())
    }

    /// Checks that NULL is told from values.
    fn check_null(&self) -> Result<()> {
        let text = if self.null.as_bytes().contains(&self.delimiter) {
            "COPY delimiter must not appear in the NULL specification"
        } else if self.is_csv && self.null.as_bytes().contains(&self.quote) {
            "CSV quote character must not appear in the NULL specification"
        } else {
            return Ok(());
        };
        Err(SqlError::new(code::FEATURE_NOT_SUPPORTED, text))
    }
}

impl Columns {
    /// Which of the columns of a COPY are meant.
    ///
    /// # Errors
    /// `42703` if one of them is not of this COPY.
    pub(crate) fn of(&self, names: &[&str]) -> Result<Vec<bool>> {
        let Columns::Named(wanted) = self else { return Ok(vec![true; names.len()]) };
        if let Some(name) = wanted.iter().find(|it| !names.contains(&it.as_str())) {
            return Err(error!(UNDEFINED_COLUMN, "column \"{name}\" does not exist"));
        }
        Ok(names.iter().map(|name| wanted.iter().any(|it| it == name)).collect())
    }
}

impl Given<'_> {
    fn check_names(&self) -> Result<()> {
        const NAMES: &str = " format freeze delimiter null header quote escape force_quote \
            force_not_null force_null encoding ";
        for (index, (name, _)) in self.0.iter().enumerate() {
            if !NAMES.contains(&format!(" {name} ")) {
                return Err(error!(SYNTAX_ERROR, "option \"{name}\" not recognized"));
            }
            if self.0[..index].iter().any(|it| it.0 == *name) {
                return Err(error!(SYNTAX_ERROR, "conflicting or redundant options"));
            }
        }
        Ok(())
    }

    /// Checks that the options are of this format and direction.
    fn check_places(&self, is_csv: bool, direction: Direction) -> Result<()> {
        use Direction::{From, To};

        for (name, shown, only) in [
            ("quote", "quote", None),
            ("escape", "escape", None),
            ("force_quote", "force quote", Some((To, "COPY TO"))),
            ("force_not_null", "force not null", Some((From, "COPY FROM"))),
            ("force_null", "force null", Some((From, "COPY FROM"))),
        ] {
            if self.get(name).is_none() {
                continue;
            }
            if !is_csv {
                return Err(error!(
                    FEATURE_NOT_SUPPORTED,
                    "COPY {shown} available only in CSV mode"
                ));
            }
            if let Some((_, place)) = only.filter(|it| it.0 != direction) {
                return Err(error!(
                    FEATURE_NOT_SUPPORTED,
                    "COPY {shown} only available using {place}"
                ));
            }
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&Argument> {
        self.0.iter().find(|it| it.0 == name).map(|it| &it.1)
    }

    fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.get(name) {
            None => Ok(None),
            Some(Argument::Text(text)) => Ok(Some(text)),
            Some(Argument::None) => Err(error!(SYNTAX_ERROR, "{name} requires a parameter")),
            Some(Argument::Columns(_)) => {
                Err(error!(INVALID_PARAMETER_VALUE, "argument to option \"{name}\" must be a text"))
            }
        }
    }

    fn byte(&self, name: &str, default: u8) -> Result<u8> {
        match self.text(name)?.map(str::as_bytes) {
            None => Ok(default),
            Some([byte]) => Ok(*byte),
            Some(_) => Err(error!(
                FEATURE_NOT_SUPPORTED,
                "COPY {name} must be a single one-byte character"
            )),
        }
    }

    fn flag(&self, name: &str) -> Result<bool> {
        let Some(Argument::Text(text)) = self.get(name) else {
            return Ok(self.get(name).is_some());
        };
        match text.to_lowercase().as_str() {
            "true" | "on" | "1" => Ok(true),
            "false" | "off" | "0" => Ok(false),
            _ => Err(error!(SYNTAX_ERROR, "{name} requires a Boolean value")),
        }
    }

    fn header(&self, direction: Direction) -> Result<Header> {
        match self.get("header") {
            Some(Argument::Text(text)) if text.eq_ignore_ascii_case("match") => match direction {
                Direction::From => Ok(Header::Match),
                Direction::To => {
                    let text = "cannot use \"match\" with HEADER in COPY TO";
                    Err(SqlError::new(code::FEATURE_NOT_SUPPORTED, text))
                }
            },
            _ => match self.flag("header") {
                Ok(true) => Ok(Header::Present),
                Ok(false) => Ok(Header::Absent),
                Err(error) => Err(SqlError::new(error.code, error.message + " or \"match\"")),
            },
        }
    }

    fn columns(&self, name: &str) -> Result<Columns> {
        match self.get(name) {
            None => Ok(Columns::Named(Vec::new())),
            // Only FORCE_QUOTE may be for all columns.
            Some(Argument::Columns(columns))
                if name == "force_quote" || *columns != Columns::All =>
            {
                Ok(columns.clone())
            }
            Some(_) => Err(error!(
                INVALID_PARAMETER_VALUE,
                "argument to option \"{name}\" must be a list of column names"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(direction: Direction, given: &[(&str, &str)]) -> String {
        let argument = |text: &str| match text.split_once('*') {
            Some(("", "")) => Argument::Columns(Columns::All),
            _ => Argument::Text(text.to_owned()),
        };
        let given: Vec<_> =
            given.iter().map(|(name, text)| (name.to_string(), argument(text))).collect();
        let error = Options::new(&given, direction).expect_err("refused");
        format!("{}: {}", error.code, error.message)
    }

    #[test]
    fn options_that_do_not_go_together_are_refused_as_by_postgresql() {
        use Direction::{From, To};
        let csv = ("format", "csv");
        for (direction, given, expected) in [
            (To, &[("format", "xml")][..], "22023: COPY format \"xml\" not recognized"),
            (To, &[csv, csv], "42601: conflicting or redundant options"),
            (To, &[("foo", "1")], "42601: option \"foo\" not recognized"),
            (
                To,
                &[("delimiter", "ab")],
                "0A000: COPY delimiter must be a single one-byte character",
            ),
            (To, &[("delimiter", "a")], "22023: COPY delimiter cannot be \"a\""),
            (To, &[("quote", "'")], "0A000: COPY quote available only in CSV mode"),
            (
                From,
                &[csv, ("force_quote", "*")],
                "0A000: COPY force quote only available using COPY TO",
            ),
            (To, &[csv, ("quote", ",")], "22023: COPY delimiter and quote must be different"),
            (
                From,
                &[csv, ("null", ",")],
                "0A000: COPY delimiter must not appear in the NULL specification",
            ),
            (From, &[("header", "x")], "42601: header requires a Boolean value or \"match\""),
            (To, &[("header", "match")], "0A000: cannot use \"match\" with HEADER in COPY TO"),
        ] {
            assert_eq!(refusal(direction, given), expected);
        }
    }
}
