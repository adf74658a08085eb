//! A member of a consumer group: joins, sends heartbeats, and assigns partitions if it leads.
//!
//! ```text
//!           join             sync                 every heartbeat_interval
//! Unjoined ------> Joining ------> Syncing ------> Stable <-----> heartbeat
//!    ^                                                               |
//!    +---- REBALANCE_IN_PROGRESS: another member came, left or died -+
//! ```
//!
//! The broker only coordinates. One member, the leader, gets the subscriptions of all members in
//! its JoinGroup response and assigns the partitions ([`assignor`](super::assignor)). The others
//! send a SyncGroup without assignments and get theirs in the response.
//!
//! Kafka counterpart: `AbstractCoordinator.java`, `ConsumerCoordinator.java`. There are no static
//! members.

use super::assignor::*;
use super::cluster::Cluster;
use super::connection::{Connection, PendingResponse};
use super::consumer::ConsumerOptions;
use super::{ClientError, RETRY_BACKOFF, Result, check};
use crate::wire::ErrorCode;
use crate::wire::group::*;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

const PROTOCOL_TYPE: &str = "consumer";
/// How long a rebalance waits for the member: `max.poll.interval.ms` of the Java client.
const REBALANCE_TIMEOUT: Duration = Duration::from_secs(300);

/// A member of a group.
pub struct Member {
    /// The group.
    pub group: String,
    /// The member id, assigned by the broker; empty before the first join.
    pub id: String,
    /// The generation of the group; -1 while the member has not joined.
    pub generation: i32,
    topics: Vec<String>,
    options: ConsumerOptions,
    /// A separate connection: on a shared one, a waiting fetch would delay heartbeats.
    coordinator: Option<Connection>,
    state: State,
}

enum State {
    Unjoined,
    Joining(PendingResponse<JoinGroupRequest>),
    Syncing(PendingResponse<SyncGroupRequest>),
    Stable { heartbeat_at: Instant },
}

impl Member {
    /// A member that has not joined its group yet and subscribes to `topics`.
    pub fn new(group: &str, topics: &[&str], options: ConsumerOptions) -> Member {
        Member {
            group: group.to_owned(),
            id: String::new(),
            generation: -1,
            topics: topics.iter().map(|it| (*it).to_owned()).collect(),
            options,
            coordinator: None,
            state: State::Unjoined,
        }
    }

    /// When [`advance`](Member::advance) must be called again.
    pub fn due(&self) -> Instant {
        match self.state {
            State::Stable { heartbeat_at } => heartbeat_at,
            _ => Instant::now() + RETRY_BACKOFF,
        }
    }

    /// Sends the requests that are due, and waits for responses until `until`. `owned` are the
    /// partitions that the member reads. Returns the new assignment after a rebalance.
    ///
    /// # Errors
    /// Pass them to [`on_error`](Member::on_error), which updates the state of the member.
    pub fn advance(
        &mut self,
        cluster: &mut Cluster,
        owned: &Partitions,
        until: Instant,
    ) -> Result<Option<Partitions>> {
        let mut coordinator = match self.coordinator.take() {
            Some(connection) => connection,
            None => Connection::open(&cluster.coordinator(&self.group)?, &self.options.client_id)?,
        };
        let assigned = loop {
            match &self.state {
                State::Unjoined => {
                    self.state = State::Joining(coordinator.send(&self.join_request(owned))?);
                }
                State::Joining(pending) => match coordinator.receive(pending, until)? {
                    None => break None,
                    // The broker assigns an id, with which the member must join again (KIP-394).
                    Some(response) if response.error_code == ErrorCode::MEMBER_ID_REQUIRED => {
                        (self.id, self.state) = (response.member_id, State::Unjoined);
                    }
                    Some(response) => {
                        let request = self.sync_request(cluster, response)?;
                        self.state = State::Syncing(coordinator.send(&request)?);
                    }
                },
                State::Syncing(pending) => match coordinator.receive(pending, until)? {
                    None => break None,
                    Some(response) => {
                        self.check(response.error_code)?;
                        let assigned = decode_assignment(&response.assignment)?;
                        // Another member gets the revoked partitions only after this one has joined
                        // again without them.
                        let keeps_all = owned.is_subset(&assigned);
                        self.state = if keeps_all { self.stable() } else { State::Unjoined };
                        break Some(assigned);
                    }
                },
                State::Stable { heartbeat_at } if *heartbeat_at <= Instant::now() => {
                    let response = coordinator.call(&self.heartbeat())?;
                    self.check(response.error_code)?;
                    self.state = self.stable();
                }
                State::Stable { .. } => break None,
            }
        };
        // After an error the connection is not kept.
        self.coordinator = Some(coordinator);
        Ok(assigned)
    }

    /// Leaves the group.
    pub fn leave(self, cluster: &mut Cluster) -> Result<()> {
        let Member { group, id: member_id, .. } = self;
        let members = vec![MemberIdentity { member_id: member_id.clone(), ..Default::default() }];
        let request = LeaveGroupRequest { group_id: group.clone(), member_id, members };
        cluster.call_group(&group, &request).map(|_| ())
    }

