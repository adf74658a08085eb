//! The base of every family file: one client over two transports, and checks of its replies.
//!
//! A behavior gets a `Client` and says what each command must answer. The type of the expected
//! value decides how the reply is decoded, so `f64` and `HashMap` go through the conversions
//! that users of this crate rely on:
//!
//! ```text
//! c.says("LPUSH l a b", 2);
//! c.says("LRANGE l 0 -1", ["b", "a"]);
//! c.refused("GET l", "WRONGTYPE");
//! ```

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Connection, FromRedisValue, Msg, Pipeline, RedisResult};
use tokio::runtime::Runtime;

/// A behavior of ../BEHAVIORS.md: its number and the function that checks it.
pub type Behavior = (u32, fn(&mut Client));

/// Runs every behavior on an empty server, prints failures, returns their count.
pub fn run(client: &mut Client, behaviors: &[Behavior]) -> usize {
    std::panic::set_hook(Box::new(|panic| println!("  {panic}")));
    let mut held = Vec::new();
    for (number, behavior) in behaviors {
        client.says("FLUSHALL", "OK");
        match catch_unwind(AssertUnwindSafe(|| behavior(client))) {
            Ok(()) => held.push(number.to_string()),
            Err(_) => println!("  FAIL {number}: as said above"),
        }
    }
    let (label, all) = (client.label(), behaviors.len());
    println!("  {label}: {} of {all} held: {}", held.len(), held.join(" "));
    behaviors.len() - held.len()
}

/// One connection, blocking or asynchronous, in the protocol version that its address names.
pub struct Client {
    url: Url,
    line: Line,
}

/// Where and how to connect.
#[derive(Clone)]
pub struct Url {
    pub address: String,
    pub protocol: i64,
    pub is_async: bool,
    pub database: i64,
    pub password: &'static str,
}

enum Line {
    Sync(Connection),
    Async(Runtime, MultiplexedConnection),
}

impl Client {
    pub fn connect(url: &Url) -> RedisResult<Client> {
        let client = url.open()?;
        let line = if url.is_async {
            let config =
                AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(20)));
            let runtime = runtime();
            let opening = client.get_multiplexed_async_connection_with_config(&config);
            let connection = runtime.block_on(opening)?;
            Line::Async(runtime, connection)
        } else {
            Line::Sync(client.get_connection()?)
        };
        Ok(Client { url: url.clone(), line })
    }

    /// A second client of the same server with a connection of its own.
    pub fn sibling(&self) -> Client {
        Client::connect(&self.url).expect("the server accepted a connection before")
    }

    /// Where this client is connected to.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Sends a command and decodes the reply, or passes on the server's error.
    pub fn attempt<T: FromRedisValue>(&mut self, command: impl Into<Command>) -> RedisResult<T> {
        let Command(command) = command.into();
        match &mut self.line {
            Line::Sync(connection) => command.query(connection),
            Line::Async(runtime, connection) => runtime.block_on(command.query_async(connection)),
        }
    }

    /// Sends a pipeline and decodes its replies.
    pub fn pipe<T: FromRedisValue>(&mut self, pipeline: &Pipeline) -> RedisResult<T> {
        match &mut self.line {
            Line::Sync(connection) => pipeline.query(connection),
            Line::Async(runtime, connection) => runtime.block_on(pipeline.query_async(connection)),
        }
    }

    /// Sends a command that must succeed.
    #[track_caller]
    pub fn ask<T: FromRedisValue>(&mut self, command: impl Into<Command>) -> T {
        self.attempt(command).unwrap_or_else(|error| panic!("refused: {error}"))
    }

    /// Expects exactly this answer.
    #[track_caller]
    pub fn says<W: Want>(&mut self, command: impl Into<Command>, want: W) {
        let got: W::Owned = self.ask(command);
        assert_eq!(got, want.owned());
    }

    /// Expects a number from `low` to `high`.
    #[track_caller]
    pub fn within(&mut self, command: impl Into<Command>, low: i64, high: i64) {
        let got: i64 = self.ask(command);
        assert!((low..=high).contains(&got), "got {got}, want {low} to {high}");
    }

    /// Expects an error that contains `text`.
    #[track_caller]
    pub fn refused(&mut self, command: impl Into<Command>, text: &str) {
        match self.attempt::<redis::Value>(command) {
            Ok(answer) => panic!("got {answer:?}, want the error {text}"),
            Err(error) => assert!(error.to_string().contains(text), "got {error}, want {text}"),
        }
    }

    /// Sends `blocking` on another connection, runs `serving` once it is blocked, expects `want`.
    #[track_caller]
    pub fn while_blocked<W: Want>(&mut self, blocking: &'static str, serving: &str, want: W)
    where
        W::Owned: Send + 'static,
    {
        let mut other = self.sibling();
        let waiter = thread::spawn(move || other.ask::<W::Owned>(blocking));
        eventually(|| self.ask::<String>("INFO clients").contains("blocked_clients:1\r"));
        self.ask::<redis::Value>(serving);
        assert_eq!(waiter.join().expect("the blocked client was refused"), want.owned());
    }

    /// Subscribes on another connection, runs `publishing`, returns `count` heard messages.
    pub fn heard(
        &mut self,
        channels: &'static [&str],
        patterns: &'static [&str],
        count: usize,
        publishing: impl FnOnce(&mut Client),
    ) -> Vec<(Option<String>, String, String)> {
        let url = self.url.clone();
        let (ready, is_ready) = mpsc::channel();
        let listener = thread::spawn(move || {
            let mut messages = Vec::new();
            let heard = |message: &Msg| {
                let pattern = message.get_pattern().expect("a name or nil");
                let payload = message.get_payload().expect("text");
                messages.push((pattern, message.get_channel_name().to_string(), payload));
            };
            let ready = || ready.send(()).expect("the publisher waits");
            if url.is_async {
                runtime().block_on(url.listen_async(channels, patterns, count, ready, heard))?;
            } else {
                url.listen(channels, patterns, count, ready, heard)?;
            }
            RedisResult::Ok(messages)
        });
        is_ready.recv().expect("the listener subscribed");
        publishing(self);
        listener.join().expect("no panic in the listener").expect("the listener was refused")
    }

    fn label(&self) -> String {
        let transport = if self.url.is_async { "async" } else { "sync" };
        format!("redis-rs {transport} RESP{}", self.url.protocol)
    }
}

