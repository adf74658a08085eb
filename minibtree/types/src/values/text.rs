//! Values as text: what a quoted literal may contain, and what `psql` shows.
//!
//! ```text
//! float8   1e15 -> 1e+15     0.1 -> 0.1      the shortest text that reads back as the same number
//! bytea    \x00ff            also read: \000\377 and plain characters
//! ```
//!
//! PostgreSQL's `*in` and `*out` functions.

use super::{Category, Type, Value, array, datetime, numeric};
use crate::error::{Result, SqlError, code};
use minibtree_datetime::{date_text, timestamp_text};
use std::io::Write;
use std::num::IntErrorKind::{Empty, InvalidDigit};

/// Reads a value.
pub fn parse(base: Type, text: &str) -> Result<Value> {
    let name = base.name();
    let malformed =
        || error!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type {name}: \"{text}\"");
    let out_of_range =
        || error!(NUMERIC_VALUE_OUT_OF_RANGE, "value \"{text}\" is out of range for type {name}");
    // Before the trimming: most of a `char(84)` is spaces.
    if matches!(base, Type::Text | Type::Varchar | Type::Bpchar | Type::Unknown) {
        return Ok(Value::Text(text.to_owned()));
    }
    let trimmed = text.trim_matches(|it| matches!(it, ' ' | '\t'..='\r'));
    Ok(match base {
        Type::Bool => Value::Bool(bool_of(trimmed).ok_or_else(malformed)?),
        it if it.is_integer() || it.is_oid() => match trimmed.parse::<i64>() {
            Ok(number) if base.holds(number) => Value::Int(number),
            Err(error) if matches!(error.kind(), Empty | InvalidDigit) => return Err(malformed()),
            Ok(_) | Err(_) => return Err(out_of_range()),
        },
        Type::Float4 | Type::Float8 => {
            let number = float_of(trimmed).ok_or_else(malformed)?;
            let number = if base == Type::Float4 { f64::from(number as f32) } else { number };
            let has_digit = trimmed.split(['e', 'E']).next().unwrap_or_default();
            let has_digit = has_digit.bytes().any(|it| (b'1'..=b'9').contains(&it));
            let is_named = trimmed.to_ascii_lowercase().contains(['n', 'f']);
            if !is_named && (number.is_infinite() || number == 0.0 && has_digit) {
                let text = format!("\"{trimmed}\" is out of range for type {name}");
                return Err(SqlError::new(code::NUMERIC_VALUE_OUT_OF_RANGE, text));
            }
            Value::from(number)
        }
        Type::Numeric => numeric::read(trimmed)?.ok_or_else(malformed)?,
        // `\101` is a byte.
        Type::Char if text.starts_with('\\') && text.len() == 4 => match bytes_of(text)?[..] {
            [0] => Value::Text(String::new()),
            [byte] if byte.is_ascii() => Value::Text(char::from(byte).to_string()),
            _ => return Err(unsupported!("the \"char\" {text}")),
        },
        Type::Char => Value::Text(text.chars().take(1).collect()),
        it if it.category() == Category::Array => array::parse(base, text)?,
        // A name has 63 bytes at most; PostgreSQL cuts the rest.
        Type::Name => Value::Text(text[..text.floor_char_boundary(63)].to_owned()),
        Type::Bytea => Value::Bytes(bytes_of(text)?),
        Type::Date => Value::Date(datetime::parse_date(text)?),
        Type::Timestamp => Value::Timestamp(datetime::parse_timestamp(text, false)?),
        Type::TimestampTz => Value::Timestamp(datetime::parse_timestamp(text, true)?),
        Type::Uuid => Value::Uuid(uuid_of(text).ok_or_else(malformed)?),
        _ => return Err(malformed()),
    })
}

/// Appends a value that is not NULL.
pub fn print(base: Type, value: &Value, out: &mut Vec<u8>) {
    let written = match value {
        Value::Null => Ok(()),
        Value::Text(text) => out.write_all(text.as_bytes()),
        Value::Bool(on) => out.write_all(if *on { b"t" } else { b"f" }),
        Value::Int(number) => write!(out, "{number}"),
        Value::Float(float) if base == Type::Float4 => {
            write!(out, "{}", float_text(&format!("{:e}", float.0 as f32), 6))
        }
        Value::Float(float) => write!(out, "{}", float_text(&format!("{:e}", float.0), 15)),
        Value::Numeric(number) => write!(out, "{}", number.to_plain_string()),
        Value::Bytes(bytes) => {
            out.extend_from_slice(b"\\x");
            bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
        }
        Value::Date(days) => write!(out, "{}", date_text(*days)),
        Value::Timestamp(us) => {
            let zone = if base == Type::TimestampTz { "+00" } else { "" };
            write!(out, "{}", timestamp_text(*us, zone))
        }
        Value::Array(elements) => write!(out, "{}", array::text_of(base, elements)),
        Value::Uuid(bytes) => bytes.iter().enumerate().try_for_each(|(index, byte)| {
            let dash = if [4, 6, 8, 10].contains(&index) { "-" } else { "" };
            write!(out, "{dash}{byte:02x}")
        }),
    };
    written.expect("writing to memory does not fail");
}

