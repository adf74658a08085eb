//! Members by chance: `SPOP` takes them, `SRANDMEMBER` shows them.
//!
//! ```text
//! SRANDMEMBER s -3     three draws, perhaps of the same member; s stays as it is
//! SPOP s 3             three different members, which s loses
//! ```
//!
//! Every draw is even. The members that `SPOP` leaves are drawn instead of those it takes
//! where they are by far the fewer, as in Redis, because the set they make is a new one: if they
//! are all integers, it is packed again.
//! The counterpart in Redis are `spopWithCountCommand` and `srandmemberWithCountCommand` in
//! `t_set.c`.

use crate::commands::{Call, draw::Draw};
use crate::engine::error::{Answer, Error};
use crate::engine::{events::Events, values::set::Set};

/// `SPOP key [count]`
pub fn spop(c: &mut Call) -> Answer {
    match c.args.len() {
        2 => pop_one(c),
        3 => pop_many(c),
        _ => Err(Error::SYNTAX),
    }
}

fn pop_one(c: &mut Call) -> Answer {
    let (key, mut rng) = (c.key(1), c.cache.shards.rng());
    match c.keyspace.get_mut::<Set>(key)?.and_then(|set| set.pop(&mut rng)) {
        Some(member) => {
            c.keyspace.changed(Events::SET, "spop", key);
            c.keyspace.log(&[b"SREM", key.bytes, &member]);
            c.keyspace.remove_if_empty::<Set>(key);
            c.out.bulk(&member);
        }
        None => c.out.null(),
    }
    Ok(())
}

fn pop_many(c: &mut Call) -> Answer {
    /// If fewer than a fifth as many stay as go, those that stay are drawn.
    const GOING_PER_STAYING: usize = 5;
    let (key, count) = (c.key(1), c.count(2)?);
    let (limits, mut rng) = (&c.keyspace.parts.tuning.limits, c.cache.shards.rng());
    let (logs, mut gone) = (c.keyspace.unit.is_some(), Vec::<Box<[u8]>>::new());
    let set = match c.keyspace.get_mut::<Set>(key)? {
        Some(set) if count > 0 => set,
        _ => {
            c.out.set(0);
            return Ok(());
        }
    };
    c.out.set(count.min(set.len()));
    let staying = set.len().saturating_sub(count);
    if staying.saturating_mul(GOING_PER_STAYING) > count {
        gone.extend((0..count).filter_map(|_| set.pop(&mut rng)));
        gone.iter().for_each(|member| c.out.bulk(member));
    } else {
        let mut kept = Set::default();
        (0..staying).filter_map(|_| set.pop(&mut rng)).for_each(|member| {
            kept.add(&member, limits);
        });
        let taken = std::mem::replace(set, kept);
        taken.iter().for_each(|member| c.out.element(member));
        if logs {
            gone.extend(taken.iter().map(|member| member.to_vec().into()));
        }
    }
    c.keyspace.changed(Events::SET, "spop", key);
    let removal = [&b"SREM"[..], key.bytes].into_iter().chain(gone.iter().map(|it| &**it));
    c.keyspace.log(&removal.collect::<Vec<_>>());
    c.keyspace.remove_if_empty::<Set>(key);
    Ok(())
}

/// `SRANDMEMBER key [count]`
pub fn srandmember(c: &mut Call) -> Answer {
    let (mut rng, bytes_max) = (c.cache.shards.rng(), c.reply_bytes_max());
    let draw = match c.args.len() {
        2 => None,
        3 => Some(Draw::parse(c.arg(2))?),
        _ => return Err(Error::SYNTAX),
    };
    let (set, draw) = match (c.keyspace.get::<Set>(c.key(1))?, draw) {
        (Some(set), Some(draw)) => (set, draw),
        (None, Some(_)) => return c.out.answer_empty(),
        (set, None) => {
            c.out.element_or_null(set.and_then(|set| set.nth(rng.below(set.len()))));
            return Ok(());
        }
    };
    c.out.array(draw.len(set.len()));
    let whole = draw.all(set.len(), &mut rng, |place| {
        set.nth(place).into_iter().for_each(|member| c.out.element(member));
        c.out.len() < bytes_max
    });
    c.session.closing |= !whole;
    Ok(())
}
