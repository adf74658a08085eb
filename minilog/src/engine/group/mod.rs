//! Consumer groups: members share the partitions of topics, and the group remembers how far it has
//! read them.
//!
//! # In which order to read it
//!
//! | file | concept |
//! |---|---|
//! | [`events`] | what comes in, what goes out: requests, replies, records, time |
//! | [`group`] | one group: the rebalance as a state machine |
//! | [`offsets`] | the offsets that a group has committed, and when they expire |
//! | [`coordinator`] | all groups, their deadlines, and what survives a restart |
//!
//! # The life of a rebalance
//!
//! 1. A consumer sends JoinGroup. A new one gets a member id first ([`group::Group::join`]).
//! 2. The group starts to rebalance and waits for the members it has. They learn of it by their
//!    next heartbeat ([`group::Group::heartbeat`]) and join again.
//! 3. All have joined, or the rebalance timeout is over: the generation goes up, and all joins are
//!    answered at once. One member, the leader, gets the list of members.
//! 4. The leader assigns partitions to members and sends the result with SyncGroup. The other
//!    members wait in SyncGroup for their part ([`group::Group::sync`]).
//! 5. The new generation is written to the log before any of them is answered
//!    ([`events::Effects`]).
//! 6. Members fetch and commit offsets, with their generation. A member that was taken for dead has
//!    an older one, and its commit is refused ([`group::Group::check_commit`]).

pub mod coordinator;
pub mod events;
#[expect(clippy::module_inception, reason = "the group is what this folder is about")]
pub mod group;
pub mod offsets;
