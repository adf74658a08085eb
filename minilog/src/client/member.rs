//! A member of a consumer group as a state machine, without I/O: requests come out, responses go
//! in.
//!
//! ```text
//!           join             sync                      heartbeat
//! Unjoined ------> Joining ------> Joined -> Syncing ------> Stable <----> Beating
//!    ^                                                                        |
//!    +---- REBALANCE_IN_PROGRESS: another member came, left or died ----------+
//! ```
//!
//! The broker only coordinates. One member, the leader, gets the subscriptions of all in its
//! response to JoinGroup and computes who reads what ([`assign_range`]); the others send an empty
//! SyncGroup and get their part of it.
//!
//! # Example
//!
//! ```
//! use minilog::client::member::{Member, MemberOptions, Outcome, Step, Subscription};
//! use minilog::wire::group::{JoinGroupResponse, JoinGroupResponseMember};
//! use minilog::wire::ErrorCode;
//! use std::time::Instant;
//!
//! let now = Instant::now();
//! let mut member = Member::new("billing", &["orders"], MemberOptions::default());
//! let Some(Step::Join(join)) = member.next_step(now) else { panic!() };
//! assert_eq!((join.group_id.as_str(), join.member_id.as_str()), ("billing", ""));
//!
//! // The broker gives it a name and wants to hear it (KIP-394).
//! let named = JoinGroupResponse {
//!     error_code: ErrorCode::MEMBER_ID_REQUIRED,
//!     member_id: "m-1".into(),
//!     ..JoinGroupResponse::default()
//! };
//! member.on_join(named)?;
//! let Some(Step::Join(join)) = member.next_step(now) else { panic!() };
//! assert_eq!(join.member_id, "m-1");
//!
//! // It is the leader and assigns: it needs the number of partitions of each topic.
//! let metadata = join.protocols[0].metadata.clone();
//! let only = JoinGroupResponseMember { member_id: "m-1".into(), metadata, ..Default::default() };
//! let joined = JoinGroupResponse {
//!     generation_id: 1,
//!     leader: "m-1".into(),
//!     member_id: "m-1".into(),
//!     protocol_name: Some("range".into()),
//!     members: vec![only],
//!     ..JoinGroupResponse::default()
//! };
//! assert_eq!(member.on_join(joined)?, Outcome::CountPartitions(vec!["orders".into()]));
//! member.assign(&[("orders".into(), 2)].into());
//! let Some(Step::Sync(sync)) = member.next_step(now) else { panic!() };
//! let assigned = Subscription::decode_assignment(&sync.assignments[0].assignment)?;
//! assert_eq!(assigned, [("orders".into(), 0), ("orders".into(), 1)]);
//! # Ok::<(), minilog::client::ClientError>(())
//! ```
//!
//! Kafka counterpart: `AbstractCoordinator.java`, `ConsumerCoordinator.java`,
//! `RangeAssignor.java`. Eager rebalances only: a member gives up all partitions before it joins
//! again. The cooperative protocol (KIP-429), static members and assignors other than `range` are
//! not supported.

use super::batching::TopicPartition;
use super::{ClientError, check, is_retriable};
use crate::wire::ErrorCode;
use crate::wire::codec::{Decoder, Encoder, WireType};
use crate::wire::group::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupRequestProtocol,
    JoinGroupResponse, LeaveGroupRequest, MemberIdentity, SyncGroupRequest,
    SyncGroupRequestAssignment, SyncGroupResponse,
};
use crate::wire::schema::message;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const PROTOCOL_TYPE: &str = "consumer";
const RANGE: &str = "range";

/// How a member behaves; the names and defaults are those of the Java client.
#[derive(Clone, Debug)]
pub struct MemberOptions {
    /// After this time without heartbeat the broker takes the member for dead.
    pub session_timeout: Duration,
    /// How often the member sends a heartbeat.
    pub heartbeat_interval: Duration,
    /// How long a rebalance waits for the member.
    pub rebalance_timeout: Duration,
}

impl Default for MemberOptions {
    fn default() -> MemberOptions {
        MemberOptions {
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(300),
        }
    }
}

/// What the member sends next.
#[derive(Clone, Debug)]
pub enum Step {
    /// The response goes to [`Member::on_join`].
    Join(JoinGroupRequest),
    /// The response goes to [`Member::on_sync`].
    Sync(SyncGroupRequest),
    /// The response goes to [`Member::on_heartbeat`].
    Heartbeat(HeartbeatRequest),
}

