//! The way of every command: found, checked, queued or executed; then those are served who waited
//! for what it did.
//!
//! The order of the checks is Redis' (`processCommand` in `server.c`), because it decides which of
//! two errors a client sees, and whether a transaction is spoilt by it.

use super::blocked::serve_ready_keys;
use super::catalogue::spec::Flags;
use super::getkeys::for_each_key;
use super::messages::write_pending;
use super::session::{Replies, Session};
use super::transactions::{queue, refused};
use super::{Call, Command, Mode, catalogue, handlers, shown};
use crate::commands::cache::Cache;
use crate::commands::stats::Counters;
use crate::conf::{Settings, Snapshot};
use crate::engine::counter::add;
use crate::engine::error::{Answer, Error};
use crate::engine::eviction::{OutOfMemory, evict_until_below_limit};
use crate::engine::keyspace::Keyspace;
use crate::engine::timestamp::Timestamp;
use crate::wire::reply::Reply;
use crate::wire::request::Args;
use std::cell::Cell;
use std::sync::atomic::Ordering;

/// Of the quick commands the first so many are timed each; then one in so many, which counts for
/// all of them.
const TIMED_ONE_IN: u64 = 256;
/// A slow log that starts below this many microseconds wants every command timed.
const TIME_ALL_BELOW_US: i64 = 1000;

/// Executes one core's commands, batch by batch.
pub struct Executor<'c> {
    /// The keyspace, and the locks held.
    pub keyspace: Keyspace<'c>,
    /// The whole server.
    pub cache: &'c Cache,
    /// The counters of this core.
    pub counters: &'c Counters,
    /// The hash of the next request's argument 1, if [`Keyspace::prefetch`] has computed it.
    pub key_hash: Option<u64>,
    /// The parameters of this batch.
    pub settings: &'c Settings,
    /// Nanoseconds from some start; handed in, so that nothing in here reads a clock.
    clock: fn() -> u64,
    /// The shard that was last asked to evict.
    evicting: usize,
}

