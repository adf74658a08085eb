//! The connection counts in every order in which two cores and a closing client can meet.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minikit --test loom_connections`
#![cfg(loom)]

use loom::thread;
use minikit::connections::{Connections, CoreLoads};

/// Invariants 1 and 3: two cores accept at once with one permit left.
#[test]
fn the_last_permit_is_given_once() {
    loom::model(|| {
        let connections = Connections::new();
        let other = connections.clone();
        let there = thread::spawn(move || other.enter(1));
        let here = connections.enter(1);
        assert!(connections.current() <= 1);
        let there = there.join().expect("the other core does not panic");
        assert!(here.is_some() != there.is_some(), "exactly one of them is connected");
        assert_eq!(
            (connections.current(), connections.accepted(), connections.refused()),
            (1, 1, 1)
        );
    });
}

/// Invariants 1 and 2: one client closes while two cores would accept another.
#[test]
fn a_permit_given_back_is_never_lost_nor_doubled() {
    loom::model(|| {
        let connections = Connections::new();
        let leaving = connections.enter(1).expect("the first one is within the limit");
        let other = connections.clone();
        let there = thread::spawn(move || {
            let permit = other.enter(1);
            assert!(other.current() <= 1);
            drop(permit);
        });
        drop(leaving);
        let here = connections.enter(1);
        assert!(connections.current() <= 1);
        there.join().expect("the other core does not panic");
        drop(here);
        assert_eq!(connections.current(), 0);
        assert_eq!(connections.accepted() + connections.refused(), 3);
    });
}

/// Invariant 4: a client of core 0 closes while the acceptor assigns the next two.
#[test]
fn the_next_client_goes_to_a_core_with_the_fewest() {
    loom::model(|| {
        let loads = CoreLoads::new(2);
        let (closing, stays) = (loads.assign(), loads.assign());
        assert_eq!((closing.index(), stays.index()), (0, 1));
        let core = thread::spawn(move || drop(closing));

        let next = [loads.assign(), loads.assign()];
        core.join().expect("the core does not panic");
        let open = [loads.current(0), loads.current(1)];
        assert_eq!(open[0] + open[1], 3);
        // The count of core 0 was 1 or 0 at each assignment, so it was never worth more than one
        // client in either direction.
        assert!(open[0].abs_diff(open[1]) <= 1, "{open:?}");

        drop((next, stays));
        assert_eq!((loads.current(0), loads.current(1)), (0, 0));
    });
}
