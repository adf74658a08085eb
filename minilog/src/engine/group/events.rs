//! What comes into the coordinator and what goes out: requests, replies, records, time.
//!
//! A join may be answered minutes later, when the last member has joined. So it comes with a
//! [`Ticket`], under which its reply goes out, at once or at a later event:
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

/// The time of an event, by two clocks, both in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// A clock that only goes forward, for deadlines.
    pub monotonic: i64,
    /// The time since 1970, for what is stored.
    pub timestamp: i64,
}

/// Identifies a request that waits for its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A JoinGroup request, and what a group knows of the member that sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Join {
    /// The member; empty for a new one.
    pub member_id: String,
    /// The id that the broker has made for it, if it is new.
    pub new_member_id: String,
    /// True if a new member must join a second time, with the id that it gets (KIP-394).
    pub requires_member_id: bool,
    /// True if the client knows `skip_assignment` (KIP-814).
    pub can_skip_assignment: bool,
    /// The name that a static member keeps over restarts.
    pub instance_id: Option<String>,
    /// How the client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Without a heartbeat for this long the member is dead.
    pub session_timeout_ms: i64,
    /// A rebalance waits this long for the member.
    pub rebalance_timeout_ms: i64,
    /// `consumer`, or `connect`.
    pub protocol_type: String,
    /// Assignors with their metadata, preferred first.
    pub protocols: Vec<(String, Vec<u8>)>,
}

impl Join {
    /// About how many bytes it takes in memory, with the member around it.
    pub fn memory(&self) -> usize {
        let protocols = self.protocols.iter().map(|(name, metadata)| name.len() + metadata.len());
        size_of::<Join>() + 500 + protocols.sum::<usize>()
    }
}

/// A SyncGroup request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sync {
    /// Its sender.
    pub member: Identity,
    /// `consumer`, or `connect`; none from older clients.
    pub protocol_type: Option<String>,
    /// The assignor; none from older clients.
    pub protocol: Option<String>,
    /// The assignments of all members, if the leader sends it.
    pub assignments: Vec<(String, Vec<u8>)>,
}

/// What a member says about itself in every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The member; empty for one that is not in the group.
    pub member_id: String,
    /// Its static instance id.
    pub instance_id: Option<String>,
    /// The generation it belongs to; negative if it is not in the group.
    pub generation: i32,
}

/// The reply to a request that may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To a join.
    Joined(Joined),
    /// To a sync: the assignment of the member.
    Synced(Vec<u8>),
}

/// The generation that a member has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its number.
    pub generation: i32,
    /// The assignor that all members can use.
    pub protocol: String,
    /// The member that assigns.
    pub leader: String,
    /// The member that joined.
    pub member_id: String,
    /// True if the leader must not assign anew.
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
    /// The member belongs to an older generation: it was taken for dead.
    IllegalGeneration,
    /// The group waits for its members to join again.
    RebalanceInProgress,
    /// The member has no assignor in common with the others.
    InconsistentGroupProtocol,
    /// Another process has taken over the static instance id.
    FencedInstanceId,
    /// The group has as many members as it may.
    GroupMaxSizeReached,
    /// All groups together take as much memory as they may.
    OutOfMemory,
    /// There is no such group.
    GroupIdNotFound,
    /// The group has members.
    NonEmptyGroup,
}

/// What becomes of a request: it is refused, or answered by a reply if it has one.
pub type Handled = Result<(), GroupError>;

/// What must survive a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The state of a group as it is now; a tombstone if the group is gone.
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

/// What the caller does after an event, in this order: append `records` to the log, tell
/// [`Coordinator::apply`](super::coordinator::Coordinator::apply) about each, send `replies`. If
/// the append fails, all replies become errors.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Records to append.
    pub records: Vec<Record>,
    /// Replies to send.
    pub replies: Vec<(Ticket, Result<Reply, GroupError>)>,
}
