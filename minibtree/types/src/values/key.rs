//! Index keys: bytes that sort as the values do.
//!
//! ```
//! use minibtree_types::values::key;
//! use minibtree_types::values::{Type, Value};
//!
//! let key = |number| key::of(&[(Type::Int2, &Value::Int(number))]);
//! assert_eq!(key(-1), [0, 0x7f, 0xff]); // present; the sign bit flipped, big-endian
//! assert_eq!(key(1), [0, 0x80, 0x01]);
//! assert!(key(-1) < key(1));
//! assert_eq!(key::of(&[(Type::Int2, &Value::Null)]), [1]); // after every number
//! ```
//!
//! The engine compares keys by `memcmp` and knows no types. So the encoding of each column must
//! sort right, and no encoded value may be a prefix of another one, or the next column would take
//! part in the comparison too early:
//!
//! ```text
//! ("a", "b")    00 61 00   00 62 00      the zero after the text ends it; text contains none
//! ("ab", "a")   00 61 62 00   00 61 00   greater: 62 > 00
//! ```
//!
//! PostgreSQL keeps the columns as they are in the row and calls a comparison function per column
//! (`_bt_compare`); CockroachDB and MyRocks do as we do.

use super::{Type, Value};
use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::Sign;

const PRESENT: u8 = 0;
/// NULLs come last, as in PostgreSQL.
const NULL: u8 = 1;

/// How a column of an index is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The type of its values.
    pub base: Type,
    /// From large values to small ones.
    pub descending: bool,
    /// NULLs come before all values.
    pub nulls_first: bool,
}

impl Order {
    /// Ascending, NULLs last.
    pub fn ascending(base: Type) -> Order {
        Order { base, descending: false, nulls_first: false }
    }
}

/// The key of these columns, ascending.
pub fn of(columns: &[(Type, &Value)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(columns.len() * 9);
    for (base, value) in columns {
        append(Order::ascending(*base), value, &mut out);
    }
    out
}

/// Bytes that are equal if and only if the values are. Integers of all sizes are written alike, so
/// that `int4` and `int8` can be looked up in one hash table.
pub fn hashed<'a>(columns: impl Iterator<Item = (Type, &'a Value)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (base, value) in columns {
        let base = if base.is_integer() { Type::Int8 } else { base };
        append(Order::ascending(base), value, &mut out);
    }
    out
}

