//! `cmsgpack`: MessagePack for scripts (the library lua-cmsgpack 0.4.0).
//!
//! ```text
//! cmsgpack.pack({1, 'a'})           92 01 a1 61        a list of two
//! cmsgpack.pack({a=1.5})            81 a1 61 ca 3f c0 00 00     floats of four bytes if exact
//! cmsgpack.unpack('\1\2')           1, 2               all values in a row
//! ```
//!
//! `unpack_one` and `unpack_limit`, which Redis does not document, are left out.

use crate::memory::{check_length, check_sometimes};
use crate::value::{self as lua, fail, next_pair};
use rilua::vm::state::LuaState;
use rilua::{LuaApiMut, LuaResult, RustFn, Table, Val};

/// The functions of the library.
pub const FUNCTIONS: &[(&str, RustFn)] = &[("pack", pack), ("unpack", unpack)];

/// A table in the seventeenth level is packed as nil.
const PACK_DEPTH_MAX: usize = 16;
/// Unpacking stops here; the library goes on until the C stack is full.
const UNPACK_DEPTH_MAX: usize = 500;
/// Results of one call.
const RESULTS_MAX: usize = 7900;

/// How a type writes its length: the code that contains one below `below`, then the codes in front
/// of a length of one byte (if there is such a form), two and four bytes.
type Form = (u8, usize, Option<u8>, u8, u8);
const TEXT: Form = (0xa0, 32, Some(0xd9), 0xda, 0xdb);
const LIST: Form = (0x90, 16, None, 0xdc, 0xdd);
const MAP: Form = (0x80, 16, None, 0xde, 0xdf);

