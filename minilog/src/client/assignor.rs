//! Assignors decide which member of a group reads which partition. The leader of the group runs one
//! on the subscriptions of all members. To the broker both are opaque bytes.
//!
//! `range` needs *eager* rebalances: each member gives up all partitions before it joins again, and
//! no member reads until the last one has joined. With `cooperative-sticky` members keep reading
//! (KIP-429). Each tells the leader which partitions it owns. A partition that moves is revoked in
//! one rebalance and assigned to its new owner in a second one:
//!
//! ```text
//!            a owns    b owns
//! b joins    0 1 2 3   -         a keeps 0 1, stops reading 2 3, and joins again
//! a joins    0 1       -         now 2 3 have no owner
//!            0 1       2 3
//! ```
//!
//! The test `a_partition_is_revoked_before_it_moves` replays this.
//!
//! Kafka counterpart: `RangeAssignor.java`, `CooperativeStickyAssignor.java`,
//! `ConsumerProtocolSubscription.json`, `ConsumerProtocolAssignment.json`.

use super::Result;
use super::batching::TopicPartition;
use crate::wire::codec::{Decoder, Encoder, WireType};
use crate::wire::schema::message;
use crate::wire::topics::ByTopic;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// The version of [`Subscription`] and [`Assignment`] that is sent.
const VERSION: i16 = 2;

/// The subscription of each member, by member id.
pub type Members = BTreeMap<String, Subscription>;
/// A set of partitions of any topics.
pub type Partitions = BTreeSet<TopicPartition>;
/// The partitions of each member, by member id.
pub type Assigned = BTreeMap<String, Partitions>;

/// The assignor `range`: divides each topic separately into ranges of almost equal length. The
/// first members by id get the longer ones. `counts` has the number of partitions of each topic.
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

/// The assignor `cooperative-sticky`: members keep the partitions that they own, as long as the
/// assignment stays balanced. A partition that moves is assigned to no member until its owner has
/// joined again without it. The cost grows with the square of the number of partitions that move.
pub fn assign_sticky(members: &Members, counts: &BTreeMap<String, i32>) -> Assigned {
    // If two members claim a partition, the one with the later generation owns it: the other one
    // has missed a rebalance.
    let mut claims = members.iter().collect::<Vec<_>>();
    claims.sort_by_key(|(_, it)| it.generation_id);
    let claims = claims.into_iter().flat_map(|(member, it)| {
        flatten(&it.owned_partitions).map(move |partition| (partition, member))
    });
    let owners = claims.collect::<BTreeMap<_, _>>();

    // A partition stays with its owner if the owner still subscribes to the topic. Any other one
    // goes to the subscriber with the fewest partitions.
    let all = counts.iter().flat_map(|(topic, count)| (0..*count).map(|it| (topic.clone(), it)));
    let keeps = |it: &TopicPartition| {
        owners.get(it).copied().filter(|owner| members[*owner].topics.contains(&it.0))
    };
    let (kept, free): (Vec<_>, Vec<_>) = all.partition(|it| keeps(it).is_some());
    let mut assigned = nothing_for(members);
    for partition in kept.into_iter().chain(free) {
        let reader = keeps(&partition).or_else(|| fewest(&partition.0, &assigned, members));
        let Some(reader) = reader.cloned() else { continue };
        assigned.entry(reader).or_default().insert(partition);
    }

    // While a member has at least two more than another, move a partition to which both subscribe.
    while let Some((from, to, partition)) = imbalance(&assigned, members) {
        assigned.entry(from).or_default().remove(&partition);
        assigned.entry(to).or_default().insert(partition);
    }

    // A partition that moves is left out: its new owner gets it after the old one has revoked it.
    for (member, partitions) in &mut assigned {
        partitions.retain(|it| owners.get(it).is_none_or(|owner| *owner == member));
    }
    assigned
}

/// Finds a partition whose move improves the balance: from which member, to which one.
fn imbalance(assigned: &Assigned, members: &Members) -> Option<(String, String, TopicPartition)> {
    assigned.iter().find_map(|(from, partitions)| {
        partitions.iter().rev().find_map(|partition| {
            let to = fewest(&partition.0, assigned, members)?;
            let is_better = assigned[to].len() + 1 < partitions.len();
            is_better.then(|| (from.clone(), to.clone(), partition.clone()))
        })
    })
}

/// The subscriber of a topic with the fewest partitions.
fn fewest<'a>(topic: &str, assigned: &Assigned, members: &'a Members) -> Option<&'a String> {
    readers_of(topic, members).min_by_key(|it| assigned[*it].len())
}

fn readers_of<'a>(topic: &str, members: &'a Members) -> impl Iterator<Item = &'a String> {
    let readers = members.iter().filter(move |(_, it)| it.topics.iter().any(|it| it == topic));
    readers.map(|(member, _)| member)
}

fn nothing_for(members: &Members) -> Assigned {
    members.keys().map(|it| (it.clone(), BTreeSet::new())).collect()
}

