//! A member of a consumer group: joins, sends heartbeats, and computes who reads which partition.
//!
//! ```text
//!           join             sync                 every heartbeat_interval
//! Unjoined ------> Joining ------> Syncing ------> Stable <-----> heartbeat
//!    ^                                                               |
//!    +---- REBALANCE_IN_PROGRESS: another member came, left or died -+
//! ```
//!
//! The broker only coordinates. One member, the leader, gets the subscriptions of all in its
//! response to JoinGroup and computes who reads what; the others send an empty SyncGroup and get
//! their part of it.
//!
//! # Two assignors
//!
//! `range` needs *eager* rebalances: a member gives up everything before it joins again, and nobody
//! reads until the last one has joined. `cooperative-sticky` lets members read on (KIP-429). Each
//! tells the leader what it has, and a partition that moves is first taken away and given to its
//! new owner in a second rebalance:
//!
//! ```text
//!            a has     b has
//! b joins    0 1 2 3   -         a learns that it keeps 0 1, stops reading 2 3, and joins again
//! a joins    0 1       -         2 3 have no owner now
//!            0 1       2 3
//! ```
//!
//! [`assign_sticky`] has the same as an example.
//!
//! Kafka counterpart: `AbstractCoordinator.java`, `ConsumerCoordinator.java`, `RangeAssignor.java`,
//! `CooperativeStickyAssignor.java`. Static members are not supported.

use super::batching::TopicPartition;
use super::cluster::Cluster;
use super::connection::{Connection, Ticket};
use super::consumer::ConsumerOptions;
use super::{ClientError, RETRY_BACKOFF, check};
use crate::wire::ErrorCode;
use crate::wire::codec::{Decoder, Encoder, WireType};
use crate::wire::group::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
    JoinGroupResponseMember, SyncGroupRequest, SyncGroupRequestAssignment,
};
use crate::wire::schema::message;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

const PROTOCOL_TYPE: &str = "consumer";
/// The version of [`Subscription`] and [`Assignment`] that is sent.
const VERSION: i16 = 2;
/// How long a rebalance waits for the member: `max.poll.interval.ms` of the Java client.
const REBALANCE_TIMEOUT: Duration = Duration::from_secs(300);

/// A member of a group.
pub struct Member {
    /// The group.
    pub group: String,
    /// The name that the broker gave the member; empty before it has joined.
    pub id: String,
    /// Counts the rebalances of the group; -1 while the member has not joined.
    pub generation: i32,
    topics: Vec<String>,
    options: ConsumerOptions,
    /// A connection of its own: a fetch in front of a heartbeat would delay it.
    coordinator: Option<Connection>,
    state: State,
}

enum State {
    Unjoined,
    Joining(Ticket<JoinGroupRequest>),
    Syncing(Ticket<SyncGroupRequest>),
    Stable { heartbeat_at: Instant },
}

impl Member {
    /// A member that has not joined its group yet and wants to read `topics`.
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

    /// Does what the membership needs, and waits for a response until `until`. `owned` is what the
    /// member reads. Returns what it reads from now on, if that has changed.
    pub fn advance(
        &mut self,
        cluster: &mut Cluster,
        owned: &BTreeSet<TopicPartition>,
        until: Instant,
    ) -> Result<Option<BTreeSet<TopicPartition>>, ClientError> {
        let result = self.coordinator(cluster).and_then(|mut coordinator| {
            let result = self.step(cluster, &mut coordinator, owned, until)?;
            // A connection with an error is not put back.
            self.coordinator = Some(coordinator);
            Ok(result)
        });
        result.or_else(|error| self.on_error(error))
    }

