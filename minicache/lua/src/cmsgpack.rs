//! `cmsgpack`: MessagePack for scripts (the library lua-cmsgpack 0.4.0).
//!
//! ```text
//! cmsgpack.pack({1, 'a'})           92 01 a1 61        a list of two
//! cmsgpack.pack({a=1.5})            81 a1 61 ca 3f c0 00 00     floats of four bytes if exact
//! cmsgpack.unpack('\1\2')           1, 2               all values in a row
//! cmsgpack.unpack_one('\1\2')       1, 1               the next offset, and one value
//! ```

use crate::memory::check_memory;
use crate::value::{self as lua, fail, next_pair};
use rilua::vm::state::LuaState;
use rilua::{LuaApiMut, LuaResult, RustFn, Table, Val};

/// The functions of the library.
pub const FUNCTIONS: &[(&str, RustFn)] = &[
    ("pack", pack),
    ("unpack", |state| unpack(state, 0, 0)),
    ("unpack_one", |state| {
        let offset = state.opt_integer(2, 0)?;
        unpack(state, 1, offset)
    }),
    ("unpack_limit", |state| {
        let (limit, offset) = (state.check_integer(2)?, state.opt_integer(3, 0)?);
        unpack(state, limit, offset)
    }),
];

/// A table in the seventeenth level is packed as nil.
const PACK_DEPTH_MAX: usize = 16;
/// Unpacking stops here; the library goes on until the C stack is full.
const UNPACK_DEPTH_MAX: usize = 500;
/// Results of one call.
const RESULTS_MAX: usize = 7900;

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
    match value {
        Val::Str(_) => {
            let text = lua::bytes(state, value).unwrap_or_default();
            length(out, text.len(), (0xa0, 32), &[0xd9, 0xda, 0xdb]);
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
            append_table(state, Table::from_gc_ref(table), level + 1, out)?;
        }
        _ => out.push(0xc0),
    }
    Ok(())
}

fn append_table(state: &LuaState, table: Table, level: usize, out: &mut Vec<u8>) -> LuaResult<()> {
    check_memory()?;
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
        length(out, count, (0x90, 16), &[0xdc, 0xdd]);
        return (1..=count)
            .try_for_each(|index| append(state, lua::get_index(state, table, index), level, out));
    }
    length(out, count, (0x80, 16), &[0xde, 0xdf]);
    last = Val::Nil;
    while let Some((key, value)) = next_pair(state, table, last)? {
        append(state, key, level, out)?;
        append(state, value, level, out)?;
        last = key;
    }
    Ok(())
}

/// A length in the shortest form: in the type's own byte, or after one of `codes`, whose last has
/// four bytes, the one before it two, and the one before that one.
fn length(out: &mut Vec<u8>, length: usize, (fixed, below): (u8, usize), codes: &[u8]) {
    let (long, short) = (codes[codes.len() - 1], codes[codes.len() - 2]);
    match length {
        _ if length < below => out.push(fixed | length as u8),
        0..=0xff if codes.len() == 3 => out.extend([codes[0], length as u8]),
        0..=0xffff => {
            out.push(short);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(long);
            out.extend((length as u32).to_be_bytes());
        }
    }
}

fn integer(out: &mut Vec<u8>, number: i64) {
    let bytes = number.to_be_bytes();
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
    out.extend_from_slice(&bytes[8 - length..]);
}

/// Unpacks at most `limit` values from `offset` on, or all if both are 0.
fn unpack(state: &mut LuaState, limit: i64, offset: i64) -> LuaResult<u32> {
    let text = state.check_string(1)?;
    if offset < 0 || limit < 0 {
        let length = text.len();
        return Err(fail(format!(
            "Invalid request to unpack with offset of {offset} and limit of {length}."
        )));
    }
    let Some(mut rest) = text.get(offset as usize..) else {
        let length = text.len();
        return Err(fail(format!("Start offset {offset} greater than input length {length}.")));
    };
    let all = limit == 0 && offset == 0;
    let most = if all { RESULTS_MAX } else { (limit as usize).min(RESULTS_MAX) };
    let mut values = Vec::new();
    while !rest.is_empty() && values.len() < most {
        values.push(read(state, &mut rest, 0)?);
    }
    if !all {
        let next = if rest.is_empty() { -1.0 } else { (text.len() - rest.len()) as f64 };
        values.insert(0, Val::Num(next));
    }
    values.iter().for_each(|value| state.push(*value));
    Ok(values.len() as u32)
}

