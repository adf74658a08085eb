//! The table `redis` that scripts call the host through (`script_lua.c`).
//!
//! ```text
//! redis.call('get', 'k')     the arguments as a request, its reply as a Lua value
//! redis.call('fly')          raises {err='ERR Unknown Redis command called from script'}
//! redis.pcall('fly')         returns that table
//! ```

use crate::memory::{check_length, check_memory, not_counted};
use crate::resp::{argument, error_table, field, from_reply};
use crate::script::sha1_hex;
use crate::value::{self as lua, raise};
use crate::vm::{HOST, RESP3};
use rilua::vm::state::LuaState;
use rilua::{LuaResult, RustFn, Val};
use std::borrow::Cow;

/// The version of Redis that scripts are told.
pub const VERSION: &str = "7.0.15";

/// The functions of the table.
pub const FUNCTIONS: &[(&str, RustFn)] = &[
    ("call", |state| call(state, true)),
    ("pcall", |state| call(state, false)),
    ("error_reply", |state| {
        let Some(text) = only_string(state) else { return wrong_field(state) };
        let text = text.strip_prefix(b"-").unwrap_or(&text);
        let error = error_table(state, text)?;
        lua::one(state, error)
    }),
    ("status_reply", |state| {
        let Some(text) = only_string(state) else { return wrong_field(state) };
        let status = field(state, "ok", |state| lua::string(state, &text))?;
        lua::one(state, status)
    }),
    ("sha1hex", |state| {
        if lua::count(state) != 1 {
            return refuse(state, "wrong number of arguments");
        }
        let digest = sha1_hex(&state.check_string(1).unwrap_or_default());
        let digest = lua::string(state, digest.as_bytes());
        lua::one(state, digest)
    }),
    ("log", log),
    ("setresp", setresp),
    ("set_repl", set_repl),
    ("replicate_commands", |state| lua::one(state, Val::Bool(true))),
    ("breakpoint", |state| lua::one(state, Val::Bool(false))),
    ("debug", |_| Ok(0)),
    ("acl_check_cmd", |state| {
        let Some(name) = lua::bytes(state, lua::arg(state, 1)) else {
            return refuse(state, "redis.acl_check_cmd() require at least one argument");
        };
        if !HOST.with(|host| host.knows(name)) {
            return refuse(state, "ERR Invalid command passed to redis.acl_check_cmd()");
        }
        lua::one(state, Val::Bool(true))
    }),
];

/// Its numbers. Replication does not exist, but scripts name its modes.
pub const NUMBERS: &[(&str, f64)] = &[
    ("LOG_DEBUG", 0.0),
    ("LOG_VERBOSE", 1.0),
    ("LOG_NOTICE", 2.0),
    ("LOG_WARNING", 3.0),
    ("REPL_NONE", 0.0),
    ("REPL_AOF", 1.0),
    ("REPL_SLAVE", 2.0),
    ("REPL_REPLICA", 2.0),
    ("REPL_ALL", 3.0),
    ("REDIS_VERSION_NUM", 0x0007_000f as f64),
];

/// Raises an error as `luaPushError` and `luaError` do: a table, with the code `ERR`.
fn refuse(state: &mut LuaState, text: &str) -> LuaResult<u32> {
    let text = text.strip_prefix("ERR ").unwrap_or(text);
    let error = error_table(state, format!("ERR {text}").as_bytes())?;
    Err(raise(state, error))
}

fn only_string(state: &LuaState) -> Option<Vec<u8>> {
    let text = lua::bytes(state, lua::arg(state, 1))?;
    (lua::count(state) == 1).then(|| text.to_vec())
}

fn wrong_field(state: &mut LuaState) -> LuaResult<u32> {
    let error = error_table(state, b"ERR wrong number or type of arguments")?;
    lua::one(state, error)
}

/// `redis.call`, which `raises` errors, and `redis.pcall`, which returns them.
fn call(state: &mut LuaState, raises: bool) -> LuaResult<u32> {
    check_memory()?;
    check_length(lua::lengths(state, 1))?;
    let result = match request(state) {
        Ok(request) => {
            let resp3 = RESP3.get();
            let reply = not_counted(|| HOST.with(|host| host.call(&request, resp3)));
            from_reply(state, &mut &reply[..])?
        }
        Err(why) => error_table(state, why.as_bytes())?,
    };
    if raises
        && let Some(table) = lua::table(result)
        && !lua::get(state, table, "err").is_nil()
    {
        return Err(raise(state, result));
    }
    lua::one(state, result)
}

fn request(state: &LuaState) -> Result<Vec<Cow<'_, [u8]>>, &'static str> {
    if lua::count(state) == 0 {
        return Err("ERR Please specify at least one argument for this redis lib call");
    }
    let arguments = (1..=lua::count(state)).map(|index| match lua::arg(state, index) {
        Val::Num(number) => Ok(Cow::Owned(argument(number))),
        text @ Val::Str(_) => Ok(Cow::Borrowed(lua::bytes(state, text).unwrap_or_default())),
        _ => Err("ERR Lua redis lib command arguments must be strings or integers"),
    });
    arguments.collect()
}

/// `redis.log(level, text, …)`
fn log(state: &mut LuaState) -> LuaResult<u32> {
    if lua::count(state) < 2 {
        return refuse(state, "redis.log() requires two arguments or more.");
    }
    let Val::Num(level) = lua::arg(state, 1) else {
        return refuse(state, "First argument must be a number (log level).");
    };
    if !(0.0..=3.0).contains(&level) {
        return refuse(state, "Invalid debug level.");
    }
    check_length(lua::lengths(state, 2))?;
    let texts = (2..=lua::count(state)).filter_map(|index| state.check_string(index).ok());
    let line = texts.collect::<Vec<_>>().join(&b' ');
    HOST.with(|host| host.log(level as u8, &line));
    Ok(0)
}

fn setresp(state: &mut LuaState) -> LuaResult<u32> {
    if lua::count(state) != 1 {
        return refuse(state, "redis.setresp() requires one argument.");
    }
    match state.check_integer(1) {
        Ok(version @ (2 | 3)) => RESP3.set(version == 3),
        _ => return refuse(state, "RESP version must be 2 or 3."),
    }
    Ok(0)
}

fn set_repl(state: &mut LuaState) -> LuaResult<u32> {
    if lua::count(state) != 1 {
        return refuse(state, "redis.set_repl() requires two arguments.");
    }
    match lua::arg(state, 1) {
        Val::Num(flags) if (0.0..4.0).contains(&flags) => Ok(0),
        _ => refuse(
            state,
            "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        ),
    }
}
