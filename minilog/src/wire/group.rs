//! Consumer groups, the classic protocol: FindCoordinator (key 10), JoinGroup (11), Heartbeat (12),
//! LeaveGroup (13), SyncGroup (14), and for administrators DescribeGroups (15), ListGroups (16),
//! DeleteGroups (42).
//!
//! The head of [`engine::group`](crate::engine::group) follows a rebalance from request to request.
//! The broker does not interpret the subscription of a member (`protocols`) or its assignment: it
//! forwards both as opaque bytes.
//!
//! # Versions that changed the behavior
//!
//! | request | version | change |
//! |---|---|---|
//! | FindCoordinator | 4 | several groups at once (KIP-699): [`FindCoordinatorRequest::keys`] |
//! | JoinGroup | 0 | no `rebalance_timeout_ms`: the session timeout is used |
//! | JoinGroup | 4 | the first join gets `MEMBER_ID_REQUIRED` and an id (KIP-394) |
//! | JoinGroup | 5 | static members: `group_instance_id` (KIP-345) |
//! | LeaveGroup | 3 | several members at once |
//!
//! Kafka counterpart: the JSON files of these names.

use super::{ErrorCode, message};

/// `key_type` of a consumer group.
pub const KEY_TYPE_GROUP: i8 = 0;
/// `key_type` of a transactional id.
pub const KEY_TYPE_TRANSACTION: i8 = 1;

