//! Functions of byte strings, and texts that stand for bytes.
//!
//! ```text
//! encode('\x00ff', 'escape')   \000\377         get_bit('\x01', 0)   1
//! md5('abc')                   900150983cd24fb0d6963f7d28e17f72
//! ```
//!
//! PostgreSQL's `encode.c`, `cryptohashfuncs.c`, and the second half of `varlena.c`.

use crate::numbers::integer;
use crate::strings::{around, some, span, text};
use crate::table::{Function, function};
use Type::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use minibtree_types::error;
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::{Type, Value};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// The bytes in a value.
pub fn bytes(value: &Value) -> &[u8] {
    let Value::Bytes(bytes) = value else { unreachable!("the argument is a byte string") };
    bytes
}

pub fn rows() -> Vec<Function> {
    let mut rows = vec![
        function("octet_length", &[Bytea], Int4, length),
        function("length", &[Bytea], Int4, length),
        function("bit_length", &[Bytea], Int4, |v| Ok(Value::Int(8 * bytes(&v[0]).len() as i64))),
        function("bit_count", &[Bytea], Int8, |v| {
            Ok(Value::Int(bytes(&v[0]).iter().map(|it| i64::from(it.count_ones())).sum()))
        }),
        function("position", &[Bytea, Bytea], Int4, |v| Ok(position(bytes(&v[0]), bytes(&v[1])))),
        function("overlay", &[Bytea, Bytea, Int4], Bytea, |v| {
            overlay(v, bytes(&v[1]).len() as i64)
        }),
        function("overlay", &[Bytea, Bytea, Int4, Int4], Bytea, |v| overlay(v, integer(&v[3]))),
        function("get_byte", &[Bytea, Int4], Int4, |v| {
            let at = index(v, 1)?;
            Ok(Value::Int(bytes(&v[0])[at].into()))
        }),
        function("set_byte", &[Bytea, Int4, Int4], Bytea, |v| {
            let mut changed = bytes(&v[0]).to_vec();
            changed[index(v, 1)?] = integer(&v[2]) as u8;
            Ok(Value::Bytes(changed))
        }),
        function("get_bit", &[Bytea, Int8], Int4, |v| {
            let at = index(v, 8)?;
            Ok(Value::Int((bytes(&v[0])[at / 8] >> (at % 8) & 1).into()))
        }),
        function("set_bit", &[Bytea, Int8, Int4], Bytea, set_bit),
        function("encode", &[Bytea, Text], Text, encode),
        function("decode", &[Text, Text], Bytea, decode),
        function("md5", &[Text], Text, |v| some(hex(&Md5::digest(text(&v[0]))))),
        function("md5", &[Bytea], Text, |v| some(hex(&Md5::digest(bytes(&v[0]))))),
        function("sha224", &[Bytea], Bytea, |v| Ok(hash::<Sha224>(v))),
        function("sha256", &[Bytea], Bytea, |v| Ok(hash::<Sha256>(v))),
        function("sha384", &[Bytea], Bytea, |v| Ok(hash::<Sha384>(v))),
        function("sha512", &[Bytea], Bytea, |v| Ok(hash::<Sha512>(v))),
        function("btrim", &[Bytea, Bytea], Bytea, |v| Ok(trimmed(v, true, true))),
        function("ltrim", &[Bytea, Bytea], Bytea, |v| Ok(trimmed(v, true, false))),
        function("rtrim", &[Bytea, Bytea], Bytea, |v| Ok(trimmed(v, false, true))),
    ];
    for name in ["substr", "substring"] {
        rows.push(function(name, &[Bytea, Int4], Bytea, |v| substring(v, i64::MAX)));
        rows.push(function(name, &[Bytea, Int4, Int4], Bytea, |v| substring(v, integer(&v[2]))));
    }
    rows
}

fn length(values: &[Value]) -> Result<Value> {
    Ok(Value::Int(bytes(&values[0]).len() as i64))
}

