//! Readers that fail, that give up, and that ask after an invalidation of a key or of a tag.

use super::*;
use std::cell::Cell;
use std::future::pending;
use std::task::Waker;

fn cache(lease_ms: u64) -> Cache<Memory> {
    let options = Options { beta: 0.0, jitter: 0.0, lease_ms, ..Options::default() };
    Cache::new(Memory::new(8), options)
}

fn value(text: &str) -> io::Result<Value> {
    Ok(Some(text.as_bytes().into()))
}

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_canceled_leader_is_replaced() {
    let cache = cache(u64::MAX);
    let mut leader = Box::pin(cache.get(b"k", pending));
    let mut waiting = pin!(cache.get(b"k", || async { value("new") }));
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll(waiting.as_mut()).is_pending());
    drop(leader);
    let free = block_on(cache.store.lease(b"k", 7, 0)).expect("memory does not fail");
    assert!(free, "the lease ended with the leader");
    let Poll::Ready(Ok(found)) = poll(waiting) else { panic!("it leads now") };
    assert_eq!(found.as_deref(), Some(b"new".as_slice()));
}

#[test]
fn readers_of_a_flight_share_its_error_and_the_next_one_tries_again() {
    let cache = cache(3_000);
    let fails = Cell::new(false);
    let fail = || async {
        let failed = std::future::poll_fn(|_| match fails.get() {
            true => Poll::Ready(Err(io::Error::other("no database"))),
            false => Poll::Pending,
        });
        failed.await
    };
    let mut leader = pin!(cache.get(b"k", fail));
    let mut waiting = pin!(cache.get(b"k", || async { unreachable!("it follows") }));
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll(waiting.as_mut()).is_pending());
    fails.set(true);
    for reader in [poll(leader), poll(waiting)] {
        let Poll::Ready(Err(error)) = reader else { panic!("it has landed") };
        assert_eq!(error.to_string(), "no database");
    }
    assert!(cache.get_blocking(b"k", || value("v")).is_ok(), "the lease was given back");
}

#[test]
fn an_early_load_that_fails_late_is_no_reason_for_an_expired_value() {
    let options = Options { beta: 1e9, jitter: 0.0, ttl_ms: 30, ..Options::default() };
    let cache = Cache::new(Memory::new(8), options);
    let slow = |result: io::Result<Value>, ms| {
        std::thread::sleep(std::time::Duration::from_millis(ms));
        result
    };
    cache.get_blocking(b"k", || slow(value("old"), 2)).expect("it is loaded");
    let failed = || Err(io::Error::other("no database"));
    assert!(cache.get_blocking(b"k", || slow(failed(), 60)).is_err());

    let forever = Options { ttl_ms: u64::MAX, jitter: 0.0, ..Options::default() };
    let cache = Cache::new(Memory::new(8), forever);
    cache.get_blocking(b"k", || value("v")).expect("it is loaded");
    assert!(cache.get_blocking(b"k", || unreachable!("it never expires")).is_ok());
}

#[test]
fn an_absent_value_is_cached_too() {
    let cache = cache(3_000);
    assert_eq!(cache.get_blocking(b"k", || Ok(None)).expect("memory does not fail"), None);
    let never = || unreachable!("it is known that there is none");
    assert_eq!(cache.get_blocking(b"k", never).expect("memory does not fail"), None);
}

#[test]
fn an_invalidated_key_is_not_filled_and_later_readers_load_it_themselves() {
    let cache = cache(3_000);
    let done = Cell::new(false);
    let wait = || async {
        std::future::poll_fn(|_| if done.get() { Poll::Ready(()) } else { Poll::Pending }).await;
        value("old")
    };
    let mut early = pin!(cache.get(b"k", wait));
    assert!(poll(early.as_mut()).is_pending());
    block_on(cache.invalidate(b"k")).expect("memory does not fail");
    let late = cache.get_blocking(b"k", || value("new")).expect("memory does not fail");
    assert_eq!(late.as_deref(), Some(b"new".as_slice()));
    done.set(true);
    assert!(poll(early).is_ready());
    let found = cache.get_blocking(b"k", || unreachable!("it is cached"));
    assert_eq!(found.expect("memory does not fail").as_deref(), Some(b"new".as_slice()));
}

/// Pattern "by tag, a token in the key" of `examples/races`, with a reader that is late.
#[test]
fn a_tag_invalidates_its_keys_and_no_others() {
    let cache = cache(3_000);
    let tagged = |tag: &str, key: &str| {
        block_on(cache.tagged(tag.as_bytes(), key.as_bytes())).expect("memory does not fail")
    };
    let read = |name: &[u8], row: &str| {
        let found = cache.get_blocking(name, || value(row)).expect("memory does not fail");
        String::from_utf8_lossy(&found.unwrap_or_default()).into_owned()
    };
    for (tag, key) in [("users", "1"), ("orders", "1")] {
        assert_eq!(read(&tagged(tag, key), "old"), "old");
    }
    let late = tagged("users", "2");

    block_on(cache.invalidate(b"users")).expect("memory does not fail");
    assert_eq!(read(&late, "old"), "old", "it had asked before");
    for key in ["1", "2"] {
        assert_eq!(read(&tagged("users", key), "new"), "new", "{key}");
    }
    assert_eq!(read(&tagged("orders", "1"), "new"), "old", "another tag");
}
