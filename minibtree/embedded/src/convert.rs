//! Rust's types from values and to them. What would lose something is refused.
//!
//! ```text
//! type of SQL             Rust
//! bool                    bool
//! int2, int4, int8, oid   i16, i32, i64, u32, if the number fits
//! float4, float8          f32 of float4 only, f64
//! numeric                 BigDecimal; i16 to i64 if it is a whole number that fits; String
//! text and its kin        String, &str
//! bytea                   Vec<u8>, &[u8]
//! uuid                    [u8; 16]; String
//! timestamptz             SystemTime; String
//! date, timestamp         String, as psql shows them; Value has days or microseconds since 2000
//! NULL                    Option<T>
//! ```
//!
//! A parameter is converted to the type that the statement wants. A string stands for a value of
//! any type, as a quoted literal does: `&"2026-11-30"` for a date, `&"1.50"` for a numeric.

use crate::{Error, Float, Result, Type, Value, code};
use bigdecimal::{BigDecimal, ToPrimitive};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds from 1970 to 2000, where PostgreSQL's time begins.
const FROM_1970_US: i64 = 946_684_800_000_000;

/// A parameter of a statement.
pub trait ToValue {
    /// Its value.
    fn to_value(&self) -> Value;
}

/// A type that a value can be read as.
pub trait FromValue<'v>: Sized {
    /// Reads a value of a column of this type.
    ///
    /// # Errors
    /// `42804`, `22003` or `22004`, without the name of the column.
    fn from_value(value: &'v Value, base: Type) -> Result<Self>;
}

/// A parameter as a value of the type that a statement wants.
pub fn fit(value: Value, wanted: Type) -> Result<Value> {
    /// The largest whole number up to which a float has all of them.
    const EXACT: i64 = 1 << f64::MANTISSA_DIGITS;

    let is_same = match (&value, wanted) {
        (Value::Null, _) => true,
        (Value::Text(text), _) if text.contains('\0') => {
            let text = "invalid byte sequence for encoding \"UTF8\": 0x00";
            return Err(Error::new(code::CHARACTER_NOT_IN_REPERTOIRE, text));
        }
        (Value::Text(text), _) => return wanted.parse(text),
        (Value::Int(number), it) if it.is_integer() || it.is_oid() => {
            let fits = wanted.holds(*number);
            return if fits { Ok(value) } else { Err(wanted.out_of_range()) };
        }
        (Value::Int(number), Type::Numeric) => return Ok(Value::from(BigDecimal::from(*number))),
        (Value::Int(number), Type::Float8) if (-EXACT..=EXACT).contains(number) => {
            return Ok(Value::from(*number as f64));
        }
        (Value::Float(Float(number)), Type::Float4) => {
            number.is_nan() || f64::from(*number as f32) == *number
        }
        (Value::Float(_), Type::Float8) => true,
        (Value::Float(Float(number)), Type::Numeric) => !number.is_finite(),
        (Value::Numeric(_), Type::Numeric) => true,
        (Value::Bool(_), Type::Bool) => true,
        (Value::Bytes(_), Type::Bytea) => true,
        (Value::Uuid(_), Type::Uuid) => true,
        (Value::Date(_), Type::Date) => true,
        (Value::Timestamp(it), Type::Timestamp | Type::TimestampTz) => {
            let is_infinite = [i64::MIN, i64::MAX].contains(it);
            if !is_infinite && !(BC_4713_US..=AD_294276_US).contains(it) {
                return Err(Error::new(code::DATETIME_FIELD_OVERFLOW, "timestamp out of range"));
            }
            true
        }
        _ => false,
    };
    if is_same {
        return Ok(value);
    }
    let (given, wanted) = (type_of(&value), wanted.name());
    let text = format!("the statement wants {wanted}, and {given} was given");
    let error = Error::new(code::DATATYPE_MISMATCH, text);
    Err(error.hint(format!("Convert it, or write a cast: $1::{given}.")))
}

/// The SQL type that a value without one is nearest to.
fn type_of(value: &Value) -> &'static str {
    let base = match value {
        Value::Null => Type::Unknown,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int8,
        Value::Float(_) => Type::Float8,
        Value::Numeric(_) => Type::Numeric,
        Value::Text(_) => Type::Text,
        Value::Bytes(_) => Type::Bytea,
        Value::Date(_) => Type::Date,
        Value::Timestamp(_) => Type::Timestamp,
        Value::Uuid(_) => Type::Uuid,
        Value::Array(_) => return "array",
    };
    base.name()
}

/// The error for a value that cannot be read as a Rust type.
fn refused<T>(value: &Value, base: Type, rust: &str) -> Result<T> {
    if value.is_null() {
        let error = Error::new(code::NULL_VALUE_NOT_ALLOWED, format!("NULL is no {rust}"));
        return Err(error.hint(format!("Read it as Option<{rust}>.")));
    }
    let error = format!("{} is not read as {rust}", base.name());
    let error = Error::new(code::DATATYPE_MISMATCH, error);
    Err(error.hint("Read it as another type, as a Value, or cast it in the query."))
}

