//! Functions of text. Positions count characters, from 1 on.

use crate::numbers::integer;
use crate::table::{Function, function};
use Type::*;
use minibtree_types::error;
use minibtree_types::error::{Result, SqlError};
use minibtree_types::values::{Type, Value};

/// The text in a value.
pub fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => unreachable!("the argument is a text"),
    }
}

/// The longest text that a function makes, in bytes.
pub const LENGTH_MAX: usize = 16 << 20;

/// A text as a value.
pub fn some(text: impl Into<String>) -> Result<Value> {
    Ok(Value::Text(text.into()))
}

pub fn rows() -> Vec<Function> {
    let mut rows = vec![
        function("lower", &[Text], Text, |v| some(text(&v[0]).to_ascii_lowercase())),
        function("upper", &[Text], Text, |v| some(text(&v[0]).to_ascii_uppercase())),
        function("reverse", &[Text], Text, |v| some(text(&v[0]).chars().rev().collect::<String>())),
        function("replace", &[Text, Text, Text], Text, |v| match text(&v[1]) {
            "" => Ok(v[0].clone()),
            from => {
                check_length(text(&v[0]).matches(from).count().saturating_mul(text(&v[2]).len()))?;
                bounded(text(&v[0]).replace(from, text(&v[2])))
            }
        }),
        function("repeat", &[Text, Int4], Text, |v| {
            let count = usize::try_from(integer(&v[1])).unwrap_or(0);
            check_length(text(&v[0]).len().saturating_mul(count))?;
            some(text(&v[0]).repeat(count))
        }),
        function("left", &[Text, Int4], Text, |v| {
            let (text, count) = (text(&v[0]), integer(&v[1]));
            let count = if count < 0 { text.chars().count() as i64 + count } else { count };
            some(text.chars().take(count.max(0) as usize).collect::<String>())
        }),
        function("right", &[Text, Int4], Text, |v| {
            let (text, count) = (text(&v[0]), integer(&v[1]));
            let length = text.chars().count() as i64;
            let skipped = if count < 0 { -count } else { length - count };
            some(text.chars().skip(skipped.max(0) as usize).collect::<String>())
        }),
        function("strpos", &[Text, Text], Int4, |v| Ok(position(text(&v[0]), text(&v[1])))),
        function("position", &[Text, Text], Int4, |v| Ok(position(text(&v[0]), text(&v[1])))),
        function("starts_with", &[Text, Text], Bool, |v| {
            Ok(Value::Bool(text(&v[0]).starts_with(text(&v[1]))))
        }),
        // Nobody can take an advisory lock.
        function("pg_advisory_unlock_all", &[], Text, |_| some("")),
        function("split_part", &[Text, Text, Int4], Text, split_part),
        function("octet_length", &[Text], Int4, |v| Ok(Value::Int(text(&v[0]).len() as i64))),
        function("octet_length", &[Bpchar], Int4, |v| Ok(Value::Int(text(&v[0]).len() as i64))),
        function("bit_length", &[Text], Int4, |v| Ok(Value::Int(8 * text(&v[0]).len() as i64))),
        function("overlay", &[Text, Text, Int4], Text, |v| {
            overlay(v, text(&v[1]).chars().count() as i64)
        }),
        function("overlay", &[Text, Text, Int4, Int4], Text, |v| overlay(v, integer(&v[3]))),
        function("lpad", &[Text, Int4], Text, |v| pad(&v[0], &v[1], " ", true)),
        function("rpad", &[Text, Int4], Text, |v| pad(&v[0], &v[1], " ", false)),
        function("lpad", &[Text, Int4, Text], Text, |v| pad(&v[0], &v[1], text(&v[2]), true)),
        function("rpad", &[Text, Int4, Text], Text, |v| pad(&v[0], &v[1], text(&v[2]), false)),
    ];
    rows.extend(of_characters());
    // A pattern is one of PostgreSQL's regular expressions, which match other parts than ours.
    rows.extend([
        function("substring", &[Text, Text], Text, |_| Err(no_patterns())),
        function("substring", &[Text, Text, Text], Text, |_| Err(no_patterns())),
    ]);
    for name in ["substr", "substring"] {
        rows.push(function(name, &[Text, Int4], Text, |v| substring(v, i64::MAX)));
        rows.push(function(name, &[Text, Int4, Int4], Text, |v| substring(v, integer(&v[2]))));
    }
    for name in ["length", "char_length", "character_length"] {
        rows.push(function(name, &[Text], Int4, |v| {
            Ok(Value::Int(text(&v[0]).chars().count() as i64))
        }));
        rows.push(function(name, &[Bpchar], Int4, |v| {
            Ok(Value::Int(text(&v[0]).trim_end_matches(' ').chars().count() as i64))
        }));
    }
    rows.extend(trims());
    rows
}

