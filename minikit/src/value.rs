//! What an engine can say about itself: a number or a text, and how both look in JSON.
//!
//! ```text
//! 42u64          42
//! -1i64          -1
//! 0.5            0.5
//! f64::NAN       null                     JSON has no such number
//! "a\tb\"c"      "a\tb\"c"                quotes, backslashes and control characters are escaped
//! ```
//!
//! Events, metrics and the x-ray page all carry these. Writing JSON takes forty lines, so there is
//! no library for it in the engines' dependency tree.

use std::fmt::{self, Write};

/// A number, exact where it is whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Any whole number of up to 64 bits, with or without sign.
    Whole(i128),
    /// A measured or computed one.
    Real(f64),
}

/// A number or a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// See [`Number`].
    Number(Number),
    /// Any text; quoted and escaped where the output asks for it.
    Text(String),
}

impl Value {
    /// Appends the JSON form.
    pub(crate) fn write_json(&self, out: &mut String) {
        match self {
            Value::Number(Number::Real(real)) if !real.is_finite() => out.push_str("null"),
            Value::Number(number) => push(out, format_args!("{number}")),
            Value::Text(text) => write_json_text(out, text),
        }
    }
}

/// Appends `text` as a JSON string, quotes included (RFC 8259, section 7).
pub(crate) fn write_json_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => push(out, format_args!("\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Appends `items` between brackets, or braces, with commas.
pub(crate) fn write_json_list<T>(
    out: &mut String,
    brackets: [char; 2],
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push(brackets[0]);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(brackets[1]);
}

/// `write!` to a `String` without the error that cannot happen.
pub(crate) fn push(out: &mut String, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes everything");
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
        let mut out = String::new();
        value.into().write_json(&mut out);
        out
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
        assert_eq!(json("a\"b\\c"), r#""a\"b\\c""#);
        assert_eq!(json("\n\r\t\0\u{1f}"), r#""\n\r\t\u0000\u001f""#);
        assert_eq!(json("naïve ✓"), "\"naïve ✓\"");
    }

    #[test]
    fn lists_have_commas_between() {
        let list = |items: &[u64]| {
            let mut out = String::new();
            write_json_list(&mut out, ['[', ']'], items, |out, item| {
                Value::from(*item).write_json(out);
            });
            out
        };
        assert_eq!([list(&[]), list(&[1]), list(&[1, 2, 3])], ["[]", "[1]", "[1,2,3]"]);
    }
}
