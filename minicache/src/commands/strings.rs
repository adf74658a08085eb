//! Strings: `SET`, `GET` and what can be done to the bytes between (`t_string.c`).
//!
//! ```text
//! SET greeting hello EX 60        60 seconds later there is no such key          OK
//! APPEND greeting " world"        no longer in its entry: it may grow again      (integer) 11
//! GETRANGE greeting -5 -1         -1 is the last byte                            "world"
//! SETRANGE greeting 6 Redis       overwrites, pads with zero bytes               (integer) 11
//! SET greeting hi KEEPTTL GET     replies what was there, keeps the deadline     "hello Redis"
//! ```
//!
//! A string of digits is kept as a number; everything here looks at it as if it were text. The
//! commands that count are in [`numbers`], the longest common subsequence is in [`lcs`], the
//! options of `SET` and `GETEX` in [`options`], and the bits of a string in [`bits`](super::bits).

mod lcs;
pub mod numbers;
pub mod options;

pub use getrange as substr;
pub use lcs::lcs;
pub use numbers::{decr, decrby, incr, incrby, incrbyfloat};

use super::{Call, handlers::variants};
use crate::engine::error::{Answer, Error};
use crate::engine::object::{Str, Value};
use crate::engine::{events::Events, key::Key, keyspace::Keyspace};
use options::{Options, Term, Unit};

/// `GET key`
pub fn get(c: &mut Call) -> Answer {
    c.out.element_or_null(c.keyspace.string(c.key(1))?);
    Ok(())
}

/// `SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`
pub fn set(c: &mut Call) -> Answer {
    if c.args.len() > 3 {
        return set_with_options(c);
    }
    let key = c.key(1);
    store(c.keyspace, key, c.args.at(2), None);
    c.out.answer_ok()
}

/// `SETNX key value`
pub fn setnx(c: &mut Call) -> Answer {
    let key = c.key(1);
    let fresh = !c.keyspace.exists(key);
    if fresh {
        store(c.keyspace, key, c.args.at(2), None);
    }
    c.out.answer_int(fresh.into())
}

variants! {
    setex = set_for(Unit::Seconds);        // key seconds value
    psetex = set_for(Unit::Milliseconds);  // key milliseconds value
}

fn set_for(c: &mut Call, unit: Unit) -> Answer {
    let deadline = Term::In(unit, 2).deadline(c)?;
    let key = c.key(1);
    store_until(c.keyspace, key, c.args.at(3), deadline);
    c.out.answer_ok()
}

/// `GETSET key value`
pub fn getset(c: &mut Call) -> Answer {
    get(c)?;
    let key = c.key(1);
    store(c.keyspace, key, c.args.at(2), None);
    Ok(())
}

/// `GETDEL key`
pub fn getdel(c: &mut Call) -> Answer {
    get(c)?;
    delete(c);
    Ok(())
}

/// `GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]`
pub fn getex(c: &mut Call) -> Answer {
    let (key, now_ms) = (c.key(1), c.keyspace.now.ms);
    let term = Options::of_getex(c)?.term;
    let deadline = term.map_or(Ok(None), |term| term.deadline(c));
    let Some(text) = c.keyspace.string(key)? else { return c.out.answer_null() };
    let deadline = deadline?;
    c.out.element(text);
    match term {
        None | Some(Term::Keep) => {}
        Some(Term::Never) => persist(c),
        Some(_) if deadline.is_some_and(|at| at <= now_ms) => delete(c),
        Some(_) => {
            c.keyspace.set_deadline(key, deadline);
            c.keyspace.changed(Events::GENERIC, "expire", key);
            c.keyspace.log_deadline(key, deadline.unwrap_or(0));
        }
    }
    Ok(())
}

/// `MGET key [key ...]`
pub fn mget(c: &mut Call) -> Answer {
    c.out.array(c.args.len() - 1);
    for key in c.args.from(1).iter() {
        let value = c.keyspace.read(c.keyspace.key(key));
        c.out.element_or_null(value.and_then(Value::as_str));
    }
    Ok(())
}

/// `MSET key value [key value ...]`
pub fn mset(c: &mut Call) -> Answer {
    check_pairs(c)?;
    store_pairs(c);
    c.out.answer_ok()
}

/// `MSETNX key value [key value ...]`
pub fn msetnx(c: &mut Call) -> Answer {
    check_pairs(c)?;
    let fresh = (1..c.args.len()).step_by(2).all(|at| !c.keyspace.exists(c.key(at)));
    if fresh {
        store_pairs(c);
    }
    c.out.answer_int(fresh.into())
}

/// `STRLEN key`
pub fn strlen(c: &mut Call) -> Answer {
    let len = c.keyspace.string(c.key(1))?.map_or(0, Str::text_len);
    c.out.answer_count(len)
}

