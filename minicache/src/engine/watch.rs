//! Keys under `WATCH`: each has a version that every change raises (`touchWatchedKey` in
//! `multi.c`).
//!
//! Redis keeps a list of clients per watched key and marks each of them when the key changes. A
//! version does the same without a write to another client: `WATCH` stores it in the session, and
//! `EXEC` compares.
//!
//! ```text
//! client 1: WATCH k    version of k: 0, stored in the session
//! client 2: SET k v    version of k: 1
//! client 1: EXEC       0 is not 1: no command runs, the reply is null
//! ```

use std::collections::HashMap;

#[derive(Default)]
pub struct Watched {
    keys: HashMap<(usize, Box<[u8]>), Versioned>,
}

struct Versioned {
    version: u64,
    watchers: usize,
}

impl Watched {
    /// Returns true if no key is watched, which is so for nearly every write.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds a watch to a key and returns the key's version.
    pub fn watch(&mut self, db: usize, key: &[u8]) -> u64 {
        let fresh = Versioned { version: 0, watchers: 0 };
        let entry = self.keys.entry((db, key.into())).or_insert(fresh);
        entry.watchers += 1;
        entry.version
    }

    /// Ends one watch and returns the key's version; `None` if the key is not watched.
    pub fn unwatch(&mut self, db: usize, key: &[u8]) -> Option<u64> {
        let place = (db, Box::from(key));
        let entry = self.keys.get_mut(&place)?;
        let version = entry.version;
        entry.watchers -= 1;
        if entry.watchers == 0 {
            self.keys.remove(&place);
        }
        Some(version)
    }

    /// Raises the version of a key, if it is watched.
    pub fn touch(&mut self, db: usize, key: &[u8]) {
        if let Some(entry) = self.keys.get_mut(&(db, Box::from(key))) {
            entry.version += 1;
        }
    }

    pub fn keys_of(&self, db: usize) -> Vec<Box<[u8]>> {
        self.keys.keys().filter(|place| place.0 == db).map(|place| place.1.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_lives_as_long_as_its_last_watcher() {
        let mut watched = Watched::default();
        assert_eq!((watched.watch(0, b"k"), watched.watch(0, b"k")), (0, 0));
        watched.touch(0, b"k");
        watched.touch(1, b"k");
        assert_eq!(watched.unwatch(0, b"k"), Some(1));
        assert_eq!(watched.watch(0, b"k"), 1);
        assert_eq!((watched.unwatch(0, b"k"), watched.unwatch(0, b"k")), (Some(1), Some(1)));
        assert!(watched.is_empty());
    }
}
