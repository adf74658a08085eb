//! Golden scripts of eviction: a store fills to `maxmemory`, and the script shows which keys go.
//!
//! Commands run through the engine as a connection would run them. Some lines are not commands:
//!
//! ```text
//! room 60               sets maxmemory so that 60 keys fit
//! wait 90 s             90 seconds pass; also `d` for days
//! each 1..30 SET k:# %  the command once for every number: # is the number, % a 1,000-byte value
//! count 1..30 SET k:# % the same, but the evicted keys are only counted, by their prefix
//! pool                  the eviction pool, the coldest last, with the idle time of each candidate
//! ```
//!
//! Under a reply stand the keys that were evicted, in order, as a subscriber to the keyspace event
//! `evicted` receives them. Everything random is seeded, so a script always shows the same.
//!
//! The allocator counts what the whole process uses, so these scripts have a process to themselves:
//! one test in one file. The count varies by some bytes from run to run, so the limit is set anew
//! before every command, a few hundred bytes from the count.
#![cfg(feature = "server")]

use minicache::commands::Executor;
use minicache::commands::Identity;
use minicache::commands::cache::Cache;
use minicache::commands::session::Session;
use minicache::conf::Config;
use minicache::engine::Client;
use minicache::engine::Scope;
use minicache::engine::hashing;
use minicache::engine::mailbox::Message;
use minicache::engine::timestamp::Timestamp;
use minicache::format::words::split;
use minicache::raw::Counting;
use minicache::wire::frame::Frame;
use minicache::wire::print::{Style, print};
use minicache::wire::reply::Reply;
use minicache::wire::request::OwnedArgs;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of the values that scripts write as `%`.
const VALUE: usize = 1000;
/// Bytes of the slots that hold such a value and its key.
const SLOT: i64 = 1024;
/// Parameters of every script: the events that name evicted keys, and no other random choice.
const PARAMETERS: [(&str, &[u8]); 2] = [("databases", b"1"), ("notify-keyspace-events", b"Ee")];

#[test]
fn evicted() {
    assert!(hashing::fix(), "no key was hashed before");
    let directory = format!("{}/tests/golden/eviction", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(directory, |_| {
        let mut store = Store::new();
        move |line: &str| store.answer(line)
    });
}

/// A cache of one shard, a client, and a subscriber to evictions.
struct Store {
    cache: Cache,
    now: Timestamp,
    session: Session,
    subscriber: Arc<Client>,
    /// The number of keys for which there is memory.
    room: Option<i64>,
    /// The keys that the last line evicted.
    evicted: Vec<String>,
}

impl Store {
    fn new() -> Store {
        let mut config = Config::default();
        for (name, value) in PARAMETERS {
            config.put(name, &[value]).expect("the parameter exists");
        }
        let identity = Identity {
            run_id: String::new(),
            started_ms: 0,
            port: AtomicUsize::new(0),
            config_file: String::new(),
        };
        let cache = Cache::new(1, 1, config, identity);
        let subscriber = cache.registry.clients.enter(String::new(), String::new(), 0);
        cache.registry.pubsub.lock().subscribe(
            Scope::Channel,
            b"__keyevent@0__:evicted",
            &subscriber,
        );
        let session =
            Session::new(cache.registry.clients.enter(String::new(), String::new(), 0), true);
        Store {
            cache,
            now: Timestamp { ms: 1_700_000_000_000, us: 0 },
            session,
            subscriber,
            room: None,
            evicted: Vec::new(),
        }
    }

    fn answer(&mut self, line: &str) -> String {
        self.evicted.clear();
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["room", keys] => {
                self.room = Some(keys.parse().expect("a number of keys"));
                String::new()
            }
            ["wait", time, unit] => {
                let days = if unit == "d" { 86_400 } else { 1 };
                self.now.ms += time.parse::<i64>().expect("a number") * days * 1000;
                String::new()
            }
            ["each" | "count", range, ..] => {
                let (first, last) = range.split_once("..").expect("a range");
                let first: u32 = first.parse().expect("a number");
                let command = words[2..].join(" ");
                let numbers = first..=last.parse().expect("a number");
                let replies = numbers.map(|n| self.run(&command.replace('#', &n.to_string())));
                counted(&replies.collect::<Vec<_>>())
            }
            ["pool"] => self.pool(),
            _ => self.run(line),
        };
        if words[0] == "count" {
            let prefix = |key: &String| key.split(':').next().unwrap_or_default().to_string();
            let prefixes: Vec<String> = self.evicted.iter().map(prefix).collect();
            self.evicted.clear();
            let evicted = counted(&prefixes).lines().map(|it| format!("evicted {it}\n")).collect();
            return [answer, evicted].concat().trim_end().to_string();
        }
        let evicted = self.evicted.chunks(8).map(|keys| format!("evicted {}", keys.join(" ")));
        let lines = answer.lines().map(str::to_string).chain(evicted);
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Executes one command and returns its reply.
    fn run(&mut self, line: &str) -> String {
        let words = split(line.as_bytes()).expect("quotes are closed");
        let value = vec![b'v'; VALUE];
        let words = words.iter().map(|word| if word == b"%" { &value } else { word });
        let args: OwnedArgs = words.collect();
        let mut out = Reply::new(self.session.protocol);
        if let Some(keys) = self.room {
            self.set_limit(keys);
        }

        let config = self.cache.config.snapshot();
        let counters = &self.cache.stats.counters[0];
        let mut executor = Executor::new(&self.cache, counters, &config, self.now, || 0);
        executor.execute(&mut self.session, args.as_args(), &mut out);
        drop(executor);
        self.collect_events();

        let (reply, _) = Frame::split_first(out.bytes()).expect("a whole reply");
        let style = if line == "CACHE ADVISE" { Style::Raw } else { Style::Standard };
        let text = String::from_utf8(print(&reply, style)).expect("scripts hold text");
        text.trim_end().to_string()
    }

    /// Sets `maxmemory` so that it is exceeded if there are more keys than `keys`. Three quarters
    /// of a slot are left for what the first eviction allocates, its pool.
    fn set_limit(&self, keys: i64) {
        let too_many = self.cache.shards.lock(0).shard.len(0) as i64 - keys;
        let limit = self.cache.shards.used_memory() as i64 - too_many * SLOT + SLOT * 3 / 4;
        self.cache.config.change(|config| {
            config.put("maxmemory", &[limit.to_string().as_bytes()]).expect("a number");
        });
    }

    /// Appends the keys of the events that the subscriber received.
    fn collect_events(&mut self) {
        let context = Context::from_waker(Waker::noop());
        let Poll::Ready(messages) = self.subscriber.mailbox.poll_collect(&context) else { return };
        for message in &messages {
            let Message::Published { payload, .. } = message else {
                panic!("not published: {message:?}")
            };
            self.evicted.push(String::from_utf8_lossy(payload).into_owned());
        }
    }

    fn pool(&self) -> String {
        let cell = self.cache.shards.lock(0);
        let rows = cell.shard.pool.candidates().iter().map(|candidate| {
            format!("{} idle {} s\n", candidate.key.escape_ascii(), candidate.coldness / 1000)
        });
        rows.collect()
    }
}

/// Each different reply on a line, with its number, in the order in which they came.
fn counted(replies: &[String]) -> String {
    let mut counts: Vec<(&String, usize)> = Vec::new();
    for reply in replies {
        match counts.iter_mut().find(|(known, _)| *known == reply) {
            Some((_, count)) => *count += 1,
            None => counts.push((reply, 1)),
        }
    }
    counts.iter().map(|(reply, count)| format!("{reply} ({count} times)\n")).collect()
}