    fn coordinator(&mut self, cluster: &mut Cluster) -> Result<Connection, ClientError> {
        match self.coordinator.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(&cluster.coordinator(&self.group)?, &self.options.client_id),
        }
    }

    fn step(
        &mut self,
        cluster: &mut Cluster,
        coordinator: &mut Connection,
        owned: &BTreeSet<TopicPartition>,
        until: Instant,
    ) -> Result<Option<BTreeSet<TopicPartition>>, ClientError> {
        loop {
            match &self.state {
                State::Unjoined => {
                    self.state = State::Joining(coordinator.send(&self.join_request(owned))?);
                }
                State::Joining(ticket) => {
                    let Some(response) = coordinator.receive(ticket, until)? else {
                        return Ok(None);
                    };
                    if response.error_code == ErrorCode::MEMBER_ID_REQUIRED {
                        // The broker gives a new member its name and wants to hear it (KIP-394).
                        self.id = response.member_id;
                        self.state = State::Unjoined;
                        continue;
                    }
                    self.check(response.error_code)?;
                    let request = self.sync_request(cluster, response)?;
                    self.state = State::Syncing(coordinator.send(&request)?);
                }
                State::Syncing(ticket) => {
                    let Some(response) = coordinator.receive(ticket, until)? else {
                        return Ok(None);
                    };
                    self.check(response.error_code)?;
                    let assigned = decode_assignment(&response.assignment)?;
                    // What was taken away goes to another member when this one has joined again.
                    self.state = match owned.is_subset(&assigned) {
                        true => self.stable(),
                        false => State::Unjoined,
                    };
                    return Ok(Some(assigned));
                }
                State::Stable { heartbeat_at } if *heartbeat_at <= Instant::now() => {
                    let request = HeartbeatRequest {
                        group_id: self.group.clone(),
                        generation_id: self.generation,
                        member_id: self.id.clone(),
                        ..HeartbeatRequest::default()
                    };
                    self.check(coordinator.call(&request)?.error_code)?;
                    self.state = self.stable();
                }
                State::Stable { .. } => return Ok(None),
            }
        }
    }

    fn check(&self, code: ErrorCode) -> Result<(), ClientError> {
        check(format_args!("group {}", self.group), code, None)
    }

    fn stable(&self) -> State {
        State::Stable { heartbeat_at: Instant::now() + self.options.heartbeat_interval }
    }

    fn assignor(&self) -> String {
        if self.options.is_cooperative { "cooperative-sticky" } else { "range" }.to_owned()
    }

    /// What an error means for the member.
    fn on_error(
        &mut self,
        error: ClientError,
    ) -> Result<Option<BTreeSet<TopicPartition>>, ClientError> {
        // The connection broke, or another broker is the coordinator. A member that has its
        // partitions keeps them, and a heartbeat to the next coordinator says if they are still its
        // own.
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
        // A cooperative member goes on reading, unless its partitions have been given to others.
        let keeps = self.options.is_cooperative && code == ErrorCode::REBALANCE_IN_PROGRESS;
        Ok((!keeps).then(BTreeSet::new))
    }

    fn join_request(&self, owned: &BTreeSet<TopicPartition>) -> JoinGroupRequest {
        let subscription = Subscription::new(&self.topics, owned, self.generation);
        let metadata = encode(&subscription);
        let protocol = JoinGroupRequestProtocol { name: self.assignor(), metadata };
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: self.options.session_timeout.as_millis() as i32,
            rebalance_timeout_ms: REBALANCE_TIMEOUT.as_millis() as i32,
            member_id: self.id.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: vec![protocol],
            ..JoinGroupRequest::default()
        }
    }

    /// Takes the response to JoinGroup. The leader assigns for all.
    fn sync_request(
        &mut self,
        cluster: &mut Cluster,
        response: JoinGroupResponse,
    ) -> Result<SyncGroupRequest, ClientError> {
        self.id = response.member_id;
        self.generation = response.generation_id;
        let assignments = match response.leader == self.id {
            true => self.assign(cluster, response.members)?,
            false => Assigned::new(),
        };
        let encoded = assignments.into_iter().map(|(member_id, partitions)| {
            let assigned_partitions = by_topic(&partitions);
            let assignment = encode(&Assignment { assigned_partitions, user_data: None });
            SyncGroupRequestAssignment { member_id, assignment }
        });
        Ok(SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            protocol_type: Some(PROTOCOL_TYPE.to_owned()),
            protocol_name: Some(self.assignor()),
            assignments: encoded.collect(),
            ..SyncGroupRequest::default()
        })
    }
    fn assign(
        &self,
        cluster: &mut Cluster,
        members: Vec<JoinGroupResponseMember>,
    ) -> Result<Assigned, ClientError> {
        let decoded = members.into_iter().map(|it| Ok((it.member_id, decode(&it.metadata)?)));
        let members = decoded.collect::<Result<Members, ClientError>>()?;

        let mut counts = BTreeMap::new();
        for topic in members.values().flat_map(|it| &it.topics).collect::<BTreeSet<_>>() {
            match cluster.count_partitions(topic) {
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

/// What each member wants, by its name.
type Members = BTreeMap<String, Subscription>;
/// The partitions of each member, by its name.
type Assigned = BTreeMap<String, BTreeSet<TopicPartition>>;

/// The assignor `range`: each topic by itself, in ranges as equal as possible, the longer ones to
/// the first members by name. `counts` are the partitions of each topic.
///
/// ```
/// use minilog::client::member::{Subscription, assign_range};
///
/// let both = |name: &str| {
///     (name.to_owned(), Subscription { topics: vec!["orders".into()], ..Default::default() })
/// };
/// let assigned = assign_range(&[both("a"), both("b")].into(), &[("orders".into(), 3)].into());
/// assert_eq!(assigned["a"], [("orders".into(), 0), ("orders".into(), 1)].into());
/// assert_eq!(assigned["b"], [("orders".into(), 2)].into());
/// ```
pub fn assign_range(members: &Members, counts: &BTreeMap<String, i32>) -> Assigned {
    let mut assigned = nothing_for(members);
    for (topic, count) in counts {
        let readers = readers_of(topic, members).collect::<Vec<_>>();
        let mut next = 0;
        for (index, reader) in (0..).zip(&readers) {
            let (each, longer) = (count / readers.len() as i32, count % readers.len() as i32);
            let end = next + each + i32::from(index < longer);
            let range = (next..end).map(|it| (topic.clone(), it));
            assigned.entry((*reader).clone()).or_default().extend(range);
            next = end;
        }
    }
    assigned
}

/// The assignor `cooperative-sticky`: members keep what they own, as far as all have equally many
/// afterwards. What moves is nobody's until its owner has joined again without it. The cost grows
/// with the square of the number of partitions that move.
///
/// ```
/// use minilog::client::member::{Subscription, assign_sticky};
/// use std::collections::{BTreeMap, BTreeSet};
///
/// let orders = |all: &[i32]| all.iter().map(|it| ("orders".to_owned(), *it)).collect();
/// let joins = |owned: &BTreeSet<_>, generation| {
///     Subscription::new(&["orders".to_owned()], owned, generation)
/// };
/// let counts = [("orders".to_owned(), 4)].into();
///
/// // a has all four partitions, and b joins.
/// let (a, b) = (joins(&orders(&[0, 1, 2, 3]), 1), joins(&orders(&[]), -1));
/// let mut members = BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
/// let first = assign_sticky(&members, &counts);
/// assert_eq!((&first["a"], &first["b"]), (&orders(&[0, 1]), &orders(&[])));
///
/// // a has stopped reading 2 and 3, and joins again.
/// members.insert("a".to_owned(), joins(&first["a"], 2));
/// let second = assign_sticky(&members, &counts);
/// assert_eq!((&second["a"], &second["b"]), (&orders(&[0, 1]), &orders(&[2, 3])));
/// ```
pub fn assign_sticky(members: &Members, counts: &BTreeMap<String, i32>) -> Assigned {
    // A partition that two members claim belongs to the one of the later generation: the other one
    // has missed a rebalance.
    let mut owners = BTreeMap::<TopicPartition, (i32, &String)>::new();
    for (member, subscription) in members {
        for partition in flatten(&subscription.owned_partitions) {
            let claim = (subscription.generation_id, member);
            let owner = owners.entry(partition).or_insert(claim);
            *owner = claim.max(*owner);
        }
    }

    // Everything stays where it is, if its owner still wants the topic. The rest goes to the member
    // that has the fewest.
    let (mut assigned, mut free) = (nothing_for(members), Vec::new());
    for (topic, count) in counts {
        for partition in (0..*count).map(|it| (topic.clone(), it)) {
            match owners.get(&partition) {
                Some((_, owner)) if members[*owner].topics.contains(topic) => {
                    assigned.entry((*owner).clone()).or_default().insert(partition);
                }
                _ => free.push(partition),
            }
        }
    }
    for partition in free {
        let fewest = readers_of(&partition.0, members).min_by_key(|it| assigned[*it].len());
        let Some(fewest) = fewest else { continue };
        assigned.entry(fewest.clone()).or_default().insert(partition);
    }

    // A member that has two more than another one hands on a partition that both want.
    while let Some((from, to, partition)) = imbalance(&assigned, members) {
        assigned.entry(from).or_default().remove(&partition);
        assigned.entry(to).or_default().insert(partition);
    }

    // The new owner of a partition gets it when the old one has stopped reading.
    for (member, partitions) in &mut assigned {
        partitions.retain(|it| owners.get(it).is_none_or(|(_, owner)| *owner == member));
    }
    assigned
}

/// A partition that makes two members more equal if it moves from the first to the second.
fn imbalance(assigned: &Assigned, members: &Members) -> Option<(String, String, TopicPartition)> {
    assigned.iter().find_map(|(from, partitions)| {
        partitions.iter().rev().find_map(|partition| {
            let to = readers_of(&partition.0, members).min_by_key(|it| assigned[*it].len())?;
            (assigned[to].len() + 1 < partitions.len())
                .then(|| (from.clone(), to.clone(), partition.clone()))
        })
    })
}

fn nothing_for(members: &Members) -> Assigned {
    members.keys().map(|it| (it.clone(), BTreeSet::new())).collect()
}

fn readers_of<'a>(topic: &'a String, members: &'a Members) -> impl Iterator<Item = &'a String> {
    members.iter().filter(move |(_, it)| it.topics.contains(topic)).map(|(member, _)| member)
}

message! {
    /// What a member tells the leader. Its version is in front of it.
    pub struct Subscription {
        0+ topics:           Vec<String>,          "the topics it wants";
        0+ user_data:        Option<Bytes>,        "of the assignor";
        1+ owned_partitions: Vec<TopicPartitions>, "what it reads, if rebalances are cooperative";
        2+ generation_id:    i32 = -1,             "the generation in which it got them";
    }

    /// What the leader tells a member. Its version is in front of it.
    pub struct Assignment {
        0+ assigned_partitions: Vec<TopicPartitions>, "its partitions";
        0+ user_data:           Option<Bytes>,        "of the assignor";
    }

    /// Partitions of one topic.
    pub struct TopicPartitions {
        0+ topic:      String,   "the topic";
        0+ partitions: Vec<i32>, "its partitions";
    }
}

impl Subscription {
    /// The subscription of a member that got `owned` in `generation_id`.
    pub fn new(
        topics: &[String],
        owned: &BTreeSet<TopicPartition>,
        generation_id: i32,
    ) -> Subscription {
        let (topics, owned_partitions) = (topics.to_vec(), by_topic(owned));
        Subscription { topics, user_data: None, owned_partitions, generation_id }
    }
}

/// The partitions of an encoded [`Assignment`]. No bytes are none.
pub fn decode_assignment(bytes: &[u8]) -> Result<BTreeSet<TopicPartition>, ClientError> {
    if bytes.is_empty() {
        return Ok(BTreeSet::new());
    }
    Ok(flatten(&decode::<Assignment>(bytes)?.assigned_partitions).collect())
}

fn by_topic(partitions: &BTreeSet<TopicPartition>) -> Vec<TopicPartitions> {
    let mut topics = BTreeMap::<_, Vec<i32>>::new();
    for (topic, partition) in partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    let topics = topics.into_iter();
    topics.map(|(topic, partitions)| TopicPartitions { topic: topic.clone(), partitions }).collect()
}

fn flatten(topics: &[TopicPartitions]) -> impl Iterator<Item = TopicPartition> {
    topics.iter().flat_map(|TopicPartitions { topic, partitions }| {
        partitions.iter().map(|it| (topic.clone(), *it))
    })
}

fn encode(body: &impl WireType) -> Vec<u8> {
    let mut encoder = Encoder::new(VERSION, false);
    VERSION.encode(&mut encoder);
    body.encode(&mut encoder);
    encoder.into_vec()
}

fn decode<T: WireType>(bytes: &[u8]) -> Result<T, ClientError> {
    let bytes = Bytes::copy_from_slice(bytes);
    let version = i16::decode(&mut Decoder::new(bytes.clone(), 0, false))?;
    // Later versions have more fields at the end.
    let mut decoder = Decoder::new(bytes, version, false);
    i16::decode(&mut decoder)?;
    Ok(T::decode(&mut decoder)?)
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
    fn a_rebalance_keeps_the_name_and_an_unknown_member_gets_a_new_one() {
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
    fn a_broken_connection_costs_no_partitions() {
        let mut member = member();
        assert!(member.due() > Instant::now());
        assert_eq!(member.on_error(refused(ErrorCode::NOT_COORDINATOR)).unwrap(), None);
        assert!(member.due() <= Instant::now(), "a heartbeat asks the next coordinator");
    }

    fn wants(topics: &[&str]) -> Subscription {
        let topics = topics.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        Subscription::new(&topics, &BTreeSet::new(), -1)
    }

    #[test]
    fn members_want_different_topics() {
        let members = [
            ("a".to_owned(), wants(&["x", "gone"])),
            ("b".to_owned(), wants(&["x", "y"])),
            ("c".to_owned(), wants(&[])),
        ];
        let (members, counts) =
            (members.into(), [("x".into(), 3), ("y".into(), 1), ("z".into(), 9)].into());
        let assigned = assign_range(&members, &counts);
        assert_eq!(assigned["a"], [("x".into(), 0), ("x".into(), 1)].into());
        assert_eq!(assigned["b"], [("x".into(), 2), ("y".into(), 0)].into());
        assert_eq!(assigned["c"], [].into());

        let assigned = assign_sticky(&members, &counts);
        assert_eq!(assigned.values().map(BTreeSet::len).collect::<Vec<_>>(), [2, 2, 0]);
        assert!(assigned["b"].contains(&("y".into(), 0)));
    }

    /// The member of generation 3 was away while 0 was given to the other one.
    #[test]
    fn the_later_claim_holds() {
        let claims = |generation| {
            Subscription::new(&["t".to_owned()], &[("t".to_owned(), 0)].into(), generation)
        };
        let members = [("a".to_owned(), claims(4)), ("b".to_owned(), claims(3))].into();
        let assigned = assign_sticky(&members, &[("t".into(), 1)].into());
        assert_eq!((assigned["a"].len(), assigned["b"].len()), (1, 0));
    }

    #[test]
    fn damaged_assignments_are_errors() {
        let assigned_partitions = by_topic(&[("t".to_owned(), 4)].into());
        let bytes = encode(&Assignment { assigned_partitions, user_data: None });
        for length in 1..bytes.len() - 4 {
            assert!(decode_assignment(&bytes[..length]).is_err(), "{length}");
        }
        let huge = [0, 0, 0x7f, 0xff, 0xff, 0xff];
        assert!(decode_assignment(&huge).is_err());
    }
}
