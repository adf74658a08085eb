//! The coordinator: all groups of the broker, their deadlines, and what survives a restart.
//!
//! # What is durable, and when
//!
//! Members, generations and committed offsets are in memory, and every change that clients hear of
//! is first a record in the topic `__consumer_offsets`: a group when its leader has assigned and
//! when its last member has left, an offset by every commit. The topic is compacted, so a restart
//! reads about one record per group and partition ([`Coordinator::restore`],
//! [`Coordinator::apply`]). A rebalance that was under way is lost; its members begin it again.
//!
//! A commit changes nothing in memory until its records are in the log: it returns the records, and
//! the caller gives them back to [`Coordinator::apply`] after the append. Reading the log at a
//! start goes through the same function.
//!
//! # After a stall
//!
//! A broker that stood still for a minute (`kill -STOP`, a paused virtual machine) finds every
//! session overdue, with the heartbeats of that minute unread in the sockets. Expiring sessions
//! would rebalance every group for nothing. So a tick is told how late it is, and the coordinator's
//! clock leaves that time out:
//!
//! ```text
//! time        0        10 (stopped)               70 late by 60       77
//! clock       0        10                         10                  17
//! session     until 16, no heartbeat is read      6 s left: read it   16: over
//! ```
//!
//! Kafka counterpart: `GroupCoordinatorShard.java`, one per partition of the topic, and a timing
//! wheel with an entry per member. Here a tick looks at every member, ten times a second.

use super::events::*;
use super::group::{Group, State};
use super::offsets::Committed;
use std::collections::BTreeMap;

/// A tick that is later than this follows a stall.
const STALL_MS: i64 = 1000;

/// How groups behave, by the names of Kafka's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.initial.rebalance.delay.ms`: how long a new group waits for more members.
    pub initial_delay_ms: i64,
    /// `group.max.size`
    pub members_max: usize,
    /// About how many bytes all groups may take. Kafka has no limit.
    pub memory_max: usize,
    /// `offsets.retention.minutes`, in ms.
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
    /// How long the process has stood still so far, in ms.
    stalled_ms: i64,
    /// About how many bytes the groups take: as last measured, and what was added since.
    memory: usize,
}

impl Coordinator {
    /// Without groups.
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

    /// A member joins, see [`Group::join`]. Only a new member may create the group.
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

    /// Lets a group handle a request of one of its members.
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

    /// A group without members: only of such a group an administrator may delete anything.
    pub fn empty_group(&self, id: &str) -> Result<&Group, GroupError> {
        let group = self.groups.get(id).ok_or(GroupError::GroupIdNotFound)?;
        match group.state {
            State::Empty { .. } => Ok(group),
            _ => Err(GroupError::NonEmptyGroup),
        }
    }

    /// Deletes a group without members, with its offsets.
    pub fn delete(&mut self, id: &str, effects: &mut Effects) -> Handled {
        let group = self.empty_group(id)?;
        effects.records.extend(tombstones(id, group.offsets.iter()));
        effects.records.push(Record::Group(id.to_owned()));
        self.groups.remove(id);
        Ok(())
    }

    /// Deletes all offsets of a topic, which is gone.
    pub fn delete_topic(&self, deleted: &str, effects: &mut Effects) {
        for group in self.groups.values() {
            let offsets = group.offsets.iter().filter(|(topic, _, _)| *topic == deleted);
            effects.records.extend(tombstones(&group.id, offsets));
        }
    }

    /// Takes a record that is in the log for true: a committed offset changes the memory here. What
    /// a record of a group says is known already.
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

    /// Takes over a group that was read from the log, but not its offsets: they have records of
    /// their own. None is a tombstone.
    pub fn restore(&mut self, now: Now, id: &str, restored: Option<Group>) {
        let old = self.groups.remove(id);
        if let Some(mut group) = restored {
            group.offsets = old.map(|it| it.offsets).unwrap_or_default();
            group.initial_delay_ms = self.config.initial_delay_ms;
            group.members.values_mut().for_each(|it| it.extend_session(now));
            self.groups.insert(id.to_owned(), group);
        }
    }

    /// Does what is due at `now`. `late_by` is how much later than planned this is called, in ms.
    pub fn tick(&mut self, now: Now, late_by: i64, effects: &mut Effects) {
        if late_by >= STALL_MS {
            self.stalled_ms += late_by;
        }
        let now = self.clock(now);
        self.groups.values_mut().for_each(|group| group.expire(now, effects));
    }

    /// Deletes expired offsets, and the groups of which nothing is left. Measures what is left.
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

/// Records that delete offsets.
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
