//! Commands: from a request to its reply.
//!
//! ```text
//! *3 $3 SET $1 k $1 v ─> catalogue: set, arity -3, write, key at 1 ─> checks
//!                     ─> lock the key's shard ─> strings::set ─> +OK
//! ```
//!
//! * [`catalogue`]: every command as a row of data. Dispatch, `COMMAND`, help and the documentation
//!   read it; [`handlers`] adds the code of each row, and [`getkeys`] finds its keys.
//! * [`execute`]: the checks every command goes through (`processCommand` in `server.c`).
//! * [`run`]: whole pipelines, in place.
//! * One file per family: [`strings`], [`lists`], [`hashes`], [`sets`], [`zsets`], [`keys`], …
//! * Lua: [`scripts`]. What outlives the process: [`aof`], and in a database [`write_behind`].
//! * [`scan`], [`draw`] and [`popping`]: walking a container, random elements, and the first of
//!   several keys that has some, for all families alike.
//!
//! A handler is a plain function of a [`Call`]. It finds its arguments, the keyspace and the reply
//! buffer there, and either writes exactly one reply or returns the error that is the reply.

pub mod advise;
pub mod aof;
mod bits;
pub(crate) mod blocked;
pub mod cache;
pub(crate) mod catalogue;
pub(crate) mod connection;
mod draw;
pub(crate) mod execute;
pub(crate) mod getkeys;
mod handlers;
mod hashes;
mod keys;
pub(crate) mod latency;
mod lists;
mod lookup;
pub mod messages;
mod monitors;
mod pause;
mod popping;
mod pubsub;
pub mod run;
mod scan;
pub mod scripts;
mod secrets;
mod server;
pub mod session;
mod sets;
pub(crate) mod slow_log;
pub(crate) mod stats;
mod strings;
#[cfg(test)]
pub(crate) mod testing;
pub mod transactions;
mod write_behind;
mod zsets;

pub use cache::Cache;
pub(crate) use catalogue::spec::Command;
pub use execute::Executor;
pub use stats::Identity;

use crate::conf::Settings;
use crate::engine::error::{Answer, Error};
use crate::engine::object::{Container, Object};
use crate::engine::{events::Events, key::Key, keyspace::Keyspace, store::shard::NewValue};
use crate::format::number::{parse_f64, parse_i64};
use crate::wire::{reply::Reply, request::Args};
use session::Session;
use stats::Counters;
use std::{cell::Cell, ops::Range};

/// The version of Redis that this server reports to clients, which choose features by it.
pub const REDIS_VERSION: &str = "7.0.15";

/// A command handler.
pub type Handler = fn(&mut Call) -> Answer;

/// How a command came to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its client sent it just now.
    Direct,
    /// `EXEC` runs it: it must not wait.
    Transaction,
    /// It waited, and something came: it may go on waiting.
    Retry,
}

/// One command being executed.
pub struct Call<'a, 'c> {
    /// The command's name and its arguments. There are as many as its arity demands.
    pub args: Args<'a>,
    /// Its row of the table; for `CLIENT LIST`, that of the subcommand.
    pub command: &'static Command,
    /// Whose it is.
    pub session: &'a mut Session,
    /// The keyspace, with the shards of its keys locked.
    pub keyspace: &'a mut Keyspace<'c>,
    /// The whole server.
    pub cache: &'c Cache,
    /// The counters of this core.
    pub counters: &'c Counters,
    /// The parameters of this batch.
    pub settings: &'c Settings,
    /// The hash of argument 1, once it is known.
    pub key_hash: Cell<Option<u64>>,
    /// Where its reply goes.
    pub out: &'a mut Reply,
    /// How it came to run.
    pub mode: Mode,
    /// In [`Mode::Retry`], the key that is ready.
    pub ready_key: Option<&'a [u8]>,
    /// Set when it waits, and so has not replied.
    pub parked: bool,
}

