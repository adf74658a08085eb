//! What a script finds: Lua's own libraries without files, processes and bytecode, those that Redis
//! adds, and globals that nobody can change (`luaRegisterRedisAPI` in `script_lua.c`).
//!
//! Redis patches Lua so that a table can be read-only. Here a script sees such a table through an
//! empty one, whose metatable reads from the real one and refuses to write:
//!
//! ```text
//! string.upper('a')    {} has no upper ─> __index, the real table      "A"
//! string.upper = nil   {} has no upper ─> __newindex                   an error
//! pairs(string)        `next` is ours and goes to the real table
//! x                    {} ─> the real globals ─> their __index         an error: no such global
//! ```
//!
//! **What a library function may allocate.** The virtual machine counts memory between
//! instructions, but one call of `string.rep` could take all there is. So functions that make long
//! strings check first (`guarded!`), and a concatenation of many operands is compiled to steps of
//! two ([`compile`](mod@crate::compile)), after each of which the machine looks at its limit.

use crate::memory::{check_length, check_memory};
use crate::resp::to_integer;
use crate::value::{self as lua, fail, general};
use crate::{bit, cjson, cmsgpack, compile::compile, patterns, redis, structs};
use rilua::stdlib::{base, coroutine, string, table};
use rilua::vm::state::LuaState;
use rilua::{Lua, LuaApiMut, LuaError, LuaResult, RustFn, StdLib, Table, Val};
use std::cell::Cell;

/// Results of `unpack` and `string.byte`: the room on Lua's C stack (`LUAI_MAXCSTACK`).
const RESULTS_MAX: f64 = 7999.0;
/// How far below 1 an element may be inserted.
const SHIFT_MAX: i64 = 1 << 20;
/// Coroutines within coroutines, and calls from Rust to Lua in them: each takes native stack.
const NESTED_MAX: usize = 190;
/// Built-in functions that a script cannot have.
const REMOVED: [&str; 6] = ["print", "dofile", "loadfile", "setfenv", "getfenv", "newproxy"];
thread_local! {
    /// The 48 bits of the generator of `math.random`.
    static RANDOM: Cell<u64> = const { Cell::new(0x1234_abcd_330e) };
}
/// Everything a script calls functions of.
const LIBRARIES: [&str; 9] =
    ["string", "table", "math", "coroutine", "redis", "cjson", "cmsgpack", "struct", "bit"];
/// Fields of the registry: the globals as scripts see them, the real ones, and the function that
/// marks a read-only table.
pub(crate) const ENVIRONMENT: &str = "environment";
const READONLY: &str = "readonly";

/// A new interpreter with everything that scripts may use.
///
/// # Errors
/// If memory runs out.
pub fn open() -> LuaResult<Lua> {
    let libraries = StdLib::BASE | StdLib::STRING | StdLib::TABLE | StdLib::MATH;
    let mut lua = Lua::new_with(libraries | StdLib::COROUTINE)?;
    let state = lua.state_mut();
    let globals = Table::from_gc_ref(state.global);
    let registry = Table::from_gc_ref(state.registry);
    let readonly = lua::closure(state, "readonly", |_| Err(fail(READONLY_TEXT)), Vec::new());
    lua::set_name(state, registry, READONLY, readonly)?;

    for name in REMOVED {
        lua::set_name(state, globals, name, Val::Nil)?;
    }
    replace(state, globals, OWN)?;
    let changed = [("string", STRING), ("table", TABLE), ("math", MATH), ("coroutine", COROUTINE)];
    for (name, functions) in changed {
        let library = lua::table(lua::get(state, globals, name)).expect("opened above");
        replace(state, library, functions)?;
    }
    lua.exec_bytes(PRELUDE.as_bytes(), "=[C]")?;
    let state = lua.state_mut();
    add_libraries(state, globals)?;

    // Every library is seen through a read-only table, and so are the globals themselves.
    for name in LIBRARIES {
        let library = lua::table(lua::get(state, globals, name)).expect("opened above");
        let protected = protect(state, library)?;
        lua::set_name(state, globals, name, protected)?;
    }
    let missing = state.create_table();
    let no_such = lua::closure(state, "missing", missing_global, Vec::new());
    lua::set_name(state, missing, "__index", no_such)?;
    globals.set_metatable(state, Some(missing))?;
    let environment = protect(state, globals)?;
    lua::set_name(state, globals, "_G", environment)?;
    lua::set_name(state, registry, ENVIRONMENT, environment)?;

    // The methods of strings: `('a'):upper()`.
    if let Some(methods) = state.gc.type_metatables.iter().flatten().next().copied() {
        let methods = Table::from_gc_ref(methods);
        let seen = protect(state, methods)?;
        let strings = lua::get(state, globals, "string");
        lua::set_name(state, methods, "__index", strings)?;
        lua::set_name(state, methods, "__metatable", seen)?;
    }
    Ok(lua)
}

