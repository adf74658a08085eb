//! Scripts in Lua: `EVAL`, `EVALSHA`, their read-only forms, and `SCRIPT` (`eval.c`, `script.c`).
//!
//! ```text
//! EVAL "return redis.call('incr', KEYS[1])" 1 n
//!   eval       the script by its SHA-1, compiled at most once per core
//!   drive      runs it (vm) with all shards locked
//!   call       INCR n: the checks of scriptCall, then the command as if a client had sent it
//!   to_reply   the number 1 becomes `:1`
//! ```
//!
//! * [`registry`]: the cache of scripts. [`vm`]: runs, interrupts and bounds a script.
//! * [`calls`]: the table `redis`. [`convert`]: values between RESP and Lua.
//! * The crate [`minicache_lua`]: what else a script finds: Lua's libraries and Redis's.
//!
//! # Atomic, but not for ever
//!
//! A script may use keys that it has not declared, so all shards are locked while it runs. After
//! `busy-reply-threshold` it is paused now and then: the locks are released, but
//! [`busy`](crate::engine::shards::Shards::set_busy) was set under them, and a command that then
//! gets a lock answers `BUSY` instead of running. So no client sees a half-done script, and
//! `SCRIPT KILL` gets through.
//!
//! # Difference from Redis
//!
//! Redis has one interpreter; each core has one here. Nothing that a script does to it outlives the
//! script. The cache of scripts is bounded, and so is the memory of a script. `FUNCTION`, `FCALL`
//! and the debugger are left out.

mod calls;
mod convert;
pub mod registry;
mod vm;

use super::catalogue::spec::Flags;
use super::session::{Replies, Session};
use super::{Call, Executor, Mode, catalogue, lookup::lookup};
use crate::engine::blocking::DbKey;
use crate::engine::error::{Answer, Error};
use crate::engine::keyspace::Keyspace;
use crate::wire::reply::{Protocol, Reply};
use crate::wire::request::{Args, OwnedArgs};
use corosensei::{CoroutineResult, stack::DefaultStack};
use registry::{Script, Scripts, sha1_hex};
use std::cell::RefCell;
use std::mem::{replace, take};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use vm::{Fiber, Finished, Host, Interrupt, Job, Vm};

/// Nanoseconds that a busy script runs between two pauses.
const SLICE_NS: u64 = 5_000_000;

