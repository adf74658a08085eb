//! One group: how its members agree on an assignment of partitions, through a broker that does not
//! understand the assignment.
//!
//! In a naive design each consumer reads the list of members and computes its share. Two consumers
//! that see different lists can then read the same partition and overwrite each other's offset. So
//! the broker collects the members, gives this set of members a number, the *generation*, and
//! refuses requests with an older number. One member, the *leader*, assigns partitions to members:
//! the broker sends it the opaque metadata of all members and forwards its opaque assignments. The
//! broker treats eager and cooperative consumers, Kafka Connect and Kafka Streams alike.
//!
//! # States
//!
//! ```text
//!           first join                all have joined, or timed out
//! Empty -------------> PreparingRebalance -----------> CompletingRebalance
//!   ^    rebalance        ^     |   complete_join       |             |
//!   |                     |     |                       | a join, or  | sync of the leader
//!   |  no member is left  |     |                       | a departure v
//!   +---------------------|-----+                       |           Stable
//!     complete_join       +-----------------------------+-------------+
//! ```
//!
//! Each state holds its own deadline, so the timer of a finished rebalance cannot fire.
//!
//! # Example
//!
//! `a` is the only consumer when `b` starts. The session timeout is 45 s:
//!
//! ```text
//! time  event          state                what happens
//! 0     join b         PreparingRebalance   b waits
//! 2     heartbeat a    PreparingRebalance   a gets REBALANCE_IN_PROGRESS, stops reading, commits
//! 2     join a         CompletingRebalance  generation 2: a leads, gets the metadata of a and b
//! 2     sync b         CompletingRebalance  b waits for the leader
//! 3     sync a         Stable               the group is logged, then a and b get assignments
//! 60    (a is silent)  CompletingRebalance  a is removed, b joins again: generation 3
//! 61    commit a, 2    CompletingRebalance  UNKNOWN_MEMBER_ID: a is a zombie
//! ```
//!
//! The scripts of `tests/golden/group` replay such cases, one phenomenon each.
//!
//! # Invariants
//!
//! 1. A group with members has a leader, which is one of its members.
//! 2. There is an assignor that all members support.
//! 3. A member that waits for a reply has no session timeout; it gets a new one with the reply.
//!
//! # Counterpart in Kafka
//!
//! `ClassicGroup.java`, and `classicGroupJoin` and its neighbors in `GroupMetadataManager.java`.
//! Kafka does not notice that a client has disconnected while its join waits, and removes a new
//! member after five minutes. Here [`Group::disconnect`] starts the member's session timeout.

use super::events::*;
use super::offsets::Offsets;
use std::collections::{BTreeMap, HashMap};

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub id: String,
    /// `group.initial.rebalance.delay.ms`: how long its first rebalance waits for more members.
    pub initial_delay_ms: i64,
    /// The number of rebalances so far.
    pub generation: i32,
    /// The state of its rebalance.
    pub state: State,
    /// `consumer`, or `connect`; none if it never had a member.
    pub protocol_type: Option<String>,
    /// The assignor of this generation.
    pub protocol: Option<String>,
    /// The member that assigns partitions.
    pub leader: Option<String>,
    /// The members by id.
    pub members: BTreeMap<String, Member>,
    /// Ids of new members that have not joined with them yet, and when each id expires.
    pub pending: BTreeMap<String, i64>,
    /// The offsets that it has committed.
    pub offsets: Offsets,
}

/// The state of a group's rebalance. Deadlines are by [`Now::monotonic`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The group has no members.
    Empty {
        /// When the last member left, by [`Now::timestamp`].
        since: i64,
    },
    /// Waits for members to join.
    PreparingRebalance {
        /// The deadline.
        until: i64,
        /// Set in the first rebalance of an empty group, which waits for more members.
        initial: Option<Initial>,
    },
    /// Waits for the assignments of the leader.
    CompletingRebalance {
        /// The deadline: members that have not sent their sync by then are removed.
        until: i64,
    },
    /// Members get their assignments.
    Stable {
        /// The deadline for members that have not sent their sync; none if all have.
        until: Option<i64>,
    },
}

/// The first rebalance of a group: each new member extends the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initial {
    /// True if a member appeared since the wait was last extended.
    pub has_new_member: bool,
    /// The wait is not extended beyond this time.
    pub latest: i64,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its last join.
    pub join: Join,
    /// The assignment from the leader.
    pub assignment: Vec<u8>,
    /// When its session ends, unless one of its requests waits.
    pub session_ends: i64,
    /// True if it has sent its sync in this generation.
    pub has_synced: bool,
    /// The request that waits for a reply.
    pub waiting: Option<(Waiting, Ticket)>,
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// A join: the other members.
    Join,
    /// A sync: the leader.
    Sync,
}