/// `APPEND key value`
pub fn append(c: &mut Call) -> Answer {
    let (key, value) = (c.key(1), c.arg(2));
    let len = match c.keyspace.string_to_write(key)?.map(Str::text_len) {
        None => {
            c.keyspace.set_string(key, value, None);
            value.len()
        }
        Some(len) => {
            check_length(c, len, value.len())?;
            let text = c.keyspace.text_mut(key)?;
            text.extend_from_slice(value);
            text.len()
        }
    };
    c.keyspace.changed(Events::STRING, "append", key);
    c.out.answer_count(len)
}

/// `GETRANGE key start end`, and `SUBSTR`, its older name
pub fn getrange(c: &mut Call) -> Answer {
    let (start, end) = (c.int(2)?, c.int(3)?);
    let mut scratch = itoa::Buffer::new();
    let text = c.keyspace.string(c.key(1))?.unwrap_or(Str::Bytes(b"")).as_bytes(&mut scratch);
    let len = text.len() as i64;
    let clamp = |at: i64| if at < 0 { at.saturating_add(len).max(0) } else { at };
    // Ends beyond the beginning mean the first byte, as in Redis, unless both say plainly: nothing.
    let nothing = start < 0 && end < 0 && start > end;
    let (first, last) = (clamp(start), clamp(end).min(len - 1));
    let part = if nothing || first > last { b"" } else { &text[first as usize..=last as usize] };
    c.out.bulk(part);
    Ok(())
}

/// `SETRANGE key offset value`
pub fn setrange(c: &mut Call) -> Answer {
    let offset = usize::try_from(c.int(2)?);
    let offset = offset.map_err(|_| Error::new("ERR offset is out of range"))?;
    let (key, value) = (c.key(1), c.arg(3));
    let len = c.keyspace.string_to_write(key)?.map_or(0, Str::text_len);
    if value.is_empty() {
        return c.out.answer_count(len);
    }
    let end = check_length(c, offset, value.len())?;
    let text = c.keyspace.text_mut(key)?;
    text.resize(end.max(len), 0);
    text[offset..end].copy_from_slice(value);
    c.out.count(text.len());
    c.keyspace.changed(Events::STRING, "setrange", key);
    Ok(())
}

/// The length of a string of `len` bytes that grows by `added`, unless that is over the limit.
pub(super) fn check_length(c: &Call, len: usize, added: usize) -> Result<usize, Error> {
    let limit = c.settings.proto_max_bulk_len;
    len.checked_add(added)
        .filter(|sum| *sum as u64 <= limit)
        .ok_or(Error::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)"))
}

fn set_with_options(c: &mut Call) -> Answer {
    let options = Options::of_set(c)?;
    let (key, value) = (c.key(1), c.arg(2));
    let deadline = match options.term {
        None | Some(Term::Never) => None,
        Some(Term::Keep) => c.keyspace.deadline(key).flatten(),
        Some(term) => term.deadline(c)?,
    };
    if options.get {
        get(c)?;
    }
    if options.only_if_there.is_some_and(|wanted| wanted != c.keyspace.exists(key)) {
        if !options.get {
            c.out.null();
        }
        return Ok(());
    }
    match options.term {
        None | Some(Term::Keep) => store(c.keyspace, key, value, deadline),
        Some(_) => store_until(c.keyspace, key, value, deadline),
    }
    if !options.get {
        c.out.ok();
    }
    Ok(())
}

fn store(keyspace: &mut Keyspace, key: Key, value: &[u8], deadline: Option<i64>) {
    keyspace.set_string(key, value, deadline);
    keyspace.changed(Events::STRING, "set", key);
}

fn store_until(keyspace: &mut Keyspace, key: Key, value: &[u8], deadline: Option<i64>) {
    store(keyspace, key, value, deadline);
    keyspace.notify(Events::GENERIC, "expire", key.bytes);
    if keyspace.unit.is_some() {
        let mut number = itoa::Buffer::new();
        let deadline = number.format(deadline.unwrap_or(0)).as_bytes();
        keyspace.log(&[b"SET", key.bytes, value, b"PXAT", deadline]);
    }
}

fn delete(c: &mut Call) {
    let key = c.key(1);
    if c.keyspace.remove(key) {
        c.keyspace.changed(Events::GENERIC, "del", key);
    }
}

fn persist(c: &mut Call) {
    let key = c.key(1);
    if c.keyspace.deadline(key).flatten().is_some() {
        c.keyspace.set_deadline(key, None);
        c.keyspace.changed(Events::GENERIC, "persist", key);
    }
}

fn check_pairs(c: &Call) -> Answer {
    if c.args.len().is_multiple_of(2) { Err(Error::arity(c.command.name)) } else { Ok(()) }
}

fn store_pairs(c: &mut Call) {
    for at in (1..c.args.len()).step_by(2) {
        let key = c.key(at);
        store(c.keyspace, key, c.args.at(at + 1), None);
    }
}

#[cfg(test)]
mod tests;
