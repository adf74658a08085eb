//! The path of a command: find it, check it, queue or execute it, then serve the blocked clients
//! that its changes have made ready.
//!
//! ```text
//! RPUSH jobs a    find                       the catalogue's row of rpush
//!                 check_access               authenticated? allowed in a transaction?
//!                 perform_evictions          if more than maxmemory is in use
//!                 check_memory, _subscribed  OOM? may a subscriber send it?
//!                 queue                      after MULTI: stop here with +QUEUED
//!                 lock_for                   the shard of jobs
//!                 call, record               the handler; counters, slow log, MONITOR
//!                 serve_ready_keys           a BLPOP that waits for jobs runs now
//! ```
//!
//! The order of the checks is that of `processCommand` in `server.c`. It decides which of two
//! errors a client receives, and if a transaction fails because of it.

use super::aof::misconf;
use super::lookup::{is_http, lookup};
use super::session::{Queued, Replies, Session, Transaction};
use super::transactions::{queue, refused, shards_watched, unwatch_all};
use super::{
    Call, Command, Mode, blocked::serve_ready_keys, catalogue, catalogue::spec::Flags,
    getkeys::for_each_key, handlers, messages::write_pending, write_behind,
};
use crate::commands::{cache::Cache, stats::Counters};
use crate::conf::{Settings, Snapshot};
use crate::engine::error::{Answer, Error};
use crate::engine::eviction::{OutOfMemory, evict_until_below_limit};
use crate::engine::{counter::add, keyspace::Keyspace, timestamp::Timestamp};
use crate::wire::{reply::Reply, request::Args};
use std::{cell::Cell, sync::atomic::Ordering};

/// After this many calls of a fast command only one in this many is timed, and counts for all:
/// reading the clock twice would be a noticeable part of a `GET`.
const TIMED_ONE_IN: u64 = 256;
/// With a slow-log threshold below this many microseconds every command is timed, because a fast
/// command may exceed it.
const TIME_ALL_BELOW_US: i64 = 1000;

/// Executes one core's commands, batch by batch.
pub struct Executor<'c> {
    /// The keyspace, and the locks held.
    pub keyspace: Keyspace<'c>,
    pub(crate) cache: &'c Cache,
    pub(crate) counters: &'c Counters,
    /// The hash of the next command's argument 1, if prefetching or locking has computed it.
    pub key_hash: Option<u64>,
    pub(crate) settings: &'c Settings,
    /// True for the commands of a script.
    in_script: bool,
    next_shard: usize,
}