impl<'c> Executor<'c> {
    /// An executor for one batch, counting into the figures of one core.
    pub fn new(
        cache: &'c Cache,
        counters: &'c Counters,
        config: &'c Snapshot,
        now: Timestamp,
        clock: fn() -> u64,
    ) -> Executor<'c> {
        let keyspace = Keyspace::new(cache.parts(counters, &config.tuning), now);
        let settings = &config.settings;
        Executor { keyspace, cache, counters, key_hash: None, settings, clock, evicting: 0 }
    }

    /// Executes one request and appends its reply, or takes note that it waits.
    pub fn execute(&mut self, session: &mut Session, args: Args, out: &mut Reply) {
        let before = out.mark();
        let replies = session.replies;
        out.protocol = session.protocol;
        if let Err(error) = self.admit(session, args, out) {
            self.report(&error, out);
        }
        if !self.keyspace.ready_keys.is_empty() {
            serve_ready_keys(self);
            self.keyspace.invalidate(session.client.id);
        }
        match (replies, session.replies) {
            (Replies::SkipNext, Replies::SkipNext) => {
                session.replies = Replies::On;
                out.rewind(before);
            }
            (Replies::Off, Replies::Off) => out.rewind(before),
            _ => {}
        }
        // Messages are no replies: they go out even where replies are not wanted.
        if session.tracking.is_some() {
            follow(session, args, out);
        } else if !session.subscriptions.is_empty() || replies != Replies::On {
            write_pending(session, out);
        }
    }

    /// Until when a pause keeps this command waiting.
    pub fn held_up(&self, session: &Session, args: Args) -> Option<i64> {
        let pause = &self.cache.registry.pause;
        pause.holds(self.keyspace.now.ms, true)?;
        // What would be refused need not wait.
        let command = find(args).ok().filter(|_| session.trusted)?;
        let changes = |command: &Command| {
            command.flags.has(Flags::WRITE) || matches!(command.name, "publish" | "spublish")
        };
        let writes = match &session.transaction {
            Some(open) if command.name == "exec" => {
                open.commands.iter().any(|queued| changes(queued.command))
            }
            _ => changes(command),
        };
        pause.holds(self.keyspace.now.ms, writes)
    }

    /// Counts an error reply under its code.
    pub fn count_error(&self, code: &str) {
        self.cache.stats.totals.count_error(code);
    }

    /// Counts an error, and replies with it.
    #[cold]
    pub(super) fn report(&self, error: &Error, out: &mut Reply) {
        self.count_error(error.0.split(' ').next().unwrap_or("ERR"));
        out.error(&error.0);
    }

    /// Finds the command and checks what can be checked without executing it. An error here spoils
    /// an open transaction.
    fn admit(&mut self, session: &mut Session, args: Args, out: &mut Reply) -> Answer {
        let command = match find(args).and_then(|command| self.permit(session, command)) {
            Ok(command) => command,
            // A browser was made to send its form here: not one line of it is to be executed.
            Err(_) if speaks_http(args) => {
                session.closing = true;
                return Ok(());
            }
            Err(error) => {
                self.count_rejected(args);
                return Err(refused(&mut self.keyspace, session, args, error));
            }
        };
        if session.tracking.is_some() {
            self.precede(session, out);
        }
        if session.transaction.is_some() {
            match command.name {
                "exec" => return self.exec(session, command, args, out),
                _ if command.flags.has(Flags::RUNS_IN_MULTI) => {}
                _ => return queue(session, command, args, out),
            }
        }
        let mut key_hash = self.key_hash.take();
        self.lock_for(command, args, &mut key_hash);
        self.call(session, command, args, out, Mode::Direct, key_hash)
    }

    /// Counts a command that is refused before it runs, if there is such a command.
    fn count_rejected(&self, args: Args) {
        let Some(command) = catalogue::find(args.at(0)) else { return };
        let command = args.get(1).and_then(|name| command.subcommand(name)).unwrap_or(command);
        add(&self.counters.of(command.id()).rejected, 1);
    }

    fn permit(
        &mut self,
        session: &mut Session,
        command: &'static Command,
    ) -> Result<&'static Command, Error> {
        if !session.trusted && !command.flags.has(Flags::NO_AUTH) {
            return Err(Error::NO_AUTH);
        }
        if session.transaction.is_some() && command.flags.has(Flags::NO_MULTI) {
            return Err(Error::new("ERR Command not allowed inside a transaction"));
        }
        let short = self.cache.shards.is_full()
            || (self.keyspace.parts.tuning.maxmemory > 0 && self.evict_if_needed().is_err());
        if short && needs_memory(session, command) {
            return Err(Error::OUT_OF_MEMORY);
        }
        if session.only_listens() && !command.flags.has(Flags::WHILE_LISTENING) {
            return Err(Error::text(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
                 RESET are allowed in this context",
                command.name
            )));
        }
        Ok(command)
    }

    /// Executes a command whose shards are locked.
    pub fn call(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        args: Args,
        out: &mut Reply,
        mode: Mode,
        key_hash: Option<u64>,
    ) -> Answer {
        self.observed(session, command, args, |executor, session| {
            let (keyspace, settings) = (&mut executor.keyspace, executor.settings);
            keyspace.db = session.db;
            let (ready_key, parked) = (None, false);
            handlers::of(command)(&mut Call {
                args,
                command,
                session,
                keyspace,
                cache: executor.cache,
                counters: executor.counters,
                settings,
                key_hash: Cell::new(key_hash),
                out,
                mode,
                ready_key,
                parked,
            })
        })
    }

    /// Tells others what a command has changed, and remembers what it has read; in this order,
    /// because the key it read may have been found dead.
    #[cold]
    fn track(&mut self, session: &Session, command: &Command, args: Args) {
        let id = session.client.id;
        self.keyspace.invalidate(id);
        let remembers = session.tracking.is_some_and(|wanted| wanted.remembers(session.caching));
        if remembers && command.flags.has(Flags::READONLY) {
            let mut keys = Vec::new();
            for_each_key(command, args, |index| keys.push(args.at(index)));
            self.cache.registry.tracking.remember(id, &keys);
        }
    }

    /// Lets a client that tracks hear what others did before the reply to its command, and what had
    /// to go to make room for it. Where it wants no replies, there is none to be in front of.
    #[cold]
    fn precede(&mut self, session: &Session, out: &mut Reply) {
        self.cache.registry.tracking.limit(self.settings.tracking_table_max_keys);
        if session.replies == Replies::On {
            write_pending(session, out);
        }
    }

    /// Runs a command, which `run` does, and keeps the books: counts and times it, shows it to
    /// those who look.
    pub(super) fn observed(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        args: Args,
        run: impl FnOnce(&mut Self, &mut Session) -> Answer,
    ) -> Answer {
        let seen = &session.client.figures;
        seen.active_ms.store(self.keyspace.now.ms, Ordering::Relaxed);
        seen.last_command.store(command.id() as u32 + 1, Ordering::Relaxed);
        let figures = self.counters.of(command.id());
        let calls = add(&figures.calls, 1);
        let every = calls < TIMED_ONE_IN || command.may_be_slow() || self.times_all();
        let timed = every || calls.is_multiple_of(TIMED_ONE_IN);
        let start = if timed { (self.clock)() } else { 0 };
        let answer = run(self, session);
        if self.keyspace.changes.is_some() || session.tracking.is_some() {
            self.track(session, command, args);
        }
        if timed {
            let took_ns = (self.clock)().saturating_sub(start);
            add(&figures.took_ns, took_ns * if every { 1 } else { TIMED_ONE_IN });
            self.note_latency(command, took_ns);
            let slow_us = self.slow_from_us(session);
            if slow_us >= 0 && took_ns / 1000 >= slow_us as u64 {
                self.note_slow(session, command, args, took_ns / 1000);
            }
        }
        let monitors = &self.cache.registry.monitors;
        if monitors.any() && !command.flags.has(Flags::ADMIN) {
            monitors.show(self.keyspace.now, session.db, &session.client, args);
        }
        if answer.is_err() {
            add(&figures.failed, 1);
        }
        answer
    }

    /// From how many microseconds on a command is slow. The `CONFIG SET` that changes the number is
    /// held against the new one already, which the rules of its batch do not know.
    fn slow_from_us(&self, session: &Session) -> i64 {
        match session.ends_batch {
            true => self.cache.config.snapshot().settings.slowlog_log_slower_than,
            false => self.settings.slowlog_log_slower_than,
        }
    }

    /// Whether somebody wants to know of every slow command, so that each has to be timed.
    fn times_all(&self) -> bool {
        let settings = &self.settings;
        (0..TIME_ALL_BELOW_US).contains(&settings.slowlog_log_slower_than)
            || settings.latency_monitor_threshold > 0
    }

    /// Counts how long a command took, and makes a note of it where that was long.
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
            let now = self.keyspace.now;
            let most = self.settings.slowlog_max_len as usize;
            self.cache.stats.slow_log.note(session, args, now, took_us, most);
        }
    }

    /// Locks the shards of a command's keys. The hash of argument 1 is used if there is one, and
    /// left for the handler otherwise, so that no command hashes its first key twice.
    pub fn lock_for(&mut self, command: &Command, args: Args, key_hash: &mut Option<u64>) {
        if command.flags.has(Flags::ALL_KEYS) {
            self.keyspace.lock_all();
        } else if self.cache.shards.len() == 1 {
            self.keyspace.lock(1);
        } else {
            let wanted = self.shards_for(command, args, key_hash);
            self.keyspace.lock(wanted);
        }
    }

    /// The set of shards of a command's keys.
    pub fn shards_for(&self, command: &Command, args: Args, key_hash: &mut Option<u64>) -> u64 {
        let shards = &self.cache.shards;
        if command.flags.has(Flags::ALL_KEYS) || shards.len() == 1 {
            return u64::MAX >> (64 - shards.len());
        }
        let mut set = 0;
        for_each_key(command, args, |index| {
            let bytes = args.at(index);
            let key = match (index, *key_hash) {
                (1, Some(hash)) => shards.key_with_hash(bytes, hash),
                _ => shards.key(bytes),
            };
            if index == 1 {
                *key_hash = Some(key.hash);
            }
            set |= 1 << key.shard;
        });
        set
    }

    /// Evicts keys if more than `maxmemory` is in use. The locks are released only if it is.
    #[inline(never)]
    fn evict_if_needed(&mut self) -> Result<(), OutOfMemory> {
        let parts = self.keyspace.parts;
        if parts.shards.used_memory() as u64 <= parts.tuning.maxmemory {
            return Ok(());
        }
        self.keyspace.release();
        let (shards, tuning, now) = (parts.shards, parts.tuning, self.keyspace.now);
        evict_until_below_limit(shards, tuning, now, &mut self.evicting, |evicted| {
            parts.publish_eviction(evicted);
        })
    }
}

