//! Values as they are sent in binary: big-endian, as PostgreSQL's `*recv` and `*send` functions.
//!
//! ```text
//! int4 -7              ff ff ff f9
//! numeric 12345.67     0003 0001 0000 0002   0001 0929 1a2c
//!                      digits, weight, sign, scale; then digits of base 10,000: 1 2345 6700
//! ```

use super::{Category, Float, Type, Value, array};
use crate::error::{Result, SqlError};
use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::{BigInt, Sign};

const NEGATIVE: u16 = 0x4000;
/// What is no decimal: its sign, and the scale that PostgreSQL sends with it.
const SPECIALS: [(f64, u16, u16); 3] =
    [(f64::NAN, 0xc000, 0), (f64::INFINITY, 0xd000, 32), (f64::NEG_INFINITY, 0xf000, 32)];

/// Reads a value.
pub fn receive(base: Type, bytes: &[u8]) -> Result<Value> {
    if base.category() == Category::Array {
        return array::receive(base, bytes);
    }
    if base.is_text() {
        return minibtree_utf8::checked(bytes).map(|it| Value::Text(it.to_owned()));
    }
    match base {
        Type::Bytea => return Ok(Value::Bytes(bytes.to_vec())),
        Type::Numeric => return receive_numeric(bytes).ok_or_else(malformed),
        _ if bytes.len() < base.size() as usize => {
            return Err(error!(PROTOCOL_VIOLATION, "insufficient data left in message"));
        }
        _ if bytes.len() > base.size() as usize => return Err(malformed()),
        Type::Uuid => return Ok(Value::Uuid(bytes.try_into().expect("its length is right"))),
        _ => {}
    }

    // Sign extension: the first bit of what was sent fills the bytes in front of it.
    let is_signed = base != Type::Bool && !base.is_oid();
    let start = if is_signed && bytes[0] & 0x80 != 0 { -1i64 } else { 0 };
    let number = bytes.iter().fold(start, |number, byte| number << 8 | i64::from(*byte));
    Ok(match base {
        Type::Bool => Value::Bool(number != 0),
        Type::Timestamp | Type::TimestampTz => Value::Timestamp(number),
        Type::Date => Value::Date(number as i32),
        Type::Float4 => Value::from(f64::from(f32::from_bits(number as u32))),
        Type::Float8 => Value::from(f64::from_bits(number as u64)),
        _ => Value::Int(number),
    })
}

/// The error for bytes that are no value of their type.
pub fn malformed() -> SqlError {
    error!(INVALID_BINARY_REPRESENTATION, "incorrect binary data format in bind parameter")
}

/// Appends a value that is not NULL.
pub fn send(base: Type, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Array(elements) => array::send(base, elements, out),
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => out.extend_from_slice(bytes),
        Value::Uuid(bytes) => out.extend_from_slice(bytes),
        Value::Bool(on) => out.push(u8::from(*on)),
        Value::Date(days) => out.extend_from_slice(&days.to_be_bytes()),
        Value::Float(float) if base == Type::Float4 => {
            out.extend_from_slice(&(float.0 as f32).to_be_bytes());
        }
        Value::Float(float) if base == Type::Numeric => {
            let sent = SPECIALS.iter().find(|it| Float(it.0) == *float);
            let (_, sign, scale) = *sent.expect("other numerics are decimals");
            [0, 0, sign, scale].iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
        }
        Value::Float(float) => out.extend_from_slice(&float.0.to_be_bytes()),
        Value::Numeric(number) => send_numeric(number, out),
        Value::Int(number) | Value::Timestamp(number) => {
            let size = if base.size() > 0 { base.size() as usize } else { 8 };
            out.extend_from_slice(&number.to_be_bytes()[8 - size..]);
        }
    }
}

/// `None` if it is malformed.
fn receive_numeric(bytes: &[u8]) -> Option<Value> {
    let words: Vec<u16> = bytes
        .chunks(2)
        .map(|it| it.try_into().ok().map(u16::from_be_bytes))
        .collect::<Option<_>>()?;
    let [count, weight, sign, scale, digits @ ..] = &words[..] else { return None };
    if let Some((special, ..)) = SPECIALS.iter().find(|it| it.1 == *sign) {
        return Some(Value::from(*special));
    }
    let is_valid = digits.len() == usize::from(*count)
        && digits.iter().all(|it| *it < 10_000)
        && [0, NEGATIVE].contains(sign);
    if !is_valid {
        return None;
    }
    let text: String = digits.iter().map(|digit| format!("{digit:04}")).collect();
    let whole = BigInt::parse_bytes(if text.is_empty() { b"0" } else { text.as_bytes() }, 10)?;
    let whole = if *sign == NEGATIVE { -whole } else { whole };
    let exponent = 4 * (i64::from(*weight as i16) + 1 - digits.len() as i64);
    Some(BigDecimal::new(whole, -exponent).with_scale(i64::from(*scale)).into())
}

fn send_numeric(number: &BigDecimal, out: &mut Vec<u8>) {
    let (whole, scale) = number.as_bigint_and_exponent();
    let (sign, scale) = (whole.sign(), scale.max(0) as usize);
    // Digits are grouped by four from the point on, both ways.
    let mut text = whole.magnitude().to_string();
    text = "0".repeat((scale + 1).saturating_sub(text.len())) + &text;
    let (before, after) = text.split_at(text.len() - scale);
    let before = "0".repeat((4 - before.len() % 4) % 4) + before;
    let after = after.to_owned() + &"0".repeat((4 - after.len() % 4) % 4);
    let mut weight = (before.len() / 4) as i16 - 1;
    let all = before + &after;
    let mut groups: Vec<u16> = (0..all.len() / 4)
        .map(|at| all[4 * at..4 * at + 4].parse().expect("four digits"))
        .collect();

    let leading = groups.iter().take_while(|it| **it == 0).count();
    groups.drain(..leading);
    weight -= leading as i16;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    let sign = if sign == Sign::Minus { NEGATIVE } else { 0 };
    for word in [groups.len() as u16, weight as u16, sign, scale as u16] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    groups.iter().for_each(|group| out.extend_from_slice(&group.to_be_bytes()));
}
