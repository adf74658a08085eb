//! Lazy free: a large value is moved out of its shard under the lock, and freed after that by a
//! thread of its own.
//!
//! ```text
//! UNLINK s      lock ─ remove the entry, move its Object out ─ unlock ─ (integer) 1
//!                                          └──> Sweeper: frees a million members
//! INFO memory   lazyfree_pending_objects:1, and 0 once it is done
//! ```
//!
//! Moving an object costs the same for ten million members as for one; freeing it costs about 40 ns
//! per member. Small values are freed at once, because handing one over costs a microsecond.
//!
//! No thread is started here. The server takes the [`Sweeper`] and runs it on a thread; without
//! one, as in tests, everything is freed at once. The counterparts in Redis are `lazyfree.c` and
//! `bio.c`.

use super::{object::Object, store::contents::Contents};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::sync::{Arc, OnceLock};

/// An object of at most this many allocations is freed at once (`LAZYFREE_THRESHOLD`).
const AT_ONCE_MAX: usize = 64;

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

/// Something that is freed in one step.
struct Load {
    what: Box<dyn Send>,
    /// The number of values it consists of, for `INFO`.
    objects: usize,
    bytes: usize,
}

impl LazyFree {
    /// The receiving end, for a thread to [run](Sweeper::run). From now on large values wait for
    /// it. Returns `None` if it was taken before.
    pub fn sweeper(&self) -> Option<Sweeper> {
        let (later, loads) = channel();
        self.later.set(later).ok()?;
        Some(Sweeper { ledger: Arc::clone(&self.ledger), loads })
    }

    /// Frees a value: on the sweeper's thread if `lazily` and the value is large, else at once.
    pub fn object(&self, object: Object, lazily: bool) {
        if lazily && object.pieces() > AT_ONCE_MAX {
            let bytes = object.heap_bytes();
            self.leave(Load { what: Box::new(object), objects: 1, bytes });
        }
    }

    /// Frees what a flush took out of a shard: on the sweeper's thread if `lazily`, else at once.
    pub fn contents(&self, contents: Contents, lazily: bool) {
        if lazily && contents.keys() > 0 {
            let (objects, bytes) = (contents.keys(), contents.bytes());
            self.leave(Load { what: Box::new(contents), objects, bytes });
        }
    }

    pub fn pending(&self) -> usize {
        self.ledger.pending.load(Ordering::Relaxed)
    }

    /// A lower bound on the bytes waiting to be freed: what the objects of a flush use is not
    /// counted.
    pub fn pending_bytes(&self) -> usize {
        self.ledger.pending_bytes.load(Ordering::Relaxed)
    }

    pub fn freed(&self) -> u64 {
        self.ledger.freed.load(Ordering::Relaxed)
    }

    pub fn reset(&self) {
        self.ledger.freed.store(0, Ordering::Relaxed);
    }

    fn leave(&self, load: Load) {
        self.ledger.pending.fetch_add(load.objects, Ordering::Relaxed);
        self.ledger.pending_bytes.fetch_add(load.bytes, Ordering::Relaxed);
        match self.later.get() {
            None => self.ledger.free(load),
            Some(later) => {
                // If the sweeper has ended, the channel returns the load.
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

pub struct Sweeper {
    ledger: Arc<Ledger>,
    loads: Receiver<Load>,
}

impl Sweeper {
    /// Frees one load after another until the cache is dropped.
    pub fn run(self) {
        self.loads.iter().for_each(|load| self.ledger.free(load));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hashing::hash_key;
    use crate::engine::store::shard::{Lifetime, NewValue, Shard};
    use crate::engine::values::Limits;
    use crate::engine::values::set::Set;

    fn set_of(members: usize) -> Object {
        let mut set = Set::default();
        for member in 0..members {
            set.add(format!("member{member}").as_bytes(), &Limits::default());
        }
        Object::Set(set)
    }

    fn contents_of(keys: u8) -> Contents {
        let hasher = ahash::RandomState::with_seed(1);
        let mut shard = Shard::new(1, hasher.clone(), 1);
        for key in 0..keys {
            let life = Lifetime { deadline: None, now_ms: 0 };
            let hash = hash_key(&hasher, &[key]);
            shard.insert(0, &[key], hash, NewValue::Int(1), life, 0);
        }
        shard.clear_all()
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
        lazy_free.contents(contents_of(3), true);
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
