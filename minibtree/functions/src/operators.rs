//! Operators.
//!
//! Integers have a row for each pair of sizes, so that `int2 + int8` needs no cast and overflows
//! where the wider type does. PostgreSQL's `pg_operator.dat`, of which this is what the POCs, psql
//! and pgbench use.

use crate::bytes::bytes;
use crate::like::{is_like, with_backslash};
use crate::numbers::{float, float4, integer, number, numeric};
use crate::strings::text;
use crate::table::{Function, function};
use Type::*;
use minibtree_datetime::add_days;
use minibtree_types::error;
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::{Type, Value, compare, numeric as decimal};
use regex::{Regex, RegexBuilder};
use std::cell::RefCell;
use std::cmp::Ordering::{self, Equal, Greater, Less};

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Comparison {
    /// Each as it is written, with the orders of two values that meet it.
    const TABLE: [(Comparison, &str, [Ordering; 2]); 6] = [
        (Self::Eq, "=", [Equal, Equal]),
        (Self::Ne, "<>", [Less, Greater]),
        (Self::Lt, "<", [Less, Less]),
        (Self::Le, "<=", [Less, Equal]),
        (Self::Gt, ">", [Greater, Greater]),
        (Self::Ge, ">=", [Greater, Equal]),
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::TABLE[self as usize].1
    }

    /// The comparison that is written so.
    pub fn named(name: &str) -> Option<Comparison> {
        Self::TABLE.iter().find(|it| it.1 == name).map(|it| it.0)
    }

    /// Returns true if two values in this order meet it.
    pub fn is_met(self, ordering: Ordering) -> bool {
        Self::TABLE[self as usize].2.contains(&ordering)
    }

    /// Compares two values; NULL if one of them is. `padded`: as for [`compare`].
    pub fn of(self, left: &Value, right: &Value, padded: bool) -> Value {
        match left.is_null() || right.is_null() {
            true => Value::Null,
            false => Value::Bool(self.is_met(compare(left, right, padded))),
        }
    }

    /// The comparison with its sides swapped.
    pub fn swapped(self) -> Comparison {
        match self {
            Comparison::Lt => Comparison::Gt,
            Comparison::Le => Comparison::Ge,
            Comparison::Gt => Comparison::Lt,
            Comparison::Ge => Comparison::Le,
            same => same,
        }
    }
}

/// The rows of the table.
pub fn rows() -> Vec<Function> {
    let mut rows = comparisons();
    rows.extend(integers());

    /// The same operation for both sizes.
    macro_rules! sizes {
        ($compute:expr, $can_vanish:expr) => {
            (|v| float($compute(v)?, v, $can_vanish), |v| float4($compute(v)?, v, $can_vanish))
        };
    }
    type Call = fn(&[Value]) -> Result<Value>;
    type Operands<'a> = &'a [Value];
    let floats: [(&str, (Call, Call)); 4] = [
        ("+", sizes!(|v: Operands| Ok::<_, SqlError>(number(&v[0]) + number(&v[1])), false)),
        ("-", sizes!(|v: Operands| Ok::<_, SqlError>(number(&v[0]) - number(&v[1])), false)),
        ("*", sizes!(|v: Operands| Ok::<_, SqlError>(number(&v[0]) * number(&v[1])), true)),
        ("/", sizes!(|v: Operands| quotient(number(&v[0]), number(&v[1])), true)),
    ];
    for (name, (wide, narrow)) in floats {
        rows.push(function(name, &[Float8, Float8], Float8, wide));
        rows.push(function(name, &[Float4, Float4], Float4, narrow));
        // The narrower one needs no cast: its values are floats of 64 bits already.
        rows.push(function(name, &[Float4, Float8], Float8, wide));
        rows.push(function(name, &[Float8, Float4], Float8, wide));
    }
    rows.extend([
        function("+", &[Numeric, Numeric], Numeric, |v| {
            Ok(Value::from(decimal::add(numeric(&v[0]), numeric(&v[1]))))
        }),
        function("-", &[Numeric, Numeric], Numeric, |v| {
            Ok(Value::from(decimal::add(numeric(&v[0]), &-numeric(&v[1]))))
        }),
        function("*", &[Numeric, Numeric], Numeric, |v| {
            decimal::multiply(numeric(&v[0]), numeric(&v[1])).map(Value::from)
        }),
        function("/", &[Numeric, Numeric], Numeric, |v| {
            decimal::divide(numeric(&v[0]), numeric(&v[1])).map(Value::from)
        }),
        function("%", &[Numeric, Numeric], Numeric, |v| {
            decimal::remainder(numeric(&v[0]), numeric(&v[1])).map(Value::from)
        }),
        function("-", &[Numeric], Numeric, |v| Ok(Value::from(-numeric(&v[0])))),
        function("-", &[Float8], Float8, |v| Ok(Value::from(-number(&v[0])))),
        function("-", &[Float4], Float4, |v| Ok(Value::from(-number(&v[0])))),
    ]);
    for base in [Int2, Int4, Int8, Float4, Float8, Numeric] {
        rows.push(function("+", &[base], base, |v| Ok(v[0].clone())));
    }
    rows.extend(others());
    rows
}

