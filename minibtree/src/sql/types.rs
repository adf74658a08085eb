//! Types and values: what a column can hold, and how it is written.
//!
//! ```text
//! type        OID    value            text
//! int4         23    Int(-7)          -7
//! char(5)    1042    Text("ab   ")    ab___      padded with spaces, which comparisons ignore
//! timestamp  1114    Timestamp(0)     2000-01-01 00:00:00
//! ```
//!
//! A value does not know its type; the plan does. That keeps values small and comparisons short:
//! the three integer types share one variant, because the wider type holds every value of the
//! narrower ones.
//!
//! PostgreSQL's `pg_type` and `utils/adt`. There, a type is a row with the functions that read,
//! write and compare it, so that types can be added; ours are fixed. Text compares by bytes, the
//! collation C.

use crate::wire::{Format, SqlError, code};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::cmp::Ordering;

/// Microseconds from 1970 to 2000, where PostgreSQL's timestamps begin.
const EPOCH_2000_US: i64 = 946_684_800_000_000;

/// A type of a column or expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// 16 bits.
    Int2,
    /// 32 bits.
    Int4,
    /// 64 bits.
    Int8,
    /// Characters.
    Text,
    /// Characters, at most as many as the modifier says.
    Varchar,
    /// Characters, padded to as many as the modifier says.
    Bpchar,
    /// A date and a time of day.
    Timestamp,
    /// A moment; shown in UTC.
    TimestampTz,
}

/// A type with its modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnType {
    /// The type.
    pub base: Type,
    /// The n of `char(n)` and `varchar(n)`, plus 4, as PostgreSQL stores it; else -1.
    pub modifier: i32,
}

/// A value, or NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Unknown.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int2`, `int4`, `int8`.
    Int(i64),
    /// `text`, `varchar`, `char`.
    Text(String),
    /// Microseconds since 2000.
    Timestamp(i64),
}

impl Type {
    /// All types.
    pub const ALL: [Type; 9] = [
        Type::Bool,
        Type::Int2,
        Type::Int4,
        Type::Int8,
        Type::Text,
        Type::Varchar,
        Type::Bpchar,
        Type::Timestamp,
        Type::TimestampTz,
    ];

    /// OID, bytes of a value (-1: they vary), and name.
    fn row(self) -> (u32, i16, &'static str) {
        match self {
            Type::Bool => (16, 1, "boolean"),
            Type::Int2 => (21, 2, "smallint"),
            Type::Int4 => (23, 4, "integer"),
            Type::Int8 => (20, 8, "bigint"),
            Type::Text => (25, -1, "text"),
            Type::Varchar => (1043, -1, "character varying"),
            Type::Bpchar => (1042, -1, "character"),
            Type::Timestamp => (1114, 8, "timestamp without time zone"),
            Type::TimestampTz => (1184, 8, "timestamp with time zone"),
        }
    }

    /// PostgreSQL's number for it.
    pub fn oid(self) -> u32 {
        self.row().0
    }

    /// The type of this number.
    pub fn from_oid(oid: u32) -> Option<Type> {
        Type::ALL.into_iter().find(|it| it.oid() == oid)
    }

    /// Bytes of a value, or -1 if they vary.
    pub fn size(self) -> i16 {
        self.row().1
    }

    /// The name in error messages.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Returns true for `int2`, `int4` and `int8`.
    pub fn is_integer(self) -> bool {
        matches!(self, Type::Int2 | Type::Int4 | Type::Int8)
    }

    /// Returns true for types whose values are [`Value::Text`].
    pub fn is_text(self) -> bool {
        matches!(self, Type::Text | Type::Varchar | Type::Bpchar)
    }

    fn is_varying(self) -> bool {
        matches!(self, Type::Text | Type::Varchar)
    }

    fn is_time(self) -> bool {
        matches!(self, Type::Timestamp | Type::TimestampTz)
    }

    /// Returns true if values of both types can be compared. `char(n)` is only comparable with
    /// itself: as text it would lose its trailing spaces first, a cast that we do not have.
    pub fn is_comparable(self, other: Type) -> bool {
        let same = |is: fn(Type) -> bool| is(self) && is(other);
        self == other || same(Type::is_integer) || same(Type::is_varying) || same(Type::is_time)
    }

    /// Without a modifier.
    pub fn plain(self) -> ColumnType {
        ColumnType { base: self, modifier: -1 }
    }

