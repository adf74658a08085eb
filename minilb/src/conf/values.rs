//! Numbers, sizes and times as nginx.conf writes them.
//!
//! ```text
//! 90        90 seconds            1h30m    90 minutes
//! 100ms     100 milliseconds      30m1h    invalid: units go from large to small
//! ```
//!
//! `fail_timeout` is in whole seconds and takes no `ms`, but `y` and `M` (365 and 30 days). The
//! other times are in milliseconds and take no `y` and `M`.
//!
//! NGINX counterpart: `ngx_parse_time` (`ngx_parse.c`) and `ngx_atoi` (`ngx_string.c`).

use std::time::Duration;

/// The smallest unit of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Whole seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Units from large to small, with their milliseconds. A number without unit is seconds, and last.
const UNITS: [(&str, u64); 8] = [
    ("y", 365 * DAY_MS),
    ("M", 30 * DAY_MS),
    ("w", 7 * DAY_MS),
    ("d", DAY_MS),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads a time. Returns `None` if it is not one.
pub fn time(text: &str, precision: Precision) -> Option<Duration> {
    let mut units = match precision {
        Precision::Seconds => &UNITS[..7],
        Precision::Milliseconds => &UNITS[2..],
    };
    let mut rest = text;
    let mut total_ms = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
        let value = number(&rest[..digits])?;
        let letters = &rest[digits..];
        let length = letters.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(letters.len());
        let unit = if length == 0 { "s" } else { &letters[..length] };

        // Only smaller units may follow.
        let index = units.iter().position(|it| it.0 == unit)?;
        total_ms = total_ms.checked_add(value.checked_mul(units[index].1)?)?;
        units = if length == 0 { &[] } else { &units[index + 1..] };
        rest = letters[length..].trim_start_matches(' ');
    }
    (!text.is_empty()).then_some(Duration::from_millis(total_ms))
}

/// Reads a size in bytes: `8192`, `8k`, `1m` or `1g`, in either case.
pub fn size(text: &str) -> Option<u64> {
    let factor = match text.bytes().last()? {
        b'k' | b'K' => 1 << 10,
        b'm' | b'M' => 1 << 20,
        b'g' | b'G' => 1 << 30,
        _ => return number(text),
    };
    number(&text[..text.len() - 1])?.checked_mul(factor)
}

/// Reads a number with at most so many digits after its point, and counts in units of the last:
/// `12.3` with two digits is 1230.
pub fn decimal(text: &str, digits: usize) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    number(&format!("{whole}{part:0<digits$}")).filter(|_| part.len() <= digits)
}

/// Reads a number of digits only.
pub fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_to_their_last_digit() {
        for (text, expected) in [
            ("0.5", Some(50)),
            ("12.34", Some(1234)),
            ("3", Some(300)),
            ("1.234", None),
            ("1.-2", None),
            ("x", None),
        ] {
            assert_eq!(decimal(text, 2), expected, "{text}");
        }
    }

    #[test]
    fn times_are_read_as_by_nginx() {
        for (text, precision, seconds) in [
            ("90", Precision::Seconds, Some(90.0)),
            ("1h30m", Precision::Seconds, Some(5400.0)),
            ("1h 30m", Precision::Milliseconds, Some(5400.0)),
            ("1m30", Precision::Milliseconds, Some(90.0)),
            ("1M", Precision::Seconds, Some(2_592_000.0)),
            ("100ms", Precision::Milliseconds, Some(0.1)),
            ("1s500ms", Precision::Milliseconds, Some(1.5)),
            ("100ms", Precision::Seconds, None),
            ("1M", Precision::Milliseconds, None),
            ("30m1h", Precision::Seconds, None),
            ("1.5s", Precision::Milliseconds, None),
            ("", Precision::Seconds, None),
            ("s", Precision::Seconds, None),
            ("-1", Precision::Seconds, None),
        ] {
            let expected = seconds.map(Duration::from_secs_f64);
            assert_eq!(time(text, precision), expected, "{text}");
        }
    }
}
