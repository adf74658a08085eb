//! Scripts in Lua: `EVAL`, `EVALSHA`, their read-only forms, and `SCRIPT` (`eval.c`, `script.c`).
//!
//! ```text
//! EVAL "return redis.call('incr', KEYS[1])" 1 n
//!   eval       the script by its SHA-1, compiled at most once per core
//!   drive      runs it with all shards locked
//!   call       INCR n: the checks of scriptCall, then the command as if a client had sent it
//! ```
//!
//! [`registry`] is the cache of scripts. The crate [`minicache_lua`] has Lua itself, and everything
//! that a script finds there; this folder is the [`Host`] that it calls.
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

pub mod registry;

use super::aof::misconf;
use super::catalogue::spec::Flags;
use super::execute::may_replicate;
use super::session::{Replies, Session};
use super::{Call, Command, Executor, Mode, catalogue, lookup::lookup};
use crate::engine::blocking::DbKey;
use crate::engine::error::{Answer, Error};
use crate::engine::keyspace::Keyspace;
use crate::raw;
use crate::wire::reply::{Protocol, Reply};
use crate::wire::request::{Args, OwnedArgs};
use minicache_aof::Unit;
use minicache_lua::{Host, Interrupt, Job, Progress, Script, sha1_hex};
use std::borrow::Cow;
use std::cell::RefCell;
use std::mem::{replace, take};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const WRONG_NUMBER: Error =
    Error::new("ERR Wrong number of args calling Redis command from script");
/// Nanoseconds that a busy script runs between two pauses.
const SLICE_NS: u64 = 5_000_000;

thread_local! {
    /// The script of this core that is paused.
    static PAUSED: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// A script between its begin and its end.
struct Running {
    lua: minicache_lua::Running,
    context: Context,
}

/// What a script may do, and what it has done.
struct Context {
    started_ns: u64,
    /// When it was last resumed.
    resumed_ns: u64,
    db: usize,
    read_only: bool,
    /// True if memory was short at its start, and it has not declared to be fine with that.
    out_of_memory: bool,
    /// Keys that blocked clients wait for and that it has filled.
    ready_keys: Vec<DbKey>,
    /// What it has changed, while it is paused: it goes to the append-only file as a whole.
    unit: Option<Box<Unit>>,
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
    let script = cached(c, text)?;
    run(c, script, keys, read_only)
}

/// The script of a text, which is compiled and added to the cache if it is new.
fn cached(c: &Call, text: &[u8]) -> Result<Arc<Script>, Error> {
    let scripts = &c.cache.scripts;
    if let Some(known) = scripts.find(sha1_hex(text).as_bytes()) {
        return Ok(known);
    }
    let script = Arc::new(Script::new(text).map_err(Error::text)?);
    minicache_lua::load(script.clone(), scripts.version(), raw::allocated).map_err(Error::text)?;
    scripts.add(script.clone());
    Ok(script)
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
    let script = cached(c, c.arg(2))?;
    c.out.text(&script.sha);
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
            read_only: false,
            out_of_memory: maxmemory > 0 && c.cache.shards.lasting_memory() as u64 > maxmemory,
            ready_keys: Vec::new(),
            unit: None,
        }
    }
}