/// What a response means for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing; ask for the next step.
    Continue,
    /// The member leads: look up how many partitions these topics have and call [`Member::assign`].
    CountPartitions(Vec<String>),
    /// The member reads these partitions from now on.
    Assigned(Vec<TopicPartition>),
    /// The group rebalances: commit, and stop reading. The next step is to join again.
    Rebalance,
    /// The group has given the partitions to others already: a commit would be refused.
    Lost,
    /// Another broker coordinates the group, or this one is not ready: find it after a pause.
    FindCoordinator,
}

enum State {
    Unjoined,
    Joining,
    /// With the assignments of all members if this is the leader, otherwise none.
    Joined(Vec<SyncGroupRequestAssignment>),
    /// The leader has not called [`Member::assign`] yet: each member with its topics.
    Leading(BTreeMap<String, Vec<String>>),
    Syncing,
    Stable {
        heartbeat_at: Instant,
    },
    Beating,
}

/// A member of a group.
pub struct Member {
    group: String,
    topics: Vec<String>,
    options: MemberOptions,
    /// Empty until the broker gives it one.
    member_id: String,
    generation: i32,
    state: State,
}

impl Member {
    /// A member that has not joined its group yet and wants to read `topics`.
    pub fn new(group: &str, topics: &[&str], options: MemberOptions) -> Member {
        Member {
            group: group.to_owned(),
            topics: topics.iter().map(|it| (*it).to_owned()).collect(),
            options,
            member_id: String::new(),
            generation: -1,
            state: State::Unjoined,
        }
    }

    /// The group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The name that the broker gave the member; empty before it has joined.
    pub fn id(&self) -> &str {
        &self.member_id
    }

    /// Counts the rebalances of the group; -1 while the member has not joined.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// The next request, if there is one to send now. The same step is not returned twice.
    pub fn next_step(&mut self, now: Instant) -> Option<Step> {
        match &mut self.state {
            State::Unjoined => {
                self.state = State::Joining;
                Some(Step::Join(self.join_request()))
            }
            State::Joined(assignments) => {
                let assignments = std::mem::take(assignments);
                self.state = State::Syncing;
                Some(Step::Sync(self.sync_request(assignments)))
            }
            State::Stable { heartbeat_at } if *heartbeat_at <= now => {
                self.state = State::Beating;
                Some(Step::Heartbeat(HeartbeatRequest {
                    group_id: self.group.clone(),
                    generation_id: self.generation,
                    member_id: self.member_id.clone(),
                    ..HeartbeatRequest::default()
                }))
            }
            _ => None,
        }
    }

    /// When [`next_step`](Member::next_step) has something to send, if only time must pass.
    pub fn due(&self) -> Option<Instant> {
        match self.state {
            State::Stable { heartbeat_at } => Some(heartbeat_at),
            _ => None,
        }
    }

    /// Takes the response to JoinGroup.
    pub fn on_join(&mut self, response: JoinGroupResponse) -> Result<Outcome, ClientError> {
        if response.error_code == ErrorCode::MEMBER_ID_REQUIRED {
            self.member_id = response.member_id;
            self.state = State::Unjoined;
            return Ok(Outcome::Continue);
        }
        if let Some(outcome) = self.on_error(response.error_code)? {
            return Ok(outcome);
        }
        self.member_id = response.member_id;
        self.generation = response.generation_id;
        if response.leader != self.member_id {
            self.state = State::Joined(Vec::new());
            return Ok(Outcome::Continue);
        }

        let mut members = BTreeMap::new();
        for member in response.members {
            let topics = Subscription::decode_topics(&member.metadata)?;
            members.insert(member.member_id, topics);
        }
        let topics = members.values().flatten().cloned().collect::<BTreeSet<_>>();
        self.state = State::Leading(members);
        Ok(Outcome::CountPartitions(topics.into_iter().collect()))
    }

    /// Computes the assignment of all members. `partitions` are those of each topic; a topic that
    /// does not exist is not in it.
    pub fn assign(&mut self, partitions: &BTreeMap<String, i32>) {
        let State::Leading(members) = &self.state else { return };
        let assignments = assign_range(members, partitions).into_iter();
        let encoded = assignments.map(|(member_id, partitions)| SyncGroupRequestAssignment {
            member_id,
            assignment: Subscription::encode_assignment(&partitions),
        });
        self.state = State::Joined(encoded.collect());
    }

    /// Takes the response to SyncGroup.
    pub fn on_sync(
        &mut self,
        response: &SyncGroupResponse,
        now: Instant,
    ) -> Result<Outcome, ClientError> {
        if let Some(outcome) = self.on_error(response.error_code)? {
            return Ok(outcome);
        }
        self.state = State::Stable { heartbeat_at: now + self.options.heartbeat_interval };
        Ok(Outcome::Assigned(Subscription::decode_assignment(&response.assignment)?))
    }

