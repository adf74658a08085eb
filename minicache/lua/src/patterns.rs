//! `string.find`, `match`, `gmatch` and `gsub`: what Lua 5.1 makes of a pattern and a replacement
//! where rilua, which does the matching, makes something else of it.
//!
//! ```text
//! pattern       [a-     refused: malformed pattern (missing ']')
//!               100%    refused: malformed pattern (ends with '%')
//!               %y      y, as every letter that names no class
//!               a\0b    a, since a string in C ends at its zero byte
//!               ^a      in gmatch the two bytes ^a, which is anchored nowhere
//! replacement   %-      -, as every byte that is not a digit
//!               5       the text of the number
//! ```
//!
//! Lua raises an error of a pattern when the match arrives at the place; here it is raised before
//! the match begins. The counterpart in Lua is `lstrlib.c`.

use crate::memory::{check_length, check_memory};
use crate::value::{self as lua, fail};
use rilua::stdlib::string;
use rilua::vm::state::LuaState;
use rilua::{LuaResult, RustFn, Val};

/// The bytes that make `string.find` match a pattern instead of the text itself.
const SPECIALS: &[u8] = b"^$*+?.([%-";
/// The letters that name a class after `%`, in either case.
const CLASSES: &[u8] = b"acdlpsuwxz";

/// `string.find`.
pub fn find(state: &mut LuaState) -> LuaResult<u32> {
    let pattern = pattern(state)?;
    let has_special = pattern.iter().any(|byte| SPECIALS.contains(byte));
    if has_special && !lua::arg(state, 4).is_truthy() {
        return on_pattern(state, &pattern, string::str_find);
    }

    // The fourth argument asks for the text itself.
    check_memory()?;
    while lua::count(state) < 4 {
        state.push(Val::Nil);
    }
    state.stack_set(state.base + 3, Val::Bool(true));
    string::str_find(state)
}

/// `string.match`.
pub fn find_captures(state: &mut LuaState) -> LuaResult<u32> {
    let pattern = pattern(state)?;
    on_pattern(state, &pattern, string::str_match)
}

/// `string.gmatch`.
pub fn each_match(state: &mut LuaState) -> LuaResult<u32> {
    let mut pattern = pattern(state)?;
    if pattern.starts_with(b"^") {
        pattern.insert(0, b'%');
    }
    on_pattern(state, &pattern, string::str_gmatch)
}

/// `string.gsub`. What a string as replacement can grow to is known; other replacements are checked
/// one by one.
pub fn substitute(state: &mut LuaState) -> LuaResult<u32> {
    let pattern = pattern(state)?;
    let given = match lua::arg(state, 3) {
        Val::Str(_) | Val::Num(_) => {
            let text = replacement(&state.check_string(3)?);
            let captures = text.iter().filter(|byte| **byte == b'%').count();
            let source = lua::length(state, 1) + 1;
            check_length(source.saturating_mul(text.len() + captures + 1))?;
            lua::string(state, &text)
        }
        other @ (Val::Function(_) | Val::Table(_)) => {
            lua::closure(state, "gsub", checked_replacement, vec![other])
        }
        _ => return Err(state.arg_error(3, "string/function/table expected")),
    };
    state.stack_set(state.base + 2, given);
    on_pattern(state, &pattern, string::str_gsub)
}

fn checked_replacement(state: &mut LuaState) -> LuaResult<u32> {
    let captures: Vec<Val> = (1..=lua::count(state)).map(|index| lua::arg(state, index)).collect();
    let result = match lua::upvalue(state, 0) {
        table @ Val::Table(_) => state.gettable(table, captures[0])?,
        function => lua::call(state, function, &captures)?,
    };
    if !matches!(result, Val::Nil | Val::Bool(false) | Val::Str(_) | Val::Num(_)) {
        return Err(fail(format!("invalid replacement value (a {})", result.type_name())));
    }
    check_memory()?;
    lua::one(state, result)
}

/// Calls a function of the library with the pattern as rilua has to see it.
fn on_pattern(state: &mut LuaState, pattern: &[u8], function: RustFn) -> LuaResult<u32> {
    check_memory()?;
    let pattern = lua::string(state, &rewritten(pattern)?);
    state.stack_set(state.base + 1, pattern);
    function(state)
}

/// The pattern, which is the second argument, up to a zero byte.
fn pattern(state: &LuaState) -> LuaResult<Vec<u8>> {
    state.check_string(1)?;
    let mut pattern = state.check_string(2)?.to_vec();
    let end = pattern.iter().position(|byte| *byte == 0).unwrap_or(pattern.len());
    pattern.truncate(end);
    Ok(pattern)
}

/// Checks a pattern, and drops a `%` before a letter that names no class.
fn rewritten(pattern: &[u8]) -> LuaResult<Vec<u8>> {
    let (mut out, mut rest) = (Vec::with_capacity(pattern.len()), pattern);
    while !rest.is_empty() {
        let length = match rest {
            [b'%'] => return Err(fail("malformed pattern (ends with '%')")),
            [b'%', b'b', ..] => rest.len().min(4),
            [b'%', byte, ..] => {
                let names_class = CLASSES.contains(&byte.to_ascii_lowercase()) || *byte == b'f';
                if byte.is_ascii_alphabetic() && !names_class {
                    rest = &rest[1..];
                    1
                } else {
                    2
                }
            }
            [b'[', ..] => {
                set_length(rest).ok_or_else(|| fail("malformed pattern (missing ']')"))?
            }
            _ => 1,
        };
        out.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
    }
    Ok(out)
}

/// The length of the set at the start of `pattern` with its brackets. A `]` right after the opening
/// bracket is an element.
fn set_length(pattern: &[u8]) -> Option<usize> {
    let mut at = if pattern.get(1) == Some(&b'^') { 2 } else { 1 };
    loop {
        let is_escape = *pattern.get(at)? == b'%';
        at += if is_escape && at + 1 < pattern.len() { 2 } else { 1 };
        if *pattern.get(at)? == b']' {
            return Some(at + 1);
        }
    }
}

/// A replacement with a `%` only before digits and before another `%`.
fn replacement(text: &[u8]) -> Vec<u8> {
    let (mut out, mut bytes) = (Vec::with_capacity(text.len()), text.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => match bytes.next() {
                Some(after) if after.is_ascii_digit() || *after == b'%' => {
                    out.extend([b'%', *after])
                }
                after => out.push(*after.unwrap_or(&0)),
            },
            _ => out.push(*byte),
        }
    }
    out
}
