//! The offsets that a group has committed, by topic and partition.
//!
//! A committed offset is the offset of the next record to read: a group that has processed records
//! 0 to 41 commits 42. Offsets outlive the members, so a group that comes back continues where it
//! stopped. But they must expire some day, because no client says that a group will never come
//! back.
//!
//! # When does an offset expire?
//!
//! `offsets.retention.minutes` (7 days) after the later of two moments: the commit, and the time
//! when the last member left the group (KIP-211).
//!
//! ```
//! use minilog::engine::group::offsets::{Committed, Offsets};
//!
//! let mut offsets = Offsets::default();
//! let committed = Committed { offset: 42, timestamp: 1000, ..Committed::default() };
//! offsets.set("orders", 0, Some(committed));
//! assert_eq!(offsets.get("orders", 0).map(|it| it.offset), Some(42));
//!
//! // The group lost its last member at 5000, and offsets are kept for 100 ms after that.
//! assert_eq!(offsets.expired(5099, 100, Some(5000)).count(), 0);
//! assert_eq!(offsets.expired(5100, 100, Some(5000)).count(), 1);
//! ```
//!
//! While a group has members, none of its offsets expire. Kafka also expires the offsets of topics
//! that no member subscribes to any more. For that it must decode the subscriptions, which are
//! opaque to the rest of the coordinator. Kafka counterpart: `OffsetMetadataManager.java`,
//! `OffsetExpirationConditionImpl.java`.

use std::collections::BTreeMap;

/// A committed offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The next record to read.
    pub offset: i64,
    /// The leader epoch of the last record read; -1 if unknown.
    pub leader_epoch: i32,
    /// A text chosen by the client.
    pub metadata: String,
    /// When it was committed.
    pub timestamp: i64,
    /// When it expires, if the client chose a time (OffsetCommit up to version 4).
    pub expires: Option<i64>,
}

impl Committed {
    /// The approximate memory of an offset in bytes, with its entry in a map.
    pub fn memory(&self) -> usize {
        size_of::<Committed>() + 50 + self.metadata.len()
    }
}

/// The committed offsets of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets(BTreeMap<String, BTreeMap<i32, Committed>>);

impl Offsets {
    /// The committed offset of a partition.
    pub fn get(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.0.get(topic)?.get(&partition)
    }

    /// Stores the committed offset of a partition, or deletes it.
    pub fn set(&mut self, topic: &str, partition: i32, committed: Option<Committed>) {
        if let Some(committed) = committed {
            self.0.entry(topic.to_owned()).or_default().insert(partition, committed);
        } else if let Some(partitions) = self.0.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.0.remove(topic);
            }
        }
    }

    /// The committed offsets by topic.
    pub fn topics(&self) -> impl Iterator<Item = (&str, &BTreeMap<i32, Committed>)> {
        self.0.iter().map(|(topic, partitions)| (topic.as_str(), partitions))
    }

    /// All committed offsets, with topic and partition.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i32, &Committed)> {
        self.topics().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, committed)| (topic, *partition, committed))
        })
    }

    /// The offsets that have expired at `now`. `empty_since` is when the last member left, or none
    /// if the group never had members.
    pub fn expired(
        &self,
        now: i64,
        retention_ms: i64,
        empty_since: Option<i64>,
    ) -> impl Iterator<Item = (&str, i32, &Committed)> {
        let is_expired = move |committed: &Committed| match committed.expires {
            Some(expires) => now >= expires,
            None => {
                let since = empty_since.unwrap_or(i64::MIN).max(committed.timestamp);
                now.saturating_sub(since) >= retention_ms
            }
        };
        self.iter().filter(move |(_, _, committed)| is_expired(committed))
    }
}
