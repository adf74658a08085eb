//! Two million keys in a store for one million: the memory does not grow.
//!
//! A separate test program, because it measures the memory of the whole process.
#![cfg(not(loom))]

use minigateway::engine::limiter::algorithm::Algorithm;
use minigateway::engine::limiter::gcra::Gcra;
use minigateway::engine::store::Store;
use minikit::harness::usage::resident_bytes;
use std::time::Duration;

const KEYS: u64 = 1_000_000;

/// Mixes the bits of a number, as the gateway's hash of a key does.
fn hash(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ mixed >> 32
}

#[test]
fn a_million_keys_take_32_megabytes_and_a_million_more_take_none() {
    let resident = || resident_bytes(std::process::id()).expect("Linux tells it");
    let before = resident();
    let algorithm = Gcra::new(1, Duration::from_secs(3600), 1).expect("no zero");
    let (algorithm, store) = (Algorithm::TokenBucket(algorithm), Store::new(KEYS as usize));
    let admitted = |from: u64| {
        let keys = from..from + KEYS;
        keys.filter(|it| store.decide(&algorithm, hash(*it), 0, 1).0.is_admitted()).count()
    };
    // Almost every key has its own bucket; the others share one.
    let first = admitted(0) as u64;
    assert_eq!(first, KEYS - store.overflowed() + u64::from(store.overflowed() > 0));
    assert!(store.overflowed() < KEYS / 1000, "{}", store.overflowed());
    let grown = resident() - before;
    assert!((32_000_000..34_000_000).contains(&grown), "{grown} bytes");

    // There are twice as many slots as keys, and no slot with a used bucket is evicted.
    let second = admitted(KEYS);
    assert!((KEYS as usize / 2..KEYS as usize).contains(&second), "{second}");
    assert_eq!(admitted(0), 0);
    let grown = resident() - before;
    assert!(grown < 34_000_000, "{grown} bytes");
}
