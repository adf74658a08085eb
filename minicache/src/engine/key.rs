//! A key together with its hash and its shard, made once per command.
//!
//! ```text
//! SET user:7 v       Key { bytes: "user:7", hash: 0x8d0c…, shard: 35 }
//!   lock             shard 35
//!   look up          bucket of 0x8d0c… in the table of shard 35
//!   insert           the same bucket
//!   notify, track    bytes
//! ```
//!
//! Hashing a short key costs about as much as finding it, so every step after the first takes the
//! result of the first. Redis hashes in each `dictFind` and `dictAdd`.

/// A key; see the head of the file. [`Shards::key`](super::shards::Shards::key) makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'k> {
    /// The bytes the client sent.
    pub bytes: &'k [u8],
    /// Their hash.
    pub hash: u64,
    /// The number of the shard they are in.
    pub shard: usize,
}