message! {
    /// The message from a member to the leader.
    pub struct Subscription {
        0+ version:          i16 = VERSION,     "the version of this message";
        0+ topics:           Vec<String>,       "the topics it wants";
        0+ user_data:        Option<Vec<u8>>,   "of the assignor";
        1+ owned_partitions: Vec<ByTopic<i32>>, "what it reads, if rebalances are cooperative";
        2+ generation_id:    i32 = -1,          "the generation in which it got them";
    }

    /// The message from the leader to a member.
    pub struct Assignment {
        0+ version:             i16 = VERSION,     "the version of this message";
        0+ assigned_partitions: Vec<ByTopic<i32>>, "its partitions";
        0+ user_data:           Option<Vec<u8>>,   "of the assignor";
    }
}

/// Decodes the partitions of an [`Assignment`]. An empty message has none.
pub fn decode_assignment(bytes: &[u8]) -> Result<Partitions> {
    if bytes.is_empty() {
        return Ok(BTreeSet::new());
    }
    Ok(flatten(&decode::<Assignment>(bytes)?.assigned_partitions).collect())
}

pub(super) fn by_topic(partitions: &Partitions) -> Vec<ByTopic<i32>> {
    let mut topics = BTreeMap::<_, Vec<i32>>::new();
    for (topic, partition) in partitions {
        topics.entry(topic.clone()).or_default().push(*partition);
    }
    topics.into_iter().map(|(name, partitions)| ByTopic { name, partitions }).collect()
}

fn flatten(topics: &[ByTopic<i32>]) -> impl Iterator<Item = TopicPartition> {
    topics.iter().flat_map(|it| it.partitions.iter().map(|partition| (it.name.clone(), *partition)))
}

pub(super) fn encode(message: &impl WireType) -> Vec<u8> {
    let mut encoder = Encoder::new(VERSION, false);
    message.encode(&mut encoder);
    encoder.into_vec()
}

pub(super) fn decode<T: WireType>(bytes: &[u8]) -> Result<T> {
    let bytes = Bytes::copy_from_slice(bytes);
    // Later versions have more fields at the end.
    let version = i16::decode(&mut Decoder::new(bytes.clone(), 0, false))?;
    Ok(T::decode(&mut Decoder::new(bytes, version, false))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(topics: &[&str]) -> Subscription {
        let topics = topics.iter().map(|it| (*it).to_owned()).collect();
        Subscription { topics, ..Default::default() }
    }

    /// A member of a generation that owns these partitions and subscribes to their topic.
    fn has(topic: &str, owned: &Partitions, generation_id: i32) -> Subscription {
        let owned_partitions = by_topic(owned);
        Subscription { owned_partitions, generation_id, ..wants(&[topic]) }
    }

    #[test]
    fn a_range_is_as_equal_as_possible() {
        let members = ["a", "b"].map(|name| (name.to_owned(), wants(&["orders"])));
        let assigned = assign_range(&members.into(), &[("orders".into(), 3)].into());
        assert_eq!(assigned["a"], [("orders".into(), 0), ("orders".into(), 1)].into());
        assert_eq!(assigned["b"], [("orders".into(), 2)].into());
    }

    #[test]
    fn a_partition_is_revoked_before_it_moves() {
        let orders = |all: &[i32]| all.iter().map(|it| ("orders".to_owned(), *it)).collect();
        let joins = |owned: &Partitions, generation| has("orders", owned, generation);
        let counts = [("orders".to_owned(), 4)].into();

        // a owns all four partitions when b joins.
        let (a, b) = (joins(&orders(&[0, 1, 2, 3]), 1), joins(&orders(&[]), -1));
        let mut members = BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
        let first = assign_sticky(&members, &counts);
        assert_eq!((&first["a"], &first["b"]), (&orders(&[0, 1]), &orders(&[])));

        // a has stopped reading 2 and 3, and joins again.
        members.insert("a".to_owned(), joins(&first["a"], 2));
        let second = assign_sticky(&members, &counts);
        assert_eq!((&second["a"], &second["b"]), (&orders(&[0, 1]), &orders(&[2, 3])));
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

    /// The member of generation 3 has missed the rebalance that assigned partition 0 to the other.
    #[test]
    fn the_claim_of_the_later_generation_wins() {
        let claims = |generation| has("t", &[("t".to_owned(), 0)].into(), generation);
        let members = [("a".to_owned(), claims(4)), ("b".to_owned(), claims(3))].into();
        let assigned = assign_sticky(&members, &[("t".into(), 1)].into());
        assert_eq!((assigned["a"].len(), assigned["b"].len()), (1, 0));
    }

    #[test]
    fn damaged_assignments_are_errors() {
        let assigned_partitions = by_topic(&[("t".to_owned(), 4)].into());
        let bytes = encode(&Assignment { assigned_partitions, ..Default::default() });
        for length in 1..bytes.len() - 4 {
            assert!(decode_assignment(&bytes[..length]).is_err(), "{length}");
        }
        let huge = [0, 0, 0x7f, 0xff, 0xff, 0xff];
        assert!(decode_assignment(&huge).is_err());
    }
}
