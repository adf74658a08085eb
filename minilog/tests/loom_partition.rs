//! A partition in every interleaving of a producer, a consumer and a flush.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minilog --test loom_partition`
#![cfg(loom)]

use loom::thread;
use minikit::storage::SimulatedDisk;
use minilog::engine::log::config::LogConfig;
use minilog::engine::log::directory::Directory;
use minilog::engine::log::log::Log;
use minilog::engine::log::partition::Partition;
use minilog::format::batch;
use minilog::format::record::{Record, batch_of};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Counts its wake-ups.
#[derive(Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn partition(waits_for_flush: bool) -> Arc<Partition> {
    let disk = Arc::new(SimulatedDisk::new(1));
    let flush_messages = if waits_for_flush { 1 } else { i64::MAX };
    let config = LogConfig { flush_messages, ..LogConfig::default() };
    let directory = Directory::create(disk, "orders-0").expect("the disk is whole");
    Arc::new(Partition::new(Log::create(directory, config).expect("the disk is whole")))
}

fn record() -> Vec<u8> {
    batch_of(1, &[Record { value: Some(b"x"), ..Record::default() }])
}

/// Everything below the high watermark can be read, and batches are complete.
#[test]
fn a_consumer_reads_complete_batches_below_the_watermark() {
    loom::model(|| {
        let partition = partition(false);
        let producer = Arc::clone(&partition);
        let producer = thread::spawn(move || producer.append(&record()).expect("appended"));

        let visible = partition.high_watermark();
        let (slice, offsets) = partition.read(0, usize::MAX).expect("offset 0 exists");
        assert!(offsets.high_watermark >= visible, "the watermark moved back");
        match slice {
            Some(slice) => drop(batch::check(&slice.read().expect("read")).expect("a batch")),
            None => assert_eq!((visible, offsets.high_watermark), (0, 0)),
        }
        producer.join().expect("the producer does not panic");
    });
}

/// A consumer that registers and then checks again either finds the record or is woken.
#[test]
fn no_consumer_misses_an_append() {
    loom::model(|| {
        let partition = partition(false);
        let producer = Arc::clone(&partition);
        let producer = thread::spawn(move || producer.append(&record()).expect("appended"));

        let alarm = Arc::new(Alarm::default());
        partition.wake_on_append(&Waker::from(Arc::clone(&alarm)));
        let found = partition.high_watermark() > 0;
        producer.join().expect("the producer does not panic");
        assert!(found || alarm.0.load(Ordering::SeqCst) > 0, "the record waits for the next one");
    });
}

/// Two producers get different offsets, and the watermark covers both.
#[test]
fn two_producers_share_no_offset() {
    loom::model(|| {
        let partition = partition(false);
        let other = Arc::clone(&partition);
        let other = thread::spawn(move || other.append(&record()).expect("appended").base_offset);
        let own = partition.append(&record()).expect("appended").base_offset;
        let other = other.join().expect("the producer does not panic");
        assert_eq!((own + other, own * other, partition.high_watermark()), (1, 0, 2));
    });
}

/// With `--sync always` a record is visible only after a flush that covers it, even if a flush and
/// the append run at the same time.
#[test]
fn nothing_is_visible_before_it_is_durable() {
    loom::model(|| {
        let partition = partition(true);
        let flusher = Arc::clone(&partition);
        let flusher = thread::spawn(move || flusher.flush().expect("flushed"));
        partition.append(&record()).expect("appended");

        let visible = partition.high_watermark();
        let durable = partition.with_log(|log| log.recovery_point);
        assert!(visible <= durable, "{visible} is visible and {durable} is durable");
        flusher.join().expect("the flusher does not panic");
        partition.flush().expect("flushed");
        assert_eq!(partition.high_watermark(), 1);
    });
}
