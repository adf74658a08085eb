//! Which texts a parameter accepts, and the form in which they are stored.
//!
//! A kind is a function from the text of a file or `CONFIG SET` to the text that `CONFIG GET`
//! shows:
//!
//! ```text
//! Memory        "256mb"        ->  268435456
//! Bool          "YES"          ->  yes
//! OneOf         "Relative"     ->  yes          (oom-score-adj: two names for one value)
//! Words(save)   "900 1 60 5"   ->  900 1 60 5
//! ```
//!
//! Reading a result again gives the same result, so `CONFIG SET` accepts what `CONFIG GET *` shows.
//! The error texts are part of the protocol: clients and test suites match on them. The
//! counterparts in Redis are the setters of `config.c`.

use super::special;
use crate::format::number::parse_i64;

/// How the text of a parameter is read. The comments show it as `parameters.tsv` spells it.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `bool`: `yes` or `no`.
    Bool,
    /// `integer 0 65535`: a decimal integer from the first number to the second.
    Integer(i64, i64),
    /// `octal 0 777`: an octal integer, for file permissions.
    Octal(i64, i64),
    /// `memory 0 1024`: bytes, with an optional unit (see [`memory`]).
    Memory(u64, u64),
    /// `memory-or-percent`: bytes, or a share of `maxmemory` as in `5%`.
    MemoryOrPercent,
    /// `text`: any text.
    Text,
    /// `one-of no yes=relative absolute`: one name of a set. Names joined by `=` are one value,
    /// shown by the first.
    OneOf(&'static str),
    /// One word with a grammar of its own: `special` and its name in [`special`].
    Word(WordReader),
    /// Several words with a grammar of their own.
    Words(WordsReader),
}

/// From the word given to the text to keep.
pub type WordReader = fn(&[u8]) -> Result<Vec<u8>, String>;

/// From the text kept until now and the words given to the text to keep.
pub type WordsReader = fn(&[u8], &[&[u8]]) -> Result<Vec<u8>, String>;

impl Kind {
    /// Reads a kind as the table of parameters spells it.
    ///
    /// # Panics
    /// If there is no such kind: the table is part of the program, so the first test finds it.
    pub(super) fn parse(text: &'static str) -> Kind {
        fn bounded<N>(
            kind: fn(N, N) -> Kind,
            bounds: &str,
            number: impl Fn(&str) -> Option<N>,
        ) -> Kind {
            let (low, high) = bounds.split_once(' ').unwrap_or_default();
            let kind = number(low).zip(number(high)).map(|(low, high)| kind(low, high));
            kind.unwrap_or_else(|| panic!("{bounds} are no bounds"))
        }
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        match name {
            "bool" => Kind::Bool,
            "text" => Kind::Text,
            "memory-or-percent" => Kind::MemoryOrPercent,
            "one-of" => Kind::OneOf(rest),
            "special" => special::grammar(rest),
            "integer" => bounded(Kind::Integer, rest, |text| text.parse().ok()),
            "octal" => bounded(Kind::Octal, rest, |text| i64::from_str_radix(text, 8).ok()),
            "memory" => bounded(Kind::Memory, rest, |text| text.parse().ok()),
            _ => panic!("{text} is no kind of parameter"),
        }
    }

    /// Returns true if the parameter takes a list of words: several arguments in a file, one text
    /// with single spaces in `CONFIG SET`.
    pub fn takes_words(self) -> bool {
        matches!(self, Kind::Words(_))
    }

    /// The text to keep for `words`, or the reason why not. Kinds that take one word look at the
    /// first only.
    pub fn read(self, current: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
        let word = words.first().copied().unwrap_or_default();
        match self {
            Kind::Bool => yes_or_no(word),
            Kind::Integer(least, most) => {
                let number =
                    parse_i64(word).ok_or("argument couldn't be parsed into an integer")?;
                Ok(within(number, least, most)?.to_string().into_bytes())
            }
            Kind::Octal(least, most) => octal(word, least, most),
            Kind::Memory(least, most) => {
                let bytes = memory(word).ok_or("argument must be a memory value")?;
                Ok(within(bytes, least, most)?.to_string().into_bytes())
            }
            Kind::MemoryOrPercent => memory_or_percent(word),
            Kind::Text => Ok(word.to_vec()),
            Kind::OneOf(names) => one_of(names, word),
            Kind::Word(read) => read(word),
            Kind::Words(read) => read(current, words),
        }
    }
}

fn yes_or_no(word: &[u8]) -> Result<Vec<u8>, String> {
    let known = word.eq_ignore_ascii_case(b"yes") || word.eq_ignore_ascii_case(b"no");
    if known { Ok(word.to_ascii_lowercase()) } else { Err("argument must be 'yes' or 'no'".into()) }
}

/// Bytes with an optional unit, in any case: `b`, `k` `m` `g` (powers of 1000), `kb` `mb` `gb` (of
/// 1024). No digits at all mean 0, as in Redis; a product beyond 64 bits stays at the largest
/// number instead of wrapping around to a small one.
pub fn memory(word: &[u8]) -> Option<u64> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = word.split_at(digits);
    let unit: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1000 * 1000,
        b"mb" => 1 << 20,
        b"g" => 1000 * 1000 * 1000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let number = number
        .iter()
        .fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(number.saturating_mul(unit))
}