fn others() -> Vec<Function> {
    let mut rows = vec![
        function("||", &[Text, Text], Text, |v| {
            Ok(Value::Text(format!("{}{}", text(&v[0]), text(&v[1]))))
        }),
        function("||", &[Bytea, Bytea], Bytea, |v| match v {
            [Value::Bytes(left), Value::Bytes(right)] => {
                Ok(Value::Bytes([&left[..], right].concat()))
            }
            _ => unreachable!("two byte strings"),
        }),
        function("+", &[Date, Int4], Date, |v| date_plus(&v[0], integer(&v[1]))),
        function("+", &[Int4, Date], Date, |v| date_plus(&v[1], integer(&v[0]))),
        function("-", &[Date, Int4], Date, |v| date_plus(&v[0], -integer(&v[1]))),
        function("-", &[Date, Date], Int4, |v| match v {
            [Value::Date(i32::MIN | i32::MAX), _] | [_, Value::Date(i32::MIN | i32::MAX)] => {
                Err(error!(DATETIME_FIELD_OVERFLOW, "cannot subtract infinite dates"))
            }
            [Value::Date(left), Value::Date(right)] => {
                Ok(Value::Int(i64::from(*left) - i64::from(*right)))
            }
            _ => unreachable!("two days"),
        }),
    ];
    rows.extend([
        function("like_escape", &[Text, Text], Text, |v| {
            with_backslash(text(&v[0]), text(&v[1])).map(Value::Text)
        }),
        function("~~", &[Bytea, Bytea], Bool, |v| like_bytes(v, true)),
        function("!~~", &[Bytea, Bytea], Bool, |v| like_bytes(v, false)),
    ]);
    // A char(n) is matched with its trailing spaces, a name and a varchar as text.
    for base in [Text, Bpchar, Name] {
        rows.extend([
            function("~~", &[base, Text], Bool, |v| like(v, false, true)),
            function("!~~", &[base, Text], Bool, |v| like(v, false, false)),
            function("~~*", &[base, Text], Bool, |v| like(v, true, true)),
            function("!~~*", &[base, Text], Bool, |v| like(v, true, false)),
            function("~", &[base, Text], Bool, |v| matches(v, false, true)),
            function("!~", &[base, Text], Bool, |v| matches(v, false, false)),
            function("~*", &[base, Text], Bool, |v| matches(v, true, true)),
            function("!~*", &[base, Text], Bool, |v| matches(v, true, false)),
        ]);
    }
    rows
}

/// All pairs of types that can be compared. The call is used by nobody: a comparison is an
/// expression of its own, which the planner understands.
fn comparisons() -> Vec<Function> {
    const GROUPS: [&[Type]; 4] =
        [&[Int2, Int4, Int8], &[Float4, Float8], &[Date, Timestamp, TimestampTz], &[Text, Name]];
    const ALONE: [Type; 9] = [Bool, Oid, Numeric, Bpchar, Bytea, Uuid, Char, Int2Vector, OidArray];

    let within = |group: &&'static [Type]| {
        group.iter().flat_map(|left| group.iter().map(move |right| [*left, *right]))
    };
    let pairs: Vec<[Type; 2]> =
        GROUPS.iter().flat_map(within).chain(ALONE.map(|it| [it, it])).collect();
    let mut rows = Vec::new();
    for (_, name, _) in Comparison::TABLE {
        let row = |pair: &[Type; 2]| {
            function(name, pair, Bool, |v| Ok(Value::Bool(compare(&v[0], &v[1], false).is_eq())))
        };
        rows.extend(pairs.iter().map(row));
    }
    rows
}

