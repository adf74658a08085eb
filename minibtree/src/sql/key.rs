//! Index keys: bytes that sort as the values do.
//!
//! ```
//! use minibtree::sql::key;
//! use minibtree::sql::{Type, Value};
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

const PRESENT: u8 = 0;
/// NULLs come last, as in PostgreSQL.
const NULL: u8 = 1;

/// The key of these columns.
pub fn of(columns: &[(Type, &Value)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(columns.len() * 9);
    for (base, value) in columns {
        append(*base, value, &mut out);
    }
    out
}

fn append(base: Type, value: &Value, out: &mut Vec<u8>) {
    if *value == Value::Null {
        return out.push(NULL);
    }
    out.push(PRESENT);
    match value {
        Value::Null => {}
        Value::Bool(on) => out.push(u8::from(*on)),
        Value::Int(number) | Value::Timestamp(number) => {
            let bytes = number.to_be_bytes();
            let start = out.len();
            out.extend_from_slice(&bytes[8 - base.size() as usize..]);
            // Negative numbers have the first bit set, and must sort before the others.
            out[start] ^= 0x80;
        }
        Value::Text(text) => {
            // Values that are equal must have the same key.
            let text = if base == Type::Bpchar { text.trim_end_matches(' ') } else { text };
            out.extend_from_slice(text.as_bytes());
            out.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::types::compare;
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
        fn all_integers_sort(a in any::<i64>(), b in any::<i64>()) {
            let key = |number| of(&[(Type::Int8, &Value::Int(number))]);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        }
    }
}
