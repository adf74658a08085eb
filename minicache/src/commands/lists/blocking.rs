//! Lists that are waited for, and the first of several that has something (`t_list.c` and
//! `blocked.c`).
//!
//! ```text
//! client 7: BLPOP jobs urgent 5     neither has an element: waits, for 5 seconds at most
//! client 9: RPUSH urgent x          client 7 gets 1) "urgent" 2) "x"; urgent is empty again
//! ```
//!
//! A command that waited is run again when one of its keys is filled, and then looks at that key
//! alone: after `MULTI`, `RPUSH urgent x`, `RPUSH jobs y`, `EXEC` the client gets `x`, because
//! `urgent` was filled first. A key that was filled with something else than a list is none of its
//! business.

use super::{parse_end, popped, take, take_one, transfer};
use crate::commands::{Call, Mode, timeout_ms};
use crate::engine::error::{Answer, Error};
use crate::engine::values::list::{End, List};
use crate::format::number::parse_i64;
use crate::wire::reply::Reply;
use std::ops::Range;

/// `BLPOP key [key ...] timeout`
pub fn blpop(c: &mut Call) -> Answer {
    blocking_pop(c, End::Left)
}

/// `BRPOP key [key ...] timeout`
pub fn brpop(c: &mut Call) -> Answer {
    blocking_pop(c, End::Right)
}

/// `BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout`
pub fn blmove(c: &mut Call) -> Answer {
    let (from, to) = (parse_end(c.arg(3))?, parse_end(c.arg(4))?);
    blocking_transfer(c, from, to, c.arg(5))
}

/// `BRPOPLPUSH source destination timeout`
pub fn brpoplpush(c: &mut Call) -> Answer {
    blocking_transfer(c, End::Right, End::Left, c.arg(3))
}

/// `LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]`
pub fn lmpop(c: &mut Call) -> Answer {
    let several = Several::parse(c, 1)?;
    if !several.pop(c)? {
        c.out.null_array();
    }
    Ok(())
}

/// `BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]`
pub fn blmpop(c: &mut Call) -> Answer {
    let several = Several::parse(c, 2)?;
    let timeout = timeout_ms(c.arg(1))?;
    if !several.pop(c)? {
        wait(c, several.keys, timeout);
    }
    Ok(())
}

fn blocking_pop(c: &mut Call, end: End) -> Answer {
    let keys = 1..c.args.len() - 1;
    let timeout = timeout_ms(c.arg(keys.end))?;
    if !pop_first(c, keys.clone(), end, |list, out| take_one(list, end, out))? {
        wait(c, keys, timeout);
    }
    Ok(())
}

fn blocking_transfer(c: &mut Call, from: End, to: End, timeout: &[u8]) -> Answer {
    let timeout = timeout_ms(timeout)?;
    let source = c.arg(1);
    if c.looks_at::<List>(source) && c.store.get_mut::<List>(source)?.is_some() {
        return transfer(c, from, to);
    }
    match c.mode {
        Mode::Transaction => c.out.null(),
        _ => c.wait(&[source], timeout),
    }
    Ok(())
}

/// Lets `take` pop from the first list among the arguments `keys`, and reply with what it took;
/// false where there is no list.
fn pop_first(
    c: &mut Call,
    keys: Range<usize>,
    end: End,
    take: impl FnOnce(&mut List, &mut Reply),
) -> Result<bool, Error> {
    for index in keys {
        let key = c.arg(index);
        if !c.looks_at::<List>(key) {
            continue;
        }
        let Some(list) = c.store.get_mut::<List>(key)? else { continue };
        c.out.array(2);
        c.out.bulk(key);
        take(list, c.out);
        let emptied = list.is_empty();
        popped(c.store, key, end, emptied);
        return Ok(true);
    }
    Ok(false)
}

fn wait(c: &mut Call, keys: Range<usize>, timeout: Option<i64>) {
    let keys: Vec<&[u8]> = keys.map(|index| c.arg(index)).collect();
    c.wait(&keys, timeout);
}

/// What `LMPOP` and `BLMPOP` are asked for.
struct Several {
    /// Where the keys are among the arguments.
    keys: Range<usize>,
    end: End,
    count: usize,
}

impl Several {
    /// Parses the arguments from the number of keys on.
    fn parse(c: &Call, at: usize) -> Result<Several, Error> {
        const NUMKEYS: Error = Error::new("ERR numkeys should be greater than 0");
        const COUNT: Error = Error::new("ERR count should be greater than 0");
        let positive = |at: usize| parse_i64(c.arg(at)).filter(|number| *number > 0);
        let numkeys = positive(at).ok_or(NUMKEYS)? as usize;
        let behind = (at + 1).checked_add(numkeys).filter(|behind| *behind < c.args.len());
        let behind = behind.ok_or(Error::SYNTAX)?;
        let end = parse_end(c.arg(behind))?;
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
        let Several { keys, end, count } = self;
        pop_first(c, keys.clone(), *end, |list, out| take(list, *end, *count, out))
    }
}
