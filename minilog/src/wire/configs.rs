//! Configuration of topics and brokers: DescribeConfigs (key 32), IncrementalAlterConfigs (44).
//!
//! A resource is identified by type and name: [`TOPIC`] and `orders`, or [`BROKER`] and `1`. Each
//! value has its source: the topic, the broker, or Kafka's default.
//!
//! Kafka counterpart: `DescribeConfigsRequest.json`, `ConfigResource.java`, KIP-133, KIP-339.

use super::{ErrorCode, message};

/// `resource_type` of a topic.
pub const TOPIC: i8 = 2;
/// `resource_type` of a broker.
pub const BROKER: i8 = 4;

/// `config_source` of a value that was set on the topic.
pub const SOURCE_TOPIC: i8 = 1;
/// `config_source` of a value from the broker's configuration file or command line.
pub const SOURCE_STATIC_BROKER: i8 = 4;
/// `config_source` of a default value.
pub const SOURCE_DEFAULT: i8 = 5;

/// `config_operation`: the value is replaced.
pub const SET: i8 = 0;
/// `config_operation`: the value is removed, so the default applies again.
pub const DELETE: i8 = 1;
/// `config_operation`: elements are added to a list.
pub const APPEND: i8 = 2;
/// `config_operation`: elements are removed from a list.
pub const SUBTRACT: i8 = 3;

message! {
    /// Asks for configuration values.
    pub struct DescribeConfigsRequest: key 32, versions 1-4, flexible 4+ {
        0+ resources:             Vec<DescribeConfigsResource>, "of which topics and brokers";
        DescribeConfigsResource {
            0+ resource_type:      i8,                  "2: topic, 4: broker";
            0+ resource_name:      String,              "its name";
            0+ configuration_keys: Option<Vec<String>>, "which values; null for all";
        }
        1+ include_synonyms:      bool, "ask for the values that a value overrides";
        3+ include_documentation: bool, "ask for descriptions";
    }

    /// Configuration values.
    pub struct DescribeConfigsResponse: key 32, versions 1-4, flexible 4+ {
        0+ throttle_time_ms: i32,                        "delay by quotas";
        0+ results:          Vec<DescribeConfigsResult>, "the results, by topic or broker";
        DescribeConfigsResult {
            0+ error_code:    ErrorCode,                          "why there are none";
            0+ error_message: Option<String>,                     "an error in words";
            0+ resource_type: i8,                                 "2: topic, 4: broker";
            0+ resource_name: String,                             "its name";
            0+ configs:       Vec<ConfigEntry>, "the values";
            ConfigEntry {
                0+ name:          String,         "for instance cleanup.policy";
                0+ value:         Option<String>, "for instance compact";
                0+ read_only:     bool,           "true if it cannot be altered";
                1+ config_source: i8 = -1,        "1: topic, 4: broker, 5: default";
                0+ is_sensitive:  bool,           "true for passwords, whose value is null";
                1+ synonyms:      Vec<ConfigSynonym>, "the values that it overrides";
                ConfigSynonym {
                    1+ name:   String,         "its name, as log.cleanup.policy of a broker";
                    1+ value:  Option<String>, "the value";
                    1+ source: i8,             "where it comes from";
                }
                3+ config_type:   i8,             "1: boolean, 2: string, 3: int, 5: long, ..";
                3+ documentation: Option<String>, "a description";
            }
        }
    }

    /// Changes configuration values.
    pub struct IncrementalAlterConfigsRequest: key 44, versions 0-1, flexible 1+ {
        0+ resources:     Vec<AlterConfigsResource>, "of which topics and brokers";
        AlterConfigsResource {
            0+ resource_type: i8,                   "2: topic, 4: broker";
            0+ resource_name: String,               "its name";
            0+ configs:       Vec<AlterableConfig>, "the changes";
            AlterableConfig {
                0+ name:             String,         "for instance cleanup.policy";
                0+ config_operation: i8,             "0: set, 1: delete, 2: append, 3: subtract";
                0+ value:            Option<String>, "the value, null for delete";
            }
        }
        0+ validate_only: bool,                      "check and change nothing";
    }

    /// The results of the changes.
    pub struct IncrementalAlterConfigsResponse: key 44, versions 0-1, flexible 1+ {
        0+ throttle_time_ms: i32,                               "delay by quotas";
        0+ responses:        Vec<AlterConfigsResourceResponse>, "the results";
        AlterConfigsResourceResponse {
            0+ error_code:    ErrorCode,      "why nothing was changed";
            0+ error_message: Option<String>, "an error in words";
            0+ resource_type: i8,             "2: topic, 4: broker";
            0+ resource_name: String,         "its name";
        }
    }
}
