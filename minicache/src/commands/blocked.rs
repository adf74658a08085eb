//! Commands that wait (`blocked.c`): what `BLPOP` registers, and how it runs again.
//!
//! ```text
//! client 7: BLPOP jobs 0     finds nothing: registers {BLPOP jobs 0} under the key jobs
//! client 9: RPUSH jobs a     jobs is new and has waiters: it becomes a ready key
//!                            after the push: BLPOP jobs 0 runs again, on behalf of client 7
//!                            client 7 receives Unblocked("*2 $4 jobs $1 a")
//! ```
//!
//! The registry ([`crate::engine::blocking`]) keeps the order and the claims; this file stores the
//! command word for word and executes it. Redis does the same since 7.2
//! (`handleClientsBlockedOnKeys`); 7.0 had one function per type instead.

use super::execute::{Executor, propagate};
use super::{Call, Command, Mode, handlers, session::Session};
use crate::engine::object::{Container, Value};
use crate::engine::{blocking::DbKey, clients::Client, error::Error, key::Key, mailbox::Message};
use crate::format::number::parse_f64;
use crate::wire::reply::{Protocol, Reply};
use crate::wire::request::OwnedArgs;
use minicache_text::long_double::LongDouble;
use std::{cell::Cell, sync::Arc};

pub struct BlockedCommand {
    pub client: Arc<Client>,
    pub command: &'static Command,
    pub args: OwnedArgs,
    pub db: usize,
    pub protocol: Protocol,
}

/// Lets a command wait until one of `keys` has a value, for ever or for `timeout_ms`. In a
/// transaction, which must not wait, it replies as if the time had run out.
pub fn block_for_keys(c: &mut Call, keys: &[&[u8]], timeout_ms: Option<i64>) {
    match c.mode {
        Mode::Transaction => c.out.null_array(),
        Mode::Retry => c.parked = true,
        Mode::Direct => {
            let db = c.session.db;
            let blocked = BlockedCommand {
                client: c.session.client.clone(),
                command: c.command,
                args: c.args.to_owned(),
                db,
                protocol: c.session.protocol,
            };
            c.session.wait_until_ms = timeout_ms.map(|ms| c.keyspace.now.ms.saturating_add(ms));
            c.session.waiting = Some(c.cache.registry.blocked.register(blocked, db, keys));
            c.parked = true;
        }
    }
}

/// Returns true if a blocking command should look at a key. A new command looks at all of its keys;
/// one that has waited looks only at the key that is ready, and only if that has the right type.
pub fn looks_at<T: Container>(c: &mut Call, key: Key) -> bool {
    if c.mode != Mode::Retry {
        return true;
    }
    c.ready_key == Some(key.bytes)
        && match c.keyspace.peek(key) {
            Some(Value::Object(object)) => T::of(object).is_some(),
            _ => false,
        }
}

/// Reads the timeout of a blocking command, in seconds with a fraction. Returns milliseconds, or
/// `None` for 0, which means for ever.
pub fn timeout_ms(argument: &[u8]) -> Result<Option<i64>, Error> {
    const NOT_A_TIMEOUT: Error = Error::new("ERR timeout is not a float or out of range");
    // Redis reads a long double: what is too large for a double is still too large a timeout.
    let large = || LongDouble::parse(argument).map(|_| f64::INFINITY);
    let seconds = parse_f64(argument).or_else(large).ok_or(NOT_A_TIMEOUT)?;
    let ms = (seconds * 1000.0).ceil();
    match ms {
        // In Redis a number that is too large overflows and is then found to be negative.
        negative if !(0.0..i64::MAX as f64).contains(&negative) => {
            Err(Error::new("ERR timeout is negative"))
        }
        0.0 => Ok(None),
        ms => Ok(Some(ms as i64)),
    }
}

/// Runs the commands that wait for keys that are ready, the first come first, until no further key
/// becomes ready (`handleClientsBlockedOnKeys`).
#[inline(never)]
pub fn serve_ready_keys(executor: &mut Executor) {
    while !executor.keyspace.ready_keys.is_empty() {
        let key = executor.keyspace.ready_keys.remove(0);
        for id in executor.cache.registry.blocked.queue(&key) {
            if !serve(executor, id, &key) {
                break;
            }
        }
    }
}

/// Runs a blocked command again. It goes on waiting unless it gets something.
///
/// Returns false if the key is gone: the others that wait for it would get nothing either.
fn serve(executor: &mut Executor, id: u64, key: &DbKey) -> bool {
    let cache = executor.cache;
    let Some(blocked) = cache.registry.blocked.get(id) else { return true };
    let args = blocked.args.as_args();

    // From the claim to its end the shards of all its keys stay locked, so that a timeout or a
    // disconnection on another core finds the command either before it began or after it ended.
    let outer_db = std::mem::replace(&mut executor.keyspace.db, key.0);
    executor.lock_for(blocked.command, args);
    while cache.shards.is_busy() {
        // A script of another core has paused while this one waited for the locks.
        executor.keyspace.release();
        std::thread::sleep(std::time::Duration::from_millis(1));
        executor.lock_for(blocked.command, args);
    }
    let key_hash = executor.key_hash.take();
    let exists = executor.keyspace.exists(executor.keyspace.key(&key.1));
    if !exists || !cache.registry.blocked.claim(id) {
        executor.keyspace.db = outer_db;
        return exists;
    }

    let mut session = Session::new(blocked.client.clone(), true);
    (session.db, session.protocol) = (blocked.db, blocked.protocol);
    let mut reply = Reply::new(blocked.protocol);
    let mut call = Call {
        args,
        command: blocked.command,
        session: &mut session,
        keyspace: &mut executor.keyspace,
        cache,
        counters: executor.counters,
        settings: executor.settings,
        key_hash: Cell::new(key_hash),
        out: &mut reply,
        mode: Mode::Retry,
        ready_key: Some(&key.1),
        parked: false,
    };
    let answer = handlers::of(blocked.command)(&mut call);
    let parked = call.parked;
    propagate(&mut executor.keyspace, blocked.command, args);
    executor.keyspace.end_unit();
    if parked {
        cache.registry.blocked.resume(id);
    } else {
        cache.registry.blocked.finish(id);
        if let Err(error) = answer {
            executor.report(&error, &mut reply);
        }
        let bytes = std::mem::take(reply.buffer());
        blocked.client.mailbox.deliver(Message::Unblocked(bytes));
    }
    executor.keyspace.db = outer_db;
    true
}
