//! Hashes: `HSET`, `HGET` and their kin (`t_hash.c`).
//!
//! ```text
//! HSET user:1 name Ada born 1815    (integer) 2     a packed hash appears, `hset` is published
//! HINCRBY user:1 born 1             (integer) 1816
//! HDEL user:1 name born             (integer) 2     the last field is gone, and the key with it
//! ```
//!
//! A handler finds the [`Hash`](enum@Hash) under the key, or has one made, and says what it did to
//! it. How fields lie in memory is the business of [`hash`](crate::engine::values::hash).

use super::{Call, draw::Draw, handlers::variants, remove_named, scan};
use crate::engine::error::{Answer, Error};
use crate::engine::{events::Events, values::hash::Hash};
use crate::format::listpack::Element;
use crate::format::number::parse_i64;
use minicache_text::long_double::LongDouble;

// ---- writing ----

/// `HSET key field value [field value ...]`
pub fn hset(c: &mut Call) -> Answer {
    let added = set_all(c)?;
    c.out.answer_count(added)
}

/// `HMSET key field value [field value ...]`
pub fn hmset(c: &mut Call) -> Answer {
    set_all(c)?;
    c.out.answer_ok()
}

/// Sets the fields of the command line; returns how many are new.
fn set_all(c: &mut Call) -> Result<usize, Error> {
    let (key, pairs, limits) = (c.key(1), c.args.from(2), &c.keyspace.parts.tuning.limits);
    if pairs.len() % 2 == 1 {
        return Err(Error::arity(c.command.name));
    }
    let hash = c.keyspace.get_or_create::<Hash>(key)?;
    hash.unpack_for(pairs.iter(), limits);
    let mut words = pairs.iter();
    let mut added = 0;
    while let (Some(field), Some(value)) = (words.next(), words.next()) {
        added += usize::from(hash.set(field, value, limits));
    }
    c.keyspace.changed(Events::HASH, "hset", key);
    Ok(added)
}

/// `HSETNX key field value`
pub fn hsetnx(c: &mut Call) -> Answer {
    let (key, field, limits) = (c.key(1), c.arg(2), &c.keyspace.parts.tuning.limits);
    let hash = c.keyspace.get_or_create::<Hash>(key)?;
    let absent = !hash.contains(field);
    if absent {
        hash.set(field, c.args.at(3), limits);
        c.keyspace.changed(Events::HASH, "hset", key);
    }
    c.out.answer_int(i64::from(absent))
}

variants! {
    // key field [field ...]
    hdel = remove_named<Hash>(Events::HASH, "hdel", |hash, field| hash.remove(field));
}

/// `HINCRBY key field increment`
pub fn hincrby(c: &mut Call) -> Answer {
    let (key, field, limits) = (c.key(1), c.arg(2), &c.keyspace.parts.tuning.limits);
    let increment = c.int(3)?;
    let hash = c.keyspace.get_or_create::<Hash>(key)?;
    let number = match hash.get(field) {
        None => Some(0),
        Some(Element::Int(number)) => Some(number),
        Some(Element::Bytes(text)) => parse_i64(text),
    };
    let number = number.ok_or(Error::new("ERR hash value is not an integer"))?;
    let sum = number.checked_add(increment).ok_or(Error::WOULD_OVERFLOW)?;
    hash.set(field, itoa::Buffer::new().format(sum).as_bytes(), limits);
    c.keyspace.changed(Events::HASH, "hincrby", key);
    c.out.answer_int(sum)
}

/// `HINCRBYFLOAT key field increment`
pub fn hincrbyfloat(c: &mut Call) -> Answer {
    let (key, field, limits) = (c.key(1), c.arg(2), &c.keyspace.parts.tuning.limits);
    let increment = LongDouble::parse(c.arg(3)).ok_or(Error::NOT_A_FLOAT)?;
    if increment.is_infinite() {
        return Err(Error::new("ERR value is NaN or Infinity"));
    }
    let hash = c.keyspace.get_or_create::<Hash>(key)?;
    let number = match hash.get(field) {
        None => Some(LongDouble::ZERO),
        Some(value) => LongDouble::parse(value.as_bytes(&mut itoa::Buffer::new())),
    };
    let number = number.ok_or(Error::new("ERR hash value is not a float"))?;
    let sum = number.plus(increment);
    let text = sum.ok_or(Error::new("ERR increment would produce NaN or Infinity"))?.to_text();
    hash.set(field, text.as_bytes(), limits);
    c.keyspace.changed(Events::HASH, "hincrbyfloat", key);
    c.keyspace.log(&[b"HSET", key.bytes, field, text.as_bytes()]);
    c.out.text(&text);
    Ok(())
}

