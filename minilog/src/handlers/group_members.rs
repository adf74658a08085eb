//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup: the requests of group members.
//!
//! The engine decides. This module converts requests to the engine's types, and its replies to
//! responses of the request's version.
//!
//! Kafka counterpart: `GroupCoordinatorService.java`, which checks the same fields.

use super::group::{Groups, Refusal, error_code};
use super::{Broker, Call, Step};
use crate::engine::group::events::{Identity, Join, Joined, Reply, Sync};
use crate::engine::group::group::Group;
use crate::wire::ErrorCode;
use crate::wire::group::*;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// `group.min.session.timeout.ms` to `group.max.session.timeout.ms`
const SESSION_TIMEOUT_MS: RangeInclusive<i32> = 6000..=1_800_000;
/// The maximum size of a member's metadata, and of all assignments of a group: more does not fit
/// into the group's record. Kafka notices when it writes the record, and returns the same error.
const BYTES_MAX: usize = 1024 * 1024;
/// The first version of JoinGroup in which a new member must join twice.
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
/// The first version of JoinGroup that can tell the leader to keep the assignment.
const SKIP_ASSIGNMENT_FROM: i16 = 9;
/// The first version of LeaveGroup with several members.
const LEAVE_BATCHED_FROM: i16 = 3;

/// Handles JoinGroup.
pub fn join_group(
    broker: &Arc<Broker>,
    (client_id, client_host): (&str, &str),
    call: Call,
    request: JoinGroupRequest,
) -> Step {
    let bytes = request.protocols.iter().map(|it| it.metadata.len()).sum();
    let checked = match SESSION_TIMEOUT_MS.contains(&request.session_timeout_ms) {
        true => check(&request.group_id, bytes),
        false => Err(ErrorCode::INVALID_SESSION_TIMEOUT),
    };
    if let Err(error_code) = checked {
        return call.respond(&not_joined(error_code, request.member_id));
    }

    // Version 0 has no rebalance timeout.
    let rebalance_timeout_ms = match request.rebalance_timeout_ms {
        ..0 => request.session_timeout_ms,
        timeout => timeout,
    };
    let id = broker.new_uuid();
    let prefix = request.group_instance_id.as_deref().unwrap_or(client_id);
    let join = Join {
        member_id: request.member_id.clone(),
        new_member_id: format!("{prefix}-{id}"),
        requires_member_id: call.version >= MEMBER_ID_REQUIRED_FROM,
        can_skip_assignment: call.version >= SKIP_ASSIGNMENT_FROM,
        instance_id: request.group_instance_id,
        client_id: client_id.to_owned(),
        client_host: client_host.to_owned(),
        session_timeout_ms: request.session_timeout_ms.into(),
        rebalance_timeout_ms: rebalance_timeout_ms.into(),
        protocol_type: request.protocol_type.clone(),
        protocols: request.protocols.into_iter().map(|it| (it.name, it.metadata)).collect(),
    };
    let (member_id, protocol_type) = (request.member_id, request.protocol_type);
    Groups::request(
        broker,
        request.group_id,
        |coordinator, now, group, ticket, effects| {
            coordinator.join(now, group, join, ticket, effects)
        },
        move |reply| {
            call.encode(&match reply {
                Ok(Some(Reply::Joined(joined))) => joined_response(joined, protocol_type),
                Ok(_) => not_joined(ErrorCode::UNKNOWN_SERVER_ERROR, member_id),
                Err(Refusal { error_code, member_id: id }) => {
                    not_joined(error_code, id.unwrap_or(member_id))
                }
            })
        },
    )
}

fn joined_response(joined: Joined, protocol_type: String) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|(member_id, group_instance_id, metadata)| {
        JoinGroupResponseMember { member_id, group_instance_id, metadata }
    });
    JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: Some(protocol_type),
        protocol_name: Some(joined.protocol),
        leader: joined.leader,
        skip_assignment: joined.skip_assignment,
        member_id: joined.member_id,
        members: members.collect(),
        ..Default::default()
    }
}

