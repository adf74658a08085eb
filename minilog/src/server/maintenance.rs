//! The thread that writes to the disk: flushes, checkpoints, retention.
//!
//! Syncing a file takes milliseconds, and so does deleting a large one. On the thread of a core
//! this would delay every client of that core, so one thread does all of it:
//!
//! | what | when |
//! |---|---|
//! | flush | when a producer waits for it (`flush.messages`), after `flush.ms` |
//! | flush of all partitions | every [`CHECKPOINT_EVERY`] |
//! | checkpoints | every [`CHECKPOINT_EVERY`] |
//! | retention, of committed offsets too | every [`RETENTION_EVERY`] |
//!
//! # Group commit without a timer
//!
//! With `--sync always` every produce request asks for a flush and waits for it. Requests that
//! arrive while a flush is running are all covered by the next one: the slower the disk, the more
//! requests share a sync. Nothing waits for a timer, so a single producer gets the latency of one
//! sync.
//!
//! Compaction has its own thread, the cleaner: it can take minutes, and a flush cannot wait.
//!
//! Kafka counterpart: the tasks `kafka-log-flusher`, `kafka-recovery-point-checkpoint` and
//! `kafka-log-retention` of `LogManager.java`, on its scheduler; `LogCleaner.java` for
//! the cleaner.

use super::now_ms;
use crate::engine::log::compaction::Limits;
use crate::engine::log::log::Log;
use crate::engine::log::partition::Partition;
use crate::handlers::Broker;
use crate::handlers::group::Groups;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// `log.flush.offset.checkpoint.interval.ms`
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// `log.retention.check.interval.ms`
pub const RETENTION_EVERY: Duration = Duration::from_secs(300);

/// `producer.id.expiration.ms`
const PRODUCER_EXPIRATION_MS: i64 = 24 * 60 * 60 * 1000;

/// `log.cleaner.dedupe.buffer.size`: 64 MiB of keys.
const CLEANER_KEYS_MAX: usize = 2 << 20;

/// Lets other threads ask a maintenance thread to flush or to stop.
pub struct Maintenance {
    /// Holds one message, so it is full if a flush was requested already.
    wanted: SyncSender<()>,
    must_stop: AtomicBool,
}

impl Maintenance {
    /// Asks for a flush of everything appended so far.
    pub fn flush_soon(&self) {
        let _ = self.wanted.try_send(());
    }

    fn must_stop(&self) -> bool {
        self.must_stop.load(Ordering::Relaxed)
    }

    /// Waits up to `time`. Returns true if a flush was requested, none if the thread must stop.
    fn next(&self, wanted: &Receiver<()>, time: Duration) -> Option<bool> {
        let is_asked = wanted.recv_timeout(time).is_ok();
        (!self.must_stop()).then_some(is_asked)
    }
}

/// The running thread.
pub struct MaintenanceThread {
    /// The handle that other threads use.
    pub handle: Arc<Maintenance>,
    thread: Option<JoinHandle<()>>,
}

impl MaintenanceThread {
    /// Starts a thread that calls [`flush_and_delete`] or [`clean`].
    pub fn start(
        name: &str,
        broker: &Arc<Broker>,
        run: impl FnOnce(&Maintenance, &Receiver<()>, &Broker) + Send + 'static,
    ) -> io::Result<MaintenanceThread> {
        let (sender, receiver) = sync_channel(1);
        let handle = Arc::new(Maintenance { wanted: sender, must_stop: AtomicBool::new(false) });
        let (own, broker) = (Arc::clone(&handle), Arc::clone(broker));
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || run(&own, &receiver, &broker))?;
        Ok(MaintenanceThread { handle, thread: Some(thread) })
    }
}

impl Drop for MaintenanceThread {
    /// Stops the thread, and waits for a flush that is running.
    fn drop(&mut self) {
        self.handle.must_stop.store(true, Ordering::Relaxed);
        self.handle.flush_soon();
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, the panic hook has printed why.
            let _ = thread.join();
        }
    }
}