    /// Reads a value as it is typed or sent as text.
    ///
    /// # Errors
    /// `22P02`, `22003` or `22007` with PostgreSQL's message.
    pub fn parse(self, text: &str) -> Result<Value, SqlError> {
        let malformed = |code| {
            let text = format!("invalid input syntax for type {}: \"{text}\"", self.name());
            SqlError::new(code, text)
        };
        Ok(match self {
            Type::Bool => match text.trim().to_ascii_lowercase().as_str() {
                "t" | "true" | "y" | "yes" | "on" | "1" => Value::Bool(true),
                "f" | "false" | "n" | "no" | "off" | "0" => Value::Bool(false),
                _ => return Err(malformed(code::INVALID_TEXT_REPRESENTATION)),
            },
            Type::Int2 | Type::Int4 | Type::Int8 => {
                let number = text.trim().parse::<i128>();
                let number = number.map_err(|_| malformed(code::INVALID_TEXT_REPRESENTATION))?;
                let fits = i64::try_from(number).ok().filter(|it| self.holds(*it));
                let out_of_range = || {
                    let text = format!("value \"{text}\" is out of range for type {}", self.name());
                    SqlError::new(code::NUMERIC_VALUE_OUT_OF_RANGE, text)
                };
                Value::Int(fits.ok_or_else(out_of_range)?)
            }
            Type::Text | Type::Varchar | Type::Bpchar => Value::Text(text.to_owned()),
            Type::Timestamp | Type::TimestampTz => {
                let malformed = || malformed(code::INVALID_DATETIME_FORMAT);
                let text = text.trim();
                // Our own output of the second type ends in its offset.
                let text = match self {
                    Type::TimestampTz => text.strip_suffix("+00").unwrap_or(text),
                    _ => text,
                };
                let civil: DateTime = text.parse().map_err(|_| malformed())?;
                let moment = TimeZone::UTC.to_timestamp(civil).map_err(|_| malformed())?;
                // PostgreSQL rounds what is finer than a microsecond; we refuse it.
                if moment.subsec_nanosecond() % 1_000 != 0 {
                    return Err(malformed());
                }
                Value::Timestamp(moment.as_microsecond() - EPOCH_2000_US)
            }
        })
    }

    /// Reads a value as it is sent in binary.
    ///
    /// # Errors
    /// `22P03` if the length is wrong, `22021` if text is not UTF-8.
    pub fn receive(self, bytes: &[u8]) -> Result<Value, SqlError> {
        if self.is_text() {
            return std::str::from_utf8(bytes).map(|it| Value::Text(it.to_owned())).map_err(|_| {
                let text = "invalid byte sequence for encoding \"UTF8\"";
                SqlError::new(code::CHARACTER_NOT_IN_REPERTOIRE, text)
            });
        }
        if bytes.len() != self.size() as usize {
            let text = "incorrect binary data format in bind parameter";
            return Err(SqlError::new(code::INVALID_BINARY_REPRESENTATION, text));
        }

        // Sign extension: the first bit of what was sent fills the bytes in front of it.
        let is_negative = bytes[0] & 0x80 != 0 && self != Type::Bool;
        let start = if is_negative { -1i64 } else { 0 };
        let number = bytes.iter().fold(start, |number, byte| number << 8 | i64::from(*byte));
        Ok(match self {
            Type::Bool => Value::Bool(number != 0),
            Type::Timestamp | Type::TimestampTz => Value::Timestamp(number),
            _ => Value::Int(number),
        })
    }

    /// Appends a value as it is sent. `value` is of this type and not NULL.
    pub fn send(self, value: &Value, format: Format, out: &mut Vec<u8>) {
        use std::io::Write;

        let written = match (value, format) {
            (Value::Null, _) => Ok(()),
            (Value::Text(text), _) => out.write_all(text.as_bytes()),
            (Value::Bool(on), Format::Text) => out.write_all(if *on { b"t" } else { b"f" }),
            (Value::Int(number), Format::Text) => write!(out, "{number}"),
            (Value::Timestamp(us), Format::Text) => {
                let zone = if self == Type::TimestampTz { "+00" } else { "" };
                write!(out, "{}{zone}", timestamp_text(*us))
            }
            (Value::Bool(on), Format::Binary) => out.write_all(&[u8::from(*on)]),
            (Value::Int(number) | Value::Timestamp(number), Format::Binary) => {
                out.write_all(&number.to_be_bytes()[8 - self.size() as usize..])
            }
        };
        written.expect("writing to memory does not fail");
    }

    /// Returns true if an integer is within the range of this type.
    pub fn holds(self, number: i64) -> bool {
        match self {
            Type::Int2 => i16::try_from(number).is_ok(),
            Type::Int4 => i32::try_from(number).is_ok(),
            _ => true,
        }
    }
}