/// Lets a client that tracks hear what its command has changed. `CLIENT CACHING` was for this
/// command, unless it is about the client again or only one of a transaction.
#[cold]
fn follow(session: &mut Session, args: Args, out: &mut Reply) {
    write_pending(session, out);
    let about_client = args.at(0).eq_ignore_ascii_case(b"client");
    session.caching &= about_client || session.transaction.is_some();
}

fn find(args: Args) -> Result<&'static Command, Error> {
    let Some(command) = catalogue::find(args.at(0)) else { return Err(unknown_command(args)) };
    let command = match (command.is_container(), args.get(1)) {
        (true, Some(name)) => match command.subcommand(name) {
            Some(subcommand) => subcommand,
            None => return Err(unknown_subcommand(command, name)),
        },
        _ => command,
    };
    if command.accepts(args.len()) { Ok(command) } else { Err(Error::arity(command.name)) }
}

#[cold]
fn speaks_http(args: Args) -> bool {
    [&b"post"[..], b"host:"].iter().any(|name| args.at(0).eq_ignore_ascii_case(name))
}

#[cold]
fn unknown_command(args: Args) -> Error {
    const SHOWN: usize = 128;
    let mut beginning = String::new();
    for argument in args.from(1).iter() {
        let room = SHOWN.saturating_sub(beginning.chars().count());
        if room == 0 {
            break;
        }
        beginning += &format!("'{}' ", shown(argument, room));
    }
    Error::text(format!(
        "ERR unknown command '{}', with args beginning with: {beginning}",
        shown(args.at(0), SHOWN)
    ))
}

