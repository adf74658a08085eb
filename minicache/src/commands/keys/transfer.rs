//! Values go to another key or another database: `RENAME`, `COPY`, `MOVE`.
//!
//! ```text
//! RENAME a b       what a held is b's, deadline and all; what b held is gone
//! RENAMENX a b     the same, unless there is a b
//! COPY a b DB 3    b in database 3 holds a copy; the two change independently from here on
//! MOVE a 3         a is in database 3 now, unless there was one
//! ```
//!
//! Renaming moves no data where the value is an object. Where source and destination lie in
//! different shards both are locked; the database makes no difference to that.

use crate::commands::{Call, connection::database_at};
use crate::engine::error::{Answer, Error};
use crate::engine::keyspace::{Keyspace, Record};
use crate::engine::{events::Events, key::Key};

const SAME_OBJECT: Error = Error::new("ERR source and destination objects are the same");

/// `RENAME key newkey`
pub fn rename(c: &mut Call) -> Answer {
    rename_unless(c, false)?;
    c.out.answer_ok()
}

/// `RENAMENX key newkey`
pub fn renamenx(c: &mut Call) -> Answer {
    let renamed = rename_unless(c, true)?;
    c.out.answer_int(i64::from(renamed))
}

/// `MOVE key db`
pub fn move_(c: &mut Call) -> Answer {
    let key = c.key(1);
    let (here, there) = (c.keyspace.db, database_at(c, 2)?);
    if here == there {
        return Err(SAME_OBJECT);
    }
    let free = !c.keyspace.within(there, |keyspace| keyspace.exists(key));
    let taken = if free { c.keyspace.take(key) } else { None };
    c.out.int(i64::from(taken.is_some()));
    if let Some(taken) = taken {
        c.keyspace.within(there, |keyspace| keyspace.restore(key, taken));
        c.keyspace.changed(Events::GENERIC, "move_from", key);
        c.keyspace.within(there, |keyspace| keyspace.changed(Events::GENERIC, "move_to", key));
    }
    Ok(())
}

/// `COPY source destination [DB destination-db] [REPLACE]`
pub fn copy(c: &mut Call) -> Answer {
    let (mut there, mut replace, mut at) = (c.keyspace.db, false, 3);
    while at < c.args.len() {
        match () {
            () if c.is(at, "replace") => replace = true,
            () if c.is(at, "db") && at + 1 < c.args.len() => {
                at += 1;
                there = database_at(c, at)?;
            }
            () => return Err(Error::SYNTAX),
        }
        at += 1;
    }
    let (from, to) = (c.key(1), c.key(2));
    if there == c.keyspace.db && from == to {
        return Err(SAME_OBJECT);
    }
    let copied = match c.keyspace.copy(from) {
        Some(copy) => c.keyspace.within(there, |keyspace| settle(keyspace, to, copy, replace)),
        None => false,
    };
    c.out.answer_int(i64::from(copied))
}

/// Renames a key and returns true. With `taken_stays` it does nothing if the new name exists.
fn rename_unless(c: &mut Call, taken_stays: bool) -> Result<bool, Error> {
    let (from, to) = (c.key(1), c.key(2));
    if !c.keyspace.exists(from) {
        return Err(Error::NO_SUCH_KEY);
    }
    if from == to || (taken_stays && c.keyspace.exists(to)) {
        return Ok(false);
    }
    let taken = c.keyspace.take(from).ok_or(Error::NO_SUCH_KEY)?;
    c.keyspace.remove(to);
    c.keyspace.restore(to, taken);
    c.keyspace.changed(Events::GENERIC, "rename_from", from);
    c.keyspace.changed(Events::GENERIC, "rename_to", to);
    Ok(true)
}

fn settle(keyspace: &mut Keyspace, key: Key, copy: Record, replace: bool) -> bool {
    if keyspace.exists(key) && !replace {
        return false;
    }
    keyspace.remove(key);
    keyspace.restore(key, copy);
    keyspace.changed(Events::GENERIC, "copy_to", key);
    true
}