    /// Prepares to join again after an error, or returns the error if that cannot help.
    pub fn on_error(&mut self, error: ClientError) -> Result<Option<Partitions>> {
        // The connection broke, or another broker is the coordinator now. A stable member keeps its
        // partitions. A heartbeat to the new coordinator will tell if it still owns them.
        if error.is_retriable() {
            self.state = match self.state {
                State::Stable { .. } => State::Stable { heartbeat_at: Instant::now() },
                _ => State::Unjoined,
            };
            thread::sleep(RETRY_BACKOFF);
            return Ok(None);
        }

        let ClientError::Refused { code, .. } = error else { return Err(error) };
        match code {
            ErrorCode::REBALANCE_IN_PROGRESS => {}
            ErrorCode::ILLEGAL_GENERATION => self.generation = -1,
            ErrorCode::UNKNOWN_MEMBER_ID => (self.id, self.generation) = (String::new(), -1),
            _ => return Err(error),
        }
        self.state = State::Unjoined;
        // A cooperative member keeps reading, unless it has missed a rebalance.
        let keeps = self.options.is_cooperative && code == ErrorCode::REBALANCE_IN_PROGRESS;
        Ok((!keeps).then(BTreeSet::new))
    }

    fn check(&self, code: ErrorCode) -> Result<()> {
        check(format_args!("group {}", self.group), code, None)
    }

    fn stable(&self) -> State {
        State::Stable { heartbeat_at: Instant::now() + self.options.heartbeat_interval }
    }

    fn assignor(&self) -> String {
        if self.options.is_cooperative { "cooperative-sticky" } else { "range" }.to_owned()
    }

    fn heartbeat(&self) -> HeartbeatRequest {
        let (group_id, member_id) = (self.group.clone(), self.id.clone());
        let generation_id = self.generation;
        HeartbeatRequest { group_id, generation_id, member_id, ..Default::default() }
    }

    fn join_request(&self, owned: &Partitions) -> JoinGroupRequest {
        let metadata = encode(&Subscription {
            topics: self.topics.clone(),
            owned_partitions: by_topic(owned),
            generation_id: self.generation,
            ..Default::default()
        });
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: self.options.session_timeout.as_millis() as i32,
            rebalance_timeout_ms: REBALANCE_TIMEOUT.as_millis() as i32,
            member_id: self.id.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: vec![JoinGroupRequestProtocol { name: self.assignor(), metadata }],
            ..Default::default()
        }
    }

    /// Handles the response to JoinGroup. If this member leads, assigns partitions to all members.
    fn sync_request(
        &mut self,
        cluster: &mut Cluster,
        response: JoinGroupResponse,
    ) -> Result<SyncGroupRequest> {
        self.check(response.error_code)?;
        (self.id, self.generation) = (response.member_id, response.generation_id);
        let assigned = match response.leader == self.id {
            true => self.assign(cluster, response.members)?,
            false => Assigned::new(),
        };
        let encoded = assigned.into_iter().map(|(member_id, partitions)| {
            let assigned_partitions = by_topic(&partitions);
            let assignment = encode(&Assignment { assigned_partitions, ..Default::default() });
            SyncGroupRequestAssignment { member_id, assignment }
        });
        Ok(SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            protocol_type: Some(PROTOCOL_TYPE.to_owned()),
            protocol_name: Some(self.assignor()),
            assignments: encoded.collect(),
            ..Default::default()
        })
    }

    /// Assigns partitions, from the subscriptions and the number of partitions of each topic.
    fn assign(
        &self,
        cluster: &mut Cluster,
        members: Vec<JoinGroupResponseMember>,
    ) -> Result<Assigned> {
        let decoded = members.into_iter().map(|it| Ok((it.member_id, decode(&it.metadata)?)));
        let members = decoded.collect::<Result<Members>>()?;

        let mut counts = BTreeMap::new();
        for topic in members.values().flat_map(|it| &it.topics).collect::<BTreeSet<_>>() {
            match cluster.refresh(topic) {
                Ok(count) => drop(counts.insert(topic.clone(), count)),
                // A topic that does not exist yet has no partitions.
                Err(ClientError::Refused {
                    code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        let assign = if self.options.is_cooperative { assign_sticky } else { assign_range };
        Ok(assign(&members, &counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Member {
        let mut member = Member::new("g", &["t"], ConsumerOptions::default());
        (member.id, member.generation) = ("m".to_owned(), 1);
        member.state = member.stable();
        member
    }

    fn refused(code: ErrorCode) -> ClientError {
        ClientError::Refused { what: "group g".to_owned(), code, message: None }
    }

    #[test]
    fn a_rebalance_keeps_the_member_id_and_an_unknown_member_gets_a_new_one() {
        for (code, name, keeps) in [
            (ErrorCode::REBALANCE_IN_PROGRESS, "m", true),
            (ErrorCode::ILLEGAL_GENERATION, "m", false),
            (ErrorCode::UNKNOWN_MEMBER_ID, "", false),
        ] {
            for is_cooperative in [false, true] {
                let mut member = member();
                member.options.is_cooperative = is_cooperative;
                let reads = member.on_error(refused(code)).unwrap();
                assert_eq!(reads, (!keeps || !is_cooperative).then(BTreeSet::new));
                assert!(matches!(member.state, State::Unjoined));
                assert_eq!(member.join_request(&BTreeSet::new()).member_id, name);
            }
        }
        assert!(member().on_error(refused(ErrorCode::INVALID_SESSION_TIMEOUT)).is_err());
    }

    #[test]
    fn a_broken_connection_keeps_the_partitions() {
        let mut member = member();
        assert!(member.due() > Instant::now());
        assert_eq!(member.on_error(refused(ErrorCode::NOT_COORDINATOR)).unwrap(), None);
        assert!(member.due() <= Instant::now(), "a heartbeat asks the next coordinator");
    }
}