impl<'a> Call<'a, '_> {
    /// The argument at `index`, which the arity or an earlier check has shown to exist.
    pub fn arg(&self, index: usize) -> &'a [u8] {
        self.args.at(index)
    }

    /// The argument at `index` as a key. Argument 1 is hashed at most once per command, any other
    /// at each call.
    #[inline]
    pub fn key(&self, index: usize) -> Key<'a> {
        let bytes = self.args.at(index);
        match (index, self.key_hash.get()) {
            (1, Some(hash)) => self.cache.shards.key_with_hash(bytes, hash),
            _ => {
                let key = self.cache.shards.key(bytes);
                if index == 1 {
                    self.key_hash.set(Some(key.hash));
                }
                key
            }
        }
    }

    /// An argument as an integer.
    pub fn int(&self, index: usize) -> Result<i64, Error> {
        parse_i64(self.arg(index)).ok_or(Error::NOT_AN_INTEGER)
    }

    /// An argument as a count, 0 or more.
    pub fn count(&self, index: usize) -> Result<usize, Error> {
        match parse_i64(self.arg(index)) {
            Some(number) if number >= 0 => Ok(number as usize),
            _ => Err(Error::MUST_BE_POSITIVE),
        }
    }

    /// An argument as a floating-point number.
    pub fn float(&self, index: usize) -> Result<f64, Error> {
        parse_f64(self.arg(index)).ok_or(Error::NOT_A_FLOAT)
    }

    /// Returns true if the argument is this word, in upper or lower case.
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.args.get(index).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The error of a subcommand that was given arguments it does not take.
    pub fn wrong_subcommand(&self) -> Error {
        Error::text(format!(
            "ERR unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.",
            shown(self.arg(1), 128),
            shown(self.arg(0), 128).to_ascii_uppercase()
        ))
    }

    /// How long the replies of this batch may become: past that the client would be closed for not
    /// reading them (`client-output-buffer-limit`), so a command that can reply without end stops
    /// there.
    pub fn reply_bytes_max(&self) -> usize {
        self.settings.reply_bytes_max()
    }
}

/// `HDEL`, `SREM`, `ZREM`: removes the elements that the arguments from 2 on name, and replies
/// with their number. `remove` returns true if the element existed.
pub fn remove_named<T: Container>(
    c: &mut Call,
    class: Events,
    event: &str,
    mut remove: impl FnMut(&mut T, &[u8]) -> bool,
) -> Answer {
    let key = c.key(1);
    let Some(container) = c.keyspace.get_mut::<T>(key)? else { return c.out.answer_int(0) };
    let removed = c.args.from(2).iter().filter(|name| remove(container, name)).count();
    let emptied = container.is_empty();
    if removed > 0 {
        c.keyspace.changed(class, event, key);
    }
    if emptied {
        c.keyspace.remove_if_empty::<T>(key);
    }
    c.out.answer_count(removed)
}

/// `SINTERSTORE`, `BITOP`, `SORT … STORE`: stores a result of `len` elements in place of what the
/// key held, and replies with `len`. An empty result removes the key.
pub fn store_result(
    c: &mut Call,
    key: Key,
    (len, result): (usize, Object),
    class: Events,
    event: &str,
) -> Answer {
    if len > 0 {
        c.keyspace.set(key, NewValue::Object(result), None);
        c.keyspace.changed(class, event, key);
    } else if c.keyspace.remove(key) {
        c.keyspace.changed(Events::GENERIC, "del", key);
    }
    c.out.answer_count(len)
}

/// The indexes from `start` to `stop`, both included, among `len` elements. Negative ones count
/// from the end. The range is empty if it is outside or backward.
pub fn indexes(start: i64, stop: i64, len: usize) -> Range<usize> {
    let from_start = |index: i64| if index < 0 { index.saturating_add(len as i64) } else { index };
    let start = from_start(start).max(0);
    let stop = from_start(stop).min(len as i64 - 1);
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

/// What a client sent, for an error: cut, ending at a zero byte as C strings do, and with a
/// character for every byte, which [`Reply::error`] makes bytes again.
pub fn shown(bytes: &[u8], most: usize) -> String {
    let bytes = bytes.iter().take(most).take_while(|byte| **byte != 0);
    bytes.map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::indexes;

    #[test]
    fn indexes_count_from_both_ends() {
        for (start, stop, expected) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-2, -1, 3..5),
            (-9, 9, 0..5),
            (5, 9, 0..0),
            (3, 2, 0..0),
            (0, -6, 0..0),
            (i64::MIN, i64::MAX, 0..5),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            assert_eq!(indexes(start, stop, 5), expected, "{start} {stop}");
        }
        assert_eq!(indexes(0, -1, 0), 0..0);
    }
}
