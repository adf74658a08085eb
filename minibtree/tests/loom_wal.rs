//! Group commit in every order: committers append and flush at once.
//!
//! The rule: when `flush(lsn)` returns, everything before `lsn` is on the disk, and it does return.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r -p minibtree --no-default-features --test loom_wal`
#![cfg(loom)]

use loom::sync::atomic::AtomicBool;
use loom::thread;
use minibtree::engine::Wal;
use minibtree::format::Lsn;
use minikit::storage::{SimulatedDisk, Survivors};
use std::sync::Arc as StdArc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{self, Acquire, Release};

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
    commit_at_once(2, 3);
}

/// Two of them may come too late for the first flush: one is woken, and flushes for both.
#[test]
fn three_committers() {
    commit_at_once(3, 2);
}

fn commit_at_once(committers: usize, preemptions: usize) {
    let orders = StdArc::new(AtomicUsize::new(0));
    let counted = StdArc::clone(&orders);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let disk = SimulatedDisk::new(1);
        let log = loom::sync::Arc::new(wal(&disk));
        let commit = |log: &Wal| {
            let lsn = log.append(|_| {});
            log.flush(lsn).expect("the disk works");
            lsn
        };
        let others: Vec<_> = (1..committers)
            .map(|_| {
                let log = loom::sync::Arc::clone(&log);
                thread::spawn(move || commit(&log))
            })
            .collect();
        let mut ends = vec![commit(&log)];
        ends.extend(others.into_iter().map(|it| it.join().expect("no panic")));
        ends.sort();
        ends.dedup();
        assert_eq!(ends.len(), committers);

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
        assert_eq!(*found.lock().expect("one thread"), ends);
    });
    let orders = orders.load(Ordering::Relaxed);
    assert!(orders > 20, "only {orders} orders were tried");
}

/// The protocol of the visibility map (`minibtree/maps`): a bit that a checkpoint reads is right
/// after a crash, by itself or because recovery applies the record that has changed it.
fn a_bit_is_right_after_a_crash(becomes_visible: bool) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let disk = SimulatedDisk::new(1);
        let log = loom::sync::Arc::new(wal(&disk));
        let bit = loom::sync::Arc::new(AtomicBool::new(!becomes_visible));
        let other = {
            let (log, bit) = (loom::sync::Arc::clone(&log), loom::sync::Arc::clone(&bit));
            thread::spawn(move || match becomes_visible {
                true => {
                    log.append(|_| {});
                    bit.store(true, Release);
                }
                false => {
                    bit.store(false, Release);
                    log.append(|_| {});
                }
            })
        };
        let redo = log.begin_checkpoint();
        let is_set = bit.load(Acquire);
        log.flush(log.end()).expect("the disk works");
        other.join().expect("no panic");

        // The page is as its last durable record says. So is the bit, if that is applied again.
        disk.crash_with(Survivors::None);
        let again = Wal::open(std::sync::Arc::new(disk), SEGMENT_BYTES, Lsn(0)).expect("readable");
        again.recover(|_, _| Ok(())).expect("readable");
        let is_durable = again.end() > Lsn(0);
        let is_visible = is_durable == becomes_visible;
        let is_applied = is_durable && redo == Lsn(0);
        assert!(is_visible || is_applied || !is_set, "the bit is wrong");
    });
}

#[test]
fn a_bit_that_is_set_during_a_checkpoint_is_right_after_a_crash() {
    a_bit_is_right_after_a_crash(true);
}

#[test]
fn a_bit_that_is_cleared_during_a_checkpoint_is_right_after_a_crash() {
    a_bit_is_right_after_a_crash(false);
}
