//! Transactions: `MULTI`, `EXEC`, `DISCARD`, `WATCH` (`multi.c`).
//!
//! Between `MULTI` and `EXEC` commands are only queued. `EXEC` locks the shards of all of them at once, checks that the watched
//! keys are as they were, and runs the queue; nobody sees a state in between.

use super::Call;
use crate::engine::access::Access;
use crate::engine::error::{Answer, Error};
use crate::engine::session::Session;

/// Ends all watches of a session; whether every watched key is still as it was.
pub fn unwatch_all(store: &mut Access, session: &mut Session) -> bool {
    let keys = session.watched.iter().map(|watched| &*watched.key);
    let shards = store.shards_of(keys);
    store.lock(shards);
    let watched = std::mem::take(&mut session.watched);
    watched.iter().fold(true, |same, key| store.unwatch(key.db, &key.key, key.version) && same)
}

/// Stand-in.
pub fn discard(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn exec(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn multi(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn unwatch(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}

/// Stand-in.
pub fn watch(_: &mut Call) -> Answer {
    Err(Error::new("ERR not written yet"))
}
