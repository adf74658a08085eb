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

use super::{take, take_one, transfer};
use crate::commands::blocked::{block_for_keys, looks_at, timeout_ms};
use crate::commands::popping::{self, End as _, pop_one_or_wait, pop_several, pop_several_or_wait};
use crate::commands::{Call, Mode, handlers::variants};
use crate::engine::error::{Answer, Error};
use crate::engine::events::Events;
use crate::engine::values::list::{End, List};
use crate::wire::reply::Reply;

variants! {
    blpop = blocking_pop(End::Left);   // key [key ...] timeout
    brpop = blocking_pop(End::Right);  // key [key ...] timeout
    // numkeys key [key ...] <LEFT | RIGHT> [COUNT count]
    lmpop = pop_several<End>();
    // timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]
    blmpop = pop_several_or_wait<End>();
}

/// `BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout`
pub fn blmove(c: &mut Call) -> Answer {
    let (from, to) = (End::parse(c.arg(3))?, End::parse(c.arg(4))?);
    blocking_transfer(c, from, to, c.arg(5))
}

/// `BRPOPLPUSH source destination timeout`
pub fn brpoplpush(c: &mut Call) -> Answer {
    blocking_transfer(c, End::Right, End::Left, c.arg(3))
}

fn blocking_pop(c: &mut Call, end: End) -> Answer {
    pop_one_or_wait(c, end, |list: &mut List, key, out| {
        out.array(2);
        out.bulk(key);
        take_one(list, end, out);
        1
    })
}

fn blocking_transfer(c: &mut Call, from: End, to: End, timeout: &[u8]) -> Answer {
    let timeout = timeout_ms(timeout)?;
    let source = c.key(1);
    if looks_at::<List>(c, source) && c.keyspace.get_mut::<List>(source)?.is_some() {
        return transfer(c, from, to);
    }
    match c.mode {
        Mode::Transaction => c.out.null(),
        _ => block_for_keys(c, &[source.bytes], timeout),
    }
    Ok(())
}

impl popping::End for End {
    type Of = List;
    const CLASS: Events = Events::LIST;

    fn parse(word: &[u8]) -> Result<End, Error> {
        match word {
            _ if word.eq_ignore_ascii_case(b"left") => Ok(End::Left),
            _ if word.eq_ignore_ascii_case(b"right") => Ok(End::Right),
            _ => Err(Error::SYNTAX),
        }
    }

    fn event(self) -> &'static str {
        if self == End::Left { "lpop" } else { "rpop" }
    }

    fn take(self, list: &mut List, count: usize, out: &mut Reply) -> usize {
        take(list, self, count, out)
    }
}
