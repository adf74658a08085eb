//! A row as bytes: the columns that are NULL, then the values of the others.
//!
//! ```
//! use minibtree_row as row;
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
//! length in two bytes before them. PostgreSQL's `heaptuple.c`: it aligns every column and has a
//! variable header for long values.
//!
//! # What if a row does not fit a page?
//!
//! [`split`] replaces the longest value by a [`Pointer`], and repeats that until the row fits. The
//! caller decides where the value is stored; a reader loads it only if it needs the column:
//!
//! ```
//! # use minibtree_row::{self as row, Pointer};
//! # use minibtree_types::values::{Type, Value};
//! let types = [Type::Int4, Type::Text];
//! let values = [Value::Int(1), Value::Text("long".repeat(5_000))];
//! let mut whole = Vec::new();
//! row::encode(&types, &values, &mut whole);
//!
//! let mut stored = Vec::new();
//! let small = row::split(&types, &whole, 8_000, |_, value| {
//!     stored.push(value.to_vec());
//!     Ok(Pointer { first: [0; 6], length: value.len() as u32 })
//! })?;
//! assert_eq!((small.len(), stored[0].len()), (17, 20_000));
//!
//! let mut read = vec![Value::Null; 2];
//! row::decode_into(&types, &small, |_| true, |_| Ok(stored[0].clone()), &mut read)?;
//! assert_eq!(read, values);
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! PostgreSQL's `toast_helper.c` and `varatt_external`; it takes values out of rows of 2 kB and
//! more, and compresses them first.

use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::{Type, Value, numeric};
use std::collections::BTreeSet;
use std::ops::Range;

/// In place of a length: the length follows in four bytes. Only [`split`] reads such a row.
const WIDE: u16 = 0xfffe;
/// In place of a length: a [`Pointer`] follows.
const OUT_OF_LINE: u16 = 0xffff;

minikit::layout! {
    /// The location and length of a value that is stored outside its row.
    pub struct Pointer = 10 bytes, LittleEndian {
        0..6  first:  [u8; 6], "the TID of its first piece";
        6..10 length: u32, "its bytes";
    }
}

/// The bytes that a row keeps for a value that is stored outside.
const POINTER_BYTES: usize = 2 + Pointer::SIZE;

/// Appends the row with all of its values. `values` must match `types` in number and type.
pub fn encode(types: &[Type], values: &[Value], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + types.len().div_ceil(8), 0);
    for (index, (base, value)) in types.iter().zip(values).enumerate() {
        match value {
            Value::Null => out[start + index / 8] |= 1 << (index % 8),
            value if *base == Type::Numeric => append_varying(base.text_of(value).as_bytes(), out),
            Value::Bool(on) => out.push(u8::from(*on)),
            Value::Int(number) | Value::Timestamp(number) => {
                out.extend_from_slice(&number.to_le_bytes()[..base.size() as usize]);
            }
            Value::Float(float) => out.extend_from_slice(&float.0.to_le_bytes()),
            Value::Date(days) => out.extend_from_slice(&days.to_le_bytes()),
            Value::Uuid(bytes) => out.extend_from_slice(bytes),
            Value::Text(text) => append_varying(text.as_bytes(), out),
            Value::Bytes(bytes) => append_varying(bytes, out),
            Value::Numeric(_) | Value::Array(_) => unreachable!("no table has arrays"),
        }
    }
}

