//! One thread's Lua: runs a script, stops it when it takes too long or too much, and turns its
//! result or its error into a reply.
//!
//! # How is an endless loop interrupted?
//!
//! The virtual machine calls [`on_count`] every [`PERIOD`] instructions. A script runs on a stack
//! of its own (a coroutine of the crate `corosensei`). Once the host says that it has run long
//! enough, the hook switches back to the thread, which serves others for a moment:
//!
//! ```text
//! EVAL 'while true do end' 0    0 ms  the script's stack: loop, hook, loop, hook …
//!                           5,000 ms  hook: suspend ─> the thread's stack: other clients get BUSY
//!                           5,001 ms  resume ─> hook returns, the loop goes on
//! SCRIPT KILL               9,000 ms  resume ─> the hook raises an error, again at every
//!                                     instruction, so that no pcall of the script can catch it
//! ```
//!
//! Redis calls its event loop from the hook (`processEventsWhileBlocked`); tokio's cannot be
//! entered twice.
//!
//! What cannot be interrupted is one call of a library function: `string.find` with a pattern made
//! for it takes exponential time here as in Redis.

use crate::memory::{self, MEMORY_MAX, check_memory, memory, not_counted};
use crate::resp::Reply;
use crate::script::Script;
use crate::value as lua;
use corosensei::{Coroutine, CoroutineResult, Yielder, stack::DefaultStack};
use rilua::vm::state::{HookState, LuaState, MASK_COUNT};
use rilua::{Lua, LuaApiMut, LuaError, LuaResult, Table, Val};
use scoped_tls_hkt::scoped_thread_local;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Instructions between two calls of the hook: about 20 µs.
const PERIOD: i32 = 1000;
/// Bytes of a script's stack, of which the kernel provides what is used. Two hundred calls from
/// Lua to Rust and back take a few hundred kilobytes.
const STACK_BYTES: usize = 16 << 20;
/// Functions that are kept compiled. When there are more, the interpreter starts anew.
const COMPILED_MAX: usize = 1000;
/// Garbage that may be left after a script.
const GARBAGE_MAX: usize = 4 << 20;

