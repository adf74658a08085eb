//! Where cached entries are: in this process, or in a server.
//!
//! A reader that misses asks for the **lease** of the key, loads the value, and fills the key if
//! its lease still holds. Removing the key voids the lease. That cures two evils of a plain `SET`
//! (Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013):
//!
//! ```text
//! A  GET k    -> nil                        A  lease k 17 -> granted
//! A  SELECT   -> old                        A  SELECT     -> old
//! B  UPDATE   new;  DEL k                   B  UPDATE new;  DEL k, k:lease
//! A  SET k old   stale until it expires     A  fill k 17  -> refused
//! ```
//!
//! And of several processes that miss, one gets the lease. With Redis a lease is a second key,
//! `SET k:lease 17 NX PX 3000`, and filling is a script that compares it: `examples/common` does
//! that, with any client that can send a command.

use crate::client::policy::{Cache, Sieve};
use minikit::sync::Mutex;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A place for entries. See the head of the file for what a lease is.
#[expect(
    async_fn_in_trait,
    reason = "callers know the store, so they know if its futures are Send"
)]
pub trait Store {
    /// The bytes of a key.
    async fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>>;

    /// Asks for the lease of a key, under a token. Returns false if another holds it, who loses it
    /// after `lease_ms`.
    async fn lease(&self, key: &[u8], token: u64, lease_ms: u64) -> io::Result<bool>;

    /// Ends a lease, and with `Some` bytes keeps them under the key for that many ms. Returns
    /// false, and keeps nothing, if the lease does not hold any more.
    async fn fill(&self, key: &[u8], token: u64, entry: Option<(&[u8], u64)>) -> io::Result<bool>;

    /// Ends the lease of a reader that was canceled or panicked, if that can be done without
    /// waiting. Otherwise others wait until it has expired.
    fn abandon(&self, _key: &[u8], _token: u64) {}

    /// Removes a key and voids its lease.
    async fn remove(&self, key: &[u8]) -> io::Result<()>;

    /// Waits between two looks at a key that another process loads. This one blocks the thread.
    async fn pause(&self) {
        std::thread::sleep(Duration::from_millis(5));
    }

    /// Milliseconds since 1970, for deadlines. Processes that share a store compare them.
    fn now_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
    }
}

/// A store in this process: a fixed number of keys under SIEVE.
pub struct Memory(Mutex<Cache<Vec<u8>, Slot, Sieve>>);

/// The entry of a key and its lease. If it is evicted the lease is void, which is safe.
#[derive(Default)]
struct Slot {
    bytes: Option<Vec<u8>>,
    token: u64,
    lease_end_ms: u64,
}

impl Memory {
    /// An empty store of at most so many keys.
    pub fn new(capacity: usize) -> Memory {
        Memory(Mutex::new(Cache::new(capacity, Sieve::default())))
    }
}

impl Store for Memory {
    async fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().get(&key.to_vec()).and_then(|slot| slot.bytes.clone()))
    }

    async fn lease(&self, key: &[u8], token: u64, lease_ms: u64) -> io::Result<bool> {
        let (key, now_ms, slots) = (key.to_vec(), self.now_ms(), &mut self.0.lock());
        if slots.get(&key).is_some_and(|slot| now_ms < slot.lease_end_ms) {
            return Ok(false);
        }
        let bytes = slots.get(&key).and_then(|slot| slot.bytes.take());
        let lease_end_ms = now_ms.saturating_add(lease_ms);
        slots.insert(key, Slot { bytes, token, lease_end_ms });
        Ok(true)
    }

    async fn fill(&self, key: &[u8], token: u64, entry: Option<(&[u8], u64)>) -> io::Result<bool> {
        let slots = &mut self.0.lock();
        let Some(slot) = slots.get(&key.to_vec()).filter(|slot| slot.token == token) else {
            return Ok(false);
        };
        let bytes = entry.map(|(bytes, _)| bytes.to_vec()).or_else(|| slot.bytes.take());
        *slot = Slot { bytes, ..Slot::default() };
        Ok(true)
    }

    fn abandon(&self, key: &[u8], token: u64) {
        let slots = &mut self.0.lock();
        if let Some(slot) = slots.peek(&key.to_vec()).filter(|slot| slot.token == token) {
            (slot.token, slot.lease_end_ms) = (0, 0);
        }
    }

    async fn remove(&self, key: &[u8]) -> io::Result<()> {
        self.0.lock().remove(&key.to_vec());
        Ok(())
    }
}