fn pack(state: &mut LuaState) -> LuaResult<u32> {
    if lua::count(state) == 0 {
        return Err(state.arg_error(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for index in 1..=lua::count(state) {
        append(state, lua::arg(state, index), 0, &mut out)?;
    }
    let packed = lua::string(state, &out);
    lua::one(state, packed)
}

fn append(state: &LuaState, value: Val, level: usize, out: &mut Vec<u8>) -> LuaResult<()> {
    check_length(out.len())?;
    match value {
        Val::Str(_) => {
            let text = lua::bytes(state, value).unwrap_or_default();
            length(out, text.len(), TEXT);
            out.extend_from_slice(text);
        }
        Val::Bool(truth) => out.push(if truth { 0xc3 } else { 0xc2 }),
        Val::Num(number) if number as i64 as f64 == number && number.abs() < 9.2e18 => {
            integer(out, number as i64);
        }
        Val::Num(number) if f64::from(number as f32) == number => {
            out.push(0xca);
            out.extend((number as f32).to_be_bytes());
        }
        Val::Num(number) => {
            out.push(0xcb);
            out.extend(number.to_be_bytes());
        }
        Val::Table(table) if level < PACK_DEPTH_MAX => {
            return append_table(state, Table::from_gc_ref(table), level + 1, out);
        }
        _ => out.push(0xc0),
    }
    Ok(())
}

fn append_table(state: &LuaState, table: Table, level: usize, out: &mut Vec<u8>) -> LuaResult<()> {
    let (mut last, mut greatest, mut count, mut is_list) = (Val::Nil, 0.0, 0, true);
    while let Some((key, _)) = next_pair(state, table, last)? {
        match key {
            Val::Num(number) if number > 0.0 && number.floor() == number => {
                greatest = number.max(greatest);
            }
            _ => is_list = false,
        }
        (last, count) = (key, count + 1);
    }
    if is_list && greatest == count as f64 {
        length(out, count, LIST);
        return (1..=count)
            .try_for_each(|index| append(state, lua::get_index(state, table, index), level, out));
    }
    length(out, count, MAP);
    last = Val::Nil;
    while let Some((key, value)) = next_pair(state, table, last)? {
        append(state, key, level, out)?;
        append(state, value, level, out)?;
        last = key;
    }
    Ok(())
}

/// A length in the shortest form.
fn length(out: &mut Vec<u8>, length: usize, (fixed, below, one, two, four): Form) {
    match (length, one) {
        _ if length < below => out.push(fixed | length as u8),
        (..=0xff, Some(one)) => out.extend([one, length as u8]),
        (..=0xffff, _) => {
            out.push(two);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(four);
            out.extend((length as u32).to_be_bytes());
        }
    }
}

fn integer(out: &mut Vec<u8>, number: i64) {
    let (code, length) = match number {
        -32..=127 => return out.push(number as u8),
        128..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (0xcf, 8),
        -0x80..=-33 => (0xd0, 1),
        -0x8000..=-0x81 => (0xd1, 2),
        -0x8000_0000..=-0x8001 => (0xd2, 4),
        ..=-0x8000_0001 => (0xd3, 8),
    };
    out.push(code);
    out.extend_from_slice(&number.to_be_bytes()[8 - length..]);
}

/// Unpacks all values of a string.
fn unpack(state: &mut LuaState) -> LuaResult<u32> {
    let text = state.check_string(1)?;
    let (mut rest, mut values) = (&text[..], Vec::new());
    while !rest.is_empty() && values.len() < RESULTS_MAX {
        values.push(read(state, &mut rest, 0)?);
    }
    values.iter().for_each(|value| state.push(*value));
    Ok(values.len() as u32)
}

fn take<'t>(rest: &mut &'t [u8], count: usize) -> LuaResult<&'t [u8]> {
    rest.split_off(..count).ok_or_else(|| fail("Missing bytes in input."))
}

fn unsigned(rest: &mut &[u8], count: usize) -> LuaResult<u64> {
    Ok(take(rest, count)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn read(state: &mut LuaState, rest: &mut &[u8], depth: usize) -> LuaResult<Val> {
    let code = take(rest, 1)?[0];
    // The codes of a type with a number of 1, 2, 4 or 8 bytes follow each other.
    let mut number = |first: u8| unsigned(rest, 1 << (code - first));
    let count = usize::from(code & 15);
    let value = match code {
        0..=0x7f | 0xe0.. => Val::Num(f64::from(code as i8)),
        0xc0 => Val::Nil,
        0xc2 | 0xc3 => Val::Bool(code == 0xc3),
        0xca => Val::Num(f64::from(f32::from_bits(unsigned(rest, 4)? as u32))),
        0xcb => Val::Num(f64::from_bits(unsigned(rest, 8)?)),
        // Redis reads the largest ones as negative, and knows no binary strings.
        0xcc..=0xcf => Val::Num(number(0xcc)? as i64 as f64),
        0xd0..=0xd3 => {
            let unused = 64 - (8 << (code - 0xd0));
            Val::Num(((number(0xd0)? << unused) as i64 >> unused) as f64)
        }
        0x80..=0x8f => return read_table(state, rest, count, true, depth + 1),
        0x90..=0x9f => return read_table(state, rest, count, false, depth + 1),
        0xdc..=0xdf => {
            let count = unsigned(rest, if code & 1 == 0 { 2 } else { 4 })? as usize;
            return read_table(state, rest, count, code >= 0xde, depth + 1);
        }
        0xa0..=0xbf | 0xd9..=0xdb => {
            let length = match code {
                0xd9..=0xdb => number(0xd9)?,
                _ => u64::from(code & 31),
            };
            let text = take(rest, length as usize)?;
            lua::string(state, text)
        }
        _ => return Err(fail("Bad data format in input.")),
    };
    Ok(value)
}

fn read_table(
    state: &mut LuaState,
    rest: &mut &[u8],
    count: usize,
    is_map: bool,
    depth: usize,
) -> LuaResult<Val> {
    if depth > UNPACK_DEPTH_MAX {
        return Err(fail("Bad data format in input."));
    }
    let table = state.create_table();
    for index in 1..=count {
        check_sometimes(index)?;
        let mut key = Val::Num(index as f64);
        if is_map {
            key = read(state, rest, depth)?;
        }
        let value = read(state, rest, depth)?;
        lua::set(state, table, key, value)?;
    }
    Ok(lua::value(table))
}
