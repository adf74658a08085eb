//! The configuration of a log: how it rolls, flushes, cleans up and refuses.
//!
//! A value comes from one of three places; the first that has one counts:
//!
//! ```text
//! the topic      retention.ms=60000          kafka-configs.sh --alter, topic.properties
//! the broker     --retention-ms 3600000      as log.retention.ms in Kafka's server.properties
//! Kafka          604800000                   the default, seven days
//! ```
//!
//! ```
//! use minilog::engine::log::config::{LogConfig, Overrides};
//!
//! let mut topic = Overrides::default();
//! topic.set("retention.ms", "60000")?;
//! topic.set("cleanup.policy", "compact,delete")?;
//! let config = topic.apply(&LogConfig::default())?;
//! assert_eq!((config.retention_ms, config.segment_ms), (60_000, 604_800_000));
//! assert!(config.cleanup.compacts && config.cleanup.deletes);
//!
//! assert_eq!(
//!     topic.set("segment.bytes", "100").unwrap_err().to_string(),
//!     "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576",
//! );
//! # Ok::<(), minilog::engine::log::config::InvalidConfig>(())
//! ```
//!
//! Names, defaults, limits and messages are those of Kafka. Numbers are signed as there; what is
//! "no limit" in Kafka, -1 or the largest number, is so here.
//!
//! # Differences from Kafka (`LogConfig.java`, `TopicConfig.java`)
//!
//! Of 32 parameters there are 17. Three of them have one allowed value ([`Rule::Only`]): clients
//! like Kafka Streams and Connect set them, and anything else would be a promise that the broker
//! does not keep.

use std::collections::BTreeMap;
use std::fmt;

/// The values that are in force for a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a batch that would make the active segment longer goes to a new one.
    pub segment_bytes: i64,
    /// `segment.ms`: so does a batch whose timestamp is this much later than the segment's first.
    pub segment_ms: i64,
    /// `index.interval.bytes`: one index entry per this many bytes.
    pub index_interval_bytes: i64,
    /// `max.message.bytes`: the longest batch.
    pub message_bytes_max: i64,
    /// `flush.messages`: an append that leaves this many records without a sync waits for one.
    pub flush_messages: i64,
    /// `flush.ms`: records are synced after this time.
    pub flush_ms: i64,
    /// `cleanup.policy`
    pub cleanup: Cleanup,
    /// `retention.ms`: segments whose latest record is older are deleted; -1 keeps them.
    pub retention_ms: i64,
    /// `retention.bytes`: old segments are deleted while the log is longer; -1 keeps them.
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
    /// Segments are deleted after the retention.
    pub deletes: bool,
    /// Of each key the latest record is kept.
    pub compacts: bool,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            index_interval_bytes: 4096,
            message_bytes_max: 1024 * 1024 + 12,
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

/// One row of [`PARAMETERS`].
pub struct Parameter {
    /// Its name for a topic.
    pub name: &'static str,
    /// The name of the broker's parameter that is its default.
    pub broker_name: &'static str,
    /// Which values it takes.
    pub rule: Rule,
}