impl Group {
    /// An empty group.
    pub fn new(id: &str, now: Now, initial_delay_ms: i64) -> Group {
        Group {
            id: id.to_owned(),
            initial_delay_ms,
            generation: 0,
            state: State::Empty { since: now.timestamp },
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            pending: BTreeMap::new(),
            offsets: Offsets::default(),
        }
    }

    /// Handles the join of a new or a known member. The answer comes at once if the member must
    /// join again with an id, or if no rebalance is needed. Otherwise all members must join first.
    pub fn join(&mut self, now: Now, join: Join, ticket: Ticket, effects: &mut Effects) -> Handled {
        if !self.supports(&join) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let is_pending = self.pending.remove(&join.member_id).is_some();
        if join.member_id.is_empty() || is_pending {
            return self.join_new(now, join, is_pending, ticket, effects);
        }

        self.check_member(&join.member_id, join.instance_id.as_deref())?;
        let is_same = self.members[&join.member_id].join.protocols == join.protocols;
        let is_leader = self.is_leader(&join.member_id);
        let is_unchanged = match self.state {
            // The reply of its last join was lost.
            State::CompletingRebalance { .. } => is_same,
            // The leader joins again if its topics have changed, which requires a rebalance.
            State::Stable { .. } => is_same && !is_leader,
            State::Empty { .. } | State::PreparingRebalance { .. } => false,
        };
        if is_unchanged {
            let joined = self.joined(&join.member_id, is_leader);
            self.extend_session(now, &join.member_id);
            effects.replies.push((ticket, Ok(Reply::Joined(joined))));
            return Ok(());
        }

        let member = self.members.get_mut(&join.member_id).expect("it was checked");
        // An earlier join may still wait. The client has given it up, or it would not send another.
        member.answer(now, Err(GroupError::RebalanceInProgress), effects);
        member.join = join;
        member.waiting = Some((Waiting::Join, ticket));
        self.rebalance(now, effects);
        Ok(())
    }

    /// Handles the join of a client that is not in the group yet, with or without an id from us.
    fn join_new(
        &mut self,
        now: Now,
        join: Join,
        is_pending: bool,
        ticket: Ticket,
        effects: &mut Effects,
    ) -> Handled {
        let id = if is_pending { join.member_id.clone() } else { join.new_member_id.clone() };
        if let Some(old) = join.instance_id.as_deref().and_then(|it| self.static_member(it)) {
            let old = old.to_owned();
            self.replace_static_member(now, join, &old, id, ticket, effects);
            return Ok(());
        }
        // Without this, a client that times out and joins again would leave a dead member behind
        // each time, and every rebalance would wait for all of them (KIP-394).
        if join.requires_member_id && join.instance_id.is_none() && !is_pending {
            self.pending.insert(id.clone(), now.monotonic + join.session_timeout_ms);
            return Err(GroupError::MemberIdRequired(id));
        }

        self.protocol_type = Some(join.protocol_type.clone());
        self.leader.get_or_insert_with(|| id.clone());
        let waiting = Some((Waiting::Join, ticket));
        let member =
            Member { join, assignment: Vec::new(), session_ends: 0, has_synced: false, waiting };
        self.members.insert(id, member);
        if let State::PreparingRebalance { initial: Some(initial), .. } = &mut self.state {
            initial.has_new_member = true;
        }
        self.rebalance(now, effects);
        Ok(())
    }

    /// A static member has restarted: it takes over the place and the assignment of its
    /// predecessor, without a rebalance if the group is stable (KIP-345).
    fn replace_static_member(
        &mut self,
        now: Now,
        join: Join,
        old: &str,
        id: String,
        ticket: Ticket,
        effects: &mut Effects,
    ) {
        let skips_assignment = join.can_skip_assignment;
        let old_leader = self.leader.clone().unwrap_or_default();
        let mut member = self.members.remove(old).expect("the caller has found it");
        member.answer(now, Err(GroupError::FencedInstanceId), effects);
        member.join = join;
        member.waiting = Some((Waiting::Join, ticket));
        self.members.insert(id.clone(), member);
        let is_leader = old == old_leader;
        if is_leader {
            self.leader = Some(id.clone());
        }

        let is_stable = matches!(self.state, State::Stable { .. });
        if !is_stable || Some(self.select_protocol()) != self.protocol {
            return self.rebalance(now, effects);
        }
        effects.records.push(Record::Group(self.id.clone()));
        let mut joined = self.joined(&id, is_leader && skips_assignment);
        joined.skip_assignment = is_leader && skips_assignment;
        if is_leader && !skips_assignment {
            // An older client would compute a new assignment if it were told that it leads. So it
            // gets its predecessor's id as the leader: it acts as a follower and only syncs.
            joined.leader = old_leader;
        }
        let member = self.members.get_mut(&id).expect("it was inserted");
        member.answer(now, Ok(Reply::Joined(joined)), effects);
    }