impl<'c> Executor<'c> {
    /// Makes the executor of one batch, which counts into the counters of one core.
    #[inline]
    pub fn new(
        cache: &'c Cache,
        counters: &'c Counters,
        config: &'c Snapshot,
        now: Timestamp,
        clock: fn() -> u64,
    ) -> Executor<'c> {
        let mut keyspace = Keyspace::new(cache.parts(counters, &config.tuning), now);
        keyspace.clock = clock;
        let (settings, in_script) = (&config.settings, false);
        let key_hash = None;
        Executor { keyspace, cache, counters, key_hash, settings, in_script, next_shard: 0 }
    }

    /// Makes the executor of a script's commands, which has the keyspace of the script.
    pub(super) fn of_script(
        cache: &'c Cache,
        counters: &'c Counters,
        settings: &'c Settings,
        keyspace: Keyspace<'c>,
    ) -> Executor<'c> {
        let (key_hash, in_script) = (None, true);
        Executor { keyspace, cache, counters, key_hash, settings, in_script, next_shard: 0 }
    }

    /// Executes one request and appends its reply, unless the command blocks.
    pub fn execute(&mut self, session: &mut Session, args: Args, out: &mut Reply) {
        let before = out.mark();
        let replies = session.replies;
        out.protocol = session.protocol;
        if let Err(error) = self.process(session, args, out) {
            self.report(&error, out);
        }
        self.keyspace.end_unit();
        self.serve_blocked(session);

        // CLIENT REPLY takes effect with the command that changes it, so the reply is discarded
        // only if replies were off both before and after.
        match (replies, session.replies) {
            (Replies::SkipNext, Replies::SkipNext) => {
                session.replies = Replies::On;
                out.rewind(before);
            }
            (Replies::Off, Replies::Off) => out.rewind(before),
            _ => {}
        }

        // Messages are not replies: they are sent even if replies are off.
        if session.tracking.is_some() {
            send_own_invalidations(session, args, out);
        } else if !session.subscriptions.is_empty() || replies != Replies::On {
            write_pending(session, out);
        }
    }

    /// Runs the commands of blocked clients whose keys are ready.
    #[inline]
    pub(super) fn serve_blocked(&mut self, session: &Session) {
        if !self.keyspace.ready_keys.is_empty() && !session.script_paused {
            serve_ready_keys(self);
            self.keyspace.invalidate(session.client.id);
        }
    }

    /// Returns the time, in Unix milliseconds, until which `CLIENT PAUSE` holds this command back.
    #[inline]
    pub fn paused_until(&self, session: &Session, args: Args) -> Option<i64> {
        let (pause, now_ms) = (&self.cache.registry.pause, self.keyspace.now.ms);
        pause.holds(now_ms, true)?;

        // A command that will be refused does not wait.
        let command = lookup(args).ok().filter(|_| session.authenticated)?;
        pause.holds(now_ms, writes(session, command))
    }

    #[cold]
    pub(super) fn report(&self, error: &Error, out: &mut Reply) {
        self.cache.stats.totals.count_error(error.0.split(' ').next().unwrap_or("ERR"));
        out.error(&error.0);
    }

    /// Checks a command, then queues or executes it (`processCommand`). An error of a check makes
    /// an open transaction fail.
    fn process(&mut self, session: &mut Session, args: Args, out: &mut Reply) -> Answer {
        let command = match lookup(args).and_then(|command| self.check(session, command)) {
            Ok(command) => command,
            // A web page can make a browser send a form to this port. The connection is closed
            // before a line of the form's body is executed as a command.
            Err(_) if is_http(args) => {
                session.closing = true;
                return Ok(());
            }
            Err(error) => {
                self.count_rejected(args);
                return Err(refused(&mut self.keyspace, session, args, error));
            }
        };

        if session.tracking.is_some() {
            self.send_pending_invalidations(session, out);
        }
        if session.transaction.is_some() {
            match command.name {
                "exec" => return self.exec(session, command, args, out),
                _ if command.flags.has(Flags::RUNS_IN_MULTI) => {}
                _ => return queue(session, command, args, out),
            }
        }

        if self.cache.shards.len() == 1 {
            self.keyspace.lock(1);
        } else {
            self.lock_for(command, args);
            // A script of another core may have paused while this one waited for the locks.
            if self.cache.shards.is_busy() && !command.flags.has(Flags::ALLOW_BUSY) {
                return Err(Error::BUSY);
            }
        }
        self.call(session, command, args, out, Mode::Direct)
    }

    /// Counts a command that was refused before it ran, if there is such a command.
    fn count_rejected(&self, args: Args) {
        let Some(command) = catalogue::find(args.at(0)) else { return };
        let command = args.get(1).and_then(|name| command.subcommand(name)).unwrap_or(command);
        add(&self.counters.of(command.id()).rejected, 1);
    }

    /// Makes all checks before a command, in Redis's order. One step is more than a check: keys are
    /// evicted, because what cannot be evicted decides if the command runs out of memory.
    fn check(
        &mut self,
        session: &Session,
        command: &'static Command,
    ) -> Result<&'static Command, Error> {
        check_access(session, command)?;
        let shards = &self.cache.shards;
        let refuses_some = shards.refuses_some();
        if refuses_some && shards.is_busy() && !command.flags.has(Flags::ALLOW_BUSY) {
            return Err(Error::BUSY);
        }
        let short = refuses_some && shards.is_full() || self.perform_evictions().is_err();
        if short && needs_memory(session, command) {
            return Err(Error::OUT_OF_MEMORY);
        }
        if refuses_some
            && shards.has_log_failed()
            && (command.name == "ping" || writes(session, command))
        {
            return Err(misconf(self.cache));
        }
        check_subscribed(session, command)?;
        // Redis takes a monitoring client for a replica.
        if session.monitor && (command.flags.has(Flags::READONLY) || may_replicate(command)) {
            return Err(Error::new("ERR Replica can't interact with the keyspace"));
        }
        Ok(command)
    }

    /// Calls the handler of a command whose shards are locked.
    pub fn call(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        args: Args,
        out: &mut Reply,
        mode: Mode,
    ) -> Answer {
        self.record(session, command, args, |executor, session| {
            let (keyspace, settings) = (&mut executor.keyspace, executor.settings);
            keyspace.db = session.db;
            let changes = write_behind::before(keyspace, command, args)?;
            let (ready_key, parked) = (None, false);
            let answer = handlers::of(command)(&mut Call {
                args,
                command,
                session,
                keyspace,
                cache: executor.cache,
                counters: executor.counters,
                settings,
                key_hash: Cell::new(executor.key_hash.take()),
                out,
                mode,
                ready_key,
                parked,
            });
            propagate(&mut executor.keyspace, command, args);
            write_behind::after(&mut executor.keyspace, command, args, changes);
            answer
        })
    }

    /// `EXEC` in a transaction. The handler in `transactions.rs` cannot do it: a handler sees one
    /// [`Call`], and this makes many.
    #[inline(never)]
    fn exec(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        args: Args,
        out: &mut Reply,
    ) -> Answer {
        let open = session.transaction.take().unwrap_or_default();
        self.record(session, command, args, |executor, session| {
            executor.run_queue(session, open, out)
        })
    }

    fn run_queue(
        &mut self,
        session: &mut Session,
        mut open: Box<Transaction>,
        out: &mut Reply,
    ) -> Answer {
        if open.poisoned {
            unwatch_all(&mut self.keyspace, session);
            return Err(Error::new("EXECABORT Transaction discarded because of previous errors."));
        }

        // All shards of the transaction are locked at once, those of the watched keys too: nothing
        // can change between the check of the watches and the last command.
        let mut shards = shards_watched(&self.keyspace, session);
        for queued in &mut open.commands {
            shards |= self.shards_for(queued.command, queued.args.as_args());
            queued.key_hash = self.key_hash.take();
        }
        self.keyspace.lock(shards);
        if self.cache.shards.is_busy() {
            unwatch_all(&mut self.keyspace, session);
            let reason = Error::BUSY.0;
            let text = format!("EXECABORT Transaction discarded because of: {reason}");
            return Err(Error::text(text));
        }
        if !unwatch_all(&mut self.keyspace, session) {
            out.null_array();
            return Ok(());
        }

        out.array(open.commands.len());
        session.executing = Some((open.commands.len(), open.bytes));
        self.run_rest(session, open, 0, out);
        Ok(())
    }

    /// Runs the commands of a transaction from number `next` on. If one is a script that pauses,
    /// the session keeps the others.
    pub(super) fn run_rest(
        &mut self,
        session: &mut Session,
        open: Box<Transaction>,
        next: usize,
        out: &mut Reply,
    ) {
        for (index, queued) in open.commands.iter().enumerate().skip(next) {
            let Queued { command, args, key_hash } = queued;
            // The command before may have been HELLO.
            out.protocol = session.protocol;
            self.key_hash = *key_hash;
            let answer = self.call(session, command, args.as_args(), out, Mode::Transaction);
            answer.unwrap_or_else(|error| self.report(&error, out));
            if session.script_paused {
                session.rest = Some((open, index + 1));
                return;
            }
        }
        session.executing = None;
    }

    /// Runs a command by `run`, and counts, times and logs it.
    fn record(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        args: Args,
        run: impl FnOnce(&mut Self, &mut Session) -> Answer,
    ) -> Answer {
        let client = &session.client.figures;
        client.active_ms.store(self.keyspace.now.ms, Ordering::Relaxed);
        if !self.in_script && session.executing.is_none() {
            client.last_command.store(command.id() as u32 + 1, Ordering::Relaxed);
        }
        let figures = self.counters.of(command.id());
        let calls = add(&figures.calls, 1);
        let every = calls < TIMED_ONE_IN || !command.flags.has(Flags::QUICK) || self.times_all();
        let timed = every || calls.is_multiple_of(TIMED_ONE_IN);
        let start = if timed { (self.keyspace.clock)() } else { 0 };

        let answer = run(self, session);

        if self.keyspace.changes.is_some() || session.tracking.is_some() {
            self.track(session, command, args);
        }
        if timed {
            let took_ns = (self.keyspace.clock)().saturating_sub(start);
            add(&figures.took_ns, took_ns * if every { 1 } else { TIMED_ONE_IN });
            self.note_latency(command, took_ns);
            let threshold_us = self.slow_threshold_us(session);
            if threshold_us >= 0 && took_ns / 1000 >= threshold_us as u64 {
                self.note_slow(session, command, args, took_ns / 1000);
            }
        }
        let monitors = &self.cache.registry.monitors;
        if monitors.any()
            && !command.flags.has(Flags::ADMIN)
            && !command.flags.has(Flags::SKIP_MONITOR)
        {
            let sender = if self.in_script { "lua" } else { &session.client.address };
            monitors.show(self.keyspace.now, session.db, sender, args);
        }
        if answer.is_err() {
            add(&figures.failed, 1);
        }
        answer
    }

    /// Sends invalidations for what a command has changed, then remembers what it has read.
    #[cold]
    fn track(&mut self, session: &Session, command: &Command, args: Args) {
        // In this order, because reading an expired key removes it, which is a change: the reader
        // must be in the table for the next change, not for this one.
        let id = session.client.id;
        self.keyspace.invalidate(id);
        let remembers = session.tracking.is_some_and(|wanted| wanted.remembers(session.caching));
        if remembers && command.flags.has(Flags::READONLY) {
            let mut keys = Vec::new();
            for_each_key(command, args, |index| keys.push(args.at(index)));
            self.cache.registry.tracking.remember(id, &keys);
        }
    }

    /// Sends pending invalidations before this command's reply. With `CLIENT REPLY OFF` there is no
    /// reply to precede, so they are sent afterwards.
    #[cold]
    fn send_pending_invalidations(&mut self, session: &Session, out: &mut Reply) {
        self.cache.registry.tracking.limit(self.settings.tracking_table_max_keys);
        if session.replies == Replies::On {
            write_pending(session, out);
        }
    }

    /// The slow-log threshold in µs. After `CONFIG SET` the batch still has the old snapshot, so
    /// the current one is read.
    fn slow_threshold_us(&self, session: &Session) -> i64 {
        match session.ends_batch {
            true => self.cache.config.snapshot().settings.slowlog_log_slower_than,
            false => self.settings.slowlog_log_slower_than,
        }
    }

    /// Returns true if every command must be timed: a fast one might be slow enough to be logged.
    fn times_all(&self) -> bool {
        let settings = &self.settings;
        (0..TIME_ALL_BELOW_US).contains(&settings.slowlog_log_slower_than)
            || settings.latency_monitor_threshold > 0
    }

    /// Adds a duration to the command's histogram, and a spike to the latency monitor.
    #[cold]
    fn note_latency(&self, command: &Command, took_ns: u64) {
        let settings = &self.settings;
        if settings.latency_tracking {
            self.counters.of(command.id()).latency.note(took_ns);
        }
        let (threshold_ms, took_ms) = (settings.latency_monitor_threshold, took_ns / 1_000_000);
        if threshold_ms > 0 && took_ms >= threshold_ms {
            let fast = command.flags.has(Flags::FAST);
            let event = if fast { "fast-command" } else { "command" };
            self.cache.stats.latency.note(event, self.keyspace.now.ms / 1000, took_ms);
        }
    }

    #[cold]
    fn note_slow(&self, session: &Session, command: &Command, args: Args, took_us: u64) {
        if !command.flags.has(Flags::SKIP_SLOWLOG) {
            let len_max = self.settings.slowlog_max_len as usize;
            self.cache.stats.slow_log.note(session, args, self.keyspace.now, took_us, len_max);
        }
    }

    /// Locks the shards of a command's keys. If argument 1 is hashed for that, its hash is left in
    /// `self.key_hash` for the handler.
    pub fn lock_for(&mut self, command: &Command, args: Args) {
        // With one shard there is nothing to find out, and most batches hold its lock already.
        if self.cache.shards.len() == 1 {
            self.keyspace.lock(1);
        } else {
            let shards = self.shards_for(command, args);
            self.keyspace.lock(shards);
        }
    }

    /// Returns the set of shards of a command's keys.
    fn shards_for(&mut self, command: &Command, args: Args) -> u64 {
        let shards = &self.cache.shards;
        if shards.len() == 1 || command.flags.has(Flags::ALL_KEYS) {
            return u64::MAX >> (64 - shards.len());
        }
        let mut set = 0;
        for_each_key(command, args, |index| {
            let bytes = args.at(index);
            let key = match (index, self.key_hash) {
                (1, Some(hash)) => shards.key_with_hash(bytes, hash),
                _ => shards.key(bytes),
            };
            if index == 1 {
                self.key_hash = Some(key.hash);
            }
            set |= 1 << key.shard;
        });
        set
    }

    /// Evicts keys if more than `maxmemory` is in use (`performEvictions`).
    #[inline]
    fn perform_evictions(&mut self) -> Result<(), OutOfMemory> {
        let maxmemory = self.keyspace.parts.tuning.maxmemory;
        if maxmemory > 0 && self.keyspace.parts.shards.used_memory() as u64 > maxmemory {
            self.evict()
        } else {
            Ok(())
        }
    }

    #[cold]
    fn evict(&mut self) -> Result<(), OutOfMemory> {
        // Eviction locks one shard after another, so we may hold none.
        self.keyspace.release();
        let (parts, now) = (self.keyspace.parts, self.keyspace.now);
        evict_until_below_limit(parts.shards, parts.tuning, now, &mut self.next_shard, |evicted| {
            parts.publish_eviction(evicted);
        })
    }
}

