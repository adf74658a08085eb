//! From options to a running server, and from its end to a clean shutdown.
//!
//! ```text
//! lock the data directory -> open the topics (recovery) -> load the groups -> upkeep thread
//!   -> sockets -> ready
//! SIGTERM -> connections end -> upkeep thread ends -> flush everything, leave the marker
//! ```
//!
//! The marker `.kafka_cleanshutdown` is written last, and only if everything before it worked. A
//! `kill -9` leaves none, and the next start recovers.

use super::inspect::Inspector;
use super::upkeep::UpkeepThread;
use super::{Server, now, now_ms};
use crate::engine::group::coordinator::GroupConfig;
use crate::engine::log::config::LogConfig;
use crate::handlers::catalog::Topics;
use crate::handlers::group::Groups;
use crate::handlers::group_log;
use crate::handlers::producer_ids::ProducerIds;
use crate::handlers::{Broker, Settings};
use minikit::connections::Connections;
use minikit::server::{Bound, Options, Shutdown, Spread};
use minikit::storage::{DataDir, Disk};
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What a server is started with.
pub struct Start {
    /// Where to listen, and with how many cores.
    pub options: Options,
    /// The address of the admin endpoint, if there is to be one.
    pub admin: Option<SocketAddr>,
    /// Where the data is.
    pub data_dir: PathBuf,
    /// Host and port that clients are told; what is listened on if none.
    pub advertise: Option<(String, u16)>,
    /// The configuration of a topic without its own.
    pub log: LogConfig,
    /// How consumer groups behave.
    pub groups: GroupConfig,
    /// `auto.create.topics.enable`
    pub auto_create_topics: bool,
    /// `num.partitions`
    pub num_partitions: i32,
    /// `log.cleaner.backoff.ms`: how often the cleaner looks for something to do.
    pub cleaner_backoff: Duration,
    /// How many clients there may be.
    pub connections_max: usize,
}

/// Runs a server until it is told to stop.
///
/// # Errors
/// If the data directory cannot be locked or read, an address is taken, or the last flush fails.
pub fn run(start: Start, ready: impl FnOnce(&Bound)) -> Result<(), Box<dyn Error>> {
    let data = DataDir::lock(&start.data_dir)?;
    let disk: Arc<dyn Disk> = Arc::new(data.disk());
    let started = now_ms();
    let (topics, reports) = Topics::open(Arc::clone(&disk), start.log, random())?;
    for (partition, report) in reports {
        tracing::warn!("{partition} was damaged and is repaired: {report:?}");
    }
    tracing::info!("opened {} in {} ms", start.data_dir.display(), now_ms() - started);

    let broker = Arc::new(Broker {
        topics,
        settings: Settings {
            auto_create_topics: start.auto_create_topics,
            num_partitions: start.num_partitions,
            random,
            now: now_ms,
            data_dir: std::path::absolute(&start.data_dir)?.display().to_string(),
        },
        producer_ids: ProducerIds::new(disk),
        groups: Groups::new(start.groups, now),
        advertised: start.advertise.map_or_else(OnceLock::new, OnceLock::from),
    });
    match group_log::load(&broker)? {
        0 => {}
        skipped => tracing::warn!("{skipped} records of __consumer_offsets cannot be read"),
    }
    let upkeep = UpkeepThread::start(Arc::clone(&broker))?;
    let cleaner = UpkeepThread::start_cleaner(Arc::clone(&broker), start.cleaner_backoff)?;
    let server = Arc::new(Server {
        broker: Arc::clone(&broker),
        upkeep: upkeep.upkeep(),
        connections: Connections::new(),
        connections_max: start.connections_max,
    });
    let inspector = Arc::new(Inspector(Arc::clone(&server)));
    let admin = start.admin.map(|address| minikit::admin::start(address, inspector)).transpose()?;
    if let Some(admin) = &admin {
        tracing::info!("state page on http://{}/", admin.address());
    }
    minikit::server::run(start.options, Spread(server), Shutdown::new(), |bound, _listeners| {
        if let Some(address) = bound.tcp {
            broker.advertised.get_or_init(|| (address.ip().to_string(), address.port()));
        }
        ready(bound);
    })?;

    // Nobody appends any more. The threads must be gone before the last flush.
    drop((cleaner, upkeep));
    broker.topics.close()?;
    Ok(())
}

/// Random bytes for ids: the standard library seeds its hashers from the system.
fn random() -> [u8; 16] {
    let [high, low] = [0, 1].map(|part: u64| RandomState::new().hash_one(part).to_be_bytes());
    std::array::from_fn(|index| if index < 8 { high[index] } else { low[index - 8] })
}
