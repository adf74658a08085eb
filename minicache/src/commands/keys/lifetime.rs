//! Deadlines: how long keys live (`expire.c`).
//!
//! ```text
//! EXPIRE k 60          (integer) 1      TTL k      (integer) 60
//! EXPIRE k 30 GT       (integer) 0      30 seconds are not more
//! PERSIST k            (integer) 1      TTL k      (integer) -1: for ever
//! EXPIRE k -5          (integer) 1      the time is past: deleted at once
//! TTL k                (integer) -2: no such key
//! ```
//!
//! A deadline is a point in time, in Unix milliseconds; what the four commands take is converted to
//! that. Without a deadline a key lives for ever, so `GT` never holds and `LT` always does.

use crate::commands::{Call, handlers::variants, shown};
use crate::engine::error::{Answer, Error};
use crate::engine::events::Events;

const MS_PER_S: i64 = 1000;

variants! {
    expire = set_deadline(MS_PER_S, From::Now);         // key seconds [NX | XX | GT | LT]
    pexpire = set_deadline(1, From::Now);               // key milliseconds [NX | XX | GT | LT]
    expireat = set_deadline(MS_PER_S, From::Epoch);     // key unix-time-seconds [NX | XX | GT | LT]
    pexpireat = set_deadline(1, From::Epoch);           // key unix-time-milliseconds [NX | …]
    ttl = show_deadline(MS_PER_S, From::Now);           // key
    pttl = show_deadline(1, From::Now);                 // key
    expiretime = show_deadline(MS_PER_S, From::Epoch);  // key
    pexpiretime = show_deadline(1, From::Epoch);        // key
}

/// The time from which a command counts.
#[derive(PartialEq, Eq)]
enum From {
    Now,
    Epoch,
}

impl From {
    fn unix_ms(self, c: &Call) -> i64 {
        if self == From::Now { c.keyspace.now.ms } else { 0 }
    }
}

/// `PERSIST key`
pub fn persist(c: &mut Call) -> Answer {
    let key = c.key(1);
    let mortal = c.keyspace.touch(key) && c.keyspace.deadline(key).flatten().is_some();
    if mortal {
        c.keyspace.set_deadline(key, None);
        c.keyspace.changed(Events::GENERIC, "persist", key);
    }
    c.out.answer_int(i64::from(mortal))
}

/// Sets the deadline to argument 2, in units of `unit_ms`.
fn set_deadline(c: &mut Call, unit_ms: i64, from: From) -> Answer {
    let conditions = Conditions::parse(c)?;
    let too_far = || {
        let name = c.command.name;
        Error::text(format!("ERR invalid expire time in '{name}' command"))
    };
    let deadline = c.int(2)?.checked_mul(unit_ms).ok_or_else(too_far)?;
    let deadline = deadline.checked_add(from.unix_ms(c)).ok_or_else(too_far)?;
    let key = c.key(1);
    c.keyspace.touch(key);
    let met = c.keyspace.deadline(key).is_some_and(|present| conditions.hold(present, deadline));
    if met && deadline <= c.keyspace.now.ms && !c.keyspace.keeps_expired {
        c.keyspace.delete(key, c.settings.lazyfree_lazy_expire);
        c.keyspace.changed(Events::GENERIC, "del", key);
        c.keyspace.log(&[b"DEL", key.bytes]);
    } else if met {
        c.keyspace.set_deadline(key, Some(deadline));
        c.keyspace.changed(Events::GENERIC, "expire", key);
        c.keyspace.log_deadline(key, deadline);
    }
    c.out.answer_int(i64::from(met))
}

/// Replies with the deadline in units of `unit_ms`, rounded; with -1 if the key has none, and with
/// -2 if there is no key.
fn show_deadline(c: &mut Call, unit_ms: i64, from: From) -> Answer {
    let key = c.key(1);
    let known = c.keyspace.read_without_touch(key).is_some();
    let left_ms = match c.keyspace.deadline(key).flatten() {
        _ if !known => -2,
        None => -1,
        Some(deadline) => {
            let ms = deadline.saturating_sub(from.unix_ms(c)).max(0);
            // Unsigned, because half a unit more than the last deadline of all is out of range.
            ((ms as u64 + unit_ms as u64 / 2) / unit_ms as u64) as i64
        }
    };
    c.out.answer_int(left_ms)
}

/// What the deadline a key has must be like.
#[derive(Default)]
struct Conditions {
    /// `NX`: there must be none.
    none: bool,
    /// `XX`: there must be one.
    some: bool,
    /// `GT`: the new one must be later.
    later: bool,
    /// `LT`: the new one must be earlier.
    earlier: bool,
}

impl Conditions {
    fn parse(c: &Call) -> Result<Conditions, Error> {
        let mut conditions = Conditions::default();
        for at in 3..c.args.len() {
            match () {
                () if c.is(at, "nx") => conditions.none = true,
                () if c.is(at, "xx") => conditions.some = true,
                () if c.is(at, "gt") => conditions.later = true,
                () if c.is(at, "lt") => conditions.earlier = true,
                () => {
                    let word = shown(c.arg(at), usize::MAX);
                    return Err(Error::text(format!("ERR Unsupported option {word}")));
                }
            }
        }
        conditions.check()?;
        Ok(conditions)
    }

    fn check(&self) -> Answer {
        let Conditions { none, some, later, earlier } = *self;
        if none && (some || later || earlier) {
            return Err(Error::new(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if later && earlier {
            return Err(Error::new("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(())
    }

    fn hold(&self, present: Option<i64>, deadline: i64) -> bool {
        match present {
            None => !self.some && !self.later,
            Some(present) => {
                !(self.none
                    || self.later && deadline <= present
                    || self.earlier && deadline >= present)
            }
        }
    }
}
