//! Tells a session whether its copy of the catalog is current.
//!
//! Reading the heaps of the catalog for every statement would cost more than most statements. So
//! sessions keep a copy and compare a counter, [`Versions`]. The order matters:
//!
//! 1. A transaction that changed the catalog calls `begin_change`, commits, calls `end_change`.
//! 2. A session reads the counters first, then the heaps, and keeps the copy only if no change was
//!    in progress. After it has locked the table, it compares the counter again.
//!
//! If a change commits before the session has its lock, `begin_change` came before, so the second
//! comparison notices it. A later change waits for the lock. PostgreSQL invalidates single entries
//! of its caches (`inval.c`); a session here reads the whole catalog again.
//!
//! ```
//! use minibtree_versions::Versions;
//!
//! let versions = Versions::default();
//! let copied = versions.look();
//! assert!(versions.is_current(copied));
//! versions.begin_change();
//! assert!(!versions.is_current(copied) && versions.look().is_none());
//! versions.end_change();
//! assert!(versions.is_current(versions.look()));
//! ```

use minikit::sync::atomic::{AtomicU64, Ordering};

/// How many changes of the catalog have begun and ended, in all sessions.
#[derive(Debug, Default)]
pub struct Versions {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// The version of a session's copy. `None`: a change was on its way, so it is not known.
pub type Version = Option<u64>;

impl Versions {
    /// The version of what is read from now on.
    pub fn look(&self) -> Version {
        let ended = self.ended.load(Ordering::SeqCst);
        let begun = self.begun.load(Ordering::SeqCst);
        (ended == begun).then_some(begun)
    }

    /// Returns true if a copy of this version is current.
    pub fn is_current(&self, version: Version) -> bool {
        version == Some(self.begun.load(Ordering::SeqCst))
    }

    /// Before the commit of a change.
    pub fn begin_change(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// After the commit, or after it failed.
    pub fn end_change(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_copy_made_during_a_change_is_never_current() {
        let versions = Versions::default();
        let before = versions.look();
        assert!(versions.is_current(before));
        versions.begin_change();
        let during = versions.look();
        assert!(!versions.is_current(before) && !versions.is_current(during));
        versions.end_change();
        assert!(!versions.is_current(before) && !versions.is_current(during));
        assert!(versions.is_current(versions.look()));
    }
}
