//! Tests of the shard.

use super::*;
use crate::engine::eviction::lru::Lru;

const NOW: i64 = 1_800_000_000_000;

fn shard() -> Shard {
    Shard::new(2, RandomState::with_seed(1), 7)
}

fn add(shard: &mut Shard, db: usize, key: &str, text: &[u8], deadline: Option<i64>) {
    let life = Lifetime { deadline, now_ms: NOW };
    let Key { bytes, hash, .. } = self::key(shard, key.as_bytes());
    shard.insert(db, bytes, hash, NewValue::Text(text), life, 0);
}

fn key<'k>(shard: &Shard, bytes: &'k [u8]) -> Key<'k> {
    Key { bytes, hash: hash_key(&shard.hasher, bytes), shard: 0 }
}

fn find(shard: &Shard, db: usize, key: &str) -> Option<Handle> {
    shard.find(db, hash_key(&shard.hasher, key.as_bytes()), key.as_bytes())
}

#[test]
fn compaction_gives_pages_back_and_loses_nothing() {
    let mut shard = shard();
    for i in 0..20_000 {
        let deadline = (i % 3 == 0).then_some(NOW + 1000 + i);
        add(&mut shard, (i % 2) as usize, &format!("key{i}"), b"0123456789abcdef!", deadline);
    }
    for i in (0..20_000).filter(|i| i % 10 != 0) {
        let handle = find(&shard, (i % 2) as usize, &format!("key{i}")).expect("it was added");
        shard.remove((i % 2) as usize, handle);
    }
    let before = shard.contents.slab.page_bytes();
    let rounds = (0..1000).filter(|_| shard.compact()).count();
    assert!(rounds > 0 && shard.contents.slab.page_bytes() * 3 < before, "{rounds} pages emptied");
    for i in (0..20_000).step_by(10) {
        let handle = find(&shard, (i % 2) as usize, &format!("key{i}")).expect("it was kept");
        assert_eq!(shard.deadline(handle), (i % 3 == 0).then_some(NOW + 1000 + i));
    }
    let (mut due, mut budget) = (0, usize::MAX);
    while let Some(handle) = shard.next_due(0, NOW + 100_000, &mut budget) {
        shard.remove(0, handle);
        due += 1;
    }
    assert_eq!((due, shard.volatile_len(0)), (667, 0));
}

/// Samples into the pool and returns the handle of the coldest candidate that is eligible.
fn coldest(shard: &mut Shard, volatile_only: bool) -> Option<(usize, Handle)> {
    shard.sample_into_pool(&Sampling { policy: &Lru, volatile_only, samples: 5, now_ms: NOW });
    std::iter::from_fn(|| shard.pool.take_coldest())
        .collect::<Vec<_>>()
        .iter()
        .find_map(|it| shard.find_eligible(it, volatile_only).map(|handle| (it.db, handle)))
}

#[test]
fn a_sample_has_as_many_keys_as_asked_for_and_any_key_may_be_in_it() {
    let mut shard = shard();
    (0..100).for_each(|i| add(&mut shard, 0, &format!("key{i}"), b"value", None));
    let mut drawn = std::collections::BTreeSet::new();
    for _ in 0..1000 {
        let sample = shard.sample(0, false, 5);
        assert_eq!(sample.len(), 5);
        drawn.extend(sample);
    }
    assert_eq!(drawn.len(), 100);
}

#[test]
fn a_candidate_that_was_deleted_or_made_persistent_is_not_eligible() {
    let mut shard = shard();
    (0..1000).for_each(|i| add(&mut shard, 0, &format!("key{i}"), b"value", None));
    add(&mut shard, 1, "volatile", b"value", Some(NOW + 5000));
    let found = coldest(&mut shard, true).expect("one key has a deadline");
    assert_eq!((found.0, shard.key(found.1)), (1, &b"volatile"[..]));
    let candidate = Candidate { db: 1, key: b"volatile"[..].into(), coldness: 1 };
    let life = Lifetime { deadline: None, now_ms: NOW };
    let handle = shard.set_deadline(1, found.1, key(&shard, b"volatile"), life);
    assert_eq!(shard.find_eligible(&candidate, true), None);
    assert_eq!(shard.find_eligible(&candidate, false), Some(handle));
    shard.remove(1, handle);
    assert_eq!((shard.find_eligible(&candidate, false), coldest(&mut shard, true)), (None, None));
}

#[test]
fn a_value_changes_form_and_deadline_in_place_or_elsewhere() {
    let mut shard = shard();
    add(&mut shard, 0, "k", b"bar", None);
    let long = vec![b'x'; 5000];
    let texts: [&[u8]; 5] = [b"12", b"a rather longer text than before", &long, b"", b"bar"];
    for text in texts {
        for deadline in [None, Some(NOW + 5), Some(1 << 50), None] {
            let handle = find(&shard, 0, "k").expect("it is there");
            let life = Lifetime { deadline, now_ms: NOW };
            shard.replace(0, handle, key(&shard, b"k"), NewValue::Text(text), life);
            let handle = find(&shard, 0, "k").expect("it is still there");
            let found = shard.value(handle).as_str().map(|text| text.to_vec());
            assert_eq!((found, shard.deadline(handle)), (Some(text.to_vec()), deadline));
        }
    }
    assert_eq!((shard.len(0), shard.volatile_len(0)), (1, 0));
    assert!(shard.contents.objects.iter().all(Option::is_none));
}

