//! Splits a line of `redis.conf`, or an inline command, into words, and quotes words.
//!
//! ```text
//! save 900 1            ->  [save] [900] [1]
//! dir "/srv/a b\x41"    ->  [dir] [/srv/a bA]
//! dir '/srv/it\'s'      ->  [dir] [/srv/it's]
//! dir "/srv"x           ->  refused: a closing quote must end the word
//! ```
//!
//! In double quotes a backslash starts `\n \r \t \b \a` or `\xHH`; before any other byte it stands
//! for that byte. In single quotes it only escapes a single quote. Counterparts in Redis:
//! `sdssplitargs` and `sdscatrepr` in `sds.c`.

/// Splits a line, which ends at a zero byte if it has one. Returns `None` if quotes are not
/// balanced. Linear time.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = without_spaces(line.split(|byte| *byte == 0).next().unwrap_or_default());
    while !rest.is_empty() {
        let (word, after) = first_word(rest)?;
        words.push(word);
        rest = without_spaces(after);
    }
    Some(words)
}

/// Returns the line without leading spaces.
fn without_spaces(line: &[u8]) -> &[u8] {
    let spaces = line.iter().take_while(|byte| is_space(**byte)).count();
    &line[spaces..]
}

/// Returns true for the spaces of C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

/// Returns the word at the start of `rest`, and the rest after it. A word may begin unquoted and
/// end quoted.
fn first_word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b' ' | b'\n' | b'\r' | b'\t' => break,
            b'"' => return double_quoted(word, after),
            b'\'' => return single_quoted(word, after),
            _ => {
                word.push(*byte);
                after
            }
        };
    }
    Some((word, rest))
}

fn double_quoted(mut word: Vec<u8>, mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    loop {
        rest = match rest {
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or_default() as u8;
                word.push(digit(high) << 4 | digit(low));
                after
            }
            [b'\\', escaped, after @ ..] => {
                word.push(unescaped(*escaped));
                after
            }
            [b'"', after @ ..] => return ends_here(after).then_some((word, after)),
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return None,
        }
    }
}

fn single_quoted(mut word: Vec<u8>, mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    loop {
        rest = match rest {
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                after
            }
            [b'\'', after @ ..] => return ends_here(after).then_some((word, after)),
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
            [] => return None,
        }
    }
}

/// Returns true if a closing quote may be followed by `after`.
fn ends_here(after: &[u8]) -> bool {
    after.first().is_none_or(|byte| is_space(*byte))
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

/// Returns `word` in double quotes, as [`split`] reads it.
pub fn quoted(word: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in word {
        match byte {
            b'\\' | b'"' => text.extend([b'\\', *byte]),
            b'\n' => text.extend(b"\\n"),
            b'\r' => text.extend(b"\\r"),
            b'\t' => text.extend(b"\\t"),
            8 => text.extend(b"\\b"),
            7 => text.extend(b"\\a"),
            b' '..=b'~' => text.push(*byte),
            _ => text.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    text.push(b'"');
    text
}

/// Joins words with a space.
pub fn join<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut text = Vec::new();
    for (index, word) in words.into_iter().enumerate() {
        if index > 0 {
            text.push(b' ');
        }
        text.extend_from_slice(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split(line.as_bytes())?;
        Some(words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect())
    }

    #[test]
    fn lines_split_at_spaces_outside_quotes() {
        let rows: [(&str, &[&str]); 9] = [
            ("", &[]),
            ("  \t ", &[]),
            ("save 900  1\t", &["save", "900", "1"]),
            (r#"a "" ''"#, &["a", "", ""]),
            (r#""b c" 'd e'"#, &["b c", "d e"]),
            (r#"pre"fix" x"#, &["prefix", "x"]),
            (r#""\x41\n\t\q\"" '\n\''"#, &["A\n\tq\"", "\\n'"]),
            (r#""\xzz""#, &["xzz"]),
            (r"back\slash", &[r"back\slash"]),
        ];
        for (line, expected) in rows {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [r#"a "b"#, "a 'b", r#""a"b"#, "'a'b", r#""a\"#, r#""a\""#, "'a\\'"] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    #[test]
    fn quoting_is_undone_by_splitting() {
        let every_byte: Vec<u8> = (0..=255).collect();
        assert_eq!(split(&quoted(&every_byte)), Some(vec![every_byte]));
        assert_eq!(split(b"a\x0b \x0b b\0 c"), Some(vec![b"a\x0b".to_vec(), b"b".to_vec()]));
        assert_eq!(quoted(b"a\"\\\n\x01"), b"\"a\\\"\\\\\\n\\x01\"");
    }
}
