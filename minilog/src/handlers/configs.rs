//! Reading and changing the configuration of topics.
//!
//! ```text
//! kafka-configs.sh --alter --entity-type topics --entity-name orders \
//!     --add-config retention.ms=60000
//! kafka-configs.sh --describe --entity-type topics --entity-name orders
//!   retention.ms=60000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=60000,
//!     STATIC_BROKER_CONFIG:log.retention.ms=3600000, DEFAULT_CONFIG:log.retention.ms=604800000}
//! ```
//!
//! A value is listed with the values that it overrides, so that a client can show the value that a
//! deletion would restore. The broker's own configuration is its command line.
//!
//! Kafka counterpart: `ConfigHelper.scala`, `ConfigurationControlManager.java`.

use super::parameters::{Overrides, PARAMETERS, Parameter, Rule, elements, invalid_config, set};
use super::topics::outcome;
use super::{Broker, Failure};
use crate::engine::log::config::LogConfig;
use crate::wire::ErrorCode;
use crate::wire::configs::*;

/// The numbers of Kafka's `ConfigDef.Type`.
const BOOLEAN_TYPE: i8 = 1;
const STRING_TYPE: i8 = 2;
const INT_TYPE: i8 = 3;
const LONG_TYPE: i8 = 5;
const DOUBLE_TYPE: i8 = 6;
const LIST_TYPE: i8 = 7;

/// Describes the configuration of topics and of the broker.
pub fn describe_configs(
    broker: &Broker,
    request: &DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| {
        let (mut configs, error_code) = match resource.resource_type {
            TOPIC => match broker.topics.catalog().by_name(&resource.resource_name) {
                Some(it) => (topic_values(&it.overrides, &broker.topics.config), ErrorCode::NONE),
                None => (Vec::new(), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            },
            BROKER => (broker_values(broker), ErrorCode::NONE),
            _ => (Vec::new(), ErrorCode::INVALID_REQUEST),
        };
        let wanted = resource.configuration_keys.as_ref();
        configs.retain(|it| wanted.is_none_or(|keys| keys.contains(&it.name)));
        if !request.include_synonyms {
            configs.iter_mut().for_each(|it| it.synonyms.clear());
        }
        DescribeConfigsResult {
            error_code,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            configs,
            ..Default::default()
        }
    });
    DescribeConfigsResponse { results: results.collect(), ..Default::default() }
}

/// Every parameter of a topic.
pub fn topic_values(overrides: &Overrides, broker: &LogConfig) -> Vec<ConfigEntry> {
    let value = |parameter: &Parameter| {
        let own = overrides.get(parameter.name).cloned();
        let own = own.map(|value| synonym(parameter.name, value, SOURCE_TOPIC));
        let sources = own.into_iter().chain(broker_sources(parameter, broker));
        result(parameter.name, config_type(parameter), sources.collect())
    };
    PARAMETERS.iter().map(value).collect()
}

/// Every parameter of the broker.
fn broker_values(broker: &Broker) -> Vec<ConfigEntry> {
    let value = |parameter: &Parameter| {
        let sources = broker_sources(parameter, &broker.topics.config);
        result(parameter.broker_name, config_type(parameter), sources.collect())
    };
    let fixed = |name: &str, config_type, value: String| {
        result(name, config_type, vec![synonym(name, value, SOURCE_STATIC_BROKER)])
    };
    let mut values = PARAMETERS.iter().map(value).collect::<Vec<_>>();
    values.extend([
        fixed("auto.create.topics.enable", BOOLEAN_TYPE, broker.auto_create_topics.to_string()),
        fixed("log.dirs", STRING_TYPE, broker.data_dir.clone()),
        fixed("num.partitions", INT_TYPE, broker.num_partitions.to_string()),
    ]);
    values.iter_mut().for_each(|it| it.read_only = true);
    values
}

/// The broker's value if it differs from the default, then the default.
fn broker_sources(
    parameter: &Parameter,
    broker: &LogConfig,
) -> impl Iterator<Item = ConfigSynonym> + use<> {
    let name = parameter.broker_name;
    let (own, default) = (parameter.get(broker), parameter.get(&LogConfig::default()));
    let own = (own != default).then(|| synonym(name, own, SOURCE_STATIC_BROKER));
    own.into_iter().chain([synonym(name, default, SOURCE_DEFAULT)])
}

fn synonym(name: &str, value: String, source: i8) -> ConfigSynonym {
    ConfigSynonym { name: name.to_owned(), value: Some(value), source }
}