/// Which values a parameter takes, and where they are in [`LogConfig`].
#[derive(Clone, Copy)]
pub enum Rule {
    /// A number of 32 bits, at least this one.
    Int(i64, Number),
    /// A number of 64 bits, at least this one.
    Long(i64, Number),
    /// A number from 0 to 1.
    Ratio(fn(&mut LogConfig) -> &mut f64),
    /// `delete`, `compact` or both.
    Cleanup,
    /// Only this value.
    Only(&'static str),
}

/// The field of a number.
type Number = fn(&mut LogConfig) -> &mut i64;

const fn row(name: &'static str, broker_name: &'static str, rule: Rule) -> Parameter {
    Parameter { name, broker_name, rule }
}

/// Every parameter of a topic, by name.
#[rustfmt::skip]
pub const PARAMETERS: [Parameter; 17] = [
    row("cleanup.policy", "log.cleanup.policy", Rule::Cleanup),
    row("compression.type", "compression.type", Rule::Only("producer")),
    row("delete.retention.ms", "log.cleaner.delete.retention.ms",
        Rule::Long(0, |it| &mut it.delete_retention_ms)),
    row("flush.messages", "log.flush.interval.messages",
        Rule::Long(1, |it| &mut it.flush_messages)),
    row("flush.ms", "log.flush.interval.ms", Rule::Long(0, |it| &mut it.flush_ms)),
    row("index.interval.bytes", "log.index.interval.bytes",
        Rule::Int(0, |it| &mut it.index_interval_bytes)),
    row("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms",
        Rule::Long(1, |it| &mut it.max_compaction_lag_ms)),
    row("max.message.bytes", "message.max.bytes", Rule::Int(0, |it| &mut it.message_bytes_max)),
    row("message.timestamp.type", "log.message.timestamp.type", Rule::Only("CreateTime")),
    row("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio",
        Rule::Ratio(|it| &mut it.min_cleanable_dirty_ratio)),
    row("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms",
        Rule::Long(0, |it| &mut it.min_compaction_lag_ms)),
    row("min.insync.replicas", "min.insync.replicas", Rule::Only("1")),
    row("retention.bytes", "log.retention.bytes", Rule::Long(-1, |it| &mut it.retention_bytes)),
    row("retention.ms", "log.retention.ms", Rule::Long(-1, |it| &mut it.retention_ms)),
    row("segment.bytes", "log.segment.bytes", Rule::Int(1 << 20, |it| &mut it.segment_bytes)),
    row("segment.ms", "log.roll.ms", Rule::Long(1, |it| &mut it.segment_ms)),
    row("unclean.leader.election.enable", "unclean.leader.election.enable", Rule::Only("false")),
];

/// A name or a value that a topic cannot have, in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig(String);

impl InvalidConfig {
    /// An error in these words.
    pub fn new(text: String) -> InvalidConfig {
        InvalidConfig(text)
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidConfig {}

impl Parameter {
    /// The parameter of this name.
    pub fn of(name: &str) -> Result<&'static Parameter, InvalidConfig> {
        let unknown = || InvalidConfig(format!("Unknown topic config name: {name}"));
        PARAMETERS.iter().find(|it| it.name == name).ok_or_else(unknown)
    }

    /// The value in a configuration.
    pub fn get(&self, config: &LogConfig) -> String {
        let mut config = config.clone();
        match self.rule {
            Rule::Int(_, field) | Rule::Long(_, field) => field(&mut config).to_string(),
            Rule::Ratio(field) => format!("{:?}", field(&mut config)),
            Rule::Only(value) => value.to_owned(),
            Rule::Cleanup => {
                let Cleanup { deletes, compacts } = config.cleanup;
                let policies = [(compacts, "compact"), (deletes, "delete")];
                let policies = policies.iter().filter(|(is_set, _)| *is_set).map(|(_, it)| *it);
                policies.collect::<Vec<_>>().join(",")
            }
        }
    }

    /// Puts a value into a configuration.
    fn put(&self, config: &mut LogConfig, value: &str) -> Result<(), InvalidConfig> {
        let invalid = |problem: String| {
            let name = self.name;
            InvalidConfig(format!("Invalid value {value} for configuration {name}: {problem}"))
        };
        let number = |min: i64, max: i64, kind| {
            let number = value.parse::<i64>().ok().filter(|it| *it <= max);
            let number = number.ok_or(format!("Not a number of type {kind}"));
            let too_small = format!("Value must be at least {min}");
            number.and_then(|it| if it < min { Err(too_small) } else { Ok(it) })
        };
        match self.rule {
            Rule::Int(min, field) => {
                *field(config) = number(min, i32::MAX.into(), "INT").map_err(invalid)?;
            }
            Rule::Long(min, field) => {
                *field(config) = number(min, i64::MAX, "LONG").map_err(invalid)?;
            }
            Rule::Ratio(field) => match value.parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => *field(config) = ratio,
                Ok(ratio) if ratio > 1.0 => {
                    return Err(invalid("Value must be no more than 1".to_owned()));
                }
                Ok(_) => return Err(invalid("Value must be at least 0".to_owned())),
                Err(_) => return Err(invalid("Not a number of type DOUBLE".to_owned())),
            },
            Rule::Cleanup => {
                let policies = elements(value).collect::<Vec<_>>();
                if policies.iter().any(|it| !["compact", "delete"].contains(it)) {
                    return Err(invalid("String must be one of: compact, delete".to_owned()));
                }
                let has = |policy| policies.contains(&policy);
                config.cleanup = Cleanup { deletes: has("delete"), compacts: has("compact") };
            }
            Rule::Only(only) if value != only => {
                return Err(invalid(format!("this broker supports only {only}")));
            }
            Rule::Only(_) => {}
        }
        Ok(())
    }
}

/// The elements of a list, which commas separate.
pub fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|it| !it.is_empty())
}