/// Sends the invalidations that a client's own command has caused. `CLIENT CACHING` counts for one
/// command; it stays in force if this one was `CLIENT` itself, or is part of a transaction.
#[cold]
fn send_own_invalidations(session: &mut Session, args: Args, out: &mut Reply) {
    write_pending(session, out);
    let about_client = args.at(0).eq_ignore_ascii_case(b"client");
    session.caching &= about_client || session.transaction.is_some();
}

#[inline]
fn check_access(session: &Session, command: &Command) -> Result<(), Error> {
    if !session.authenticated && !command.flags.has(Flags::NO_AUTH) {
        return Err(Error::NO_AUTH);
    }
    if session.transaction.is_some() && command.flags.has(Flags::NO_MULTI) {
        return Err(Error::new("ERR Command not allowed inside a transaction"));
    }
    Ok(())
}

/// Returns true if a replica has to hear of a command (`CMD_WRITE` and `CMD_MAY_REPLICATE`).
pub(super) fn may_replicate(command: &Command) -> bool {
    command.flags.has(Flags::WRITE) || matches!(command.name, "publish" | "eval" | "evalsha")
}

/// Returns true if a command, or one of the transaction that it executes, may change something.
fn writes(session: &Session, command: &Command) -> bool {
    match &session.transaction {
        Some(open) if command.name == "exec" => {
            open.commands.iter().any(|queued| may_replicate(queued.command))
        }
        _ => may_replicate(command),
    }
}

