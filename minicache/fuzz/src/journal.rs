//! The journal of write-behind, as a disk may return it.
//!
//! The input is a file: records, up to the first that is not whole.
//!
//! ```text
//! 0000000000000012 5f70fe66 0000000000000102 64 0000000000000001 61    delete a
//! ```
//!
//! Counterpart: `loadSingleAppendOnlyFile` (`aof.c`).

use minicache_write_behind::journal::{replay, snapshot};
use minicache_write_behind::{Operation, Options, Queue};

/// The body of the fuzz target `journal`.
pub fn check(input: &[u8]) {
    let mut queue = Queue::new(Options::default(), 0);
    replay(input, &mut queue);
    let size = |it: &Operation| it.key.len() + it.value.as_ref().map_or(0, |it| it.len());
    let sizes = queue.unwritten().map(size);
    assert!(sizes.sum::<usize>() <= input.len(), "memory only for what is there");

    // What it wrote anew is read again, also after another crash.
    let records = snapshot(&queue);
    let mut again = Queue::new(Options::default(), 0);
    replay(&records, &mut again);
    assert_eq!((again.sequence, again.bytes), (queue.sequence, queue.bytes));
    assert!(queue.unwritten().all(|it| again.newest(&it.key) == Some(it)));
    assert_eq!(snapshot(&again), records);
}
