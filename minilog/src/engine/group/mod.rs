//! Consumer groups: members divide the partitions of topics among themselves, and the group stores
//! how far it has read each of them.
//!
//! # In which order to read it
//!
//! | file | concept |
//! |---|---|
//! | [`events`] | inputs and outputs: requests, time, records, replies |
//! | [`group`] | one group: the rebalance as a state machine |
//! | [`offsets`] | the offsets that a group has committed, and when they expire |
//! | [`coordinator`] | all groups, their deadlines, and their records in the log |
//!
//! # The life of a rebalance
//!
//! 1. A consumer sends JoinGroup. A new one gets a member id first ([`group::Group::join`]).
//! 2. The group starts a rebalance and waits for its other members. They learn of the rebalance
//!    from their next heartbeat ([`group::Group::heartbeat`]) and join again.
//! 3. When all have joined, or after the rebalance timeout, the generation goes up and all joins
//!    are answered. One member, the leader, gets the list of members.
//! 4. The leader assigns partitions to members and sends the assignments with SyncGroup. The other
//!    members wait in SyncGroup for theirs ([`group::Group::sync`]).
//! 5. The new generation is written to the log before any SyncGroup is answered
//!    ([`events::Effects`]).
//! 6. Members fetch records and commit offsets with their generation. The commit of a removed
//!    member is refused, because it has an older generation ([`group::Group::check_commit`]).

pub mod coordinator;
pub mod events;
#[expect(clippy::module_inception, reason = "the group is what this folder is about")]
pub mod group;
pub mod offsets;
