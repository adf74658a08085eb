//! Errors of the configuration: the location, and what to write instead.
//!
//! ```text
//! gateway.toml:14:11: no limit "per_clint"; did you mean "per_client"?
//! gateway.toml:3:8: "10 per second" is not a rate; write it as "10/s", "100/m" or "5/10s"
//! ```

use std::fmt;
use std::ops::Range;

/// The first error of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfError {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The problem, and a hint.
    pub message: String,
}

impl ConfError {
    /// Creates an error about the bytes `span` of `text`.
    pub fn at(text: &str, span: Range<usize>, message: impl Into<String>) -> ConfError {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |it| it + 1);
        ConfError {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Formats `no limit "per_clint"; did you mean "per_client"?`.
pub fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known = known.collect::<Vec<_>>();
    let near_enough = 1 + name.chars().count() / 3;
    let distance = |it: &str| strsim::levenshtein(&name.to_lowercase(), &it.to_lowercase());
    let near = known.iter().map(|it| (distance(it), *it)).min();
    match near.filter(|(distance, _)| *distance <= near_enough) {
        Some((_, near)) => format!("no {kind} \"{name}\"; did you mean \"{near}\"?"),
        None if known.is_empty() => format!("no {kind} \"{name}\"; there are none"),
        None => format!("no {kind} \"{name}\"; there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_line_and_a_column_in_characters() {
        let text = "a = 1\nü = \"b\"\n";
        let error = ConfError::at(text, 11..14, "wrong");
        assert_eq!(error.to_string(), "2:5: wrong");
        assert_eq!(ConfError::at(text, 0..1, "wrong").to_string(), "1:1: wrong");
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        let unknown = |name, known: &[&str]| unknown("limit", name, known.iter().copied());
        let near = "no limit \"per_clint\"; did you mean \"per_client\"?";
        assert_eq!(unknown("per_clint", &["all", "per_client"]), near);
        assert_eq!(unknown("x", &["all", "each"]), "no limit \"x\"; there are all, each");
        assert_eq!(unknown("x", &[]), "no limit \"x\"; there are none");
    }
}
