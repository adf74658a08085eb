//! `cjson`: JSON for scripts (the library lua-cjson 2.1.0, with its defaults).
//!
//! ```text
//! cjson.encode({1, {a='b/c'}})    [1,{"a":"b\/c"}]     keys 1 to n: an array
//! cjson.encode({})                {}                   an empty table is an object
//! cjson.decode('[1,null]')        {1, cjson.null}      a value of its own, because nil ends a list
//! cjson.decode('[1')              Expected comma or array end but found T_END at character 3
//! ```
//!
//! The functions that change the library's defaults (`encode_sparse_array`, …) are left out: in
//! Redis one script changes them for all others.

use crate::memory::check_memory;
use crate::value::{self as lua, fail, general, next_pair};
use rilua::vm::state::LuaState;
use rilua::{LuaApiMut, LuaResult, RustFn, Table, Val};

/// The functions of the library.
pub const FUNCTIONS: &[(&str, RustFn)] = &[("encode", encode), ("decode", decode)];
/// `cjson.null`: C's null pointer.
pub const NULL: Val = Val::LightUserdata(0);

const DEPTH_MAX: usize = 1000;
/// A list with fewer than every second element is refused, if it is longer than [`SPARSE_MIN`].
const SPARSE_RATIO: usize = 2;
const SPARSE_MIN: usize = 10;
/// After this many values the memory is checked.
const CHECK_ONE_IN: usize = 1024;

fn one_argument(state: &LuaState) -> LuaResult<()> {
    let one = lua::count(state) == 1;
    if one { Ok(()) } else { Err(state.arg_error(1, "expected 1 argument")) }
}

fn encode(state: &mut LuaState) -> LuaResult<u32> {
    one_argument(state)?;
    let mut json = Vec::new();
    append(state, lua::arg(state, 1), 0, &mut json)?;
    let json = lua::string(state, &json);
    lua::one(state, json)
}

fn append(state: &LuaState, value: Val, depth: usize, json: &mut Vec<u8>) -> LuaResult<()> {
    match value {
        Val::Str(_) => append_string(lua::bytes(state, value).unwrap_or_default(), json),
        Val::Num(number) if !number.is_finite() => {
            return Err(fail("Cannot serialise number: must not be NaN or Inf"));
        }
        Val::Num(number) => json.extend_from_slice(general(number, 14).as_bytes()),
        Val::Bool(truth) => json.extend_from_slice(if truth { b"true" } else { b"false" }),
        Val::Nil | Val::LightUserdata(0) => json.extend_from_slice(b"null"),
        Val::Table(table) => {
            return append_table(state, Table::from_gc_ref(table), depth + 1, json);
        }
        _ => {
            let kind = value.type_name();
            return Err(fail(format!("Cannot serialise {kind}: type not supported")));
        }
    }
    Ok(())
}

fn append_table(state: &LuaState, table: Table, depth: usize, json: &mut Vec<u8>) -> LuaResult<()> {
    if depth > DEPTH_MAX {
        return Err(fail(format!("Cannot serialise, excessive depth ({depth})")));
    }
    check_memory()?;
    let length = list_length(state, table)?;
    if length > 0 {
        json.push(b'[');
        for index in 1..=length {
            if index > 1 {
                json.push(b',');
            }
            append(state, lua::get_index(state, table, index), depth, json)?;
        }
        json.push(b']');
        return Ok(());
    }

    json.push(b'{');
    let mut last = Val::Nil;
    while let Some((key, value)) = next_pair(state, table, last)? {
        if !last.is_nil() {
            json.push(b',');
        }
        match key {
            Val::Str(_) => append_string(lua::bytes(state, key).unwrap_or_default(), json),
            Val::Num(number) => {
                json.extend_from_slice(format!("\"{}\"", general(number, 14)).as_bytes());
            }
            _ => {
                let why = "Cannot serialise table: table key must be a number or string";
                return Err(fail(why));
            }
        }
        json.push(b':');
        append(state, value, depth, json)?;
        last = key;
    }
    json.push(b'}');
    Ok(())
}