fn not_joined(error_code: ErrorCode, member_id: String) -> JoinGroupResponse {
    JoinGroupResponse { error_code, member_id, ..Default::default() }
}

/// Refuses a group without a name, and more bytes than fit into the record of a group.
fn check(group_id: &str, bytes: usize) -> Result<(), ErrorCode> {
    match group_id {
        "" => Err(ErrorCode::INVALID_GROUP_ID),
        _ if bytes > BYTES_MAX => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        _ => Ok(()),
    }
}

/// Handles SyncGroup.
pub fn sync_group(broker: &Arc<Broker>, call: Call, request: SyncGroupRequest) -> Step {
    let bytes = request.assignments.iter().map(|it| it.assignment.len()).sum();
    let refuse = |error_code| SyncGroupResponse { error_code, ..Default::default() };
    if let Err(error_code) = check(&request.group_id, bytes) {
        return call.respond(&refuse(error_code));
    }
    let protocol_type = request.protocol_type.clone();
    let protocol_name = request.protocol_name.clone();
    let synced = SyncGroupResponse { protocol_type, protocol_name, ..Default::default() };
    let assignments = request.assignments.into_iter();
    let sync = Sync {
        member: Identity {
            member_id: request.member_id,
            instance_id: request.group_instance_id,
            generation: request.generation_id,
        },
        protocol_type: request.protocol_type,
        protocol: request.protocol_name,
        assignments: assignments.map(|it| (it.member_id, it.assignment)).collect(),
    };
    Groups::request(
        broker,
        request.group_id,
        |coordinator, now, group, ticket, effects| {
            let sync = |group: &mut Group, now| group.sync(now, sync, ticket, effects);
            coordinator.with_group(now, group, sync)
        },
        move |reply| {
            call.encode(&match reply {
                Ok(Some(Reply::Synced(assignment))) => SyncGroupResponse { assignment, ..synced },
                Ok(_) => refuse(ErrorCode::UNKNOWN_SERVER_ERROR),
                Err(refusal) => refuse(refusal.error_code),
            })
        },
    )
}

pub fn heartbeat(broker: &Broker, request: HeartbeatRequest) -> HeartbeatResponse {
    let member = Identity {
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        generation: request.generation_id,
    };
    let error_code = if request.group_id.is_empty() {
        ErrorCode::INVALID_GROUP_ID
    } else {
        let (mut state, now) = broker.groups.lock();
        let heartbeat = |group: &mut Group, now| group.heartbeat(now, &member);
        error_code(state.coordinator.with_group(now, &request.group_id, heartbeat))
    };
    HeartbeatResponse { error_code, ..Default::default() }
}

/// Handles LeaveGroup: old versions name one member, new ones several.
pub fn leave_group(
    broker: &Broker,
    version: i16,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    if request.group_id.is_empty() {
        let error_code = ErrorCode::INVALID_GROUP_ID;
        return LeaveGroupResponse { error_code, ..Default::default() };
    }
    let is_batched = version >= LEAVE_BATCHED_FROM;
    let members = match is_batched {
        true => request.members,
        false => vec![MemberIdentity { member_id: request.member_id, ..Default::default() }],
    };

    // The members have left even if the append of the record fails, so that error is ignored.
    let (results, _) = Groups::event(broker, |coordinator, now, effects| {
        let results = members.into_iter().map(|it| {
            let (member_id, instance_id) = (it.member_id, it.group_instance_id);
            let member = Identity { member_id, instance_id, generation: -1 };
            let leave = |group: &mut Group, now| group.leave(now, &member, effects);
            let left = coordinator.with_group(now, &request.group_id, leave);
            MemberResponse {
                member_id: member.member_id,
                group_instance_id: member.instance_id,
                error_code: error_code(left),
            }
        });
        results.collect::<Vec<_>>()
    });

    let mut response = LeaveGroupResponse::default();
    match results.first() {
        Some(first) if !is_batched => response.error_code = first.error_code,
        _ => response.members = results,
    }
    response
}
