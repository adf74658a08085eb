//! The configuration parameters of a topic: their names, and their valid values.
//!
//! ```text
//! kafka-topics.sh --create --topic orders --config retention.ms=60000 --config segment.bytes=100
//! Invalid value 100 for configuration segment.bytes: Value must be at least 1048576
//! ```
//!
//! Names, defaults, limits and messages are those of Kafka.
//!
//! # Differences from Kafka (`LogConfig.java`, `TopicConfig.java`)
//!
//! Of Kafka's 32 parameters 19 are supported. Four of them have only one valid value
//! ([`Rule::Only`]): clients like Kafka Streams and Connect set them, but the broker could not
//! honor any other value.

use super::Failure;
use crate::engine::log::config::{Cleanup, LogConfig};
use crate::wire::ErrorCode;
use std::collections::BTreeMap;

/// The parameters set on a topic, by name.
pub type Overrides = BTreeMap<String, String>;

/// The error for an unknown parameter or an invalid value.
pub(super) fn invalid_config(text: String) -> Failure {
    Failure::new(ErrorCode::INVALID_CONFIG, text)
}

/// One row of [`PARAMETERS`].
pub struct Parameter {
    /// The topic's parameter.
    pub name: &'static str,
    /// The broker's parameter, which is the default for topics.
    pub broker_name: &'static str,
    /// The valid values.
    pub rule: Rule,
}

/// The valid values of a parameter, and its field in [`LogConfig`].
#[derive(Clone, Copy)]
pub enum Rule {
    /// A 32-bit number, at least this one.
    Int(i64, Number),
    /// A 64-bit number, at least this one.
    Long(i64, Number),
    /// A number from 0 to 1.
    Ratio(fn(&mut LogConfig) -> &mut f64),
    /// `delete`, `compact` or both.
    Cleanup,
    /// Only this value.
    Only(&'static str),
}

/// Accesses the field of a number.
type Number = fn(&mut LogConfig) -> &mut i64;

const fn row(name: &'static str, broker_name: &'static str, rule: Rule) -> Parameter {
    Parameter { name, broker_name, rule }
}

/// Every parameter of a topic, by name.
#[rustfmt::skip]
pub const PARAMETERS: [Parameter; 19] = [
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
    row("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms",
        Rule::Long(0, |it| &mut it.timestamp_after_max_ms)),
    row("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms",
        Rule::Long(0, |it| &mut it.timestamp_before_max_ms)),
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

impl Parameter {
    /// The parameter of this name.
    pub fn of(name: &str) -> Result<&'static Parameter, Failure> {
        let unknown = || invalid_config(format!("Unknown topic config name: {name}"));
        PARAMETERS.iter().find(|it| it.name == name).ok_or_else(unknown)
    }

    /// The value of the parameter in a configuration.
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

    /// Sets the parameter in a configuration.
    fn put(&self, config: &mut LogConfig, value: &str) -> Result<(), Failure> {
        let invalid = |problem: &str| {
            let name = self.name;
            invalid_config(format!("Invalid value {value} for configuration {name}: {problem}"))
        };
        let number = |min: i64, max: i64, kind| {
            let number = value.parse::<i64>().ok().filter(|it| *it <= max);
            match number.ok_or_else(|| invalid(&format!("Not a number of type {kind}")))? {
                it if it < min => Err(invalid(&format!("Value must be at least {min}"))),
                it => Ok(it),
            }
        };
        match self.rule {
            Rule::Int(min, field) => *field(config) = number(min, i32::MAX.into(), "INT")?,
            Rule::Long(min, field) => *field(config) = number(min, i64::MAX, "LONG")?,
            Rule::Ratio(field) => match value.parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => *field(config) = ratio,
                Ok(ratio) if ratio > 1.0 => return Err(invalid("Value must be no more than 1")),
                Ok(_) => return Err(invalid("Value must be at least 0")),
                Err(_) => return Err(invalid("Not a number of type DOUBLE")),
            },
            Rule::Cleanup => {
                let policies = elements(value).collect::<Vec<_>>();
                if policies.iter().any(|it| !["compact", "delete"].contains(it)) {
                    return Err(invalid("String must be one of: compact, delete"));
                }
                let has = |policy| policies.contains(&policy);
                config.cleanup = Cleanup { deletes: has("delete"), compacts: has("compact") };
            }
            Rule::Only(only) if value != only => {
                return Err(invalid(&format!("this broker supports only {only}")));
            }
            Rule::Only(_) => {}
        }
        Ok(())
    }
}

/// The elements of a comma-separated list.
pub fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|it| !it.is_empty())
}

/// Sets a parameter of a topic if the value is valid.
pub fn set(overrides: &mut Overrides, name: &str, value: &str) -> Result<(), Failure> {
    let value = value.trim();
    Parameter::of(name)?.put(&mut LogConfig::default(), value)?;
    overrides.insert(name.to_owned(), value.to_owned());
    Ok(())
}

/// The broker's configuration with a topic's overrides. An error if a value is invalid, or if two
/// values contradict each other.
pub fn resolve(overrides: &Overrides, broker: &LogConfig) -> Result<LogConfig, Failure> {
    let mut config = broker.clone();
    for (name, value) in overrides {
        Parameter::of(name)?.put(&mut config, value)?;
    }
    let (min, max) = (config.min_compaction_lag_ms, config.max_compaction_lag_ms);
    if min > max {
        return Err(invalid_config(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > \
             max.compaction.lag.ms ({max})"
        )));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str, value: &str) -> String {
        let error = set(&mut Overrides::new(), name, value).unwrap_err().text;
        error.rsplit(": ").next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_topic_has_its_own_values_and_those_of_the_broker() {
        let mut topic = Overrides::new();
        set(&mut topic, "retention.ms", "60000").unwrap();
        set(&mut topic, "cleanup.policy", "compact,delete").unwrap();
        let config = resolve(&topic, &LogConfig::default()).unwrap();
        assert_eq!((config.retention_ms, config.segment_ms), (60_000, 604_800_000));
        assert!(config.cleanup.compacts && config.cleanup.deletes);
    }

    #[test]
    fn limits_are_those_of_kafka() {
        assert_eq!(problem("retention.ms", "-2"), "Value must be at least -1");
        assert_eq!(problem("segment.bytes", "100"), "Value must be at least 1048576");
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
        let mut overrides = Overrides::new();
        for parameter in &PARAMETERS {
            set(&mut overrides, parameter.name, &parameter.get(&defaults)).unwrap();
        }
        assert_eq!(resolve(&overrides, &defaults), Ok(defaults));
        assert!(PARAMETERS.is_sorted_by_key(|it| it.name));
    }

    #[test]
    fn two_values_may_contradict_each_other() {
        let mut overrides = Overrides::new();
        set(&mut overrides, "min.compaction.lag.ms", "10").unwrap();
        set(&mut overrides, "max.compaction.lag.ms", "5").unwrap();
        let error = resolve(&overrides, &LogConfig::default()).unwrap_err().text;
        assert!(error.starts_with("conflict topic config setting min.compaction.lag.ms (10)"));
    }
}
