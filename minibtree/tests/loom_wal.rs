//! Group commit in every order: two committers append and flush at once.
//!
//! The rule: when `flush(lsn)` returns, everything before `lsn` is on the disk, and it does return.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r -p minibtree --no-default-features --test loom_wal`
#![cfg(loom)]

use loom::thread;
use minibtree::engine::Wal;
use minibtree::format::Lsn;
use minikit::storage::{SimulatedDisk, Survivors};
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SEGMENT_BYTES: u64 = 4096;

/// A log on a new disk.
fn wal(disk: &SimulatedDisk) -> Wal {
    let disk = std::sync::Arc::new(disk.clone());
    let wal = Wal::open(disk, SEGMENT_BYTES, Lsn(0)).expect("an empty disk");
    wal.recover(|_, _| Ok(())).expect("nothing to recover");
    wal
}

#[test]
fn two_committers() {
    let orders = StdArc::new(AtomicUsize::new(0));
    let counted = StdArc::clone(&orders);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let disk = SimulatedDisk::new(1);
        let log = loom::sync::Arc::new(wal(&disk));
        let commit = |log: &Wal| {
            let lsn = log.append(|_| {});
            log.flush(lsn).expect("the disk works");
            lsn
        };
        let other = {
            let log = loom::sync::Arc::clone(&log);
            thread::spawn(move || commit(&log))
        };
        let ends = [commit(&log), other.join().expect("no panic")];
        assert_ne!(ends[0], ends[1]);

        // Only what was synced is left. Both records must be found.
        disk.crash_with(Survivors::None);
        let found = StdArc::new(std::sync::Mutex::new(Vec::new()));
        let disk = std::sync::Arc::new(disk);
        let again = Wal::open(disk, SEGMENT_BYTES, Lsn(0)).expect("readable");
        let list = StdArc::clone(&found);
        let recovered = again.recover(move |_, end| {
            list.lock().expect("one thread").push(end);
            Ok(())
        });
        recovered.expect("readable");
        let mut ends = ends.to_vec();
        ends.sort();
        assert_eq!(*found.lock().expect("one thread"), ends);
    });
    let orders = orders.load(Ordering::Relaxed);
    assert!(orders > 20, "only {orders} orders were tried");
}