/// The first version of FindCoordinator with a list of keys.
const COORDINATORS_FROM: i16 = 4;

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

    /// A member joins its group, or joins again.
    pub struct JoinGroupRequest: key 11, versions 0-9, flexible 6+ {
        0+ group_id:             String,         "the group";
        0+ session_timeout_ms:   i32,            "without a heartbeat, the member is dead";
        1+ rebalance_timeout_ms: i32 = -1,       "how long a rebalance waits for the member";
        0+ member_id:            String,         "the member; empty for a new one";
        5+ group_instance_id:    Option<String>, "the static instance id, or null";
        0+ protocol_type:        String,         "`consumer`, or `connect`";
        0+ protocols:            Vec<JoinGroupRequestProtocol>, "assignors, preferred first";
        JoinGroupRequestProtocol {
            0+ name:     String,  "for instance `range`";
            0+ metadata: Vec<u8>, "the topics the member wants; opaque to the broker";
        }
        8+ reason:               Option<String>, "why it joins, for logs";
    }

    /// The new generation.
    pub struct JoinGroupResponse: key 11, versions 0-9, flexible 6+ {
        2+ throttle_time_ms: i32,                     "delay by quotas";
        0+ error_code:       ErrorCode,               "why the member has not joined";
        0+ generation_id:    i32 = -1,                "counts the rebalances of the group";
        7+ protocol_type:    Option<String>,          "`consumer`, or `connect`";
        0+ protocol_name:    Option<String>, null 7+, "the assignor that all members can use";
        0+ leader:           String,                  "the member that assigns";
        9+ skip_assignment:  bool,                    "true if the leader need not assign anew";
        0+ member_id:        String,                  "the member";
        0+ members:          Vec<JoinGroupResponseMember>, "all members; only the leader gets them";
        JoinGroupResponseMember {
            0+ member_id:         String,         "the member";
            5+ group_instance_id: Option<String>, "its static instance id, or null";
            0+ metadata:          Vec<u8>,        "the topics it wants";
        }
    }

    /// A member asks for its assignment; the leader sends those of all members.
    pub struct SyncGroupRequest: key 14, versions 0-5, flexible 4+ {
        0+ group_id:          String,         "the group";
        0+ generation_id:     i32,            "the generation";
        0+ member_id:         String,         "the member";
        3+ group_instance_id: Option<String>, "its static instance id, or null";
        5+ protocol_type:     Option<String>, "`consumer`, or `connect`";
        5+ protocol_name:     Option<String>, "the assignor";
        0+ assignments:       Vec<SyncGroupRequestAssignment>, "empty unless from the leader";
        SyncGroupRequestAssignment {
            0+ member_id:  String,  "the member";
            0+ assignment: Vec<u8>, "its partitions; opaque to the broker";
        }
    }

    /// The assignment of the member.
    pub struct SyncGroupResponse: key 14, versions 0-5, flexible 4+ {
        1+ throttle_time_ms: i32,            "delay by quotas";
        0+ error_code:       ErrorCode,      "why there is none";
        5+ protocol_type:    Option<String>, "`consumer`, or `connect`";
        5+ protocol_name:    Option<String>, "the assignor";
        0+ assignment:       Vec<u8>,        "its partitions";
    }

    /// Keeps the session of a member alive.
    pub struct HeartbeatRequest: key 12, versions 0-4, flexible 4+ {
        0+ group_id:          String,         "the group";
        0+ generation_id:     i32,            "the generation";
        0+ member_id:         String,         "the member";
        3+ group_instance_id: Option<String>, "its static instance id, or null";
    }

    /// Tells the member to go on or to join again.
    pub struct HeartbeatResponse: key 12, versions 0-4, flexible 4+ {
        1+ throttle_time_ms: i32,       "delay by quotas";
        0+ error_code:       ErrorCode, "REBALANCE_IN_PROGRESS: join again";
    }

    /// Members leave.
    pub struct LeaveGroupRequest: key 13, versions 0-5, flexible 4+ {
        0+  group_id:  String,              "the group";
        0-2 member_id: String,              "the member";
        3+  members:   Vec<MemberIdentity>, "the members";
        MemberIdentity {
            3+ member_id:         String,         "the member; may be empty with an instance id";
            3+ group_instance_id: Option<String>, "its static instance id, or null";
            5+ reason:            Option<String>, "why it leaves, for logs";
        }
    }

    /// The members that left.
    pub struct LeaveGroupResponse: key 13, versions 0-5, flexible 4+ {
        1+ throttle_time_ms: i32,                 "delay by quotas";
        0+ error_code:       ErrorCode,           "an error of the whole request";
        3+ members:          Vec<MemberResponse>, "the results, by member";
        MemberResponse {
            3+ member_id:         String,         "the member";
            3+ group_instance_id: Option<String>, "its static instance id, or null";
            3+ error_code:        ErrorCode,      "why it has not left";
        }
    }

    /// Asks for the members of groups.
    pub struct DescribeGroupsRequest: key 15, versions 0-6, flexible 5+ {
        0+ groups: Vec<String>,                 "the groups";
        3+ include_authorized_operations: bool, "ask for the bits of allowed operations";
    }

    /// Groups and their members.
    pub struct DescribeGroupsResponse: key 15, versions 0-6, flexible 5+ {
        1+ throttle_time_ms: i32,                 "delay by quotas";
        0+ groups:           Vec<DescribedGroup>, "the groups";
        DescribedGroup {
            0+ error_code:    ErrorCode,                 "why it is not described";
            6+ error_message: Option<String>,            "an error in words";
            0+ group_id:      String,                    "the group";
            0+ group_state:   String,                    "for instance `Stable`";
            0+ protocol_type: String,                    "`consumer`, or `connect`";
            0+ protocol_data: String,                    "the assignor";
            0+ members:       Vec<DescribedGroupMember>, "its members";
            DescribedGroupMember {
                0+ member_id:         String,         "the member";
                4+ group_instance_id: Option<String>, "its static instance id, or null";
                0+ client_id:         String,         "the client id it sends";
                0+ client_host:       String,         "the address of its client";
                0+ member_metadata:   Vec<u8>,        "the topics it wants";
                0+ member_assignment: Vec<u8>,        "the partitions it has";
            }
            3+ authorized_operations: i32 = i32::MIN,    "bits; i32::MIN if not asked for";
        }
    }

    /// Asks for all groups.
    pub struct ListGroupsRequest: key 16, versions 0-5, flexible 3+ {
        4+ states_filter: Vec<String>, "only groups in these states; empty for all";
        5+ types_filter:  Vec<String>, "only groups of these types; empty for all";
    }

    /// Groups.
    pub struct ListGroupsResponse: key 16, versions 0-5, flexible 3+ {
        1+ throttle_time_ms: i32,              "delay by quotas";
        0+ error_code:       ErrorCode,        "an error of the whole request";
        0+ groups:           Vec<ListedGroup>, "the groups";
        ListedGroup {
            0+ group_id:      String, "the group";
            0+ protocol_type: String, "`consumer`, or `connect`";
            4+ group_state:   String, "for instance `Stable`";
            5+ group_type:    String, "`classic`";
        }
    }

    /// Deletes groups with their committed offsets.
    pub struct DeleteGroupsRequest: key 42, versions 0-2, flexible 2+ {
        0+ groups_names: Vec<String>, "the groups";
    }

    /// The groups deleted.
    pub struct DeleteGroupsResponse: key 42, versions 0-2, flexible 2+ {
        0+ throttle_time_ms: i32,                       "delay by quotas";
        0+ results:          Vec<DeletableGroupResult>, "the results, by group";
        DeletableGroupResult {
            0+ group_id:   String,    "the group";
            0+ error_code: ErrorCode, "why it was not deleted";
        }
    }
}

impl FindCoordinatorRequest {
    /// The groups that a request of `version` asks for.
    pub fn keys(&self, version: i16) -> &[String] {
        match version {
            COORDINATORS_FROM.. => &self.coordinator_keys,
            _ => std::slice::from_ref(&self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_4_replaced_one_group_by_several() {
        let old = FindCoordinatorRequest { key: "billing".into(), ..Default::default() };
        assert_eq!(old.keys(3), ["billing"]);
        let coordinator_keys = vec!["billing".into(), "audit".into()];
        let new = FindCoordinatorRequest { coordinator_keys, ..Default::default() };
        assert_eq!(new.keys(4), ["billing", "audit"]);
    }
}