/// An entry with its sources, of which the first one takes effect.
fn result(name: &str, config_type: i8, synonyms: Vec<ConfigSynonym>) -> ConfigEntry {
    ConfigEntry {
        name: name.to_owned(),
        value: synonyms[0].value.clone(),
        config_source: synonyms[0].source,
        config_type,
        synonyms,
        ..Default::default()
    }
}

fn config_type(parameter: &Parameter) -> i8 {
    match parameter.rule {
        Rule::Int(..) => INT_TYPE,
        Rule::Long(..) => LONG_TYPE,
        Rule::Ratio(_) => DOUBLE_TYPE,
        Rule::Cleanup => LIST_TYPE,
        Rule::Only("1") => INT_TYPE,
        Rule::Only("false") => BOOLEAN_TYPE,
        Rule::Only(_) => STRING_TYPE,
    }
}

/// Changes the configuration of topics. The changes of a topic are all applied, or none.
pub fn alter(
    broker: &Broker,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let (topics, only_validate) = (&broker.topics, request.validate_only);
    let responses = request.resources.into_iter().map(|resource| {
        let AlterConfigsResource { resource_type, resource_name, configs } = resource;
        let altered = match resource_type {
            TOPIC => topics.configure(&resource_name, only_validate, |overrides| {
                configs.iter().try_for_each(|it| apply(overrides, &topics.config, it))
            }),
            _ => {
                let text = "only topics can be altered; the broker takes command line options";
                Err(Failure::new(ErrorCode::INVALID_REQUEST, text))
            }
        };
        let (error_code, error_message) = outcome(altered);
        AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
    });
    IncrementalAlterConfigsResponse { responses: responses.collect(), throttle_time_ms: 0 }
}

/// Applies one change to the overrides of a topic.
fn apply(
    overrides: &mut Overrides,
    defaults: &LogConfig,
    change: &AlterableConfig,
) -> Result<(), Failure> {
    let name = change.name.as_str();
    let value = change.value.as_deref().unwrap_or_default();
    match change.config_operation {
        SET => set(overrides, name, value),
        DELETE => {
            overrides.remove(name);
            Ok(())
        }
        operation @ (APPEND | SUBTRACT) => {
            let list = Parameter::of(name).ok().filter(|it| matches!(it.rule, Rule::Cleanup));
            let verb = if operation == APPEND { "APPEND" } else { "SUBTRACT" };
            let no_list = || format!("Can't {verb} to key {name} because its type is not LIST.");
            let parameter = list.ok_or_else(|| invalid_config(no_list()))?;
            // If the topic has no list of its own, start with the broker's elements.
            let current = overrides.get(name).cloned();
            let current = current.unwrap_or_else(|| parameter.get(defaults));
            let is_kept = |it: &&str| elements(value).all(|other| other != *it);
            let mut list = elements(&current).filter(is_kept).collect::<Vec<_>>();
            if operation == APPEND {
                list.extend(elements(value));
            }
            set(overrides, name, &list.join(","))
        }
        other => Err(invalid_config(format!("Unknown operation {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_kafka() {
        let values = topic_values(&Overrides::new(), &LogConfig::default());
        for (name, expected) in [
            ("cleanup.policy", LIST_TYPE),
            ("compression.type", STRING_TYPE),
            ("min.insync.replicas", INT_TYPE),
            ("retention.ms", LONG_TYPE),
            ("unclean.leader.election.enable", BOOLEAN_TYPE),
        ] {
            let found = values.iter().find(|it| it.name == name).map(|it| it.config_type);
            assert_eq!(found, Some(expected), "{name}");
        }
    }

    #[test]
    fn unknown_names_can_be_deleted_and_only_lists_have_elements() {
        let change = |name: &str, config_operation, value: &str| {
            let (name, value) = (name.to_owned(), Some(value.to_owned()));
            let change = AlterableConfig { name, config_operation, value };
            apply(&mut Overrides::new(), &LogConfig::default(), &change).err().map(|it| it.text)
        };
        assert_eq!(change("foo", DELETE, ""), None);
        assert_eq!(change("cleanup.policy", APPEND, "compact"), None);
        for name in ["foo", "retention.ms"] {
            let text = format!("Can't SUBTRACT to key {name} because its type is not LIST.");
            assert_eq!(change(name, SUBTRACT, "7"), Some(text));
        }
    }
}