#[cold]
fn unknown_subcommand(command: &Command, name: &[u8]) -> Error {
    Error::text(format!(
        "ERR unknown subcommand '{}'. Try {} HELP.",
        shown(name, 128),
        command.name.to_uppercase()
    ))
}

/// Whether a command is refused when memory is short. Queuing takes memory too, whatever the
/// command.
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
mod tests {
    use crate::commands::testing::Fixture;
    use crate::engine::hashing::tests::KEYS_HASHED;

    /// How many keys a command hashes.
    fn hashes(fixture: &mut Fixture, line: &str) -> usize {
        let before = KEYS_HASHED.get();
        fixture.run(line);
        KEYS_HASHED.get() - before
    }

    #[test]
    fn a_command_hashes_each_of_its_keys_once() {
        for shards in [1, 16] {
            let mut fixture = Fixture::sharded(shards, &[]);
            let long = "x".repeat(100);
            for line in [
                "SET k v",
                "GET k",
                "GET missing",
                // The next four move the entry: to a slot with a deadline, of another size, to the
                // heap and back.
                "SET k v EX 100",
                "PERSIST k",
                &format!("SET k {long}"),
                "SET k 1 XX GET",
                "INCR k",
                "GETSET k v",
                "APPEND k w",
                "EXPIRE k 100",
                "GETDEL k",
                "LPUSH list a b c",
                "LPOP list 3",
                "HSET hash field value",
                "ZADD zset 1 member",
                "DEL zset",
            ] {
                assert_eq!(hashes(&mut fixture, line), 1, "{line}, {shards} shards");
            }

            fixture.run("MULTI");
            fixture.run("SET a 1");
            fixture.run("SET b 2 EX 100");
            assert_eq!(hashes(&mut fixture, "EXEC"), 2, "{shards} shards");
        }
    }

    #[test]
    fn on_one_shard_a_command_hashes_several_keys_once_each() {
        let mut fixture = Fixture::sharded(1, &[]);
        for line in ["MSET a 1 b 2 c 3", "MGET a b c", "DEL a b c"] {
            assert_eq!(hashes(&mut fixture, line), 3, "{line}");
        }
        fixture.run("MULTI");
        fixture.run("MSET a 1 b 2 c 3");
        assert_eq!(hashes(&mut fixture, "EXEC"), 3);
    }
}