/// Logs a command that has changed something, unless it has logged something else in its place.
#[inline]
pub(super) fn propagate(keyspace: &mut Keyspace, command: &Command, args: Args) {
    let Some(unit) = &mut keyspace.unit else { return };
    let changed = unit.end_command(keyspace.parts.dirty.load(Ordering::Relaxed));
    if changed && command.flags.has(Flags::WRITE) {
        unit.push(keyspace.db, args.iter());
    }
}

fn check_subscribed(session: &Session, command: &Command) -> Result<(), Error> {
    if session.in_subscribed_mode() && !command.flags.has(Flags::SUBSCRIBED_MODE) {
        return Err(Error::text(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
             are allowed in this context",
            command.name
        )));
    }
    Ok(())
}

/// Returns true if a command must be refused when memory is short. Queuing any command takes
/// memory.
#[cold]
fn needs_memory(session: &Session, command: &Command) -> bool {
    match (&session.transaction, command.name) {
        (Some(open), "exec") => {
            open.commands.iter().any(|queued| queued.command.flags.has(Flags::DENYOOM))
        }
        (Some(_), "discard" | "quit" | "reset") => false,
        (Some(_), _) => true,
        (None, _) => command.flags.has(Flags::DENYOOM),
    }
}

#[cfg(test)]
mod tests;
