//! Lists: pushing, popping and looking at their ends and insides (`t_list.c`).
//!
//! ```text
//! RPUSH jobs a b c        jobs: [a b c]                  (integer) 3
//! LPOP jobs               takes a,  jobs: [b c]          "a"
//! LRANGE jobs 0 -1        -1 is the last one             1) "b"  2) "c"
//! LMOVE jobs done LEFT RIGHT     jobs: [c]  done: [b]    "b"
//! RPOP jobs 10            takes c, and with it the key   1) "c"
//! ```
//!
//! Every command is the same three steps: find the list, let [`List`] do the work, report the
//! change. The commands that wait are in [`blocking`]. No key holds an empty list, so a command
//! that takes the last element removes the key.

pub mod blocking;

pub use blocking::{blmove, blmpop, blpop, brpop, brpoplpush, lmpop};

use super::popping::End as _;
use super::{Call, handlers::variants, indexes};
use crate::engine::error::{Answer, Error};
use crate::engine::values::list::{End, List, Side};
use crate::engine::{events::Events, key::Key, keyspace::Keyspace, object::Container as _};
use crate::format::listpack::Element;
use crate::wire::reply::Reply;

variants! {
    lpush = push(End::Left);                      // key element [element ...]
    rpush = push(End::Right);                     // key element [element ...]
    lpushx = push_if_there(End::Left);            // key element [element ...]
    rpushx = push_if_there(End::Right);           // key element [element ...]
    lpop = pop(End::Left);                        // key [count]
    rpop = pop(End::Right);                       // key [count]
    rpoplpush = transfer(End::Right, End::Left);  // source destination
}

/// `LLEN key`
pub fn llen(c: &mut Call) -> Answer {
    let len = c.keyspace.get::<List>(c.key(1))?.map_or(0, List::len);
    c.out.answer_count(len)
}

/// `LINDEX key index`
pub fn lindex(c: &mut Call) -> Answer {
    let index = c.int(2);
    match c.keyspace.get::<List>(c.key(1))? {
        Some(list) => c.out.element_or_null(list.get(index?)),
        None => c.out.null(),
    }
    Ok(())
}

/// `LRANGE key start stop`
pub fn lrange(c: &mut Call) -> Answer {
    let (start, stop) = (c.int(2)?, c.int(3)?);
    let Some(list) = c.keyspace.get::<List>(c.key(1))? else { return c.out.answer_empty() };
    let range = indexes(start, stop, list.len());
    c.out.array(range.len());
    list.range(range.start, range.len()).for_each(|element| c.out.element(element));
    Ok(())
}

/// `LTRIM key start stop`
pub fn ltrim(c: &mut Call) -> Answer {
    let (start, stop) = (c.int(2)?, c.int(3)?);
    let key = c.key(1);
    if let Some(list) = c.keyspace.get_mut::<List>(key)? {
        let kept = indexes(start, stop, list.len());
        if kept.is_empty() {
            list.discard(End::Left, usize::MAX);
        } else {
            list.trim(kept.start, kept.end - 1);
        }
        let emptied = list.is_empty();
        shortened(c.keyspace, key, "ltrim", emptied);
    }
    c.out.answer_ok()
}

/// `LSET key index element`
pub fn lset(c: &mut Call) -> Answer {
    let (key, index, element) = (c.key(1), c.int(2), c.arg(3));
    let tuning = c.keyspace.parts.tuning;
    let list = c.keyspace.get_mut::<List>(key)?.ok_or(Error::NO_SUCH_KEY)?;
    if !list.set(index?, element, &tuning.limits) {
        return Err(Error::INDEX_OUT_OF_RANGE);
    }
    c.keyspace.changed(Events::LIST, "lset", key);
    c.out.answer_ok()
}

