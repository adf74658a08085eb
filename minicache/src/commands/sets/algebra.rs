//! Intersection, union and difference of sets.
//!
//! ```text
//! a = {1 2 3}  b = {2 3 4}  c = {3}
//! SINTER a b c     {3}           the smallest set is c: is 3 in a? in b?
//! SUNION a b c     {1 2 3 4}
//! SDIFF a b c      {1}           the first set without the others
//! ```
//!
//! The forms with `STORE` put the result under a key in place of whatever is there; an empty result
//! removes the key. In which form it is stored follows from how it came about, so the way of the
//! difference is chosen by Redis's formula ([`difference`]).
//! The counterpart in Redis are `sinterGenericCommand` and `sunionDiffGenericCommand` in `t_set.c`.

use crate::commands::{Call, handlers::variants, store_result};
use crate::engine::error::{Answer, Error};
use crate::engine::object::{Container, Value};
use crate::engine::{
    events::Events, key::Key, keyspace::Keyspace, values::Limits, values::set::Set,
};
use crate::format::listpack::Element;
use crate::format::number::parse_i64;
use crate::wire::request::Args;
use std::{cmp::Reverse, ptr};

/// `SINTER key [key ...]`
pub fn sinter(c: &mut Call) -> Answer {
    let sets = read(c.keyspace, c.args.from(1).iter())?;
    let (start, mut found) = (c.out.mark(), 0);
    intersect(&sets, |member| {
        c.out.element(member);
        found += 1;
        true
    });
    c.out.insert_at(start, |out| out.set(found));
    Ok(())
}

/// `SINTERCARD numkeys key [key ...] [LIMIT limit]`
pub fn sintercard(c: &mut Call) -> Answer {
    let (count, limit) = parse_card(c.args)?;
    let sets = read(c.keyspace, c.args.from(2).iter().take(count))?;
    let mut found = 0;
    intersect(&sets, |_| {
        found += 1;
        found != limit
    });
    c.out.answer_count(found)
}

/// How many keys `SINTERCARD` has, and its limit, 0 meaning none.
fn parse_card(args: Args) -> Result<(usize, usize), Error> {
    const NO_KEYS: Error = Error::new("ERR numkeys should be greater than 0");
    const TOO_MANY: Error = Error::new("ERR Number of keys can't be greater than number of args");
    const NEGATIVE: Error = Error::new("ERR LIMIT can't be negative");
    let count = parse_i64(args.at(1)).filter(|count| *count > 0).ok_or(NO_KEYS)? as usize;
    let arguments = args.from(2);
    if count > arguments.len() {
        return Err(TOO_MANY);
    }
    let mut limit = 0;
    let mut options = arguments.from(count).iter();
    while let Some(option) = options.next() {
        let value = options.next().filter(|_| option.eq_ignore_ascii_case(b"limit"));
        let number = parse_i64(value.ok_or(Error::SYNTAX)?).filter(|number| *number >= 0);
        limit = number.ok_or(NEGATIVE)? as usize;
    }
    Ok((count, limit))
}

/// `SINTERSTORE destination key [key ...]`
pub fn sinterstore(c: &mut Call) -> Answer {
    let limits = &c.keyspace.parts.tuning.limits;
    let sets = read(c.keyspace, c.args.from(2).iter())?;
    let mut result = Set::default();
    intersect(&sets, |member| {
        add(&mut result, member, limits);
        true
    });
    store(c, "sinterstore", result)
}

variants! {
    sunion = list(union);                            // key [key ...]
    sdiff = list(difference);                        // key [key ...]
    sunionstore = store_of(union, "sunionstore");    // destination key [key ...]
    sdiffstore = store_of(difference, "sdiffstore"); // destination key [key ...]
}

type Operation = fn(&[Option<&Set>], &Limits) -> Set;

fn list(c: &mut Call, operation: Operation) -> Answer {
    let limits = &c.keyspace.parts.tuning.limits;
    let result = operation(&read(c.keyspace, c.args.from(1).iter())?, limits);
    c.out.set(result.len());
    result.iter().for_each(|member| c.out.element(member));
    Ok(())
}

fn store_of(c: &mut Call, operation: Operation, event: &str) -> Answer {
    let limits = &c.keyspace.parts.tuning.limits;
    let result = operation(&read(c.keyspace, c.args.from(2).iter())?, limits);
    store(c, event, result)
}

/// Puts a result under the key that is argument 1.
fn store(c: &mut Call, event: &str, result: Set) -> Answer {
    store_result(c, c.key(1), (result.len(), result.into_object()), Events::SET, event)
}

/// The sets under keys, and `None` where there is no key.
fn read<'s, 'k>(
    keyspace: &'s mut Keyspace,
    keys: impl Iterator<Item = &'k [u8]>,
) -> Result<Vec<Option<&'s Set>>, Error> {
    let keys: Vec<Key> = keys.map(|key| keyspace.key(key)).collect();
    for key in &keys {
        keyspace.get::<Set>(*key)?;
    }
    let set = |key: &Key| match keyspace.seen(*key) {
        Some(Value::Object(object)) => Set::of(object),
        _ => None,
    };
    Ok(keys.iter().map(set).collect())
}

/// Shows every member that all sets have to `visit`, until it answers false. A missing set has no
/// members.
fn intersect(sets: &[Option<&Set>], mut visit: impl FnMut(Element) -> bool) {
    let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<&Set>>>() else { return };
    sets.sort_by_key(|set| (set.len(), ptr::from_ref(*set)));
    sets.dedup_by(|one, other| ptr::eq(*one, *other));
    let Some((smallest, others)) = sets.split_first() else { return };
    let everywhere = |member: &Element| others.iter().all(|set| has(set, *member));
    smallest.iter().filter(everywhere).all(&mut visit);
}

fn union(sets: &[Option<&Set>], limits: &Limits) -> Set {
    let mut result = Set::default();
    for member in sets.iter().flatten().flat_map(|set| set.iter()) {
        add(&mut result, member, limits);
    }
    result
}

/// The members of the first set that no other has.
///
/// Looking every member up in every other set costs a step for each member and set; removing the
/// members of the others from a copy costs one for each member of any set. The first stops at the
/// first set that has the member, which counts as half the cost.
fn difference(sets: &[Option<&Set>], limits: &Limits) -> Set {
    let Some((Some(first), others)) = sets.split_first() else { return Set::default() };
    let mut others: Vec<&Set> = others.iter().copied().flatten().collect();
    if others.iter().any(|set| ptr::eq(*set, *first)) {
        return Set::default();
    }
    let looking_up = first.len() * (1 + others.len()) / 2;
    let removing = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    let mut result = Set::default();
    if looking_up <= removing {
        others.sort_by_key(|set| Reverse(set.len()));
        let lone = first.iter().filter(|member| !others.iter().any(|set| has(set, *member)));
        lone.for_each(|member| add(&mut result, member, limits));
    } else {
        first.iter().for_each(|member| add(&mut result, member, limits));
        for member in others.iter().flat_map(|set| set.iter()) {
            result.remove(member.as_bytes(&mut itoa::Buffer::new()));
            if result.is_empty() {
                break;
            }
        }
    }
    result
}

fn add(set: &mut Set, member: Element, limits: &Limits) {
    set.add(member.as_bytes(&mut itoa::Buffer::new()), limits);
}

fn has(set: &Set, member: Element) -> bool {
    match (set, member) {
        (Set::Ints(ints), Element::Int(number)) => ints.contains(number),
        _ => set.contains(member.as_bytes(&mut itoa::Buffer::new())),
    }
}
