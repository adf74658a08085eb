//! The table `redis` that scripts call the server through (`script_lua.c`).
//!
//! ```text
//! redis.call('get', 'k')     the arguments as a request, its reply as a Lua value
//! redis.call('fly')          raises {err='ERR Unknown Redis command called from script'}
//! redis.pcall('fly')         returns that table
//! ```

use super::convert::{argument, error_table, field, from_reply};
use super::registry::sha1_hex;
use super::vm::{HOST, not_counted};
use crate::wire::reply::{Protocol, Reply};
use crate::wire::request::OwnedArgs;
use minicache_lua::check_memory;
use minicache_lua::value::{self as lua, raise};
use rilua::vm::state::LuaState;
use rilua::{LuaResult, RustFn, Val};

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
        if crate::commands::catalogue::find(name).is_none() {
            return refuse(state, "ERR Invalid command passed to redis.acl_check_cmd()");
        }
        lua::one(state, Val::Bool(true))
    }),
];

/// Replication does not exist, but scripts name its modes.
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
    let result = match request(state) {
        Ok(request) => {
            let mut out = Reply::default();
            let answer = not_counted(|| HOST.with(|host| host.call(request.as_args(), &mut out)));
            match answer {
                Ok(()) => from_reply(state, &mut out.bytes())?,
                Err(error) => {
                    let text: Vec<u8> = error.0.chars().map(|c| c as u8).collect();
                    error_table(state, &text)?
                }
            }
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

fn request(state: &LuaState) -> Result<OwnedArgs, &'static str> {
    if lua::count(state) == 0 {
        return Err("ERR Please specify at least one argument for this redis lib call");
    }
    let mut request = OwnedArgs::default();
    for index in 1..=lua::count(state) {
        match lua::arg(state, index) {
            Val::Num(number) => request.push(&argument(number)),
            text @ Val::Str(_) => request.push(lua::bytes(state, text).unwrap_or_default()),
            _ => return Err("ERR Lua redis lib command arguments must be strings or integers"),
        }
    }
    Ok(request)
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
    let texts = (2..=lua::count(state)).filter_map(|index| state.check_string(index).ok());
    let line = texts.collect::<Vec<_>>().join(&b' ');
    HOST.with(|host| host.log(level as u8, &line));
    Ok(0)
}

fn setresp(state: &mut LuaState) -> LuaResult<u32> {
    if lua::count(state) != 1 {
        return refuse(state, "redis.setresp() requires one argument.");
    }
    let protocol = match lua::arg(state, 1) {
        Val::Num(2.0) => Protocol::Resp2,
        Val::Num(3.0) => Protocol::Resp3,
        _ => return refuse(state, "RESP version must be 2 or 3."),
    };
    HOST.with(|host| *host.protocol() = protocol);
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
