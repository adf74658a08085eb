//! Casts: from one type to another, and when they happen without being asked for.
//!
//! | | implicit | in an assignment | explicit (`::`) |
//! |---|---|---|---|
//! | to a wider number | yes | yes | yes |
//! | to a narrower number | | yes | yes |
//! | anything to text | | yes | yes |
//! | text to anything | | | yes |
//!
//! PostgreSQL's `pg_cast`.

use Type::*;
use bigdecimal::{BigDecimal, ToPrimitive};
use minibtree_datetime::{date_of_timestamp, timestamp_of_date};
use minibtree_types::error;
use minibtree_types::error::Result;
use minibtree_types::values::{Category, Type, Value, numeric};

/// When a cast happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    /// Wherever a value of the other type is needed.
    Implicit,
    /// When a value is stored into a column.
    Assignment,
    /// When it is asked for.
    Explicit,
}

/// When values of `from` are cast to `to`; `None`: never.
pub fn context(from: Type, to: Type) -> Option<Context> {
    /// Numbers from narrow to wide.
    const WIDTHS: [Type; 6] = [Int2, Int4, Int8, Numeric, Float4, Float8];

    let width = |base| WIDTHS.iter().position(|it| *it == base);
    if let (Some(narrow), Some(wide)) = (width(from), width(to)) {
        return Some(if narrow <= wide { Context::Implicit } else { Context::Assignment });
    }
    if let (Some(from), Some(to)) = elements(from, to) {
        return context(from, to);
    }
    match (from, to) {
        (from, to) if from == to => Some(Context::Implicit),
        (Unknown, _) => Some(Context::Implicit),
        (Text | Varchar | Bpchar, Text | Varchar | Bpchar) => Some(Context::Implicit),
        (Name, Text) | (Text | Varchar | Bpchar, Name) => Some(Context::Implicit),
        (Name, Varchar | Bpchar) => Some(Context::Assignment),
        (Int2 | Int4 | Int8, to) if to.is_oid() => Some(Context::Implicit),
        (from, Int4 | Int8) if from.is_oid() => Some(Context::Assignment),
        (Oid, to) if to.is_object() => Some(Context::Implicit),
        (from, Oid) if from.is_object() => Some(Context::Implicit),
        (Text | Varchar, Regclass) | (Char, Text) => Some(Context::Implicit),
        (Text | Varchar | Bpchar, Char) => Some(Context::Assignment),
        (Date, Timestamp | TimestampTz) | (Timestamp, TimestampTz) => Some(Context::Implicit),
        (Timestamp | TimestampTz, Date) | (TimestampTz, Timestamp) => Some(Context::Assignment),
        (Int4, Bool) | (Bool, Int4) => Some(Context::Explicit),
        (Bool, Text | Varchar | Bpchar) => Some(Context::Assignment),
        (_, to) if to.category() == Category::String => Some(Context::Assignment),
        (from, _) if from.category() == Category::String => Some(Context::Explicit),
        _ => None,
    }
}

/// The types of the elements, if both are arrays.
fn elements(from: Type, to: Type) -> (Option<Type>, Option<Type>) {
    let is_vector = to == Int2Vector && from != to;
    if is_vector { (None, None) } else { (from.element(), to.element()) }
}

/// Returns true if the cast happens without being asked for. Functions and operators take arrays as
/// they are.
pub fn is_implicit(from: Type, to: Type) -> bool {
    let is_array = from.category() == Category::Array && from != Int2Vector;
    context(from, to) == Some(Context::Implicit) && (from == to || !is_array)
}

/// Returns true if the values are the same in both types.
pub fn is_relabeling(from: Type, to: Type) -> bool {
    let is_varying = |base| matches!(base, Text | Varchar);
    from == to
        || from.is_integer() && to.is_integer() && from.size() <= to.size()
        || from.is_oid() && to.is_oid()
        || is_varying(from) && is_varying(to)
        || matches!(elements(from, to), (Some(from), Some(to)) if is_relabeling(from, to))
        || from == Float4 && to == Float8
        || matches!((from, to), (Timestamp, TimestampTz) | (TimestampTz, Timestamp) | (Name, Text))
        || matches!((from, to), (Text | Varchar, Bpchar))
}

