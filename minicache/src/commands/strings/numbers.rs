//! Strings that are numbers: `INCR` and its kin (`t_string.c`).
//!
//! ```text
//! INCRBY visits 5          no such key: counts as 0              (integer) 5
//! DECR visits              rewritten in its entry, 8 bytes       (integer) 4
//! INCRBYFLOAT visits 0.1   as the 80-bit floats of C would add   "4.1"
//! INCR visits              4.1 is no integer                     (error) ERR value is not …
//! ```
//!
//! The deadline of the key stays. What `INCRBYFLOAT` writes stays text even if it has no decimals,
//! because so it does in Redis.

use crate::commands::{Call, handlers::variants};
use crate::engine::error::{Answer, Error};
use crate::engine::{events::Events, object::Str, store::shard::NewValue};
use crate::format::number::parse_i64;
use minicache_text::long_double::LongDouble;

variants! {
    incr = add(1);   // key
    decr = add(-1);  // key
}

/// `INCRBY key increment`
pub fn incrby(c: &mut Call) -> Answer {
    let by = c.int(2)?;
    add(c, by)
}

/// `DECRBY key decrement`
pub fn decrby(c: &mut Call) -> Answer {
    let by = c.int(2)?.checked_neg().ok_or(Error::new("ERR decrement would overflow"))?;
    add(c, by)
}

/// `INCRBYFLOAT key increment`
pub fn incrbyfloat(c: &mut Call) -> Answer {
    let key = c.key(1);
    let mut scratch = itoa::Buffer::new();
    let present = match c.keyspace.string_to_write(key)? {
        None => LongDouble::ZERO,
        Some(text) => LongDouble::parse(text.as_bytes(&mut scratch)).ok_or(Error::NOT_A_FLOAT)?,
    };
    let by = LongDouble::parse(c.arg(2)).ok_or(Error::NOT_A_FLOAT)?;
    let infinite = Error::new("ERR increment would produce NaN or Infinity");
    let sum = present.plus(by).ok_or(infinite)?.to_text();
    let deadline = c.keyspace.deadline(key).flatten();
    c.keyspace.set(key, NewValue::Verbatim(sum.as_bytes()), deadline);
    c.keyspace.changed(Events::STRING, "incrbyfloat", key);
    // The sum and not the increment: another machine might round otherwise.
    c.keyspace.log(&[b"SET", key.bytes, sum.as_bytes(), b"KEEPTTL"]);
    c.out.text(&sum);
    Ok(())
}

fn add(c: &mut Call, by: i64) -> Answer {
    let key = c.key(1);
    let present = match c.keyspace.string_to_write(key)? {
        None => 0,
        Some(Str::Int(number)) => number,
        Some(Str::Bytes(text)) => parse_i64(text).ok_or(Error::NOT_AN_INTEGER)?,
    };
    let overflow = Error::new("ERR increment or decrement would overflow");
    let sum = present.checked_add(by).ok_or(overflow)?;
    c.keyspace.set_int(key, sum);
    c.keyspace.changed(Events::STRING, "incrby", key);
    c.out.answer_int(sum)
}
