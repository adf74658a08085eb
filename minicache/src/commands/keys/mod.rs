//! Keys, whatever they hold (`db.c`, `expire.c`, `sort.c`, parts of `object.c`).
//!
//! ```text
//! SET job:1 x          EXPIRE job:1 60           (integer) 1
//! RENAME job:1 job:2   TTL job:2                 (integer) 60: the deadline came along
//! COPY job:2 spare     DEL job:2 job:3           (integer) 1: job:3 was not there
//! SCAN 0 MATCH sp*     1) "0"  2) 1) "spare"     cursor 0: that was all
//! ```
//!
//! * [`presence`][]: existence, types and deletion.
//! * [`lifetime`][]: deadlines.
//! * [`walk`][]: all keys, or any.
//! * [`transfer`][]: values go to another key or another database.
//! * [`object`][]: how a value is stored, and when it was used.
//! * [`sort`][]: elements in an order that other keys may give.
//!
//! Commands on whole databases are with those on the server.

mod lifetime;
mod object;
mod presence;
mod sort;
#[cfg(test)]
mod tests;
mod transfer;
mod walk;

pub use lifetime::{
    expire, expireat, expiretime, persist, pexpire, pexpireat, pexpiretime, pttl, ttl,
};
pub use object::{object_encoding, object_freq, object_idletime, object_refcount};
pub use presence::{del, exists, touch, type_, unlink, wait};
pub use sort::{sort, sort_ro};
pub use transfer::{copy, move_, rename, renamenx};
pub use walk::{keys, randomkey, scan};
