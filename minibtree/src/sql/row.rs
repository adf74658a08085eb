//! A row as bytes: the columns that are NULL, then the values of the others.
//!
//! ```
//! use minibtree::sql::row;
//! use minibtree::sql::{Type, Value};
//!
//! let types = [Type::Int4, Type::Text, Type::Bool];
//! let values = [Value::Int(1), Value::Null, Value::Bool(true)];
//! let mut bytes = Vec::new();
//! row::encode(&types, &values, &mut bytes);
//! assert_eq!(bytes, [0b010, 1, 0, 0, 0, 1]); // bit 1: the second column is NULL
//! assert_eq!(row::decode(&types, &bytes)?, values);
//! # Ok::<(), minibtree::wire::SqlError>(())
//! ```
//!
//! Numbers are little-endian and not aligned; text has its length in two bytes before it, which is
//! enough because a row fits a page. PostgreSQL's `heaptuple.c`: it aligns every column and has a
//! variable header for long values.

use super::{Type, Value};
use crate::wire::{SqlError, code};

/// Appends the row. `values` fit the types and their number. Text longer than 65,535 bytes makes
/// the row longer than a page, which the heap refuses.
pub fn encode(types: &[Type], values: &[Value], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + types.len().div_ceil(8), 0);
    for (index, (base, value)) in types.iter().zip(values).enumerate() {
        match value {
            Value::Null => out[start + index / 8] |= 1 << (index % 8),
            Value::Bool(on) => out.push(u8::from(*on)),
            Value::Int(number) | Value::Timestamp(number) => {
                out.extend_from_slice(&number.to_le_bytes()[..base.size() as usize]);
            }
            Value::Text(text) => {
                let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

/// Reads a row.
///
/// # Errors
/// `XX001` if the bytes are not a row of these types.
pub fn decode(types: &[Type], bytes: &[u8]) -> Result<Vec<Value>, SqlError> {
    let damaged = || SqlError::new(code::DATA_CORRUPTED, "a row does not match its columns");
    let (nulls, mut rest) = bytes.split_at_checked(types.len().div_ceil(8)).ok_or_else(damaged)?;
    let mut values = Vec::with_capacity(types.len());
    for (index, base) in types.iter().enumerate() {
        if nulls[index / 8] >> (index % 8) & 1 == 1 {
            values.push(Value::Null);
            continue;
        }
        let value = decode_value(*base, &mut rest).ok_or_else(damaged)?;
        values.push(value);
    }
    Ok(values)
}

/// Takes one value off the front of `bytes`.
fn decode_value(base: Type, bytes: &mut &[u8]) -> Option<Value> {
    let mut take = |count: usize| {
        let (taken, rest) = bytes.split_at_checked(count)?;
        *bytes = rest;
        Some(taken)
    };
    Some(match base {
        Type::Bool => Value::Bool(take(1)?[0] != 0),
        Type::Int2 => Value::Int(i16::from_le_bytes(take(2)?.try_into().ok()?).into()),
        Type::Int4 => Value::Int(i32::from_le_bytes(take(4)?.try_into().ok()?).into()),
        Type::Int8 => Value::Int(i64::from_le_bytes(take(8)?.try_into().ok()?)),
        Type::Timestamp | Type::TimestampTz => {
            Value::Timestamp(i64::from_le_bytes(take(8)?.try_into().ok()?))
        }
        Type::Text | Type::Varchar | Type::Bpchar => {
            let length = u16::from_le_bytes(take(2)?.try_into().ok()?);
            Value::Text(std::str::from_utf8(take(length.into())?).ok()?.to_owned())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column() -> impl Strategy<Value = (Type, Value)> {
        prop_oneof![
            any::<i16>().prop_map(|it| (Type::Int2, Value::Int(it.into()))),
            any::<i32>().prop_map(|it| (Type::Int4, Value::Int(it.into()))),
            any::<i64>().prop_map(|it| (Type::Int8, Value::Int(it))),
            any::<i64>().prop_map(|it| (Type::Timestamp, Value::Timestamp(it))),
            any::<bool>().prop_map(|it| (Type::Bool, Value::Bool(it))),
            "[^\0]{0,9}".prop_map(|it| (Type::Text, Value::Text(it))),
            Just((Type::Int4, Value::Null)),
        ]
    }

    proptest! {
        #[test]
        fn rows_come_back_and_cut_rows_do_not(columns in prop::collection::vec(column(), 1..20)) {
            let (types, values): (Vec<Type>, Vec<Value>) = columns.into_iter().unzip();
            let mut bytes = Vec::new();
            encode(&types, &values, &mut bytes);
            prop_assert_eq!(decode(&types, &bytes).unwrap(), values.clone());
            if values.last() != Some(&Value::Null) {
                prop_assert!(decode(&types, &bytes[..bytes.len() - 1]).is_err());
            }
        }
    }
}
