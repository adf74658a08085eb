//! The coordinator: all groups of the broker, their deadlines, and their records in the log.
//!
//! # What is durable, and when
//!
//! Members, generations and committed offsets are in memory. Before clients learn of a change, it
//! is appended as a record to the topic `__consumer_offsets`: a group when its leader has assigned
//! partitions and when its last member has left, an offset with every commit. The topic is
//! compacted, so a restart reads about one record per group and committed partition
//! ([`Coordinator::restore`], [`Coordinator::apply`]). A restart loses a rebalance in progress; the
//! members start it again.
//!
//! A commit changes nothing in memory until its records are in the log: the caller appends them and
//! then passes them to [`Coordinator::apply`]. A restart, which reads the records from the log,
//! calls the same function.
//!
//! # After a stall
//!
//! A broker that was stopped for a minute (`kill -STOP`, a paused virtual machine) finds every
//! session overdue, while the heartbeats of that minute wait unread in the sockets. Expiring the
//! sessions would rebalance every group for nothing. So each tick is told how late it is, and the
//! coordinator's clock skips that time:
//!
//! ```text
//! time        0        10 (stopped)               70 late by 60       77
//! clock       0        10                         10                  17
//! session     until 16, no heartbeat is read      6 s left: read it   16: over
//! ```
//!
//! Kafka counterpart: `GroupCoordinatorShard.java`, one per partition of the topic, and a timing
//! wheel with an entry per member. Here every tick checks all members, ten times a second.

use super::events::*;
use super::group::{Group, State};
use super::offsets::Committed;
use std::collections::BTreeMap;

/// A tick that is this late follows a stall.
const STALL_MS: i64 = 1000;

/// The configuration of groups. Each field names its parameter in Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.initial.rebalance.delay.ms`: how long a new group waits for more members.
    pub initial_delay_ms: i64,
    /// `group.max.size`: the maximum number of members of a group.
    pub members_max: usize,
    /// The approximate memory limit of all groups, in bytes. Kafka has no limit.
    pub memory_max: usize,
    /// `offsets.retention.minutes`, converted to ms.
    pub offsets_retention_ms: i64,
}

impl Default for GroupConfig {
    fn default() -> GroupConfig {
        GroupConfig {
            initial_delay_ms: 3000,
            members_max: 1000,
            memory_max: 256 * 1024 * 1024,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1000,
        }
    }
}

/// All groups.
#[derive(Debug, Default)]
pub struct Coordinator {
    config: GroupConfig,
    groups: BTreeMap<String, Group>,
    /// The total time of all stalls so far, in ms.
    stalled_ms: i64,
    /// The approximate memory of the groups in bytes: as last measured, plus additions since.
    memory: usize,
}

impl Coordinator {
    /// A coordinator without groups.
    pub fn new(config: GroupConfig) -> Coordinator {
        Coordinator { config, ..Coordinator::default() }
    }

    /// A group.
    pub fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    /// All groups by name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// Handles a join, see [`Group::join`]. Only a join without a member id may create the group.
    pub fn join(
        &mut self,
        now: Now,
        id: &str,
        join: Join,
        ticket: Ticket,
        effects: &mut Effects,
    ) -> Handled {
        let (now, config) = (self.clock(now), self.config);
        if !join.member_id.is_empty() {
            let group = self.groups.get_mut(id).ok_or(GroupError::UnknownMemberId)?;
            return group.join(now, join, ticket, effects);
        }
        self.memory += join.memory();
        if self.memory > config.memory_max {
            return Err(GroupError::OutOfMemory);
        }
        let group = self.group_or_new(now, id);
        let count = group.members.len() + group.pending.len();
        if count >= config.members_max && join.instance_id.is_none() {
            return Err(GroupError::GroupMaxSizeReached);
        }
        group.join(now, join, ticket, effects)
    }

    fn group_or_new(&mut self, now: Now, id: &str) -> &mut Group {
        let new = || Group::new(id, now, self.config.initial_delay_ms);
        self.groups.entry(id.to_owned()).or_insert_with(new)
    }

    /// Passes a request of a member to its group.
    pub fn with_group<T>(
        &mut self,
        now: Now,
        id: &str,
        handle: impl FnOnce(&mut Group, Now) -> Result<T, GroupError>,
    ) -> Result<T, GroupError> {
        let now = self.clock(now);
        handle(self.groups.get_mut(id).ok_or(GroupError::UnknownMemberId)?, now)
    }