fn hash<D: Digest>(values: &[Value]) -> Value {
    Value::Bytes(D::digest(bytes(&values[0])).to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a part begins, from 1 on; 0 if it is not there.
fn position(whole: &[u8], part: &[u8]) -> Value {
    let found = match part {
        [] => Some(0),
        part => whole.windows(part.len()).position(|it| it == part),
    };
    Value::Int(found.map_or(0, |at| at as i64 + 1))
}

fn substring(values: &[Value], length: i64) -> Result<Value> {
    let (skipped, count) = span(integer(&values[1]), length)?;
    Ok(Value::Bytes(bytes(&values[0]).iter().skip(skipped).take(count).copied().collect()))
}

/// The string with `length` bytes from a place on replaced.
fn overlay(values: &[Value], length: i64) -> Result<Value> {
    let whole = bytes(&values[0]);
    let (before, after) = around(integer(&values[2]), length)?;
    let (before, after) = (before.min(whole.len()), after.min(whole.len()));
    Ok(Value::Bytes([&whole[..before], bytes(&values[1]), &whole[after..]].concat()))
}

fn trimmed(values: &[Value], left: bool, right: bool) -> Value {
    let (whole, set) = (bytes(&values[0]), bytes(&values[1]));
    let is_kept = |it: &u8| !set.contains(it);
    let first = whole.iter().position(is_kept).unwrap_or(whole.len());
    let last = whole.iter().rposition(is_kept).map_or(0, |it| it + 1);
    let end = if right { last } else { whole.len() };
    let start = if left { first.min(end) } else { 0 };
    Value::Bytes(whole[start..end].to_vec())
}

/// The index in the second argument, of units of which a byte has `units`.
fn index(values: &[Value], units: i64) -> Result<usize> {
    let (index, length) = (integer(&values[1]), bytes(&values[0]).len() as i64 * units);
    match (0..length).contains(&index) {
        true => Ok(index as usize),
        false => {
            let text = format!("index {index} out of valid range, 0..{}", length - 1);
            Err(SqlError::new(code::ARRAY_SUBSCRIPT_ERROR, text))
        }
    }
}

fn set_bit(values: &[Value]) -> Result<Value> {
    let mut changed = bytes(&values[0]).to_vec();
    let at = index(values, 8)?;
    let mask = 1 << (at % 8);
    match integer(&values[2]) {
        0 => changed[at / 8] &= !mask,
        1 => changed[at / 8] |= mask,
        _ => return Err(error!(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1")),
    }
    Ok(Value::Bytes(changed))
}

fn encode(values: &[Value]) -> Result<Value> {
    let bytes = bytes(&values[0]);
    match text(&values[1]).to_lowercase().as_str() {
        "hex" => some(hex(bytes)),
        "escape" => {
            let escaped = |byte: &u8| match byte {
                b'\\' => "\\\\".to_owned(),
                0 | 0x80.. => format!("\\{byte:03o}"),
                byte => char::from(*byte).to_string(),
            };
            some(bytes.iter().map(escaped).collect::<String>())
        }
        "base64" => {
            // A line has 76 characters (RFC 2045).
            let encoded = STANDARD.encode(bytes);
            let lines: Vec<&str> = (0..encoded.len())
                .step_by(76)
                .map(|at| &encoded[at..(at + 76).min(encoded.len())])
                .collect();
            some(lines.join("\n"))
        }
        _ => Err(no_encoding(&values[1])),
    }
}

fn decode(values: &[Value]) -> Result<Value> {
    let encoded = text(&values[0]);
    match text(&values[1]).to_lowercase().as_str() {
        "hex" => Bytea.parse(&format!("\\x{encoded}")),
        "escape" if encoded.starts_with("\\x") => {
            Err(error!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea"))
        }
        "escape" => Bytea.parse(encoded),
        "base64" => {
            let digits: String = encoded.split_ascii_whitespace().collect();
            let decoded = STANDARD.decode(digits).map(Value::Bytes);
            decoded.map_err(|_| error!(INVALID_PARAMETER_VALUE, "invalid base64 end sequence"))
        }
        _ => Err(no_encoding(&values[1])),
    }
}

fn no_encoding(name: &Value) -> SqlError {
    error!(INVALID_PARAMETER_VALUE, "unrecognized encoding: \"{}\"", text(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        for name in ["hex", "escape", "base64"] {
            let name = Value::Text(name.to_owned());
            let encoded = encode(&[Value::Bytes(all.clone()), name.clone()]).expect("known");
            assert_eq!(decode(&[encoded, name]), Ok(Value::Bytes(all.clone())));
        }
    }

    #[test]
    fn a_place_outside_is_no_place() {
        let value = Value::Bytes(vec![1, 2]);
        let error = index(&[value.clone(), Value::Int(2)], 1).expect_err("two bytes");
        assert_eq!(error.message, "index 2 out of valid range, 0..1");
        assert_eq!(
            overlay(&[value, Value::Bytes(vec![9]), Value::Int(2)], 1),
            Ok(Value::Bytes(vec![1, 9]))
        );
    }
}
