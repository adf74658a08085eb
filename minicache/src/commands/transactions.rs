//! Transactions: `MULTI`, `EXEC`, `DISCARD`, `WATCH` (`multi.c`).
//!
//! Between `MULTI` and `EXEC` commands are only queued. `EXEC` locks the shards of all of them at
//! once, checks that the watched keys are as they were, and runs the queue; nobody sees a state in
//! between.
//!
//! ```text
//! WATCH stock      version of stock noted
//! GET stock        "3"
//! MULTI
//! SET stock 2      QUEUED     checked, copied, not run
//! INCR sold        QUEUED
//! EXEC             lock the shards of stock and sold; is stock still at its version?
//!                  yes: 1) OK 2) (integer) 8      no: (nil), and nothing is done
//! ```
//!
//! Two things end badly. A command that cannot even be queued (unknown, wrong number of arguments,
//! no memory) spoils the transaction, and `EXEC` answers `EXECABORT`. A command that fails when it
//! is run is an error in the array, and the others are run all the same.

use super::{Call, Command, Executor, Mode};
use crate::commands::session::{Queued, Session, Transaction};
use crate::engine::error::{Answer, Error};
use crate::engine::keyspace::Keyspace;
use crate::wire::reply::Reply;
use crate::wire::request::Args;
use std::collections::btree_map::Entry;

/// What a remembered word takes besides its bytes.
const WORD_BYTES: usize = 32;

/// `MULTI`
pub fn multi(c: &mut Call) -> Answer {
    if c.session.transaction.is_some() {
        return Err(Error::new("ERR MULTI calls can not be nested"));
    }
    c.session.transaction = Some(Transaction::default());
    c.out.answer_ok()
}

/// `EXEC` where there is nothing to execute; in a transaction it never comes here, but to
/// [`Executor::exec`].
pub fn exec(_: &mut Call) -> Answer {
    Err(Error::new("ERR EXEC without MULTI"))
}

/// `DISCARD`
pub fn discard(c: &mut Call) -> Answer {
    if c.session.transaction.is_none() {
        return Err(Error::new("ERR DISCARD without MULTI"));
    }
    forget(c.keyspace, c.session);
    c.out.answer_ok()
}

/// `WATCH key [key ...]`
pub fn watch(c: &mut Call) -> Answer {
    if c.session.transaction.is_some() {
        return Err(Error::new("ERR WATCH inside MULTI is not allowed"));
    }
    let db = c.session.db;
    for key in c.args.from(1).iter() {
        if let Entry::Vacant(place) = c.session.watched.entry((db, key.into())) {
            place.insert(c.keyspace.watch(c.keyspace.key(key)));
            c.session.watched_bytes += WORD_BYTES + key.len();
        }
    }
    c.out.answer_ok()
}

/// `UNWATCH`
pub fn unwatch(c: &mut Call) -> Answer {
    unwatch_all(c.keyspace, c.session);
    c.out.answer_ok()
}

/// Ends all watches of a session; whether every watched key is still as it was.
pub fn unwatch_all(keyspace: &mut Keyspace, session: &mut Session) -> bool {
    keyspace.lock(shards_watched(keyspace, session));
    let mut same = true;
    session.watched_bytes = 0;
    for ((db, key), version) in std::mem::take(&mut session.watched) {
        same &= keyspace.unwatch(db, keyspace.key(&key), version);
    }
    same
}

fn shards_watched(keyspace: &Keyspace, session: &Session) -> u64 {
    keyspace.shards_of(session.watched.keys().map(|(_, key)| &**key))
}

/// Ends a transaction without executing it.
fn forget(keyspace: &mut Keyspace, session: &mut Session) {
    session.transaction = None;
    unwatch_all(keyspace, session);
}

/// Queues a command; in a spoilt transaction it only looks so.
#[inline(never)]
pub(super) fn queue(
    session: &mut Session,
    command: &'static Command,
    args: Args,
    out: &mut Reply,
) -> Answer {
    if let Some(open) = &mut session.transaction
        && !open.poisoned
    {
        open.bytes += args.iter().map(|argument| WORD_BYTES + argument.len()).sum::<usize>();
        open.commands.push(Queued { command, args: args.to_owned(), key_hash: None });
    }
    out.simple("QUEUED");
    Ok(())
}

/// What the refusal of a command means for a transaction: it is spoilt; if the command is `EXEC`,
/// it is over. Returns the error to reply with.
#[cold]
pub(super) fn refused(
    keyspace: &mut Keyspace,
    session: &mut Session,
    args: Args,
    error: Error,
) -> Error {
    if args.at(0).eq_ignore_ascii_case(b"exec") {
        forget(keyspace, session);
        let reason = error.0.strip_prefix("ERR ").unwrap_or(&error.0);
        return Error::text(format!("EXECABORT Transaction discarded because of: {reason}"));
    }
    if let Some(open) = &mut session.transaction {
        open.poisoned = true;
    }
    error
}

impl Executor<'_> {
    /// `EXEC` in a transaction. It is a method because a handler sees one [`Call`], and this makes
    /// many.
    #[inline(never)]
    pub(super) fn exec(
        &mut self,
        session: &mut Session,
        command: &'static Command,
        args: Args,
        out: &mut Reply,
    ) -> Answer {
        let open = session.transaction.take().unwrap_or_default();
        self.observed(session, command, args, |executor, session| {
            executor.run_queue(session, open, out)
        })
    }

    fn run_queue(
        &mut self,
        session: &mut Session,
        mut open: Transaction,
        out: &mut Reply,
    ) -> Answer {
        if open.poisoned {
            unwatch_all(&mut self.keyspace, session);
            return Err(Error::new("EXECABORT Transaction discarded because of previous errors."));
        }
        let mut shards = shards_watched(&self.keyspace, session);
        for queued in &mut open.commands {
            shards |= self.shards_for(queued.command, queued.args.as_args(), &mut queued.key_hash);
        }
        self.keyspace.lock(shards);
        if !unwatch_all(&mut self.keyspace, session) {
            out.null_array();
            return Ok(());
        }
        out.array(open.commands.len());
        for Queued { command, args, key_hash } in &open.commands {
            // One of them may have been HELLO.
            out.protocol = session.protocol;
            let (args, mode) = (args.as_args(), Mode::Transaction);
            let answer = self.call(session, command, args, out, mode, *key_hash);
            answer.unwrap_or_else(|error| self.report(&error, out));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