/// `LINSERT key BEFORE|AFTER pivot element`
pub fn linsert(c: &mut Call) -> Answer {
    let side = match () {
        _ if c.is(2, "after") => Side::After,
        _ if c.is(2, "before") => Side::Before,
        _ => return Err(Error::SYNTAX),
    };
    let (key, tuning) = (c.key(1), c.keyspace.parts.tuning);
    let (pivot, element) = (c.arg(3), c.arg(4));
    let Some(list) = c.keyspace.get_mut::<List>(key)? else { return c.out.answer_int(0) };
    if !list.insert(pivot, side, element, &tuning.limits) {
        return c.out.answer_int(-1);
    }
    c.out.count(list.len());
    c.keyspace.changed(Events::LIST, "linsert", key);
    Ok(())
}

/// `LREM key count element`
pub fn lrem(c: &mut Call) -> Answer {
    let (key, count) = (c.key(1), c.int(2)?);
    let Some(list) = c.keyspace.get_mut::<List>(key)? else { return c.out.answer_int(0) };
    let removed = list.remove(count, c.args.at(3));
    let emptied = list.is_empty();
    if removed > 0 {
        shortened(c.keyspace, key, "lrem", emptied);
    }
    c.out.answer_count(removed)
}

/// `LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]`
pub fn lpos(c: &mut Call) -> Answer {
    let search = Search::parse(c)?;
    let sought = Element::of(c.arg(2));
    let none = List::default();
    let list = c.keyspace.get::<List>(c.key(1))?.unwrap_or(&none);
    let mark = c.out.mark();
    let found = match search.from_tail {
        false => search.report(list.iter(), sought, |n| n, c.out),
        true => search.report(list.iter().rev(), sought, |n| list.len() - 1 - n, c.out),
    };
    match search.wanted {
        Some(_) => c.out.array_at(mark, found),
        None if found == 0 => c.out.null(),
        None => {}
    }
    Ok(())
}

/// `LMOVE source destination LEFT|RIGHT LEFT|RIGHT`
pub fn lmove(c: &mut Call) -> Answer {
    let (from, to) = (End::parse(c.arg(3))?, End::parse(c.arg(4))?);
    transfer(c, from, to)
}

fn push(c: &mut Call, end: End) -> Answer {
    let (key, tuning) = (c.key(1), c.keyspace.parts.tuning);
    let elements = c.args.from(2);
    let list = c.keyspace.get_or_create::<List>(key)?;
    elements.iter().for_each(|element| list.push(end, element, &tuning.limits));
    let len = list.len();
    pushed(c.keyspace, key, end);
    c.out.answer_count(len)
}

fn push_if_there(c: &mut Call, end: End) -> Answer {
    if c.keyspace.get_mut::<List>(c.key(1))?.is_none() {
        return c.out.answer_int(0);
    }
    push(c, end)
}

fn pop(c: &mut Call, end: End) -> Answer {
    let count = match c.args.len() {
        2 => None,
        3 => Some(c.count(2)?),
        _ => return Err(Error::arity(c.command.name)),
    };
    let key = c.key(1);
    match (c.keyspace.get_mut::<List>(key)?, count) {
        (None, None) => c.out.null(),
        (None, Some(_)) => c.out.null_array(),
        (Some(_), Some(0)) => c.out.array(0),
        (Some(list), count) => {
            match count {
                None => take_one(list, end, c.out),
                Some(count) => {
                    take(list, end, count, c.out);
                }
            }
            let emptied = list.is_empty();
            shortened(c.keyspace, key, end.event(), emptied);
        }
    }
    Ok(())
}

/// Moves an element from one list to another, or from end to end of one. The destination comes
/// first: should it hold another type, nothing has happened yet; and where it is the source as
/// well, pushing before popping leaves the same list as the other order.
fn transfer(c: &mut Call, from: End, to: End) -> Answer {
    let (source, destination, tuning) = (c.key(1), c.key(2), c.keyspace.parts.tuning);
    let Some(element) = c.keyspace.get_mut::<List>(source)?.and_then(|list| list.peek(from)) else {
        return c.out.answer_null();
    };
    let element = element.to_vec();
    c.keyspace.get_or_create::<List>(destination)?.push(to, &element, &tuning.limits);
    pushed(c.keyspace, destination, to);
    let word = |end: End| if end == End::Left { &b"LEFT"[..] } else { b"RIGHT" };
    c.keyspace.log(&[b"LMOVE", source.bytes, destination.bytes, word(from), word(to)]);
    if let Some(list) = c.keyspace.get_mut::<List>(source)? {
        list.discard(from, 1);
        let emptied = list.is_empty();
        shortened(c.keyspace, source, from.event(), emptied);
    }
    c.out.bulk(&element);
    Ok(())
}

