//! Errors and notices as psql prints them.
//!
//! ```text
//! ERROR:  column "nmae" does not exist
//! LINE 2:   nmae
//!           ^
//! HINT:  Perhaps you meant to reference the column "t.name".
//! ```
//!
//! A line that is wider than 60 columns is cut on one side or both, so that the place stays.
//!
//! PostgreSQL's `pqBuildErrorMessage3` and `reportErrorPosition` (`libpq/fe-protocol3.c`).

use std::fmt::Write;
use unicode_width::UnicodeWidthChar;

/// Columns of the statement that are shown.
const SHOWN: usize = 60;
/// Of them, columns that follow the place if there are more.
const AFTER_PLACE: usize = 10;

/// What a server reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// `ERROR`, `NOTICE` and so on.
    pub severity: String,
    /// What is wrong.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to try.
    pub hint: Option<String>,
    /// The functions and commands around it.
    pub context: Option<String>,
    /// The character of the statement that it is about, from 1 on.
    pub position: Option<usize>,
}

impl Report {
    /// The fields of an error or a notice; malformed ones are left out.
    pub fn decode(body: &[u8]) -> Report {
        let mut report = Report::default();
        for field in body.split(|byte| *byte == 0) {
            let Some((key, text)) = field.split_first() else { break };
            let text = String::from_utf8_lossy(text).into_owned();
            match key {
                b'S' => report.severity = text,
                b'M' => report.message = text,
                b'D' => report.detail = Some(text),
                b'H' => report.hint = Some(text),
                b'W' => report.context = Some(text),
                b'P' => report.position = text.parse().ok(),
                _ => {}
            }
        }
        report
    }

    /// Returns true if the statement has failed.
    pub fn is_error(&self) -> bool {
        ["ERROR", "FATAL", "PANIC"].contains(&self.severity.as_str())
    }

    /// The lines about a statement.
    pub fn text(&self, sql: &str) -> String {
        let mut text = format!("{}:  {}\n", self.severity, self.message);
        if let Some(position) = self.position.and_then(|it| it.checked_sub(1)) {
            text += &place(sql, position).unwrap_or_default();
        }
        let context = self.context.as_ref().filter(|_| self.is_error());
        for (name, field) in
            [("DETAIL", self.detail.as_ref()), ("HINT", self.hint.as_ref()), ("CONTEXT", context)]
        {
            if let Some(field) = field {
                let _ = writeln!(text, "{name}:  {field}");
            }
        }
        text
    }
}

/// The line of a character, and a caret below it; `None` if the statement is shorter.
fn place(sql: &str, position: usize) -> Option<String> {
    let sql = sql.chars().map(|it| if it == '\t' { ' ' } else { it }).collect::<Vec<_>>();
    if position > sql.len() {
        return None;
    }
    let before = sql[..position].iter().rposition(|it| *it == '\n').map_or(0, |at| at + 1);
    let after = sql[position..].iter().position(|it| *it == '\n');
    let number = 1 + sql[..before].iter().filter(|it| **it == '\n').count();
    let line = &sql[before..after.map_or(sql.len(), |at| position + at)];
    let place = position - before;

    let (mut start, mut end) = (0, line.len());
    if width(line) > SHOWN {
        if width(&line[..place]) + AFTER_PLACE <= SHOWN {
            while width(&line[..end]) > SHOWN {
                end -= 1;
            }
        } else {
            while width(&line[place..end]) > AFTER_PLACE {
                end -= 1;
            }
            while width(&line[start..end]) > SHOWN {
                start += 1;
            }
        }
    }
    let dots = |is_cut| if is_cut { "..." } else { "" };
    let shown = line[start..end].iter().collect::<String>();
    let head = format!("LINE {number}: {}", dots(start > 0));
    let blanks = head.len() + width(&line[start..place]);
    Some(format!("{head}{shown}{}\n{:blanks$}^\n", dots(end < line.len()), ""))
}

/// The columns that characters take on the screen.
fn width(characters: &[char]) -> usize {
    characters.iter().map(|it| it.width().unwrap_or(1).max(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_is_below_its_character() {
        let body = b"SERROR\0VERROR\0C42703\0Mno \"b\"\0P9\0Hb?\0\0";
        let expected = "ERROR:  no \"b\"\nLINE 2:  b\n         ^\nHINT:  b?\n";
        assert_eq!(Report::decode(body).text("select\n\tb"), expected);
        assert_eq!(
            place("select 日 x", 9).expect("inside"),
            "LINE 1: select 日 x\n                  ^\n"
        );
        assert_eq!(place("select", 6).expect("the end"), "LINE 1: select\n              ^\n");
        assert_eq!(place("select", 7), None);
    }

    #[test]
    fn a_long_line_is_cut_around_its_character() {
        let line = "0123456789".repeat(10);
        let shown = |position| place(&line, position).expect("inside");
        let tens = |count| "0123456789".repeat(count);
        assert_eq!(shown(5), format!("LINE 1: {}...\n             ^\n", tens(6)));
        let blanks = " ".repeat(8 + 3 + 50);
        assert_eq!(shown(60), format!("LINE 1: ...{}...\n{blanks}^\n", tens(6)));
        assert_eq!(shown(95), format!("LINE 1: ...{}\n{}^\n", tens(6), " ".repeat(8 + 3 + 55)));
    }
}