fn run(c: &mut Call, script: Arc<Script>, keys: usize, read_only: bool) -> Answer {
    let mut context = Context::of(c);
    context.read_only = read_only;
    if let Some(flags) = script.flags {
        if context.out_of_memory && !flags.allow_oom && !flags.no_writes {
            return Err(Error::OUT_OF_MEMORY);
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

    let running = begin(c, script, keys, context)?;
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

/// Makes a script ready to run.
fn begin(c: &Call, script: Arc<Script>, keys: usize, context: Context) -> Result<Running, Error> {
    let mut rest = c.args.from(3).iter().map(<[u8]>::to_vec);
    let job = Job {
        script,
        keys: rest.by_ref().take(keys).collect(),
        arguments: rest.collect(),
        resp3: c.session.protocol == Protocol::Resp3,
        allocated: raw::allocated,
    };
    let lua = minicache_lua::begin(job, c.cache.scripts.version()).map_err(Error::text)?;
    Ok(Running { lua, context })
}

/// Runs a script until it ends or pauses. If it pauses, its session waits for [`resume`].
fn drive(
    executor: &mut Executor,
    session: &mut Session,
    running: Running,
    out: &mut Reply,
) -> Answer {
    let Running { lua, mut context } = running;
    context.resumed_ns = (executor.keyspace.clock)();
    let (db, protocol) = (session.db, session.protocol);
    let progress = lua.resume(&mut ScriptHost { executor, session, context: &mut context });
    (session.db, session.protocol) = (db, protocol);

    // Under the locks, so that the next command that gets one sees it.
    session.script_paused = matches!(progress, Progress::Paused(_));
    executor.cache.shards.set_busy(session.script_paused);
    match progress {
        Progress::Paused(lua) => {
            session.ends_batch = true;
            context.ready_keys = take(&mut executor.keyspace.ready_keys);
            context.unit = executor.keyspace.unit.take();
            PAUSED.set(Some(Running { lua, context }));
            Ok(())
        }
        Progress::Done(reply) => {
            executor.cache.scripts.running.store(false, Ordering::Relaxed);
            out.buffer().extend_from_slice(&reply.map_err(Error::text)?);
            Ok(())
        }
    }
}

/// Lets the paused script of this core, which is the session's, go on.
pub fn resume(executor: &mut Executor, session: &mut Session, out: &mut Reply) {
    let Some(mut running) = PAUSED.take() else { return };
    executor.keyspace.lock_all();
    executor.keyspace.ready_keys = take(&mut running.context.ready_keys);
    executor.keyspace.unit = running.context.unit.take();
    let answer = drive(executor, session, running, out);
    answer.unwrap_or_else(|error| executor.report(&error, out));
    if session.script_paused {
        return;
    }
    if let Some((transaction, next)) = session.rest.take() {
        executor.run_rest(session, transaction, next, out);
    }
    executor.keyspace.end_unit();
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

impl ScriptHost<'_, '_> {
    /// Finds a command and asks if a script may call it, as `scriptCall` does and in its order.
    fn allowed(&self, args: Args) -> Result<&'static Command, Error> {
        let command = lookup(args).map_err(|_| match catalogue::find(args.at(0)) {
            Some(known) if args.len() == 1 || !known.is_container() => WRONG_NUMBER,
            Some(known) if args.get(1).is_some_and(|name| known.subcommand(name).is_some()) => {
                WRONG_NUMBER
            }
            _ => Error::new("ERR Unknown Redis command called from script"),
        })?;
        if command.flags.has(Flags::NO_SCRIPT) {
            return Err(Error::new("ERR This Redis command is not allowed from script"));
        }
        let scripts = &self.executor.cache.scripts;
        let writes = command.flags.has(Flags::WRITE);
        if self.context.read_only && may_replicate(command) {
            return Err(Error::new("ERR Write commands are not allowed from read-only scripts."));
        }
        let has_written = scripts.has_written.load(Ordering::Relaxed);
        if self.context.out_of_memory && !has_written && command.flags.has(Flags::DENYOOM) {
            return Err(Error::OUT_OF_MEMORY);
        }
        if writes && self.executor.cache.shards.has_log_failed() {
            return Err(misconf(self.executor.cache));
        }
        if writes && !has_written {
            scripts.has_written.store(true, Ordering::Relaxed);
        }
        Ok(command)
    }
}

impl Host for ScriptHost<'_, '_> {
    fn call(&mut self, arguments: &[Cow<'_, [u8]>], resp3: bool) -> Vec<u8> {
        let args: OwnedArgs = arguments.iter().collect();
        let args = args.as_args();
        let protocol = if resp3 { Protocol::Resp3 } else { Protocol::Resp2 };
        let mut out = Reply::new(protocol);
        match self.allowed(args) {
            Ok(command) => {
                (self.session.db, self.session.protocol) = (self.context.db, protocol);
                let (session, mode) = (&mut *self.session, Mode::Transaction);
                let answer = self.executor.call(session, command, args, &mut out, mode);
                self.context.db = self.session.db;
                answer.unwrap_or_else(|error| self.executor.report(&error, &mut out));
            }
            Err(error) => out.error(&error.0),
        }
        take(out.buffer())
    }

    fn knows(&self, name: &[u8]) -> bool {
        catalogue::find(name).is_some()
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
}

#[cfg(test)]
mod tests;
