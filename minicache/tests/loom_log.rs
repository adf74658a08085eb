//! The log of the append-only file in every order in which two cores and the thread that writes
//! can meet: replies are sent after the sync, and none waits for ever.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minicache --test loom_log`
#![cfg(loom)]

#[path = "common/alarm.rs"]
mod alarm;

use alarm::block_on;
use loom::sync::Notify;
use loom::thread;
use minicache_aof::{AppendFsync, Log, Unit};
use minikit::sync::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// What a connection does with a command that writes: appends, and answers when that is safe.
fn write_and_answer(log: &Log, disk: &Mutex<Vec<u8>>, filled: &Notify, key: &'static [u8]) {
    let mut unit = Unit::default();
    unit.push(0, [&b"DEL"[..], key].into_iter());
    log.append(&mut unit);
    filled.notify();
    if let Some(position) = log.awaited(AppendFsync::Always, 0) {
        block_on(|context| log.poll_durable(position, context));
    }
    let disk = disk.lock();
    assert!(disk.windows(key.len()).any(|bytes| bytes == key), "{}", disk.escape_ascii());
}

#[test]
fn replies_wait_for_the_sync_and_none_for_ever() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let (log, disk) = (Arc::new(Log::default()), Arc::new(Mutex::new(Vec::new())));
        let filled = Arc::new(Notify::new());
        let client = |key: &'static [u8]| {
            let (log, disk, filled) = (Arc::clone(&log), Arc::clone(&disk), Arc::clone(&filled));
            thread::spawn(move || write_and_answer(&log, &disk, &filled, key))
        };
        let clients = [client(b"first"), client(b"second")];

        // SELECT once, and two commands; each round is a write and a sync of all there is.
        let all = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*2\r\n$3\r\nDEL\r\n$5\r\nfirst\r\n\
                    *2\r\n$3\r\nDEL\r\n$6\r\nsecond\r\n"
            .len() as u64;
        let mut position = 0;
        while position < all {
            filled.wait();
            let mut bytes = Vec::new();
            position = log.take(&mut bytes, Duration::ZERO, false);
            disk.lock().append(&mut bytes);
            log.publish(position);
        }
        clients.into_iter().for_each(|client| client.join().expect("it is answered"));
    });
}
