//! Starting the server from its options, and shutting it down cleanly.
//!
//! ```text
//! lock the data directory -> open the topics (recovery) -> load the groups -> maintenance thread
//!   -> sockets -> ready
//! SIGTERM -> connections end -> maintenance thread ends -> flush everything, leave the marker
//! ```
//!
//! The marker `.kafka_cleanshutdown` is written last, and only if every step before it succeeded.
//! After a `kill -9` it is missing, so the next start runs recovery.

use super::maintenance::{MaintenanceThread, clean, flush_and_delete};
use super::{Server, now, now_ms};
use crate::engine::group::coordinator::GroupConfig;
use crate::engine::log::config::LogConfig;
use crate::handlers::catalog::Topics;
use crate::handlers::group::Groups;
use crate::handlers::group_log;
use crate::handlers::producer_ids::ProducerIds;
use crate::handlers::{Broker, Meter};
use crate::wire::APIS;
use minikit::cli::ServeArgs;
use minikit::connections::Connections;
use minikit::server::{Bound, Shutdown, Spread};
use minikit::storage::{DataDir, Disk};
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The options of `minilog serve`. Their comments are also the text of `--help`.
#[derive(clap::Parser)]
pub struct ServeOptions {
    #[command(flatten)]
    common: ServeArgs,
    /// Where topics are kept; created if missing
    #[arg(long, value_name = "DIR", default_value = "minilog-data")]
    data_dir: PathBuf,
    /// The address that clients are told to connect to, if not the one listened on
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    advertise: Option<(String, u16)>,
    /// When records are acknowledged: `os` from the page cache as in Kafka; `always` after a sync,
    /// as log.flush.interval.messages=1
    #[arg(long, value_name = "WHEN", value_parser = ["os", "always"], default_value = "os")]
    sync: String,
    /// Create topics that clients ask for, as auto.create.topics.enable
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    auto_create_topics: bool,
    /// Partitions of a topic created without a number of them, as num.partitions
    #[arg(long, value_name = "N", default_value_t = 1)]
    num_partitions: i32,
    /// Bytes of a segment, as log.segment.bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    segment_bytes: i32,
    /// Milliseconds to keep records, as log.retention.ms; -1 for ever
    #[arg(long, value_name = "MS", default_value_t = 604_800_000, allow_hyphen_values = true)]
    retention_ms: i64,
    /// Bytes of a partition to keep, as log.retention.bytes; -1 for all
    #[arg(long, value_name = "BYTES", default_value_t = -1, allow_hyphen_values = true)]
    retention_bytes: i64,
    /// How long a new group waits for more members, as group.initial.rebalance.delay.ms
    #[arg(long, value_name = "MS", default_value_t = 0)]
    group_initial_rebalance_delay_ms: u32,
    /// Minutes to keep the offsets of a group without members, as offsets.retention.minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 10_080)]
    offsets_retention_minutes: u32,
    /// Milliseconds between checks for logs to compact, as log.cleaner.backoff.ms
    #[arg(long, value_name = "MS", default_value_t = 15_000)]
    log_cleaner_backoff_ms: u64,
    /// Maximum number of connected clients
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_connections: usize,
}

impl ServeOptions {
    fn log_config(&self) -> LogConfig {
        LogConfig {
            segment_bytes: self.segment_bytes.into(),
            retention_ms: self.retention_ms,
            retention_bytes: self.retention_bytes,
            flush_messages: if self.sync == "always" { 1 } else { i64::MAX },
            ..LogConfig::default()
        }
    }

    fn group_config(&self) -> GroupConfig {
        GroupConfig {
            initial_delay_ms: self.group_initial_rebalance_delay_ms.into(),
            offsets_retention_ms: i64::from(self.offsets_retention_minutes) * 60_000,
            ..GroupConfig::default()
        }
    }
}

/// Runs a server until it is told to stop.
///
/// # Errors
/// If the data directory cannot be locked or read, an address is taken, or the last flush fails.
pub fn run(options: ServeOptions, ready: impl FnOnce(&Bound)) -> Result<(), Box<dyn Error>> {
    let data = DataDir::lock(&options.data_dir)?;
    let disk: Arc<dyn Disk> = Arc::new(data.disk());
    let started = now_ms();
    let (topics, warnings) = Topics::open(Arc::clone(&disk), options.log_config(), random)?;
    warnings.iter().for_each(|it| tracing::warn!("{it}"));
    tracing::info!("opened {} in {} ms", options.data_dir.display(), now_ms() - started);

    let broker = Arc::new(Broker {
        topics,
        auto_create_topics: options.auto_create_topics,
        num_partitions: options.num_partitions,
        data_dir: std::path::absolute(&options.data_dir)?.display().to_string(),
        producer_ids: ProducerIds::new(disk),
        groups: Groups::new(options.group_config(), now),
        advertised: options.advertise.map_or_else(OnceLock::new, OnceLock::from),
    });
    let skipped = group_log::load(&broker)?;
    if skipped > 0 {
        tracing::warn!("{skipped} records of __consumer_offsets cannot be read");
    }
    let maintenance = MaintenanceThread::start("maintenance", &broker, flush_and_delete)?;
    let backoff = Duration::from_millis(options.log_cleaner_backoff_ms);
    let cleaner = MaintenanceThread::start("cleaner", &broker, move |handle, wanted, broker| {
        clean(handle, wanted, broker, backoff);
    })?;
    let server = Arc::new(Server {
        broker: Arc::clone(&broker),
        maintenance: Arc::clone(&maintenance.handle),
        requests: APIS.iter().map(|_| Meter::default()).collect(),
        connections: Connections::new(),
        connections_max: options.max_connections,
    });
    let start_admin = |address| minikit::admin::start(address, Arc::clone(&server));
    let admin = options.common.admin.map(start_admin).transpose()?;
    if let Some(admin) = &admin {
        tracing::info!("state page on http://{}/", admin.address());
    }
    minikit::server::run(
        options.common.options(),
        Spread(server),
        Shutdown::new(),
        |bound, _listeners| {
            if let Some(address) = bound.tcp {
                broker.advertised.get_or_init(|| (address.ip().to_string(), address.port()));
            }
            ready(bound);
        },
    )?;

    // No client appends any more. The threads must end before the last flush.
    drop((cleaner, maintenance));
    broker.topics.close()?;
    Ok(())
}

/// Random bytes for ids, from the standard library's hashers, which the system's randomness seeds.
fn random() -> [u8; 16] {
    let [high, low] = [0, 1].map(|part: u64| RandomState::new().hash_one(part).to_be_bytes());
    std::array::from_fn(|index| if index < 8 { high[index] } else { low[index - 8] })
}

fn host_and_port(text: &str) -> Result<(String, u16), &'static str> {
    let expected = "needs a host and a port, as in broker.example:9092";
    let (host, port) = text.rsplit_once(':').ok_or(expected)?;
    let port = port.parse().map_err(|_| expected)?;
    if host.is_empty() { Err(expected) } else { Ok((host.to_owned(), port)) }
}
