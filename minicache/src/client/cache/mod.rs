//! Reading a database through a cache.
//!
//! ```
//! use minicache::cache::{Cache, Memory, Options};
//!
//! let cache = Cache::new(Memory::new(1_000), Options::default());
//! let ada = || Ok(Some(b"Ada".as_slice().into())); // asks the database
//! assert_eq!(cache.get_blocking(b"user:7", ada)?.as_deref(), Some(&b"Ada"[..]));
//! let never = || unreachable!("it is cached");
//! assert_eq!(cache.get_blocking(b"user:7", never)?.as_deref(), Some(&b"Ada"[..]));
//! # Ok::<(), std::sync::Arc<std::io::Error>>(())
//! ```
//!
//! A read, by way of the [`store`] (in this process or in a server), its [`entry`] and the
//! [`flight`] of its key:
//!
//! ```text
//! look in the store    found, not due   -> the value
//! join the flight      another leads    -> its result; the old value, if that is still good
//! take the lease       another process  -> look again, until the value or the lease is there
//! load, fill, land     refused          -> the key was invalidated meanwhile: others look again
//! ```
//!
//! **Which value may a reader get?** One that the database had when it asked, or later. A result
//! is shared only if the lease held after all of its readers had joined, and a lease ends with the
//! invalidation. A writer changes the database first and invalidates then.
//!
//! What is not here: refreshing in the background (one reader waits for an early load), and going
//! on without a store that fails (the caller gets the error: the stampede is its decision).
//! Caffeine's `refreshAfterWrite` and Go's `groupcache` do other parts of this.

pub mod entry;
pub mod flight;
pub mod store;

pub use store::{Memory, Store};

use crate::engine::rng::Rng;
use entry::Entry;
use flight::Flights;
use minikit::sync::{Mutex, thread};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};

/// A value, or `None` if the backend has none for this key.
pub type Value = Option<Arc<[u8]>>;

/// The result of a load, as all of its readers get it.
pub type Loaded = Result<Value, Arc<io::Error>>;

/// How long entries live, and when they are loaded early.
#[derive(Clone, Debug)]
pub struct Options {
    /// Time to live of a value.
    pub ttl_ms: u64,
    /// Time to live of an absent value: negative caching.
    pub absent_ttl_ms: u64,
    /// The share of its time to live that an entry may lose, so that not all expire at once.
    pub jitter: f64,
    /// How eagerly entries are loaded early: 1 is the optimum of the paper, 0 is never.
    pub beta: f64,
    /// How long a process may load a key before another one does.
    pub lease_ms: u64,
    /// Of the random numbers. Processes that share a store need different ones at each start.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        let seed = ahash::RandomState::new().hash_one(0);
        let (ttl_ms, absent_ttl_ms, lease_ms) = (60_000, 5_000, 3_000);
        Options { ttl_ms, absent_ttl_ms, jitter: 0.1, beta: 1.0, lease_ms, seed }
    }
}

/// A cache in front of a backend; see the head of the file.
pub struct Cache<S> {
    store: S,
    options: Options,
    flights: Flights,
    random: Mutex<Rng>,
}

impl<S: Store> Cache<S> {
    /// A cache whose entries are in `store`.
    pub fn new(store: S, options: Options) -> Cache<S> {
        let random = Mutex::new(Rng::new(options.seed));
        Cache { store, options, flights: Flights::default(), random }
    }