fn within<N: PartialOrd + std::fmt::Display>(number: N, least: N, most: N) -> Result<N, String> {
    if number < least || number > most {
        return Err(format!("argument must be between {least} and {most} inclusive"));
    }
    Ok(number)
}

fn octal(word: &[u8], least: i64, most: i64) -> Result<Vec<u8>, String> {
    let number = std::str::from_utf8(word).ok().and_then(|text| i64::from_str_radix(text, 8).ok());
    let number = number.ok_or("argument couldn't be parsed as an octal number")?;
    if number < least || number > most {
        return Err(format!("argument must be between {least:o} and {most:o} inclusive"));
    }
    Ok(format!("{number:o}").into_bytes())
}

fn memory_or_percent(word: &[u8]) -> Result<Vec<u8>, String> {
    if let Some(bytes) = memory(word) {
        return Ok(within(bytes, 0, i64::MAX as u64)?.to_string().into_bytes());
    }
    let percent = word.strip_suffix(b"%").and_then(parse_i64).filter(|percent| *percent >= 0);
    match percent.ok_or("argument must be a memory or percent value")? {
        0 => Ok(b"0".to_vec()),
        percent if percent <= 100 => Ok(format!("{percent}%").into_bytes()),
        _ => Err("percentage argument must be less or equal to 100".into()),
    }
}

fn one_of(names: &str, word: &[u8]) -> Result<Vec<u8>, String> {
    let has_word =
        |group: &&str| group.split('=').any(|name| name.as_bytes().eq_ignore_ascii_case(word));
    match names.split(' ').find(has_word) {
        Some(group) => Ok(group.split('=').next().unwrap_or_default().into()),
        None => Err(must_be_one_of(&names.replace([' ', '='], ", "))),
    }
}

/// The error text for a name that is not one of `names`.
pub(super) fn must_be_one_of(names: &str) -> String {
    format!("argument(s) must be one of the following: {names}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLORS: &str = "none red=rouge blue";

    fn read(kind: Kind, word: &str) -> Result<String, String> {
        let words: Vec<&[u8]> = word.split(' ').map(str::as_bytes).collect();
        kind.read(b"", &words).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn memory_units_are_decimal_or_binary() {
        let memory = Kind::Memory(0, u64::MAX);
        let rows = [
            ("0", "0"),
            ("", "0"),
            ("kb", "0"),
            ("1", "1"),
            ("7B", "7"),
            ("1k", "1000"),
            ("1KB", "1024"),
            ("3m", "3000000"),
            ("3Mb", "3145728"),
            ("2g", "2000000000"),
            ("2gB", "2147483648"),
            ("18446744073709551615", "18446744073709551615"),
            ("99999999999999999999gb", "18446744073709551615"),
        ];
        for (word, shown) in rows {
            assert_eq!(read(memory, word).as_deref(), Ok(shown), "{word}");
        }
        for word in ["-1", "1.5", "1tb", "x", " 1", "1 ", "+1"] {
            let refused = Err("argument must be a memory value".to_string());
            assert_eq!(memory.read(b"", &[word.as_bytes()]), refused, "{word}");
        }
    }

    #[test]
    fn integers_are_written_as_redis_prints_them() {
        let small = Kind::Integer(-1, 9);
        assert_eq!(read(small, "-1").as_deref(), Ok("-1"));
        for word in ["", "+1", "01", "-0", "1.0", "9223372036854775808", "0x1"] {
            assert!(read(small, word).unwrap_err().contains("parsed into an integer"), "{word}");
        }
        assert_eq!(read(small, "10").unwrap_err(), "argument must be between -1 and 9 inclusive");
    }

    #[test]
    fn octal_bounds_are_shown_in_octal() {
        let mode = Kind::Octal(0, 0o777);
        assert_eq!(read(mode, "0700").as_deref(), Ok("700"));
        assert_eq!(read(mode, "1000").unwrap_err(), "argument must be between 0 and 777 inclusive");
        assert!(read(mode, "8").unwrap_err().contains("octal"));
    }

    #[test]
    fn a_share_of_memory_ends_at_all_of_it() {
        assert_eq!(read(Kind::MemoryOrPercent, "100%").as_deref(), Ok("100%"));
        assert_eq!(read(Kind::MemoryOrPercent, "1kb").as_deref(), Ok("1024"));
        assert!(read(Kind::MemoryOrPercent, "101%").unwrap_err().contains("less or equal to 100"));
        assert!(read(Kind::MemoryOrPercent, "-1%").unwrap_err().contains("memory or percent"));
        assert!(read(Kind::MemoryOrPercent, "%").unwrap_err().contains("memory or percent"));
    }

    #[test]
    fn names_are_shown_in_their_first_spelling() {
        assert_eq!(read(Kind::OneOf(COLORS), "ROUGE").as_deref(), Ok("red"));
        assert_eq!(
            read(Kind::OneOf(COLORS), "green").unwrap_err(),
            "argument(s) must be one of the following: none, red, rouge, blue"
        );
    }
}
