//! What bound keys ask of commands (see [`Bound`]): each change of one is submitted.
//!
//! ```text
//! INCR user:n     bring_back   user:n was evicted, but waits in the queue: it is stored again
//!                 the handler  user:n is 6
//!                 submit       user:n=6, under the lock of its shard
//! LPUSH user:l a  refused      a table has a text for each key, and no list
//! ```
//!
//! **Why have bound keys no time to live?** Memory would forget a row that the table keeps. An
//! evicted key, too, is only gone from memory, and `DEL` of one that is not there deletes its row.

use super::{Command, catalogue::spec::Flags, getkeys::for_each_key};
use crate::engine::{error::Error, keyspace::Keyspace};
use crate::wire::request::Args;
use minicache_write_behind::service::Bound;
use std::sync::atomic::Ordering;

/// Prepares a command. Returns the number of changes that its core had counted before it.
///
/// # Errors
/// If it would make a bound key something that a table cannot have.
#[inline]
pub(super) fn before(keyspace: &mut Keyspace, command: &Command, args: Args) -> Result<u64, Error> {
    match keyspace.bound {
        Some(bound) => prepare(keyspace, bound, command, args),
        None => Ok(0),
    }
}

/// Submits the changes of a command.
#[inline]
pub(super) fn after(keyspace: &mut Keyspace, command: &Command, args: Args, changes_before: u64) {
    if let Some(bound) = keyspace.bound {
        submit(keyspace, bound, command, args, changes_before);
    }
}

#[cold]
fn prepare(
    keyspace: &mut Keyspace,
    bound: &Bound,
    command: &Command,
    args: Args,
) -> Result<u64, Error> {
    if matches!(command.name, "flushall" | "flushdb" | "swapdb") {
        let text = "is not supported with write-behind: delete bound keys by name";
        return Err(Error::text(format!("ERR {} {text}", command.name)));
    }
    let (mut keys, db) = (bound_keys(bound, command, args), keyspace.db);
    let writes = command.flags.has(Flags::WRITE);
    if writes && !keys.is_empty() && (db != 0 || !is_supported(command, args)) {
        return Err(Error::new(
            "ERR write-behind binds this key to a table: in database 0 it takes commands on \
             strings without a time to live, DEL and UNLINK",
        ));
    }

    let deletes = matches!(command.name, "del" | "unlink" | "getdel");
    if writes && !deletes && !keys.is_empty() && bound.queue.has_too_many_dead_letters() {
        return Err(Error::new("ERR write-behind: too many rejected rows wait: DEL their keys"));
    }

    keys.retain(|_| db == 0);
    for bytes in keys {
        let key = keyspace.key(bytes);
        if let Some(Some(value)) = bound.queue.newest(bytes)
            && !keyspace.exists(key)
        {
            keyspace.set_string(key, &value, None);
        }
    }
    Ok(keyspace.parts.dirty.load(Ordering::Relaxed))
}

#[cold]
fn submit(keyspace: &mut Keyspace, bound: &Bound, command: &Command, args: Args, before: u64) {
    let changed = keyspace.parts.dirty.load(Ordering::Relaxed) != before;
    let deletes = matches!(command.name, "del" | "unlink" | "getdel");
    if !command.flags.has(Flags::WRITE) || !(changed || deletes) {
        return;
    }
    for bytes in bound_keys(bound, command, args) {
        let value = keyspace.peek(keyspace.key(bytes)).and_then(|it| it.as_str());
        let value = value.map(|text| text.to_vec().into());
        bound.queue.submit(bytes, value);
        keyspace.wrote_behind = true;
    }
}

fn bound_keys<'a>(bound: &Bound, command: &Command, args: Args<'a>) -> Vec<&'a [u8]> {
    let mut keys = Vec::new();
    for_each_key(command, args, |index| keys.push(args.at(index)));
    keys.retain(|key| bound.binds(key));
    keys
}

/// Returns true if a command that writes leaves strings without a time to live, or nothing.
fn is_supported(command: &Command, args: Args) -> bool {
    let is_time = |word: &[u8]| {
        [&b"EX"[..], b"PX", b"EXAT", b"PXAT"].iter().any(|it| word.eq_ignore_ascii_case(it))
    };
    match command.name {
        "setex" | "psetex" | "getex" => false,
        "set" => !(3..args.len()).any(|index| is_time(args.at(index))),
        "del" | "unlink" => true,
        _ => command.group == "string",
    }
}

#[cfg(test)]
mod tests;
