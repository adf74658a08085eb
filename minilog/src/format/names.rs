//! The names of files and directories.
//!
//! ```
//! use minilog::format::names::{self, Kind};
//!
//! assert_eq!(names::segment_file(5, Kind::Log), "00000000000000000005.log");
//! assert_eq!(names::parse("00000000000000000005.timeindex"), Some((5, Kind::TimeIndex)));
//! assert_eq!(names::partition_directory("orders", 3), "orders-3");
//! assert_eq!(names::parse_partition_directory("my-topic-12"), Some(("my-topic", 12)));
//! ```
//!
//! Twenty digits fit every 64-bit offset, so a sorted directory listing is in the order of offsets.
//!
//! Kafka counterpart: `LogFileUtils.java` and `UnifiedLog.parseTopicPartitionName`. Suffixes of
//! files in a transition (`.deleted`, `.cleaned`, `.swap`, `-future`, `-stray`) are not parsed.

/// The kind of a file in a partition's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Record batches.
    Log,
    /// Maps offsets to positions.
    OffsetIndex,
    /// Maps timestamps to offsets.
    TimeIndex,
    /// Aborted transactions.
    TransactionIndex,
    /// The state of idempotent producers.
    Snapshot,
}

/// Every kind with its suffix.
const SUFFIXES: [(Kind, &str); 5] = [
    (Kind::Log, "log"),
    (Kind::OffsetIndex, "index"),
    (Kind::TimeIndex, "timeindex"),
    (Kind::TransactionIndex, "txnindex"),
    (Kind::Snapshot, "snapshot"),
];

/// The maximum length of a topic's name. With `-` and a partition number it must fit a file name.
pub const TOPIC_LENGTH_MAX: usize = 249;

/// The name of a file that belongs to the segment with the given base offset. A snapshot is named
/// after the first offset that it does not cover.
pub fn segment_file(base_offset: i64, kind: Kind) -> String {
    let (_, suffix) = SUFFIXES.iter().find(|(it, _)| *it == kind).expect("every kind is listed");
    format!("{base_offset:020}.{suffix}")
}

/// The base offset and kind of a file, if the name is that of a segment's file.
pub fn parse(name: &str) -> Option<(i64, Kind)> {
    let (offset, suffix) = name.split_once('.')?;
    let (kind, _) = SUFFIXES.iter().find(|(_, it)| *it == suffix)?;
    let is_number = offset.len() == 20 && offset.bytes().all(|it| it.is_ascii_digit());
    Some((is_number.then(|| offset.parse().ok())??, *kind))
}

/// The directory of a partition.
pub fn partition_directory(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// The topic and partition of a directory. The topic may contain hyphens: the last one separates.
pub fn parse_partition_directory(name: &str) -> Option<(&str, i32)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let number = partition.parse::<i32>().ok().filter(|it| *it >= 0)?;
    // `parse` accepts `+1` and `01`, but no partition's directory is named like that.
    (is_topic_name(topic) && number.to_string() == partition).then_some((topic, number))
}

/// Returns true if a topic may have this name. It becomes the name of a directory, so only letters,
/// digits, `.`, `_` and `-` are allowed, and `.` and `..` are not.
pub fn is_topic_name(name: &str) -> bool {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-');
    let length_is_ok = (1..=TOPIC_LENGTH_MAX).contains(&name.len());
    length_is_ok && name != "." && name != ".." && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_are_not_parsed() {
        for name in [
            "5.log",
            "00000000000000000005.log.deleted",
            "+0000000000000000005.log",
            "99999999999999999999.log",
            "leader-epoch-checkpoint",
            "",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
        for name in ["orders", "orders-", "orders--1x", "-1", "../x-1", "a-01", "a-+1"] {
            assert_eq!(parse_partition_directory(name), None, "{name}");
        }
    }

    #[test]
    fn topic_names_cannot_be_paths() {
        assert!(is_topic_name("a.b_c-D9") && is_topic_name(&"x".repeat(249)));
        for name in ["", ".", "..", "a/b", "a b", "ä", &"x".repeat(250)] {
            assert!(!is_topic_name(name), "{name}");
        }
    }
}
