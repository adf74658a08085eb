//! Values between RESP and Lua, both ways (`script_lua.c`).
//!
//! | RESP | Lua | back |
//! |---|---|---|
//! | `:5` | number 5 | `:5`; a fraction is cut off |
//! | `$2 hi` | string "hi" | `$2 hi` |
//! | `+OK` | `{ok='OK'}` | `+OK` |
//! | `-ERR no` | `{err='ERR no'}` | `-ERR no` |
//! | `*2 …` | `{…, …}` | an array that ends before the first nil |
//! | `$-1`, `*-1` | false | null |
//! | `_`, `#t`, `,1.5` | nil, true, `{double=1.5}` | null, `:1` or `#t`, a double |
//! | `%1 …`, `~1 …` | `{map=…}`, `{set=…}` | the same |
//! | `(12`, `=…` | `{big_number=…}`, `{verbatim_string=…}` | the same |
//!
//! The last three rows need `redis.setresp(3)`, or a client of RESP3 for the way back. Redis writes
//! a reply as the command makes it and parses that for Lua; so do we.

use crate::format::number::parse_f64;
use crate::wire::frame::{Group, Head};
use crate::wire::reply::{Protocol, Reply};
use minicache_lua::value::{self as lua, general, next_pair};
use minicache_lua::{MEMORY_MAX, check_memory};
use rilua::vm::state::LuaState;
use rilua::{LuaApiMut, LuaError, LuaResult, Table, Val};

/// Tables within tables of a reply. Redis stops at about as many, when Lua's C stack is used up.
const DEPTH_MAX: usize = 1000;
/// After this many elements the memory is checked.
const CHECK_ONE_IN: usize = 1024;

/// Reads the frame at the start of `bytes`, which the server itself has written, and moves past it.
pub fn from_reply(state: &mut LuaState, bytes: &mut &[u8]) -> LuaResult<Val> {
    let whole = *bytes;
    let end = whole.windows(2).position(|pair| pair == b"\r\n").unwrap_or(whole.len());
    *bytes = whole.get(end + 2..).unwrap_or_default();
    let mut payload = |length: usize| {
        let (text, rest) = bytes.split_at(length.min(bytes.len()));
        *bytes = rest.get(2..).unwrap_or_default();
        text
    };
    match Head::parse(&whole[..end]) {
        Ok(Head::Int(number)) => Ok(Val::Num(number as f64)),
        Ok(Head::Bulk(length)) => Ok(lua::string(state, payload(length))),
        Ok(Head::Simple(text)) => field(state, "ok", |state| lua::string(state, text)),
        Ok(Head::Error(text)) => error_table(state, text),
        Ok(Head::BulkError(length)) => error_table(state, payload(length)),
        Ok(Head::Null) if whole[0] == b'_' => Ok(Val::Nil),
        Ok(Head::Boolean(truth)) => Ok(Val::Bool(truth)),
        Ok(Head::Double(text)) => {
            let number = parse_f64(text).unwrap_or(f64::NAN);
            field(state, "double", |_| Val::Num(number))
        }
        Ok(Head::BigNumber(text)) => field(state, "big_number", |state| lua::string(state, text)),
        Ok(Head::Verbatim(length)) => verbatim(state, payload(length)),
        Ok(Head::Group(group, count)) => from_group(state, group, count, bytes),
        Ok(Head::Null) | Err(_) => Ok(Val::Bool(false)),
    }
}

fn from_group(
    state: &mut LuaState,
    group: Group,
    count: usize,
    bytes: &mut &[u8],
) -> LuaResult<Val> {
    let list = state.create_table();
    for index in 1..=count {
        if index.is_multiple_of(CHECK_ONE_IN) {
            check_memory()?;
        }
        let element = from_reply(state, bytes)?;
        match group {
            Group::Array | Group::Push => lua::set_index(state, list, index, element)?,
            Group::Set => lua::set(state, list, element, Val::Bool(true))?,
            Group::Map => {
                let value = from_reply(state, bytes)?;
                lua::set(state, list, element, value)?;
            }
        }
    }
    match group {
        Group::Map => field(state, "map", |_| lua::value(list)),
        Group::Set => field(state, "set", |_| lua::value(list)),
        Group::Array | Group::Push => Ok(lua::value(list)),
    }
}

/// A table with one field.
pub fn field(
    state: &mut LuaState,
    name: &str,
    make: impl FnOnce(&mut LuaState) -> Val,
) -> LuaResult<Val> {
    let table = state.create_table();
    let value = make(state);
    lua::set_name(state, table, name, value)?;
    Ok(lua::value(table))
}

fn verbatim(state: &mut LuaState, text: &[u8]) -> LuaResult<Val> {
    let (format, text) = text.split_at(text.len().min(4));
    let parts = state.create_table();
    for (name, part) in [("format", format.get(..3).unwrap_or_default()), ("string", text)] {
        let part = lua::string(state, part);
        lua::set_name(state, parts, name, part)?;
    }
    field(state, "verbatim_string", |_| lua::value(parts))
}

/// The table of an error. A text without a leading `-` gets the code `ERR`, and so does one that
/// consists of a code only (`luaPushErrorBuff`). `text` begins after the `-` of a reply.
pub fn error_table(state: &mut LuaState, text: &[u8]) -> LuaResult<Val> {
    let text = text.trim_ascii_end();
    match text.contains(&b' ') {
        true => field(state, "err", |state| lua::string(state, text)),
        false => field(state, "err", |state| lua::string(state, &[b"ERR ", text].concat())),
    }
}