/// What a script needs of the server, for as long as it runs.
pub trait Host {
    /// Runs a command. Returns its reply in RESP3 or RESP2, an error included.
    fn call(&mut self, arguments: &[Cow<'_, [u8]>], resp3: bool) -> Vec<u8>;
    /// Returns true if there is a command of this name.
    fn knows(&self, name: &[u8]) -> bool;
    /// Asks if the script may go on.
    fn interrupt(&mut self) -> Interrupt;
    /// Writes a line to the server's log. Levels are those of `redis.LOG_DEBUG` to `LOG_WARNING`.
    fn log(&mut self, level: u8, text: &[u8]);
}

/// The answer to [`Host::interrupt`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// It may.
    GoOn,
    /// Others must be served.
    Pause,
    /// `SCRIPT KILL`.
    Kill,
}

/// A script and its arguments.
pub struct Job {
    /// The script.
    pub script: Arc<Script>,
    /// `KEYS`
    pub keys: Vec<Vec<u8>>,
    /// `ARGV`
    pub arguments: Vec<Vec<u8>>,
    /// The reply is to be in RESP3.
    pub resp3: bool,
    /// Returns the bytes that the program has allocated.
    pub allocated: fn() -> usize,
}

/// A script between its begin and its end.
pub struct Running(Coroutine<(), (), Finished, DefaultStack>);

/// How far a script has come.
pub enum Progress {
    /// The host must serve others, and then resume it.
    Paused(Running),
    /// It has ended, with its reply or the text of an error, one character per byte.
    Done(Result<Vec<u8>, String>),
}

/// The end of a script, and its interpreter unless the state of that cannot be relied on.
struct Finished {
    vm: Option<Box<Vm>>,
    reply: Result<Vec<u8>, String>,
}

scoped_thread_local!(pub(crate) static mut HOST: for<'a> &'a mut (dyn Host + 'a));
scoped_thread_local!(static YIELDER: for<'a> &'a Yielder<(), ()>);

thread_local! {
    /// The interpreter of this thread between scripts, and the stack for the next one.
    static IDLE: RefCell<(Option<Box<Vm>>, Option<DefaultStack>)> = const {
        RefCell::new((None, None))
    };
    /// The memory at which garbage is collected next.
    static COLLECT_AT: Cell<usize> = const { Cell::new(0) };
    /// The running script reads replies in RESP3 (`redis.setresp`).
    pub(crate) static RESP3: Cell<bool> = const { Cell::new(false) };
}

/// Makes a script ready to run. Compiled scripts are kept for as long as the `version` of the
/// host's cache of scripts stays the same.
///
/// # Errors
/// If there is no memory for the stack or the interpreter.
pub fn begin(job: Job, version: u64) -> Result<Running, String> {
    start(job, version, Vm::execute)
}

/// Compiles a script without running it. The parameters are those of [`begin`] and of a [`Job`].
///
/// # Errors
/// Those of [`begin`], and a syntax error.
pub fn load(script: Arc<Script>, version: u64, allocated: fn() -> usize) -> Result<(), String> {
    let job = Job { script, keys: Vec::new(), arguments: Vec::new(), resp3: false, allocated };
    let compile = |vm: &mut Vm, job: &Job| vm.function(&job.script).map(|_| Vec::new());
    match start(job, version, compile)?.go_on() {
        Progress::Done(reply) => reply.map(drop),
        Progress::Paused(_) => unreachable!("only a script that runs is interrupted"),
    }
}

/// Lets an interpreter do `work`, on a stack of its own.
fn start(
    job: Job,
    version: u64,
    work: fn(&mut Vm, &Job) -> Result<Vec<u8>, String>,
) -> Result<Running, String> {
    let (idle, stack) = IDLE.take();
    let idle = idle.filter(|vm| vm.version == version && vm.compiled < COMPILED_MAX);
    let mut vm = idle.map_or_else(|| Vm::new(version), Ok)?;
    let new_stack = || DefaultStack::new(STACK_BYTES);
    let stack = stack.map_or_else(new_stack, Ok);
    let stack = stack.map_err(|error| format!("ERR no memory for a script: {error}"))?;

    Ok(Running(Coroutine::with_stack(stack, move |yielder, ()| {
        YIELDER.set(yielder, || {
            let run = AssertUnwindSafe(|| work(&mut vm, &job));
            let reply = catch_unwind(run).unwrap_or_else(|_| {
                vm.broken = true;
                Err(running_failed(&job.script, "execution failure"))
            });
            Finished { vm: (!vm.broken).then_some(vm), reply }
        })
    })))
}

impl Running {
    /// Runs the script until it ends or must pause.
    pub fn resume(self, host: &mut dyn Host) -> Progress {
        HOST.set(host, || self.go_on())
    }

    fn go_on(mut self) -> Progress {
        match self.0.resume(()) {
            CoroutineResult::Yield(()) => Progress::Paused(self),
            CoroutineResult::Return(finished) => {
                IDLE.set((finished.vm, Some(self.0.into_stack())));
                Progress::Done(finished.reply)
            }
        }
    }
}

/// The hook; see the head of the file.
fn on_count(state: &mut LuaState) -> LuaResult<u32> {
    if memory() > COLLECT_AT.get() {
        state.full_gc()?;
        COLLECT_AT.set((memory() * 2).max(GARBAGE_MAX));
    }
    check_memory()?;
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
    version: u64,
    /// The compiled scripts by their SHA-1.
    functions: Table,
    hook: Val,
    compiled: usize,
    broken: bool,
}

impl Vm {
    fn new(version: u64) -> Result<Box<Vm>, String> {
        let open = || -> LuaResult<Vm> {
            let mut lua = crate::sandbox::open()?;
            // Each collection is a whole one. Between two steps of a collection rilua would hand
            // out strings that the next step frees.
            lua.gc_set_step_multiplier(0);
            let state = lua.state_mut();
            let registry = Table::from_gc_ref(state.registry);
            let functions = state.create_table();
            lua::set_name(state, registry, "functions", lua::value(functions))?;
            let hook = lua::closure(state, "hook", on_count, Vec::new());
            lua::set_name(state, registry, "hook", hook)?;
            state.gc.set_alloc_limit(MEMORY_MAX);
            Ok(Vm { lua, version, functions, hook, compiled: 0, broken: false })
        };
        open().map(Box::new).map_err(|error| format!("ERR {error}"))
    }

    fn execute(&mut self, job: &Job) -> Result<Vec<u8>, String> {
        memory::start(job.allocated);
        COLLECT_AT.set(GARBAGE_MAX);
        RESP3.set(false);
        let function = self.function(&job.script)?;
        let state = self.lua.state_mut();

        // Compiling used the stacks too.
        clear(state);
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
        clear(state);
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
    fn function(&mut self, script: &Script) -> Result<Val, String> {
        let (state, functions) = (self.lua.state_mut(), self.functions);
        let known = lua::get(state, functions, &script.sha);
        if let Val::Function(_) = known {
            return Ok(known);
        }
        let compiled = crate::compile::compile(state, script.source(), "@user_script");
        let function = compiled.map_err(|error| {
            let text = match error {
                LuaError::Syntax(error) => text_of(&error.to_lua_bytes()),
                other => other.to_string(),
            };
            format!("ERR Error compiling script (new function): {text}")
        })?;
        let stored = lua::set_name(state, functions, &script.sha, function);
        stored.map_err(|error| format!("ERR {error}"))?;
        self.compiled += 1;
        Ok(function)
    }
}

/// Puts the stacks into the state that every script begins with.
fn clear(state: &mut LuaState) {
    (state.top, state.base, state.ci) = (1, 1, 0);
    state.call_stack[0].func = 0;
    state.stack_set(0, Val::Nil);
    (state.n_ccalls, state.call_depth, state.ci_overflow) = (0, 0, false);
    state.error_object = None;
    state.open_upvalues.clear();
    state.hook = HookState::new();
}

/// Calls a function with the keys and arguments of a job as its globals. Returns its reply.
fn call(state: &mut LuaState, function: Val, job: &Job) -> LuaResult<Vec<u8>> {
    let globals = Table::from_gc_ref(state.global);
    for (name, values) in [("KEYS", &job.keys), ("ARGV", &job.arguments)] {
        let list = state.create_table();
        for (index, value) in values.iter().enumerate() {
            let value = lua::string(state, value);
            lua::set_index(state, list, index + 1, value)?;
        }
        lua::set_name(state, globals, name, lua::value(list))?;
    }
    state.gc_check()?;

    let at = state.top;
    state.push(function);
    state.call_function(at, 1)?;
    let mut reply = Reply { bytes: Vec::new(), resp3: job.resp3, script_resp3: RESP3.get() };
    reply.write(state, state.stack_get(at), 0)?;
    Ok(reply.bytes)
}

/// The error reply to a script that failed, with the place where it did (`luaCallFunction` and the
/// error handler of `eval.c`).
fn running_error(state: &mut LuaState, script: &Script, error: LuaError) -> String {
    let mut place = lua::position(state);
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
        // The machine forgets the position in front of a few of its errors, and for some of the
        // others it has saved that of an earlier instruction.
        (error, None) => {
            let text = error.to_string();
            match (text.split_once(':'), &mut place) {
                (None, Some((source, line))) => {
                    format!("ERR {}:{line}: {text}", source.trim_start_matches('@'))
                }
                (Some((_, rest)), Some((_, line))) => {
                    let said = rest.split(':').next().and_then(|line| line.parse().ok());
                    *line = said.unwrap_or(*line);
                    format!("ERR {text}")
                }
                _ => format!("ERR {text}"),
            }
        }
    };
    match place {
        Some((source, line)) => {
            // A text of C ends at a zero byte.
            let (text, sha) = (text.split('\0').next().unwrap_or_default(), &script.sha);
            format!("{text} script: {sha}, on {source}:{line}.")
        }
        None => text,
    }
}

fn running_failed(script: &Script, why: &str) -> String {
    format!("ERR Error running script {}, {why}", script.sha)
}

/// Bytes as the text of an error, with a character for each.
fn text_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
