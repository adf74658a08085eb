//! Where cached entries are: in this process, or in a server that speaks RESP.
//!
//! # Leases
//!
//! A store does not take a value from just anyone. A reader that misses asks for the lease of the
//! key, loads the value, and fills the key if its lease still holds. Removing the key voids the
//! lease. That cures two evils of a plain `SET` (Nishtala et al., "Scaling Memcache at Facebook",
//! NSDI 2013):
//!
//! ```text
//! A  GET k    -> nil                        A  lease k 17 -> granted
//! A  SELECT   -> old                        A  SELECT     -> old
//! B  UPDATE   new;  DEL k                   B  UPDATE new;  DEL k, k:lease
//! A  SET k old   stale until it expires     A  fill k 17  -> refused
//! ```
//!
//! And of several processes that miss, one gets the lease. With Redis a lease is a second key:
//! `SET k:lease 17 NX PX 3000`, and filling is a script that compares it.

use crate::client::policy::{Cache, Sieve};
use minikit::sync::Mutex;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A place for entries. See the head of the file for what a lease is.
pub trait Store: Send + Sync {
    /// The bytes of a key.
    fn get(&self, key: &[u8]) -> impl Future<Output = io::Result<Option<Vec<u8>>>> + Send;

    /// Asks for the lease of a key, under a token. Returns false if another holds it, who loses it
    /// after `lease_ms`.
    fn lease(
        &self,
        key: &[u8],
        token: u64,
        lease_ms: u64,
    ) -> impl Future<Output = io::Result<bool>> + Send;

    /// Ends a lease, and with `Some` bytes keeps them under the key for `ttl_ms`. Returns false,
    /// and keeps nothing, if the lease does not hold any more.
    fn fill(
        &self,
        key: &[u8],
        token: u64,
        entry: Option<(&[u8], u64)>,
    ) -> impl Future<Output = io::Result<bool>> + Send;

    /// Removes a key and voids its lease.
    fn remove(&self, key: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// Waits between two looks at a key that another process loads. This one blocks the thread.
    fn pause(&self) -> impl Future<Output = ()> + Send {
        async { std::thread::sleep(Duration::from_millis(5)) }
    }

    /// Milliseconds since 1970, for deadlines. Processes that share a store compare them.
    fn now_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
    }
}

/// A store in this process: a fixed number of keys under SIEVE.
pub struct Memory(Mutex<Inner>);

struct Inner {
    entries: Cache<Vec<u8>, Vec<u8>, Sieve>,
    /// Token and end of each lease. One that is evicted does not hold any more, which is safe.
    leases: Cache<Vec<u8>, (u64, u64), Sieve>,
}

impl Memory {
    /// An empty store of at most so many keys.
    pub fn new(capacity: usize) -> Memory {
        let (entries, leases) = (Sieve::default(), Sieve::default());
        Memory(Mutex::new(Inner {
            entries: Cache::new(capacity, entries),
            leases: Cache::new(capacity, leases),
        }))
    }
}

impl Store for Memory {
    async fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().entries.get(&key.to_vec()).cloned())
    }

    async fn lease(&self, key: &[u8], token: u64, lease_ms: u64) -> io::Result<bool> {
        let now = self.now_ms();
        let leases = &mut self.0.lock().leases;
        if leases.get(&key.to_vec()).is_some_and(|(_, end)| now < *end) {
            return Ok(false);
        }
        leases.insert(key.to_vec(), (token, now + lease_ms));
        Ok(true)
    }

    async fn fill(&self, key: &[u8], token: u64, entry: Option<(&[u8], u64)>) -> io::Result<bool> {
        let inner = &mut self.0.lock();
        let holds = inner.leases.get(&key.to_vec()).is_some_and(|(held, _)| *held == token);
        if holds {
            inner.leases.remove(&key.to_vec());
            // The deadline is in the bytes.
            entry.map(|(bytes, _)| inner.entries.insert(key.to_vec(), bytes.to_vec()));
        }
        Ok(holds)
    }

    async fn remove(&self, key: &[u8]) -> io::Result<()> {
        let inner = &mut self.0.lock();
        inner.entries.remove(&key.to_vec());
        inner.leases.remove(&key.to_vec());
        Ok(())
    }
}

/// A client of a server that speaks RESP: anything that can send a command.
pub trait Client: Send + Sync {
    /// Sends a command. Returns the reply's bytes, of an integer its digits, and of null `None`.
    fn call(&self, command: &[&[u8]]) -> impl Future<Output = io::Result<Option<Vec<u8>>>> + Send;
}

/// A store in a server, minicache or Redis.
pub struct Remote<C>(pub C);

/// Fills a key (`KEYS[1]`) if the lease (`KEYS[2]`) has the token.
const FILL: &str = "if redis.call('get', KEYS[2]) ~= ARGV[1] then return false end \
    redis.call('del', KEYS[2]) \
    if ARGV[2] then redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3]) end return 1";

fn lease_of(key: &[u8]) -> Vec<u8> {
    [key, b":lease"].concat()
}

impl<C: Client> Store for Remote<C> {
    async fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.0.call(&[b"GET", key]).await
    }

    async fn lease(&self, key: &[u8], token: u64, lease_ms: u64) -> io::Result<bool> {
        let (token, ms) = (token.to_string(), lease_ms.to_string());
        let lease = lease_of(key);
        let set: [&[u8]; 6] = [b"SET", &lease, token.as_bytes(), b"NX", b"PX", ms.as_bytes()];
        Ok(self.0.call(&set).await?.is_some())
    }

    async fn fill(&self, key: &[u8], token: u64, entry: Option<(&[u8], u64)>) -> io::Result<bool> {
        let (token, lease) = (token.to_string(), lease_of(key));
        let ttl = entry.map(|(_, ttl_ms)| ttl_ms.to_string()).unwrap_or_default();
        let mut command = vec![b"EVAL", FILL.as_bytes(), b"2", key, &lease, token.as_bytes()];
        if let Some((bytes, _)) = entry {
            command.extend([bytes, ttl.as_bytes()]);
        }
        Ok(self.0.call(&command).await?.is_some())
    }

    async fn remove(&self, key: &[u8]) -> io::Result<()> {
        self.0.call(&[b"DEL", key, &lease_of(key)]).await.map(|_| ())
    }
}
