//! From options to a running server.
//!
//! There are two command lines. `minicache serve --listen …` is that of all engines. Scripts and
//! test suites start a `redis-server` by its own conventions, so `minicache redis.conf --port 7000`
//! works as well ([`redis_style`](super::redis_style)). Both fill a [`Start`] and end here:
//!
//! ```text
//! Start { options, config, … } ─> Cache ─> admin endpoint
//!                                       ─> thread that frees large values
//!                                       ─> sockets, a runtime per core ─> ready(cache, bound)
//! ```
//!
//! What the server finds out at start (the port that port 0 became, the number of cores) is written
//! back, so that `CONFIG GET` shows it. The counterpart in Redis is `initServer` (`server.c`).

use super::aof;
use super::host::{ServerProcess, open_files_for};
use super::{Server, inspect::Inspector, now};
use crate::commands::{cache::Cache, stats::Identity};
use crate::conf::Config;
use crate::engine::shards::SHARDS_MAX;
use ahash::RandomState;
use minikit::admin::Admin;
use minikit::server::{Bound, Options, PerCore, ServerError, Shutdown};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{error::Error, net::SocketAddr, sync::Arc};

/// The highest value of `io-threads`.
const IO_THREADS_MAX: usize = 128;

/// What a server is started with.
pub struct Start {
    /// Where to listen, and with how many cores.
    pub options: Options,
    /// The address of the admin endpoint, if there is to be one.
    pub admin: Option<SocketAddr>,
    /// The parameters.
    pub config: Config,
    /// The configuration file, as `INFO` shows it.
    pub config_file: String,
}

/// Runs a server until it is told to stop. Calls `ready` once every core accepts clients.
///
/// # Errors
/// If an address, a thread or a runtime was refused, or the append-only file cannot be loaded.
pub fn run(
    mut start: Start,
    ready: impl FnOnce(&Arc<Cache>, &Bound),
) -> Result<(), Box<dyn Error>> {
    let cores = match start.options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    };
    note(&mut start.config, "io-threads", cores.min(IO_THREADS_MAX));
    limit_clients(&mut start.config);

    let identity = Identity {
        run_id: run_id(),
        started_ms: now().ms,
        port: AtomicUsize::new(0),
        config_file: start.config_file,
    };
    let cache = Arc::new(Cache::new(cores, shards_for(cores), start.config, identity));
    start_lazy_free(&cache);
    // Dropped after the last connection, which writes the rest of the log.
    let _flusher = aof::start(&cache)?;
    #[cfg(feature = "postgres")]
    let _worker = super::write_behind::start(&cache)?;
    #[cfg(not(feature = "postgres"))]
    if !cache.config.snapshot().settings.write_behind.is_empty() {
        return Err("write-behind needs the feature postgres, which this build leaves out".into());
    }
    let _admin = start.admin.map(|address| start_admin(address, &cache)).transpose()?;

    let server = PerCore(Arc::new(Server { cache: Arc::clone(&cache) }));
    let options = Options { threads: cores, ..start.options };
    minikit::server::run(options, server, Shutdown::new(), |bound, listeners| {
        note_port(&cache, bound);
        cache.host.get_or_init(|| Box::new(ServerProcess::new(listeners)));
        ready(&cache, bound);
    })?;
    Ok(())
}

/// Every client is an open file: raises the limit on those, or lowers `maxclients` to it.
fn limit_clients(config: &mut Config) {
    let wanted = config.settings().maxclients;
    let clients = open_files_for(wanted).max(1);
    if clients < wanted.into() {
        tracing::warn!("maxclients is {clients} instead of {wanted}: the limit on open files");
        note(config, "maxclients", clients as usize);
    }
}

fn start_lazy_free(cache: &Cache) {
    let Some(worker) = cache.shards.lazy_free.worker() else { return };
    let thread = std::thread::Builder::new().name("minicache-free".to_string());
    if let Err(error) = thread.spawn(|| worker.run()) {
        tracing::warn!("no thread to free large values, core threads free them: {error}");
    }
}

fn start_admin(address: SocketAddr, cache: &Arc<Cache>) -> Result<Admin, ServerError> {
    let admin = minikit::admin::start(address, Arc::new(Inspector(Arc::clone(cache))))?;
    tracing::info!("state page on http://{}/", admin.address());
    Ok(admin)
}

fn note_port(cache: &Cache, bound: &Bound) {
    let Some(port) = bound.tcp.map(|address| usize::from(address.port())) else { return };
    cache.stats.identity.port.store(port, Ordering::Relaxed);
    cache.config.change(|config| note(config, "port", port));
}

/// Writes a number that the server found out into the configuration.
fn note(config: &mut Config, parameter: &str, number: usize) {
    let noted = config.put(parameter, &[number.to_string().as_bytes()]);
    noted.expect("ports, clients and cores are within the bounds of their parameters");
}

/// One core needs one shard. With more, 32 shards per core make it unlikely (3 % with two cores)
/// that a command finds its shard locked by another.
fn shards_for(cores: usize) -> usize {
    if cores == 1 { 1 } else { (cores * 32).next_power_of_two().min(SHARDS_MAX) }
}

/// 40 random hexadecimal digits.
fn run_id() -> String {
    let random = RandomState::new();
    (0..5).map(|part| format!("{:08x}", random.hash_one(part) as u32)).collect()
}