    /// Returns true if the member has a protocol that all other members support too.
    fn supports(&self, join: &Join) -> bool {
        if self.members.is_empty() {
            return !join.protocol_type.is_empty() && !join.protocols.is_empty();
        }
        let is_same_type = self.protocol_type.as_deref() == Some(join.protocol_type.as_str());
        is_same_type && join.protocols.iter().any(|(name, _)| self.all_support(name))
    }

    fn all_support(&self, protocol: &str) -> bool {
        self.members.values().all(|it| it.join.protocols.iter().any(|(name, _)| name == protocol))
    }

    /// The protocol with the most votes: each member votes for the first one in its list that all
    /// members support. In a tie the alphabetically first one wins.
    fn select_protocol(&self) -> String {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut names = member.join.protocols.iter().map(|(name, _)| name.as_str());
            let vote = names.find(|name| self.all_support(name));
            *votes.entry(vote.expect("invariant 2")).or_default() += 1;
        }
        let most = votes.into_iter().rev().max_by_key(|(_, count)| *count);
        most.map_or(String::new(), |(name, _)| name.to_owned())
    }

    /// Starts a rebalance, and completes its joins if all members have joined.
    fn rebalance(&mut self, now: Now, effects: &mut Effects) {
        let timeout = self.rebalance_timeout_ms();
        self.state = match self.state {
            State::PreparingRebalance { .. } => return self.complete_if_all_joined(now, effects),
            State::Empty { .. } => {
                let latest = now.monotonic + timeout;
                let until = latest.min(now.monotonic + self.initial_delay_ms);
                let initial = Some(Initial { has_new_member: false, latest });
                State::PreparingRebalance { until, initial }
            }
            State::CompletingRebalance { .. } | State::Stable { .. } => {
                State::PreparingRebalance { until: now.monotonic + timeout, initial: None }
            }
        };

        // The assignments that these members wait for will never come.
        for member in self.members.values_mut().filter(|it| it.waits_for(Waiting::Sync)) {
            member.answer(now, Err(GroupError::RebalanceInProgress), effects);
        }
        self.complete_if_all_joined(now, effects);
    }

    fn complete_if_all_joined(&mut self, now: Now, effects: &mut Effects) {
        // The first rebalance waits for its full delay: more members may appear.
        let is_over = match self.state {
            State::PreparingRebalance { until, initial: Some(_) } => until <= now.monotonic,
            State::PreparingRebalance { initial: None, .. } => true,
            _ => false,
        };
        let have_joined = self.members.values().all(|it| it.waits_for(Waiting::Join));
        if is_over && have_joined && self.pending.is_empty() {
            self.complete_join(now, effects);
        }
    }

    /// Ends the first half of a rebalance: the members that have joined form a new generation.
    fn complete_join(&mut self, now: Now, effects: &mut Effects) {
        // Remove dynamic members that have not joined. Static members may be restarting, so they
        // stay until their session ends.
        self.members.retain(|_, it| it.waits_for(Waiting::Join) || it.join.instance_id.is_some());
        let until = now.monotonic + self.rebalance_timeout_ms();
        let leader = self.leader.as_ref().and_then(|it| self.members.get(it));
        if !leader.is_some_and(|it| it.waits_for(Waiting::Join)) {
            let mut joined = self.members.iter().filter(|(_, it)| it.waits_for(Waiting::Join));
            self.leader = joined.next().map(|(id, _)| id.clone());
        }
        if self.leader.is_none() && !self.members.is_empty() {
            // Only static members are left, and none of them has joined: wait for them again.
            self.leader = self.members.keys().next().cloned();
            self.state = State::PreparingRebalance { until, initial: None };
            return;
        }

        self.generation += 1;
        if self.members.is_empty() {
            self.protocol = None;
            self.state = State::Empty { since: now.timestamp };
            effects.records.push(Record::Group(self.id.clone()));
            return;
        }
        self.protocol = Some(self.select_protocol());
        self.state = State::CompletingRebalance { until };
        let joined = self.members.keys().map(|id| self.joined(id, self.is_leader(id)));
        let joined = joined.collect::<Vec<_>>();
        for (member, joined) in self.members.values_mut().zip(joined) {
            member.has_synced = false;
            member.answer(now, Ok(Reply::Joined(joined)), effects);
        }
    }

    /// Handles a sync: a member asks for its assignment; the leader's request has all assignments.
    pub fn sync(&mut self, now: Now, sync: Sync, ticket: Ticket, effects: &mut Effects) -> Handled {
        self.check_generation(&sync.member)?;
        let pairs = [(&self.protocol_type, &sync.protocol_type), (&self.protocol, &sync.protocol)];
        if pairs.iter().any(|(a, b)| a.is_some() && b.is_some() && a != b) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let id = &sync.member.member_id;
        let is_leader = self.is_leader(id);
        let (until, is_stable) = match self.state {
            State::Empty { .. } => return Err(GroupError::UnknownMemberId),
            State::PreparingRebalance { .. } => return Err(GroupError::RebalanceInProgress),
            State::CompletingRebalance { until } => (Some(until), false),
            State::Stable { until } => (until, true),
        };
        let member = self.members.get_mut(id).expect("it was checked");
        member.answer(now, Err(GroupError::RebalanceInProgress), effects);
        member.has_synced = true;
        member.waiting = Some((Waiting::Sync, ticket));
        if !is_stable && !is_leader {
            return Ok(());
        }

        // The leader assigns. A member that it does not mention gets an empty assignment.
        if !is_stable {
            let mut assignments = sync.assignments.into_iter().collect::<HashMap<_, _>>();
            for (id, member) in &mut self.members {
                member.assignment = assignments.remove(id).unwrap_or_default();
            }
            effects.records.push(Record::Group(self.id.clone()));
        }
        let have_synced = self.members.values().all(|it| it.has_synced);
        self.state = State::Stable { until: until.filter(|_| !have_synced) };
        for member in self.members.values_mut().filter(|it| it.waits_for(Waiting::Sync)) {
            let assignment = member.assignment.clone();
            member.answer(now, Ok(Reply::Synced(assignment)), effects);
        }
        Ok(())
    }

    /// Handles a heartbeat: extends the member's session. An error tells it to join again.
    pub fn heartbeat(&mut self, now: Now, member: &Identity) -> Handled {
        self.check_generation(member)?;
        self.extend_session(now, &member.member_id);
        match self.state {
            State::PreparingRebalance { .. } => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Removes a member. An administrator may name a static member by its instance id alone.
    pub fn leave(&mut self, now: Now, member: &Identity, effects: &mut Effects) -> Handled {
        let (id, instance_id) = (&member.member_id, member.instance_id.as_deref());
        if self.pending.remove(id).is_some() {
            self.complete_if_all_joined(now, effects);
            return Ok(());
        }
        let id = match instance_id.filter(|_| id.is_empty()) {
            Some(instance_id) => self.static_member(instance_id).unwrap_or_default().to_owned(),
            None => id.clone(),
        };
        self.check_member(&id, instance_id)?;
        self.remove(now, |other, _| other == id, effects);
        self.rebalance(now, effects);
        Ok(())
    }

    /// Starts the session timeout of a member that has disconnected while its request waits.
    pub fn disconnect(&mut self, now: Now, ticket: Ticket) {
        let waits_with = |it: &&mut Member| it.waiting.is_some_and(|(_, it)| it == ticket);
        if let Some(member) = self.members.values_mut().find(waits_with) {
            member.waiting = None;
            member.extend_session(now);
        }
    }

    /// Returns an error unless the group accepts a commit of this sender.
    ///
    /// While members join again, members of the ending generation may still commit what they have
    /// read. Once there is a new generation, a member must get its assignment before it may commit.
    pub fn check_commit(&mut self, now: Now, from: &Identity) -> Handled {
        let is_empty = matches!(self.state, State::Empty { .. });
        if from.generation < 0 && is_empty {
            // Consumers that assign partitions themselves, and administrators that reset offsets.
            return Ok(());
        }
        self.check_generation(from)?;
        if matches!(self.state, State::CompletingRebalance { .. }) {
            return Err(GroupError::RebalanceInProgress);
        }
        self.extend_session(now, &from.member_id);
        Ok(())
    }

    /// Removes members and ids that have timed out, and ends rebalances that took too long.
    pub fn expire(&mut self, now: Now, effects: &mut Effects) {
        let ids = self.pending.len();
        self.pending.retain(|_, until| *until > now.monotonic);
        let is_dead = |it: &Member| it.waiting.is_none() && it.session_ends <= now.monotonic;
        if self.remove(now, |_, it| is_dead(it), effects) {
            self.rebalance(now, effects);
        } else if self.pending.len() < ids {
            self.complete_if_all_joined(now, effects);
        }

        match &mut self.state {
            State::PreparingRebalance { until, initial } if *until <= now.monotonic => {
                match initial {
                    Some(initial) if initial.has_new_member && *until < initial.latest => {
                        *until = initial.latest.min(now.monotonic + self.initial_delay_ms);
                        initial.has_new_member = false;
                    }
                    _ => self.complete_join(now, effects),
                }
            }
            State::CompletingRebalance { until } | State::Stable { until: Some(until) }
                if *until <= now.monotonic =>
            {
                self.remove(now, |_, it| !it.has_synced, effects);
                self.rebalance(now, effects);
            }
            _ => {}
        }
    }

    /// The approximate memory of the group, in bytes.
    pub fn memory(&self) -> usize {
        let members = self.members.values().map(|it| it.join.memory() + it.assignment.len());
        let offsets = self.offsets.iter().map(|(_, _, it)| it.memory());
        size_of::<Group>() + 200 * self.pending.len() + members.chain(offsets).sum::<usize>()
    }

    /// Removes the members for which `is_out` returns true. Returns true if there were any.
    fn remove(
        &mut self,
        now: Now,
        is_out: impl Fn(&str, &Member) -> bool,
        effects: &mut Effects,
    ) -> bool {
        let count = self.members.len();
        self.members.retain(|id, it| {
            let stays = !is_out(id, it);
            if !stays {
                it.answer(now, Err(GroupError::UnknownMemberId), effects);
            }
            stays
        });
        if self.leader.as_ref().is_none_or(|it| !self.members.contains_key(it)) {
            self.leader = self.members.keys().next().cloned();
        }
        self.members.len() < count
    }

    fn joined(&self, id: &str, with_members: bool) -> Joined {
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = self.members.iter().filter(|_| with_members);
        let members = members.map(|(id, it)| {
            (id.clone(), it.join.instance_id.clone(), it.metadata(&protocol).to_vec())
        });
        Joined {
            generation: self.generation,
            leader: self.leader.clone().unwrap_or_default(),
            member_id: id.to_owned(),
            skip_assignment: false,
            members: members.collect(),
            protocol,
        }
    }

    fn check_generation(&self, from: &Identity) -> Handled {
        self.check_member(&from.member_id, from.instance_id.as_deref())?;
        let is_current = from.generation == self.generation;
        is_current.then_some(()).ok_or(GroupError::IllegalGeneration)
    }

    fn check_member(&self, id: &str, instance_id: Option<&str>) -> Handled {
        if let Some(instance_id) = instance_id {
            let current = self.static_member(instance_id).ok_or(GroupError::UnknownMemberId)?;
            if current != id {
                return Err(GroupError::FencedInstanceId);
            }
        }
        self.members.contains_key(id).then_some(()).ok_or(GroupError::UnknownMemberId)
    }

    fn static_member(&self, instance_id: &str) -> Option<&str> {
        let has_id = |it: &Member| it.join.instance_id.as_deref() == Some(instance_id);
        self.members.iter().find(|(_, it)| has_id(it)).map(|(id, _)| id.as_str())
    }

    fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    fn extend_session(&mut self, now: Now, id: &str) {
        self.members.get_mut(id).into_iter().for_each(|it| it.extend_session(now));
    }

    fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|it| it.join.rebalance_timeout_ms).max().unwrap_or(0)
    }
}

impl Member {
    /// The metadata that the member sent for a protocol.
    pub fn metadata(&self, protocol: &str) -> &[u8] {
        let found = self.join.protocols.iter().find(|(name, _)| name == protocol);
        found.map_or(&[], |(_, metadata)| metadata)
    }

    fn waits_for(&self, what: Waiting) -> bool {
        self.waiting.is_some_and(|(it, _)| it == what)
    }

    /// Restarts its session timeout.
    pub fn extend_session(&mut self, now: Now) {
        self.session_ends = now.monotonic + self.join.session_timeout_ms;
    }

    /// Answers the waiting request if there is one, and restarts the session timeout.
    fn answer(&mut self, now: Now, reply: Result<Reply, GroupError>, effects: &mut Effects) {
        if let Some((_, ticket)) = self.waiting.take() {
            effects.replies.push((ticket, reply));
            self.extend_session(now);
        }
    }
}
