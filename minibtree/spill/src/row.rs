//! A row of any types as bytes that need no description: a tag before each value.
//!
//! ```
//! use minibtree_spill::row::{decode, encode};
//! use minibtree_types::values::Value;
//!
//! let row = [Value::Null, Value::Bool(true), Value::Text("fig".into())];
//! let mut bytes = Vec::new();
//! encode(&row, &mut bytes);
//! assert_eq!(bytes, *b"\x00\x02\x07\x03\x00\x00\x00fig");
//! assert_eq!(decode(&bytes), row);
//! ```
//!
//! Rows of a plan have the columns of all tables of a FROM clause, most of them NULL. The format of
//! `minibtree/row` is shorter, but its reader has to know the types of the columns.

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use minibtree_types::values::{Float, Value};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
/// The digits with their sign, and the scale before them.
const NUMERIC: u8 = 5;
const BYTES: u8 = 6;
const TEXT: u8 = 7;
const DATE: u8 = 8;
const TIMESTAMP: u8 = 9;
const UUID: u8 = 10;
/// Its elements, as a row.
const ARRAY: u8 = 11;

/// Appends a row.
pub fn encode(row: &[Value], out: &mut Vec<u8>) {
    for value in row {
        let fixed = |tag: u8, bytes: &[u8], out: &mut Vec<u8>| {
            out.push(tag);
            out.extend_from_slice(bytes);
        };
        let counted = |tag: u8, bytes: &[u8], out: &mut Vec<u8>| {
            fixed(tag, &(bytes.len() as u32).to_le_bytes(), out);
            out.extend_from_slice(bytes);
        };
        match value {
            Value::Null => out.push(NULL),
            Value::Bool(on) => out.push(if *on { TRUE } else { FALSE }),
            Value::Int(number) => fixed(INT, &number.to_le_bytes(), out),
            Value::Float(number) => fixed(FLOAT, &number.0.to_le_bytes(), out),
            Value::Numeric(number) => {
                let (digits, scale) = number.as_bigint_and_exponent();
                fixed(NUMERIC, &scale.to_le_bytes(), out);
                counted(BYTES, &digits.to_signed_bytes_le(), out);
            }
            Value::Bytes(bytes) => counted(BYTES, bytes, out),
            Value::Text(text) => counted(TEXT, text.as_bytes(), out),
            Value::Date(days) => fixed(DATE, &days.to_le_bytes(), out),
            Value::Timestamp(us) => fixed(TIMESTAMP, &us.to_le_bytes(), out),
            Value::Uuid(bytes) => fixed(UUID, bytes, out),
            Value::Array(elements) => {
                let mut inner = Vec::new();
                encode(elements, &mut inner);
                counted(ARRAY, &inner, out);
            }
        }
    }
}

/// Reads a row that [`encode`] has written.
pub fn decode(mut bytes: &[u8]) -> Vec<Value> {
    let mut row = Vec::new();
    while !bytes.is_empty() {
        row.push(value(&mut bytes).expect("rows of this process are not damaged"));
    }
    row
}

/// Removes a value from the front of `bytes` and returns it.
fn value(bytes: &mut &[u8]) -> Option<Value> {
    let [tag] = fixed(bytes)?;
    Some(match tag {
        NULL => Value::Null,
        FALSE | TRUE => Value::Bool(tag == TRUE),
        INT => Value::Int(i64::from_le_bytes(fixed(bytes)?)),
        FLOAT => Value::Float(Float(f64::from_le_bytes(fixed(bytes)?))),
        NUMERIC => {
            let scale = i64::from_le_bytes(fixed(bytes)?);
            let Value::Bytes(digits) = value(bytes)? else { return None };
            Value::from(BigDecimal::new(BigInt::from_signed_bytes_le(&digits), scale))
        }
        BYTES => Value::Bytes(counted(bytes)?.to_vec()),
        TEXT => Value::Text(std::str::from_utf8(counted(bytes)?).ok()?.to_owned()),
        DATE => Value::Date(i32::from_le_bytes(fixed(bytes)?)),
        TIMESTAMP => Value::Timestamp(i64::from_le_bytes(fixed(bytes)?)),
        UUID => Value::Uuid(fixed(bytes)?),
        ARRAY => Value::from(decode(counted(bytes)?)),
        _ => return None,
    })
}

fn fixed<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn counted<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = u32::from_le_bytes(fixed(bytes)?) as usize;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minibtree_types::values::Type;

    #[test]
    fn a_value_of_every_type_comes_back_with_its_scale() {
        let numeric = |text: &str| Type::Numeric.parse(text).unwrap();
        let row = [
            Value::Null,
            Value::Bool(false),
            Value::Int(i64::MIN),
            Value::from(-1.5),
            numeric("-12345678901234567890.1200"),
            numeric("0.00"),
            Value::Text("ü".into()),
            Value::Bytes(vec![0, 255]),
            Value::Date(-1),
            Value::Timestamp(i64::MAX),
            Value::Uuid([9; 16]),
            Value::from(vec![Value::Int(7), Value::Null, Value::from(vec![])]),
        ];
        let mut bytes = Vec::new();
        encode(&row, &mut bytes);
        let decoded = decode(&bytes);
        assert_eq!(decoded, row);
        assert_eq!(Type::Numeric.text_of(&decoded[4]), "-12345678901234567890.1200");
        assert_eq!(Type::Numeric.text_of(&decoded[5]), "0.00");
    }
}
