//! Reading and writing a database through a cache.
//!
//! ```
//! use minicache::cache::{Cache, Memory, Options};
//!
//! let cache = Cache::new(Memory::new(1_000), Options::default());
//! let ada = || Ok(Some(b"Ada".as_slice().into())); // asks the database
//! assert_eq!(cache.get_blocking(b"user:7", ada)?.as_deref(), Some(b"Ada".as_slice()));
//! let never = || unreachable!("it is cached");
//! assert_eq!(cache.get_blocking(b"user:7", never)?.as_deref(), Some(b"Ada".as_slice()));
//! # Ok::<(), std::sync::Arc<std::io::Error>>(())
//! ```
//!
//! * [`store`]: where entries are, in this process or in a server; what a lease is.
//! * [`entry`]: an entry as bytes, and its refresh before the deadline.
//! * [`flight`]: one load of a key at a time.
//!
//! # A read
//!
//! ```text
//! look in the store    found, not due   -> the value
//! join the flight      another leads    -> its result; the old value, if that still holds
//! take the lease       another process  -> look again, until the value or the lease is there
//! load, fill, land     refused          -> the key was invalidated meanwhile: others look again
//! ```
//!
//! **Which value may a reader get?** One that the database had at some time after the reader
//! asked, or had when it asked: a result is shared only if the lease held after all of its readers
//! had joined, and a lease ends with the invalidation. A writer changes the database first and
//! invalidates then; a reader in between gets the old value, as it would have a moment earlier.
//!
//! What is not here: refreshing in the background (one reader waits for an early load), and going
//! on without the store when it fails (that would be the stampede again; the caller gets the
//! error). Caffeine's `refreshAfterWrite` and Go's `groupcache` do other parts of this.

pub mod entry;
pub mod flight;
pub mod store;

pub use store::{Client, Memory, Remote, Store};

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
    /// Time to live of the knowledge that the backend has no value: negative caching.
    pub absent_ttl_ms: u64,
    /// Each time to live is shortened by up to this share of it, so that entries of the same
    /// moment do not expire at the same moment.
    pub jitter: f64,
    /// How eagerly entries are loaded early: 1 is the optimum of the paper, 0 is never.
    pub beta: f64,
    /// After how long another process may load a key, if the one that does is silent.
    pub lease_ms: u64,
    /// Of the random numbers. Processes that share a store need different ones.
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
            let now_ms = self.store.now_ms();
            let drawn = self.draw();
            if let Some(entry) = &seen
                && !entry.is_due(now_ms, self.options.beta, drawn)
            {
                return Ok(entry.value.clone());
            }

            let lead = match self.flights.join(key) {
                Ok(lead) => lead,
                Err(flight) => match (seen, flight.landed()) {
                    // It is being loaded early, and until the deadline what we have is good.
                    (Some(entry), _) => return Ok(entry.value),
                    (None, landed) => match landed.await {
                        Some(result) => return result,
                        None => continue,
                    },
                },
            };

            let token = self.random.lock().next_u64();
            while !self.store.lease(key, token, self.options.lease_ms).await? {
                let found = if seen.is_some() { seen.clone() } else { self.look(key).await? };
                if let Some(entry) = found {
                    return Ok(entry.value);
                }
                self.store.pause().await;
            }

            // Between our look and our lease, another reader may have filled the key.
            let deadline = |it: &Option<Entry>| it.as_ref().map(|it| it.expires_ms);
            let again = self.look(key).await?;
            if let Some(entry) = &again
                && deadline(&again) != deadline(&seen)
            {
                self.store.fill(key, token, None).await?;
                return Ok(entry.value.clone());
            }
            return self.load(key, token, lead, seen, load()).await;
        }
    }

    /// Loads a value and fills the key with it, as leader of its flight and holder of its lease.
    async fn load(
        &self,
        key: &[u8],
        token: u64,
        lead: flight::Lead<'_>,
        seen: Option<Entry>,
        load: impl Future<Output = io::Result<Value>>,
    ) -> Loaded {
        let started_ms = self.store.now_ms();
        let value = match load.await {
            Ok(value) => value,
            Err(error) => {
                // Others may try at once. If this was early, the old value is still good.
                let _ = self.store.fill(key, token, None).await;
                let failed = Err(Arc::new(error));
                lead.land(Some(failed.clone()));
                return seen.map_or(failed, |entry| Ok(entry.value));
            }
        };

        let now_ms = self.store.now_ms();
        let Options { ttl_ms, absent_ttl_ms, jitter, .. } = self.options;
        let ttl_ms = if value.is_some() { ttl_ms } else { absent_ttl_ms };
        let ttl_ms = (ttl_ms as f64 * (1.0 - jitter * self.draw())).max(1.0) as u64;
        let load_ms = u32::try_from(now_ms.saturating_sub(started_ms)).unwrap_or(u32::MAX);
        let entry = Entry { value: value.clone(), expires_ms: now_ms + ttl_ms, load_ms };

        // Readers that joined before this line began before the lease was found to hold. One that
        // came after it could have seen an invalidation between the fill and the landing.
        lead.close();
        let bytes = entry.encode();
        let filled = self.store.fill(key, token, Some((&bytes, ttl_ms))).await.unwrap_or(false);
        lead.land(filled.then(|| Ok(value.clone())));
        Ok(value)
    }

    /// [`Cache::get`] for a thread.
    pub fn get_blocking(&self, key: &[u8], load: impl FnOnce() -> io::Result<Value>) -> Loaded {
        block_on(self.get(key, || async { load() }))
    }

    /// Removes a key, after the backend has been changed. Loads in progress do not fill it.
    pub async fn invalidate(&self, key: &[u8]) -> io::Result<()> {
        self.store.remove(key).await?;
        self.flights.abandon(key);
        Ok(())
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
