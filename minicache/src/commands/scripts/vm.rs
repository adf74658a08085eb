//! One core's Lua: runs a script, stops it when it takes too long or too much, and turns its result
//! or its error into a reply.
//!
//! # How is an endless loop interrupted?
//!
//! The virtual machine calls [`on_count`] every [`PERIOD`] instructions. A script runs on a stack
//! of its own (a coroutine of the crate `corosensei`). Once it has run for
//! `busy-reply-threshold`, the hook switches back to the core, which serves others for a moment:
//!
//! ```text
//! EVAL 'while true do end' 0    0 ms  the script's stack: loop, hook, loop, hook …
//!                           5,000 ms  hook: suspend ─> the core's stack: other clients get BUSY
//!                           5,001 ms  resume ─> hook returns, the loop goes on
//! SCRIPT KILL               9,000 ms  resume ─> the hook raises an error, again at every
//!                                     instruction, so that no pcall of the script can catch it
//! ```
//!
//! Redis calls its event loop from the hook (`processEventsWhileBlocked`); tokio's cannot be
//! entered twice.
//!
//! # How is memory bounded?
//!
//! The crate's allocator counts, so the memory of a script is what is allocated now, less what was
//! at its start, less what its commands have stored. It is compared with [`MEMORY_MAX`] every
//! [`PERIOD`] instructions and before functions that make long strings; the machine's own count is
//! its limit in between. Redis has no such limit.
//!
//! What cannot be interrupted is one call of a library function: `string.find` with a pattern made
//! for it takes exponential time here as in Redis.

use super::convert::to_reply;
use super::{calls, registry::Script};
use crate::commands::REDIS_VERSION;
use crate::engine::error::Error;
use crate::raw;
use crate::wire::reply::{Protocol, Reply};
use crate::wire::request::{Args, OwnedArgs};
use corosensei::{Coroutine, Yielder, stack::DefaultStack};
use minicache_lua::MEMORY_MAX;
use minicache_lua::value as lua;
use rilua::vm::state::{HookState, LuaState, MASK_COUNT};
use rilua::{Lua, LuaApiMut, LuaError, LuaResult, Table, Val};
use scoped_tls_hkt::scoped_thread_local;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Instructions between two calls of the hook: about 20 µs.
const PERIOD: i32 = 1000;
/// Bytes of a script's stack, of which the kernel provides what is used. Two hundred calls from
/// Lua to Rust and back take a few hundred kilobytes.
pub const STACK_BYTES: usize = 16 << 20;
/// Functions that are kept compiled. When there are more, the interpreter starts anew.
const COMPILED_MAX: usize = 1000;
/// Garbage that may be left after a script.
const GARBAGE_MAX: usize = 4 << 20;

/// What the virtual machine needs of the server, for as long as it runs.
pub trait Host {
    /// Runs a command, and appends its reply.
    fn call(&mut self, args: Args, out: &mut Reply) -> Result<(), Error>;
    /// Asks if the script may go on.
    fn interrupt(&mut self) -> Interrupt;
    /// Writes a line to the server's log.
    fn log(&mut self, level: u8, text: &[u8]);
    /// The protocol of replies to the script (`redis.setresp`).
    fn protocol(&mut self) -> &mut Protocol;
}

/// The answer to [`Host::interrupt`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    GoOn,
    /// Others must be served.
    Pause,
    /// `SCRIPT KILL`.
    Kill,
}

