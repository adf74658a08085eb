//! Error codes, which a response contains in place of a result.
//!
//! A response can contain an error for one partition and results for the others, so errors are
//! fields of messages. Some errors tell the client what to do: after `NOT_LEADER_OR_FOLLOWER` it
//! asks for new metadata, after `REBALANCE_IN_PROGRESS` it joins its group again. Clients decide by
//! the number, and in many messages the number is all there is.
//!
//! ```
//! use minilog::wire::error_code::ErrorCode;
//!
//! let error = ErrorCode::MEMBER_ID_REQUIRED;
//! assert_eq!((error.0, error.to_string()), (79, "MEMBER_ID_REQUIRED (79)".into()));
//! assert_eq!(ErrorCode(999).to_string(), "error 999");
//! ```
//!
//! Kafka counterpart: `Errors.java`, which has 134 codes. These are the ones that this broker sends
//! or that the client of this crate handles.

use std::fmt;

/// An error code, or [`ErrorCode::NONE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i16);

macro_rules! error_codes {
    ($( $code:literal $name:ident $meaning:literal; )*) => {
        impl ErrorCode {
            $( #[doc = $meaning] pub const $name: ErrorCode = ErrorCode($code); )*

            /// The name and the meaning of the code, if it is one of these.
            pub fn explain(self) -> Option<(&'static str, &'static str)> {
                match self.0 {
                    $( $code => Some((stringify!($name), $meaning)), )*
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    -1 UNKNOWN_SERVER_ERROR "The broker failed; its log says why.";
    0 NONE "No error.";
    1 OFFSET_OUT_OF_RANGE "The offset is before the start or after the end of the log.";
    2 CORRUPT_MESSAGE "The checksum of a batch is wrong.";
    3 UNKNOWN_TOPIC_OR_PARTITION "There is no such topic or partition.";
    6 NOT_LEADER_OR_FOLLOWER "Another broker leads the partition.";
    7 REQUEST_TIMED_OUT "The request was not completed within its timeout.";
    5 LEADER_NOT_AVAILABLE "The partition has no leader yet; try again.";
    10 MESSAGE_TOO_LARGE "A batch is larger than `max.message.bytes`.";
    12 OFFSET_METADATA_TOO_LARGE "The metadata of a committed offset is too large.";
    14 COORDINATOR_LOAD_IN_PROGRESS "The coordinator is reading its log; try again.";
    15 COORDINATOR_NOT_AVAILABLE "The coordinator cannot answer yet; try again.";
    16 NOT_COORDINATOR "Another broker coordinates the group.";
    17 INVALID_TOPIC_EXCEPTION "The name is not allowed for a topic.";
    21 INVALID_REQUIRED_ACKS "`acks` is neither -1, 0 nor 1.";
    22 ILLEGAL_GENERATION "The member belongs to an older generation of the group.";
    23 INCONSISTENT_GROUP_PROTOCOL "The member has no assignor in common with the group.";
    24 INVALID_GROUP_ID "The group id is empty or not allowed.";
    25 UNKNOWN_MEMBER_ID "The group has no such member.";
    26 INVALID_SESSION_TIMEOUT "The session timeout is outside the limits of the broker.";
    27 REBALANCE_IN_PROGRESS "The group is rebalancing: join again.";
    32 INVALID_TIMESTAMP "A timestamp is too far from the broker's clock.";
    35 UNSUPPORTED_VERSION "The version of the request is not supported.";
    36 TOPIC_ALREADY_EXISTS "A topic of this name already exists.";
    37 INVALID_PARTITIONS "The number of partitions is not allowed.";
    38 INVALID_REPLICATION_FACTOR "More replicas than brokers, or none.";
    39 INVALID_REPLICA_ASSIGNMENT "The assignment names a broker that does not exist.";
    40 INVALID_CONFIG "A configuration value is not allowed.";
    42 INVALID_REQUEST "The request contradicts itself.";
    44 POLICY_VIOLATION "The configuration or a limit of the broker does not allow it.";
    45 OUT_OF_ORDER_SEQUENCE_NUMBER "Batches of the producer are missing.";
    46 DUPLICATE_SEQUENCE_NUMBER "The batch was appended before.";
    47 INVALID_PRODUCER_EPOCH "A newer instance of the producer exists.";
    53 TRANSACTIONAL_ID_AUTHORIZATION_FAILED "Transactions are not allowed.";
    56 KAFKA_STORAGE_ERROR "A file could not be read or written.";
    68 NON_EMPTY_GROUP "The group has members.";
    69 GROUP_ID_NOT_FOUND "There is no such group.";
    70 FETCH_SESSION_ID_NOT_FOUND "There is no such fetch session.";
    74 FENCED_LEADER_EPOCH "The client knows an older leader epoch.";
    75 UNKNOWN_LEADER_EPOCH "The client knows a newer leader epoch.";
    79 MEMBER_ID_REQUIRED "Join again with the member id of this response.";
    81 GROUP_MAX_SIZE_REACHED "The group has reached its maximum number of members.";
    82 FENCED_INSTANCE_ID "Another member has taken over the static instance id.";
    87 INVALID_RECORD "A record is invalid; the batch was not appended.";
    100 UNKNOWN_TOPIC_ID "There is no topic with this id.";
}

impl ErrorCode {
    /// Returns true if the same request may succeed later. These are the subclasses of Kafka's
    /// `RetriableException` that the client of this crate can get.
    pub fn is_retriable(self) -> bool {
        matches!(self.0, 2 | 3 | 5 | 6 | 7 | 14 | 15 | 16 | 56 | 74 | 75)
    }

    /// Returns true for every code but [`ErrorCode::NONE`].
    pub fn is_error(self) -> bool {
        self != ErrorCode::NONE
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.explain() {
            Some((name, _)) => write!(f, "{name} ({})", self.0),
            None => write!(f, "error {}", self.0),
        }
    }
}
