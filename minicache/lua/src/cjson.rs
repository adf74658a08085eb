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
//! Redis one script changes them for all others. Numbers that are not JSON (`0x1f`, `+1`, `inf`,
//! `nan`) are refused.

use crate::memory::{check_length, check_sometimes};
use crate::value::{self as lua, fail, general, next_pair};
use rilua::vm::state::LuaState;
use rilua::{LuaApiMut, LuaError, LuaResult, RustFn, Table, Val};

/// The functions of the library.
pub const FUNCTIONS: &[(&str, RustFn)] = &[("encode", encode), ("decode", decode)];
/// `cjson.null`: C's null pointer.
pub const NULL: Val = Val::LightUserdata(0);

const DEPTH_MAX: usize = 1000;
/// A list with fewer than every second element is refused, if it is longer than [`SPARSE_MIN`].
const SPARSE_RATIO: usize = 2;
const SPARSE_MIN: usize = 10;

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
    check_length(json.len())?;
    match value {
        Val::Str(_) => append_string(lua::bytes(state, value).unwrap_or_default(), json),
        Val::Num(number) if number.is_finite() => json.extend(general(number, 14).bytes()),
        Val::Num(_) => return Err(fail("Cannot serialise number: must not be NaN or Inf")),
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
        return Err(fail(format!("Cannot serialise, excessive nesting ({depth})")));
    }
    let length = list_length(state, table)?;
    if length > 0 {
        for index in 1..=length {
            json.push(if index == 1 { b'[' } else { b',' });
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
            Val::Num(number) => json.extend(format!("\"{}\"", general(number, 14)).bytes()),
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

/// Bytes that are written as a backslash and a letter, and the letters.
const ESCAPED: (&[u8], &[u8]) = (b"\"\\/\x08\x0c\n\r\t", b"\"\\/bfnrt");

fn append_string(text: &[u8], json: &mut Vec<u8>) {
    json.push(b'"');
    for byte in text {
        match ESCAPED.0.iter().position(|it| it == byte) {
            Some(at) => json.extend([b'\\', ESCAPED.1[at]]),
            None if byte.is_ascii_control() => json.extend(format!("\\u{byte:04x}").bytes()),
            None => json.push(*byte),
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
    let mut parser = Parser { text: &text, at: 0, depth: 0 };
    let first = parser.token();
    let value = parser.value(state, first)?;
    match parser.token() {
        (Token::Sign(0), _) => lua::one(state, value),
        other => Err(expected("the end", other)),
    }
}

/// A token, and where it begins.
type Found = (Token, usize);

enum Token {
    /// One of [`SIGNS`].
    Sign(u8),
    Text(Vec<u8>),
    /// A number, a boolean, or [`NULL`].
    Scalar(Val),
    Wrong(&'static str),
}

/// Signs and their names. A zero byte is the end, as in C.
const SIGNS: [(u8, &str); 7] = [
    (b'{', "T_OBJ_BEGIN"),
    (b'}', "T_OBJ_END"),
    (b'[', "T_ARR_BEGIN"),
    (b']', "T_ARR_END"),
    (b':', "T_COLON"),
    (b',', "T_COMMA"),
    (0, "T_END"),
];
const WORDS: [(&str, Val); 3] =
    [("true", Val::Bool(true)), ("false", Val::Bool(false)), ("null", NULL)];

fn expected(what: &str, (token, at): Found) -> LuaError {
    let found = match token {
        Token::Sign(sign) => SIGNS.iter().find(|(it, _)| *it == sign).map_or("", |(_, name)| name),
        Token::Text(_) => "T_STRING",
        Token::Scalar(Val::Num(_)) => "T_NUMBER",
        Token::Scalar(Val::Bool(_)) => "T_BOOLEAN",
        Token::Scalar(_) => "T_NULL",
        Token::Wrong(why) => why,
    };
    fail(format!("Expected {what} but found {found} at character {}", at + 1))
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn token(&mut self) -> Found {
        let blanks = self.text[self.at..].iter().take_while(|byte| b" \t\n\r".contains(byte));
        self.at += blanks.count();
        let (start, rest) = (self.at, &self.text[self.at..]);
        let first = rest.first().copied().unwrap_or(0);
        let word = WORDS.iter().find(|(word, _)| rest.starts_with(word.as_bytes()));
        let (token, length) = match (first, word, number(rest)) {
            (b'"', ..) => return self.string(),
            (0, ..) => (Token::Sign(0), 0),
            (_, Some((word, value)), _) => (Token::Scalar(*value), word.len()),
            (b'.', ..) => (Token::Wrong("invalid token"), 0),
            (_, _, Some((number, length))) => (Token::Scalar(Val::Num(number)), length),
            (b'-', ..) => (Token::Wrong("invalid number"), 0),
            _ if SIGNS.iter().any(|(sign, _)| *sign == first) => (Token::Sign(first), 1),
            _ => (Token::Wrong("invalid token"), 0),
        };
        self.at += length;
        (token, start)
    }

    fn string(&mut self) -> Found {
        let (start, mut text) = (self.at, Vec::new());
        loop {
            self.at += 1;
            let rest = &self.text[self.at.min(self.text.len())..];
            match rest {
                [] | [0, ..] => return (Token::Wrong("unexpected end of string"), self.at),
                [b'"', ..] => break,
                [b'\\', b'u', ..] => {
                    let Some(character) = unicode(rest) else {
                        return (Token::Wrong("invalid unicode escape code"), self.at);
                    };
                    text.extend(character.encode_utf8(&mut [0; 4]).bytes());
                    self.at += 6 * character.len_utf16() - 1;
                }
                [b'\\', ..] => {
                    let letter = rest.get(1).and_then(|it| ESCAPED.1.iter().position(|e| e == it));
                    let Some(letter) = letter else {
                        return (Token::Wrong("invalid escape code"), self.at);
                    };
                    text.push(ESCAPED.0[letter]);
                    self.at += 1;
                }
                [byte, ..] => text.push(*byte),
            }
        }
        self.at += 1;
        (Token::Text(text), start)
    }

    fn value(&mut self, state: &mut LuaState, found: Found) -> LuaResult<Val> {
        match found.0 {
            Token::Text(text) => Ok(lua::string(state, &text)),
            Token::Scalar(value) => Ok(value),
            Token::Sign(open @ (b'{' | b'[')) => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(fail(format!(
                        "Found too many nested data structures ({}) at character {}",
                        self.depth, self.at
                    )));
                }
                let table = state.create_table();
                self.elements(state, table, open == b'{')?;
                self.depth -= 1;
                Ok(lua::value(table))
            }
            _ => Err(expected("value", found)),
        }
    }

    /// Reads the elements of a list or an object, and its end.
    fn elements(&mut self, state: &mut LuaState, table: Table, is_object: bool) -> LuaResult<()> {
        let close = if is_object { b'}' } else { b']' };
        let mut found = self.token();
        if matches!(found.0, Token::Sign(sign) if sign == close) {
            return Ok(());
        }
        for index in 1.. {
            check_sometimes(index)?;
            let mut key = Val::Num(index as f64);
            if is_object {
                let (Token::Text(text), _) = found else {
                    return Err(expected("object key string", found));
                };
                key = lua::string(state, &text);
                match self.token() {
                    (Token::Sign(b':'), _) => found = self.token(),
                    other => return Err(expected("colon", other)),
                }
            }
            let value = self.value(state, found)?;
            lua::set(state, table, key, value)?;
            match self.token() {
                (Token::Sign(b','), _) => found = self.token(),
                (Token::Sign(sign), _) if sign == close => break,
                other if is_object => return Err(expected("comma or object end", other)),
                other => return Err(expected("comma or array end", other)),
            }
        }
        Ok(())
    }
}

/// The character of `\u0041`, or of two such escapes that are a surrogate pair.
fn unicode(text: &[u8]) -> Option<char> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let mut digits = digits.iter().map(|digit| char::from(*digit).to_digit(16));
        digits.try_fold(0, |unit, digit| Some(unit << 4 | digit? as u16))
    };
    char::decode_utf16([unit(0)?, unit(6).unwrap_or(0)]).next()?.ok()
}

/// The number at the start of `text` and its length: an optional sign, digits, a fraction, an
/// exponent.
fn number(text: &[u8]) -> Option<(f64, usize)> {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = usize::from(text.first() == Some(&b'-'));
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
    Some((std::str::from_utf8(&text[..end]).ok()?.parse().ok()?, end))
}
