//! `limit_conn`: how many requests of a key run at the same time.
//!
//! # Example
//!
//! A limit of 2:
//!
//! ```text
//! acquire a     1     true
//! acquire a     2     true
//! acquire a     2     false
//! release a     1
//! acquire b     1     true      another key
//! ```
//!
//! A connection counts only while a request of it is processed; an idle one costs nothing.
//!
//! If there is no memory for another key, the request is refused: a limit that strangers can switch
//! off by filling it would be none.
//!
//! NGINX counterpart: `ngx_http_limit_conn_handler`.

use std::collections::HashMap;

/// What NGINX needs for the state of one key, on 64-bit machines.
const STATE_BYTES: u64 = 64;

/// Counters by key.
#[derive(Debug)]
pub struct CountZone {
    capacity: usize,
    counts: HashMap<Box<[u8]>, u32>,
}

impl CountZone {
    /// No requests, and as many keys as fit into so many bytes of NGINX's memory.
    pub fn new(bytes: u64) -> CountZone {
        let capacity = (bytes / STATE_BYTES).max(1) as usize;
        CountZone { capacity, counts: HashMap::new() }
    }

    /// Counts one more request. Returns false if the key has `limit` of them already, or if there
    /// is no memory for the key. What was counted must be [released](CountZone::release).
    pub fn acquire(&mut self, key: &[u8], limit: u32) -> bool {
        if let Some(count) = self.counts.get_mut(key) {
            let is_free = *count < limit;
            *count += u32::from(is_free);
            return is_free;
        }
        let is_free = limit > 0 && self.counts.len() < self.capacity;
        if is_free {
            self.counts.insert(key.into(), 1);
        }
        is_free
    }

    /// A request has ended.
    pub fn release(&mut self, key: &[u8]) {
        match self.counts.get_mut(key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.counts.remove(key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut zone = CountZone::new(1 << 20);
        assert!(zone.acquire(b"a", 2) && zone.acquire(b"a", 2));
        assert!(!zone.acquire(b"a", 2));
        zone.release(b"a");
        assert!(zone.acquire(b"b", 2));
        zone.release(b"a");
        zone.release(b"b");
        assert!(zone.counts.is_empty(), "keys without requests take no memory");
    }

    #[test]
    fn without_memory_new_keys_are_refused() {
        let mut zone = CountZone::new(STATE_BYTES);
        assert!(zone.acquire(b"a", 2));
        assert!(!zone.acquire(b"b", 2));
        assert!(zone.acquire(b"a", 2));
    }
}