/// Appends the bytes of one column.
pub fn append(order: Order, value: &Value, out: &mut Vec<u8>) {
    let start = out.len();
    if value.is_null() {
        // Inverted with the rest below, a NULL of a descending column comes first.
        let is_first = order.nulls_first != order.descending;
        out.push(if is_first { PRESENT } else { NULL });
    } else {
        let is_last = order.nulls_first != order.descending;
        out.push(if is_last { NULL } else { PRESENT });
        append_value(order.base, value, out);
    }
    if order.descending {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

fn append_value(base: Type, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Bool(on) => out.push(u8::from(*on)),
        Value::Int(number) if base.is_oid() => {
            out.extend_from_slice(&(*number as u32).to_be_bytes());
        }
        // Negative numbers have the first bit set, and must sort before the others.
        Value::Int(number) | Value::Timestamp(number) => {
            let (bytes, size) = (number.to_be_bytes(), base.size() as usize);
            let start = out.len();
            out.extend_from_slice(&bytes[8 - size..]);
            out[start] ^= 0x80;
        }
        Value::Date(days) => out.extend_from_slice(&(*days as u32 ^ 1 << 31).to_be_bytes()),
        Value::Float(special) if base == Type::Numeric => out.extend_from_slice(match special.0 {
            f64::NEG_INFINITY => &[0, 0, 0, 0, 0, 0xff],
            f64::INFINITY => &[2, 0xff, 0xff, 0xff, 0xff, 0],
            _ => &[3],
        }),
        Value::Float(float) => {
            // Values that are equal must have the same key: one zero, one NaN, which is greatest.
            let canonical = if float.0.is_nan() { f64::NAN.abs() } else { float.0 + 0.0 };
            let bits = canonical.to_bits();
            let sign = 1 << 63;
            let sorted = if bits & sign == 0 { bits | sign } else { !bits };
            out.extend_from_slice(&sorted.to_be_bytes());
        }
        Value::Text(text) => {
            // Values that are equal must have the same key.
            let text = if base == Type::Bpchar { text.trim_end_matches(' ') } else { text };
            out.extend_from_slice(text.as_bytes());
            out.push(0);
        }
        Value::Bytes(bytes) => {
            for byte in bytes {
                out.push(*byte);
                // A zero is followed by ff, which the end is not.
                out.extend((*byte == 0).then_some(0xff));
            }
            out.extend_from_slice(&[0, 0]);
        }
        Value::Uuid(bytes) => out.extend_from_slice(bytes),
        Value::Numeric(number) => append_numeric(number, out),
        // One after each element that another one follows, zero at the end.
        Value::Array(elements) => {
            let order = Order::ascending(base.element().unwrap_or(base));
            for element in &**elements {
                out.push(1);
                append(order, element, out);
            }
            out.push(0);
        }
    }
}

/// The sign, how many digits there are before the point, the digits without trailing zeros, an end.
/// All but the sign is inverted if the number is negative. The infinities are numbers with more
/// digits than any other, and NaN has a greater sign.
fn append_numeric(number: &BigDecimal, out: &mut Vec<u8>) {
    let (whole, scale) = number.as_bigint_and_exponent();
    let sign = whole.sign();
    out.push(match sign {
        Sign::Minus => 0,
        Sign::NoSign => 1,
        Sign::Plus => 2,
    });
    if sign == Sign::NoSign {
        return;
    }
    let start = out.len();
    let digits = whole.magnitude().to_string();
    let before = digits.len() as i64 - scale;
    out.extend_from_slice(&(before as i32 as u32 ^ 1 << 31).to_be_bytes());
    out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
    out.push(0);
    if sign == Sign::Minus {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// Takes one column off the front of a key; `None` if the key is damaged. Values of types whose
/// keys do not tell them exactly (`1.0` and `1.00` have one) are passed over, and returned as NULL.
pub fn take(order: Order, bytes: &mut &[u8]) -> Option<Value> {
    let is_null = order.nulls_first != order.descending;
    let flip = |byte: u8| if order.descending { !byte } else { byte };
    let (tag, rest) = bytes.split_first()?;
    *bytes = rest;
    if (flip(*tag) == PRESENT) == is_null {
        return Some(Value::Null);
    }
    let size = size_of(order.base, bytes, flip)?;
    let (taken, rest) = bytes.split_at_checked(size)?;
    *bytes = rest;
    let taken: Vec<u8> = taken.iter().map(|byte| flip(*byte)).collect();
    let number = || {
        let first = i64::from((taken[0] ^ 0x80) as i8);
        taken[1..].iter().fold(first, |number, byte| number << 8 | i64::from(*byte))
    };
    Some(match order.base {
        Type::Bool => Value::Bool(taken[0] != 0),
        Type::Int2 | Type::Int4 | Type::Int8 => Value::Int(number()),
        Type::Timestamp | Type::TimestampTz => Value::Timestamp(number()),
        Type::Date => Value::Date(number() as i32),
        Type::Uuid => Value::Uuid(taken.try_into().ok()?),
        Type::Bytea => {
            let mut value = Vec::new();
            let mut rest = &taken[..size - 2];
            while let [byte, after @ ..] = rest {
                value.push(*byte);
                rest = if *byte == 0 { after.get(1..)? } else { after };
            }
            Value::Bytes(value)
        }
        Type::Float4 | Type::Float8 | Type::Numeric | Type::Bpchar => Value::Null,
        base if base.is_oid() => Value::Int(u32::from_be_bytes(taken.try_into().ok()?).into()),
        _ => Value::Text(String::from_utf8(taken[..size - 1].to_vec()).ok()?),
    })
}

/// Bytes of the value at the front of a key.
fn size_of(base: Type, bytes: &[u8], flip: impl Fn(u8) -> u8) -> Option<usize> {
    let end = |from: usize| {
        let found = bytes.get(from..)?.iter().position(|byte| flip(*byte) == 0)?;
        Some(from + found + 1)
    };
    match base {
        Type::Float4 => Some(8),
        Type::Numeric => match flip(*bytes.first()?) {
            1 | 3 => Some(1),
            2 => end(5),
            // The rest of a negative number is inverted once more.
            _ => {
                let found = bytes.get(5..)?.iter().position(|byte| flip(*byte) == 0xff)?;
                Some(5 + found + 1)
            }
        },
        Type::Bytea => {
            let mut at = 0;
            loop {
                at = end(at)?;
                if flip(*bytes.get(at)?) == 0 {
                    return Some(at + 1);
                }
                at += 1;
            }
        }
        base if base.is_text() => end(0),
        base => Some(base.size() as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{compare, compare_with_nulls};
    use proptest::prelude::*;
    use std::cmp::Ordering;

    /// The order of two rows by their values, NULLs last.
    fn by_value(base: Type, left: &Value, right: &Value) -> Ordering {
        match (left, right) {
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Null, _) => Ordering::Greater,
            (_, Value::Null) => Ordering::Less,
            _ => compare(left, right, base == Type::Bpchar),
        }
    }

    fn nullable(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        prop_oneof![1 => Just(Value::Null), 9 => value]
    }

    proptest! {
        #[test]
        fn keys_sort_as_rows(
            a in prop::collection::vec(nullable("[ab ]{0,4}".prop_map(Value::Text)), 2),
            b in prop::collection::vec(nullable((-300i64..300).prop_map(Value::Int)), 2),
            padded in any::<bool>(),
        ) {
            let text = if padded { Type::Bpchar } else { Type::Text };
            let key = |row: usize| of(&[(text, &a[row]), (Type::Int4, &b[row])]);
            let order = by_value(text, &a[0], &a[1]).then(by_value(Type::Int4, &b[0], &b[1]));
            prop_assert_eq!(key(0).cmp(&key(1)), order);
        }

        #[test]
        fn numbers_sort_in_both_directions(
            a in "-?[0-9]{1,3}[.][0-9]{0,3}|NaN|-?inf", b in "-?[0-9]{1,3}[.][0-9]{0,3}|NaN|-?inf",
            descending in any::<bool>(), nulls_first in any::<bool>(), nulls in 0..3,
        ) {
            for base in [Type::Numeric, Type::Float8] {
                let read = |text: &str| base.parse(text).unwrap();
                let a = if nulls == 1 { Value::Null } else { read(&a) };
                let b = if nulls == 2 { Value::Null } else { read(&b) };
                let key = |value: &Value| {
                    let mut out = Vec::new();
                    append(Order { base, descending, nulls_first }, value, &mut out);
                    out
                };
                let order = compare_with_nulls(&a, &b, false, descending, nulls_first);
                prop_assert_eq!(key(&a).cmp(&key(&b)), order);
            }
        }

        #[test]
        fn keys_are_taken_apart(
            number in any::<i32>(),
            text in "[^\0]{0,5}",
            bytes in prop::collection::vec(0u8..3, 0..4),
            decimal in "-?[0-9]{1,3}[.][0-9]{0,3}|NaN|-?inf", descending in any::<bool>(),
        ) {
            let columns = [
                (Type::Numeric, Type::Numeric.parse(&decimal).unwrap()),
                (Type::Int4, Value::Int(number.into())),
                (Type::Text, Value::Null),
                (Type::Text, Value::Text(text)),
                (Type::Float8, Value::from(1.5)),
                (Type::Bytea, Value::Bytes(bytes)),
                (Type::Date, Value::Date(number)),
            ];
            let mut key = Vec::new();
            let order = |base| Order { base, descending, nulls_first: descending };
            columns.iter().for_each(|(base, value)| append(order(*base), value, &mut key));
            let mut rest = &key[..];
            for (base, value) in &columns {
                let is_exact = !matches!(base, Type::Numeric | Type::Float8);
                let expected = if is_exact { value.clone() } else { Value::Null };
                prop_assert_eq!(take(order(*base), &mut rest), Some(expected));
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn bytes_sort(
            a in prop::collection::vec(0u8..3, 0..4),
            b in prop::collection::vec(0u8..3, 0..4),
        ) {
            let key = |bytes: &Vec<u8>| of(&[(Type::Bytea, &Value::Bytes(bytes.clone()))]);
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        }

        #[test]
        fn all_integers_sort(a in any::<i64>(), b in any::<i64>()) {
            let key = |number| of(&[(Type::Int8, &Value::Int(number))]);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        }
    }
}