/// Casts a value that is not NULL.
///
/// # Errors
/// `22003` if it is out of range, `22P02` and its kin if text cannot be read.
pub fn cast(value: Value, from: Type, to: Type) -> Result<Value> {
    if is_relabeling(from, to) {
        return Ok(value);
    }
    Ok(match (value, to) {
        (Value::Array(all), to) if let (Some(from), Some(to)) = elements(from, to) => {
            let cast = |it: &Value| {
                if it.is_null() { Ok(Value::Null) } else { cast(it.clone(), from, to) }
            };
            Value::from(all.iter().map(cast).collect::<Result<Vec<_>>>()?)
        }
        (Value::Int(number), to) if to.is_integer() || to.is_oid() => match to.holds(number) {
            true => Value::Int(number),
            // PostgreSQL takes the bits of an integer of 32 bits.
            false if to.is_oid() && from != Int8 => Value::Int(i64::from(number as u32)),
            false => return Err(to.out_of_range()),
        },
        (Value::Int(number), Float4) => Value::from(f64::from(number as f32)),
        (Value::Int(number), Float8) => Value::from(number as f64),
        (Value::Int(number), Numeric) => Value::from(BigDecimal::from(number)),
        (Value::Int(number), Bool) => Value::Bool(number != 0),
        (Value::Bool(on), Int4) => Value::Int(on.into()),
        (Value::Float(special), Int2 | Int4 | Int8) if from == Numeric => {
            let what = if special.0.is_nan() { "NaN" } else { "infinity" };
            return Err(error!(FEATURE_NOT_SUPPORTED, "cannot convert {what} to {}", to.name()));
        }
        (Value::Float(float), Int2 | Int4 | Int8) => {
            // Halves round to even, as `rint` does.
            let number = float.0.round_ties_even();
            let fits = number >= i64::MIN as f64 && number < -(i64::MIN as f64);
            let number = fits.then_some(number as i64).filter(|it| to.holds(*it));
            Value::Int(number.ok_or_else(|| to.out_of_range())?)
        }
        (Value::Float(float), Float4) => {
            let narrow = float.0 as f32;
            if narrow.is_infinite() && float.0.is_finite() {
                return Err(to.out_of_range());
            }
            if narrow == 0.0 && float.0 != 0.0 {
                return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow"));
            }
            Value::from(f64::from(narrow))
        }
        (Value::Float(float), Numeric) if float.0.is_finite() => {
            Value::from(numeric::from_float(float.0, if from == Float4 { 6 } else { 15 })?)
        }
        (Value::Numeric(number), Int2 | Int4 | Int8) => {
            let number = numeric::to_integer(&number).filter(|it| to.holds(*it));
            Value::Int(number.ok_or_else(|| to.out_of_range())?)
        }
        (Value::Numeric(number), Float4 | Float8) => return to.parse(&number.to_plain_string()),
        (Value::Date(days), Timestamp | TimestampTz) => {
            let us = timestamp_of_date(days);
            Value::Timestamp(us.ok_or_else(|| {
                error!(DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")
            })?)
        }
        (Value::Timestamp(us), Date) => Value::Date(date_of_timestamp(us)),
        (Value::Bool(on), Text | Varchar | Bpchar) => {
            Value::Text(if on { "true" } else { "false" }.to_owned())
        }
        // As text, a char(n) has lost its trailing spaces.
        (Value::Text(text), to) if to.is_text() && from == Bpchar => {
            Value::Text(text.trim_end_matches(' ').to_owned())
        }
        (Value::Text(text), to) => return to.parse(&text),
        (value, to) if to.is_text() => Value::Text(from.text_of(&value)),
        (value, _) => value,
    })
}

/// A number as a float, for estimates: where between two values a third one lies.
pub fn position_of(value: &Value) -> Option<f64> {
    Some(match value {
        Value::Int(number) | Value::Timestamp(number) => *number as f64,
        Value::Date(days) => f64::from(*days),
        Value::Float(float) => Some(float.0).filter(|it| it.is_finite())?,
        Value::Numeric(number) => number.to_f64()?,
        Value::Bool(on) => f64::from(u8::from(*on)),
        _ => return None,
    })
}