const READONLY_TEXT: &str = "Attempt to modify a readonly table";

const OWN: &[(&str, RustFn)] = &[
    ("next", |state| on_real_table(state, base::lua_next)),
    ("ipairs", |state| on_table(state, base::lua_ipairs)),
    ("rawget", |state| on_real_table(state, base::lua_rawget)),
    ("rawset", |state| unless_readonly(state, base::lua_rawset)),
    ("tonumber", |state| {
        // C's `strtoul` takes a prefix, the library does not.
        if lua::arg(state, 2) == Val::Num(16.0)
            && let Some([b'0', b'x' | b'X', digits @ ..]) = lua::bytes(state, lua::arg(state, 1))
        {
            let digits = digits.to_vec();
            let digits = lua::string(state, &digits);
            state.stack_set(state.base, digits);
        }
        base::lua_tonumber(state)
    }),
    ("setmetatable", |state| unless_readonly(state, base::lua_setmetatable)),
    ("pcall", pcall),
    ("assert", |state| {
        let failed = !lua::arg(state, 1).is_truthy() && lua::count(state) > 0;
        if failed {
            state.opt_string(2)?;
        }
        base::lua_assert(state)
    }),
    ("error", error),
    ("tostring", |state| {
        let text = match lua::arg(state, 1) {
            Val::LightUserdata(0) => "userdata: (nil)".to_string(),
            Val::Num(number) if number.is_nan() => general(number, 14),
            _ => return base::lua_tostring(state),
        };
        let text = lua::string(state, text.as_bytes());
        lua::one(state, text)
    }),
    ("loadstring", |state| {
        let source = state.check_string(1)?;
        let name = state.opt_string(2)?;
        loaded(state, &source, name.as_deref().unwrap_or(&source))
    }),
    ("unpack", |state| {
        let list = lua::table(lua::arg(state, 1));
        let length = list.map_or(0, |list| list.raw_len(state)) as f64;
        let first = lua::arg(state, 2).as_number().unwrap_or(1.0);
        let last = lua::arg(state, 3).as_number().unwrap_or(length);
        if last - first >= RESULTS_MAX {
            return Err(fail("too many results to unpack"));
        }
        on_table(state, base::lua_unpack)
    }),
];

macro_rules! guarded {
    ($($name:literal $function:path;)*) => {
        &[$(($name, |state: &mut LuaState| {
            check_memory()?;
            $function(state)
        }),)*]
    };
}

const STRING: &[(&str, RustFn)] = guarded! {
    "sub" string::str_sub; "upper" string::str_upper; "lower" string::str_lower;
    "reverse" string::str_reverse; "rep" rep; "format" format; "byte" byte;
    "find" patterns::find; "match" patterns::find_captures;
    "gmatch" patterns::each_match; "gsub" patterns::substitute;
};
const TABLE: &[(&str, RustFn)] = &[
    ("concat", |state| on_table(state, concat)),
    ("insert", |state| on_table(state, insert)),
    ("remove", |state| on_table(state, remove)),
    ("sort", |state| on_table(state, table::tab_sort)),
];
const MATH: &[(&str, RustFn)] = &[("random", random), ("randomseed", random_seed)];
const COROUTINE: &[(&str, RustFn)] = guarded! { "create" create; "resume" resume; };
fn replace(state: &mut LuaState, table: Table, functions: &[(&str, RustFn)]) -> LuaResult<()> {
    functions.iter().try_for_each(|(name, function)| {
        let function = lua::closure(state, name, *function, Vec::new());
        lua::set_name(state, table, name, function)
    })
}

