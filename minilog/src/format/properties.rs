//! `meta.properties`, `partition.metadata` and the marker of a clean shutdown: small text files
//! that name the cluster of a data directory and the topic of a partition.
//!
//! ```
//! use minilog::format::properties::{Meta, Uuid, parse_topic_id, print_topic_id};
//!
//! let topic_id = Uuid::parse("2cRNXmKvQ9ys-UvS-ZfYNA").unwrap();
//! let text = "version: 0\ntopic_id: 2cRNXmKvQ9ys-UvS-ZfYNA";
//! assert_eq!(print_topic_id(topic_id), text);
//! assert_eq!(parse_topic_id(text), Some(topic_id));
//!
//! let meta = Meta::parse("#a comment\nversion=1\ncluster.id=abc\nnode.id=3\n").unwrap();
//! assert_eq!((meta.cluster_id.as_str(), meta.node_id), ("abc", 3));
//! ```
//!
//! Clients may refer to a topic by its id, so they can tell a deleted topic from a new one of the
//! same name. The id must survive a restart, so it is stored in a file.
//!
//! Kafka counterpart: `PartitionMetadataFile.java`, `MetaProperties.java`, `Uuid.java` and
//! `CleanShutdownFileHandler.java`. Kafka escapes special characters in a properties file; the
//! values here contain none. Kafka's `directory.id`, which distinguishes the data directories of
//! one broker, is ignored.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::fmt;

/// The file that a clean shutdown leaves. Without it the log is recovered at the next start.
pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";
/// The content of [`CLEAN_SHUTDOWN_FILE`]. The broker epoch is assigned by a controller, which a
/// single node does not have.
pub const CLEAN_SHUTDOWN: &str = r#"{"version":0,"brokerEpoch":-1}"#;

/// 128 bits that identify a topic or a cluster. Kafka prints them as 22 characters of base64url.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// A version 4 UUID of random bytes.
    pub fn from_random(mut bytes: [u8; 16]) -> Uuid {
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Uuid(bytes)
    }

    /// Parses 22 characters of base64url; none for any other text.
    pub fn parse(text: &str) -> Option<Uuid> {
        BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Uuid)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// The file that holds the id of a partition's topic.
pub const PARTITION_METADATA: &str = "partition.metadata";

/// The text of [`PARTITION_METADATA`].
pub fn print_topic_id(topic_id: Uuid) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// Parses [`PARTITION_METADATA`]; none if it is damaged or of another version.
pub fn parse_topic_id(text: &str) -> Option<Uuid> {
    let mut lines = text.lines();
    lines.next().filter(|it| *it == "version: 0")?;
    Uuid::parse(lines.next()?.strip_prefix("topic_id: ")?.trim())
}

/// The content of `meta.properties`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The id of the cluster that the data belongs to.
    pub cluster_id: String,
    /// The number of the broker in this cluster.
    pub node_id: i32,
}

impl Meta {
    /// The name of the file.
    pub const FILE: &'static str = "meta.properties";

    /// The text of the file.
    pub fn print(&self) -> String {
        let Meta { cluster_id, node_id } = self;
        format!("version=1\ncluster.id={cluster_id}\nnode.id={node_id}\n")
    }

    /// Parses the file; none if it is damaged or of another version.
    pub fn parse(text: &str) -> Option<Meta> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once('=')).collect::<Vec<_>>();
        let value = |name| pairs.iter().find(|(it, _)| *it == name).map(|(_, value)| *value);
        value("version").filter(|it| *it == "1")?;
        Some(Meta {
            cluster_id: value("cluster.id")?.to_owned(),
            node_id: value("node.id")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_none() {
        for text in ["", "version: 0\n", "version: 1\ntopic_id: 2cRNXmKvQ9ys-UvS-ZfYNA", "x\ny"] {
            assert_eq!(parse_topic_id(text), None, "{text}");
        }
        assert_eq!(Uuid::parse("short"), None);
        assert_eq!(Meta::parse("version=1\nnode.id=1\n"), None);
    }

    #[test]
    fn meta_properties_round_trip() {
        let meta = Meta { cluster_id: "abc".to_owned(), node_id: 1 };
        assert_eq!(Meta::parse(&meta.print()), Some(meta));
    }

    #[test]
    fn random_ids_have_version_4() {
        let Uuid(bytes) = Uuid::from_random([0xff; 16]);
        assert_eq!((bytes[6], bytes[8]), (0x4f, 0xbf));
    }
}
