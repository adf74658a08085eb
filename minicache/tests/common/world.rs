//! A real cache and clients of it, without sockets: for the loom models.
//!
//! ```text
//! let world = World::new(2);
//! let key = world.key_in_shard(1);                       "1", or whichever number it is
//! let mut client = world.client();
//! client.run(&world, &["SET", &key, "v"])                "+OK\r\n"
//! client.run(&world, &["BLPOP", "jobs", "0"])            "" and client.session.waiting
//! ```
#![allow(dead_code, reason = "not every model needs everything")]

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use minicache::commands::Executor;
use minicache::commands::Identity;
use minicache::commands::cache::Cache;
use minicache::commands::session::Session;
use minicache::conf::Config;
use minicache::conf::Snapshot;
use minicache::engine::timestamp::Timestamp;
use minicache::wire::reply::Reply;
use minicache::wire::request::OwnedArgs;

/// A cache and its configuration.
pub struct World {
    pub cache: Cache,
    config: Arc<Snapshot>,
}

/// A client's side of the server: its session.
pub struct Client {
    pub session: Session,
}

/// Checks a model of three threads in every order in which at most four times one of them is
/// stopped where it could have gone on. Without that bound a model takes minutes; the bugs that
/// Musuvathi and Qadeer met when they proposed it (PLDI 2007) all needed two stops or fewer.
pub fn model_of_three(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(model);
}

impl World {
    /// An empty cache with this many shards.
    pub fn new(shards: usize) -> Arc<World> {
        let mut config = Config::default();
        config.put("databases", &[b"1"]).expect("one database is enough for anybody");
        let identity = Identity {
            run_id: String::new(),
            started_ms: 0,
            port: AtomicUsize::new(0),
            config_file: String::new(),
        };
        let cache = Cache::new(1, shards, config, identity);
        let config = cache.config.snapshot();
        Arc::new(World { cache, config })
    }

    /// A client that has just connected.
    pub fn client(&self) -> Client {
        let client = self.cache.registry.clients.enter(String::new(), String::new(), 0);
        Client { session: Session::new(client, true) }
    }

    /// Some key that is in this shard.
    pub fn key_in_shard(&self, shard: usize) -> String {
        let mut keys = (0..).map(|number: u32| number.to_string());
        let found = keys.find(|key| self.cache.shards.key(key.as_bytes()).shard == shard);
        found.expect("every shard has keys")
    }
}

impl Client {
    /// Executes a command and gives back the locks it took; the reply is empty where it waits.
    pub fn run(&mut self, world: &World, words: &[&str]) -> String {
        let mut args = OwnedArgs::default();
        words.iter().for_each(|word| args.push(word.as_bytes()));
        let mut reply = Reply::new(self.session.protocol);
        let counters = &world.cache.stats.counters[0];
        let now = Timestamp { ms: 1, us: 0 };
        let mut executor = Executor::new(&world.cache, counters, &world.config, now, || 0);
        executor.execute(&mut self.session, args.as_args(), &mut reply);
        executor.keyspace.release();
        String::from_utf8_lossy(reply.bytes()).into_owned()
    }
}
