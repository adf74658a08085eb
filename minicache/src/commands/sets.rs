//! Sets: `SADD`, `SINTER` and their kin (`t_set.c`).
//!
//! ```text
//! SADD a 1 2 3          (integer) 3
//! SADD b 2 3 pear       (integer) 3
//! SINTER a b            1) "2"  2) "3"
//! SMOVE b a pear        (integer) 1     a is no set of integers any more
//! ```
//!
//! * This file: members of one set, and of two (`SMOVE`).
//! * [`algebra`]: intersection, union and difference of many.
//! * [`random`]: members by chance.

mod algebra;
mod random;

pub use algebra::*;
pub use random::*;

use super::{Call, remove_named, scan};
use crate::engine::error::{Answer, Error};
use crate::engine::{events::Events, values::set::Set};

/// `SADD key member [member ...]`
pub fn sadd(c: &mut Call) -> Answer {
    let (key, limits) = (c.key(1), &c.keyspace.parts.tuning.limits);
    let set = c.keyspace.get_or_create::<Set>(key)?;
    let added = c.args.from(2).iter().filter(|member| set.add(member, limits)).count();
    if added > 0 {
        c.keyspace.changed(Events::SET, "sadd", key);
    }
    c.out.answer_count(added)
}

/// `SREM key member [member ...]`
pub fn srem(c: &mut Call) -> Answer {
    remove_named::<Set>(c, Events::SET, "srem", |set, member| set.remove(member))
}

/// `SMOVE source destination member`
pub fn smove(c: &mut Call) -> Answer {
    let moved = move_member(c)?;
    c.out.answer_int(i64::from(moved))
}

fn move_member(c: &mut Call) -> Result<bool, Error> {
    let (source, target, member) = (c.key(1), c.key(2), c.arg(3));
    let limits = &c.keyspace.parts.tuning.limits;
    let present = match c.keyspace.get_mut::<Set>(source)? {
        Some(set) => set.contains(member),
        None => return Ok(false),
    };
    c.keyspace.get_mut::<Set>(target)?;
    if !present || source == target {
        return Ok(present);
    }
    c.keyspace.get_or_create::<Set>(source)?.remove(member);
    c.keyspace.changed(Events::SET, "srem", source);
    c.keyspace.remove_if_empty::<Set>(source);
    if c.keyspace.get_or_create::<Set>(target)?.add(member, limits) {
        c.keyspace.changed(Events::SET, "sadd", target);
    }
    Ok(true)
}

/// `SISMEMBER key member`
pub fn sismember(c: &mut Call) -> Answer {
    let set = c.keyspace.get::<Set>(c.key(1))?;
    c.out.answer_int(i64::from(set.is_some_and(|set| set.contains(c.args.at(2)))))
}

/// `SMISMEMBER key member [member ...]`
pub fn smismember(c: &mut Call) -> Answer {
    let set = c.keyspace.get::<Set>(c.key(1))?;
    let members = c.args.from(2);
    c.out.array(members.len());
    for member in members.iter() {
        c.out.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

/// `SCARD key`
pub fn scard(c: &mut Call) -> Answer {
    let set = c.keyspace.get::<Set>(c.key(1))?;
    c.out.answer_count(set.map_or(0, Set::len))
}

/// `SMEMBERS key`
pub fn smembers(c: &mut Call) -> Answer {
    let set = c.keyspace.get::<Set>(c.key(1))?;
    c.out.set(set.map_or(0, Set::len));
    set.into_iter().flat_map(Set::iter).for_each(|member| c.out.element(member));
    Ok(())
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn sscan(c: &mut Call) -> Answer {
    scan::container(c, 1, |set: &Set, cursor, page| {
        set.scan(cursor, |member| {
            if page.lists(member) {
                page.out.element(member);
            }
        })
    })
}

#[cfg(test)]
mod tests;
