//! LIKE: `%` is any text, `_` one character, the escape takes the next character as it is.
//!
//! ```text
//! 'abc' LIKE 'a%c'   t        'a%c' LIKE 'a\%c'   t        'abc' LIKE 'A%'   f, ILIKE t
//! ```
//!
//! On a mismatch only the last `%` takes one character more, never an earlier one: if the text
//! between two of them matched once, matching it later cannot help. So the time is at most the
//! product of the lengths. PostgreSQL's `like_match.c` recurses.

use minibtree_types::error;
use minibtree_types::error::Result;

enum Part {
    Any,
    One,
    Exactly(char),
    /// The escape character at the end of the pattern.
    Incomplete,
}

/// Returns true if the text matches.
///
/// # Errors
/// `22025` if the pattern ends in the escape character, and the text does not end before it.
pub fn is_like(text: &str, pattern: &str, escape: Option<char>, ignore_case: bool) -> Result<bool> {
    let fold = |text: &str| if ignore_case { text.to_ascii_lowercase() } else { text.to_owned() };
    let text: Vec<char> = fold(text).chars().collect();
    let pattern = parts(&fold(pattern), escape);

    let (mut at, mut part) = (0, 0);
    let mut retry = None;
    while at < text.len() {
        match pattern.get(part) {
            Some(Part::Any) => {
                retry = Some((at, part + 1));
                part += 1;
                continue;
            }
            Some(Part::Incomplete) => {
                let text = "LIKE pattern must not end with escape character";
                return Err(error!(INVALID_ESCAPE_SEQUENCE, "{text}"));
            }
            Some(Part::One) => (at, part) = (at + 1, part + 1),
            Some(Part::Exactly(wanted)) if *wanted == text[at] => (at, part) = (at + 1, part + 1),
            _ => {
                let Some((tried, after)) = retry else { return Ok(false) };
                retry = Some((tried + 1, after));
                (at, part) = (tried + 1, after);
            }
        }
    }
    Ok(pattern[part..].iter().all(|part| matches!(part, Part::Any)))
}

fn parts(pattern: &str, escape: Option<char>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        parts.push(match character {
            it if Some(it) == escape => characters.next().map_or(Part::Incomplete, Part::Exactly),
            '%' => Part::Any,
            '_' => Part::One,
            other => Part::Exactly(other),
        });
    }
    parts
}

/// A pattern with another escape character as one whose escape is the backslash. Without one, each
/// backslash stands for itself. PostgreSQL's `like_escape`.
///
/// # Errors
/// `22025` if it is more than one character.
pub fn with_backslash(pattern: &str, escape: &str) -> Result<String> {
    let mut characters = escape.chars();
    let escape = characters.next();
    if characters.next().is_some() {
        let hint = "Escape string must be empty or one character.";
        return Err(error!(INVALID_ESCAPE_SEQUENCE, "invalid escape string").hint(hint));
    }
    if escape == Some('\\') {
        return Ok(pattern.to_owned());
    }
    let (mut escaped, mut is_after) = (String::new(), false);
    for character in pattern.chars() {
        if Some(character) == escape && !is_after {
            escaped.push('\\');
            is_after = true;
            continue;
        }
        if character == '\\' && !is_after {
            escaped.push('\\');
        }
        escaped.push(character);
        is_after = false;
    }
    Ok(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match() {
        for (text, pattern, wanted) in [
            ("abc", "abc", true),
            ("abc", "a_c", true),
            ("abc", "%", true),
            ("", "%", true),
            ("", "_", false),
            ("abcbc", "a%bc", true),
            ("abcbd", "a%bc", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("aXbXc", "%X%X%", true),
            ("é", "_", true),
        ] {
            assert_eq!(is_like(text, pattern, Some('\\'), false), Ok(wanted), "{text} {pattern}");
        }
        assert_eq!(with_backslash("a#%\\", "#"), Ok("a\\%\\\\".to_owned()));
        assert_eq!(with_backslash("a\\%", ""), Ok("a\\\\%".to_owned()));
        assert_eq!(is_like("ab", "a\\", Some('\\'), false).expect_err("no end").code, "22025");
        assert_eq!(is_like("a", "a\\", Some('\\'), false), Ok(false));
        assert_eq!(is_like("ABC", "a%", None, true), Ok(true));
    }
}
