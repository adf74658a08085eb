//! Rows as psql prints them: its format `aligned` with `border 1`.
//!
//! ```text
//!  id | name          a name is centered
//! ----+-------
//!   1 | ab            numbers are at the right
//!   2 | c    +        a line break in a value
//!     | d
//! (2 rows)
//! ```
//!
//! PostgreSQL's `print_aligned_text` (`fe_utils/print.c`) and `pg_wcsformat` (`mbprint.c`). Widths
//! are those of the crate `unicode-width`, whose Unicode is newer than that of PostgreSQL 15.

use std::fmt::Write;
use unicode_width::UnicodeWidthChar;

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Numbers are at the right.
    pub is_number: bool,
}

/// A line of a value, and its width on the screen.
type Line = (String, usize);

/// The table of rows; `None` is NULL, which is shown as nothing.
pub fn table(columns: &[Column], rows: &[Vec<Option<String>>]) -> String {
    let header = columns.iter().map(|it| lines(&it.name)).collect::<Vec<_>>();
    let cells = |row: &Vec<Option<String>>| {
        row.iter().map(|it| lines(it.as_deref().unwrap_or(""))).collect::<Vec<_>>()
    };
    let rows = rows.iter().map(cells).collect::<Vec<_>>();
    let widest = |at: usize| {
        let values = rows.iter().filter_map(|row| row.get(at)).chain(&header[at..=at]);
        values.flatten().map(|it| it.1).max().unwrap_or(0)
    };
    let widths = (0..columns.len()).map(widest).collect::<Vec<_>>();

    let mut out = String::new();
    match columns.is_empty() {
        // Of a query without columns, only the number of rows is shown.
        true => out.push_str("--\n"),
        false => {
            print_header(&header, &widths, &mut out);
            let rule = widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>();
            out += &(rule.join("+") + "\n");
            rows.iter().for_each(|row| print_row(columns, row, &widths, &mut out));
        }
    }
    let plural = if rows.len() == 1 { "" } else { "s" };
    let _ = writeln!(out, "({} row{plural})\n", rows.len());
    out
}

/// The names, each centered, as many lines as the highest has.
fn print_header(header: &[Vec<Line>], widths: &[usize], out: &mut String) {
    let height = header.iter().map(Vec::len).max().unwrap_or(1);
    for line in 0..height {
        for (at, (name, width)) in header.iter().zip(widths).enumerate() {
            let (text, used) = name.get(line).map_or(("", 0), |it| (it.0.as_str(), it.1));
            let left = if line < name.len() { (width - used) / 2 } else { 0 };
            let right = width - used - left;
            let more = if line + 1 < name.len() { '+' } else { ' ' };
            let _ = write!(out, " {:left$}{text}{:right$}{more}", "", "");
            out.push_str(if at + 1 < header.len() { "|" } else { "" });
        }
        out.push('\n');
    }
}

/// A row, as many lines as its highest value has.
fn print_row(columns: &[Column], row: &[Vec<Line>], widths: &[usize], out: &mut String) {
    let height = row.iter().map(Vec::len).max().unwrap_or(1);
    for line in 0..height {
        for (at, (value, width)) in row.iter().zip(widths).enumerate() {
            let (text, used) = value.get(line).map_or(("", 0), |it| (it.0.as_str(), it.1));
            let (is_last, has_more) = (at + 1 == row.len(), line + 1 < value.len());
            let blanks = " ".repeat(width - used);
            out.push(' ');
            match columns[at].is_number {
                // Nothing is padded at the end of a line.
                true if is_last && line >= value.len() => {}
                true => out.extend([&blanks, text]),
                false if is_last && !has_more => out.push_str(text),
                false => out.extend([text, &blanks]),
            }
            match (has_more, is_last) {
                (true, true) => out.push('+'),
                (true, false) => out.push_str("+|"),
                (false, true) => {}
                (false, false) => out.push_str(" |"),
            }
        }
        out.push('\n');
    }
}

/// The lines of a value as they are shown, with their widths.
fn lines(value: &str) -> Vec<Line> {
    value.split('\n').map(shown).collect()
}

/// A line with its control characters spelled out, and tabs up to every eighth column.
fn shown(line: &str) -> Line {
    let (mut out, mut width) = (String::new(), 0);
    for character in line.chars() {
        let start = out.len();
        match character {
            '\t' => out.push_str(&" ".repeat(8 - width % 8)),
            '\r' => out.push_str("\\r"),
            '\0'..' ' | '\x7f' => drop(write!(out, "\\x{:02X}", u32::from(character))),
            '\u{80}'..'\u{a0}' => drop(write!(out, "\\u{:04X}", u32::from(character))),
            other => {
                out.push(other);
                width += other.width().unwrap_or(0);
                continue;
            }
        }
        width += out.len() - start;
    }
    (out, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_table(columns: &[(&str, bool)], rows: &[&[Option<&str>]]) -> String {
        let columns = columns
            .iter()
            .map(|(name, is_number)| Column { name: (*name).to_owned(), is_number: *is_number });
        let rows = rows.iter().map(|row| row.iter().map(|it| it.map(str::to_owned)).collect());
        table(&columns.collect::<Vec<_>>(), &rows.collect::<Vec<_>>())
    }

    #[test]
    fn numbers_are_at_the_right_and_names_in_the_middle() {
        let rows: &[&[Option<&str>]] = &[&[Some("1"), Some("ab")], &[Some("200"), None]];
        let expected = "  i  | name \n-----+------\n   1 | ab\n 200 | \n(2 rows)\n\n";
        assert_eq!(shown_table(&[("i", true), ("name", false)], rows), expected);
        assert_eq!(shown_table(&[("x", false)], &[&[Some("y")]]), " x \n---\n y\n(1 row)\n\n");
        assert_eq!(shown_table(&[], &[&[], &[]]), "--\n(2 rows)\n\n");
    }

    #[test]
    fn values_and_names_of_several_lines() {
        let rows: &[&[Option<&str>]] = &[&[Some("c\nde"), Some("f\n\ng")]];
        let expected = " a  | long+\n    |  b   \n----+------\n c +| f   +\n de |     +\n    | g\n\
                        (1 row)\n\n";
        assert_eq!(shown_table(&[("a", false), ("long\nb", false)], rows), expected);
    }

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        assert_eq!(shown("a\tb\r\x01"), ("a       b\\r\\x01".to_owned(), 15));
        assert_eq!(shown("日本é"), ("日本é".to_owned(), 5));
    }
}