fn take_one(list: &mut List, end: End, out: &mut Reply) {
    out.element_or_null(list.peek(end));
    list.discard(end, 1);
}

/// Takes up to `count` elements and replies with them, in the order in which they were popped;
/// returns how many they were.
fn take(list: &mut List, end: End, count: usize, out: &mut Reply) -> usize {
    let count = count.min(list.len());
    out.array(count);
    match end {
        End::Left => list.iter().take(count).for_each(|element| out.element(element)),
        End::Right => list.iter().rev().take(count).for_each(|element| out.element(element)),
    }
    list.discard(end, count);
    count
}

/// Says that elements were added at an end of a list.
fn pushed(keyspace: &mut Keyspace, key: Key, end: End) {
    keyspace.changed(Events::LIST, if end == End::Left { "lpush" } else { "rpush" }, key);
}

/// Says that elements were removed from a list, and removes the key where that was all of them.
fn shortened(keyspace: &mut Keyspace, key: Key, event: &str, emptied: bool) {
    keyspace.changed(Events::LIST, event, key);
    if emptied {
        keyspace.remove_if_empty::<List>(key);
    }
}

/// What `LPOS` looks for, besides the element.
struct Search {
    from_tail: bool,
    /// Matches to be passed over.
    skipped: usize,
    /// `COUNT`: how many matches to report, as an array; 0 means all.
    wanted: Option<usize>,
    /// Elements to look at.
    looked_at: usize,
}

impl Search {
    fn parse(c: &Call) -> Result<Search, Error> {
        const RANK_ZERO: Error = Error::new(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
             or use negative to start from the end of the list",
        );
        const COUNT: Error = Error::new("ERR COUNT can't be negative");
        const MAXLEN: Error = Error::new("ERR MAXLEN can't be negative");
        let mut search =
            Search { from_tail: false, skipped: 0, wanted: None, looked_at: usize::MAX };
        for at in (3..c.args.len()).step_by(2) {
            if at + 1 == c.args.len() {
                return Err(Error::SYNTAX);
            }
            if c.is(at, "rank") {
                let rank = c.int(at + 1)?;
                search.from_tail = rank < 0;
                // Redis negates the least integer too, and gets it back: the first match counts.
                let rank = if rank == i64::MIN { 1 } else { rank.unsigned_abs() };
                let rank = usize::try_from(rank).unwrap_or(usize::MAX);
                search.skipped = rank.checked_sub(1).ok_or(RANK_ZERO)?;
            } else if c.is(at, "count") {
                search.wanted = Some(c.count(at + 1).map_err(|_| COUNT)?);
            } else if c.is(at, "maxlen") {
                let most = c.count(at + 1).map_err(|_| MAXLEN)?;
                search.looked_at = if most == 0 { usize::MAX } else { most };
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(search)
    }

    /// Replies with the indexes of the matches among `elements`, and returns how many there were.
    fn report<'e>(
        &self,
        elements: impl Iterator<Item = Element<'e>>,
        sought: Element,
        index: impl Fn(usize) -> usize,
        out: &mut Reply,
    ) -> usize {
        let most = match self.wanted {
            None => 1,
            Some(0) => usize::MAX,
            Some(count) => count,
        };
        let matches = elements.take(self.looked_at).enumerate().filter(|it| it.1 == sought);
        let mut found = 0;
        for (place, _) in matches.skip(self.skipped).take(most) {
            out.count(index(place));
            found += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests;
