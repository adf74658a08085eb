//! Members taken from either end: at once, from the first of several sets that has some, or as soon
//! as there are some.
//!
//! ```text
//! ZPOPMIN board                   bob 250
//! ZMPOP 2 empty board MAX         board: ada 310
//! BZPOPMIN jobs 0                 waits for jobs
//!   another client: ZADD jobs 1 a 2 b     the first gets jobs, a, 1; b stays
//! ```
//!
//! A blocked command runs again when one of its keys gets a value; see `engine/blocking.rs`.
//!
//! | command | RESP2 | RESP3 |
//! |---------|-------|-------|
//! | `ZPOPMIN k` | member, score | the same |
//! | `ZPOPMIN k 2` | member, score, member, score | two pairs |
//! | `BZPOPMIN k 0` | key, member, score | the same |
//! | `ZMPOP 1 k MIN` | key, one pair | the same |

use super::Listing;
use crate::commands::popping::{
    self, pop_first, pop_one_or_wait, pop_several, pop_several_or_wait,
};
use crate::commands::{Call, handlers::variants};
use crate::engine::error::{Answer, Error};
use crate::engine::{events::Events, values::zset::ZSet};
use crate::wire::reply::Reply;

variants! {
    zpopmin = pop_from_one(End::Min);   // key [count]
    zpopmax = pop_from_one(End::Max);   // key [count]
    bzpopmin = blocking_pop(End::Min);  // key [key ...] timeout
    bzpopmax = blocking_pop(End::Max);  // key [key ...] timeout
    // numkeys key [key ...] <MIN | MAX> [COUNT count]
    zmpop = pop_several<End>();
    // timeout numkeys key [key ...] <MIN | MAX> [COUNT count]
    bzmpop = pop_several_or_wait<End>();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

fn pop_from_one(c: &mut Call, end: End) -> Answer {
    let (count, listing) = match c.args.len() {
        2 => (1, Listing::Flat),
        3 => (c.count(2)?, Listing::new(true, c.out.protocol)),
        _ => return Err(Error::SYNTAX),
    };
    let popped =
        pop_first(c, 1..2, end, |zset: &mut ZSet, _, out| take(zset, end, count, listing, out))?;
    if !popped {
        c.out.array(0);
    }
    Ok(())
}

fn blocking_pop(c: &mut Call, end: End) -> Answer {
    pop_one_or_wait(c, end, |zset: &mut ZSet, key, out| {
        out.array(3);
        out.bulk(key);
        let first = if end == End::Min { 0 } else { zset.len() - 1 };
        for (member, score) in zset.range(first..first + 1) {
            out.element(member);
            out.double(score);
        }
        zset.remove_range(first..first + 1)
    })
}

/// Takes up to `count` members from an end, and lists them.
fn take(zset: &mut ZSet, end: End, count: usize, listing: Listing, out: &mut Reply) -> usize {
    let len = zset.len();
    let count = count.min(len);
    let ranks = match end {
        End::Min => 0..count,
        End::Max => len - count..len,
    };
    match end {
        End::Min => super::list(out, listing, count, zset.range(ranks.clone())),
        End::Max => super::list(out, listing, count, zset.range_rev(ranks.clone())),
    }
    zset.remove_range(ranks)
}

impl popping::End for End {
    type Of = ZSet;
    const CLASS: Events = Events::ZSET;

    fn parse(word: &[u8]) -> Result<End, Error> {
        match word {
            _ if word.eq_ignore_ascii_case(b"min") => Ok(End::Min),
            _ if word.eq_ignore_ascii_case(b"max") => Ok(End::Max),
            _ => Err(Error::SYNTAX),
        }
    }

    fn event(self) -> &'static str {
        if self == End::Min { "zpopmin" } else { "zpopmax" }
    }

    fn take(self, zset: &mut ZSet, count: usize, out: &mut Reply) -> usize {
        take(zset, self, count, Listing::Pairs, out)
    }
}
