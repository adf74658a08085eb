//! `struct`: C structures as strings (the library of Roberto Ierusalimschy, 0.2).
//!
//! ```text
//! struct.pack('>I2', 5)           00 05           big-endian, two bytes
//! struct.pack('dLc0', 1.5, 3, 'abc')              a double, a long, and the string whole
//! struct.unpack('>I2', '\0\5')    5, 3            the value, and the next position
//! ```
//!
//! `<` and `>` choose the byte order, `b h l T i` are integers of 1, 2, 8, 8 and 4 bytes (`i2`: of
//! 2), upper case is unsigned, `f d` floats, `s` ends with a zero byte, `c3` has three bytes and
//! `c0` as many as the number before it says, `x` is a byte of padding. `!` aligns to a power of
//! two; it is accepted and aligns nothing unless a number of 2 or more follows.

use crate::value::{self as lua, fail};
use rilua::vm::state::LuaState;
use rilua::{LuaError, LuaResult, RustFn, Val};

/// The functions of the library.
pub const FUNCTIONS: &[(&str, RustFn)] = &[("pack", pack), ("unpack", unpack), ("size", size)];

/// One item of a format: its letter, its size in bytes, and the byte order.
struct Item {
    letter: u8,
    size: usize,
    little: bool,
}

/// Splits a format. The padding that `!` asks for depends on the position, so it is not here.
fn items(format: &[u8]) -> LuaResult<Vec<Item>> {
    let (mut items, mut at, mut little) = (Vec::new(), 0, true);
    while let Some(&letter) = format.get(at) {
        at += 1;
        let digits = format[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&format[at..at + digits]).unwrap_or_default();
        let number = number.parse::<usize>().ok();
        let takes_number = matches!(letter, b'i' | b'I' | b'c' | b'!');
        at += if takes_number { digits } else { 0 };
        let size = match letter {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'f' => 4,
            b'i' | b'I' => match number.unwrap_or(4) {
                size @ 1..=8 => size,
                size => {
                    let why = format!("integral size {size} is larger than limit of 32");
                    return Err(fail(why));
                }
            },
            b'c' => number.unwrap_or(1),
            b's' => 0,
            b'<' | b'>' => {
                little = letter == b'<';
                continue;
            }
            b' ' => continue,
            b'!' if number.is_none_or(|align| align == 1) => continue,
            _ => return Err(invalid(letter)),
        };
        items.push(Item { letter, size, little });
    }
    Ok(items)
}

fn invalid(letter: u8) -> LuaError {
    fail(format!("invalid format option '{}'", char::from(letter)))
}

fn append(out: &mut Vec<u8>, bytes: [u8; 8], item: &Item) {
    let bytes = &bytes[..item.size];
    match item.little {
        true => out.extend_from_slice(bytes),
        false => out.extend(bytes.iter().rev()),
    }
}

fn pack(state: &mut LuaState) -> LuaResult<u32> {
    let format = state.check_string(1)?;
    let (mut out, mut next) = (Vec::new(), 1);
    for item in items(&format)? {
        if item.letter == b'x' {
            out.push(0);
            continue;
        }
        next += 1;
        match item.letter {
            b'f' => {
                let mut bytes = [0; 8];
                bytes[..4].copy_from_slice(&(state.check_number(next)? as f32).to_le_bytes());
                append(&mut out, bytes, &item);
            }
            b'd' => append(&mut out, state.check_number(next)?.to_le_bytes(), &item),
            b's' | b'c' => {
                let text = state.check_string(next)?;
                let size =
                    if item.letter == b's' || item.size == 0 { text.len() } else { item.size };
                if text.len() < size {
                    return Err(state.arg_error(next, "string too short"));
                }
                out.extend_from_slice(&text[..size]);
                out.extend((item.letter == b's').then_some(0));
            }
            _ => {
                let number = state.check_number(next)?;
                let number = if number < 0.0 { number as i64 as u64 } else { number as u64 };
                append(&mut out, number.to_le_bytes(), &item);
            }
        }
    }
    let packed = lua::string(state, &out);
    lua::one(state, packed)
}

fn unpack(state: &mut LuaState) -> LuaResult<u32> {
    let (format, data) = (state.check_string(1)?, state.check_string(2)?);
    let start = state.opt_integer(3, 1)?;
    if start < 1 {
        return Err(state.arg_error(3, "offset must be 1 or greater"));
    }
    let short = || fail("data string too short");
    let (mut at, mut values) = (start as usize - 1, Vec::new());
    for item in items(&format)? {
        let rest = data.get(at..).ok_or_else(short)?;
        let mut size = item.size;
        if item.letter == b's' {
            size = rest
                .iter()
                .position(|byte| *byte == 0)
                .ok_or_else(|| fail("unfinished string in data"))?;
        } else if item.letter == b'c' && item.size == 0 {
            // The number before says how long the string is, and is not a result itself.
            size = match values.pop() {
                Some(Val::Num(length)) if length >= 0.0 => length as usize,
                _ => return Err(fail("format 'c0' needs a previous size")),
            };
        }
        let bytes = rest.get(..size).ok_or_else(short)?;
        at += size + usize::from(item.letter == b's');
        let mut low = [0; 8];
        if !matches!(item.letter, b's' | b'c') {
            low[..size].copy_from_slice(bytes);
            if !item.little {
                low[..size].reverse();
            }
        }
        let unused = 64 - 8 * size.clamp(1, 8);
        let value = match item.letter {
            b'x' => continue,
            b's' | b'c' => lua::string(state, bytes),
            b'f' => Val::Num(f64::from(f32::from_le_bytes([low[0], low[1], low[2], low[3]]))),
            b'd' => Val::Num(f64::from_le_bytes(low)),
            b'b' | b'h' | b'l' | b'i' => {
                Val::Num((i64::from_le_bytes(low) << unused >> unused) as f64)
            }
            _ => Val::Num(u64::from_le_bytes(low) as f64),
        };
        values.push(value);
    }
    values.push(Val::Num(at as f64 + 1.0));
    values.iter().for_each(|value| state.push(*value));
    Ok(values.len() as u32)
}

fn size(state: &mut LuaState) -> LuaResult<u32> {
    let format = state.check_string(1)?;
    let mut sum = 0;
    for item in items(&format)? {
        if item.letter == b's' || (item.letter == b'c' && item.size == 0) {
            let why = format!("variable-size format in format for '{}'", char::from(item.letter));
            return Err(state.arg_error(1, &why));
        }
        sum += item.size;
    }
    lua::one(state, Val::Num(sum as f64))
}
