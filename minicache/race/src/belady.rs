//! The optimum, for an algorithm that knows the future: evict the key that is needed last (L. A.
//! Belady, "A study of replacement algorithms for a virtual-storage computer", 1966).
//!
//! ```text
//! a b c a b       two keys fit
//! a b             c arrives: a is needed in one request, b in two, so b goes
//! a c             a hits
//! ```
//!
//! No policy that must keep the requested key misses less. So this is the ceiling of every chart.

use std::collections::{BinaryHeap, HashMap};

/// The fewest misses possible with a cache of `size` keys.
pub fn misses(trace: &[u64], size: usize) -> usize {
    let next_use = next_uses(trace);
    let (mut cached, mut latest_first) = (HashMap::new(), BinaryHeap::new());
    let mut misses = 0;
    for (key, next) in trace.iter().zip(next_use) {
        if !cached.contains_key(key) {
            misses += 1;
            while cached.len() >= size {
                // A key is in the heap once for each of its uses; only the last one counts.
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

/// For each request the position of the next request of its key; the length if there is none.
fn next_uses(trace: &[u64]) -> Vec<usize> {
    let (mut next, mut seen) = (vec![trace.len(); trace.len()], HashMap::new());
    for (at, key) in trace.iter().enumerate().rev() {
        if let Some(later) = seen.insert(*key, at) {
            next[at] = later;
        }
    }
    next
}