impl Url {
    fn open(&self) -> RedisResult<redis::Client> {
        let Url { address, protocol, database, password, .. } = self;
        let user = if password.is_empty() { String::new() } else { format!(":{password}@") };
        redis::Client::open(format!("redis://{user}{address}/{database}?protocol=resp{protocol}"))
    }

    fn listen(
        &self,
        channels: &[&str],
        patterns: &[&str],
        count: usize,
        ready: impl FnOnce(),
        mut heard: impl FnMut(&Msg),
    ) -> RedisResult<()> {
        let mut connection = self.open()?.get_connection()?;
        let mut pubsub = connection.as_pubsub();
        channels.iter().try_for_each(|channel| pubsub.subscribe(*channel))?;
        patterns.iter().try_for_each(|pattern| pubsub.psubscribe(*pattern))?;
        ready();
        for _ in 0..count {
            heard(&pubsub.get_message()?);
        }
        channels.iter().try_for_each(|channel| pubsub.unsubscribe(*channel))
    }

    async fn listen_async(
        &self,
        channels: &[&str],
        patterns: &[&str],
        count: usize,
        ready: impl FnOnce(),
        mut heard: impl FnMut(&Msg),
    ) -> RedisResult<()> {
        let mut pubsub = self.open()?.get_async_pubsub().await?;
        for channel in channels {
            pubsub.subscribe(*channel).await?;
        }
        for pattern in patterns {
            pubsub.psubscribe(*pattern).await?;
        }
        ready();
        let mut messages = pubsub.on_message();
        for _ in 0..count {
            heard(&messages.next().await.expect("the connection stays open"));
        }
        Ok(())
    }
}

/// A command: either built with `redis::cmd`, or a line of words for those without odd bytes.
pub struct Command(Cmd);

impl From<&str> for Command {
    fn from(line: &str) -> Command {
        let mut words = line.split_whitespace();
        let mut command = redis::cmd(words.next().expect("a command has a name"));
        command.arg(words.collect::<Vec<_>>());
        Command(command)
    }
}

impl From<&mut Cmd> for Command {
    fn from(command: &mut Cmd) -> Command {
        Command(command.clone())
    }
}

/// An expected value, and the owned type that a reply is decoded into to be compared with it.
pub trait Want {
    type Owned: FromRedisValue + PartialEq + Debug;
    fn owned(self) -> Self::Owned;
}

impl Want for &str {
    type Owned = String;
    fn owned(self) -> String {
        self.to_string()
    }
}

impl<W: Want> Want for Option<W> {
    type Owned = Option<W::Owned>;
    fn owned(self) -> Self::Owned {
        self.map(W::owned)
    }
}

impl<W: Want, const N: usize> Want for [W; N]
where
    Vec<W::Owned>: FromRedisValue,
{
    type Owned = Vec<W::Owned>;
    fn owned(self) -> Self::Owned {
        self.into_iter().map(W::owned).collect()
    }
}

impl<A: Want, B: Want> Want for (A, B) {
    type Owned = (A::Owned, B::Owned);
    fn owned(self) -> Self::Owned {
        (self.0.owned(), self.1.owned())
    }
}

impl<A: Want, B: Want, C: Want> Want for (A, B, C) {
    type Owned = (A::Owned, B::Owned, C::Owned);
    fn owned(self) -> Self::Owned {
        (self.0.owned(), self.1.owned(), self.2.owned())
    }
}

/// Implements `Want` for types that a reply can be decoded into as they are.
macro_rules! wanted_as_is {
    ($($type:ty),*) => {
        $(impl Want for $type {
            type Owned = $type;
            fn owned(self) -> $type {
                self
            }
        })*
    };
}

wanted_as_is!(i64, f64, bool, (), Vec<u8>, Vec<String>, HashSet<String>);
wanted_as_is!(HashMap<String, String>, HashMap<String, f64>);

/// The absent value, for commands that answer text or nothing.
pub const NIL: Option<&str> = None;

/// An unordered collection of words.
pub fn set(words: &str) -> HashSet<String> {
    words.split_whitespace().map(str::to_string).collect()
}

/// Waits until the condition holds; fails when it has not after ten seconds.
#[track_caller]
pub fn eventually(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "still not true after ten seconds");
        thread::sleep(Duration::from_millis(5));
    }
}

fn runtime() -> Runtime {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.expect("a runtime needs only memory and a poll handle")
}