    /// The value of a key, from the store or from `load`, which asks the backend.
    ///
    /// # Errors
    /// Those of the store, and those of `load`, which every reader of the same flight gets.
    pub async fn get<F>(&self, key: &[u8], load: impl FnOnce() -> F) -> Loaded
    where
        F: Future<Output = io::Result<Value>>,
    {
        loop {
            let seen = self.look(key).await?;
            let is_due =
                |it: &Entry| it.is_due(self.store.now_ms(), self.options.beta, self.draw());
            if let Some(entry) = seen.as_ref().filter(|it| !is_due(it)) {
                return Ok(entry.value.clone());
            }

            let lead = match (self.flights.join(key), &seen) {
                (Ok(lead), _) => lead,
                // It is being loaded early, and until the deadline what we have is good.
                (Err(_), Some(entry)) => return Ok(entry.value.clone()),
                (Err(flight), None) => match flight.landed().await {
                    Some(result) => return result,
                    None => continue,
                },
            };

            let token = self.random.lock().next_u64();
            while !self.store.lease(key, token, self.options.lease_ms).await? {
                if let Some(entry) = seen.clone().or(self.look(key).await?) {
                    return Ok(entry.value);
                }
                self.store.pause().await;
            }

            let _held = Held(&self.store, key, token);

            // Before we had the lease, another reader may have filled the key.
            let again = self.look(key).await?;
            if again.is_some() && again != seen {
                self.store.fill(key, token, None).await?;
                return Ok(again.and_then(|entry| entry.value));
            }
            let started_ms = self.store.now_ms();
            let loaded = load().await.map_err(Arc::new);
            let Ok(value) = &loaded else {
                // Others may try at once. If this was early, the old value may still be good.
                let _ = self.store.fill(key, token, None).await;
                lead.land(Some(loaded.clone()));
                let is_good = |it: &Entry| self.store.now_ms() < it.expires_ms;
                return seen.filter(is_good).map_or(loaded, |entry| Ok(entry.value));
            };

            let (now_ms, options) = (self.store.now_ms(), &self.options);
            let ttl_ms = if value.is_some() { options.ttl_ms } else { options.absent_ttl_ms };
            let ttl_ms = (ttl_ms as f64 * (1.0 - options.jitter * self.draw())).max(1.0) as u64;
            let load_ms = now_ms.saturating_sub(started_ms) as u32;
            let expires_ms = now_ms.saturating_add(ttl_ms);
            let entry = Entry { value: value.clone(), expires_ms, load_ms };

            // Readers that joined before this line began before the lease was found to hold. One
            // that comes after it may have seen an invalidation after the fill.
            self.flights.close(key, Some(&lead.flight));
            let fill = self.store.fill(key, token, Some((&entry.encode(), ttl_ms))).await;
            lead.land(fill.unwrap_or(false).then(|| loaded.clone()));
            return loaded;
        }
    }

    /// [`Cache::get`] for a thread. A task of an async runtime must not call it: it would block
    /// the thread that the load it waits for may need.
    pub fn get_blocking(&self, key: &[u8], load: impl FnOnce() -> io::Result<Value>) -> Loaded {
        block_on(self.get(key, || async { load() }))
    }

    /// Removes a key, after the backend has been changed. Loads in progress do not fill it.
    pub async fn invalidate(&self, key: &[u8]) -> io::Result<()> {
        self.store.remove(key).await?;
        self.flights.close(key, None);
        Ok(())
    }

    /// The name of a key in a group of keys: it begins with the token of the tag, a random number
    /// that the store keeps. [`Cache::invalidate`] of the tag ends the token, and nobody looks for
    /// the old names any more: their entries expire or are evicted. A reader that has loaded an
    /// old row has the old name, so it cannot fill the new one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tagged(&self, tag: &[u8], key: &[u8]) -> Result<Vec<u8>, Arc<io::Error>> {
        let token = self.random.lock().next_u64().to_be_bytes();
        let token = self.get(tag, || async { Ok(Some(token.as_slice().into())) }).await?;
        Ok([token.as_deref().unwrap_or_default(), key].concat())
    }

    /// The entry of a key, unless its deadline is over.
    async fn look(&self, key: &[u8]) -> io::Result<Option<Entry>> {
        let entry = self.store.get(key).await?.and_then(|bytes| Entry::decode(&bytes));
        Ok(entry.filter(|it| self.store.now_ms() < it.expires_ms))
    }

    /// A number in (0, 1].
    fn draw(&self) -> f64 {
        ((self.random.lock().next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

/// A lease, which ends with the future that holds it, even if that is dropped.
struct Held<'a, S: Store>(&'a S, &'a [u8], u64);

impl<S: Store> Drop for Held<'_, S> {
    fn drop(&mut self) {
        self.0.abandon(self.1, self.2);
    }
}

/// Waits for a future on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
