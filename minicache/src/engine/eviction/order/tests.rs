//! Helpers for the drawings in the heads of the orders, and what holds for every order.

use super::naive::Naive;
use super::*;
use crate::commands::advise::cache::{Cache, Slots};
use crate::engine::rng::Rng;
use std::collections::HashSet;

mod models;

/// Requests keys of one letter, each in turn.
pub(super) fn play<O: Order<Slots<char, ()>>>(
    order: O,
    capacity: usize,
    keys: &str,
) -> Cache<char, (), O> {
    let mut cache = Cache::new(capacity, order);
    keys.chars().for_each(|key| assert_eq!(cache.request(key), None, "it fits"));
    cache
}

/// The keys of a list, the newest first, each with a mark for its bits.
pub(super) fn drawn<O: Order<Slots<char, ()>>>(
    cache: &Cache<char, (), O>,
    list: impl Fn(&O) -> &list::List,
    mark: impl Fn(u32) -> &'static str,
) -> String {
    let (mut words, mut slot) = (Vec::new(), list(cache.order()).newest);
    while slot != NONE {
        let key = cache.key(slot).expect("a slot in a list has a key");
        words.push(format!("{key}{}", mark(cache.slots().bits(slot))));
        slot = cache.slots().links(slot).older;
    }
    assert_eq!(words.len(), list(cache.order()).len());
    words.join(" ")
}

fn all() -> Vec<Box<dyn Order<Slots<u32, u32>>>> {
    let mut all: Vec<_> = Algorithm::ALL.map(Algorithm::order).into();
    all.push(Box::new(Naive::default()));
    all
}

/// A cache beside a set of keys, under requests, replacements and deletions.
#[test]
fn every_order_evicts_only_what_is_there_and_only_if_it_must() {
    for (number, order) in all().into_iter().enumerate() {
        let (mut cache, mut model) = (Cache::new(50, order), HashSet::new());
        let mut rng = Rng::new(number as u64);
        for step in 0..20_000 {
            let most = 1 + rng.below(200);
            let key = rng.below(most) as u32;
            match rng.below(10) {
                0 => assert_eq!(cache.remove(&key).is_some(), model.remove(&key)),
                1..6 => assert_eq!(cache.get(&key).is_some(), model.contains(&key)),
                _ => match cache.insert(key, step) {
                    Some((replaced, _)) if replaced == key => assert!(model.contains(&key)),
                    Some((evicted, _)) => {
                        assert_eq!(model.len(), 50, "order {number} evicts only if it is full");
                        assert!(model.remove(&evicted) && model.insert(key));
                    }
                    None => assert!(model.insert(key)),
                },
            }
            assert_eq!(cache.len(), model.len());
        }
        // What is left goes out through the order: it has not lost a key.
        while !cache.is_empty() {
            let (key, _) = cache.evict().expect("an order that has keys has a victim");
            assert!(model.remove(&key));
        }
    }
}

#[test]
fn the_links_do_what_the_naive_vector_does() {
    let (mut naive, mut exact) =
        (Cache::new(20, Naive::default()), Cache::new(20, ExactLru::default()));
    let mut rng = Rng::new(1);
    for _ in 0..5_000 {
        let key = rng.below(40) as u32;
        assert_eq!(naive.get(&key), exact.get(&key));
        assert_eq!(naive.insert(key, 0), exact.insert(key, 0));
    }
}

/// A node that moves keeps its place: the victims are those of a cache in which nothing moves.
#[test]
fn a_node_may_move_to_another_slot() {
    for number in 0..all().len() {
        let mut caches =
            [0, 1].map(|_| Cache::new(30, all().into_iter().nth(number).expect("it exists")));
        let mut rng = Rng::new(2);
        for _ in 0..5_000 {
            let most = 1 + rng.below(90);
            let key = rng.below(most) as u32;
            let [still, moving] = &mut caches;
            if still.get(&key).is_some() {
                assert!(moving.get(&key).is_some());
                moving.relocate(&key);
            } else {
                assert_eq!(moving.insert(key, 0), still.insert(key, 0), "order {number}");
            }
        }
    }
}
