//! Functions of any number of arguments of any types, which come as text.
//!
//! ```text
//! concat('a', NULL, 1)                    a1
//! concat_ws(', ', 'a', NULL, 1)           a, 1
//! format('%s %2$L %1$I', 'a b', 'it''s')  a b 'it''s' "a b"
//! ```
//!
//! PostgreSQL's `text_format` and `concat_internal` in `varlena.c`.

use crate::catalog::quoted;
use crate::strings::{bounded, check_length, quoted_literal, text};
use crate::table::{Function, function};
use Type::*;
use minibtree_types::error;
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::{Type, Value};
use std::iter::Peekable;
use std::str::Chars;

/// Each with the arguments that it has at least.
pub fn rows() -> Vec<Function> {
    let variadic = |name, least: &[Type], call| Function {
        takes_nulls: true,
        is_variadic: true,
        ..function(name, least, Text, call)
    };
    vec![
        variadic("concat", &[Text], |v| bounded(joined(v, ""))),
        variadic("concat_ws", &[Text, Text], |v| match &v[0] {
            Value::Text(separator) => bounded(joined(&v[1..], separator)),
            _ => Ok(Value::Null),
        }),
        variadic("format", &[Text], |v| match &v[0] {
            Value::Text(format) => bounded(formatted(format, &v[1..])?),
            _ => Ok(Value::Null),
        }),
    ]
}

fn joined(values: &[Value], separator: &str) -> String {
    values.iter().filter(|it| !it.is_null()).map(text).collect::<Vec<_>>().join(separator)
}

fn formatted(format: &str, arguments: &[Value]) -> Result<String> {
    let mut rest = Specifiers { rest: format.chars().peekable(), arguments, next: 0 };
    let mut out = String::new();
    while let Some(character) = rest.rest.next() {
        match character {
            '%' => out += &rest.specifier()?,
            other => out.push(other),
        }
        check_length(out.len())?;
    }
    Ok(out)
}

/// What comes after a percent sign: `%[position$][-][width]type`.
struct Specifiers<'a> {
    rest: Peekable<Chars<'a>>,
    arguments: &'a [Value],
    /// The argument after the last one.
    next: usize,
}

impl Specifiers<'_> {
    fn specifier(&mut self) -> Result<String> {
        // A number is a position if a dollar sign follows, else the width.
        let mut position = None;
        let mut width = self.number()?;
        if width.is_some() && self.accept('$') {
            (position, width) = (width, None);
        }
        let mut is_left = false;
        if width.is_none() {
            while self.accept('-') {
                is_left = true;
            }
            width = match self.accept('*') {
                true => Some(self.width_argument(&mut is_left)?),
                false => self.number()?,
            };
        }

        let value = match self.rest.next() {
            None => return Err(malformed("unterminated format() type specifier")),
            Some('%') => return Ok("%".to_owned()),
            Some(kind @ ('s' | 'I' | 'L')) => written(kind, self.argument(position)?)?,
            Some(kind) => {
                let text = format!("unrecognized format() type specifier \"{kind}\"");
                return Err(malformed(&text));
            }
        };
        let width = width.unwrap_or(0);
        check_length(width)?;
        let blanks = " ".repeat(width.saturating_sub(value.chars().count()));
        Ok(if is_left { value + &blanks } else { blanks + &value })
    }

    fn accept(&mut self, wanted: char) -> bool {
        self.rest.next_if_eq(&wanted).is_some()
    }

    fn number(&mut self) -> Result<Option<usize>> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        if digits.is_empty() {
            return Ok(None);
        }
        let number = digits.parse::<i32>().ok();
        let text = "number is out of range";
        let error = SqlError::new(code::NUMERIC_VALUE_OUT_OF_RANGE, text);
        number.map(|it| Some(it as usize)).ok_or(error)
    }

    /// The argument at a position from 1 on, or the next one.
    fn argument(&mut self, position: Option<usize>) -> Result<&Value> {
        let position = position.unwrap_or(self.next + 1);
        if position == 0 {
            let text = "format specifies argument 0, but arguments are numbered from 1";
            return Err(SqlError::new(code::INVALID_PARAMETER_VALUE, text));
        }
        self.next = position;
        let error =
            || SqlError::new(code::INVALID_PARAMETER_VALUE, "too few arguments for format()");
        self.arguments.get(position - 1).ok_or_else(error)
    }

    /// A width that is an argument; a negative one aligns to the left.
    fn width_argument(&mut self, is_left: &mut bool) -> Result<usize> {
        let position = self.number()?;
        if position.is_some() && !self.accept('$') {
            return Err(malformed("width argument position must be ended by \"$\""));
        }
        let width = match self.argument(position)? {
            Value::Null => 0,
            value => match Int4.parse(text(value))? {
                Value::Int(width) => width,
                _ => unreachable!("an integer is read"),
            },
        };
        *is_left |= width < 0;
        Ok(width.unsigned_abs() as usize)
    }
}

/// A value as text, as an identifier, or as a literal.
fn written(kind: char, value: &Value) -> Result<String> {
    Ok(match (kind, value) {
        ('I', Value::Null) => {
            let text = "null values cannot be formatted as an SQL identifier";
            return Err(error!(NULL_VALUE_NOT_ALLOWED, "{text}"));
        }
        ('L', Value::Null) => "NULL".to_owned(),
        (_, Value::Null) => String::new(),
        ('I', value) => quoted(text(value)),
        ('L', value) => quoted_literal(text(value)),
        (_, value) => text(value).to_owned(),
    })
}

fn malformed(text: &str) -> SqlError {
    let hint = "For a single \"%\" use \"%%\".";
    SqlError::new(code::INVALID_PARAMETER_VALUE, text).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<Value> {
        texts.iter().map(|it| Value::Text((*it).to_owned())).collect()
    }

    #[test]
    fn formats_are_those_of_postgresql() {
        // Asked of PostgreSQL 15.
        for (format, arguments, wanted) in [
            ("Hello %s %1$s %s", &["World", "again"][..], "Hello World World again"),
            (">>%10s<<", &["Hello"], ">>     Hello<<"),
            (">>%2$*1$L<<", &["-10", "it's"], ">>'it''s'   <<"),
            ("%I%%", &["a b"], "\"a b\"%"),
        ] {
            assert_eq!(formatted(format, &texts(arguments)).as_deref(), Ok(wanted));
        }
        let wide = formatted("%70000s", &texts(&["1"])).expect("short enough");
        assert_eq!(wide.len(), 70_000);
        assert_eq!(formatted("%2000000000s", &texts(&["1"])).expect_err("long").code, "54000");
        for format in ["%", "%x", "%s %s", "%0$s", "%*1s"] {
            let error = formatted(format, &texts(&["1"])).expect_err(format);
            assert_eq!(error.code, code::INVALID_PARAMETER_VALUE, "{format}");
        }
    }
}