/// Flushes and deletes until it is told to stop.
pub fn flush_and_delete(handle: &Maintenance, wanted: &Receiver<()>, broker: &Broker) {
    let topics = &broker.topics;
    let [mut flushed, mut checkpoint, mut retention] = [Instant::now(); 3];
    while let Some(is_asked) = handle.next(wanted, topics.flush_interval()) {
        if is_asked {
            report("flush", topics.flush(Log::needs_flush));
        }
        // Producers may request flushes without a pause; checkpoints and retention must run too.
        if is_asked && flushed.elapsed() < topics.flush_interval() {
            continue;
        }
        flushed = Instant::now();
        report("flush", topics.flush(|log| log.config.flush_ms < i64::MAX));
        if checkpoint.elapsed() < CHECKPOINT_EVERY {
            continue;
        }
        report("flush", topics.flush(|_| true));
        report("write the checkpoints", topics.write_checkpoints());
        checkpoint = Instant::now();

        if retention.elapsed() >= RETENTION_EVERY {
            let now = now_ms();
            let deleted = topics.each_partition(|it| it.delete_old_segments(now).map(drop));
            report("delete old segments", deleted);
            for (_, _, it) in topics.catalog().partitions() {
                it.with_log(|log| log.producers.expire(now - PRODUCER_EXPIRATION_MS));
            }
            if let Err(refusal) = Groups::expire_offsets(broker) {
                tracing::error!("cannot delete expired offsets: {}", refusal.error_code);
            }
            retention = Instant::now();
        }
    }
}

/// Compacts the logs that need it, every `backoff`, until it is told to stop.
pub fn clean(handle: &Maintenance, wanted: &Receiver<()>, broker: &Broker, backoff: Duration) {
    // Two randomly keyed hashes of 64 bits: no client can construct two keys that collide in both.
    let states = [RandomState::new(), RandomState::new()];
    let hash = |key: &[u8]| {
        let [high, low] = states.each_ref().map(|state| u128::from(state.hash_one(key)));
        high << 64 | low
    };
    let must_stop = || handle.must_stop();
    let limits = Limits { hash: &hash, keys_max: CLEANER_KEYS_MAX, must_stop: &must_stop };
    while handle.next(wanted, backoff).is_some() {
        let now = now_ms();
        let compact = |it: &Partition| it.compact(now, &limits).map(drop);
        let compacted = broker.topics.each_partition(compact);
        if !handle.must_stop() {
            report("compact", compacted);
        }
    }
}

/// Logs a failure. After a failed flush the partition refuses appends until the next start.
fn report(what: &str, result: io::Result<()>) {
    if let Err(error) = result {
        tracing::error!("cannot {what}: {error}");
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::engine::group::coordinator::GroupConfig;
    use crate::engine::group::events::Now;
    use crate::engine::log::config::LogConfig;
    use crate::format::batch;
    use crate::handlers::catalog::Topics;
    use crate::handlers::parameters::Overrides;
    use crate::handlers::producer_ids::ProducerIds;
    use minikit::storage::{Disk, SimulatedDisk};
    use std::sync::OnceLock;

    /// Under load `--sync always` requests flushes without a pause.
    #[test]
    fn constant_flush_requests_do_not_starve_checkpoints() {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new(1));
        let config = LogConfig { flush_ms: 1, ..LogConfig::default() };
        let (topics, _) = Topics::open(Arc::clone(&disk), config, || [3; 16]).unwrap();
        let topic = topics.create("orders", 1, Overrides::default()).unwrap();
        let broker = Arc::new(Broker {
            topics,
            auto_create_topics: false,
            num_partitions: 1,
            data_dir: String::new(),
            producer_ids: ProducerIds::new(disk),
            groups: Groups::new(GroupConfig::default(), Now::default),
            advertised: OnceLock::new(),
        });

        assert!(topic.partitions[0].append(&batch::EXAMPLE).is_ok());
        let thread = MaintenanceThread::start("maintenance", &broker, flush_and_delete).unwrap();
        let asks = Instant::now();
        while topic.partitions[0].recovery_point() == 0 && asks.elapsed().as_secs() < 20 {
            thread.handle.flush_soon();
        }
        assert_eq!(topic.partitions[0].recovery_point(), 3);
    }
}
