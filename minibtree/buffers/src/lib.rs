//! The memory of the buffer pool: one buffer for each frame, all in one piece of memory.
//!
//! ```
//! let mut buffers = minibtree_buffers::allocate(2)?;
//! buffers[1][8191] = 7;
//! assert_eq!((buffers[0][8191], buffers[1][8191]), (0, 7));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A processor finds the place of a virtual page in memory in a cache of its own, the TLB. That has
//! room for some thousand pages, which is 8 MB of the usual 4 KiB: a lookup in a larger table waits
//! for the page tables at almost every page of the index and the heap. So the kernel is asked for
//! huge pages of 2 MiB. Without them everything works, and a lookup among a million rows takes
//! about a tenth longer (`cargo bench -p benches-embedded -- 1M get` with PR_SET_THP_DISABLE).
//!
//! A lookup needs a frame's latch before it may read the page, and waits for memory for both. With
//! [`Addresses`] it asks for the first lines of the page before it waits for the latch.
//!
//! Memory is taken when a buffer is first used. PostgreSQL's `huge_pages = try` does the same for
//! its shared memory (`CreateAnonymousSegment` in `sysv_shmem.c`).

mod raw;

pub use raw::{Addresses, Buffer, allocate};

use minibtree_format::btree::{FIRST_STEP, NodePointer};
use minibtree_format::{PAGE_SIZE, PageHeader};

/// Where a lookup begins to read a page: its header, the first item pointers of a heap page, and of
/// a B+tree node the special space and the entries that a search compares first.
const FIRST_READ: [usize; 12] = {
    let mut offsets = [0, 64, 128, 192, PAGE_SIZE - 1, 0, 0, 0, 0, 0, 0, 0];
    let mut step = 1;
    while 4 + step < offsets.len() {
        offsets[4 + step] = PageHeader::SIZE + step * FIRST_STEP * NodePointer::SIZE - 1;
        step += 1;
    }
    offsets
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_read_first_is_in_the_page() {
        assert!(FIRST_READ.iter().all(|offset| *offset < PAGE_SIZE), "{FIRST_READ:?}");
        let buffers = allocate(1).unwrap();
        Addresses::of(&buffers).prefetch(0);
        Addresses::of(&[]).prefetch(7);
    }

    #[test]
    fn a_buffer_is_zero_its_own_and_outlives_the_others() {
        let mut buffers = allocate(3).unwrap();
        assert!(buffers.iter().all(|buffer| buffer.iter().all(|byte| *byte == 0)));
        for (number, buffer) in buffers.iter_mut().enumerate() {
            buffer.fill(number as u8 + 1);
        }
        let last = buffers.pop().unwrap();
        assert!(buffers[0].iter().all(|byte| *byte == 1) && buffers[1].iter().all(|it| *it == 2));
        drop(buffers);
        let last = std::thread::spawn(move || last.iter().all(|byte| *byte == 3));
        assert!(last.join().unwrap());
    }

    #[test]
    fn nothing_is_allocated_for_no_buffers_and_too_many_are_an_error() {
        assert!(allocate(0).unwrap().is_empty());
        assert!(allocate(usize::MAX).is_err());
    }
}
