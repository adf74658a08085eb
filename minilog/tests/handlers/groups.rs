//! Consumer groups: acknowledged state survives crashes, and a waiting request ends with its
//! connection.

use super::{broker, call, send};
use minikit::storage::{Faults, SimulatedDisk, every_cut};
use minilog::handlers::{Broker, Delayed, Step};
use minilog::wire::ErrorCode;
use minilog::wire::group::{
    FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse, SyncGroupRequest,
    SyncGroupRequestAssignment, SyncGroupResponse,
};
use minilog::wire::offsets::*;
use minilog::wire::topics::*;
use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};

fn find_coordinator(broker: &Arc<Broker>) -> ErrorCode {
    let request = FindCoordinatorRequest { key: "billing".into(), ..Default::default() };
    call::<_, FindCoordinatorResponse>(broker, 2, &request).error_code
}

fn commit_request(offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
    let topic =
        OffsetTopic { name: "orders".into(), partitions: vec![partition], ..Default::default() };
    OffsetCommitRequest { group_id: "billing".into(), topics: vec![topic], ..Default::default() }
}

fn commit(broker: &Arc<Broker>, offset: i64) -> ErrorCode {
    let response: OffsetCommitResponse = call(broker, 8, &commit_request(offset));
    response.topics[0].partitions[0].error_code
}

fn committed(broker: &Arc<Broker>) -> i64 {
    let topic = OffsetFetchRequestTopics {
        name: "orders".into(),
        partition_indexes: vec![0],
        ..OffsetFetchRequestTopics::default()
    };
    let request = OffsetFetchRequest {
        group_id: "billing".into(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let response: OffsetFetchResponse = call(broker, 7, &request);
    assert_eq!(response.error_code, ErrorCode::NONE);
    response.topics[0].partitions[0].committed_offset
}

fn join_request(member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: "billing".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: vec![1] }],
        ..JoinGroupRequest::default()
    }
}

/// Creates a stable group of one member. Returns the member's id.
fn stable_group(broker: &Arc<Broker>) -> String {
    assert_eq!(find_coordinator(broker), ErrorCode::NONE);
    let joined: JoinGroupResponse = call(broker, 3, &join_request(""));
    let assignment =
        SyncGroupRequestAssignment { member_id: joined.member_id.clone(), assignment: vec![7] };
    let sync = SyncGroupRequest {
        group_id: "billing".into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: vec![assignment],
        ..SyncGroupRequest::default()
    };
    let synced: SyncGroupResponse = call(broker, 3, &sync);
    assert_eq!((synced.error_code, synced.assignment), (ErrorCode::NONE, vec![7]));
    joined.member_id
}

fn heartbeat(broker: &Arc<Broker>, member_id: &str, generation_id: i32) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: "billing".into(),
        generation_id,
        member_id: member_id.into(),
        ..HeartbeatRequest::default()
    };
    call::<_, HeartbeatResponse>(broker, 3, &request).error_code
}