#[test]
fn a_database_is_cleared_and_the_others_stay() {
    let mut shard = shard();
    let long = vec![b'x'; 5000];
    let objects = |cleared: &Contents| cleared.objects.iter().flatten().count();
    for i in 0..1000 {
        add(&mut shard, 0, &format!("key{i}"), b"value", Some(NOW + 5000));
        add(&mut shard, 0, &format!("long{i}"), &long, None);
    }
    add(&mut shard, 1, "other", &long, Some(NOW + 7000));
    add(&mut shard, 1, "number", b"7", None);
    let cleared = shard.clear(0, NOW);
    assert_eq!((cleared.keys(), objects(&cleared)), (2000, 1000), "taken whole");
    assert_eq!((shard.len(0), shard.volatile_len(0), shard.contents.slab.used()), (0, 0, 2));
    let other = find(&shard, 1, "other").expect("its database was not cleared");
    assert!(matches!(shard.value(other).as_str(), Some(Str::Bytes(text)) if text == long));
    assert_eq!((shard.deadline(other), shard.volatile_len(1)), (Some(NOW + 7000), 1));
    let number = find(&shard, 1, "number").expect("its database was not cleared");
    assert_eq!(shard.value(number).as_str(), Some(Str::Int(7)));

    add(&mut shard, 0, "long", &long, None);
    let cleared = shard.clear(0, NOW);
    assert_eq!((cleared.keys(), objects(&cleared)), (1, 1), "picked out");
    assert_eq!(
        (shard.len(0), shard.contents.slab.used(), find(&shard, 1, "other")),
        (0, 2, Some(other))
    );
    add(&mut shard, 0, "new", b"value", None);
    assert_eq!((shard.clear_all().keys(), shard.len(0), shard.len(1)), (3, 0, 0));
    assert_eq!((shard.contents.slab.page_bytes(), shard.contents.objects.len()), (0, 0));
}

/// Everything that adds, moves or removes an entry, under every order and while the order changes.
/// In the end all keys leave through the order, each once: no list has lost or doubled one.
#[test]
fn an_order_knows_every_key_whatever_moves_it() {
    for wanted in Algorithm::ALL {
        let mut shard = Shard::new(2, crate::engine::hashing::hasher().clone(), 7);
        let mut rng = Rng::new(11);
        for step in 0..30_000 {
            match step {
                3_000 => shard.set_order(Some(wanted), &Lru, NOW),
                25_000 => shard.set_order(None, &Lru, NOW),
                25_500 => shard.set_order(Some(wanted), &Lru, NOW),
                15_000 => drop(shard.clear(1, NOW)),
                _ if step % 500 == 0 => drop(shard.compact()),
                _ => {}
            }
            let (db, name) = (rng.below(2), format!("key{}", rng.below(2_000)));
            let text = vec![b'v'; rng.below(3) * rng.below(900)];
            let deadline = (rng.below(4) == 0).then_some(NOW + 1_000_000);
            let life = Lifetime { deadline, now_ms: NOW };
            let found = find(&shard, db, &name);
            let Key { hash, .. } = key(&shard, name.as_bytes());
            let key = Key { bytes: name.as_bytes(), hash, shard: 0 };
            match (found, rng.below(8)) {
                (None, _) => add(&mut shard, db, &name, &text, deadline),
                (Some(handle), 0) => drop(shard.remove(db, handle)),
                (Some(handle), 1) => {
                    shard.replace(db, handle, key, NewValue::Text(&text), life);
                }
                (Some(handle), 2) => {
                    shard.set_deadline(db, handle, key, life);
                }
                (Some(handle), _) => assert!(shard.visit(handle, hash, NOW, Some(&Lru))),
            }
        }

        let keys = shard.len(0) + shard.len(1);
        let evicted = std::iter::from_fn(|| {
            let (db, handle) = shard.victim()?;
            shard.remove(db, handle);
            Some(())
        });
        assert_eq!(evicted.take(keys + 1).count(), keys, "{wanted:?}");
        assert_eq!((shard.len(0), shard.len(1), shard.slab().used()), (0, 0, 0));
    }
}

/// The links are eight bytes, and none without an order.
#[test]
fn an_order_costs_a_key_eight_bytes() {
    let bytes = |order: Option<Algorithm>| {
        let mut shard = shard();
        shard.set_order(order, &Lru, NOW);
        add(&mut shard, 0, "key:000001", b"bar", None);
        shard.slab().slot(find(&shard, 0, "key:000001").expect("it was added")).len()
    };
    assert_eq!((bytes(None), bytes(Some(Algorithm::Sieve))), (24, 32));
}
