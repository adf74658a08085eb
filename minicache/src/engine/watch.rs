//! Keys under `WATCH`: each has the flags of the clients that watch it, and a change sets them
//! (`touchWatchedKey` in `multi.c`, and there `CLIENT_DIRTY_CAS`).
//!
//! ```text
//! client 1: WATCH k    k: the flag of client 1
//! client 2: SET k v    sets the flag
//! client 1: EXEC       the flag is set: no command runs, the reply is null
//! ```
//!
//! The flag is written under the lock of the key's shard, and `EXEC` reads it under the locks of
//! all that its client watches, so it sees every change that came before it. `CLIENT LIST` reads it
//! without.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once a key that a client watches has changed.
pub type Dirty = Arc<AtomicBool>;

#[derive(Default)]
pub struct Watched {
    keys: HashMap<(usize, Box<[u8]>), Vec<Dirty>>,
}

impl Watched {
    /// Returns true if no key is watched, which is so for nearly every write.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds a watch to a key.
    pub fn watch(&mut self, db: usize, key: &[u8], dirty: &Dirty) {
        self.keys.entry((db, key.into())).or_default().push(Arc::clone(dirty));
    }

    /// Ends one watch.
    pub fn unwatch(&mut self, db: usize, key: &[u8], dirty: &Dirty) {
        let place = (db, Box::from(key));
        let Some(watchers) = self.keys.get_mut(&place) else { return };
        watchers.retain(|watcher| !Arc::ptr_eq(watcher, dirty));
        if watchers.is_empty() {
            self.keys.remove(&place);
        }
    }

    /// Takes note that a key has changed.
    pub fn touch(&self, db: usize, key: &[u8]) {
        let watchers = self.keys.get(&(db, Box::from(key)));
        watchers.into_iter().flatten().for_each(|dirty| dirty.store(true, Ordering::Relaxed));
    }

    pub fn keys_of(&self, db: usize) -> Vec<Box<[u8]>> {
        self.keys.keys().filter(|place| place.0 == db).map(|place| place.1.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_to_those_that_watch() {
        let mut watched = Watched::default();
        let clients = [Dirty::default(), Dirty::default(), Dirty::default()];
        watched.watch(0, b"k", &clients[0]);
        watched.watch(0, b"k", &clients[1]);
        watched.watch(1, b"k", &clients[2]);
        watched.unwatch(0, b"k", &clients[1]);
        watched.touch(0, b"k");
        assert_eq!(clients.each_ref().map(|it| it.load(Ordering::Relaxed)), [true, false, false]);
        watched.unwatch(0, b"k", &clients[0]);
        watched.unwatch(1, b"k", &clients[2]);
        assert!(watched.is_empty());
    }
}