/// PostgreSQL's output, style ISO: without trailing zeros of the fraction.
fn timestamp_text(us: i64) -> String {
    let moment = us.checked_add(EPOCH_2000_US).map(jiff::Timestamp::from_microsecond);
    match moment {
        Some(Ok(moment)) => moment.strftime("%Y-%m-%d %H:%M:%S%.f").to_string(),
        // PostgreSQL's own way to show moments beyond the calendar.
        _ => if us > 0 { "infinity" } else { "-infinity" }.to_owned(),
    }
}

impl ColumnType {
    /// Makes a value fit a column: checks the range, pads and cuts.
    ///
    /// # Errors
    /// `22003` or `22001` if it does not fit.
    pub fn fit(self, value: Value) -> Result<Value, SqlError> {
        match value {
            Value::Int(number) if !self.base.holds(number) => {
                let text = format!("{} out of range", self.base.name());
                Err(SqlError::new(code::NUMERIC_VALUE_OUT_OF_RANGE, text))
            }
            Value::Text(text) => self.fit_text(text).map(Value::Text),
            value => Ok(value),
        }
    }

    fn fit_text(self, mut text: String) -> Result<String, SqlError> {
        let limit = (self.modifier - 4) as usize;
        if self.modifier < 4 || !self.base.is_text() {
            return Ok(text);
        }

        let length = text.chars().count();
        if length > limit {
            // The standard allows to cut spaces, and nothing else.
            let cut = text.char_indices().nth(limit).expect("the text is longer").0;
            if text[cut..].bytes().any(|byte| byte != b' ') {
                let name = self.base.name();
                let text = format!("value too long for type {name}({limit})");
                return Err(SqlError::new(code::STRING_DATA_RIGHT_TRUNCATION, text));
            }
            text.truncate(cut);
        } else if self.base == Type::Bpchar {
            text.extend(std::iter::repeat_n(' ', limit - length));
        }
        Ok(text)
    }
}

/// Compares two values of comparable types, neither of them NULL. `padded`: trailing spaces do not
/// count, as for `char(n)`.
pub fn compare(left: &Value, right: &Value, padded: bool) -> Ordering {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Timestamp(left), Value::Timestamp(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) if padded => {
            left.trim_end_matches(' ').cmp(right.trim_end_matches(' '))
        }
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        _ => unreachable!("the planner compares only values of comparable types"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(base: Type, value: &Value) -> String {
        let mut out = Vec::new();
        base.send(value, Format::Text, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn text_and_binary_come_back() {
        for (base, text) in [
            (Type::Bool, "t"),
            (Type::Int2, "-32768"),
            (Type::Int4, "-1"),
            (Type::Int8, "9223372036854775807"),
            (Type::Text, "it's"),
            (Type::Timestamp, "2026-11-28 23:00:49.123456"),
            (Type::Timestamp, "1999-12-31 23:59:59"),
            (Type::TimestampTz, "2000-01-01 00:00:00.5+00"),
        ] {
            let value = base.parse(text).expect(text);
            assert_eq!(text_of(base, &value), text);
            let mut binary = Vec::new();
            base.send(&value, Format::Binary, &mut binary);
            assert_eq!(base.receive(&binary), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_from_what_is_too_large() {
        let code = |base: Type, text| base.parse(text).expect_err(text).code;
        assert_eq!(code(Type::Int4, "1x"), code::INVALID_TEXT_REPRESENTATION);
        assert_eq!(code(Type::Int4, "2147483648"), code::NUMERIC_VALUE_OUT_OF_RANGE);
        assert_eq!(code(Type::Int8, "9223372036854775808"), code::NUMERIC_VALUE_OUT_OF_RANGE);
        assert_eq!(code(Type::Timestamp, "yesterday"), code::INVALID_DATETIME_FORMAT);
    }

    #[test]
    fn char_is_padded_and_only_spaces_are_cut() {
        let char_3 = ColumnType { base: Type::Bpchar, modifier: 7 };
        let fit = |text: &str| char_3.fit(Value::Text(text.into()));
        assert_eq!(fit("é"), Ok(Value::Text("é  ".into())));
        assert_eq!(fit("abc   "), Ok(Value::Text("abc".into())));
        let error = fit("abcd").expect_err("four characters");
        assert_eq!(error.message, "value too long for type character(3)");
        assert!(compare(&Value::Text("a".into()), &Value::Text("a  ".into()), true).is_eq());
    }
}
