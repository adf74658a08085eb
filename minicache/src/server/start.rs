//! From options to a running server.
//!
//! There are two ways in. `minicache serve --listen …` is the way of all engines. And because scripts and test suites start a
//! `redis-server` by its own conventions, `minicache redis.conf --port 7000` works as well: a file of directives, flags that
//! override them, the lines that those scripts wait for on standard output.

use super::{Server, now};
use crate::engine::cache::{Cache, Identity, SHARDS_MAX};
use crate::engine::config::Config;
use ahash::RandomState;
use minikit::server::{Bound, Options, ServerError, Shutdown};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a server is started with.
pub struct Start {
    /// Where to listen, and with how many cores.
    pub options: Options,
    /// The parameters.
    pub config: Config,
    /// The configuration file, as `INFO` shows it.
    pub config_file: String,
}

/// Runs a server until it is told to stop. `ready` learns the cache and where it can be reached.
pub fn run(start: Start, ready: impl FnOnce(&Arc<Cache>, &Bound)) -> Result<(), ServerError> {
    let cores = match start.options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    };
    let identity = Identity {
        run_id: run_id(),
        started_ms: now().ms,
        port: AtomicUsize::new(0),
        config_file: start.config_file,
    };
    let cache = Arc::new(Cache::new(cores, shards_for(cores), start.config, identity));
    let server = Server { cache: Arc::clone(&cache) };
    let options = Options { threads: cores, ..start.options };
    minikit::server::run(options, Arc::new(server), Shutdown::new(), |bound| {
        let port = bound.tcp.map_or(0, |address| address.port());
        cache.identity.port.store(usize::from(port), Ordering::Relaxed);
        ready(&cache, bound);
    })
}

/// One core needs no second lock. Several get enough shards that two commands seldom want the same one: with 32 shards
/// per core the chance that one other core is just there is 3 %.
fn shards_for(cores: usize) -> usize {
    if cores == 1 { 1 } else { (cores * 32).next_power_of_two().min(SHARDS_MAX) }
}

/// 40 hexadecimal digits that differ from start to start.
fn run_id() -> String {
    let random = RandomState::new();
    (0..5).map(|part| format!("{:08x}", random.hash_one(part) as u32)).collect()
}