/// Any beginning of these words that is not ambiguous.
fn bool_of(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let begins = |word: &str, least: usize| text.len() >= least && word.starts_with(&text);
    match () {
        () if begins("true", 1) || begins("yes", 1) || begins("on", 2) || text == "1" => Some(true),
        () if begins("false", 1) || begins("no", 1) || begins("off", 2) || text == "0" => {
            Some(false)
        }
        () => None,
    }
}

fn float_of(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match digits.to_ascii_lowercase().as_str() {
        "infinity" | "inf" => Some(sign * f64::INFINITY),
        "nan" => Some(f64::NAN),
        lower if lower.starts_with(|it: char| it.is_ascii_digit() || it == '.') => {
            digits.parse::<f64>().ok().map(|it| sign * it)
        }
        _ => None,
    }
}

/// PostgreSQL's form of a float that Rust has written as `d.ddde±x`, shortest digits: scientific
/// from `digits_max` digits before the point on, and below 0.0001.
pub fn float_text(scientific: &str, digits_max: i32) -> String {
    let (sign, unsigned) = match scientific.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", scientific),
    };
    let Some((mantissa, exponent)) = unsigned.split_once('e') else {
        return match unsigned {
            "inf" => format!("{sign}Infinity"),
            _ => "NaN".to_owned(),
        };
    };
    let exponent: i32 = exponent.parse().expect("Rust writes an exponent");
    let digits = mantissa.replace('.', "");
    if exponent < -4 || exponent >= digits_max {
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{direction}{:02}", exponent.abs());
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let before = exponent as usize + 1;
    match digits.len() <= before {
        true => format!("{sign}{digits}{}", "0".repeat(before - digits.len())),
        false => format!("{sign}{}.{}", &digits[..before], &digits[before..]),
    }
}

fn bytes_of(text: &str) -> Result<Vec<u8>> {
    if let Some(digits) = text.strip_prefix("\\x") {
        let malformed = |text: String| SqlError::new(code::INVALID_PARAMETER_VALUE, text);
        let digits: Vec<u8> = digits.bytes().filter(|it| !it.is_ascii_whitespace()).collect();
        if digits.len() % 2 == 1 {
            return Err(malformed("invalid hexadecimal data: odd number of digits".into()));
        }
        let nibble = |byte: u8| {
            let digit = char::from(byte);
            let invalid = || malformed(format!("invalid hexadecimal digit: \"{digit}\""));
            digit.to_digit(16).map(|it| it as u8).ok_or_else(invalid)
        };
        return digits.chunks(2).map(|it| Ok(nibble(it[0])? << 4 | nibble(it[1])?)).collect();
    }

    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), after)
            }
            (b'\\', _) => {
                return Err(error!(
                    INVALID_TEXT_REPRESENTATION,
                    "invalid input syntax for type bytea"
                ));
            }
            (byte, after) => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    Ok(bytes)
}

/// Hexadecimal digits, a hyphen after any four of them, in braces or not.
fn uuid_of(text: &str) -> Option<[u8; 16]> {
    let inner = match text.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => text,
    };
    let is_group = |it: &str| !it.is_empty() && it.len().is_multiple_of(4);
    let digits = inner.replace('-', "");
    let is_valid = inner.split('-').all(is_group)
        && digits.len() == 32
        && digits.bytes().all(|it| it.is_ascii_hexdigit());
    is_valid.then(|| u128::from_str_radix(&digits, 16).ok())?.map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_short() {
        for (number, text) in [
            (1e15, "1e+15"),
            (123456789012345.0, "123456789012345"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5, "-2.5"),
            (100.0, "100"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(float_text(&format!("{number:e}"), 15), text);
        }
    }

    #[test]
    fn bytes_and_uuids_have_several_forms() {
        assert_eq!(bytes_of("a\\000\\\\").expect("valid"), b"a\0\\");
        assert!(bytes_of("\\x0").is_err() && bytes_of("\\9").is_err());
        let dense = uuid_of("a0eebc999c0b4ef8bb6d6bb9bd380a11").expect("valid");
        assert_eq!(uuid_of("{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"), Some(dense));
        assert_eq!(uuid_of("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1"), None);
    }
}