fn trims() -> [Function; 6] {
    [
        function("btrim", &[Text], Text, |v| some(trimmed(&v[0], " ", true, true))),
        function("ltrim", &[Text], Text, |v| some(trimmed(&v[0], " ", true, false))),
        function("rtrim", &[Text], Text, |v| some(trimmed(&v[0], " ", false, true))),
        function("btrim", &[Text, Text], Text, |v| some(trimmed(&v[0], text(&v[1]), true, true))),
        function("ltrim", &[Text, Text], Text, |v| some(trimmed(&v[0], text(&v[1]), true, false))),
        function("rtrim", &[Text, Text], Text, |v| some(trimmed(&v[0], text(&v[1]), false, true))),
    ]
}

fn no_patterns() -> SqlError {
    SqlError::unsupported("substring by a regular expression")
}

/// Functions of single characters, and of quotes.
fn of_characters() -> [Function; 7] {
    [
        function("ascii", &[Text], Int4, |v| {
            Ok(Value::Int(text(&v[0]).chars().next().map_or(0, |it| i64::from(u32::from(it)))))
        }),
        function("initcap", &[Text], Text, |v| some(initcap(text(&v[0])))),
        function("translate", &[Text, Text, Text], Text, translate),
        function("chr", &[Int4], Text, |v| character(integer(&v[0]))),
        function("to_hex", &[Int4], Text, |v| some(format!("{:x}", integer(&v[0]) as i32))),
        function("to_hex", &[Int8], Text, |v| some(format!("{:x}", integer(&v[0])))),
        function("quote_literal", &[Text], Text, |v| some(quoted_literal(text(&v[0])))),
    ]
}

/// A text as a value.
///
/// # Errors
/// `54000` if it is too long.
pub fn bounded(text: String) -> Result<Value> {
    check_length(text.len()).and_then(|()| some(text))
}

/// Fails if a text of this length is too long.
pub fn check_length(length: usize) -> Result<()> {
    let too_long = || error!(PROGRAM_LIMIT_EXCEEDED, "requested length too large");
    (length <= LENGTH_MAX).then_some(()).ok_or_else(too_long)
}

fn trimmed<'a>(value: &'a Value, set: &str, left: bool, right: bool) -> &'a str {
    let mut rest = text(value);
    if left {
        rest = rest.trim_start_matches(|it| set.contains(it));
    }
    if right {
        rest = rest.trim_end_matches(|it| set.contains(it));
    }
    rest
}

fn position(text: &str, part: &str) -> Value {
    Value::Int(text.find(part).map_or(0, |at| text[..at].chars().count() as i64 + 1))
}

/// How many positions come before `start`, and how many there are from there to before
/// `start + length`; positions before 1 are empty.
///
/// # Errors
/// `22011` for a negative length.
pub fn span(start: i64, length: i64) -> Result<(usize, usize)> {
    if length < 0 {
        return Err(SqlError::new("22011", "negative substring length not allowed"));
    }
    let end = start.saturating_add(length);
    let skipped = (start - 1).max(0);
    Ok((skipped as usize, (end - 1 - skipped).max(0) as usize))
}

