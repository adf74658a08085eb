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

use serde::Serialize;

/// A number, exact if it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// Any whole number of up to 64 bits, signed or unsigned.
    Whole(i128),
    /// A measured or computed number.
    Real(f64),
}

/// A number or a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// See [`Number`].
    Number(Number),
    /// Any text. The output quotes and escapes it as its format demands.
    Text(String),
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

macro_rules! numbers {
    ($($kind:ty => $variant:ident($as:ty)),*) => {$(
        impl From<$kind> for Number {
            fn from(number: $kind) -> Number {
                Number::$variant(number as $as)
            }
        }
        impl From<$kind> for Value {
            fn from(number: $kind) -> Value {
                Value::Number(number.into())
            }
        }
    )*};
}

numbers!(u8 => Whole(i128), u16 => Whole(i128), u32 => Whole(i128), u64 => Whole(i128),
    usize => Whole(i128), i32 => Whole(i128), i64 => Whole(i128), f64 => Real(f64));

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
