//! Glob patterns: `KEYS`, `SCAN MATCH`, `PSUBSCRIBE`, `CONFIG GET`.
//!
//! ```text
//! *         any bytes          [abc] [a-z]   one of these        \x   exactly x
//! ?         one byte           [^a-z]        any other than these
//!
//! h*llo     against "hello, hallo"           matches() walks:
//! h         h                                h = h
//! *         remember the star, and the text position 1
//! llo       "ell" does not match: back to the star, which takes one more byte. "llo" matches,
//!           but text is left: back again … until the last "llo" ends with the text
//! ```
//!
//! **Bounded work.** Only the last star is ever tried again. An earlier star need not take more
//! bytes, because that would only leave less text for the later star. So a pattern of p bytes and a
//! text of t bytes take at most p × t steps. The usual recursion takes exponential time for
//! patterns such as `a*a*a*a*b`; Redis has the same bound since 6.2.13, with a flag that stops the
//! outer stars.
//!
//! Details as in Redis: an unclosed class ends with the pattern, a range may be written backwards,
//! bytes above 127 are negative in ranges, and only the empty pattern matches the empty text.
//! Counterpart in Redis: `stringmatchlen` in `util.c`.

/// Returns true if `pattern` matches all of `text`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    Glob { pattern, any_case: false }.matches(text)
}

/// Returns true if `pattern` matches all of `text`, ignoring the case of ASCII letters.
pub fn matches_any_case(pattern: &[u8], text: &[u8]) -> bool {
    Glob { pattern, any_case: true }.matches(text)
}

struct Glob<'a> {
    pattern: &'a [u8],
    any_case: bool,
}

