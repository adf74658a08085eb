//! Reads through a cache, in every order of two readers, a writer and its invalidation.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minicache --test loom_flight`
#![cfg(loom)]

use loom::sync::atomic::{AtomicU8, Ordering};
use loom::thread;
use minicache::cache::{Cache, Memory, Options, Store};
use std::io;
use std::sync::Arc;

/// A store in memory, whose pause lets another thread run.
struct Yielding(Memory);

impl Store for Yielding {
    async fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.0.get(key).await
    }

    async fn lease(&self, key: &[u8], token: u64, lease_ms: u64) -> io::Result<bool> {
        self.0.lease(key, token, lease_ms).await
    }

    async fn fill(&self, key: &[u8], token: u64, entry: Option<(&[u8], u64)>) -> io::Result<bool> {
        self.0.fill(key, token, entry).await
    }

    async fn remove(&self, key: &[u8]) -> io::Result<()> {
        self.0.remove(key).await
    }

    async fn pause(&self) {
        thread::yield_now();
    }
}

/// A row of a database, and a cache in front of it.
struct World {
    row: AtomicU8,
    loads: AtomicU8,
    cache: Cache<Yielding>,
}

impl World {
    fn new() -> Arc<World> {
        let options = Options { beta: 0.0, lease_ms: 1 << 40, seed: 1, ..Options::default() };
        let cache = Cache::new(Yielding(Memory::new(4)), options);
        Arc::new(World { row: AtomicU8::new(1), loads: AtomicU8::new(0), cache })
    }

    fn read(&self) -> u8 {
        let load = || {
            self.loads.fetch_add(1, Ordering::SeqCst);
            Ok(Some([self.row.load(Ordering::SeqCst)].as_slice().into()))
        };
        self.cache.get_blocking(b"k", load).expect("memory does not fail").expect("a row")[0]
    }

    fn write(&self, value: u8) {
        self.row.store(value, Ordering::SeqCst);
        minicache::cache::block_on(self.cache.invalidate(b"k")).expect("memory does not fail");
    }
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Two readers of one key: one load, and both have the value.
#[test]
fn two_readers_share_a_load() {
    check(|| {
        let world = World::new();
        let other = Arc::clone(&world);
        let there = thread::spawn(move || other.read());
        assert_eq!(world.read(), 1);
        assert_eq!(there.join().expect("the other reader does not panic"), 1);
        assert_eq!(world.loads.load(Ordering::SeqCst), 1);
    });
}

/// A reader that asks after an invalidation never gets what was there before it, although another
/// reader has loaded that and is about to fill the key or to land its flight.
#[test]
fn no_stale_value_after_an_invalidation() {
    check(|| {
        let world = World::new();
        let other = Arc::clone(&world);
        let there = thread::spawn(move || other.read());
        world.write(2);
        assert_eq!(world.read(), 2);
        assert!([1, 2].contains(&there.join().expect("the other reader does not panic")));
        assert_eq!(world.read(), 2, "and nothing stale was left behind");
    });
}
