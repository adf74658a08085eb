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

use crate::memory::{check_length, check_sometimes};
use crate::value::{self as lua, general, next_pair};
use rilua::vm::state::LuaState;
use rilua::{LuaApiMut, LuaResult, Table, Val};

/// Tables within tables of a reply. Redis stops at about as many, when Lua's C stack is used up.
const DEPTH_MAX: usize = 1000;

/// Reads the frame at the start of `bytes`, which the host has written, and moves past it.
pub(crate) fn from_reply(state: &mut LuaState, bytes: &mut &[u8]) -> LuaResult<Val> {
    let whole = *bytes;
    let end = whole.windows(2).position(|pair| pair == b"\r\n").unwrap_or(whole.len());
    *bytes = whole.get(end + 2..).unwrap_or_default();
    let (kind, line) = whole[..end].split_first().unwrap_or((&b'_', b""));
    let text = std::str::from_utf8(line).unwrap_or_default();

    // A length below 0 stands for a null.
    let length = text.parse::<usize>().ok();
    let payload = length.filter(|_| matches!(kind, b'$' | b'!' | b'=')).map(|length| {
        let (payload, rest) = bytes.split_at(length.min(bytes.len()));
        *bytes = rest.get(2..).unwrap_or_default();
        payload
    });
    match (kind, payload, length) {
        (b':', ..) => Ok(Val::Num(text.parse::<i64>().unwrap_or(0) as f64)),
        (b'$', Some(payload), _) => Ok(lua::string(state, payload)),
        (b'+', ..) => field(state, "ok", |state| lua::string(state, line)),
        (b'-', ..) => error_of_command(state, line),
        (b'!', Some(payload), _) => error_of_command(state, payload),
        (b'_', ..) => Ok(Val::Nil),
        (b'#', ..) => Ok(Val::Bool(line == b"t")),
        (b',', ..) => field(state, "double", |_| Val::Num(text.parse().unwrap_or(f64::NAN))),
        (b'(', ..) => field(state, "big_number", |state| lua::string(state, line)),
        (b'=', Some(payload), _) => verbatim(state, payload),
        (b'*' | b'>' | b'%' | b'~', _, Some(count)) => from_group(state, *kind, count, bytes),
        _ => Ok(Val::Bool(false)),
    }
}

fn from_group(state: &mut LuaState, kind: u8, count: usize, bytes: &mut &[u8]) -> LuaResult<Val> {
    let list = state.create_table();
    for index in 1..=count {
        check_sometimes(index)?;
        let element = from_reply(state, bytes)?;
        match kind {
            b'~' => lua::set(state, list, element, Val::Bool(true))?,
            b'%' => {
                let value = from_reply(state, bytes)?;
                lua::set(state, list, element, value)?;
            }
            _ => lua::set_index(state, list, index, element)?,
        }
    }
    match kind {
        b'%' => field(state, "map", |_| lua::value(list)),
        b'~' => field(state, "set", |_| lua::value(list)),
        _ => Ok(lua::value(list)),
    }
}

/// A table with one field.
pub(crate) fn field(
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
pub(crate) fn error_table(state: &mut LuaState, text: &[u8]) -> LuaResult<Val> {
    let is_end = |byte: &u8| b"\r\n".contains(byte);
    let start = text.iter().take_while(|byte| is_end(byte)).count();
    let end = text[start..].iter().rev().take_while(|byte| is_end(byte)).count();
    let text = &text[start..text.len() - end];
    match text.contains(&b' ') {
        true => field(state, "err", |state| lua::string(state, text)),
        false => field(state, "err", |state| lua::string(state, &[b"ERR ", text].concat())),
    }
}

/// The table of an error reply, with the mark that tells Redis not to count it twice.
fn error_of_command(state: &mut LuaState, text: &[u8]) -> LuaResult<Val> {
    let error = error_table(state, text)?;
    if let Some(table) = lua::table(error) {
        lua::set_name(state, table, "ignore_error_stats_update", Val::Bool(true))?;
    }
    Ok(error)
}

/// The reply of a script.
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    /// The client speaks RESP3.
    pub(crate) resp3: bool,
    /// The script does (`redis.setresp`), which decides about booleans.
    pub(crate) script_resp3: bool,
}

impl Reply {
    /// Writes a value that a script returned (`luaReplyToRedisReply`), within `depth` tables.
    pub(crate) fn write(
        &mut self,
        state: &mut LuaState,
        value: Val,
        depth: usize,
    ) -> LuaResult<()> {
        // A table may contain itself twice; then the reply would grow without end.
        check_length(self.bytes.len())?;
        match value {
            Val::Str(_) => self.payload(b'$', lua::bytes(state, value).unwrap_or_default()),
            Val::Num(number) => self.line(b':', to_integer(number).to_string().as_bytes()),
            Val::Bool(false) if !self.script_resp3 => self.null(),
            Val::Bool(truth) if self.script_resp3 && self.resp3 => {
                self.line(b'#', if truth { b"t" } else { b"f" });
            }
            Val::Bool(truth) => self.line(b':', if truth { b"1" } else { b"0" }),
            Val::Table(_) if depth > DEPTH_MAX => self.line(b'-', b"ERR reached lua stack limit"),
            Val::Table(table) => {
                let table = Table::from_gc_ref(table);
                if !self.special(state, table, depth)? {
                    self.list(state, table, depth)?;
                }
            }
            _ => self.null(),
        }
        Ok(())
    }