fn integers() -> Vec<Function> {
    const TYPES: [Type; 3] = [Int2, Int4, Int8];

    /// The same operation for each size of its result.
    macro_rules! sizes {
        ($checked:expr) => {
            [
                (Int2, |v: &[Value]| in_range(Int2, $checked(integer(&v[0]), integer(&v[1]))?)),
                (Int4, |v: &[Value]| in_range(Int4, $checked(integer(&v[0]), integer(&v[1]))?)),
                (Int8, |v: &[Value]| in_range(Int8, $checked(integer(&v[0]), integer(&v[1]))?)),
            ]
        };
    }
    type Sized = (Type, fn(&[Value]) -> Result<Value>);
    let operations: [(&str, [Sized; 3]); 5] = [
        ("+", sizes!(|a: i64, b| Ok::<_, SqlError>(a.checked_add(b)))),
        ("-", sizes!(|a: i64, b| Ok::<_, SqlError>(a.checked_sub(b)))),
        ("*", sizes!(|a: i64, b| Ok::<_, SqlError>(a.checked_mul(b)))),
        ("/", sizes!(|a: i64, b| nonzero(b).map(|b| a.checked_div(b)))),
        // The only overflow is the smallest number % -1, which is 0.
        ("%", sizes!(|a: i64, b| nonzero(b).map(|b| Some(a.wrapping_rem(b))))),
    ];
    let mut rows = Vec::new();
    for (name, sizes) in operations {
        for (left, right) in TYPES.iter().flat_map(|left| TYPES.map(|right| (*left, right))) {
            // PostgreSQL has no remainder of different sizes; it casts.
            if name == "%" && left != right {
                continue;
            }
            let wider = if left.size() >= right.size() { left } else { right };
            let call = sizes.iter().find(|it| it.0 == wider).expect("each size is there").1;
            rows.push(function(name, &[left, right], wider, call));
        }
    }
    rows.extend([
        function("-", &[Int2], Int2, |v| in_range(Int2, integer(&v[0]).checked_neg())),
        function("-", &[Int4], Int4, |v| in_range(Int4, integer(&v[0]).checked_neg())),
        function("-", &[Int8], Int8, |v| in_range(Int8, integer(&v[0]).checked_neg())),
        function("<<", &[Int2, Int4], Int2, |v| {
            shifted(v, |a, b| (a as i32).wrapping_shl(b) as i16)
        }),
        function("<<", &[Int4, Int4], Int4, |v| shifted(v, |a, b| (a as i32).wrapping_shl(b))),
        function("<<", &[Int8, Int4], Int8, |v| shifted(v, i64::wrapping_shl)),
        function(">>", &[Int2, Int4], Int2, |v| shifted(v, |a, b| (a as i32).wrapping_shr(b))),
        function(">>", &[Int4, Int4], Int4, |v| shifted(v, |a, b| (a as i32).wrapping_shr(b))),
        function(">>", &[Int8, Int4], Int8, |v| shifted(v, i64::wrapping_shr)),
    ]);
    for base in TYPES {
        rows.extend([
            function("&", &[base, base], base, |v| Ok(Value::Int(integer(&v[0]) & integer(&v[1])))),
            function("|", &[base, base], base, |v| Ok(Value::Int(integer(&v[0]) | integer(&v[1])))),
            function("#", &[base, base], base, |v| Ok(Value::Int(integer(&v[0]) ^ integer(&v[1])))),
            function("~", &[base], base, |v| Ok(Value::Int(!integer(&v[0])))),
        ]);
    }
    rows
}

/// A shift counts modulo the bits of the number, as the processor does.
fn shifted<T: Into<i64>>(values: &[Value], shift: impl Fn(i64, u32) -> T) -> Result<Value> {
    Ok(Value::Int(shift(integer(&values[0]), integer(&values[1]) as u32).into()))
}

/// An integer of a type.
///
/// # Errors
/// `22003` if it overflows.
pub fn in_range(base: Type, number: Option<i64>) -> Result<Value> {
    let number = number.filter(|it| base.holds(*it));
    number.map(Value::Int).ok_or_else(|| base.out_of_range())
}

pub(super) fn nonzero(number: i64) -> Result<i64> {
    match number {
        0 => Err(SqlError::new(code::DIVISION_BY_ZERO, "division by zero")),
        number => Ok(number),
    }
}

/// A quotient of floats.
///
/// # Errors
/// `22012`, but NaN can be divided by anything.
fn quotient(left: f64, right: f64) -> Result<f64> {
    if right == 0.0 && !left.is_nan() {
        return Err(SqlError::new(code::DIVISION_BY_ZERO, "division by zero"));
    }
    Ok(left / right)
}

fn date_plus(date: &Value, days: i64) -> Result<Value> {
    let Value::Date(date) = date else { unreachable!("a day") };
    add_days(*date, days)
        .map(Value::Date)
        .ok_or_else(|| SqlError::new(code::DATETIME_FIELD_OVERFLOW, "date out of range"))
}

fn like(values: &[Value], ignore_case: bool, wanted: bool) -> Result<Value> {
    let is_like = is_like(text(&values[0]), text(&values[1]), Some('\\'), ignore_case)?;
    Ok(Value::Bool(is_like == wanted))
}

/// A byte is as good as a character.
fn like_bytes(values: &[Value], wanted: bool) -> Result<Value> {
    let characters = |value| bytes(value).iter().map(|byte| char::from(*byte)).collect::<String>();
    let is_like = is_like(&characters(&values[0]), &characters(&values[1]), Some('\\'), false)?;
    Ok(Value::Bool(is_like == wanted))
}

fn matches(values: &[Value], ignore_case: bool, wanted: bool) -> Result<Value> {
    thread_local! {
        /// The last pattern: most statements have one.
        static LAST: RefCell<Option<(String, bool, Regex)>> = const { RefCell::new(None) };
    }

    let (text, pattern) = (text(&values[0]), text(&values[1]));
    LAST.with_borrow_mut(|last| {
        let is_last = last.as_ref().is_some_and(|it| it.0 == pattern && it.1 == ignore_case);
        if !is_last {
            let mut builder = RegexBuilder::new(pattern);
            let builder = builder.case_insensitive(ignore_case).dot_matches_new_line(true);
            let regex = builder.build().map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().replace("error: ", "");
                error!(INVALID_REGULAR_EXPRESSION, "invalid regular expression: {reason}")
            })?;
            *last = Some((pattern.to_owned(), ignore_case, regex));
        }
        let is_match = last.as_ref().is_some_and(|it| it.2.is_match(text));
        Ok(Value::Bool(is_match == wanted))
    })
}
