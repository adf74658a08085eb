//! Checkpoints: small text files of offsets.
//!
//! ```
//! use minilog::format::checkpoint::{EpochEntry, OffsetEntry, parse, print};
//!
//! // `recovery-point-offset-checkpoint` and `replication-offset-checkpoint` of a data directory.
//! let offset = OffsetEntry { topic: "orders".to_owned(), partition: 0, offset: 42 };
//! let text = "0\n1\norders 0 42\n";
//! assert_eq!(print([&offset]), text);
//! assert_eq!(parse::<OffsetEntry>(text).unwrap(), [offset]);
//!
//! // `leader-epoch-checkpoint` of a partition: leader 0 wrote from offset 0 on, leader 1 from 42.
//! let epochs = parse::<EpochEntry>("0\n2\n0 0\n1 42\n").unwrap();
//! assert_eq!(epochs[1], EpochEntry { epoch: 1, start_offset: 42 });
//!
//! // A file that lost its end is an error, not a shorter list.
//! assert!(parse::<EpochEntry>("0\n2\n0 0\n").is_err());
//! ```
//!
//! The first line is the version. The second one is the number of lines that follow.
//!
//! # What each file is for
//!
//! | file | offset | without it |
//! |---|---|---|
//! | `recovery-point-offset-checkpoint` | everything below it is durable | recovery reads all |
//! | `replication-offset-checkpoint` | high watermark | consumers wait until it is known again |
//! | `log-start-offset-checkpoint` | records below it are deleted | deleted records come back |
//! | `cleaner-offset-checkpoint` | compacted up to here | the log is compacted again |
//! | `leader-epoch-checkpoint` | first offset of each leader | a follower may diverge |
//!
//! Kafka counterpart: `CheckpointFile.java`, `OffsetCheckpointFile.java` and
//! `LeaderEpochCheckpointFile.java`.

/// The only version of the format.
const VERSION: &str = "0";

/// A line of a checkpoint.
pub trait Entry: Sized {
    /// The text of the line, without the newline.
    fn print(&self) -> String;

    /// Parses a line; none if it is damaged.
    fn parse(line: &str) -> Option<Self>;
}

/// An offset of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// The topic.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// Its meaning depends on the file, see the table above.
    pub offset: i64,
}

/// The first offset that a leader wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch: the number of leaders that the partition had before this one.
    pub epoch: i32,
    /// The first offset that this leader wrote.
    pub start_offset: i64,
}

/// A line has one word per field.
macro_rules! words {
    ($entry:ident: $($field:ident),*) => {
        impl Entry for $entry {
            fn print(&self) -> String {
                [$(self.$field.to_string()),*].join(" ")
            }

            fn parse(line: &str) -> Option<$entry> {
                let mut words = line.split(' ');
                let entry = $entry { $($field: words.next()?.parse().ok()?),* };
                words.next().is_none().then_some(entry)
            }
        }
    };
}

words!(OffsetEntry: topic, partition, offset);
words!(EpochEntry: epoch, start_offset);

/// The text of a checkpoint with these lines.
pub fn print<'a, E: Entry + 'a>(entries: impl IntoIterator<Item = &'a E>) -> String {
    let lines = entries.into_iter().map(Entry::print).collect::<Vec<_>>();
    let mut text = format!("{VERSION}\n{}\n", lines.len());
    lines.iter().for_each(|line| text += &format!("{line}\n"));
    text
}

/// Parses a checkpoint. An unknown version, a wrong number of lines, or a damaged line is an error.
/// An empty file has no entries: Kafka creates the file before it first writes to it.
pub fn parse<E: Entry>(text: &str) -> Result<Vec<E>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let damaged = |line: usize| format!("the checkpoint is damaged in line {line}");
    let mut lines = text.lines();
    if lines.next() != Some(VERSION) {
        return Err(damaged(1));
    }
    let count: usize = lines.next().and_then(|it| it.parse().ok()).ok_or_else(|| damaged(2))?;

    let entries = lines.enumerate().map(|(index, line)| {
        let entry = if index < count { E::parse(line) } else { None };
        entry.ok_or_else(|| damaged(index + 3))
    });
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    if entries.len() == count { Ok(entries) } else { Err(damaged(entries.len() + 3)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_lines_are_named() {
        let line = |text| {
            let error = parse::<OffsetEntry>(text).unwrap_err();
            error.rsplit(' ').next().unwrap().parse::<usize>().unwrap()
        };
        assert_eq!(line("\n"), 1);
        assert_eq!(line("1\n0\n"), 1);
        assert_eq!(line("0\n"), 2);
        assert_eq!(line("0\n2\na 0 1\n"), 4);
        assert_eq!(line("0\n1\na 0 1\nb 0 1\n"), 4);
        assert_eq!(line("0\n1\na 0 x\n"), 3);
        assert_eq!(line("0\n1\na 0 1 2\n"), 3);
        assert_eq!(parse::<OffsetEntry>("0\n0\n"), Ok(Vec::new()));
        assert_eq!(parse::<OffsetEntry>(""), Ok(Vec::new()));
    }
}