fn take<'t>(rest: &mut &'t [u8], count: usize) -> LuaResult<&'t [u8]> {
    let (taken, after) =
        rest.split_at_checked(count).ok_or_else(|| fail("Missing bytes in input."))?;
    *rest = after;
    Ok(taken)
}

fn unsigned(rest: &mut &[u8], count: usize) -> LuaResult<u64> {
    Ok(take(rest, count)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn read(state: &mut LuaState, rest: &mut &[u8], depth: usize) -> LuaResult<Val> {
    let code = take(rest, 1)?[0];
    let number = |number: u64| Ok(Val::Num(number as f64));
    let size = |of: u8| 1 << (code - of);
    match code {
        0..=0x7f | 0xe0.. => Ok(Val::Num(f64::from(code as i8))),
        0x80..=0x8f => read_map(state, rest, usize::from(code & 15), depth + 1),
        0x90..=0x9f => read_list(state, rest, usize::from(code & 15), depth + 1),
        0xa0..=0xbf => read_string(state, rest, usize::from(code & 31)),
        0xc0 => Ok(Val::Nil),
        0xc2 | 0xc3 => Ok(Val::Bool(code == 0xc3)),
        0xc4..=0xc6 | 0xd9..=0xdb => {
            let of = if code < 0xd9 { 0xc4 } else { 0xd9 };
            let length = unsigned(rest, size(of))? as usize;
            read_string(state, rest, length)
        }
        0xca => Ok(Val::Num(f64::from(f32::from_bits(unsigned(rest, 4)? as u32)))),
        0xcb => Ok(Val::Num(f64::from_bits(unsigned(rest, 8)?))),
        0xcc..=0xcf => number(unsigned(rest, size(0xcc))?),
        0xd0..=0xd3 => {
            let bits = 64 - 8 * size(0xd0);
            let signed = (unsigned(rest, size(0xd0))? << bits) as i64 >> bits;
            Ok(Val::Num(signed as f64))
        }
        0xdc | 0xdd => {
            let count = unsigned(rest, 2 * size(0xdc))? as usize;
            read_list(state, rest, count, depth + 1)
        }
        0xde | 0xdf => {
            let count = unsigned(rest, 2 * size(0xde))? as usize;
            read_map(state, rest, count, depth + 1)
        }
        _ => Err(fail("Bad data format in input.")),
    }
}

fn read_string(state: &mut LuaState, rest: &mut &[u8], length: usize) -> LuaResult<Val> {
    let text = take(rest, length)?;
    Ok(lua::string(state, text))
}

fn new_table(state: &mut LuaState, depth: usize) -> LuaResult<Table> {
    check_memory()?;
    if depth > UNPACK_DEPTH_MAX {
        return Err(fail("Bad data format in input."));
    }
    Ok(state.create_table())
}

fn read_list(state: &mut LuaState, rest: &mut &[u8], count: usize, depth: usize) -> LuaResult<Val> {
    let list = new_table(state, depth)?;
    for index in 1..=count {
        let value = read(state, rest, depth)?;
        lua::set_index(state, list, index, value)?;
    }
    Ok(lua::value(list))
}

fn read_map(state: &mut LuaState, rest: &mut &[u8], count: usize, depth: usize) -> LuaResult<Val> {
    let map = new_table(state, depth)?;
    for _ in 0..count {
        let key = read(state, rest, depth)?;
        let value = read(state, rest, depth)?;
        lua::set(state, map, key, value)?;
    }
    Ok(lua::value(map))
}
