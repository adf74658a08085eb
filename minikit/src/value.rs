//! What an engine can report about itself: a number or a text.
//!
//! ```text
//! 42u64          42
//! -1i64          -1
//! 0.5            0.5
//! f64::NAN       null                     JSON has no such number
//! "a\tb\"c"      "a\tb\"c"                quotes, backslashes and control characters are escaped
//! ```
//!
//! The cells of the state page are values; metrics are numbers. JSON is written by `serde_json`.
//! The counterpart in Redis is the reply of `DEBUG` and `INFO`: text that each client parses anew.

use std::fmt;

use serde::{Serialize, Serializer};

/// A number, exact if it is whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Any whole number of up to 64 bits, signed or unsigned.
    Whole(i128),
    /// A measured or computed number.
    Real(f64),
}

/// A number or a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// See [`Number`].
    Number(Number),
    /// Any text. The output quotes and escapes it as its format demands.
    Text(String),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Number(Number::Whole(whole)) => serializer.serialize_i128(*whole),
            Value::Number(Number::Real(real)) => serializer.serialize_f64(*real),
            Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(whole) => whole.fmt(f),
            Number::Real(real) => real.fmt(f),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::Text(text) => text.fmt(f),
        }
    }
}

macro_rules! whole {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Number {
            fn from(number: $kind) -> Number {
                Number::Whole(number as i128)
            }
        }
        impl From<$kind> for Value {
            fn from(number: $kind) -> Value {
                Value::Number(number.into())
            }
        }
    )*};
}

whole!(u8, u16, u32, u64, usize, i32, i64);

impl From<f64> for Number {
    fn from(number: f64) -> Number {
        Number::Real(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Number(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: impl Into<Value>) -> String {
        serde_json::to_string(&value.into()).expect("values are JSON")
    }

    #[test]
    fn numbers_are_exact_and_json_has_no_others() {
        assert_eq!(json(u64::MAX), "18446744073709551615");
        assert_eq!(json(i64::MIN), "-9223372036854775808");
        assert_eq!(json(0.1), "0.1");
        assert_eq!(json(f64::NAN), "null");
        assert_eq!(json(f64::INFINITY), "null");
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(json("a\tb\"c"), r#""a\tb\"c""#);
        assert_eq!(json("\n\r\t\0\u{1f}"), r#""\n\r\t\u0000\u001f""#);
        assert_eq!(json("naïve ✓"), "\"naïve ✓\"");
    }
}
