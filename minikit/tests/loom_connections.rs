//! The connection gauge in every order in which two cores and a leaving client can meet.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p minikit --test loom_connections`
#![cfg(loom)]

use loom::thread;
use minikit::connections::Connections;

/// Invariants 1 and 3: two cores accept at once where one place is free.
#[test]
fn the_last_place_is_given_once() {
    loom::model(|| {
        let gauge = Connections::new();
        let other = gauge.clone();
        let there = thread::spawn(move || other.enter(1));
        let here = gauge.enter(1);
        assert!(gauge.current() <= 1);
        let there = there.join().expect("the other core does not panic");
        assert!(here.is_some() != there.is_some(), "exactly one of them is inside");
        assert_eq!((gauge.current(), gauge.accepted(), gauge.refused()), (1, 1, 1));
    });
}

/// Invariants 1 and 2: one client leaves while two cores would like its place.
#[test]
fn a_place_given_back_is_never_lost_nor_doubled() {
    loom::model(|| {
        let gauge = Connections::new();
        let leaving = gauge.enter(1).expect("the first one finds room");
        let other = gauge.clone();
        let there = thread::spawn(move || {
            let place = other.enter(1);
            assert!(other.current() <= 1);
            drop(place);
        });
        drop(leaving);
        let here = gauge.enter(1);
        assert!(gauge.current() <= 1);
        there.join().expect("the other core does not panic");
        drop(here);
        assert_eq!(gauge.current(), 0);
        assert_eq!(gauge.accepted() + gauge.refused(), 3);
    });
}
