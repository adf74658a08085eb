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
//! Whoever waits runs the same command again when a key is filled; see `engine/blocking.rs`.
//!
//! | command | RESP2 | RESP3 |
//! |---------|-------|-------|
//! | `ZPOPMIN k` | member, score | the same |
//! | `ZPOPMIN k 2` | member, score, member, score | two pairs |
//! | `BZPOPMIN k 0` | key, member, score | the same |
//! | `ZMPOP 1 k MIN` | key, one pair | the same |

use super::Listing;
use crate::commands::{Call, timeout_ms};
use crate::engine::config::events::Events;
use crate::engine::error::{Answer, Error};
use crate::engine::values::zset::ZSet;
use crate::format::number::parse_i64;
use crate::wire::reply::Reply;
use std::ops::Range;

/// `ZPOPMIN key [count]`
pub fn zpopmin(c: &mut Call) -> Answer {
    pop_from_one(c, End::Min)
}

/// `ZPOPMAX key [count]`
pub fn zpopmax(c: &mut Call) -> Answer {
    pop_from_one(c, End::Max)
}

/// `BZPOPMIN key [key ...] timeout`
pub fn bzpopmin(c: &mut Call) -> Answer {
    pop_one_or_wait(c, End::Min)
}

/// `BZPOPMAX key [key ...] timeout`
pub fn bzpopmax(c: &mut Call) -> Answer {
    pop_one_or_wait(c, End::Max)
}

/// `ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]`
pub fn zmpop(c: &mut Call) -> Answer {
    let several = Several::parse(c, 1)?;
    if !several.pop(c)? {
        c.out.null_array();
    }
    Ok(())
}

/// `BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]`
pub fn bzmpop(c: &mut Call) -> Answer {
    let several = Several::parse(c, 2)?;
    let timeout = timeout_ms(c.arg(1))?;
    if !several.pop(c)? {
        wait(c, several.keys, timeout);
    }
    Ok(())
}

/// Which members go first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The lowest.
    Min,
    /// The highest.
    Max,
}

fn pop_from_one(c: &mut Call, end: End) -> Answer {
    let (count, listing) = match c.args.len() {
        2 => (1, Listing::Flat),
        3 => (c.count(2)?, Listing::new(true, c.out.protocol)),
        _ => return Err(Error::SYNTAX),
    };
    let popped = pop_first(c, 1..2, end, |zset, _, out| take(zset, end, count, listing, out))?;
    if !popped {
        c.out.array(0);
    }
    Ok(())
}

fn pop_one_or_wait(c: &mut Call, end: End) -> Answer {
    let keys = 1..c.args.len() - 1;
    let timeout = timeout_ms(c.arg(keys.end))?;
    let popped = pop_first(c, keys.clone(), end, |zset, key, out| {
        out.array(3);
        out.bulk(key);
        let first = if end == End::Min { 0 } else { zset.len() - 1 };
        zset.range(first..first + 1).for_each(|member| Listing::Flat.member(out, member));
        zset.remove_range(first..first + 1)
    })?;
    if !popped {
        wait(c, keys, timeout);
    }
    Ok(())
}

fn wait(c: &mut Call, keys: Range<usize>, timeout: Option<i64>) {
    let keys: Vec<&[u8]> = keys.map(|index| c.arg(index)).collect();
    c.wait(&keys, timeout);
}

/// Lets `take` pop from the first sorted set among the arguments `keys` and reply; it returns how
/// many members it took. False where there is no set.
fn pop_first(
    c: &mut Call,
    keys: Range<usize>,
    end: End,
    take: impl FnOnce(&mut ZSet, &[u8], &mut Reply) -> usize,
) -> Result<bool, Error> {
    for index in keys {
        let key = c.arg(index);
        if !c.looks_at::<ZSet>(key) {
            continue;
        }
        let Some(zset) = c.store.get_mut::<ZSet>(key)? else { continue };
        let taken = take(zset, key, c.out);
        let emptied = zset.is_empty();
        if taken > 0 {
            let event = if end == End::Min { "zpopmin" } else { "zpopmax" };
            c.store.changed(Events::ZSET, event, key);
        }
        if emptied {
            c.store.remove_if_empty::<ZSet>(key);
        }
        return Ok(true);
    }
    Ok(false)
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
        End::Min => listing.list(out, count, zset.range(ranks.clone())),
        End::Max => listing.list(out, count, zset.range_rev(ranks.clone())),
    }
    zset.remove_range(ranks)
}

/// What `ZMPOP` and `BZMPOP` are asked for.
struct Several {
    /// Where the keys are among the arguments.
    keys: Range<usize>,
    end: End,
    count: usize,
}

impl Several {
    /// Reads the arguments from the number of keys on.
    fn parse(c: &Call, at: usize) -> Result<Several, Error> {
        const NUMKEYS: Error = Error::new("ERR numkeys should be greater than 0");
        const COUNT: Error = Error::new("ERR count should be greater than 0");
        let positive = |at: usize| parse_i64(c.arg(at)).filter(|number| *number > 0);
        let numkeys = positive(at).ok_or(NUMKEYS)? as usize;
        let behind = (at + 1).checked_add(numkeys).filter(|behind| *behind < c.args.len());
        let behind = behind.ok_or(Error::SYNTAX)?;
        let end = match () {
            () if c.is(behind, "min") => End::Min,
            () if c.is(behind, "max") => End::Max,
            () => return Err(Error::SYNTAX),
        };
        let options = c.args.len() - behind - 1;
        let count = match options {
            0 => 1,
            2.. if c.is(behind + 1, "count") => positive(behind + 2).ok_or(COUNT)? as usize,
            _ => return Err(Error::SYNTAX),
        };
        if options > 2 {
            return Err(Error::SYNTAX);
        }
        Ok(Several { keys: at + 1..behind, end, count })
    }

    fn pop(&self, c: &mut Call) -> Result<bool, Error> {
        let Several { ref keys, end, count } = *self;
        pop_first(c, keys.clone(), end, |zset, key, out| {
            out.array(2);
            out.bulk(key);
            take(zset, end, count, Listing::Pairs, out)
        })
    }
}