    /// Takes the response to a heartbeat.
    pub fn on_heartbeat(
        &mut self,
        response: &HeartbeatResponse,
        now: Instant,
    ) -> Result<Outcome, ClientError> {
        if let Some(outcome) = self.on_error(response.error_code)? {
            return Ok(outcome);
        }
        self.state = State::Stable { heartbeat_at: now + self.options.heartbeat_interval };
        Ok(Outcome::Continue)
    }

    /// The connection broke. A member that had its partitions keeps them, and a heartbeat to the
    /// next coordinator says if they are still its own.
    pub fn on_disconnect(&mut self, now: Instant) {
        self.state = match self.state {
            State::Stable { .. } | State::Beating => State::Stable { heartbeat_at: now },
            _ => State::Unjoined,
        };
    }

    /// What the error of a response means; `None` without error.
    pub fn on_error(&mut self, code: ErrorCode) -> Result<Option<Outcome>, ClientError> {
        let outcome = match code {
            ErrorCode::NONE => return Ok(None),
            ErrorCode::REBALANCE_IN_PROGRESS => Outcome::Rebalance,
            ErrorCode::ILLEGAL_GENERATION => Outcome::Lost,
            ErrorCode::UNKNOWN_MEMBER_ID => {
                self.member_id.clear();
                Outcome::Lost
            }
            code if is_retriable(code) => {
                self.on_disconnect(Instant::now());
                return Ok(Some(Outcome::FindCoordinator));
            }
            code => {
                check(|| format!("group {}", self.group), code, None)?;
                return Ok(None);
            }
        };
        self.state = State::Unjoined;
        Ok(Some(outcome))
    }

    /// The request that leaves the group, if the member has joined it.
    pub fn leave_request(&self) -> Option<LeaveGroupRequest> {
        let member = MemberIdentity { member_id: self.member_id.clone(), ..Default::default() };
        (!self.member_id.is_empty()).then(|| LeaveGroupRequest {
            group_id: self.group.clone(),
            member_id: self.member_id.clone(),
            members: vec![member],
        })
    }

    fn join_request(&self) -> JoinGroupRequest {
        let metadata = Subscription::encode_topics(&self.topics);
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: self.options.session_timeout.as_millis() as i32,
            rebalance_timeout_ms: self.options.rebalance_timeout.as_millis() as i32,
            member_id: self.member_id.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: vec![JoinGroupRequestProtocol { name: RANGE.to_owned(), metadata }],
            ..JoinGroupRequest::default()
        }
    }

    fn sync_request(&self, assignments: Vec<SyncGroupRequestAssignment>) -> SyncGroupRequest {
        SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            protocol_type: Some(PROTOCOL_TYPE.to_owned()),
            protocol_name: Some(RANGE.to_owned()),
            assignments,
            ..SyncGroupRequest::default()
        }
    }
}

/// The assignor `range`: each topic by itself, in ranges as equal as possible, the longer ones to
/// the first members by name.
///
/// ```
/// use minilog::client::member::assign_range;
///
/// let both = |name: &str| (name.to_owned(), vec!["orders".to_owned()]);
/// let assigned = assign_range(&[both("a"), both("b")].into(), &[("orders".into(), 3)].into());
/// assert_eq!(assigned["a"], [("orders".into(), 0), ("orders".into(), 1)]);
/// assert_eq!(assigned["b"], [("orders".into(), 2)]);
/// ```
pub fn assign_range(
    members: &BTreeMap<String, Vec<String>>,
    partitions: &BTreeMap<String, i32>,
) -> BTreeMap<String, Vec<TopicPartition>> {
    let mut assigned: BTreeMap<_, Vec<_>> =
        members.keys().map(|it| (it.clone(), Vec::new())).collect();
    for (topic, count) in partitions {
        let readers = members.iter().filter(|(_, topics)| topics.contains(topic));
        let readers = readers.map(|(member, _)| member).collect::<Vec<_>>();
        let mut next = 0;
        for (index, member) in (0..).zip(&readers) {
            let length =
                count / readers.len() as i32 + i32::from(index < count % readers.len() as i32);
            let range = (next..next + length).map(|it| (topic.clone(), it));
            assigned.entry((*member).clone()).or_default().extend(range);
            next += length;
        }
    }
    assigned
}

message! {
    /// What a member tells the leader, behind its version.
    pub struct Subscription {
        0+ topics:    Vec<String>,   "the topics it wants";
        0+ user_data: Option<Bytes>, "of the assignor";
    }

    /// What the leader tells a member, behind its version.
    pub struct Assignment {
        0+ topics:    Vec<AssignedTopic>, "its partitions, by topic";
        0+ user_data: Option<Bytes>,      "of the assignor";
    }

    /// Partitions of one topic.
    pub struct AssignedTopic {
        0+ topic:      String,   "the topic";
        0+ partitions: Vec<i32>, "its partitions";
    }
}

