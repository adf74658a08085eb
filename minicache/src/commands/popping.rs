//! Popping from the first of several keys that has something, at once or as soon as one has: what
//! lists and sorted sets have in common.
//!
//! ```text
//! LMPOP 2 empty jobs LEFT COUNT 2      jobs: a b       ZMPOP 2 empty board MAX    board: ada 310
//! BLMPOP 0 2 empty jobs LEFT           waits           BZMPOP 0 1 board MIN       waits
//! ```
//!
//! The two types differ in what their [`End`]s are called and in how elements are listed. Redis has
//! each of these twice, in `t_list.c` and in `t_zset.c`.

use super::Call;
use super::blocked::{block_for_keys, looks_at, timeout_ms};
use crate::engine::error::{Answer, Error};
use crate::engine::{events::Events, object::Container};
use crate::format::number::parse_i64;
use crate::wire::reply::Reply;
use std::ops::Range;

/// An end from which containers of one type are popped.
pub trait End: Copy {
    type Of: Container;
    const CLASS: Events;

    /// Reads `LEFT` or `RIGHT`, `MIN` or `MAX`.
    fn parse(word: &[u8]) -> Result<Self, Error>;

    fn event(self) -> &'static str;

    /// Takes up to `count` elements and replies with an array of them; returns how many it took.
    fn take(self, from: &mut Self::Of, count: usize, out: &mut Reply) -> usize;
}

/// `LMPOP` and `ZMPOP`: `numkeys key [key ...] END [COUNT count]`
pub fn pop_several<E: End>(c: &mut Call) -> Answer {
    let several = Several::<E>::parse(c, 1)?;
    if !several.pop(c)? {
        c.out.null_array();
    }
    Ok(())
}

/// `BLMPOP` and `BZMPOP`: `timeout numkeys key [key ...] END [COUNT count]`
pub fn pop_several_or_wait<E: End>(c: &mut Call) -> Answer {
    let several = Several::<E>::parse(c, 2)?;
    let timeout = timeout_ms(c.arg(1))?;
    if !several.pop(c)? {
        wait(c, several.keys, timeout);
    }
    Ok(())
}

/// `BLPOP`, `BZPOPMIN` and their likes: `key [key ...] timeout`. `take` replies with one element
/// and its key.
pub fn pop_one_or_wait<E: End>(
    c: &mut Call,
    end: E,
    take: impl FnOnce(&mut E::Of, &[u8], &mut Reply) -> usize,
) -> Answer {
    let keys = 1..c.args.len() - 1;
    let timeout = timeout_ms(c.arg(keys.end))?;
    if !pop_first(c, keys.clone(), end, take)? {
        wait(c, keys, timeout);
    }
    Ok(())
}

/// Lets `take` pop from the first container among the arguments `keys` and reply; it returns how
/// many elements it took. False where there is no container.
pub fn pop_first<E: End>(
    c: &mut Call,
    keys: Range<usize>,
    end: E,
    take: impl FnOnce(&mut E::Of, &[u8], &mut Reply) -> usize,
) -> Result<bool, Error> {
    for index in keys {
        let key = c.key(index);
        if !looks_at::<E::Of>(c, key) {
            continue;
        }
        let Some(container) = c.keyspace.get_mut::<E::Of>(key)? else { continue };
        let taken = take(container, key.bytes, c.out);
        let emptied = container.is_empty();
        if taken > 0 {
            c.keyspace.changed(E::CLASS, end.event(), key);
            // Its event is also the name of the command that takes as many without waiting.
            let mut count = itoa::Buffer::new();
            c.keyspace.log(&[end.event().as_bytes(), key.bytes, count.format(taken).as_bytes()]);
        }
        if emptied {
            c.keyspace.remove_if_empty::<E::Of>(key);
        }
        return Ok(true);
    }
    Ok(false)
}

fn wait(c: &mut Call, keys: Range<usize>, timeout: Option<i64>) {
    let keys: Vec<&[u8]> = keys.map(|index| c.arg(index)).collect();
    block_for_keys(c, &keys, timeout);
}

struct Several<E> {
    keys: Range<usize>,
    end: E,
    count: usize,
}

impl<E: End> Several<E> {
    /// Reads the arguments from the number of keys on.
    fn parse(c: &Call, at: usize) -> Result<Several<E>, Error> {
        const NUMKEYS: Error = Error::new("ERR numkeys should be greater than 0");
        const COUNT: Error = Error::new("ERR count should be greater than 0");
        let positive = |at: usize| parse_i64(c.arg(at)).filter(|number| *number > 0);
        let numkeys = positive(at).ok_or(NUMKEYS)? as usize;
        let behind = (at + 1).checked_add(numkeys).filter(|behind| *behind < c.args.len());
        let behind = behind.ok_or(Error::SYNTAX)?;
        let end = E::parse(c.arg(behind))?;
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
        pop_first(c, keys.clone(), end, |container, key, out| {
            out.array(2);
            out.bulk(key);
            end.take(container, count, out)
        })
    }
}
