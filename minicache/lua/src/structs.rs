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
//! `c0` as many as the number before it says, `x` is a byte of padding. `!`, which aligns, is
//! refused.

use crate::memory::check_length;
use crate::value::{self as lua, fail};
use rilua::vm::state::LuaState;
use rilua::{LuaResult, RustFn, Val};

/// The functions of the library.
pub const FUNCTIONS: &[(&str, RustFn)] = &[("pack", pack), ("unpack", unpack), ("size", size)];

/// One item of a format: its letter, its size in bytes, and the byte order.
struct Item {
    letter: u8,
    size: usize,
    little: bool,
}

fn items(state: &LuaState) -> LuaResult<Vec<Item>> {
    let format = state.check_string(1)?;
    let (mut items, mut rest, mut little) = (Vec::new(), &format[..], true);
    while let Some(&letter) = rest.split_off_first() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = if b"iIc".contains(&letter) { &rest[..digits] } else { b"" };
        rest = &rest[digits.len()..];
        if digits.len() > 9 {
            return Err(fail("integral size overflow"));
        }
        let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        let size = match letter {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'i' | b'I' => number.unwrap_or(4),
            b'c' => number.unwrap_or(1),
            b's' => 0,
            b'<' | b'>' | b' ' => {
                little = if letter == b' ' { little } else { letter == b'<' };
                continue;
            }
            _ => {
                let why = format!("invalid format option '{}'", char::from(letter));
                return Err(state.arg_error(1, &why));
            }
        };
        if letter.eq_ignore_ascii_case(&b'i') && !(1..=8).contains(&size) {
            return Err(fail(format!("integral size {size} is larger than limit of 32")));
        }
        items.push(Item { letter, size, little });
    }
    Ok(items)
}

fn pack(state: &mut LuaState) -> LuaResult<u32> {
    let (mut out, mut next) = (Vec::new(), 1);
    for Item { letter, size, little } in items(state)? {
        check_length(out.len())?;
        if letter == b'x' {
            out.push(0);
            continue;
        }
        next += 1;
        if letter == b's' || letter == b'c' {
            let text = state.check_string(next)?;
            let size = if size == 0 { text.len() } else { size };
            let text = text.get(..size).ok_or_else(|| state.arg_error(next, "string too short"))?;
            out.extend_from_slice(text);
            out.extend((letter == b's').then_some(0));
            continue;
        }
        let number = state.check_number(next)?;
        let bytes = match letter {
            b'f' => u64::from((number as f32).to_bits()),
            b'd' => number.to_bits(),
            _ if number < 0.0 => number as i64 as u64,
            _ if number < 18_446_744_073_709_551_616.0 => number as u64,
            _ => 0,
        };
        let start = out.len();
        out.extend_from_slice(&bytes.to_le_bytes()[..size]);
        if !little {
            out[start..].reverse();
        }
    }
    let packed = lua::string(state, &out);
    lua::one(state, packed)
}

fn unpack(state: &mut LuaState) -> LuaResult<u32> {
    let (items, data) = (items(state)?, state.check_string(2)?);
    let start = state.opt_integer(3, 1)?;
    if start < 1 {
        return Err(state.arg_error(3, "offset must be 1 or greater"));
    }
    let (mut at, mut values) = (start as usize - 1, Vec::new());
    for Item { letter, mut size, little } in items {
        let rest = data.get(at..).unwrap_or_default();
        if letter == b's' {
            let end = rest.iter().position(|byte| *byte == 0);
            size = end.ok_or_else(|| fail("unfinished string in data"))?;
        } else if letter == b'c' && size == 0 {
            // The number before says how long the string is, and is not a result itself.
            size = match values.pop() {
                Some(Val::Num(length)) if length >= 0.0 => length as usize,
                _ => return Err(fail("format 'c0' needs a previous size")),
            };
        }
        let short = || state.arg_error(2, "data string too short");
        let bytes = rest.get(..size).filter(|_| at <= data.len()).ok_or_else(short)?;
        at += size + usize::from(letter == b's');
        let number = || {
            let add = |sum, byte: &u8| sum << 8 | u64::from(*byte);
            if little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) }
        };
        values.push(match letter {
            b'x' => continue,
            b's' | b'c' => lua::string(state, bytes),
            b'f' => Val::Num(f64::from(f32::from_bits(number() as u32))),
            b'd' => Val::Num(f64::from_bits(number())),
            b'b' | b'h' | b'l' | b'i' => {
                let unused = 64 - 8 * size;
                Val::Num(((number() << unused) as i64 >> unused) as f64)
            }
            _ => Val::Num(number() as f64),
        });
    }
    values.push(Val::Num(at as f64 + 1.0));
    values.iter().for_each(|value| state.push(*value));
    Ok(values.len() as u32)
}

fn size(state: &mut LuaState) -> LuaResult<u32> {
    let items = items(state)?;
    if let Some(item) = items.iter().find(|item| item.size == 0) {
        let why = format!("variable-size format in format for '{}'", char::from(item.letter));
        return Err(state.arg_error(1, &why));
    }
    lua::one(state, Val::Num(items.iter().map(|item| item.size).sum::<usize>() as f64))
}