/// Writes a value that a script returned as a reply in the protocol of `out`
/// (`luaReplyToRedisReply`). The script's own protocol decides about booleans.
pub fn to_reply(
    state: &mut LuaState,
    value: Val,
    out: &mut Reply,
    own: Protocol,
    depth: usize,
) -> LuaResult<()> {
    // A table may contain itself twice; then the reply would grow without end.
    if out.len() > MEMORY_MAX {
        return Err(LuaError::Memory);
    }
    match value {
        Val::Str(_) => out.bulk(lua::bytes(state, value).unwrap_or_default()),
        Val::Num(number) => out.int(to_integer(number)),
        Val::Bool(truth) => match (own, out.protocol) {
            (Protocol::Resp2, _) if !truth => out.null(),
            (Protocol::Resp2, _) | (_, Protocol::Resp2) => out.int(i64::from(truth)),
            _ => out.buffer().extend_from_slice(if truth { b"#t\r\n" } else { b"#f\r\n" }),
        },
        Val::Table(_) if depth > DEPTH_MAX => out.error("ERR reached lua stack limit"),
        Val::Table(table) => {
            let table = Table::from_gc_ref(table);
            if !special_to_reply(state, table, out, own, depth)? {
                list_to_reply(state, table, out, own, depth)?;
            }
        }
        _ => out.null(),
    }
    Ok(())
}

/// A field that is a string, or a number as text.
fn text(state: &mut LuaState, table: Table, name: &str) -> Option<Vec<u8>> {
    let value = lua::get(state, table, name);
    match value {
        Val::Num(_) => Some(format!("{value}").into_bytes()),
        _ => lua::bytes(state, value).map(<[u8]>::to_vec),
    }
}

/// A text as a line: it ends at a zero byte, as in C, and line ends become blanks.
fn line(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(text.iter().position(|byte| *byte == 0).unwrap_or(text.len()));
    text.iter_mut().filter(|byte| b"\r\n".contains(byte)).for_each(|byte| *byte = b' ');
    text
}

/// Writes a table that stands for another type. Returns false for one that is a list. The order of
/// the questions is Redis's; it decides about a table with several of the fields.
fn special_to_reply(
    state: &mut LuaState,
    table: Table,
    out: &mut Reply,
    own: Protocol,
    depth: usize,
) -> LuaResult<bool> {
    for (name, sign) in [("err", b"-"), ("ok", b"+")] {
        if let Some(text) = text(state, table, name) {
            out.buffer().extend([&sign[..], &line(text), b"\r\n"].concat());
            return Ok(true);
        }
    }
    if let Val::Num(number) = lua::get(state, table, "double") {
        out.double(number);
        return Ok(true);
    }
    for (name, is_map) in [("map", true), ("set", false)] {
        if let Some(inner) = lua::table(lua::get(state, table, name)) {
            pairs_to_reply(state, inner, is_map, out, own, depth)?;
            return Ok(true);
        }
    }
    if let Some(digits) = text(state, table, "big_number") {
        match out.protocol {
            Protocol::Resp2 => out.bulk(&digits),
            Protocol::Resp3 => out.buffer().extend([b"(", &line(digits)[..], b"\r\n"].concat()),
        }
        return Ok(true);
    }
    if let Some(parts) = lua::table(lua::get(state, table, "verbatim_string"))
        && let (Some(content), Some(mut format)) =
            (text(state, parts, "string"), text(state, parts, "format"))
    {
        format.resize(3, b' ');
        match out.protocol {
            Protocol::Resp2 => out.bulk(&content),
            Protocol::Resp3 => {
                let head = format!("={}\r\n", content.len() + 4);
                let parts = [head.as_bytes(), &format, b":", &content, b"\r\n"];
                out.buffer().extend(parts.concat());
            }
        }
        return Ok(true);
    }
    Ok(false)
}

fn list_to_reply(
    state: &mut LuaState,
    table: Table,
    out: &mut Reply,
    own: Protocol,
    depth: usize,
) -> LuaResult<()> {
    let (mark, mut count) = (out.mark(), 0);
    loop {
        let element = lua::get_index(state, table, count + 1);
        if element.is_nil() {
            break;
        }
        to_reply(state, element, out, own, depth + 1)?;
        count += 1;
    }
    out.array_at(mark, count);
    Ok(())
}

fn pairs_to_reply(
    state: &mut LuaState,
    table: Table,
    is_map: bool,
    out: &mut Reply,
    own: Protocol,
    depth: usize,
) -> LuaResult<()> {
    let (mark, mut key, mut count) = (out.mark(), Val::Nil, 0);
    while let Some((next, value)) = next_pair(state, table, key)? {
        to_reply(state, next, out, own, depth + 1)?;
        if is_map {
            to_reply(state, value, out, own, depth + 1)?;
        }
        (key, count) = (next, count + 1);
    }
    if is_map {
        out.map_at(mark, count)
    } else {
        out.insert_at(mark, |out| out.set(count))
    }
    Ok(())
}

/// A number as C converts it to a `long long`: out of range, x86 gives the smallest one.
pub fn to_integer(number: f64) -> i64 {
    let in_range = number.is_finite() && number.abs() < 9_223_372_036_854_775_808.0;
    if in_range { number as i64 } else { i64::MIN }
}

/// A number as an argument of a command: up to 17 digits (`%.17g`).
pub fn argument(number: f64) -> Vec<u8> {
    let integer = to_integer(number);
    let is_short = integer as f64 == number && integer.unsigned_abs() < 1 << 53;
    if is_short && (integer != 0 || number.is_sign_positive()) {
        return integer.to_string().into_bytes();
    }
    general(number, 17).into_bytes()
}
