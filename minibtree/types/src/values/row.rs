//! A row as bytes: the columns that are NULL, then the values of the others.
//!
//! ```
//! use minibtree_types::values::row;
//! use minibtree_types::values::{Type, Value};
//!
//! let types = [Type::Int4, Type::Text, Type::Bool];
//! let values = [Value::Int(1), Value::Null, Value::Bool(true)];
//! let mut bytes = Vec::new();
//! row::encode(&types, &values, &mut bytes);
//! assert_eq!(bytes, [0b010, 1, 0, 0, 0, 1]); // bit 1: the second column is NULL
//! assert_eq!(row::decode(&types, &bytes)?, values);
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! Numbers are little-endian and not aligned; text, bytes and numerics (as digits) have their
//! length in two bytes before them, which is enough because a row fits a page. PostgreSQL's
//! `heaptuple.c`: it aligns every column and has a variable header for long values.

use super::{Type, Value};
use crate::error::{Result, SqlError, code};
use bigdecimal::BigDecimal;

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
            Value::Float(float) => out.extend_from_slice(&float.0.to_le_bytes()),
            Value::Date(days) => out.extend_from_slice(&days.to_le_bytes()),
            Value::Uuid(bytes) => out.extend_from_slice(bytes),
            Value::Text(text) => append_long(text.as_bytes(), out),
            Value::Bytes(bytes) => append_long(bytes, out),
            Value::Numeric(number) => append_long(number.to_plain_string().as_bytes(), out),
        }
    }
}

fn append_long(bytes: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Reads a row.
///
/// # Errors
/// `XX001` if the bytes are not a row of these types.
pub fn decode(types: &[Type], bytes: &[u8]) -> Result<Vec<Value>> {
    let mut values = vec![Value::Null; types.len()];
    decode_into(types, bytes, |_| true, &mut values)?;
    Ok(values)
}

/// Reads the columns of a row that are needed into `values`, which holds NULLs.
///
/// # Errors
/// `XX001` if the bytes are not a row of these types.
pub fn decode_into(
    types: &[Type],
    bytes: &[u8],
    is_needed: impl Fn(usize) -> bool,
    values: &mut [Value],
) -> Result<()> {
    let damaged = || SqlError::new(code::DATA_CORRUPTED, "a row does not match its columns");
    let (nulls, mut rest) = bytes.split_at_checked(types.len().div_ceil(8)).ok_or_else(damaged)?;
    for (index, base) in types.iter().enumerate() {
        if nulls[index / 8] >> (index % 8) & 1 == 1 {
            continue;
        }
        match is_needed(index) {
            true => values[index] = decode_value(*base, &mut rest).ok_or_else(damaged)?,
            false => skip_value(*base, &mut rest).ok_or_else(damaged)?,
        }
    }
    Ok(())
}

/// Passes over one value.
fn skip_value(base: Type, bytes: &mut &[u8]) -> Option<()> {
    let size = match base {
        Type::Float4 => 8,
        base if base.size() > 0 && !base.is_text() => base.size() as usize,
        _ => 2 + usize::from(u16::from_le_bytes(*bytes.first_chunk()?)),
    };
    *bytes = bytes.get(size..)?;
    Some(())
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
        Type::Float4 | Type::Float8 => Value::from(f64::from_le_bytes(take(8)?.try_into().ok()?)),
        Type::Date => Value::Date(i32::from_le_bytes(take(4)?.try_into().ok()?)),
        Type::Uuid => Value::Uuid(take(16)?.try_into().ok()?),
        Type::Numeric | Type::Bytea => {
            let length = u16::from_le_bytes(take(2)?.try_into().ok()?);
            let bytes = take(length.into())?;
            match base {
                Type::Bytea => Value::Bytes(bytes.to_vec()),
                _ => Value::from(std::str::from_utf8(bytes).ok()?.parse::<BigDecimal>().ok()?),
            }
        }
        base if base.is_oid() => Value::Int(u32::from_le_bytes(take(4)?.try_into().ok()?).into()),
        _ => {
            let length = u16::from_le_bytes(take(2)?.try_into().ok()?);
            Value::Text(std::str::from_utf8(take(length.into())?).ok()?.to_owned())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numeric(text: &str) -> Value {
        Type::Numeric.parse(text).expect("digits")
    }

    fn column() -> impl Strategy<Value = (Type, Value)> {
        prop_oneof![
            any::<i16>().prop_map(|it| (Type::Int2, Value::Int(it.into()))),
            any::<i32>().prop_map(|it| (Type::Int4, Value::Int(it.into()))),
            any::<i64>().prop_map(|it| (Type::Int8, Value::Int(it))),
            any::<i64>().prop_map(|it| (Type::Timestamp, Value::Timestamp(it))),
            any::<bool>().prop_map(|it| (Type::Bool, Value::Bool(it))),
            any::<u32>().prop_map(|it| (Type::Oid, Value::Int(it.into()))),
            any::<i32>().prop_map(|it| (Type::Date, Value::Date(it))),
            any::<[u8; 16]>().prop_map(|it| (Type::Uuid, Value::Uuid(it))),
            any::<f64>().prop_map(|it| (Type::Float8, Value::from(it))),
            any::<f32>().prop_map(|it| (Type::Float4, Value::from(f64::from(it)))),
            "-?[0-9]{1,9}[.][0-9]{0,9}".prop_map(|it| (Type::Numeric, numeric(&it))),
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
            let mut last = vec![Value::Null; values.len()];
            let end = values.len() - 1;
            decode_into(&types, &bytes, |index| index == end, &mut last).unwrap();
            prop_assert_eq!(&last[end], &values[end]);
            if values.last() != Some(&Value::Null) {
                prop_assert!(decode(&types, &bytes[..bytes.len() - 1]).is_err());
            }
        }
    }
}
