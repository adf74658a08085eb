//! The mailbox in every order in which writers and its reader can meet.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minicache --test loom_mailbox`
#![cfg(loom)]

#[path = "common/alarm.rs"]
mod alarm;

use alarm::{Alarm, block_on};
use loom::thread;
use minicache::engine::mailbox::{Mailbox, Message};
use std::sync::Arc;
use std::task::{Context, Poll};

fn letter(number: u8) -> Message {
    Message::Unblocked(vec![number])
}

/// What a connection does that expects `count` letters.
fn collect(mailbox: &Mailbox, count: usize) -> Vec<Message> {
    let mut letters = Vec::new();
    while letters.len() < count {
        letters.extend(block_on(|context| mailbox.poll_collect(context)));
    }
    letters
}

#[test]
fn letters_arrive_once_and_in_order() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::default());
        let writer = Arc::clone(&mailbox);
        let writer = thread::spawn(move || {
            writer.deliver(letter(1));
            writer.deliver(letter(2));
        });
        assert_eq!(collect(&mailbox, 2), [letter(1), letter(2)]);
        writer.join().expect("the writer does not panic");
        assert!(mailbox.is_empty());
    });
}

#[test]
fn two_writers_lose_nothing_to_each_other() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::default());
        let writers = [1, 2].map(|number| {
            let writer = Arc::clone(&mailbox);
            thread::spawn(move || writer.deliver(letter(number)))
        });
        let mut letters = collect(&mailbox, 2);
        letters.sort_by_key(|it| *it == letter(2));
        assert_eq!(letters, [letter(1), letter(2)]);
        writers.into_iter().for_each(|it| it.join().expect("a writer does not panic"));
        assert!(mailbox.is_empty());
    });
}

/// A future may be polled with another waker than the time before, and only the last one counts.
#[test]
fn the_last_waker_is_the_one_that_rings() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::default());
        let writer = Arc::clone(&mailbox);
        let writer = thread::spawn(move || writer.deliver(letter(1)));
        let (_, earlier) = Alarm::new();
        let letters = match mailbox.poll_collect(&Context::from_waker(&earlier)) {
            Poll::Ready(letters) => letters,
            Poll::Pending => collect(&mailbox, 1),
        };
        assert_eq!(letters, [letter(1)]);
        writer.join().expect("the writer does not panic");
    });
}