    /// Writes a table that stands for another type. Returns false for one that is a list. The order
    /// of the questions is Redis's; it decides about a table with several of the fields.
    fn special(&mut self, state: &mut LuaState, table: Table, depth: usize) -> LuaResult<bool> {
        for (name, sign) in [("err", b'-'), ("ok", b'+')] {
            if let Some(text) = text(state, table, name) {
                // It ends at a zero byte, as in C.
                let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
                self.line(sign, &one_line(text));
                return Ok(true);
            }
        }
        if let Val::Num(number) = lua::get(state, table, "double") {
            self.line_or_bulk(b',', general(number, 17).as_bytes());
            return Ok(true);
        }
        for name in ["map", "set"] {
            if let Some(inner) = lua::table(lua::get(state, table, name)) {
                self.pairs(state, inner, name == "map", depth)?;
                return Ok(true);
            }
        }
        if let Some(digits) = text(state, table, "big_number") {
            self.line_or_bulk(b'(', &one_line(&digits));
            return Ok(true);
        }
        if let Some(parts) = lua::table(lua::get(state, table, "verbatim_string"))
            && let (Some(content), Some(mut format)) =
                (text(state, parts, "string"), text(state, parts, "format"))
        {
            format.resize(3, b' ');
            match self.resp3 {
                true => self.payload(b'=', &[&format, &b":"[..], &content].concat()),
                false => self.payload(b'$', &content),
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn line_or_bulk(&mut self, sign: u8, text: &[u8]) {
        if self.resp3 { self.line(sign, text) } else { self.payload(b'$', text) }
    }

    fn list(&mut self, state: &mut LuaState, table: Table, depth: usize) -> LuaResult<()> {
        let (start, mut count) = (self.bytes.len(), 0);
        loop {
            let element = lua::get_index(state, table, count + 1);
            if element.is_nil() {
                break;
            }
            self.write(state, element, depth + 1)?;
            count += 1;
        }
        self.header_at(start, b'*', count);
        Ok(())
    }

    fn pairs(
        &mut self,
        state: &mut LuaState,
        table: Table,
        is_map: bool,
        depth: usize,
    ) -> LuaResult<()> {
        let (start, mut key, mut count) = (self.bytes.len(), Val::Nil, 0);
        while let Some((next, value)) = next_pair(state, table, key)? {
            self.write(state, next, depth + 1)?;
            if is_map {
                self.write(state, value, depth + 1)?;
            }
            (key, count) = (next, count + 1);
        }
        match (self.resp3, is_map) {
            (true, true) => self.header_at(start, b'%', count),
            (true, false) => self.header_at(start, b'~', count),
            (false, _) => self.header_at(start, b'*', if is_map { 2 * count } else { count }),
        }
        Ok(())
    }

    fn line(&mut self, sign: u8, text: &[u8]) {
        self.bytes.push(sign);
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn null(&mut self) {
        self.bytes.extend_from_slice(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    fn payload(&mut self, sign: u8, bytes: &[u8]) {
        self.line(sign, bytes.len().to_string().as_bytes());
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Inserts the header of a group whose elements begin at `start`. That moves them.
    fn header_at(&mut self, start: usize, sign: u8, count: usize) {
        let end = self.bytes.len();
        self.line(sign, count.to_string().as_bytes());
        let inserted = self.bytes.len() - end;
        self.bytes[start..].rotate_right(inserted);
    }
}

/// A field that is a string.
fn text(state: &mut LuaState, table: Table, name: &str) -> Option<Vec<u8>> {
    let value = lua::get(state, table, name);
    lua::bytes(state, value).map(<[u8]>::to_vec)
}

/// A text with blanks in place of line ends.
fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte }).collect()
}

/// A number as C converts it to a `long long`: out of range, x86 gives the smallest one.
pub(crate) fn to_integer(number: f64) -> i64 {
    let in_range = number.is_finite() && number.abs() < 9_223_372_036_854_775_808.0;
    if in_range { number as i64 } else { i64::MIN }
}

/// A number as an argument of a command: up to 17 digits (`%.17g`).
pub(crate) fn argument(number: f64) -> Vec<u8> {
    let integer = to_integer(number);
    let is_short = integer as f64 == number && integer.unsigned_abs() < 1 << 53;
    if is_short && (integer != 0 || number.is_sign_positive()) {
        return integer.to_string().into_bytes();
    }
    general(number, 17).into_bytes()
}
