//! Lazy free: a large value is moved out of its shard under the lock, and freed after that by a
//! thread of its own.
//!
//! ```text
//! UNLINK s      lock ─ remove the entry, move its Object out ─ unlock ─ (integer) 1
//!                                          └──> Worker: frees a million members
//! INFO memory   lazyfree_pending_objects:1, and 0 once it is done
//! ```
//!
//! Moving an object costs the same for ten million members as for one; freeing it costs about 40 ns
//! per member. Small values are freed at once, because handing one over costs a microsecond.
//!
//! No thread is started here. The server takes the [`Worker`] and runs it on a thread; without
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
    counters: Arc<Counters>,
    queue: OnceLock<Sender<Job>>,
}

#[derive(Default)]
struct Counters {
    pending: AtomicUsize,
    pending_bytes: AtomicUsize,
    freed: AtomicU64,
}

/// Something that is freed in one step.
struct Job {
    what: Box<dyn Send>,
    /// The number of values it consists of, for `INFO`.
    objects: usize,
    bytes: usize,
}

impl LazyFree {
    /// The receiving end, for a thread to [run](Worker::run). From now on large values wait for
    /// it. Returns `None` if it was taken before.
    pub fn worker(&self) -> Option<Worker> {
        let (queue, jobs) = channel();
        self.queue.set(queue).ok()?;
        Some(Worker { counters: Arc::clone(&self.counters), jobs })
    }

    /// Frees a value: on the worker if `lazily` and the value is large, else at once.
    pub fn object(&self, object: Object, lazily: bool) {
        if lazily && object.free_effort() > AT_ONCE_MAX {
            let bytes = object.heap_bytes();
            self.submit(Job { what: Box::new(object), objects: 1, bytes });
        }
    }

    /// Frees what a flush took out of a shard: on the worker if `lazily`, else at once.
    pub fn contents(&self, contents: Contents, lazily: bool) {
        if lazily && contents.keys() > 0 {
            let (objects, bytes) = (contents.keys(), contents.bytes());
            self.submit(Job { what: Box::new(contents), objects, bytes });
        }
    }

    pub fn pending(&self) -> usize {
        self.counters.pending.load(Ordering::Relaxed)
    }

    /// A lower bound on the bytes waiting to be freed: what the objects of a flush use is not
    /// counted.
    pub fn pending_bytes(&self) -> usize {
        self.counters.pending_bytes.load(Ordering::Relaxed)
    }

    pub fn freed(&self) -> u64 {
        self.counters.freed.load(Ordering::Relaxed)
    }

    pub fn reset(&self) {
        self.counters.freed.store(0, Ordering::Relaxed);
    }

    fn submit(&self, job: Job) {
        self.counters.pending.fetch_add(job.objects, Ordering::Relaxed);
        self.counters.pending_bytes.fetch_add(job.bytes, Ordering::Relaxed);
        match self.queue.get() {
            None => self.counters.free(job),
            Some(queue) => {
                // If the worker has ended, the channel returns the job.
                queue.send(job).unwrap_or_else(|SendError(job)| self.counters.free(job));
            }
        }
    }
}

impl Counters {
    fn free(&self, Job { what, objects, bytes }: Job) {
        drop(what);
        self.pending.fetch_sub(objects, Ordering::Relaxed);
        self.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.freed.fetch_add(objects as u64, Ordering::Relaxed);
    }
}

pub struct Worker {
    counters: Arc<Counters>,
    jobs: Receiver<Job>,
}

impl Worker {
    /// Frees one job after another until the cache is dropped.
    pub fn run(self) {
        self.jobs.iter().for_each(|job| self.counters.free(job));
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
    fn what_is_large_waits_for_the_worker() {
        let lazy_free = LazyFree::default();
        let worker = lazy_free.worker().expect("it was not taken before");
        assert!(lazy_free.worker().is_none(), "there is one");
        lazy_free.object(set_of(AT_ONCE_MAX), true);
        lazy_free.object(set_of(1000), false);
        assert_eq!((lazy_free.pending(), lazy_free.freed()), (0, 0), "small, and not wanted");
        lazy_free.object(set_of(AT_ONCE_MAX + 1), true);
        lazy_free.contents(contents_of(3), true);
        assert_eq!((lazy_free.pending(), lazy_free.freed()), (4, 0));
        assert!(lazy_free.pending_bytes() > 1000, "{}", lazy_free.pending_bytes());
        // The worker ends with the cache, when everything is done.
        let LazyFree { counters, queue } = lazy_free;
        drop(queue);
        worker.run();
        assert_eq!(counters.pending.load(Ordering::Relaxed), 0);
        assert_eq!(counters.pending_bytes.load(Ordering::Relaxed), 0);
        assert_eq!(counters.freed.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn without_a_worker_everything_is_freed_at_once() {
        let lazy_free = LazyFree::default();
        lazy_free.object(set_of(1000), true);
        assert_eq!((lazy_free.pending(), lazy_free.freed()), (0, 1));
        drop(lazy_free.worker());
        lazy_free.object(set_of(1000), true);
        assert_eq!((lazy_free.pending(), lazy_free.freed()), (0, 2), "it has gone");
        lazy_free.reset();
        assert_eq!(lazy_free.freed(), 0);
    }
}