scoped_thread_local!(pub static mut HOST: for<'a> &'a mut (dyn Host + 'a));
scoped_thread_local!(static YIELDER: for<'a> &'a Yielder<(), ()>);

thread_local! {
    /// What was allocated before the running script, and what its commands have stored since.
    static NOT_OURS: Cell<usize> = const { Cell::new(0) };
    /// The memory at which garbage is collected next.
    static COLLECT_AT: Cell<usize> = const { Cell::new(0) };
}

/// A script and its arguments.
pub struct Job {
    pub script: Arc<Script>,
    /// True if it is not in the cache yet.
    pub is_new: bool,
    /// False if it is only to be compiled.
    pub runs: bool,
    pub keys: OwnedArgs,
    pub args: OwnedArgs,
    /// The protocol of the reply.
    pub protocol: Protocol,
}

/// A script that has ended. The interpreter is gone if its state cannot be relied on.
pub struct Finished {
    pub vm: Option<Box<Vm>>,
    /// The script, if it has been compiled and is to enter the cache.
    pub new_script: Option<Arc<Script>>,
    pub reply: Result<Vec<u8>, Error>,
}

pub type Fiber = Coroutine<(), (), Finished, DefaultStack>;

/// Begins a script, on a stack of its own.
pub fn begin(mut vm: Box<Vm>, job: Job, stack: DefaultStack) -> Fiber {
    Coroutine::with_stack(stack, move |yielder, ()| {
        YIELDER.set(yielder, || {
            let run = AssertUnwindSafe(|| vm.execute(&job));
            let failed = || Err(running_failed(&job.script, "execution failure"));
            let reply = catch_unwind(run).unwrap_or_else(|_| {
                vm.broken = true;
                failed()
            });
            let known = lua::get(vm.lua.state_mut(), vm.functions, &job.script.sha);
            let new_script = (job.is_new && !known.is_nil()).then_some(job.script);
            Finished { vm: (!vm.broken).then_some(vm), new_script, reply }
        })
    })
}

/// Runs `work` on behalf of the script: what it allocates is not the script's.
pub fn not_counted<T>(work: impl FnOnce() -> T) -> T {
    let before = raw::allocated();
    let result = work();
    let grown = raw::allocated().wrapping_sub(before);
    NOT_OURS.set(NOT_OURS.get().wrapping_add(grown));
    result
}

/// Bytes that the running script has taken.
fn memory() -> usize {
    // Other cores free memory too, so the difference may be negative.
    usize::try_from(raw::allocated().wrapping_sub(NOT_OURS.get()) as isize).unwrap_or(0)
}

fn is_full() -> bool {
    memory() > MEMORY_MAX
}

/// The hook; see the head of the file.
fn on_count(state: &mut LuaState) -> LuaResult<u32> {
    if memory() > COLLECT_AT.get() {
        state.full_gc()?;
        COLLECT_AT.set((memory() * 2).max(GARBAGE_MAX));
    }
    if is_full() {
        return Err(LuaError::Memory);
    }
    let mut next = HOST.with(|host| host.interrupt());
    if next == Interrupt::Pause {
        not_counted(|| YIELDER.with(|yielder| yielder.suspend(())));
        next = HOST.with(|host| host.interrupt());
    }
    if next == Interrupt::Kill {
        (state.hook.base_hook_count, state.hook.hook_count) = (1, 1);
        let text = lua::string(state, b"Script killed by user with SCRIPT KILL...");
        return Err(lua::raise(state, text));
    }
    Ok(0)
}

/// An interpreter with the functions it has compiled.
pub struct Vm {
    lua: Lua,
    /// The version of the cache of scripts that `functions` belongs to.
    pub version: u64,
    /// The compiled scripts by their SHA-1.
    functions: Table,
    hook: Val,
    compiled: usize,
    broken: bool,
}

impl Vm {
    pub fn new(version: u64) -> Result<Box<Vm>, Error> {
        let open = || -> LuaResult<Vm> {
            let mut lua = minicache_lua::open(calls::FUNCTIONS, calls::NUMBERS, is_full)?;
            let state = lua.state_mut();
            let registry = Table::from_gc_ref(state.registry);
            let globals = Table::from_gc_ref(state.global);
            let version_text = lua::string(state, REDIS_VERSION.as_bytes());
            let redis = lua::behind(state, globals, "redis");
            lua::set_name(state, redis, "REDIS_VERSION", version_text)?;
            let functions = state.create_table();
            lua::set_name(state, registry, "functions", lua::value(functions))?;
            let hook = lua::closure(state, "hook", on_count, Vec::new());
            lua::set_name(state, registry, "hook", hook)?;
            state.gc.set_alloc_limit(MEMORY_MAX);
            Ok(Vm { lua, version, functions, hook, compiled: 0, broken: false })
        };
        open().map(Box::new).map_err(|error| Error::text(format!("ERR {error}")))
    }

    /// Returns true if it should not be used again.
    pub fn is_full(&self) -> bool {
        self.compiled >= COMPILED_MAX
    }

    fn execute(&mut self, job: &Job) -> Result<Vec<u8>, Error> {
        NOT_OURS.set(raw::allocated());
        COLLECT_AT.set(GARBAGE_MAX);
        let function = self.function(&job.script)?;
        if !job.runs {
            return Ok(Vec::new());
        }
        let state = self.lua.state_mut();
        state.hook = HookState {
            hook_func: self.hook,
            hook_mask: MASK_COUNT,
            base_hook_count: PERIOD,
            hook_count: PERIOD,
            ..HookState::new()
        };
        let result = call(state, function, job);

        // The next script must find the state that this one found.
        let broken = !state.saved_threads.is_empty() || matches!(result, Err(LuaError::Memory));
        let reply = result.map_err(|error| running_error(state, &job.script, error));
        (state.top, state.base, state.ci) = (1, 1, 0);
        (state.n_ccalls, state.call_depth, state.ci_overflow) = (0, 0, false);
        state.error_object = None;
        state.open_upvalues.clear();
        state.hook = HookState::new();
        state.gc.set_alloc_limit(MEMORY_MAX);
        self.lua.gc_restart();
        if memory() > GARBAGE_MAX {
            let collected = self.lua.gc_collect();
            self.broken = collected.is_err() || memory() > GARBAGE_MAX;
        }
        self.broken |= broken;
        reply
    }

    /// The compiled function of a script.
    fn function(&mut self, script: &Script) -> Result<Val, Error> {
        let (state, functions) = (self.lua.state_mut(), self.functions);
        let known = lua::get(state, functions, &script.sha);
        if let Val::Function(_) = known {
            return Ok(known);
        }
        let compiled = minicache_lua::compile(state, script.source(), "@user_script");
        let function = compiled.map_err(|error| {
            let text = match error {
                LuaError::Syntax(error) => text_of(&error.to_lua_bytes()),
                other => other.to_string(),
            };
            Error::text(format!("ERR Error compiling script (new function): {text}"))
        })?;
        let stored = lua::set_name(state, functions, &script.sha, function);
        stored.map_err(|error| Error::text(format!("ERR {error}")))?;
        self.compiled += 1;
        Ok(function)
    }
}

/// Calls a function with the keys and arguments of a job as its globals. Returns its reply.
fn call(state: &mut LuaState, function: Val, job: &Job) -> LuaResult<Vec<u8>> {
    let globals = Table::from_gc_ref(state.global);
    for (name, values) in [("KEYS", &job.keys), ("ARGV", &job.args)] {
        let list = state.create_table();
        for (index, value) in values.as_args().iter().enumerate() {
            let value = lua::string(state, value);
            lua::set_index(state, list, index + 1, value)?;
        }
        lua::set_name(state, globals, name, lua::value(list))?;
    }
    state.gc_check()?;

    let at = state.top;
    state.push(function);
    state.call_function(at, 1)?;
    let mut out = Reply::new(job.protocol);
    let own = HOST.with(|host| *host.protocol());
    to_reply(state, state.stack_get(at), &mut out, own, 0)?;
    Ok(std::mem::take(out.buffer()))
}

/// The error reply to a script that failed, with the place where it did (`luaCallFunction` and the
/// error handler of `eval.c`).
fn running_error(state: &mut LuaState, script: &Script, error: LuaError) -> Error {
    let place = lua::position(state);
    let value = state.error_object.take();
    let text = match (&error, value) {
        (LuaError::Memory, _) => return running_failed(script, "not enough memory"),
        (_, Some(value @ Val::Table(_))) => {
            let error = lua::table(value).map(|table| lua::get(state, table, "err"));
            let error = error.and_then(|text| lua::bytes(state, text));
            text_of(error.unwrap_or(b"ERR unknown error"))
        }
        (_, Some(value)) => match lua::bytes(state, value) {
            Some(text) => format!("ERR {}", text_of(text)),
            None => format!("ERR {value}"),
        },
        // The machine forgets the position in front of a few of its errors.
        (error, None) => match (error.to_string(), &place) {
            (text, Some((source, line))) if !text.contains(':') => {
                format!("ERR {}:{line}: {text}", source.trim_start_matches('@'))
            }
            (text, _) => format!("ERR {text}"),
        },
    };
    match place {
        Some((source, line)) => {
            let sha = &script.sha;
            Error::text(format!("{text} script: {sha}, on {source}:{line}."))
        }
        None => Error::text(text),
    }
}

fn running_failed(script: &Script, why: &str) -> Error {
    Error::text(format!("ERR Error running script {}, {why}", script.sha))
}

/// Bytes as the text of an [`Error`], which is written with a byte for each character.
fn text_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