fn append_varying(bytes: &[u8], out: &mut Vec<u8>) {
    match u16::try_from(bytes.len()) {
        Ok(length) if length < WIDE => out.extend_from_slice(&length.to_le_bytes()),
        _ => {
            out.extend_from_slice(&WIDE.to_le_bytes());
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

/// Replaces the longest values by pointers until the row has at most `limit` bytes, or no pointer
/// would make it shorter. Calls `store` with the column and the bytes of each value.
///
/// # Errors
/// Those of `store`; `XX001` if the bytes are not a row of these types.
pub fn split(
    types: &[Type],
    whole: &[u8],
    limit: usize,
    mut store: impl FnMut(usize, &[u8]) -> Result<Pointer>,
) -> Result<Vec<u8>> {
    let fields = varying_fields(types, whole)?;
    let mut longest: Vec<&Field> = fields.iter().collect();
    longest.sort_by_key(|it| std::cmp::Reverse(it.at.len()));
    let (mut length, mut taken) = (whole.len(), BTreeSet::new());
    for field in longest {
        if length <= limit || field.at.len() <= POINTER_BYTES {
            break;
        }
        length -= field.at.len() - POINTER_BYTES;
        taken.insert(field.column);
    }

    let (mut row, mut copied) = (Vec::with_capacity(length), 0);
    for Field { column, at, varying } in &fields {
        let Varying::Here(value) = varying else { continue };
        if taken.contains(column) {
            row.extend_from_slice(&whole[copied..at.start]);
            row.extend_from_slice(&OUT_OF_LINE.to_le_bytes());
            row.extend_from_slice(&store(*column, value)?.encode());
            copied = at.end;
        }
    }
    row.extend_from_slice(&whole[copied..]);
    Ok(row)
}

/// The columns whose values are stored outside the row.
///
/// # Errors
/// `XX001` if the bytes are not a row of these types.
pub fn pointers(types: &[Type], bytes: &[u8]) -> Result<Vec<(usize, Pointer)>> {
    let fields = varying_fields(types, bytes)?.into_iter();
    let pointer = |it: Field| match it.varying {
        Varying::There(pointer) => Some((it.column, pointer)),
        Varying::Here(_) => None,
    };
    Ok(fields.filter_map(pointer).collect())
}

/// Reads a row that has all of its values.
///
/// # Errors
/// `XX001` if the bytes are not a row of these types.
pub fn decode(types: &[Type], bytes: &[u8]) -> Result<Vec<Value>> {
    let mut values = vec![Value::Null; types.len()];
    decode_into(types, bytes, |_| true, |_| Err(damaged()), &mut values)?;
    Ok(values)
}

/// Reads the needed columns of a row into `values`, which must hold NULLs. Calls `load` for the
/// bytes of a value that is stored outside the row.
///
/// # Errors
/// Those of `load`; `XX001` if the bytes are not a row of these types.
pub fn decode_into(
    types: &[Type],
    bytes: &[u8],
    is_needed: impl Fn(usize) -> bool,
    load: impl Fn(Pointer) -> Result<Vec<u8>>,
    values: &mut [Value],
) -> Result<()> {
    for_each_field(types, bytes, |index, base, rest| {
        if let Some(width) = width(base) {
            let bytes = take(rest, width).ok_or_else(damaged)?;
            if is_needed(index) {
                values[index] = fixed_value(base, bytes).ok_or_else(damaged)?;
            }
            return Ok(());
        }
        let varying = take_varying(rest).ok_or_else(damaged)?;
        if is_needed(index) {
            let value = match varying {
                Varying::Here(bytes) => varying_value(base, bytes),
                Varying::There(pointer) => varying_value(base, &load(pointer)?),
            };
            values[index] = value.ok_or_else(damaged)?;
        }
        Ok(())
    })
}

/// A value of a type without a fixed width.
enum Varying<'b> {
    Here(&'b [u8]),
    There(Pointer),
}

/// A column of varying width, and the range of the row with its length and value.
struct Field<'b> {
    column: usize,
    at: Range<usize>,
    varying: Varying<'b>,
}

fn varying_fields<'b>(types: &[Type], bytes: &'b [u8]) -> Result<Vec<Field<'b>>> {
    let mut fields = Vec::new();
    for_each_field(types, bytes, |column, base, rest| {
        let start = bytes.len() - rest.len();
        match width(base) {
            Some(width) => drop(take(rest, width).ok_or_else(damaged)?),
            None => {
                let varying = take_varying(rest).ok_or_else(damaged)?;
                fields.push(Field { column, at: start..bytes.len() - rest.len(), varying });
            }
        }
        Ok(())
    })?;
    Ok(fields)
}

/// Calls `each` with every column that is not NULL and the rest of the row. `each` must remove the
/// column's value from the front of the rest.
fn for_each_field<'b>(
    types: &[Type],
    bytes: &'b [u8],
    mut each: impl FnMut(usize, Type, &mut &'b [u8]) -> Result<()>,
) -> Result<()> {
    let (nulls, mut rest) = bytes.split_at_checked(types.len().div_ceil(8)).ok_or_else(damaged)?;
    for (index, base) in types.iter().enumerate() {
        if nulls[index / 8] >> (index % 8) & 1 == 0 {
            each(index, *base, &mut rest)?;
        }
    }
    Ok(())
}

