//! The existence, type and deletion of keys: `EXISTS`, `TYPE`, `TOUCH`, `DEL`.
//!
//! ```text
//! EXISTS a a b      (integer) 2: a is there, and counts twice
//! TOUCH a b         (integer) 1: a was used just now
//! UNLINK a b        (integer) 1
//! TYPE a            none
//! ```
//!
//! `DEL` frees what it removes, under the lock of one shard: 40 ms for a set of a million members.
//! `UNLINK` leaves large values to another thread (`engine/lazy_free.rs`).

use crate::commands::{Call, handlers::variants};
use crate::engine::error::{Answer, Error};
use crate::engine::{events::Events, key::Key, keyspace::Keyspace, object::Value};
use crate::format::number::parse_i64;

/// `DEL key [key ...]`
pub fn del(c: &mut Call) -> Answer {
    delete(c, c.settings.lazyfree_lazy_user_del)
}

/// `UNLINK key [key ...]`
pub fn unlink(c: &mut Call) -> Answer {
    delete(c, true)
}

fn delete(c: &mut Call, lazily: bool) -> Answer {
    let mut removed = 0;
    for index in 1..c.args.len() {
        let key = c.key(index);
        if c.keyspace.delete(key, lazily) {
            c.keyspace.changed(Events::GENERIC, "del", key);
            removed += 1;
        }
    }
    c.out.answer_count(removed)
}

variants! {
    // key [key ...]
    exists = count(|keyspace, key| keyspace.read_without_touch(key).is_some());
    touch = count(|keyspace, key| keyspace.read(key).is_some());  // key [key ...]
}

fn count(c: &mut Call, finds: fn(&mut Keyspace, Key) -> bool) -> Answer {
    let found = (1..c.args.len()).filter(|index| finds(c.keyspace, c.key(*index))).count();
    c.out.answer_count(found)
}

/// `TYPE key`
pub fn type_(c: &mut Call) -> Answer {
    c.out.simple(c.keyspace.read_without_touch(c.key(1)).map_or("none", Value::type_name));
    Ok(())
}

/// `WAIT numreplicas timeout`: there are no replicas, so it does not wait.
pub fn wait(c: &mut Call) -> Answer {
    c.int(1)?;
    let timeout =
        parse_i64(c.arg(2)).ok_or(Error::new("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(Error::new("ERR timeout is negative"));
    }
    c.out.answer_int(0)
}
