//! minicache's core without a server: a cache, its configuration, and a client that sends bytes.
//!
//! ```
//! let engine = benches::engine::Engine::new(1);
//! let mut client = engine.client();
//! assert_eq!(client.send(b"SET k v\r\nGET k\r\n"), b"+OK\r\n$1\r\nv\r\n");
//! ```
//!
//! What a connection does per read of its socket, [`Client::send`] does: one executor, every
//! request in place, one buffer of replies. Counterpart: `minicache::server::connection`.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use minicache::commands::Identity;
use minicache::commands::cache::Cache;
use minicache::commands::session::Session;
use minicache::commands::{Executor, run::run};
use minicache::conf::Config;
use minicache::conf::Snapshot;
use minicache::engine::keyspace::Keyspace;
use minicache::engine::timestamp::Timestamp;
use minicache::wire::reply::{Protocol, Reply};
use minicache::wire::request::Parser;

/// The time at which everything happens.
pub const NOW: Timestamp = Timestamp { ms: 1_700_000_000_000, us: 0 };

/// A cache and its configuration.
pub struct Engine {
    /// The cache.
    pub cache: Cache,
    /// Every parameter at its default, but for the policy: `allkeys-lru`.
    pub config: Arc<Snapshot>,
}

/// A client that has just connected.
pub struct Client<'e> {
    engine: &'e Engine,
    session: Session,
    parser: Parser,
    replies: Vec<u8>,
}

impl Engine {
    /// An empty cache of so many shards, for two cores.
    pub fn new(shards: usize) -> Engine {
        const CORES: usize = 2;
        let identity = Identity {
            run_id: "0".repeat(40),
            started_ms: NOW.ms,
            port: AtomicUsize::new(0),
            config_file: String::new(),
        };
        let mut config = Config::default();
        config.put("maxmemory-policy", &[b"allkeys-lru"]).expect("the policy exists");
        let cache = Cache::new(CORES, shards, config, identity);
        let config = cache.config.snapshot();
        Engine { cache, config }
    }

    /// The keyspace, as commands of one core see it.
    pub fn keyspace(&self, core: usize) -> Keyspace<'_> {
        let counters = &self.cache.stats.counters[core];
        Keyspace::new(self.cache.parts(counters, &self.config.tuning), NOW)
    }

    /// A client.
    pub fn client(&self) -> Client<'_> {
        let client = self.cache.registry.clients.enter(String::new(), String::new(), NOW.ms);
        Client {
            engine: self,
            session: Session::new(client, true),
            parser: Parser::default(),
            replies: Vec::new(),
        }
    }
}

impl Client<'_> {
    /// Sends whole requests; the replies.
    pub fn send(&mut self, requests: &[u8]) -> &[u8] {
        let Engine { cache, config } = self.engine;
        let mut out = Reply::new(Protocol::Resp2);
        self.replies.clear();
        *out.buffer() = std::mem::take(&mut self.replies);
        let done = {
            let mut executor = Executor::new(cache, &cache.stats.counters[0], config, NOW, || 0);
            run(&mut executor, &mut self.session, &mut self.parser, requests, &mut out)
        };
        assert_eq!(done, requests.len(), "the requests are whole");
        self.replies = std::mem::take(out.buffer());
        &self.replies
    }
}