impl Glob<'_> {
    fn matches(&self, text: &[u8]) -> bool {
        if text.is_empty() {
            return self.pattern.is_empty();
        }
        let (mut at, mut taken) = (0, 0);

        // Where to continue after a mismatch: after the last star, one byte further in the text.
        let mut retry: Option<(usize, usize)> = None;
        while taken < text.len() {
            if self.pattern.get(at) == Some(&b'*') {
                at += 1;
                retry = Some((at, taken));
            } else if let Some(next) = self.step(at, text[taken]) {
                at = next;
                taken += 1;
            } else if let Some((after_star, from)) = retry {
                at = after_star;
                taken = from + 1;
                retry = Some((after_star, taken));
            } else {
                return false;
            }
        }

        // The text is consumed, and only stars match the empty rest.
        self.pattern[at..].iter().all(|byte| *byte == b'*')
    }

    /// Returns the offset after the pattern's element at `at`, if the element matches `byte`.
    fn step(&self, at: usize, byte: u8) -> Option<usize> {
        let accepted = |accepts: bool, next| accepts.then_some(next);
        match self.pattern.get(at)? {
            b'?' => Some(at + 1),
            b'[' => {
                let (accepts, next) = self.class(at + 1, byte);
                accepted(accepts, next)
            }
            b'\\' if at + 1 < self.pattern.len() => {
                accepted(self.same(self.pattern[at + 1], byte), at + 2)
            }
            literal => accepted(self.same(*literal, byte), at + 1),
        }
    }

    /// Matches `byte` against the class that starts at `at`, after its bracket. Returns true if it
    /// is in the class, and the offset after the class.
    fn class(&self, mut at: usize, byte: u8) -> (bool, usize) {
        let negated = self.pattern.get(at) == Some(&b'^');
        at += usize::from(negated);
        let mut found = false;
        loop {
            match self.pattern.get(at..).unwrap_or_default() {
                [] => return (found != negated, self.pattern.len()),
                [b'\\', escaped, ..] => {
                    found |= *escaped == byte;
                    at += 2;
                }
                [b']', ..] => return (found != negated, at + 1),
                [first, b'-', last, ..] => {
                    found |= self.between(*first, *last, byte);
                    at += 3;
                }
                [single, ..] => {
                    found |= self.same(*single, byte);
                    at += 1;
                }
            }
        }
    }

    /// Ranges compare bytes as signed numbers, because `char` is signed in Redis.
    fn between(&self, first: u8, last: u8, byte: u8) -> bool {
        let (mut least, mut most) = (first as i8, last as i8);
        if least > most {
            (least, most) = (most, least);
        }
        let folded = |byte: i8| match self.any_case {
            true => (byte as u8).to_ascii_lowercase() as i8,
            false => byte,
        };
        (folded(least)..=folded(most)).contains(&folded(byte as i8))
    }

    fn same(&self, one: u8, other: u8) -> bool {
        if self.any_case { one.eq_ignore_ascii_case(&other) } else { one == other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_texts() {
        let rows: [(&[u8], &[u8], bool); 50] = [
            (b"", b"", true),
            (b"", b"a", false),
            (b"a", b"", false),
            (b"*", b"", false),
            (b"**", b"", false),
            (b"*", b"anything", true),
            (b"h?llo", b"hello", true),
            (b"h?llo", b"hllo", false),
            (b"h*llo", b"hllo", true),
            (b"h*llo", b"hello, hallo", true),
            (b"h*llo", b"hello, halo", false),
            (b"h*", b"h", true),
            (b"h**", b"h", true),
            (b"*h", b"h", true),
            (b"?", b"", false),
            (b"*?", b"a", true),
            (b"*??", b"a", false),
            (b"a*b*c", b"aXbYbZc", true),
            (b"a*b*c", b"aXbYbZcd", false),
            (b"h[ae]llo", b"hallo", true),
            (b"h[ae]llo", b"hillo", false),
            (b"h[^e]llo", b"hallo", true),
            (b"h[^e]llo", b"hello", false),
            (b"h[a-c]llo", b"hbllo", true),
            (b"h[c-a]llo", b"hbllo", true),
            (b"h[a-c]llo", b"hdllo", false),
            (b"[]a", b"a", false),
            (b"[^]a", b"xa", true),
            (b"[", b"[", false),
            (b"[^", b"x", true),
            (b"[a", b"a", true),
            (b"[a", b"b", false),
            (b"[a-", b"-", true),
            (b"[a-]", b"]", true),
            (b"[a-]", b"^", true),
            (b"[\\]]", b"]", true),
            (b"[\\", b"\\", true),
            (b"[a\\-z]", b"-", true),
            (b"[a\\-z]", b"b", false),
            (b"\\*", b"*", true),
            (b"\\*", b"a", false),
            (b"\\", b"\\", true),
            (b"a\\", b"a\\", true),
            (b"*[0-9]*", b"key7x", true),
            (b"*[0-9]*", b"key", false),
            (b"[\x80-\xff]", b"\xc0", true),
            (b"[a-\xff]", b"b", false),
            (b"[a-\xff]", b"A", true),
            (b"A", b"a", false),
            (b"*\\**", b"a*b", true),
        ];
        for (pattern, text, expected) in rows {
            let shown = (pattern.escape_ascii().to_string(), text.escape_ascii().to_string());
            assert_eq!(matches(pattern, text), expected, "{shown:?}");
        }
    }

    #[test]
    fn any_case_reaches_into_ranges_but_not_behind_a_backslash() {
        assert!(matches_any_case(b"MAX*", b"maxmemory"));
        assert!(matches_any_case(b"[A-C]x", b"bX"));
        assert!(matches_any_case(b"[M]", b"m"));
        assert!(matches_any_case(b"\\M", b"m"));
        assert!(!matches_any_case(b"[\\M]", b"m"));
    }

    /// Compares with the recursive textbook definition, on every short pattern over a small
    /// alphabet.
    #[test]
    fn agrees_with_plain_recursion() {
        fn plain(pattern: &[u8], text: &[u8]) -> bool {
            match pattern {
                [] => text.is_empty(),
                [b'*', rest @ ..] => (0..=text.len()).any(|skip| plain(rest, &text[skip..])),
                [b'?', rest @ ..] => !text.is_empty() && plain(rest, &text[1..]),
                [byte, rest @ ..] => text.first() == Some(byte) && plain(rest, &text[1..]),
            }
        }
        fn all_over(letters: &[u8], length: u32) -> Vec<Vec<u8>> {
            let base = letters.len();
            let word = |number: usize| {
                (0..length).map(|place| letters[number / base.pow(place) % base]).collect()
            };
            (0..base.pow(length)).map(word).collect()
        }
        for pattern in (1..=5).flat_map(|length| all_over(b"ab*?", length)) {
            for text in (1..=5).flat_map(|length| all_over(b"ab", length)) {
                let expected = plain(&pattern, &text);
                assert_eq!(matches(&pattern, &text), expected, "{pattern:?} {text:?}");
            }
        }
    }

    /// Plain recursion would practically never finish.
    #[test]
    fn hostile_patterns_end() {
        let text = vec![b'a'; 20_000];
        let pattern = [b"a*".repeat(40), b"b".to_vec()].concat();
        assert!(!matches(&pattern, &text));
        assert!(!matches(&[b"*a".repeat(40), b"b".to_vec()].concat(), &text));
        assert!(matches(&b"a*".repeat(40), &text));
        assert!(!matches(b"*[a-b][a-b][a-b][a-b]c", &text));
    }
}
