//! The thread that writes to the disk: flushes, checkpoints, retention.
//!
//! Syncing a file takes milliseconds, deleting a large one too, and a core that did it would leave
//! its other clients waiting. So one thread does all of it:
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
//! With `--sync always` every produce request asks for a flush and waits. Requests that arrive
//! while a flush is running are all covered by the next one: the slower the disk, the more requests
//! share a sync. Nothing waits for a timer, so a single producer gets the latency of one sync.
//!
//! Compaction has a thread of its own, the cleaner: it can take minutes, and a flush cannot wait.
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

/// What other threads ask of the upkeep thread.
pub struct Upkeep {
    /// Full if a flush is asked for already.
    wanted: SyncSender<()>,
    must_stop: AtomicBool,
}

impl Upkeep {
    /// Asks for a flush of everything appended so far.
    pub fn flush_soon(&self) {
        let _ = self.wanted.try_send(());
    }

    fn must_stop(&self) -> bool {
        self.must_stop.load(Ordering::Relaxed)
    }

    /// Waits until a flush is asked for, at most for `time`. None if the thread has to end.
    fn next(&self, wanted: &Receiver<()>, time: Duration) -> Option<bool> {
        let is_asked = wanted.recv_timeout(time).is_ok();
        (!self.must_stop()).then_some(is_asked)
    }
}

/// The running thread.
pub struct UpkeepThread {
    /// The handle for connections.
    pub upkeep: Arc<Upkeep>,
    thread: Option<JoinHandle<()>>,
}

impl UpkeepThread {
    /// Starts a thread that calls [`flush_and_delete`] or [`clean`].
    pub fn start(
        name: &str,
        broker: &Arc<Broker>,
        run: impl FnOnce(&Upkeep, &Receiver<()>, &Broker) + Send + 'static,
    ) -> io::Result<UpkeepThread> {
        let (sender, receiver) = sync_channel(1);
        let upkeep = Arc::new(Upkeep { wanted: sender, must_stop: AtomicBool::new(false) });
        let (own, broker) = (Arc::clone(&upkeep), Arc::clone(broker));
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || run(&own, &receiver, &broker))?;
        Ok(UpkeepThread { upkeep, thread: Some(thread) })
    }
}

impl Drop for UpkeepThread {
    /// Waits for the flush that may be running.
    fn drop(&mut self) {
        self.upkeep.must_stop.store(true, Ordering::Relaxed);
        self.upkeep.flush_soon();
        if let Some(thread) = self.thread.take() {
            // Its panic was printed, and there is nothing to add.
            let _ = thread.join();
        }
    }
}

/// Flushes and deletes until it is told to stop.
pub fn flush_and_delete(upkeep: &Upkeep, wanted: &Receiver<()>, broker: &Broker) {
    let topics = &broker.topics;
    let [mut flushed, mut checkpoint, mut retention] = [Instant::now(); 3];
    while let Some(is_asked) = upkeep.next(wanted, topics.flush_interval()) {
        if is_asked {
            report("flush", topics.flush(Log::needs_flush));
        }
        // A producer may ask all the time; the rest must get its turn.
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

/// Looks every `backoff` for something to compact, until it is told to stop.
pub fn clean(upkeep: &Upkeep, wanted: &Receiver<()>, broker: &Broker, backoff: Duration) {
    // Two keyed hashes of 64 bits: nobody outside can make two keys meet in both.
    let states = [RandomState::new(), RandomState::new()];
    let hash = |key: &[u8]| {
        let [high, low] = states.each_ref().map(|state| u128::from(state.hash_one(key)));
        high << 64 | low
    };
    let must_stop = || upkeep.must_stop();
    let limits = Limits { hash: &hash, keys_max: CLEANER_KEYS_MAX, must_stop: &must_stop };
    while upkeep.next(wanted, backoff).is_some() {
        let now = now_ms();
        let compact = |it: &Partition| it.compact(now, &limits).map(drop);
        let compacted = broker.topics.each_partition(compact);
        if !upkeep.must_stop() {
            report("compact", compacted);
        }
    }
}

/// Logs what failed. The partition concerned refuses appends from then on, with the same reason.
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

    /// As with `--sync always` under load, where nothing else would ever be done.
    #[test]
    fn a_flush_that_is_asked_for_all_the_time_leaves_time_for_the_rest() {
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
        let upkeep = UpkeepThread::start("upkeep", &broker, flush_and_delete).unwrap();
        let asks = Instant::now();
        while topic.partitions[0].recovery_point() == 0 && asks.elapsed().as_secs() < 20 {
            upkeep.upkeep.flush_soon();
        }
        assert_eq!(topic.partitions[0].recovery_point(), 3);
    }
}