impl Subscription {
    /// A subscription in version 0, which says only the topics.
    pub fn encode_topics(topics: &[String]) -> Vec<u8> {
        versioned(&Subscription { topics: topics.to_vec(), user_data: None })
    }

    /// The topics of a subscription. Later versions have more fields at the end.
    pub fn decode_topics(bytes: &[u8]) -> Result<Vec<String>, ClientError> {
        Ok(unversioned::<Subscription>(bytes)?.topics)
    }

    /// An assignment in version 0.
    pub fn encode_assignment(partitions: &[TopicPartition]) -> Vec<u8> {
        let mut topics = BTreeMap::<&String, Vec<i32>>::new();
        for (topic, partition) in partitions {
            topics.entry(topic).or_default().push(*partition);
        }
        let topics = topics.into_iter();
        let topics =
            topics.map(|(topic, partitions)| AssignedTopic { topic: topic.clone(), partitions });
        versioned(&Assignment { topics: topics.collect(), user_data: None })
    }

    /// The partitions of an assignment. No bytes are none.
    pub fn decode_assignment(bytes: &[u8]) -> Result<Vec<TopicPartition>, ClientError> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let topics = unversioned::<Assignment>(bytes)?.topics.into_iter();
        let named = topics.flat_map(|AssignedTopic { topic, partitions }| {
            partitions.into_iter().map(move |it| (topic.clone(), it))
        });
        Ok(named.collect())
    }
}

fn versioned(body: &impl WireType) -> Vec<u8> {
    let mut encoder = Encoder::new(0, false);
    0i16.encode(&mut encoder);
    body.encode(&mut encoder);
    encoder.into_vec()
}

fn unversioned<T: WireType>(bytes: &[u8]) -> Result<T, ClientError> {
    let mut decoder = Decoder::new(Bytes::copy_from_slice(bytes), 0, false);
    i16::decode(&mut decoder)?;
    Ok(T::decode(&mut decoder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebalance_keeps_the_name_and_an_unknown_member_gets_a_new_one() {
        let now = Instant::now();
        let mut member = Member::new("g", &["t"], MemberOptions::default());
        member.member_id = "m".into();
        for (code, expected, name) in [
            (ErrorCode::REBALANCE_IN_PROGRESS, Outcome::Rebalance, "m"),
            (ErrorCode::ILLEGAL_GENERATION, Outcome::Lost, "m"),
            (ErrorCode::UNKNOWN_MEMBER_ID, Outcome::Lost, ""),
        ] {
            member.state = State::Beating;
            let response = HeartbeatResponse { error_code: code, ..Default::default() };
            assert_eq!(member.on_heartbeat(&response, now).unwrap(), expected);
            let Some(Step::Join(join)) = member.next_step(now) else { panic!() };
            assert_eq!(join.member_id, name);
        }
        member.state = State::Beating;
        let error_code = ErrorCode::INVALID_SESSION_TIMEOUT;
        let refused = HeartbeatResponse { error_code, ..Default::default() };
        assert!(member.on_heartbeat(&refused, now).is_err());
    }

    #[test]
    fn a_broken_connection_costs_no_partitions() {
        let now = Instant::now();
        let mut member = Member::new("g", &["t"], MemberOptions::default());
        member.state = State::Stable { heartbeat_at: now + Duration::from_secs(3) };
        assert!(member.next_step(now).is_none());
        member.on_disconnect(now);
        assert!(matches!(member.next_step(now), Some(Step::Heartbeat(_))));
        assert!(member.next_step(now).is_none(), "the same step twice");
    }

    #[test]
    fn members_want_different_topics() {
        let members = [
            ("a".to_owned(), vec!["x".to_owned(), "gone".to_owned()]),
            ("b".to_owned(), vec!["x".to_owned(), "y".to_owned()]),
            ("c".to_owned(), vec![]),
        ];
        let assigned = assign_range(
            &members.into(),
            &[("x".into(), 3), ("y".into(), 1), ("z".into(), 9)].into(),
        );
        assert_eq!(assigned["a"], [("x".into(), 0), ("x".into(), 1)]);
        assert_eq!(assigned["b"], [("x".into(), 2), ("y".into(), 0)]);
        assert_eq!(assigned["c"], []);
    }

    #[test]
    fn damaged_assignments_are_errors() {
        let bytes = Subscription::encode_assignment(&[("t".into(), 4)]);
        for length in 1..bytes.len() - 4 {
            assert!(Subscription::decode_assignment(&bytes[..length]).is_err(), "{length}");
        }
        let huge = [0, 0, 0x7f, 0xff, 0xff, 0xff];
        assert!(Subscription::decode_assignment(&huge).is_err());
    }
}
