//! Freeing later: what is large is taken out of its shard whole, under the lock, and freed behind
//! it, by a thread that has nothing else to do.
//!
//! ```text
//! UNLINK s      lock ─ entry goes, its Object is moved out ─ unlock ─ (integer) 1
//!                                          └──> Sweeper: frees a million members
//! INFO memory   lazyfree_pending_objects:1, and 0 once it is done
//! ```
//!
//! Moving an object out costs as much for ten million members as for one; freeing it costs some
//! 40 ns a member. What is small is freed where it is: handing over costs a microsecond itself.
//!
//! There is no thread here. Whoever runs the cache takes the [`Sweeper`] and gives it one; where
//! nobody has, as in tests, everything is freed at once. The counterparts in Redis are `lazyfree.c`
//! and `bio.c`.

use super::object::Object;
use super::store::remains::Remains;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::sync::{Arc, OnceLock};

/// An object of at most so many pieces is freed at once (`LAZYFREE_THRESHOLD`).
const AT_ONCE_MAX: usize = 64;

/// What waits to be freed; see the head of the file.
#[derive(Default)]
pub struct LazyFree {
    ledger: Arc<Ledger>,
    later: OnceLock<Sender<Load>>,
}

#[derive(Default)]
struct Ledger {
    pending: AtomicUsize,
    pending_bytes: AtomicUsize,
    freed: AtomicU64,
}

/// Something to be freed as one.
struct Load {
    what: Box<dyn Send>,
    /// How many values it counts as.
    objects: usize,
    bytes: usize,
}

impl LazyFree {
    /// The other end, for a thread to [run](Sweeper::run). From now on large things wait for it.
    /// `None` where somebody has it already.
    pub fn sweeper(&self) -> Option<Sweeper> {
        let (later, loads) = channel();
        self.later.set(later).ok()?;
        Some(Sweeper { ledger: Arc::clone(&self.ledger), loads })
    }

    /// Frees a value: later, where the caller wants it so and it is large.
    pub fn object(&self, object: Object, lazily: bool) {
        if lazily && object.pieces() > AT_ONCE_MAX {
            let bytes = object.heap_bytes();
            self.leave(Load { what: Box::new(object), objects: 1, bytes });
        }
    }

    /// Frees what was taken out of a shard: later, where the caller wants it so.
    pub fn remains(&self, remains: Remains, lazily: bool) {
        if lazily && remains.keys > 0 {
            let (objects, bytes) = (remains.keys, remains.bytes());
            self.leave(Load { what: Box::new(remains), objects, bytes });
        }
    }

    /// Values that wait to be freed.
    pub fn pending(&self) -> usize {
        self.ledger.pending.load(Ordering::Relaxed)
    }

    /// Bytes that will be free once everything that waits is; at least, for the values of a flush
    /// are not looked at.
    pub fn pending_bytes(&self) -> usize {
        self.ledger.pending_bytes.load(Ordering::Relaxed)
    }

    /// Values that were left to be freed later, and are.
    pub fn freed(&self) -> u64 {
        self.ledger.freed.load(Ordering::Relaxed)
    }

    /// Begins to count [`freed`](Self::freed) anew.
    pub fn reset(&self) {
        self.ledger.freed.store(0, Ordering::Relaxed);
    }

    fn leave(&self, load: Load) {
        self.ledger.pending.fetch_add(load.objects, Ordering::Relaxed);
        self.ledger.pending_bytes.fetch_add(load.bytes, Ordering::Relaxed);
        match self.later.get() {
            None => self.ledger.free(load),
            Some(later) => {
                // A sweeper that has gone hands the load back.
                later.send(load).unwrap_or_else(|SendError(load)| self.ledger.free(load));
            }
        }
    }
}

impl Ledger {
    fn free(&self, Load { what, objects, bytes }: Load) {
        drop(what);
        self.pending.fetch_sub(objects, Ordering::Relaxed);
        self.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.freed.fetch_add(objects as u64, Ordering::Relaxed);
    }
}

/// The end that frees.
pub struct Sweeper {
    ledger: Arc<Ledger>,
    loads: Receiver<Load>,
}

impl Sweeper {
    /// Frees what comes, one thing after the other, for as long as the cache is there.
    pub fn run(self) {
        self.loads.iter().for_each(|load| self.ledger.free(load));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::values::Limits;
    use crate::engine::values::set::Set;

    fn set_of(members: usize) -> Object {
        let mut set = Set::new();
        for member in 0..members {
            set.add(format!("member{member}").as_bytes(), &Limits::default());
        }
        Object::Set(set)
    }

    #[test]
    fn what_is_large_waits_for_the_sweeper() {
        let lazy_free = LazyFree::default();
        let sweeper = lazy_free.sweeper().expect("nobody has it yet");
        assert!(lazy_free.sweeper().is_none(), "there is one");
        lazy_free.object(set_of(AT_ONCE_MAX), true);
        lazy_free.object(set_of(1000), false);
        assert_eq!((lazy_free.pending(), lazy_free.freed()), (0, 0), "small, and not wanted");
        lazy_free.object(set_of(AT_ONCE_MAX + 1), true);
        let mut remains = Remains::default();
        remains.keys = 3;
        lazy_free.remains(remains, true);
        assert_eq!((lazy_free.pending(), lazy_free.freed()), (4, 0));
        assert!(lazy_free.pending_bytes() > 1000, "{}", lazy_free.pending_bytes());
        // The sweeper ends with the cache, when everything is done.
        let LazyFree { ledger, later } = lazy_free;
        drop(later);
        sweeper.run();
        assert_eq!(ledger.pending.load(Ordering::Relaxed), 0);
        assert_eq!(ledger.pending_bytes.load(Ordering::Relaxed), 0);
        assert_eq!(ledger.freed.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn without_a_sweeper_everything_is_freed_at_once() {
        let lazy_free = LazyFree::default();
        lazy_free.object(set_of(1000), true);
        assert_eq!((lazy_free.pending(), lazy_free.freed()), (0, 1));
        drop(lazy_free.sweeper());
        lazy_free.object(set_of(1000), true);
        assert_eq!((lazy_free.pending(), lazy_free.freed()), (0, 2), "it has gone");
        lazy_free.reset();
        assert_eq!(lazy_free.freed(), 0);
    }
}
