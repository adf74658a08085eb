//! FindCoordinator, which every client of a group sends first, and the requests of administrators:
//! ListGroups, DescribeGroups and DeleteGroups.
//!
//! Kafka counterpart: `KafkaApis.getCoordinator`, `GroupCoordinatorService.java`,
//! `ClassicGroup.describe`.

use super::group::{Groups, error_code};
use super::{Broker, Call, Step, group_log};
use crate::engine::group::group::{Group, State};
use crate::wire::ErrorCode;
use crate::wire::group::*;
use std::sync::Arc;

/// The type of every group here: the one before KIP-848.
const CLASSIC: &str = "classic";
/// The first version of DescribeGroups in which a group that does not exist is an error.
const NOT_FOUND_FROM: i16 = 6;
/// The operations that every client may do on a group, since there are no access lists: read,
/// delete, describe, and describe and alter its configuration.
const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// Finds the coordinator of a group, which is always this broker. The first request creates the
/// topic that stores groups, and waits for this.
pub fn find_coordinator(broker: &Arc<Broker>, call: Call, request: FindCoordinatorRequest) -> Step {
    let refused = match request.key_type {
        KEY_TYPE_GROUP => None,
        KEY_TYPE_TRANSACTION => Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        _ => Some(ErrorCode::INVALID_REQUEST),
    };
    if refused.is_some() || group_log::partition(broker).is_some() {
        let error_code = refused.unwrap_or(ErrorCode::NONE);
        return call.respond(&coordinators(broker, call, &request, error_code));
    }
    call.blocking(broker, move |broker| {
        let created = group_log::create(broker);
        let error_code = created.map_or(ErrorCode::COORDINATOR_NOT_AVAILABLE, |()| ErrorCode::NONE);
        coordinators(broker, call, &request, error_code)
    })
}

fn coordinators(
    broker: &Broker,
    call: Call,
    request: &FindCoordinatorRequest,
    error_code: ErrorCode,
) -> FindCoordinatorResponse {
    let (node_id, (host, port)) = match error_code {
        ErrorCode::NONE => (broker.topics.meta.node_id, broker.address()),
        _ => (-1, (String::new(), -1)),
    };
    let coordinator = |key: &String| {
        let (key, host) = (key.clone(), host.clone());
        Coordinator { key, node_id, host, port, error_code, ..Default::default() }
    };
    let coordinators = request.keys(call.version).iter().map(coordinator).collect();
    FindCoordinatorResponse { node_id, host, port, error_code, coordinators, ..Default::default() }
}

pub fn list_groups(broker: &Broker, request: &ListGroupsRequest) -> ListGroupsResponse {
    let is_wanted = |filter: &[String], value: &str| {
        filter.is_empty() || filter.iter().any(|it| it.eq_ignore_ascii_case(value))
    };
    let groups = broker.groups.with(|coordinator| {
        let groups = coordinator.groups().filter(|it| {
            is_wanted(&request.states_filter, state_name(&it.state))
                && is_wanted(&request.types_filter, CLASSIC)
        });
        let groups = groups.map(|it| ListedGroup {
            group_id: it.id.clone(),
            protocol_type: it.protocol_type.clone().unwrap_or_default(),
            group_state: state_name(&it.state).to_owned(),
            group_type: CLASSIC.to_owned(),
        });
        groups.collect()
    });
    ListGroupsResponse { groups, ..Default::default() }
}

pub fn describe_groups(
    broker: &Broker,
    version: i16,
    request: &DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let mut groups = broker.groups.with(|coordinator| {
        let dead = |id: &String| {
            let mut dead = DescribedGroup { group_id: id.clone(), ..Default::default() };
            dead.group_state = "Dead".to_owned();
            if version >= NOT_FOUND_FROM {
                dead.error_code = ErrorCode::GROUP_ID_NOT_FOUND;
                dead.error_message = Some(format!("Group {id} not found."));
            }
            dead
        };
        let describe = |id: &String| coordinator.group(id).map_or_else(|| dead(id), describe);
        request.groups.iter().map(describe).collect::<Vec<_>>()
    });
    let described = groups.iter_mut().filter(|it| !it.error_code.is_error());
    if request.include_authorized_operations {
        described.for_each(|it| it.authorized_operations = ALL_OPERATIONS);
    }
    DescribeGroupsResponse { groups, ..Default::default() }
}

/// Describes a group. While it rebalances its assignor is not known yet, so the field is empty.
fn describe(group: &Group) -> DescribedGroup {
    let is_stable = matches!(group.state, State::Stable { .. });
    let protocol = group.protocol.as_deref().filter(|_| is_stable).unwrap_or_default();
    let members = group.members.iter().map(|(id, it)| DescribedGroupMember {
        member_id: id.clone(),
        group_instance_id: it.join.instance_id.clone(),
        client_id: it.join.client_id.clone(),
        client_host: it.join.client_host.clone(),
        member_metadata: it.metadata(protocol).to_vec(),
        member_assignment: it.assignment.clone(),
    });
    DescribedGroup {
        group_id: group.id.clone(),
        group_state: state_name(&group.state).to_owned(),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        protocol_data: protocol.to_owned(),
        members: members.collect(),
        ..Default::default()
    }
}

/// Kafka's name of a state.
pub fn state_name(state: &State) -> &'static str {
    match state {
        State::Empty { .. } => "Empty",
        State::PreparingRebalance { .. } => "PreparingRebalance",
        State::CompletingRebalance { .. } => "CompletingRebalance",
        State::Stable { .. } => "Stable",
    }
}

/// Deletes groups and their offsets.
pub fn delete_groups(broker: &Arc<Broker>, call: Call, request: DeleteGroupsRequest) -> Step {
    let (mut results, written) = Groups::event(broker, |coordinator, _, effects| {
        let results = request.groups_names.into_iter().map(|group_id| {
            let error_code = error_code(coordinator.delete(&group_id, effects));
            DeletableGroupResult { group_id, error_code }
        });
        results.collect::<Vec<_>>()
    });
    Groups::respond(broker, written, move |result| {
        let failed = result.err();
        let deleted = results.iter_mut().filter(|it| !it.error_code.is_error());
        deleted.for_each(|it| it.error_code = failed.unwrap_or(ErrorCode::NONE));
        call.encode(&DeleteGroupsResponse { results, ..Default::default() })
    })
}