    /// Returns an error unless `from` may commit offsets of the group, see [`Group::check_commit`].
    pub fn check_commit(&mut self, now: Now, id: &str, from: &Identity) -> Handled {
        let now = self.clock(now);
        if self.memory > self.config.memory_max {
            return Err(GroupError::OutOfMemory);
        }
        match self.groups.get_mut(id) {
            Some(group) => group.check_commit(now, from),
            None if from.generation >= 0 => Err(GroupError::IllegalGeneration),
            None => Ok(()),
        }
    }

    /// A group without members. Administrators may delete such a group and its offsets.
    pub fn empty_group(&self, id: &str) -> Result<&Group, GroupError> {
        let group = self.groups.get(id).ok_or(GroupError::GroupIdNotFound)?;
        match group.state {
            State::Empty { .. } => Ok(group),
            _ => Err(GroupError::NonEmptyGroup),
        }
    }

    /// Deletes a group without members and its offsets.
    pub fn delete(&mut self, id: &str, effects: &mut Effects) -> Handled {
        let group = self.empty_group(id)?;
        effects.records.extend(tombstones(id, group.offsets.iter()));
        effects.records.push(Record::Group(id.to_owned()));
        self.groups.remove(id);
        Ok(())
    }

    /// Deletes the committed offsets of a deleted topic in all groups.
    pub fn delete_topic(&self, deleted: &str, effects: &mut Effects) {
        for group in self.groups.values() {
            let offsets = group.offsets.iter().filter(|(topic, _, _)| *topic == deleted);
            effects.records.extend(tombstones(&group.id, offsets));
        }
    }

    /// Applies a record that is in the log: updates the committed offset. A record of a group
    /// changes nothing, because the group in memory has changed already.
    pub fn apply(&mut self, now: Now, record: Record) {
        let Record::Offset { group, topic, partition, committed } = record else { return };
        if let Some(committed) = &committed {
            let group = self.group_or_new(now, &group);
            let is_new = group.offsets.get(&topic, partition).is_none();
            self.memory += if is_new { committed.memory() } else { 0 };
        }
        if let Some(group) = self.groups.get_mut(&group) {
            group.offsets.set(&topic, partition, committed);
        }
    }

    /// Restores a group that was read from the log; none is a tombstone. Keeps the group's offsets,
    /// because they have records of their own.
    pub fn restore(&mut self, now: Now, id: &str, restored: Option<Group>) {
        let old = self.groups.remove(id);
        if let Some(mut group) = restored {
            group.offsets = old.map(|it| it.offsets).unwrap_or_default();
            group.initial_delay_ms = self.config.initial_delay_ms;
            group.members.values_mut().for_each(|it| it.extend_session(now));
            self.groups.insert(id.to_owned(), group);
        }
    }

    /// Handles all deadlines up to `now`. `late_by` says how late this tick is, in ms.
    pub fn tick(&mut self, now: Now, late_by: i64, effects: &mut Effects) {
        if late_by >= STALL_MS {
            self.stalled_ms += late_by;
        }
        let now = self.clock(now);
        self.groups.values_mut().for_each(|group| group.expire(now, effects));
    }

    /// Deletes expired offsets, and groups that have none left. Then measures the memory again.
    pub fn expire_offsets(&mut self, now: Now, effects: &mut Effects) {
        let mut gone = Vec::new();
        let retention_ms = self.config.offsets_retention_ms;
        for group in self.groups.values() {
            let State::Empty { since } = group.state else { continue };
            let since = group.protocol_type.is_some().then_some(since);
            let expired =
                group.offsets.expired(now.timestamp, retention_ms, since).collect::<Vec<_>>();
            if expired.len() == group.offsets.iter().count() && group.pending.is_empty() {
                gone.push(group.id.clone());
            } else {
                effects.records.extend(tombstones(&group.id, expired));
            }
        }
        for id in gone {
            self.delete(&id, effects).expect("the group exists and is empty");
        }
        self.memory = self.groups.values().map(Group::memory).sum();
    }

    /// The time without the stalls.
    fn clock(&self, now: Now) -> Now {
        Now { monotonic: now.monotonic - self.stalled_ms, ..now }
    }
}

/// The records that delete these offsets.
fn tombstones<'a>(
    group: &str,
    offsets: impl IntoIterator<Item = (&'a str, i32, &'a Committed)>,
) -> impl Iterator<Item = Record> {
    offsets.into_iter().map(move |(topic, partition, _)| Record::Offset {
        group: group.to_owned(),
        topic: topic.to_owned(),
        partition,
        committed: None,
    })
}
