//! A server without sockets, for tests of commands.
//!
//! A test is a conversation, written as `redis-cli` would show it. What follows a command must be
//! its reply, to the letter:
//!
//! ```text
//! Fixture::new().check(r#"
//!     > SET k v
//!     OK
//!     a> SUBSCRIBE news               another client, named a
//!     1) "subscribe"
//!     2) "news"
//!     3) (integer) 1
//!     > PUBLISH news hi
//!     (integer) 1
//!     a< 1) "message"                 what a's mailbox got meanwhile
//!     2) "news"
//!     3) "hi"
//! "#);
//! ```
//!
//! The counterpart in Redis is `tests/support/test.tcl`, which needs a running server.

use super::{execute::Executor, messages, run::run};
use crate::commands::{cache::Cache, session::Session, stats::Identity};
use crate::conf::Config;
use crate::engine::{
    keyspace::Keyspace, mailbox::Message, object::Value, pubsub::Scope, timestamp::Timestamp,
};
use crate::format;
use crate::raw::Counting;
use crate::wire::print::{Style, print};
use crate::wire::request::{Args, OwnedArgs, Parser};
use crate::wire::{frame::Frame, reply::Reply};
use std::task::{Context, Poll, Waker};
use std::{collections::BTreeMap, sync::Arc, sync::atomic::AtomicUsize};

/// Tests of `maxmemory` need to know what is allocated.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// More than one, so that a key which a command does not declare is in a shard that is not locked.
const SHARDS: usize = 16;

/// A cache and its clients.
pub struct Fixture {
    pub cache: Cache,
    /// What time it is; only tests change it.
    pub now: Timestamp,
    pub sessions: BTreeMap<String, Session>,
}

impl Fixture {
    pub fn new() -> Fixture {
        Fixture::with(&[])
    }

    /// An empty cache with these parameters changed.
    pub fn with(parameters: &[(&str, &str)]) -> Fixture {
        Fixture::sharded(SHARDS, parameters)
    }

    /// An empty cache with this many shards, with these parameters changed.
    pub fn sharded(shards: usize, parameters: &[(&str, &str)]) -> Fixture {
        let mut config = Config::default();
        for (name, text) in parameters {
            let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
            config.put(name, &words).expect("tests name parameters that exist");
        }
        let identity = Identity {
            run_id: "0".repeat(40),
            started_ms: 0,
            port: AtomicUsize::new(0),
            config_file: String::new(),
        };
        Fixture {
            cache: Cache::new(1, shards, config, identity),
            now: Timestamp { ms: 1_700_000_000_000, us: 0 },
            sessions: BTreeMap::new(),
        }
    }

    /// Executes a line; returns the reply as `redis-cli` shows it.
    pub fn run(&mut self, line: &str) -> String {
        self.run_as("", line)
    }

    /// Executes a line for the client of this name, which connects at its first line.
    pub fn run_as(&mut self, client: &str, line: &str) -> String {
        let words = format::words::split(line.as_bytes()).expect("quotes are closed");
        let args: OwnedArgs = words.iter().collect();
        show(&self.run_raw(client, args.as_args()))
    }

    /// Executes a command; returns the bytes of the reply.
    pub fn run_raw(&mut self, client: &str, args: Args) -> Vec<u8> {
        self.session(client);
        let session = self.sessions.get_mut(client).expect("was made just now");
        let config = self.cache.config.snapshot();
        let counters = &self.cache.stats.counters[0];
        let mut executor = Executor::new(&self.cache, counters, &config, self.now, || 0);
        let mut out = Reply::new(session.protocol);
        executor.execute(session, args, &mut out);
        std::mem::take(out.buffer())
    }

    /// Executes what a client sends, read in pieces of this size. Returns the replies.
    pub fn converse(&mut self, client: &str, bytes: &[u8], piece_bytes: usize) -> Vec<u8> {
        self.session(client);
        let session = self.sessions.get_mut(client).expect("was made just now");
        let (mut parser, mut pending, mut replies) = (Parser::default(), vec![], vec![]);
        for piece in bytes.chunks(piece_bytes) {
            pending.extend_from_slice(piece);
            let config = self.cache.config.snapshot();
            let counters = &self.cache.stats.counters[0];
            let mut executor = Executor::new(&self.cache, counters, &config, self.now, || 0);
            let mut out = Reply::new(session.protocol);
            let done = run(&mut executor, session, &mut parser, &pending, &mut out);
            pending.drain(..done);
            replies.append(out.buffer());
        }
        replies
    }

