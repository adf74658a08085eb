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
//! * [`scan`], [`draw`] and [`popping`]: walking a container, random elements, and the first of
//!   several keys that has some, for all families alike.
//!
//! A handler is a plain function of a [`Call`]. It finds its arguments, the keyspace and the reply
//! buffer there, and either writes exactly one reply or returns the error that is the reply.

pub mod bits;
pub mod catalogue;
pub mod connection;
pub mod draw;
pub mod execute;
pub mod getkeys;
mod handlers;
pub mod hashes;
pub mod keys;
pub mod lists;
pub mod long_double;
pub mod popping;
pub mod pubsub;
pub mod run;
pub mod scan;
pub mod server;
pub mod sets;
pub mod strings;
#[cfg(test)]
pub(crate) mod testing;
pub mod transactions;
pub mod zsets;

pub use catalogue::spec::Command;
pub use execute::Executor;

use self::long_double::LongDouble;
use crate::conf::Settings;
use crate::engine::access::Access;
use crate::engine::blocking::Ticket;
use crate::engine::error::{Answer, Error};
use crate::engine::events::Events;
use crate::engine::object::{Container, Value};
use crate::engine::session::Session;
use crate::format::number::{parse_f64, parse_i64};
use crate::wire::reply::Reply;
use crate::wire::request::Args;

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
    pub store: &'a mut Access<'c>,
    /// The parameters of this batch.
    pub settings: &'a Settings,
    /// Where its reply goes.
    pub out: &'a mut Reply,
    /// How it came to run.
    pub mode: Mode,
    /// In [`Mode::Retry`], the key that was filled.
    pub filled: Option<&'a [u8]>,
    /// Set when it waits, and so has not replied.
    pub parked: bool,
}

impl<'a> Call<'a, '_> {
    /// The argument at `index`, which the arity or an earlier check has shown to exist.
    pub fn arg(&self, index: usize) -> &'a [u8] {
        self.args.at(index)
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

    /// Whether an argument is this word, in either case.
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

    /// Whether a blocking command is to look at a key: at all of its keys when it comes; when it
    /// has waited, only at the one that was filled, and only if that holds what it waits for.
    pub fn looks_at<T: Container>(&mut self, key: &[u8]) -> bool {
        if self.mode != Mode::Retry {
            return true;
        }
        self.filled == Some(key)
            && match self.store.peek(key) {
                Some(Value::Object(object)) => T::of(object).is_some(),
                _ => false,
            }
    }

    /// How long the replies of this batch may become: past that the client would be closed for not
    /// reading them (`client-output-buffer-limit`), so a command that can reply without end stops
    /// there.
    pub fn reply_bytes_max(&self) -> usize {
        self.settings.reply_bytes_max()
    }

    /// Lets the command wait for one of `keys` to be filled, for ever or until `timeout_ms` from
    /// now. Where waiting is not possible, in a transaction, it answers as if the time were up at
    /// once.
    pub fn wait(&mut self, keys: &[&[u8]], timeout_ms: Option<i64>) {
        match self.mode {
            Mode::Transaction => self.out.null_array(),
            Mode::Retry => self.parked = true,
            Mode::Direct => {
                let ticket = Ticket {
                    client: self.session.client.clone(),
                    command: self.command,
                    args: self.args.to_owned(),
                    db: self.session.db,
                    protocol: self.session.protocol,
                    keys: keys.iter().map(|key| Box::from(*key)).collect(),
                    deadline_ms: timeout_ms.map(|ms| self.store.now.ms.saturating_add(ms)),
                };
                self.session.wait_until_ms = ticket.deadline_ms;
                self.session.waiting = Some(self.store.cache.waiting.enter(ticket));
                self.parked = true;
            }
        }
    }
}

/// `HDEL`, `SREM`, `ZREM`: takes the elements named from argument 2 on out of a container, and
/// replies with how many were there. `remove` says whether one was.
pub fn remove_named<T: Container>(
    c: &mut Call,
    class: Events,
    event: &str,
    mut remove: impl FnMut(&mut T, &[u8]) -> bool,
) -> Answer {
    let key = c.arg(1);
    let Some(container) = c.store.get_mut::<T>(key)? else {
        c.out.int(0);
        return Ok(());
    };
    let removed = c.args.from(2).iter().filter(|name| remove(container, name)).count();
    let emptied = container.is_empty();
    if removed > 0 {
        c.store.changed(class, event, key);
    }
    if emptied {
        c.store.remove_if_empty::<T>(key);
    }
    c.out.count(removed);
    Ok(())
}

/// The timeout of a blocking command, in seconds with a fraction: milliseconds, or `None` for 0,
/// which means for ever.
pub fn timeout_ms(argument: &[u8]) -> Result<Option<i64>, Error> {
    const NOT_A_TIMEOUT: Error = Error::new("ERR timeout is not a float or out of range");
    // Redis reads a long double: what is too great for a double is still too great a timeout.
    let great = || LongDouble::parse(argument).map(|_| f64::INFINITY);
    let seconds = parse_f64(argument).or_else(great).ok_or(NOT_A_TIMEOUT)?;
    let ms = (seconds * 1000.0).ceil();
    match ms {
        // Redis lets too large a number overflow, and then finds it negative.
        negative if !(0.0..i64::MAX as f64).contains(&negative) => {
            Err(Error::new("ERR timeout is negative"))
        }
        0.0 => Ok(None),
        ms => Ok(Some(ms as i64)),
    }
}

/// What a client sent, for an error: cut, ending at a zero byte as C strings do, and with a
/// character for every byte, which [`Reply::error`] makes bytes again.
pub fn shown(bytes: &[u8], most: usize) -> String {
    let bytes = bytes.iter().take(most).take_while(|byte| **byte != 0);
    bytes.map(|byte| char::from(*byte)).collect()
}