// ---- reading ----

/// `HGET key field`
pub fn hget(c: &mut Call) -> Answer {
    let hash = c.keyspace.get::<Hash>(c.key(1))?;
    c.out.element_or_null(hash.and_then(|hash| hash.get(c.args.at(2))));
    Ok(())
}

/// `HMGET key field [field ...]`
pub fn hmget(c: &mut Call) -> Answer {
    let hash = c.keyspace.get::<Hash>(c.key(1))?;
    let fields = c.args.from(2);
    c.out.array(fields.len());
    for field in fields.iter() {
        c.out.element_or_null(hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

/// `HLEN key`
pub fn hlen(c: &mut Call) -> Answer {
    let hash = c.keyspace.get::<Hash>(c.key(1))?;
    c.out.answer_count(hash.map_or(0, Hash::len))
}

/// `HSTRLEN key field`
pub fn hstrlen(c: &mut Call) -> Answer {
    let hash = c.keyspace.get::<Hash>(c.key(1))?;
    let value = hash.and_then(|hash| hash.get(c.args.at(2)));
    c.out.answer_count(value.map_or(0, Element::text_len))
}

/// `HEXISTS key field`
pub fn hexists(c: &mut Call) -> Answer {
    let hash = c.keyspace.get::<Hash>(c.key(1))?;
    c.out.answer_int(i64::from(hash.is_some_and(|hash| hash.contains(c.args.at(2)))))
}

/// `HGETALL key`
pub fn hgetall(c: &mut Call) -> Answer {
    let hash = c.keyspace.get::<Hash>(c.key(1))?;
    c.out.map(hash.map_or(0, Hash::len));
    for (field, value) in hash.into_iter().flat_map(Hash::iter) {
        c.out.element(field);
        c.out.element(value);
    }
    Ok(())
}

variants! {
    hkeys = each(|(field, _)| field);  // key
    hvals = each(|(_, value)| value);  // key
}

/// Replies with one part of every pair.
fn each(c: &mut Call, part: for<'e> fn((Element<'e>, Element<'e>)) -> Element<'e>) -> Answer {
    let hash = c.keyspace.get::<Hash>(c.key(1))?;
    c.out.array(hash.map_or(0, Hash::len));
    hash.into_iter().flat_map(Hash::iter).for_each(|pair| c.out.element(part(pair)));
    Ok(())
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn hscan(c: &mut Call) -> Answer {
    scan::container(c, 2, |hash: &Hash, cursor, page| {
        hash.scan(cursor, |field, value| {
            if page.lists(field) {
                page.out.element(field);
                page.out.element(value);
            }
        })
    })
}

/// `HRANDFIELD key [count [WITHVALUES]]`
pub fn hrandfield(c: &mut Call) -> Answer {
    if c.args.len() == 2 {
        let mut rng = c.cache.shards.rng();
        let pair =
            c.keyspace.get::<Hash>(c.key(1))?.and_then(|hash| hash.nth(rng.below(hash.len())));
        c.out.element_or_null(pair.map(|(field, _)| field));
        return Ok(());
    }
    let (draw, listing) = Draw::parse_with_option(c, "withvalues")?;
    let (mut rng, bytes_max) = (c.cache.shards.rng(), c.reply_bytes_max());
    let Some(hash) = c.keyspace.get::<Hash>(c.key(1))? else { return c.out.answer_empty() };
    listing.header(c.out, draw.len(hash.len()));
    // Finding a place in a packed hash is a walk; it is walked once, not once for each draw.
    let listed: Vec<_> = match hash {
        Hash::Packed(_) => hash.iter().collect(),
        Hash::Indexed(_) => Vec::new(),
    };
    let whole = draw.all(hash.len(), &mut rng, |place| {
        if let Some((field, value)) = listed.get(place).copied().or_else(|| hash.nth(place)) {
            listing.pair(c.out, field, |out| out.element(value));
        }
        c.out.len() < bytes_max
    });
    c.session.closing |= !whole;
    Ok(())
}

#[cfg(test)]
mod tests;