fn add_libraries(state: &mut LuaState, globals: Table) -> LuaResult<()> {
    let text = |state: &mut LuaState, table, name: &str, text: &str| {
        let text = lua::string(state, text.as_bytes());
        lua::set_name(state, table, name, text)
    };
    type Functions = [(&'static str, RustFn)];
    let libraries: [(&str, &Functions, &str, &str); 5] = [
        ("cjson", cjson::FUNCTIONS, "cjson", "2.1.0"),
        ("cmsgpack", cmsgpack::FUNCTIONS, "cmsgpack", "lua-cmsgpack 0.4.0"),
        ("struct", structs::FUNCTIONS, "", ""),
        ("bit", bit::FUNCTIONS, "", ""),
        ("redis", redis::FUNCTIONS, "", ""),
    ];
    for (name, functions, own_name, version) in libraries {
        let library = lua::library(state, functions)?;
        if !version.is_empty() {
            text(state, library, "_NAME", own_name)?;
            text(state, library, "_VERSION", version)?;
        }
        lua::set_name(state, globals, name, lua::value(library))?;
    }
    let mut added = |name| lua::table(lua::get(state, globals, name)).expect("added above");
    let (cjson, redis) = (added("cjson"), added("redis"));
    for (name, number) in redis::NUMBERS {
        lua::set_name(state, redis, name, Val::Num(*number))?;
    }
    text(state, redis, "REDIS_VERSION", redis::VERSION)?;
    lua::set_name(state, cjson, "null", cjson::NULL)
}

/// An empty table through which `table` can be read.
fn protect(state: &mut LuaState, table: Table) -> LuaResult<Val> {
    let (seen, rules) = (state.create_table(), state.create_table());
    let registry = Table::from_gc_ref(state.registry);
    let readonly = lua::get(state, registry, READONLY);
    lua::set_name(state, rules, "__index", lua::value(table))?;
    lua::set_name(state, rules, "__newindex", readonly)?;
    lua::set_name(state, rules, "__metatable", Val::Bool(false))?;
    seen.set_metatable(state, Some(rules))?;
    Ok(lua::value(seen))
}

/// The table behind a read-only one.
fn real_table(state: &mut LuaState, seen: Val) -> Option<Val> {
    let rules = state.gc.tables.get(lua::table(seen)?.gc_ref())?.metatable()?;
    let (rules, registry) = (Table::from_gc_ref(rules), Table::from_gc_ref(state.registry));
    let is_readonly = lua::get(state, rules, "__newindex") == lua::get(state, registry, READONLY);
    is_readonly.then(|| lua::get(state, rules, "__index"))
}

fn on_real_table(state: &mut LuaState, function: RustFn) -> LuaResult<u32> {
    if let Some(real) = real_table(state, lua::arg(state, 1)) {
        state.stack_set(state.base, real);
    }
    on_table(state, function)
}

fn unless_readonly(state: &mut LuaState, function: RustFn) -> LuaResult<u32> {
    if real_table(state, lua::arg(state, 1)).is_some() {
        let text = lua::string(state, READONLY_TEXT.as_bytes());
        return Err(lua::raise(state, text));
    }
    on_table(state, function)
}

fn missing_global(state: &mut LuaState) -> LuaResult<u32> {
    let name = lua::bytes(state, lua::arg(state, 2)).unwrap_or(b"?");
    let name: String = name.iter().take(128).map(|byte| char::from(*byte)).collect();
    Err(fail(format!("Script attempted to access nonexistent global variable '{name}'")))
}

/// Lua's `error`, except that the library takes bytes for a text in UTF-8. So it is given no text,
/// which makes the position, and the text follows.
fn error(state: &mut LuaState) -> LuaResult<u32> {
    let Some(text) = lua::bytes(state, lua::arg(state, 1)) else { return base::lua_error(state) };
    let (text, nothing) = (text.to_vec(), lua::string(state, b""));
    state.stack_set(state.base, nothing);
    let error = base::lua_error(state);
    let position = state.error_object.take().unwrap_or(Val::Nil);
    let position = lua::bytes(state, position).unwrap_or_default().to_vec();
    state.error_object = Some(lua::string(state, &[position, text].concat()));
    error
}

/// Lua's `pcall`, except that an error of `redis.call` becomes its text (`luaRedisPcall`).
fn pcall(state: &mut LuaState) -> LuaResult<u32> {
    let results = base::lua_pcall(state)?;
    let at = state.top - results as usize;
    if state.stack_get(at) == Val::Bool(false)
        && let Some(error) = lua::table(state.stack_get(at + 1))
        && let text @ Val::Str(_) = lua::get(state, error, "err")
    {
        state.stack_set(at + 1, text);
    }
    Ok(results)
}

// ---- functions that make long strings or deep stacks ----

fn on_table(state: &mut LuaState, function: RustFn) -> LuaResult<u32> {
    check_memory()?;
    match lua::arg(state, 1) {
        Val::Table(_) => function(state),
        _ => Err(state.type_error(1, "table")),
    }
}

fn rep(state: &mut LuaState) -> LuaResult<u32> {
    let times = state.check_integer(2).unwrap_or(0).max(0) as usize;
    check_length(lua::length(state, 1).saturating_mul(times))?;
    // The library repeats an empty string as often as any other.
    if lua::length(state, 1) == 0 {
        state.stack_set(state.base + 1, Val::Num(1.0));
    }
    string::str_rep(state)
}

/// `table.insert` moves the elements from the position on, however far below 1 that is.
fn insert(state: &mut LuaState) -> LuaResult<u32> {
    if lua::count(state) == 3 && state.check_integer(2)? < -SHIFT_MAX {
        return Err(fail("position out of bounds"));
    }
    table::tab_insert(state)
}

/// `table.remove` does so too, but that of Redis does nothing then.
fn remove(state: &mut LuaState) -> LuaResult<u32> {
    let length = lua::table(lua::arg(state, 1)).map_or(0, |list| list.raw_len(state));
    let position = state.opt_integer(2, length)?;
    if (1..=length).contains(&position) { table::tab_remove(state) } else { Ok(0) }
}

/// `string.format`, with the errors of C's library.
fn format(state: &mut LuaState) -> LuaResult<u32> {
    check_length(lua::lengths(state, 1))?;
    let format = state.check_string(1)?;
    let (mut rest, mut index) = (&format[..], 1);
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        rest = &rest[at + 1..];
        if let [b'%', after @ ..] = rest {
            rest = after;
            continue;
        }
        let item = rest.iter().take_while(|byte| b"-+ #0123456789.".contains(byte)).count();
        let digits = rest[..item].split(|byte| !byte.is_ascii_digit());
        if digits.map(|number| number.len()).max() > Some(2) {
            return Err(fail("invalid format (width or precision too long)"));
        }
        index += 1;
        if index > lua::count(state) {
            return Err(state.arg_error(index, "no value"));
        }
        match rest.get(item) {
            Some(b'q') => drop(state.check_string(index)?),
            Some(b's') => {
                // C's `sprintf` ends a string at a zero byte; a long one is not given to it.
                let text = state.check_string(index)?;
                let end = text.iter().position(|byte| *byte == 0);
                let formatted = text.len() < 100 || rest[..item].contains(&b'.');
                if let Some(end) = end.filter(|_| formatted) {
                    let text = lua::string(state, &text[..end]);
                    state.stack_set(state.base + index - 1, text);
                }
            }
            Some(letter) if b"cdiouxXeEfgG".contains(letter) => {
                let mut number = state.check_number(index)?;
                if b"di".contains(letter) {
                    number = to_integer(number) as f64;
                }
                state.stack_set(state.base + index - 1, Val::Num(number));
            }
            other => {
                let letter = other.map_or(' ', |byte| char::from(*byte));
                return Err(fail(format!("invalid option '%{letter}' to 'format'")));
            }
        }
    }
    string::str_format(state)
}

fn byte(state: &mut LuaState) -> LuaResult<u32> {
    let first = state.opt_integer(2, 1)?;
    let last = state.opt_integer(3, first)?;
    let end = |at: i64| if at < 0 { at + lua::length(state, 1) as i64 } else { at };
    let last = end(last).min(lua::length(state, 1) as i64);
    if last.saturating_sub(end(first).max(1)) as f64 >= RESULTS_MAX {
        return Err(fail("string slice too long"));
    }
    string::str_byte(state)
}

fn concat(state: &mut LuaState) -> LuaResult<u32> {
    if let Some(list) = lua::table(lua::arg(state, 1)) {
        let first = state.opt_integer(3, 1)?;
        let last = state.opt_integer(4, list.raw_len(state))?;
        let mut sum = 0;
        for index in first..=last {
            let value = list.raw_get(state, Val::Num(index as f64))?;
            if !matches!(value, Val::Str(_) | Val::Num(_)) {
                let kind = value.type_name();
                let why = format!("invalid value ({kind}) at index {index} in table for 'concat'");
                return Err(fail(why));
            }
            sum += lua::bytes(state, value).map_or(32, <[u8]>::len) + lua::length(state, 2);
            check_length(sum)?;
        }
    }
    table::tab_concat(state)
}

fn create(state: &mut LuaState) -> LuaResult<u32> {
    let results = coroutine::co_create(state)?;
    // Without this a loop in a coroutine would never be interrupted.
    if let Val::Thread(thread) = state.stack_get(state.top - 1)
        && let Some(thread) = state.gc.threads.get_mut(thread)
    {
        thread.hook = state.hook.clone();
    }
    Ok(results)
}

fn resume(state: &mut LuaState) -> LuaResult<u32> {
    let outer: usize = state.saved_threads.iter().map(|it| usize::from(it.call_depth) + 4).sum();
    if outer + usize::from(state.call_depth) > NESTED_MAX {
        return Err(fail("C stack overflow"));
    }
    coroutine::co_resume(state)
}

/// The same numbers after the same seed as in Redis (`redisLrand48` in `rand.c`).
fn random(state: &mut LuaState) -> LuaResult<u32> {
    RANDOM.set(RANDOM.get().wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & 0xffff_ffff_ffff);
    let fraction = (RANDOM.get() >> 17) as f64 % f64::from(i32::MAX) / f64::from(i32::MAX);

    let arguments = lua::count(state);
    let (low, high) = match arguments {
        0 => return lua::one(state, Val::Num(fraction)),
        1 => (1, state.check_integer(1)?),
        2 => (state.check_integer(1)?, state.check_integer(2)?),
        _ => return Err(fail("wrong number of arguments")),
    };
    if low > high {
        return Err(fail(format!("bad argument #{arguments} to 'random' (interval is empty)")));
    }
    let (low, high) = (low as f64, high as f64);
    lua::one(state, Val::Num((fraction * (high - low + 1.0)).floor() + low))
}

fn random_seed(state: &mut LuaState) -> LuaResult<u32> {
    RANDOM.set(u64::from(state.check_integer(1)? as u32) << 16 | 0x330e);
    Ok(0)
}

/// Functions in terms of others.
const PRELUDE: &str = r#"
local create, resume, error, select = coroutine.create, coroutine.resume, error, select
local compile, concat, type = loadstring, table.concat, type

local collect = collectgarbage
function collectgarbage(option, ...)
    -- Collections have no steps here; 200 is the default of Lua.
    if option == 'setstepmul' then return 200 end
    return collect(option, ...)
end

local function results(ok, ...)
    if ok then return ... end
    error((...), 0)
end
function coroutine.wrap(f)
    local thread = create(f)
    return function(...) return results(resume(thread, ...)) end
end

function load(read, name)
    local parts = {}
    for part in read do
        if type(part) ~= 'string' then error('reader function must return a string', 2) end
        if part == '' then break end
        parts[#parts + 1] = part
    end
    return compile(concat(parts), name or '=(load)')
end
"#;

/// Returns the function, or nil and the error.
fn loaded(state: &mut LuaState, source: &[u8], name: &[u8]) -> LuaResult<u32> {
    match compile(state, source, &String::from_utf8_lossy(name)) {
        Ok(function) => lua::one(state, function),
        Err(LuaError::Syntax(error)) => {
            state.push(Val::Nil);
            let error = lua::string(state, &error.to_lua_bytes());
            state.push(error);
            Ok(2)
        }
        Err(other) => Err(other),
    }
}