/// The greatest key of a table that has only positive integers as keys, otherwise 0.
fn list_length(state: &LuaState, table: Table) -> LuaResult<usize> {
    let (mut last, mut greatest, mut count) = (Val::Nil, 0, 0);
    while let Some((key, _)) = next_pair(state, table, last)? {
        match key {
            Val::Num(number) if number >= 1.0 && number.floor() == number => {
                greatest = greatest.max(number as usize);
                count += 1;
            }
            _ => return Ok(0),
        }
        last = key;
    }
    if greatest > count * SPARSE_RATIO && greatest > SPARSE_MIN {
        return Err(fail("Cannot serialise table: excessively sparse array"));
    }
    Ok(greatest)
}

fn append_string(text: &[u8], json: &mut Vec<u8>) {
    json.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' | b'/' => json.extend([b'\\', byte]),
            8 => json.extend_from_slice(b"\\b"),
            12 => json.extend_from_slice(b"\\f"),
            b'\n' => json.extend_from_slice(b"\\n"),
            b'\r' => json.extend_from_slice(b"\\r"),
            b'\t' => json.extend_from_slice(b"\\t"),
            0..32 | 127 => json.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => json.push(byte),
        }
    }
    json.push(b'"');
}

fn decode(state: &mut LuaState) -> LuaResult<u32> {
    one_argument(state)?;
    let text = state.check_string(1)?;
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(fail("JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut parser = Parser { text: &text, at: 0, depth: 0, values: 0 };
    let first = parser.token()?;
    let value = parser.value(state, first)?;
    match parser.token()? {
        (Token::End, _) => lua::one(state, value),
        other => Err(parser.expected("the end", other)),
    }
}

/// A token, and where it begins.
type Found = (Token, usize);

enum Token {
    /// One of `{}[]:,`.
    Sign(u8),
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    End,
    Wrong(&'static str),
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    values: usize,
}

impl Parser<'_> {
    fn expected(&self, what: &str, (token, at): Found) -> rilua::LuaError {
        let found = match token {
            Token::Sign(b'{') => "T_OBJ_BEGIN",
            Token::Sign(b'}') => "T_OBJ_END",
            Token::Sign(b'[') => "T_ARR_BEGIN",
            Token::Sign(b']') => "T_ARR_END",
            Token::Sign(b':') => "T_COLON",
            Token::Sign(_) => "T_COMMA",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::End => "T_END",
            Token::Wrong(why) => why,
        };
        fail(format!("Expected {what} but found {found} at character {}", at + 1))
    }

    fn token(&mut self) -> LuaResult<Found> {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let start = self.at;
        let rest = &self.text[start..];
        let literal = |word: &str| rest.starts_with(word.as_bytes());
        let (token, length) = match rest.first() {
            None => (Token::End, 0),
            Some(sign @ (b'{' | b'}' | b'[' | b']' | b':' | b',')) => (Token::Sign(*sign), 1),
            Some(b'"') => return self.string(start),
            Some(b'-' | b'0'..=b'9') => match number(rest) {
                Some((number, length)) => (Token::Number(number), length),
                None => (Token::Wrong("invalid number"), 0),
            },
            Some(_) if literal("true") => (Token::Boolean(true), 4),
            Some(_) if literal("false") => (Token::Boolean(false), 5),
            Some(_) if literal("null") => (Token::Null, 4),
            Some(_) => (Token::Wrong("invalid token"), 0),
        };
        self.at += length;
        Ok((token, start))
    }

    fn string(&mut self, start: usize) -> LuaResult<Found> {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            let byte = self.text.get(self.at).copied();
            self.at += 1;
            match byte {
                None => return Ok((Token::Wrong("unexpected end of string"), self.at - 1)),
                Some(b'"') => return Ok((Token::String(text), start)),
                Some(b'\\') => {
                    let escape = self.text.get(self.at).copied();
                    match escape {
                        Some(b'u') => match self.unicode() {
                            Some(character) => {
                                let mut buffer = [0; 4];
                                text.extend(character.encode_utf8(&mut buffer).as_bytes());
                                continue;
                            }
                            None => {
                                let why = Token::Wrong("invalid unicode escape code");
                                return Ok((why, self.at - 1));
                            }
                        },
                        Some(byte @ (b'"' | b'\\' | b'/')) => text.push(byte),
                        Some(b'b') => text.push(8),
                        Some(b'f') => text.push(12),
                        Some(b'n') => text.push(b'\n'),
                        Some(b'r') => text.push(b'\r'),
                        Some(b't') => text.push(b'\t'),
                        _ => return Ok((Token::Wrong("invalid escape code"), self.at - 1)),
                    }
                    self.at += 1;
                }
                Some(byte) => text.push(byte),
            }
        }
    }

    /// The character of `u0041`, or of two such escapes that are a surrogate pair.
    fn unicode(&mut self) -> Option<char> {
        let unit = |at: usize| {
            let digits = std::str::from_utf8(self.text.get(at..at + 4)?).ok()?;
            u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
        };
        let first = unit(self.at + 1)?;
        if let 0xD800..0xDC00 = first {
            let second = unit(self.at + 7).filter(|unit| (0xDC00..0xE000).contains(unit))?;
            if self.text[self.at + 5..].starts_with(b"\\u") {
                self.at += 11;
                return char::from_u32(0x10000 + ((first & 0x3FF) << 10) + (second & 0x3FF));
            }
            return None;
        }
        let character = char::from_u32(first)?;
        self.at += 5;
        Some(character)
    }

    fn value(&mut self, state: &mut LuaState, found: Found) -> LuaResult<Val> {
        self.values += 1;
        if self.values.is_multiple_of(CHECK_ONE_IN) {
            check_memory()?;
        }
        match found {
            (Token::String(text), _) => Ok(lua::string(state, &text)),
            (Token::Number(number), _) => Ok(Val::Num(number)),
            (Token::Boolean(truth), _) => Ok(Val::Bool(truth)),
            (Token::Null, _) => Ok(NULL),
            (Token::Sign(open @ (b'{' | b'[')), _) => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(fail(format!(
                        "Found too many nested data structures ({}) at character {}",
                        self.depth, self.at
                    )));
                }
                let table = state.create_table();
                if open == b'{' {
                    self.object(state, table)?
                } else {
                    self.list(state, table)?
                }
                self.depth -= 1;
                Ok(lua::value(table))
            }
            other => Err(self.expected("value", other)),
        }
    }

    fn list(&mut self, state: &mut LuaState, list: Table) -> LuaResult<()> {
        let mut found = self.token()?;
        if let (Token::Sign(b']'), _) = found {
            return Ok(());
        }
        for index in 1.. {
            let value = self.value(state, found)?;
            lua::set_index(state, list, index, value)?;
            match self.token()? {
                (Token::Sign(b']'), _) => break,
                (Token::Sign(b','), _) => found = self.token()?,
                other => return Err(self.expected("comma or array end", other)),
            }
        }
        Ok(())
    }

    fn object(&mut self, state: &mut LuaState, object: Table) -> LuaResult<()> {
        let mut found = self.token()?;
        if let (Token::Sign(b'}'), _) = found {
            return Ok(());
        }
        loop {
            let (Token::String(key), _) = found else {
                return Err(self.expected("object key string", found));
            };
            match self.token()? {
                (Token::Sign(b':'), _) => found = self.token()?,
                other => return Err(self.expected("colon", other)),
            }
            let value = self.value(state, found)?;
            let key = lua::string(state, &key);
            lua::set(state, object, key, value)?;
            match self.token()? {
                (Token::Sign(b'}'), _) => return Ok(()),
                (Token::Sign(b','), _) => found = self.token()?,
                other => return Err(self.expected("comma or object end", other)),
            }
        }
    }
}

/// The number at the start of `text` and its length: an optional sign, digits, a fraction, an
/// exponent.
fn number(text: &[u8]) -> Option<(f64, usize)> {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = usize::from(text[0] == b'-');
    end += digits(end);
    if text.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        if let count @ 1.. = digits((end + 1 + sign).min(text.len())) {
            end += 1 + sign + count;
        }
    }
    let number = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some((number, end))
}
