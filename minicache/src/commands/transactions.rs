//! Transactions: `MULTI`, `EXEC`, `DISCARD`, `WATCH` (`multi.c`).
//!
//! Between `MULTI` and `EXEC` commands are only queued. `EXEC` locks the shards of all of them at
//! once, checks that no watched key has changed, and runs the queue. No other client sees a
//! state in between.
//!
//! ```text
//! WATCH stock      a change of stock will set a flag of this client
//! GET stock        "3"
//! MULTI
//! SET stock 2      QUEUED     checked, copied, not run
//! INCR sold        QUEUED
//! EXEC             lock the shards of stock and sold; has the flag been set?
//!                  no: 1) OK 2) (integer) 8      yes: (nil), and nothing is done
//! ```
//!
//! There are two kinds of errors. If a command cannot be queued (unknown, wrong arity, out of
//! memory), the transaction is poisoned and `EXEC` replies `EXECABORT`. If a command fails
//! when `EXEC` runs it, its error is an element of the array, and the other commands still run:
//! nothing is rolled back. [`Executor::execute`](super::Executor::execute) runs the queue.

use super::{Call, Command};
use crate::commands::session::{Queued, Session};
use crate::engine::error::{Answer, Error};
use crate::engine::keyspace::Keyspace;
use crate::wire::{reply::Reply, request::Args};
use std::sync::atomic::Ordering;

/// Bytes that a stored argument or key takes besides its text.
const ARGUMENT_BYTES: usize = 32;

pub(super) fn multi(c: &mut Call) -> Answer {
    if c.session.transaction.is_some() {
        return Err(Error::new("ERR MULTI calls can not be nested"));
    }
    c.session.transaction = Some(Box::default());
    c.out.answer_ok()
}

/// `EXEC` without `MULTI`. In a transaction the executor handles it.
pub fn exec(_: &mut Call) -> Answer {
    Err(Error::new("ERR EXEC without MULTI"))
}

pub(super) fn discard(c: &mut Call) -> Answer {
    if c.session.transaction.is_none() {
        return Err(Error::new("ERR DISCARD without MULTI"));
    }
    discard_transaction(c.keyspace, c.session);
    c.out.answer_ok()
}

/// `WATCH key [key ...]`
pub fn watch(c: &mut Call) -> Answer {
    if c.session.transaction.is_some() {
        return Err(Error::new("ERR WATCH inside MULTI is not allowed"));
    }
    let db = c.session.db;
    for key in c.args.from(1).iter() {
        if c.session.watched.insert((db, key.into())) {
            c.keyspace.watch(c.keyspace.key(key), &c.session.client.figures.dirty);
            c.session.watched_bytes += ARGUMENT_BYTES + key.len();
        }
    }
    c.out.answer_ok()
}

pub(super) fn unwatch(c: &mut Call) -> Answer {
    unwatch_all(c.keyspace, c.session);
    c.out.answer_ok()
}

/// Ends all watches of a session. Returns true if no watched key has changed.
pub fn unwatch_all(keyspace: &mut Keyspace, session: &mut Session) -> bool {
    keyspace.lock(shards_watched(keyspace, session));
    session.watched_bytes = 0;
    let dirty = &session.client.figures.dirty;
    for (db, key) in std::mem::take(&mut session.watched) {
        keyspace.unwatch(db, keyspace.key(&key), dirty);
    }
    !dirty.swap(false, Ordering::Relaxed)
}

/// Returns the set of shards of the keys that a session watches.
pub(super) fn shards_watched(keyspace: &Keyspace, session: &Session) -> u64 {
    keyspace.shards_of(session.watched.iter().map(|(_, key)| &**key))
}

/// Ends a transaction without executing it (`discardTransaction`).
fn discard_transaction(keyspace: &mut Keyspace, session: &mut Session) {
    session.transaction = None;
    unwatch_all(keyspace, session);
}

/// Queues a command and replies `QUEUED`. A transaction that will not run stores nothing.
#[inline(never)]
pub(super) fn queue(
    session: &mut Session,
    command: &'static Command,
    args: Args,
    out: &mut Reply,
) -> Answer {
    if let Some(open) = &mut session.transaction
        && !open.poisoned
        && !session.client.figures.dirty.load(Ordering::Relaxed)
    {
        open.bytes += args.iter().map(|argument| ARGUMENT_BYTES + argument.len()).sum::<usize>();
        open.commands.push(Queued { command, args: args.to_owned(), key_hash: None });
    }
    session.client.figures.last_command.store(command.id() as u32 + 1, Ordering::Relaxed);
    out.simple("QUEUED");
    Ok(())
}

/// Marks an open transaction as poisoned because a command was refused, or ends it if that command
/// is `EXEC` (`rejectCommand`). Returns the error to reply with.
#[cold]
pub(super) fn refused(
    keyspace: &mut Keyspace,
    session: &mut Session,
    args: Args,
    error: Error,
) -> Error {
    if args.at(0).eq_ignore_ascii_case(b"exec") {
        discard_transaction(keyspace, session);
        let reason = error.0.strip_prefix("ERR ").unwrap_or(&error.0);
        return Error::text(format!("EXECABORT Transaction discarded because of: {reason}"));
    }
    if let Some(open) = &mut session.transaction {
        open.poisoned = true;
    }
    error
}

#[cfg(test)]
mod tests;
