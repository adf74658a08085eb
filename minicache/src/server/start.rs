//! From options to a running server.
//!
//! There are two ways in. `minicache serve --listen …` is the way of all engines: its flags fill a
//! [`Start`]. And because scripts and test suites start a `redis-server` by its own conventions,
//! `minicache redis.conf --port 7000` works as well ([`redis_style`](super::redis_style)). Both end
//! here:
//!
//! ```text
//! Start { options, config, … } ─> Cache::new ─> admin endpoint
//!                              ─> thread that frees
//!                              ─> sockets, a runtime per core ─> ready(cache, bound)
//! ```
//!
//! What was found out on the way (the port that port 0 became, the number of cores) is written
//! where `CONFIG GET` shows it. The counterpart in Redis is `initServer` (`server.c`).

use super::host::{FILES_BESIDES, ServerProcess};
use super::inspect::Inspector;
use super::{Server, now};
use crate::commands::cache::Cache;
use crate::commands::stats::Identity;
use crate::conf::Config;
use crate::engine::shards::SHARDS_MAX;
use crate::raw;
use ahash::RandomState;
use minikit::server::{Bound, Options, PerCore, ServerError, Shutdown};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most that `CONFIG GET io-threads` can show.
const IO_THREADS_MAX: usize = 128;

/// What a server is started with.
pub struct Start {
    /// Where to listen, and with how many cores.
    pub options: Options,
    /// Where metrics, health and the state page are served, if anywhere.
    pub admin: Option<SocketAddr>,
    /// The parameters.
    pub config: Config,
    /// The configuration file, as `INFO` shows it.
    pub config_file: String,
}

/// Runs a server until it is told to stop. `ready` learns the cache and where it can be reached.
///
/// # Errors
/// Where an address, a thread or a runtime could not be had.
pub fn run(mut start: Start, ready: impl FnOnce(&Arc<Cache>, &Bound)) -> Result<(), ServerError> {
    raw::ignore_hangup();
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
    note(&mut start.config, "io-threads", cores.min(IO_THREADS_MAX));
    fit_clients(&mut start.config);
    let cache = Arc::new(Cache::new(cores, shards_for(cores), start.config, identity));
    sweep(&cache);
    let _admin = start.admin.map(|address| open_admin(address, &cache)).transpose()?;
    let server = Server { cache: Arc::clone(&cache) };
    let options = Options { threads: cores, ..start.options };
    let server = PerCore(Arc::new(server));
    minikit::server::run(options, server, Shutdown::new(), |bound, listeners| {
        note_port(&cache, bound);
        cache.host.get_or_init(|| Box::new(ServerProcess::new(listeners)));
        ready(&cache, bound);
    })
}

/// Every client is an open file: raises the limit on those, or lowers `maxclients` to what it
/// allows.
fn fit_clients(config: &mut Config) {
    let wanted = config.settings().maxclients;
    let files = raw::open_files_up_to(u64::from(wanted) + FILES_BESIDES);
    let clients = files.saturating_sub(FILES_BESIDES).max(1) as usize;
    if clients < wanted as usize {
        tracing::warn!("maxclients is {clients} instead of {wanted}: so many files may be open");
        note(config, "maxclients", clients);
    }
}

/// Starts the thread that frees what is large.
fn sweep(cache: &Cache) {
    let Some(sweeper) = cache.shards.lazy_free.sweeper() else { return };
    let thread = std::thread::Builder::new().name("minicache-free".to_string());
    if let Err(error) = thread.spawn(|| sweeper.run()) {
        tracing::warn!("large values are freed where they are deleted: no thread for it: {error}");
    }
}

fn open_admin(
    address: SocketAddr,
    cache: &Arc<Cache>,
) -> Result<minikit::admin::Admin, ServerError> {
    let admin = minikit::admin::start(address, Arc::new(Inspector::new(Arc::clone(cache))))?;
    tracing::info!("state page on http://{}/", admin.address());
    Ok(admin)
}

/// Lets `INFO` and `CONFIG GET` know the port that port 0 became.
fn note_port(cache: &Cache, bound: &Bound) {
    let Some(port) = bound.tcp.map(|address| usize::from(address.port())) else { return };
    cache.stats.identity.port.store(port, Ordering::Relaxed);
    cache.config.change(|config| note(config, "port", port));
}

fn note(config: &mut Config, parameter: &str, number: usize) {
    let noted = config.put(parameter, &[number.to_string().as_bytes()]);
    noted.expect("ports and numbers of cores are within the bounds of their parameters");
}

/// One core needs no second lock. Several get enough shards that two commands seldom want the same
/// one: with 32 shards per core the chance that one other core is just there is 3 %.
fn shards_for(cores: usize) -> usize {
    if cores == 1 { 1 } else { (cores * 32).next_power_of_two().min(SHARDS_MAX) }
}

/// 40 hexadecimal digits that differ from start to start.
fn run_id() -> String {
    let random = RandomState::new();
    (0..5).map(|part| format!("{:08x}", random.hash_one(part) as u32)).collect()
}