macro_rules! integers {
    ($($rust:ident)+) => { $(
        impl ToValue for $rust {
            fn to_value(&self) -> Value {
                Value::Int(i64::from(*self))
            }
        }

        impl FromValue<'_> for $rust {
            fn from_value(value: &Value, base: Type) -> Result<$rust> {
                let number = match value {
                    Value::Int(number) => Some(*number),
                    Value::Numeric(number) if number.is_integer() => number.to_i64(),
                    Value::Numeric(_) => None,
                    other => return refused(other, base, stringify!($rust)),
                };
                number.and_then(|it| $rust::try_from(it).ok()).ok_or_else(|| {
                    let (text, rust) = (base.text_of(value), stringify!($rust));
                    let text = format!("{text} does not fit {rust}");
                    Error::new(code::NUMERIC_VALUE_OUT_OF_RANGE, text)
                })
            }
        }
    )+ };
}

integers!(i16 i32 i64 u32);

/// Types that one kind of value is made of, and that it is read as.
macro_rules! same {
    ($($rust:ty: $to:expr, $pattern:pat => $from:expr;)+) => { $(
        impl ToValue for $rust {
            fn to_value(&self) -> Value {
                let to: fn(&$rust) -> Value = $to;
                to(self)
            }
        }

        impl FromValue<'_> for $rust {
            fn from_value(value: &Value, base: Type) -> Result<$rust> {
                match (value, base) {
                    $pattern => Ok($from),
                    _ => refused(value, base, stringify!($rust)),
                }
            }
        }
    )+ };
}

same! {
    bool: |it| Value::Bool(*it), (Value::Bool(on), _) => *on;
    f32: |it| Value::from(f64::from(*it)), (Value::Float(it), Type::Float4) => it.0 as f32;
    f64: |it| Value::from(*it), (Value::Float(it), _) => it.0;
    BigDecimal: |it| Value::from(it.clone()), (Value::Numeric(it), _) => (**it).clone();
    Vec<u8>: |it| Value::Bytes(it.clone()), (Value::Bytes(bytes), _) => bytes.clone();
    [u8; 16]: |it| Value::Uuid(*it), (Value::Uuid(bytes), _) => *bytes;
    SystemTime: timestamp, (Value::Timestamp(it @ BC_4713_US..=AD_294276_US), Type::TimestampTz)
        => system_time(*it);
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Value {
        Value::Bytes(self.to_vec())
    }
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_value)
    }
}

impl<'v> FromValue<'v> for &'v str {
    fn from_value(value: &'v Value, base: Type) -> Result<&'v str> {
        match value {
            Value::Text(text) => Ok(text),
            other => refused(other, base, "&str"),
        }
    }
}

impl FromValue<'_> for String {
    fn from_value(value: &Value, base: Type) -> Result<String> {
        use Value::{Date, Float, Numeric, Text, Timestamp, Uuid};

        match value {
            Text(text) => Ok(text.clone()),
            Numeric(_) | Date(_) | Timestamp(_) | Uuid(_) => Ok(base.text_of(value)),
            Float(_) if base == Type::Numeric => Ok(base.text_of(value)),
            other => refused(other, base, "String"),
        }
    }
}

impl<'v> FromValue<'v> for &'v [u8] {
    fn from_value(value: &'v Value, base: Type) -> Result<&'v [u8]> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            other => refused(other, base, "&[u8]"),
        }
    }
}

impl FromValue<'_> for Value {
    fn from_value(value: &Value, _: Type) -> Result<Value> {
        Ok(value.clone())
    }
}

impl<'v, T: FromValue<'v>> FromValue<'v> for Option<T> {
    fn from_value(value: &'v Value, base: Type) -> Result<Option<T>> {
        if value.is_null() { Ok(None) } else { T::from_value(value, base).map(Some) }
    }
}

/// The range of timestamps: infinity is outside.
const BC_4713_US: i64 = -211_813_488_000_000_000;
const AD_294276_US: i64 = 9_223_371_331_199_999_999;

/// Microseconds since 2000, rounded down. PostgreSQL's time has no smaller unit.
fn timestamp(time: &SystemTime) -> Value {
    let since_1970 = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos().div_euclid(1_000) as i128,
        Err(before) => (-(before.duration().as_nanos() as i128)).div_euclid(1_000),
    };
    // What does not fit stays out of range, but is not infinity.
    let since_2000 = since_1970 - i128::from(FROM_1970_US);
    let clamped = since_2000.clamp(i128::from(i64::MIN) + 1, i128::from(i64::MAX) - 1);
    Value::Timestamp(clamped as i64)
}

fn system_time(since_2000: i64) -> SystemTime {
    let since_1970 = i128::from(since_2000) + i128::from(FROM_1970_US);
    let distance = Duration::from_micros(since_1970.unsigned_abs() as u64);
    if since_1970 < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
}
