//! COPY TO: from values to lines.

use crate::Options;
use crate::options::Header;
use minibtree_types::error::Result;

/// Writes rows as lines.
pub struct Encoder {
    options: Options,
    names: Vec<String>,
    /// The columns whose values are always quoted.
    forced: Vec<bool>,
}

impl Encoder {
    /// An encoder for rows of these columns.
    ///
    /// # Errors
    /// `42703` if `FORCE_QUOTE` names another column.
    pub fn new(options: Options, names: &[&str]) -> Result<Encoder> {
        let forced = options.force_quote.of(names)?;
        let names = names.iter().map(|it| it.to_string()).collect();
        Ok(Encoder { options, names, forced })
    }

    /// The line with the names of the columns, if there is one. It is never quoted without need.
    pub fn header(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for (index, name) in self.names.iter().enumerate() {
            self.separate(index, &mut out);
            self.value(name.as_bytes(), false, &mut out);
        }
        out.push(b'\n');
        (self.options.header == Header::Present).then_some(out)
    }

    /// Appends a row; `None` is NULL.
    pub fn row<'a>(&self, values: impl IntoIterator<Item = Option<&'a [u8]>>, out: &mut Vec<u8>) {
        values.into_iter().enumerate().for_each(|(index, value)| self.field(index, value, out));
        out.push(b'\n');
    }

    /// Appends one value of a row, which a line end has to follow after the last.
    pub fn field(&self, index: usize, value: Option<&[u8]>, out: &mut Vec<u8>) {
        self.separate(index, out);
        match value {
            Some(value) => self.value(value, self.forced[index], out),
            None => out.extend_from_slice(self.options.null.as_bytes()),
        }
    }

    fn separate(&self, index: usize, out: &mut Vec<u8>) {
        out.extend((index > 0).then_some(self.options.delimiter));
    }

    fn value(&self, value: &[u8], is_forced: bool, out: &mut Vec<u8>) {
        if !self.options.is_csv {
            return self.escape(value, out);
        }

        // What looks like NULL or like the end of the data must be told from it.
        let Options { delimiter, quote, escape, null, .. } = &self.options;
        let is_special = |byte: &u8| [*delimiter, *quote, b'\n', b'\r'].contains(byte);
        let is_quoted = is_forced
            || value == null.as_bytes()
            || (self.names.len() == 1 && value == b"\\.")
            || value.iter().any(is_special);
        if !is_quoted {
            return out.extend_from_slice(value);
        }
        out.push(*quote);
        for byte in value {
            out.extend((byte == quote || byte == escape).then_some(*escape));
            out.push(*byte);
        }
        out.push(*quote);
    }

    /// A value as text: a backslash before what would end it.
    fn escape(&self, value: &[u8], out: &mut Vec<u8>) {
        for byte in value {
            let letter = match byte {
                0x08 => b'b',
                0x0c => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x0b => b'v',
                byte if *byte == b'\\' || *byte == self.options.delimiter => *byte,
                byte => {
                    out.push(*byte);
                    continue;
                }
            };
            out.extend_from_slice(&[b'\\', letter]);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Argument, Columns, Direction, Encoder, Options};

    fn encoded(given: &[(&str, Argument)], names: &[&str], row: &[Option<&[u8]>]) -> String {
        let given: Vec<_> = given.iter().map(|(name, it)| (name.to_string(), it.clone())).collect();
        let options = Options::new(&given, Direction::To).expect("valid");
        let encoder = Encoder::new(options, names).expect("columns");
        let mut out = encoder.header().unwrap_or_default();
        encoder.row(row.iter().copied(), &mut out);
        String::from_utf8(out).expect("text")
    }

    fn text(text: &str) -> Argument {
        Argument::Text(text.to_owned())
    }

    #[test]
    fn control_characters_and_delimiters_are_escaped() {
        // Asked of PostgreSQL 15.
        let row = [Some(&b"a\tb\\c\nd\x01"[..]), None, Some(b"")];
        assert_eq!(encoded(&[], &["a", "b", "c"], &row), "a\\tb\\\\c\\nd\x01\t\\N\t\n");
        let row = [Some(&b"a|b"[..])];
        assert_eq!(encoded(&[("delimiter", text("|"))], &["a"], &row), "a\\|b\n");
    }

    #[test]
    fn csv_quotes_what_would_be_read_as_something_else() {
        let csv = ("format", text("csv"));
        let row = [Some(&b""[..]), None, Some(b"a\"b"), Some(b"c,d"), Some(b"\\.")];
        let names = ["a", "b", "c", "d", "e"];
        assert_eq!(
            encoded(std::slice::from_ref(&csv), &names, &row),
            "\"\",,\"a\"\"b\",\"c,d\",\\.\n"
        );
        assert_eq!(encoded(std::slice::from_ref(&csv), &["a"], &[Some(b"\\.")]), "\"\\.\"\n");

        let forced = ("force_quote", Argument::Columns(Columns::All));
        let options = [csv, forced, ("header", Argument::None), ("escape", text("\\"))];
        let row = [Some(&b"x\\\""[..]), None];
        assert_eq!(encoded(&options, &["a", "b,c"], &row), "a,\"b,c\"\n\"x\\\\\\\"\",\n");
    }
}
