//! FindCoordinator (key 10): which broker coordinates a group. A member asks before it joins, and
//! again after `NOT_COORDINATOR`.
//!
//! Version 4 turned one key into a list, so both ends have the single form and the list. Use
//! [`FindCoordinatorRequest::keys`] to read either.
//!
//! ```
//! use minilog::wire::coordinator::FindCoordinatorRequest;
//!
//! let old = FindCoordinatorRequest { key: "billing".into(), ..FindCoordinatorRequest::default() };
//! assert_eq!(old.keys(3), ["billing"]);
//! let coordinator_keys = vec!["billing".into(), "audit".into()];
//! let new = FindCoordinatorRequest { coordinator_keys, ..FindCoordinatorRequest::default() };
//! assert_eq!(new.keys(4), ["billing", "audit"]);
//! ```
//!
//! Kafka counterpart: `FindCoordinatorRequest.json`, KIP-699.

use super::{ErrorCode, message};

/// `key_type` of a consumer group.
pub const KEY_TYPE_GROUP: i8 = 0;
/// `key_type` of a transactional id.
pub const KEY_TYPE_TRANSACTION: i8 = 1;

/// The first version with a list of keys.
const BATCHED_FROM: i16 = 4;

message! {
    /// Asks for the coordinators of groups.
    pub struct FindCoordinatorRequest: key 10, versions 0-6, flexible 3+ {
        0-3 key:              String,      "the group";
        1+  key_type:         i8,          "0: group, 1: transactional id, 2: share group";
        4+  coordinator_keys: Vec<String>, "the groups";
    }

    /// The coordinators.
    pub struct FindCoordinatorResponse: key 10, versions 0-6, flexible 3+ {
        1+  throttle_time_ms: i32,              "delay by quotas";
        0-3 error_code:       ErrorCode,        "why there is no coordinator";
        1-3 error_message:    Option<String>,   "an error in words";
        0-3 node_id:          i32,              "the broker";
        0-3 host:             String,           "the host to connect to";
        0-3 port:             i32,              "the port to connect to";
        4+  coordinators:     Vec<Coordinator>, "the same for each key";
        Coordinator {
            4+ key:           String,         "the group";
            4+ node_id:       i32,            "the broker";
            4+ host:          String,         "the host to connect to";
            4+ port:          i32,            "the port to connect to";
            4+ error_code:    ErrorCode,      "why there is no coordinator";
            4+ error_message: Option<String>, "an error in words";
        }
    }
}

impl FindCoordinatorRequest {
    /// The groups that a request of `version` asks for.
    pub fn keys(&self, version: i16) -> &[String] {
        if version < BATCHED_FROM {
            std::slice::from_ref(&self.key)
        } else {
            &self.coordinator_keys
        }
    }
}