fn substring(values: &[Value], length: i64) -> Result<Value> {
    let (skipped, count) = span(integer(&values[1]), length)?;
    some(text(&values[0]).chars().skip(skipped).take(count).collect::<String>())
}

/// How many positions are before those that OVERLAY replaces, and where it goes on.
///
/// # Errors
/// `22011` if it begins before the first position.
pub fn around(start: i64, length: i64) -> Result<(usize, usize)> {
    if start <= 0 {
        return Err(SqlError::new("22011", "negative substring length not allowed"));
    }
    Ok(((start - 1) as usize, (start - 1 + length).max(0) as usize))
}

fn overlay(values: &[Value], length: i64) -> Result<Value> {
    let (before, after) = around(integer(&values[2]), length)?;
    let characters = || text(&values[0]).chars();
    let new = text(&values[1]).chars();
    bounded(characters().take(before).chain(new).chain(characters().skip(after)).collect())
}

/// Letters that follow no letter or digit in upper case, all others in lower case.
fn initcap(text: &str) -> String {
    let mut is_inside = false;
    let cased = text.chars().map(|it| {
        let cased = if is_inside { it.to_ascii_lowercase() } else { it.to_ascii_uppercase() };
        is_inside = it.is_ascii_alphanumeric();
        cased
    });
    cased.collect()
}

/// Each character of the second argument is replaced by its counterpart in the third, or left out.
fn translate(values: &[Value]) -> Result<Value> {
    let from: Vec<char> = text(&values[1]).chars().collect();
    let to: Vec<char> = text(&values[2]).chars().collect();
    let translated =
        text(&values[0]).chars().filter_map(|it| match from.iter().position(|from| *from == it) {
            None => Some(it),
            Some(at) => to.get(at).copied(),
        });
    some(translated.collect::<String>())
}

fn character(number: i64) -> Result<Value> {
    match u32::try_from(number) {
        Ok(0) => Err(error!(PROGRAM_LIMIT_EXCEEDED, "null character not permitted")),
        Err(_) => Err(error!(INVALID_PARAMETER_VALUE, "character number must be positive")),
        Ok(number) => match char::from_u32(number) {
            Some(character) => some(character),
            None => {
                let text = "requested character too large for encoding";
                Err(error!(PROGRAM_LIMIT_EXCEEDED, "{text}: {number}"))
            }
        },
    }
}

/// A text as a literal; one with a backslash as an escape string.
pub fn quoted_literal(text: &str) -> String {
    let escape = if text.contains('\\') { "E" } else { "" };
    format!("{escape}'{}'", text.replace('\'', "''").replace('\\', "\\\\"))
}

fn split_part(values: &[Value]) -> Result<Value> {
    let (whole, separator, number) = (text(&values[0]), text(&values[1]), integer(&values[2]));
    if number == 0 {
        return Err(SqlError::new("22023", "field position must not be zero"));
    }
    let parts: Vec<&str> = match separator {
        "" => vec![whole],
        separator => whole.split(separator).collect(),
    };
    let index = if number < 0 { parts.len() as i64 + number } else { number - 1 };
    some(usize::try_from(index).ok().and_then(|it| parts.get(it)).copied().unwrap_or_default())
}

fn pad(value: &Value, length: &Value, fill: &str, left: bool) -> Result<Value> {
    let (text, length) = (text(value), integer(length).max(0) as usize);
    check_length(length.saturating_mul(4))?;
    let count = text.chars().count();
    if count >= length || fill.is_empty() {
        return some(text.chars().take(length).collect::<String>());
    }
    let fill: String = fill.chars().cycle().take(length - count).collect();
    some(if left { fill + text } else { text.to_owned() + &fill })
}