/// With `--sync always` an acknowledged commit survives every power failure, and no offset is found
/// that was not committed.
#[test]
fn acknowledged_commits_survive_every_cut() {
    let workload = |disk: &SimulatedDisk, acknowledged: &mut i64| {
        let broker = broker(disk, 1)?;
        let failed = |code: ErrorCode| io::Error::other(code.to_string());
        Some(find_coordinator(&broker)).filter(|it| !it.is_error()).ok_or(failed(ErrorCode(-1)))?;
        for offset in 1..=4 {
            match commit(&broker, offset) {
                ErrorCode::NONE => *acknowledged = offset,
                code => return Err(failed(code)),
            }
        }
        Ok(())
    };
    let check = |disk: &SimulatedDisk, acknowledged: &i64| {
        let broker = broker(disk, 1).map_err(|error| error.to_string())?;
        match committed(&broker) {
            -1 if *acknowledged == 0 => Ok(()),
            found if (*acknowledged..=*acknowledged + 1).contains(&found) => Ok(()),
            found => Err(format!("{acknowledged} was acknowledged and {found} is found")),
        }
    };
    let cuts = every_cut(1, workload, check);
    cuts.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_group_survives_a_restart() {
    let disk = SimulatedDisk::new(1);
    let before = broker(&disk, 1).expect("a broker");
    let member_id = stable_group(&before);
    assert_eq!(commit(&before, 5), ErrorCode::UNKNOWN_MEMBER_ID, "from outside");
    drop(before);
    disk.crash();

    let after = broker(&disk, 1).expect("a broker");
    assert_eq!(heartbeat(&after, &member_id, 1), ErrorCode::NONE);
    assert_eq!(heartbeat(&after, &member_id, 2), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(heartbeat(&after, "other", 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_commit_is_acknowledged_after_the_flush() {
    let disk = SimulatedDisk::new(1);
    let broker = broker(&disk, 1).expect("a broker");
    assert_eq!(find_coordinator(&broker), ErrorCode::NONE);
    let mut waiting = waits(send(&broker, 8, &commit_request(1)));
    let context = &mut Context::from_waker(Waker::noop());
    assert!(waiting.poll(context).is_pending());
    // OffsetFetch must not return an offset that a crash could still lose.
    let mut fetch = waits(send(
        &broker,
        7,
        &OffsetFetchRequest { group_id: "billing".into(), ..Default::default() },
    ));
    assert!(fetch.poll(context).is_pending());
    broker.topics.flush(|_| true).expect("a flush");
    assert!(waiting.poll(context).is_ready() && fetch.poll(context).is_ready());
}

#[test]
fn a_failed_flush_is_an_error() {
    let disk = SimulatedDisk::new(1);
    let broker = broker(&disk, 1).expect("a broker");
    assert_eq!(find_coordinator(&broker), ErrorCode::NONE);
    disk.set_faults(Faults { fail_sync: 1, ..Faults::default() });
    assert_eq!(commit(&broker, 1), ErrorCode::COORDINATOR_NOT_AVAILABLE);
    disk.set_faults(Faults::default());
    assert_eq!(commit(&broker, 2), ErrorCode::COORDINATOR_NOT_AVAILABLE, "the log is closed");
}

#[test]
fn without_the_offsets_topic_a_commit_gets_not_coordinator() {
    let broker = broker(&SimulatedDisk::new(1), i64::MAX).expect("a broker");
    assert_eq!(commit(&broker, 1), ErrorCode::NOT_COORDINATOR);
    assert_eq!(committed(&broker), -1);
}

#[test]
fn offsets_of_missing_partitions_cannot_be_deleted() {
    let broker = broker(&SimulatedDisk::new(1), i64::MAX).expect("a broker");
    assert_eq!(find_coordinator(&broker), ErrorCode::NONE);
    assert_eq!(commit(&broker, 5), ErrorCode::NONE);
    let topics = ["orders", "gone"].map(|name| {
        let partitions =
            [0, 7].map(|partition_index| OffsetDeleteRequestPartition { partition_index });
        ByTopic { name: name.into(), partitions: partitions.into() }
    });
    let request = OffsetDeleteRequest { group_id: "billing".into(), topics: topics.into() };
    let response: OffsetDeleteResponse = call(&broker, 0, &request);
    let partitions = response.topics.iter().flat_map(|it| &it.partitions);
    let errors = partitions.map(|it| it.error_code).collect::<Vec<_>>();
    const UNKNOWN: ErrorCode = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(errors, [ErrorCode::NONE, UNKNOWN, UNKNOWN, UNKNOWN]);
    assert_eq!(committed(&broker), -1);
}

#[test]
fn the_offsets_topic_gets_no_partitions_and_no_topic_has_minus_two() {
    let broker = broker(&SimulatedDisk::new(1), i64::MAX).expect("a broker");
    assert_eq!(find_coordinator(&broker), ErrorCode::NONE);
    let (name, count, assignments) = ("__consumer_offsets".into(), 2, None);
    let topics = vec![CreatePartitionsTopic { name, count, assignments }];
    let request = CreatePartitionsRequest { topics, ..Default::default() };
    let response: CreatePartitionsResponse = call(&broker, 3, &request);
    assert_eq!(response.results[0].error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);

    let (name, num_partitions, replication_factor) = ("new".into(), -2, 1);
    let topic = CreatableTopic { name, num_partitions, replication_factor, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let response: CreateTopicsResponse = call(&broker, 7, &request);
    assert_eq!(response.topics[0].error_code, ErrorCode::INVALID_PARTITIONS);
}

/// A join that waits for another member is removed when its connection ends.
#[test]
fn a_waiting_join_ends_with_its_connection() {
    let broker = broker(&SimulatedDisk::new(1), i64::MAX).expect("a broker");
    let member_id = stable_group(&broker);
    let waiting = waits(send(&broker, 3, &join_request("")));
    let waits_in_group = || {
        let waits = |it: &minilog::engine::group::group::Member| it.waiting.is_some();
        broker.groups.with(|it| it.group("billing").unwrap().members.values().any(waits))
    };
    assert!(waits_in_group());
    assert_eq!(heartbeat(&broker, &member_id, 1), ErrorCode::REBALANCE_IN_PROGRESS);
    drop(waiting);
    assert!(!waits_in_group());
}

fn waits(step: Step) -> Box<dyn Delayed> {
    match step {
        Step::Delay(waiting) => waiting,
        _ => panic!("it does not wait"),
    }
}
