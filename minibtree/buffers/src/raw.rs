//! Dividing one piece of memory into buffers: what needs `unsafe`.
//!
//! ```text
//! memory   | buffer 0 | buffer 1 | buffer 2 |     8 KiB each, in pages of 2 MiB
//! ```
#![allow(unsafe_code)]

use memmap2::{MmapOptions, MmapRaw};
use minibtree_format::{PAGE_SIZE, PageBytes};
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// The bytes of one page. The memory of all is given back with the last one.
pub struct Buffer {
    bytes: NonNull<PageBytes>,
    _memory: Arc<MmapRaw>,
}

// SAFETY: a buffer is the only one that refers to its bytes, as a box would be.
unsafe impl Send for Buffer {}
// SAFETY: a shared buffer only reads.
unsafe impl Sync for Buffer {}

/// Allocates buffers that are all zeros.
pub fn allocate(count: usize) -> io::Result<Vec<Buffer>> {
    let length = count.checked_mul(PAGE_SIZE).ok_or(io::ErrorKind::OutOfMemory)?;
    if length == 0 {
        return Ok(Vec::new());
    }
    let memory = MmapOptions::new().len(length).map_anon()?;
    // Without huge pages, small ones do.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);

    let memory = Arc::new(MmapRaw::from(memory));
    let buffer = |number| {
        // SAFETY: `number` is less than `count`, so the bytes are within the memory.
        let bytes = unsafe { memory.as_mut_ptr().add(number * PAGE_SIZE) };
        let bytes = NonNull::new(bytes.cast()).expect("mapped memory is not at address 0");
        Buffer { bytes, _memory: Arc::clone(&memory) }
    };
    Ok((0..count).map(buffer).collect())
}

/// Where buffers are in memory.
#[derive(Clone, Copy)]
pub struct Addresses(usize);

impl Addresses {
    /// The addresses of buffers that were allocated together.
    pub fn of(buffers: &[Buffer]) -> Addresses {
        Addresses(buffers.first().map_or(0, |first| first.bytes.as_ptr().addr()))
    }

    /// Asks the processor to fetch what is read first of a buffer into its cache, without waiting.
    /// Whoever changes the buffer meanwhile is not disturbed.
    pub fn prefetch(self, number: usize) {
        #[cfg(target_arch = "x86_64")]
        for offset in crate::FIRST_READ {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let at = self.0.wrapping_add(number * PAGE_SIZE + offset);
            // SAFETY: the processor ignores a fetch from an address where nothing is.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at as *const i8) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (self.0, number, crate::FIRST_READ);
    }
}

impl Deref for Buffer {
    type Target = PageBytes;

    fn deref(&self) -> &PageBytes {
        // SAFETY: the memory lives as long as the buffer, is initialized (zeros at first), aligned
        // for bytes, and only this buffer refers to these bytes.
        unsafe { self.bytes.as_ref() }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut PageBytes {
        // SAFETY: as in `deref`, and this buffer is borrowed exclusively.
        unsafe { self.bytes.as_mut() }
    }
}
