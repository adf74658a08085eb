//! Functions of text. Positions count characters, from 1 on.

use super::numbers::integer;
use super::table::{Function, function};
use crate::error::{Result, SqlError, code};
use crate::values::{Type, Value};
use Type::*;

/// The text in a value.
pub fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => unreachable!("the argument is a text"),
    }
}

/// The longest text that a function makes, in bytes.
const LENGTH_MAX: usize = 16 << 20;

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
            from => bounded(text(&v[0]).replace(from, text(&v[2]))),
        }),
        function("repeat", &[Text, Int4], Text, |v| {
            let count = usize::try_from(integer(&v[1])).unwrap_or(0);
            if text(&v[0]).len().saturating_mul(count) > LENGTH_MAX {
                return Err(too_long());
            }
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
        function("ascii", &[Text], Int4, |v| {
            Ok(Value::Int(text(&v[0]).chars().next().map_or(0, |it| i64::from(u32::from(it)))))
        }),
        function("starts_with", &[Text, Text], Bool, |v| {
            Ok(Value::Bool(text(&v[0]).starts_with(text(&v[1]))))
        }),
        // Nobody can take an advisory lock.
        function("pg_advisory_unlock_all", &[], Text, |_| some("")),
        function("split_part", &[Text, Text, Int4], Text, split_part),
        function("octet_length", &[Text], Int4, |v| Ok(Value::Int(text(&v[0]).len() as i64))),
        function("octet_length", &[Bytea], Int4, bytes_length),
        function("length", &[Bytea], Int4, bytes_length),
        function("lpad", &[Text, Int4], Text, |v| pad(&v[0], &v[1], " ", true)),
        function("rpad", &[Text, Int4], Text, |v| pad(&v[0], &v[1], " ", false)),
        function("lpad", &[Text, Int4, Text], Text, |v| pad(&v[0], &v[1], text(&v[2]), true)),
        function("rpad", &[Text, Int4, Text], Text, |v| pad(&v[0], &v[1], text(&v[2]), false)),
    ];
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
    rows.extend([
        function("btrim", &[Text], Text, |v| some(trimmed(&v[0], " ", true, true))),
        function("ltrim", &[Text], Text, |v| some(trimmed(&v[0], " ", true, false))),
        function("rtrim", &[Text], Text, |v| some(trimmed(&v[0], " ", false, true))),
        function("btrim", &[Text, Text], Text, |v| some(trimmed(&v[0], text(&v[1]), true, true))),
        function("ltrim", &[Text, Text], Text, |v| some(trimmed(&v[0], text(&v[1]), true, false))),
        function("rtrim", &[Text, Text], Text, |v| some(trimmed(&v[0], text(&v[1]), false, true))),
    ]);
    rows
}

fn bounded(text: String) -> Result<Value> {
    if text.len() > LENGTH_MAX { Err(too_long()) } else { some(text) }
}

fn too_long() -> SqlError {
    SqlError::new(code::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
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

fn bytes_length(values: &[Value]) -> Result<Value> {
    match &values[0] {
        Value::Bytes(bytes) => Ok(Value::Int(bytes.len() as i64)),
        _ => unreachable!("the argument is a byte string"),
    }
}

/// The characters from `start` to before `start + length`; positions before 1 are empty.
fn substring(values: &[Value], length: i64) -> Result<Value> {
    if length < 0 {
        return Err(SqlError::new("22011", "negative substring length not allowed"));
    }
    let start = integer(&values[1]);
    let end = start.saturating_add(length);
    let skipped = (start - 1).max(0);
    let count = (end - 1 - skipped).max(0) as usize;
    some(text(&values[0]).chars().skip(skipped as usize).take(count).collect::<String>())
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
    if length > LENGTH_MAX / 4 {
        return Err(too_long());
    }
    let count = text.chars().count();
    if count >= length || fill.is_empty() {
        return some(text.chars().take(length).collect::<String>());
    }
    let fill: String = fill.chars().cycle().take(length - count).collect();
    some(if left { fill + text } else { text.to_owned() + &fill })
}
