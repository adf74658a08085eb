//! Sorted sets: members with scores, in order of the scores (`t_zset.c`).
//!
//! ```text
//! ZADD board 310 ada 250 bob 310 cyd        (integer) 3
//! ZRANGE board 0 -1 WITHSCORES              bob 250, ada 310, cyd 310
//! ZRANGE board (250 inf BYSCORE LIMIT 0 1   ada
//! ZINCRBY board 100 bob                     350
//! ZPOPMAX board                             bob 350
//! ```
//!
//! * [`add`]: members come, change and go, by name.
//! * [`bounds`]: how the ends of a range are written.
//! * [`range`]: members by rank, score or name, to be listed, stored, counted or removed.
//! * [`look`]: what can be asked about one set without a range.
//! * [`combine`]: unions, intersections and differences of sets with and without scores.
//! * [`pop`]: members taken from either end, waiting for them if need be.
//!
//! Whatever the question, a range of members becomes a range of ranks (`engine/values/zset.rs`), so
//! that listing, storing and removing each exist once.

mod add;
mod bounds;
mod combine;
mod look;
mod pop;
mod range;
#[cfg(test)]
mod tests;

pub use add::{zadd, zincrby, zrem};
pub use combine::{zdiff, zdiffstore, zinter, zintercard, zinterstore, zunion, zunionstore};
pub use look::{zcard, zmscore, zrandmember, zrank, zrevrank, zscan, zscore};
pub use pop::{bzmpop, bzpopmax, bzpopmin, zmpop, zpopmax, zpopmin};
pub use range::{
    zcount, zlexcount, zrange, zrangebylex, zrangebyscore, zrangestore, zremrangebylex,
    zremrangebyrank, zremrangebyscore, zrevrange, zrevrangebylex, zrevrangebyscore,
};

use super::{Call, draw::Listing, store_result};
use crate::engine::error::Answer;
use crate::engine::events::Events;
use crate::engine::object::Container as _;
use crate::engine::values::zset::{Scored, ZSet};
use crate::format::listpack::Element;
use crate::wire::reply::Reply;

/// Lists `count` members.
fn list<'z>(
    out: &mut Reply,
    listing: Listing,
    count: usize,
    members: impl Iterator<Item = (Element<'z>, f64)>,
) {
    listing.header(out, count);
    members.for_each(|(member, score)| listing.pair(out, member, |out| out.double(score)));
}

/// Puts a result, which is in order, under the key that is argument 1.
fn store(c: &mut Call, result: Vec<Scored>, event: &str) -> Answer {
    let result = ZSet::from_sorted(result, &c.keyspace.parts.tuning.limits);
    store_result(c, c.key(1), (result.len(), result.into_object()), Events::ZSET, event)
}