    /// What `OBJECT ENCODING` would say of a key of the first database.
    pub fn encoding(&self, key: &str) -> Option<&'static str> {
        let config = self.cache.config.snapshot();
        let parts = self.cache.parts(&self.cache.stats.counters[0], &config.tuning);
        let mut keyspace = Keyspace::new(parts, self.now);
        keyspace.lock_all();
        keyspace.peek(keyspace.key(key.as_bytes())).map(Value::encoding)
    }

    /// Executes a line; returns the keyspace events it caused, as in `lpop key, del key`. Needs
    /// `notify-keyspace-events`.
    pub fn events(&mut self, line: &str) -> String {
        let listener = Arc::clone(&self.session("listener").client);
        self.cache.registry.pubsub.lock().subscribe(Scope::Pattern, b"__keyevent@*", &listener);
        self.run(line);
        let letters = listener.mailbox.poll_collect(&Context::from_waker(Waker::noop()));
        let Poll::Ready(messages) = letters else { return String::new() };
        let events = messages.iter().map(|message| {
            let Message::Published { channel, payload, .. } = message else {
                panic!("not published: {message:?}")
            };
            let channel = String::from_utf8_lossy(channel);
            let key = String::from_utf8_lossy(payload);
            format!("{} {key}", channel.trim_start_matches("__keyevent@0__:"))
        });
        events.collect::<Vec<_>>().join(", ")
    }

    /// The session of a client, which connects when it is first named.
    pub fn session(&mut self, client: &str) -> &mut Session {
        let (clients, now_ms) = (&self.cache.registry.clients, self.now.ms);
        self.sessions.entry(client.into()).or_insert_with(|| {
            Session::new(clients.enter("127.0.0.1:5".into(), "127.0.0.1:6".into(), now_ms), true)
        })
    }

    /// Executes the commands of a conversation and compares the whole of it; see the head of the
    /// file. Lines are compared without the blanks around them; a backslash at the end of one joins
    /// the next to it.
    #[track_caller]
    pub fn check(&mut self, conversation: &str) {
        let joined: String = conversation.split("\\\n").map(str::trim_start).collect();
        let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty());
        let expected: Vec<&str> = lines.collect();
        let mut actual = Vec::new();
        for line in &expected {
            if let Some((client, command)) = spoken(line) {
                actual.push(line.to_string());
                actual.extend(self.run_as(client, command).lines().map(|it| it.trim().to_string()));
                actual.extend(self.letters());
            }
        }
        assert_eq!(actual.join("\n"), expected.join("\n"));
    }

    /// What the mailboxes hold, as lines.
    fn letters(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let context = Context::from_waker(Waker::noop());
        for (name, session) in &mut self.sessions {
            let mailbox = &session.client.mailbox;
            let Poll::Ready(letters) = mailbox.poll_collect(&context) else { continue };
            for letter in letters {
                let text = match letter {
                    Message::Close => "leave".to_string(),
                    Message::Unblocked(reply) => {
                        session.waiting = None;
                        show(&reply)
                    }
                    push => {
                        let mut out = Reply::default();
                        messages::write(&push, session, &mut out);
                        show(out.bytes())
                    }
                };
                lines.extend(format!("{name}< {text}").lines().map(|line| line.trim().to_string()));
            }
        }
        lines
    }
}

/// The client and the command of a line such as `> GET k` or `a> GET k`.
fn spoken(line: &str) -> Option<(&str, &str)> {
    let (client, command) = line.split_once("> ")?;
    client.bytes().all(|byte| byte.is_ascii_lowercase()).then_some((client, command))
}

/// The arguments, for [`Fixture::run_raw`].
pub fn words(words: &[&[u8]]) -> OwnedArgs {
    words.iter().collect()
}

/// Replies as `redis-cli` shows them; `(waits)` for a command that has not replied.
pub fn show(mut replies: &[u8]) -> String {
    if replies.is_empty() {
        return "(waits)".to_string();
    }
    let mut text = Vec::new();
    while !replies.is_empty() {
        let (reply, rest) = Frame::split_first(replies).expect("replies are well formed");
        text.extend(print(&reply, Style::Standard));
        replies = rest;
    }
    text.pop();
    String::from_utf8_lossy(&text).into_owned()
}
