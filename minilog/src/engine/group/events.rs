//! The inputs and outputs of the coordinator: requests, time, records and replies.
//!
//! A join may be answered minutes later, after the last member has joined. So each request has a
//! [`Ticket`], and its reply carries the same one, now or after a later event:
//!
//! ```text
//! event                effects
//! join a, ticket 1
//! join b, ticket 2     reply 1: generation 5, leader, members a and b.  reply 2: generation 5
//! sync b, ticket 3
//! sync a, ticket 4     record: the group.  reply 3: assignment of b.  reply 4: assignment of a
//! ```
//!
//! Kafka counterpart: `CoordinatorResult.java`, a list of records and a future response.

use super::offsets::Committed;

/// The time of an event by two clocks, both in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// A clock that only goes forward, for deadlines.
    pub monotonic: i64,
    /// The time since 1970, for stored timestamps.
    pub timestamp: i64,
}

/// Identifies a request that waits for its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A JoinGroup request. The group keeps it as the description of the member that sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Join {
    /// The member id; empty for a new member.
    pub member_id: String,
    /// The id that the broker has generated, in case the member is new.
    pub new_member_id: String,
    /// True if a new member must join a second time with its new id (KIP-394).
    pub requires_member_id: bool,
    /// True if the client knows `skip_assignment` (KIP-814).
    pub can_skip_assignment: bool,
    /// The name that a static member keeps over restarts.
    pub instance_id: Option<String>,
    /// The client id that the client sends with every request.
    pub client_id: String,
    /// The address that it connects from.
    pub client_host: String,
    /// The member is considered dead after this long without a heartbeat.
    pub session_timeout_ms: i64,
    /// A rebalance waits this long for the member.
    pub rebalance_timeout_ms: i64,
    /// `consumer`, or `connect`.
    pub protocol_type: String,
    /// Assignors with their metadata, preferred first.
    pub protocols: Vec<(String, Vec<u8>)>,
}

impl Join {
    /// The approximate memory of a member with this join, in bytes.
    pub fn memory(&self) -> usize {
        let protocols = self.protocols.iter().map(|(name, metadata)| name.len() + metadata.len());
        size_of::<Join>() + 500 + protocols.sum::<usize>()
    }
}

/// A SyncGroup request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sync {
    /// The sender.
    pub member: Identity,
    /// `consumer`, or `connect`; none from older clients.
    pub protocol_type: Option<String>,
    /// The assignor; none from older clients.
    pub protocol: Option<String>,
    /// The assignments of all members if the sender is the leader; empty otherwise.
    pub assignments: Vec<(String, Vec<u8>)>,
}

/// The fields by which every request identifies its sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The member id; empty if the sender is not a member.
    pub member_id: String,
    /// Its static instance id.
    pub instance_id: Option<String>,
    /// The generation that the sender belongs to; negative if it is not a member.
    pub generation: i32,
}

/// The reply to a request that may have to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To a join.
    Joined(Joined),
    /// To a sync: the assignment of the member.
    Synced(Vec<u8>),
}

/// The reply to a join: the generation that the member has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its number.
    pub generation: i32,
    /// The assignor, which all members support.
    pub protocol: String,
    /// The member that assigns partitions.
    pub leader: String,
    /// The member that joined.
    pub member_id: String,
    /// True if the leader must keep the current assignment (KIP-814).
    pub skip_assignment: bool,
    /// All members with instance id and metadata; only for the leader.
    pub members: Vec<(String, Option<String>, Vec<u8>)>,
}

/// Why a request of a member was refused. The names are those of Kafka's errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupError {
    /// The group has no such member: join as a new one.
    UnknownMemberId,
    /// Join again, with this id.
    MemberIdRequired(String),
    /// The member has an older generation: the group has rebalanced without it.
    IllegalGeneration,
    /// The group waits for its members to join again.
    RebalanceInProgress,
    /// The member has no assignor in common with the others.
    InconsistentGroupProtocol,
    /// Another process has taken over the static instance id.
    FencedInstanceId,
    /// The group has reached the maximum number of members.
    GroupMaxSizeReached,
    /// The groups have reached their memory limit.
    OutOfMemory,
    /// There is no such group.
    GroupIdNotFound,
    /// The group has members.
    NonEmptyGroup,
}

/// The outcome of a request: an error to send at once, or success. A join or a sync that succeeds
/// gets its reply through [`Effects`].
pub type Handled = Result<(), GroupError>;

/// A change that must survive a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The current state of a group; a tombstone if it is deleted.
    Group(String),
    /// A committed offset; none deletes it.
    Offset {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset.
        committed: Option<Committed>,
    },
}

/// What the caller must do after an event, in this order: append `records` to the log, pass each to
/// [`Coordinator::apply`](super::coordinator::Coordinator::apply), send `replies`. If the append
/// fails, all replies become errors.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Records to append.
    pub records: Vec<Record>,
    /// Replies to send.
    pub replies: Vec<(Ticket, Result<Reply, GroupError>)>,
}
