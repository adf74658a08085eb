//! Short forms of what every function written for Lua does: its arguments, strings and tables.
//!
//! ```text
//! redis.sha1hex('a')     arg(state, 1) is the string, bytes(state, it) is b"a"
//!                        state.push(string(state, digest)), Ok(1): one result
//! ```
//!
//! A function that returns [`fail`] raises an error with the position of its caller in front
//! (`luaL_error`); one that returns [`raise`] raises the text as it is. Lua strings are bytes.
//! Tables are read and written raw: a script must not run code of its own inside our conversions.

use rilua::vm::closure::{Closure, RustClosure};
use rilua::vm::state::LuaState;
use rilua::{LuaApiMut, LuaError, LuaResult, RuntimeError, RustFn, Table, Val};

/// The number of arguments.
pub fn count(state: &LuaState) -> usize {
    state.top - state.base
}

/// Argument `index`, from 1 on; nil if there are fewer.
pub fn arg(state: &LuaState, index: usize) -> Val {
    if index <= count(state) { state.stack_get(state.base + index - 1) } else { Val::Nil }
}

/// The bytes of a string.
pub fn bytes(state: &LuaState, value: Val) -> Option<&[u8]> {
    let Val::Str(string) = value else { return None };
    state.gc.string_arena.get(string).map(|string| string.data())
}

/// The bytes that an argument takes as a string, at most.
pub fn length(state: &LuaState, index: usize) -> usize {
    bytes(state, arg(state, index)).map_or(32, <[u8]>::len)
}

/// The bytes that the arguments from `first` on take together.
pub fn lengths(state: &LuaState, first: usize) -> usize {
    (first..=count(state)).map(|index| length(state, index)).sum()
}

/// A string of these bytes.
pub fn string(state: &mut LuaState, bytes: &[u8]) -> Val {
    Val::Str(state.gc.intern_string(bytes))
}

/// The table of a value, if it is one.
pub fn table(value: Val) -> Option<Table> {
    if let Val::Table(table) = value { Some(Table::from_gc_ref(table)) } else { None }
}

/// The value of a table.
pub fn value(table: Table) -> Val {
    Val::Table(table.gc_ref())
}

/// Reads a field; nil if there is none.
pub fn get(state: &mut LuaState, table: Table, name: &str) -> Val {
    let name = string(state, name.as_bytes());
    table.raw_get(state, name).unwrap_or(Val::Nil)
}

/// Reads an element.
pub fn get_index(state: &LuaState, table: Table, index: usize) -> Val {
    table.raw_get(state, Val::Num(index as f64)).unwrap_or(Val::Nil)
}

/// Writes a field. The collector must see the table again, which may be older than the value.
pub fn set(state: &mut LuaState, table: Table, key: Val, value: Val) -> LuaResult<()> {
    state.gc.barrier_back(table.gc_ref());
    table.raw_set(state, key, value)
}

/// Writes a field.
pub fn set_name(state: &mut LuaState, table: Table, name: &str, value: Val) -> LuaResult<()> {
    let name = string(state, name.as_bytes());
    set(state, table, name, value)
}

/// Writes an element.
pub fn set_index(state: &mut LuaState, table: Table, index: usize, value: Val) -> LuaResult<()> {
    set(state, table, Val::Num(index as f64), value)
}

/// A function with values of its own, which it reads with [`upvalue`].
pub fn closure(state: &mut LuaState, name: &str, function: RustFn, upvalues: Vec<Val>) -> Val {
    let closure = RustClosure { upvalues, ..RustClosure::new(function, name) };
    Val::Function(state.gc.alloc_closure(Closure::Rust(closure)))
}

/// Value `index` of the running function's closure.
pub fn upvalue(state: &LuaState, index: usize) -> Val {
    let Val::Function(function) = state.stack_get(state.call_stack[state.ci].func) else {
        return Val::Nil;
    };
    match state.gc.closures.get(function) {
        Some(Closure::Rust(closure)) => closure.upvalues.get(index).copied().unwrap_or(Val::Nil),
        _ => Val::Nil,
    }
}

/// A library of functions as a table.
pub fn library(state: &mut LuaState, functions: &[(&str, RustFn)]) -> LuaResult<Table> {
    let library = state.create_table();
    for (name, function) in functions {
        let function = closure(state, name, *function, Vec::new());
        set_name(state, library, name, function)?;
    }
    Ok(library)
}

/// An error that begins with the position of the caller.
pub fn fail(text: impl Into<String>) -> LuaError {
    LuaError::Runtime(RuntimeError::new(text))
}

/// An error whose value is exactly this.
pub fn raise(state: &mut LuaState, error: Val) -> LuaError {
    state.error_object = Some(error);
    fail("")
}

/// Returns one value.
pub fn one(state: &mut LuaState, value: Val) -> LuaResult<u32> {
    state.push(value);
    Ok(1)
}

/// Calls `function` with `arguments` and returns its first result.
pub fn call(state: &mut LuaState, function: Val, arguments: &[Val]) -> LuaResult<Val> {
    let (at, top) = (state.top, state.top);
    state.push(function);
    arguments.iter().for_each(|argument| state.push(*argument));
    state.call_function(at, 1)?;
    let result = state.stack_get(at);
    state.top = top;
    Ok(result)
}

/// The position of the function that raised an error, or of its caller if that function is not
/// written in Lua: source and line.
pub fn position(state: &LuaState) -> Option<(String, u32)> {
    (state.ci.saturating_sub(1)..=state.ci).rev().find_map(|frame| {
        let info = &state.call_stack[frame];
        let Val::Function(function) = state.stack_get(info.func) else { return None };
        let Some(Closure::Lua(closure)) = state.gc.closures.get(function) else { return None };
        let proto = &closure.proto;
        let line = proto.line_info.get(info.saved_pc.saturating_sub(1)).copied();
        Some((proto.source.clone(), line.unwrap_or(proto.line_defined)))
    })
}

/// The pair after `key` in the order of the table; the first after nil.
pub fn next_pair(state: &LuaState, table: Table, key: Val) -> LuaResult<Option<(Val, Val)>> {
    let table = state.gc.tables.get(table.gc_ref()).expect("the caller holds the table");
    table.next(key, &state.gc.string_arena)
}

/// C's `%.{digits}g`.
pub fn general(number: f64, digits: usize) -> String {
    if !number.is_finite() {
        let sign = if number.is_sign_negative() { "-" } else { "" };
        return format!("{sign}{}", if number.is_nan() { "nan" } else { "inf" });
    }
    let text = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = text.split_once('e').expect("Rust writes an exponent");
    let exponent: i32 = exponent.parse().expect("Rust writes a number");
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
    } else {
        trim(&format!("{number:.*}", (digits as i32 - 1 - exponent) as usize))
    }
}
