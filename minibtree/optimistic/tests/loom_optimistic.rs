//! A search of the optimistic tree against a split, in every order of their steps.
//!
//! The rule: a key that is in the tree is found. That the model tries the dangerous orders is shown
//! by the search that compares no versions: it must miss the key in some.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p minibtree-optimistic --test loom_optimistic`
#![cfg(loom)]

use loom::thread;
use minibtree_optimistic::Tree;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Larger than the number of any node: a search that takes it for a child fails.
fn value(key: u64) -> u64 {
    u64::MAX - key
}

/// Three entries fill a node. The fourth splits the root, the fifth the leaf below it.
fn tree(keys: &[u64]) -> Arc<Tree> {
    let tree = Tree::default();
    keys.iter().for_each(|key| assert_eq!(tree.insert(*key, value(*key)), None));
    Arc::new(tree)
}

/// Runs `search` for a key against the insertion of another. Returns how often it was found, and
/// how often not.
///
/// loom tries another order where an access meets the *last* one of its object, and a writer has
/// itself read what it writes. So each of the two is the thread that begins once.
fn outcomes(
    keys: &'static [u64],
    new: u64,
    wanted: u64,
    search: fn(&Tree, u64) -> Option<u64>,
) -> [usize; 2] {
    let counts: &'static [AtomicUsize; 2] = Box::leak(Box::default());
    for search_begins in [false, true] {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(move || {
            let tree = tree(keys);
            let other = Arc::clone(&tree);
            let insert = move |tree: &Tree| tree.insert(new, value(new));
            let search = move |tree: &Tree| search(tree, wanted);
            let (inserted, found) = if search_begins {
                let writer = thread::spawn(move || insert(&other));
                let found = search(&tree);
                (writer.join().expect("it does not panic"), found)
            } else {
                let searcher = thread::spawn(move || search(&other));
                let inserted = insert(&tree);
                (inserted, searcher.join().expect("it does not panic"))
            };

            assert_eq!((inserted, tree.get(new)), (None, Some(value(new))));
            assert_eq!(tree.get(wanted), Some(value(wanted)));
            counts[usize::from(found != Some(value(wanted)))].fetch_add(1, Ordering::Relaxed);
        });
    }
    [counts[0].load(Ordering::Relaxed), counts[1].load(Ordering::Relaxed)]
}

#[test]
fn a_key_is_found_while_the_root_is_split() {
    let [found, missed] = outcomes(&[1, 3, 5], 2, 5, Tree::get);
    assert!(found > 100 && missed == 0, "found {found}, missed {missed}");
}

#[test]
fn a_key_is_found_while_its_leaf_is_split() {
    let [found, missed] = outcomes(&[1, 3, 5, 7], 4, 7, Tree::get);
    assert!(found > 100 && missed == 0, "found {found}, missed {missed}");
}

#[test]
fn without_versions_a_key_is_missed() {
    let [found, missed] = outcomes(&[1, 3, 5, 7], 4, 7, Tree::get_naive);
    assert!(found > 0 && missed > 0, "found {found}, missed {missed}");
}

#[test]
fn two_insertions_lose_nothing() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let tree = tree(&[1, 4]);
        let other = Arc::clone(&tree);
        let writer = thread::spawn(move || other.insert(3, value(3)));
        assert_eq!(tree.insert(2, value(2)), None);
        assert_eq!(writer.join().expect("it does not panic"), None);
        for key in 1..=4 {
            assert_eq!(tree.get(key), Some(value(key)));
        }
    });
}