/// The values that were set on a topic, by name; each of them is valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<String, String>);

impl Overrides {
    /// The file of a topic's overrides, in the directory of its partition 0.
    pub const FILE: &'static str = "topic.properties";

    /// Sets a value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidConfig> {
        let value = value.trim();
        Parameter::of(name)?.put(&mut LogConfig::default(), value)?;
        self.0.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Removes a value: the broker's is in force again.
    pub fn remove(&mut self, name: &str) -> Result<(), InvalidConfig> {
        self.0.remove(Parameter::of(name)?.name);
        Ok(())
    }

    /// The value that was set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns true if nothing was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The broker's configuration with these values in place of its own. An error if two values
    /// contradict each other.
    pub fn apply(&self, broker: &LogConfig) -> Result<LogConfig, InvalidConfig> {
        let mut config = broker.clone();
        for (name, value) in &self.0 {
            Parameter::of(name)?.put(&mut config, value)?;
        }
        let (min, max) = (config.min_compaction_lag_ms, config.max_compaction_lag_ms);
        if min > max {
            return Err(InvalidConfig(format!(
                "conflict topic config setting min.compaction.lag.ms ({min}) > \
                 max.compaction.lag.ms ({max})"
            )));
        }
        Ok(config)
    }

    /// The text of the file.
    pub fn print(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    /// Reads the file.
    pub fn parse(text: &str) -> Result<Overrides, InvalidConfig> {
        let mut overrides = Overrides::default();
        for line in text.lines() {
            let no_pair = || InvalidConfig(format!("{line} is not NAME=VALUE"));
            let (name, value) = line.split_once('=').ok_or_else(no_pair)?;
            overrides.set(name, value)?;
        }
        Ok(overrides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str, value: &str) -> String {
        let error = Overrides::default().set(name, value).unwrap_err().to_string();
        error.rsplit(": ").next().unwrap_or_default().to_owned()
    }

    #[test]
    fn limits_are_those_of_kafka() {
        assert_eq!(problem("retention.ms", "-2"), "Value must be at least -1");
        assert_eq!(problem("retention.ms", "1 day"), "Not a number of type LONG");
        assert_eq!(problem("max.message.bytes", "2147483648"), "Not a number of type INT");
        assert_eq!(problem("min.cleanable.dirty.ratio", "1.5"), "Value must be no more than 1");
        assert_eq!(problem("min.cleanable.dirty.ratio", "NaN"), "Value must be at least 0");
        assert_eq!(problem("cleanup.policy", "burn"), "compact, delete");
        assert_eq!(problem("message.timestamp.type", "LogAppendTime"), {
            "this broker supports only CreateTime"
        });
        assert_eq!(problem("no.such.name", "1"), "no.such.name");
    }

    #[test]
    fn the_defaults_satisfy_their_own_rules() {
        let defaults = LogConfig::default();
        let mut overrides = Overrides::default();
        for parameter in &PARAMETERS {
            overrides.set(parameter.name, &parameter.get(&defaults)).unwrap();
        }
        assert_eq!(overrides.apply(&defaults), Ok(defaults));
        assert_eq!(Overrides::parse(&overrides.print()), Ok(overrides));
        assert!(PARAMETERS.is_sorted_by_key(|it| it.name));
    }

    #[test]
    fn two_values_may_contradict_each_other() {
        let mut overrides = Overrides::default();
        overrides.set("min.compaction.lag.ms", "10").unwrap();
        overrides.set("max.compaction.lag.ms", "5").unwrap();
        let error = overrides.apply(&LogConfig::default()).unwrap_err().to_string();
        assert!(error.starts_with("conflict topic config setting min.compaction.lag.ms (10)"));
    }
}