/// The width of a type in bytes; `None` if it varies.
fn width(base: Type) -> Option<usize> {
    match base {
        Type::Float4 => Some(8),
        base if base.size() > 0 && !base.is_text() => Some(base.size() as usize),
        _ => None,
    }
}

fn take_varying<'b>(bytes: &mut &'b [u8]) -> Option<Varying<'b>> {
    Some(match u16::from_le_bytes(take_array(bytes)?) {
        OUT_OF_LINE => Varying::There(Pointer::decode(&take_array(bytes)?)),
        WIDE => {
            let length = u32::from_le_bytes(take_array(bytes)?);
            Varying::Here(take(bytes, length as usize)?)
        }
        length => Varying::Here(take(bytes, length.into())?),
    })
}

fn take<'b>(bytes: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    take(bytes, N)?.try_into().ok()
}

/// The value of a type that has this width.
fn fixed_value(base: Type, bytes: &[u8]) -> Option<Value> {
    Some(match base {
        Type::Bool => Value::Bool(bytes[0] != 0),
        Type::Int2 => Value::Int(i16::from_le_bytes(bytes.try_into().ok()?).into()),
        Type::Int4 => Value::Int(i32::from_le_bytes(bytes.try_into().ok()?).into()),
        Type::Int8 => Value::Int(i64::from_le_bytes(bytes.try_into().ok()?)),
        Type::Timestamp | Type::TimestampTz => {
            Value::Timestamp(i64::from_le_bytes(bytes.try_into().ok()?))
        }
        Type::Float4 | Type::Float8 => Value::from(f64::from_le_bytes(bytes.try_into().ok()?)),
        Type::Date => Value::Date(i32::from_le_bytes(bytes.try_into().ok()?)),
        Type::Uuid => Value::Uuid(bytes.try_into().ok()?),
        _ => Value::Int(u32::from_le_bytes(bytes.try_into().ok()?).into()),
    })
}

fn varying_value(base: Type, bytes: &[u8]) -> Option<Value> {
    Some(match base {
        Type::Bytea => Value::Bytes(bytes.to_vec()),
        Type::Numeric => numeric::read(std::str::from_utf8(bytes).ok()?).ok()??,
        _ => Value::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
    })
}

fn damaged() -> SqlError {
    SqlError::new(code::DATA_CORRUPTED, "a row does not match its columns")
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
            let no_load = |_| Err(damaged());
            decode_into(&types, &bytes, |index| index == end, no_load, &mut last).unwrap();
            prop_assert_eq!(&last[end], &values[end]);
            if values.last() != Some(&Value::Null) {
                prop_assert!(decode(&types, &bytes[..bytes.len() - 1]).is_err());
            }
        }
    }
    /// Columns of five lengths, and every limit from what fits whole to less than is possible.
    #[test]
    fn the_longest_values_go_out_and_come_back() {
        let types = [Type::Int4, Type::Text, Type::Bytea, Type::Numeric, Type::Text, Type::Text];
        let values = [
            Value::Int(7),
            Value::Text("a".repeat(70_000)),
            Value::Bytes(vec![9; 300]),
            numeric(&"8".repeat(200)),
            Value::Null,
            Value::Text("short".into()),
        ];
        let mut whole = Vec::new();
        encode(&types, &values, &mut whole);
        let cases = [(80_000, &[][..]), (8_000, &[1]), (300, &[1, 2]), (20, &[1, 2, 3])];
        for (limit, columns) in cases {
            let mut stored = Vec::new();
            let row = split(&types, &whole, limit, |column, value| {
                stored.push(value.to_vec());
                Ok(Pointer { first: [column as u8; 6], length: value.len() as u32 })
            });
            let row = row.unwrap();
            let there = pointers(&types, &row).unwrap();
            assert_eq!(there.iter().map(|it| it.0).collect::<Vec<_>>(), columns);

            let load = |it: Pointer| {
                let at = columns.iter().position(|column| *column == usize::from(it.first[0]));
                Ok(stored[at.expect("a column that was taken out")].clone())
            };
            let mut read = vec![Value::Null; types.len()];
            decode_into(&types, &row, |_| true, load, &mut read).unwrap();
            assert_eq!(read, values);
            let mut last = vec![Value::Null; types.len()];
            let unread = |_| panic!("a column that is not needed is not loaded");
            decode_into(&types, &row, |it| it == 5, unread, &mut last).unwrap();
            assert_eq!(last[5], values[5]);
        }
    }
}
