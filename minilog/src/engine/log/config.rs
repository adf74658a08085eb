//! The configuration of a log: how it rolls, flushes, cleans up and refuses.
//!
//! A value comes from the first of three places that has one:
//!
//! ```text
//! the topic      retention.ms=60000          kafka-configs.sh --alter, topic.properties
//! the broker     --retention-ms 3600000      as log.retention.ms in Kafka's server.properties
//! Kafka          604800000                   the default, seven days
//! ```
//!
//! `handlers::parameters` makes the [`LogConfig`] of a topic from all three. The log only obeys it.
//!
//! Kafka counterpart: `LogConfig.java`. Numbers are signed as in Kafka, and -1 or the largest
//! number means "no limit" where it does in Kafka.

/// The effective configuration of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a batch that would make the active segment longer starts a new one.
    pub segment_bytes: i64,
    /// `segment.ms`: a batch starts a new segment if its timestamp is this much later than the
    /// first one of the active segment.
    pub segment_ms: i64,
    /// `index.interval.bytes`: one index entry per this many bytes.
    pub index_interval_bytes: i64,
    /// `max.message.bytes`: the longest batch.
    pub message_bytes_max: i64,
    /// `message.timestamp.before.max.ms`: how far timestamps may be behind the broker's clock.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far they may be ahead of it.
    pub timestamp_after_max_ms: i64,
    /// `flush.messages`: an append waits for a flush once this many records are not durable.
    pub flush_messages: i64,
    /// `flush.ms`: records are flushed after this time.
    pub flush_ms: i64,
    /// `cleanup.policy`: delete, compact, or both.
    pub cleanup: Cleanup,
    /// `retention.ms`: segments whose latest record is older are deleted; -1 keeps all.
    pub retention_ms: i64,
    /// `retention.bytes`: old segments are deleted while the rest is this long; -1 keeps all.
    pub retention_bytes: i64,
    /// `min.cleanable.dirty.ratio`: compaction begins when this share of the log is new.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: records younger than this are not compacted.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: compaction begins when a new record is older than this.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`: a tombstone is kept for this long after its first compaction.
    pub delete_retention_ms: i64,
}

/// What happens to old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// Old segments are deleted (`retention.ms`, `retention.bytes`).
    pub deletes: bool,
    /// Only the latest record of each key is kept.
    pub compacts: bool,
}

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            index_interval_bytes: 4096,
            message_bytes_max: 1024 * 1024 + 12,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: HOUR_MS,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            cleanup: Cleanup { deletes: true, compacts: false },
            retention_ms: 7 * DAY_MS,
            retention_bytes: -1,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: DAY_MS,
        }
    }
}
