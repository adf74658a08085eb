//! Scripts: whatever a script does, it ends, its reply is whole, and others are served.
//!
//! An input whose first byte is below 0x80 is the text of a script. Any other input chooses the
//! productions of a [`grammar`], whose texts get past Lua's compiler:
//!
//! ```text
//! "return 1"        the script return 1
//! 80 03 11 …        the script local a=redis.call('set','a',1e308) while true do …
//! ```
//!
//! The same script runs by `EVAL` in RESP2 and by `EVALSHA` in RESP3. While it is paused, another
//! client gets `BUSY`; after a few pauses it is killed. Counterpart: `tests/unit/scripting.tcl`.

mod grammar;
mod value;

use crate::commands::host::Host;
use minicache::commands::Executor;
use minicache::commands::run::run;
use minicache::commands::scripts::resume;
use minicache::commands::session::Session;
use minicache::conf::Snapshot;
use minicache::raw;
use minicache::wire::reply::{Protocol, Reply};
use minicache::wire::request::{Parser, encode};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that a script may leave: its reply, its garbage, and its keys, which have a limit of their
/// own. `-rss_limit_mb` and `-malloc_limit_mb` of libFuzzer bound what it takes meanwhile.
const TAKEN_MAX: usize = 320 << 20;
/// What may be left after its keys and the cache of scripts: an interpreter.
const LEFT_MAX: usize = 32 << 20;
/// In milliseconds, and for the keys.
const LIMITS: [(&[u8], &[u8]); 2] = [(b"busy-reply-threshold", b"1"), (b"maxmemory", b"256mb")];
/// A script is killed after this many pauses.
const PAUSES_MAX: usize = 2;

/// The names of all commands.
static COMMANDS: OnceLock<Vec<String>> = OnceLock::new();

/// A client without a socket, of which a reply is expected to each request.
struct Client {
    session: Session,
}

/// The body of the fuzz target `scripts`.
pub fn check(input: &[u8]) {
    let host = Host::new();
    let mut clients: [Client; 3] = std::array::from_fn(|_| Client::new(&host));
    let [old, new, other] = &mut clients;
    let commands = COMMANDS.get_or_init(|| names(&old.ask(&host, &[b"COMMAND", b"LIST"])));
    new.ask(&host, &[b"HELLO", b"3"]);
    for (name, limit) in LIMITS {
        other.ask(&host, &[b"CONFIG", b"SET", name, limit]);
    }
    let script = match input.first() {
        Some(0x80..) => grammar::script(&input[1..], commands),
        _ => input.to_vec(),
    };

    let before = raw::allocated();
    old.eval(&host, &[b"EVAL", &script, b"2", b"a", b"b", b"1", b"x\0y"], other);
    let sha = minicache_lua::sha1_hex(&script);
    new.eval(&host, &[b"EVALSHA", sha.as_bytes(), b"1", b"a"], other);
    assert!(raw::allocated().saturating_sub(before) < TAKEN_MAX, "a script took too much");

    for request in [&[b"FLUSHALL", &b"SYNC"[..]], &[b"SCRIPT", b"FLUSH"]] {
        assert_eq!(other.ask(&host, request), b"+OK\r\n");
    }
    assert_eq!(other.ask(&host, &[b"EVAL", b"return KEYS[1]", b"1", b"k"]), b"$1\r\nk\r\n");
    clients.into_iter().for_each(|client| client.disconnect(&host));
    host.check_whole();
    host.check_empty();
    assert!(raw::allocated().saturating_sub(before) < LEFT_MAX, "memory is left");
}

/// The texts of a list of bulk strings.
fn names(list: &[u8]) -> Vec<String> {
    let lines = list.split(|byte| *byte == b'\n').map(|line| line.trim_ascii());
    let texts = lines.filter(|line| line.first().is_some_and(u8::is_ascii_alphabetic));
    texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

impl Client {
    fn new(host: &Host) -> Client {
        let client = host.cache.registry.clients.enter(String::new(), String::new(), host.now.ms);
        Client { session: Session::new(client, true) }
    }

    /// Sends a request. Returns its reply, which is empty if it is a script that has paused.
    fn ask(&mut self, host: &Host, request: &[&[u8]]) -> Vec<u8> {
        let (config, input) = (host.config(), encode(request));
        let mut out = Reply::new(self.session.protocol);
        let mut executor = executor(host, &config);
        run(&mut executor, &mut self.session, &mut Parser::default(), &input, &mut out);
        drop(executor);
        self.checked(out)
    }

    /// Runs a script to its end, while `other` is told that the server is busy.
    fn eval(&mut self, host: &Host, request: &[&[u8]], other: &mut Client) {
        self.ask(host, request);
        let mut pauses = 0;
        while self.session.script_paused {
            assert!(other.ask(host, &[b"GET", b"a"]).starts_with(b"-BUSY"));
            other.ask(host, &[b"SCRIPT", b"KILL"]);
            pauses += 1;

            // One that has written cannot be killed by a client.
            let scripts = &host.cache.scripts;
            scripts.killed.store(pauses >= PAUSES_MAX, Ordering::Relaxed);
            assert!(pauses <= PAUSES_MAX, "a killed script goes on");
            let (config, mut out) = (host.config(), Reply::new(self.session.protocol));
            let mut executor = executor(host, &config);
            resume(&mut executor, &mut self.session, &mut out);
            executor.keyspace.release();
            drop(executor);
            self.checked(out);
        }
        assert_eq!(other.ask(host, &[b"ECHO", b"served"]), b"$6\r\nserved\r\n");
    }

    /// Checks that there is one whole reply.
    fn checked(&self, mut out: Reply) -> Vec<u8> {
        let bytes = std::mem::take(out.buffer());
        if !self.session.script_paused {
            let resp3 = self.session.protocol == Protocol::Resp3;
            let shown = || bytes[..bytes.len().min(1000)].escape_ascii();
            value::whole(&bytes, resp3).unwrap_or_else(|why| panic!("{why} in {}", shown()));
        }
        bytes
    }

    fn disconnect(self, host: &Host) {
        host.cache.registry.clients.leave(self.session.client.id);
    }
}

fn executor<'h>(host: &'h Host, config: &'h Snapshot) -> Executor<'h> {
    Executor::new(&host.cache, &host.cache.stats.counters[0], config, host.now, clock)
}

/// A clock that advances by 100 microseconds per call. A script reads it every thousand
/// instructions, so an endless one pauses after 50,000.
fn clock() -> u64 {
    static NS: AtomicU64 = AtomicU64::new(0);
    NS.fetch_add(100_000, Ordering::Relaxed)
}
