//! The optimal algorithm, which knows the future: evict the key whose next use is furthest away (L.
//! A. Belady, "A study of replacement algorithms for a virtual-storage computer", 1966).
//!
//! ```text
//! a b c a b       two keys fit
//! a b             c arrives: a is used in one request, b in two, so evict b
//! a c             a hits
//! ```
//!
//! No policy that must store every requested key misses less, so this is the upper bound of every
//! chart.

use std::collections::{BinaryHeap, HashMap};

/// Returns the smallest possible number of misses with a cache of `size` keys.
pub fn misses(trace: &[u64], size: usize) -> usize {
    let next_use = next_uses(trace);
    let (mut cached, mut latest_first) = (HashMap::new(), BinaryHeap::new());
    let mut misses = 0;
    for (key, next) in trace.iter().zip(next_use) {
        if !cached.contains_key(key) {
            misses += 1;
            while cached.len() >= size {
                // The heap has an item for each use of a key; only the newest one is valid.
                let Some((next, victim)) = latest_first.pop() else { break };
                if cached.get(&victim) == Some(&next) {
                    cached.remove(&victim);
                }
            }
        }
        cached.insert(*key, next);
        latest_first.push((next, *key));
    }
    misses
}

/// Returns for each request the position of the next request of the same key, or the length.
fn next_uses(trace: &[u64]) -> Vec<usize> {
    let (mut next, mut seen) = (vec![trace.len(); trace.len()], HashMap::new());
    for (at, key) in trace.iter().enumerate().rev() {
        if let Some(later) = seen.insert(*key, at) {
            next[at] = later;
        }
    }
    next
}