thread_local! {
    /// The interpreter of this core between scripts, and the stack for the next one.
    static IDLE: RefCell<(Option<Box<Vm>>, Option<DefaultStack>)> = const {
        RefCell::new((None, None))
    };
    /// The script of this core that is paused.
    static PAUSED: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// A script between its begin and its end.
struct Running {
    fiber: Fiber,
    context: Context,
}

/// What a script may do, and what it has done.
struct Context {
    started_ns: u64,
    /// When it was last resumed.
    resumed_ns: u64,
    db: usize,
    protocol: Protocol,
    read_only: bool,
    /// True if memory was short at its start, and it has not declared to be fine with that.
    out_of_memory: bool,
    /// Keys that blocked clients wait for and that it has filled.
    ready_keys: Vec<DbKey>,
}

// ---- the commands ----

/// `EVAL script numkeys [key ...] [arg ...]`
pub fn eval(c: &mut Call) -> Answer {
    eval_text(c, false)
}

/// `EVAL_RO`, of a script that may not write.
pub fn eval_ro(c: &mut Call) -> Answer {
    eval_text(c, true)
}

/// `EVALSHA sha1 numkeys [key ...] [arg ...]`
pub fn evalsha(c: &mut Call) -> Answer {
    eval_sha(c, false)
}

/// `EVALSHA_RO`, of a script that may not write.
pub fn evalsha_ro(c: &mut Call) -> Answer {
    eval_sha(c, true)
}

fn eval_text(c: &mut Call, read_only: bool) -> Answer {
    let keys = count_keys(c)?;
    let text = c.arg(1);
    let script = match c.cache.scripts.find(sha1_hex(text).as_bytes()) {
        Some(known) => known,
        None => Arc::new(Script::new(text)?),
    };
    run(c, script, keys, read_only)
}

fn eval_sha(c: &mut Call, read_only: bool) -> Answer {
    const UNKNOWN: Error = Error::new("NOSCRIPT No matching script. Please use EVAL.");
    if c.arg(1).len() != 40 {
        return Err(UNKNOWN);
    }
    let keys = count_keys(c)?;
    let script = c.cache.scripts.find(c.arg(1)).ok_or(UNKNOWN)?;
    run(c, script, keys, read_only)
}

fn count_keys(c: &Call) -> Result<usize, Error> {
    let keys = c.int(2)?;
    if keys > c.args.len() as i64 - 3 {
        return Err(Error::new("ERR Number of keys can't be greater than number of args"));
    }
    usize::try_from(keys).map_err(|_| Error::new("ERR Number of keys can't be negative"))
}

/// `SCRIPT LOAD script`
pub fn script_load(c: &mut Call) -> Answer {
    let script = Arc::new(Script::new(c.arg(2))?);
    let sha = script.sha.clone();
    if c.cache.scripts.find(sha.as_bytes()).is_none() {
        let mut running = begin(c, script, false, 0, Context::of(c))?;
        let CoroutineResult::Return(finished) = running.fiber.resume(()) else {
            return Err(Error::new("ERR a script cannot pause while it is compiled"));
        };
        keep(&c.cache.scripts, finished, running.fiber.into_stack())?;
    }
    c.out.text(&sha);
    Ok(())
}

/// `SCRIPT EXISTS sha1 …`
pub fn script_exists(c: &mut Call) -> Answer {
    c.out.array(c.args.len() - 2);
    for sha in c.args.from(2).iter() {
        c.out.int(i64::from(c.cache.scripts.find(sha).is_some()));
    }
    Ok(())
}

/// `SCRIPT FLUSH [ASYNC | SYNC]`
pub fn script_flush(c: &mut Call) -> Answer {
    if c.args.len() > 3 || (c.args.len() == 3 && !c.is(2, "async") && !c.is(2, "sync")) {
        return Err(Error::new("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    c.cache.scripts.flush();
    c.out.answer_ok()
}

/// `SCRIPT KILL`
pub fn script_kill(c: &mut Call) -> Answer {
    let scripts = &c.cache.scripts;
    if !scripts.running.load(Ordering::Relaxed) {
        return Err(Error::new("NOTBUSY No scripts in execution right now."));
    }
    if scripts.has_written.load(Ordering::Relaxed) {
        return Err(Error::new(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You \
             can either wait the script termination or kill the server in a hard way using the \
             SHUTDOWN NOSAVE command.",
        ));
    }
    scripts.killed.store(true, Ordering::Relaxed);
    c.out.answer_ok()
}

// ---- running ----

impl Context {
    fn of(c: &Call) -> Context {
        let now = (c.keyspace.clock)();
        let maxmemory = c.keyspace.parts.tuning.maxmemory;
        Context {
            started_ns: now,
            resumed_ns: now,
            db: c.session.db,
            protocol: Protocol::Resp2,
            read_only: false,
            out_of_memory: maxmemory > 0 && c.cache.shards.lasting_memory() as u64 > maxmemory,
            ready_keys: Vec::new(),
        }
    }
}

fn run(c: &mut Call, script: Arc<Script>, keys: usize, read_only: bool) -> Answer {
    let mut context = Context::of(c);
    context.read_only = read_only;
    if let Some(flags) = script.flags {
        if context.out_of_memory && !flags.allow_oom {
            return Err(Error::new(
                "OOM allow-oom flag is not set on the script, can not run it when used memory > \
                 'maxmemory'",
            ));
        }
        if read_only && !flags.no_writes {
            return Err(Error::new(
                "ERR Can not execute a script with write flag using *_ro command.",
            ));
        }
        context.out_of_memory = false;
        context.read_only |= flags.no_writes;
    }
    let monitors = &c.cache.registry.monitors;
    if monitors.any() {
        monitors.show(c.keyspace.now, c.session.db, &c.session.client.address, c.args);
    }

    let running = begin(c, script, true, keys, context)?;
    let scripts = &c.cache.scripts;
    for flag in [&scripts.has_written, &scripts.killed] {
        flag.store(false, Ordering::Relaxed);
    }
    scripts.running.store(true, Ordering::Relaxed);

    // The script's commands need an executor, and a call has all of one but the keyspace, which
    // is lent to it for the time.
    let (parts, now) = (c.keyspace.parts, c.keyspace.now);
    let keyspace = replace(c.keyspace, Keyspace::new(parts, now));
    let mut executor = Executor::of_script(c.cache, c.counters, c.settings, keyspace);
    let answer = drive(&mut executor, c.session, running, c.out);
    *c.keyspace = executor.keyspace;
    c.parked = c.session.script_paused;
    answer
}

/// Makes a script ready to run. One that is new enters the cache, unless it does not compile.
fn begin(
    c: &Call,
    script: Arc<Script>,
    runs: bool,
    keys: usize,
    context: Context,
) -> Result<Running, Error> {
    let version = c.cache.scripts.version();
    let (idle, stack) = IDLE.take();
    let is_new = c.cache.scripts.find(script.sha.as_bytes()).is_none();
    let idle = idle.filter(|vm| vm.version == version && !vm.is_full());
    let vm = idle.map_or_else(|| Vm::new(version), Ok)?;
    let stack = match stack {
        Some(stack) => stack,
        None => DefaultStack::new(vm::STACK_BYTES)
            .map_err(|error| Error::text(format!("ERR no memory for a script: {error}")))?,
    };
    let mut after = c.args.from(3).iter();
    let keys: OwnedArgs = after.by_ref().take(keys).collect();
    let job =
        Job { script, is_new, runs, keys, args: after.collect(), protocol: c.session.protocol };
    Ok(Running { fiber: vm::begin(vm, job, stack), context })
}

/// Keeps the interpreter and the stack of a script that has ended. Returns its reply.
fn keep(scripts: &Scripts, finished: Finished, stack: DefaultStack) -> Result<Vec<u8>, Error> {
    IDLE.set((finished.vm, Some(stack)));
    if let Some(script) = finished.new_script {
        scripts.add(script);
    }
    finished.reply
}

/// Runs a script until it ends or pauses. If it pauses, its session waits for [`resume`].
fn drive(
    executor: &mut Executor,
    session: &mut Session,
    mut running: Running,
    out: &mut Reply,
) -> Answer {
    let scripts = &executor.cache.scripts;
    running.context.resumed_ns = (executor.keyspace.clock)();
    let (db, protocol) = (session.db, session.protocol);
    let (fiber, context) = (&mut running.fiber, &mut running.context);
    let mut host = ScriptHost { executor, session, context };
    let result = vm::HOST.set(&mut host, || fiber.resume(()));
    (session.db, session.protocol) = (db, protocol);

    match result {
        CoroutineResult::Yield(()) => {
            // Under the locks, so that the next command that gets one sees it.
            executor.cache.shards.set_busy(true);
            session.script_paused = true;
            session.ends_batch = true;
            running.context.ready_keys = take(&mut executor.keyspace.ready_keys);
            PAUSED.set(Some(running));
            Ok(())
        }
        CoroutineResult::Return(finished) => {
            executor.cache.shards.set_busy(false);
            session.script_paused = false;
            scripts.running.store(false, Ordering::Relaxed);
            let reply = keep(scripts, finished, running.fiber.into_stack())?;
            out.buffer().extend_from_slice(&reply);
            Ok(())
        }
    }
}

/// Lets the paused script of this core, which is the session's, go on.
pub fn resume(executor: &mut Executor, session: &mut Session, out: &mut Reply) {
    let Some(mut running) = PAUSED.take() else { return };
    executor.keyspace.lock_all();
    executor.keyspace.ready_keys = take(&mut running.context.ready_keys);
    let answer = drive(executor, session, running, out);
    answer.unwrap_or_else(|error| executor.report(&error, out));
    if session.script_paused {
        return;
    }
    if let Some((transaction, next)) = session.rest.take() {
        executor.run_rest(session, transaction, next, out);
    }
    executor.serve_blocked(session);
    if session.replies == Replies::Off {
        out.buffer().clear();
    }
}

/// The server as a running script sees it.
struct ScriptHost<'r, 'c> {
    executor: &'r mut Executor<'c>,
    session: &'r mut Session,
    context: &'r mut Context,
}

impl Host for ScriptHost<'_, '_> {
    /// The checks are those of `scriptCall`, in its order.
    fn call(&mut self, args: Args, out: &mut Reply) -> Result<(), Error> {
        let command = lookup(args).map_err(|_| match catalogue::find(args.at(0)) {
            Some(known) if args.len() == 1 || !known.is_container() => {
                Error::new("ERR Wrong number of args calling Redis command from script")
            }
            Some(known) if args.get(1).is_some_and(|name| known.subcommand(name).is_some()) => {
                Error::new("ERR Wrong number of args calling Redis command from script")
            }
            _ => Error::new("ERR Unknown Redis command called from script"),
        })?;
        if command.flags.has(Flags::NO_SCRIPT) {
            return Err(Error::new("ERR This Redis command is not allowed from script"));
        }
        let scripts = &self.executor.cache.scripts;
        let writes = command.flags.has(Flags::WRITE);
        if writes && self.context.read_only {
            return Err(Error::new("ERR Write commands are not allowed from read-only scripts."));
        }
        let has_written = scripts.has_written.load(Ordering::Relaxed);
        if self.context.out_of_memory && !has_written && command.flags.has(Flags::DENYOOM) {
            return Err(Error::OUT_OF_MEMORY);
        }
        if writes && !has_written {
            scripts.has_written.store(true, Ordering::Relaxed);
        }

        out.protocol = self.context.protocol;
        (self.session.db, self.session.protocol) = (self.context.db, self.context.protocol);
        let answer = self.executor.call(self.session, command, args, out, Mode::Transaction);
        self.context.db = self.session.db;
        answer.unwrap_or_else(|error| self.executor.report(&error, out));
        Ok(())
    }

    fn interrupt(&mut self) -> Interrupt {
        let scripts = &self.executor.cache.scripts;
        if scripts.killed.load(Ordering::Relaxed) {
            return Interrupt::Kill;
        }
        let now = (self.executor.keyspace.clock)();
        let threshold_ns = self.executor.settings.busy_reply_threshold * 1_000_000;
        if now.saturating_sub(self.context.started_ns) < threshold_ns {
            return Interrupt::GoOn;
        }
        match now.saturating_sub(self.context.resumed_ns) > SLICE_NS {
            true => Interrupt::Pause,
            false => Interrupt::GoOn,
        }
    }

    fn log(&mut self, level: u8, text: &[u8]) {
        if let Some(host) = self.executor.cache.host.get() {
            host.log(level, text);
        }
    }

    fn protocol(&mut self) -> &mut Protocol {
        &mut self.context.protocol
    }
}

#[cfg(test)]
mod tests;
