//! Memory for entries: pages cut into slots of equal size, addressed by 32 bits.
//!
//! A general allocator adds a header of 8 bytes and rounds up to 16, and every pointer takes 8
//! bytes. Entries are small and numerous, so they have their own allocator (the idea is
//! memcached's, `slabs.c`):
//!
//! ```text
//! page 0, class 24:  [entry][entry][ free ][entry] ...      2730 slots of 24 bytes
//! page 1, class 1056: [entry       ][entry       ] ...        62 slots of 1056 bytes
//! handle 0x2084 = page 1 (the upper 19 bits), 132 * 8 bytes into it (the lower 13): slot 1
//! ```
//!
//! **Invariants**
//! 1. A handle is the page and offset of a slot in use.
//! 2. A page holds slots of one class. All empty pages but one are freed, so that their memory can
//!    serve another class.
//! 3. `free_bytes` is the sum of all slots not in use. Allocated bytes minus `free_bytes` is the
//!    memory in use, which `maxmemory` limits.
//!
//! # What it costs
//!
//! A page is kept as long as it has one entry, even if no entry of its class is ever added again.
//! But only the index, the wheel and the order hold handles, so entries can move:
//! [`Slab::begin_emptying`] selects a page worth emptying, and the shard moves its entries to other
//! pages, one page per round. Redis needs the help of its allocator for this (`defrag.c`).

use std::collections::BTreeMap;

/// Bytes of a page.
const PAGE: usize = 64 * 1024;
/// Slots start at multiples of this, so that 13 bits are enough for an offset within a page.
const GRANULE: usize = 8;
const OFFSET_BITS: u32 = 13;
/// The pages that the other 19 bits can number: 32 GiB of small entries in one shard.
const PAGES_MAX: usize = 1 << (32 - OFFSET_BITS);
/// The largest slot that shares a page. A larger entry has a page of its own, exactly as large.
pub const SHARED_MAX: usize = 2048;
/// The class of a page that holds one large entry.
const OWN: u8 = u8::MAX;
/// The class of a page that was freed; its number can be used again.
const FREED: u8 = u8::MAX - 1;
/// No free slot follows.
const NONE: u16 = u16::MAX;

const _: () = assert!(PAGE / GRANULE == 1 << OFFSET_BITS);

/// Slot sizes: multiples of 8 up to 128, of 16 up to 512, of 32 up to 2048. From 100 bytes on, a
/// slot is at most 8 % larger than its entry. More classes would leave more pages partly used.
const CLASSES: [u16; 88] = {
    let mut sizes = [0; 88];
    let (mut class, mut size) = (0, 0);
    while class < sizes.len() {
        size += if size < 128 {
            8
        } else if size < 512 {
            16
        } else {
            32
        };
        sizes[class] = size;
        class += 1;
    }
    assert!(size as usize == SHARED_MAX);
    sizes
};

/// The address of a slot: page number and offset in 32 bits.
pub type Handle = u32;

/// The totals of the pages of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassUse {
    /// Bytes per slot; 0 for pages with one large entry each.
    pub slot_bytes: usize,
    pub pages: usize,
    pub slots: usize,
    /// Slots that hold an entry.
    pub used: usize,
}

impl ClassUse {
    pub fn add(&mut self, other: &ClassUse) {
        self.slot_bytes = other.slot_bytes;
        self.pages += other.pages;
        self.slots += other.slots;
        self.used += other.used;
    }
}

struct Page {
    bytes: Box<[u8]>,
    class: u8,
    /// Bytes of a slot.
    slot: u32,
    /// Slots in use.
    used: u16,
    /// The offset of the first free slot, in granules. Each free slot begins with the offset of the
    /// next, so the list of free slots takes no memory of its own.
    free: u16,
    /// The offset, in granules, of the first slot that was never used.
    fresh: u16,
}

impl Page {
    fn slots(&self) -> usize {
        self.bytes.len() / self.slot as usize
    }

    fn has_free_slot(&self) -> bool {
        usize::from(self.used) < self.slots()
    }

    /// Takes a free slot and returns its offset in granules. There must be one.
    fn take(&mut self) -> u16 {
        self.used += 1;

        // Slots that were used before come first: their cache lines are likely to be warm, and the
        // kernel has already given us their memory.
        if self.free == NONE {
            let offset = self.fresh;
            self.fresh += (self.slot as usize / GRANULE) as u16;
            return offset;
        }
        let offset = self.free;
        self.free = self.next_free(offset);
        offset
    }

    fn free(&mut self, offset: u16) {
        self.used -= 1;
        let at = usize::from(offset) * GRANULE;
        self.bytes[at..at + 2].copy_from_slice(&self.free.to_le_bytes());
        self.free = offset;
    }

    /// Returns the next free slot after a free slot.
    fn next_free(&self, offset: u16) -> u16 {
        let at = usize::from(offset) * GRANULE;
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }
}

#[derive(Default)]
pub struct Slab {
    pages: Vec<Page>,
    /// Numbers of pages that were freed.
    freed: Vec<u32>,
    /// For each class, the pages that may have a free slot. [`Slab::take`] uses the last one and
    /// drops those that turn out to be full or freed.
    partial: Vec<Vec<u32>>,
    /// The page that became empty last. It is kept, so that a key that is repeatedly set and
    /// deleted does not allocate a page each time.
    spare: Option<u32>,
    free_bytes: usize,
}

impl Slab {
    pub fn new() -> Slab {
        Slab { partial: vec![Vec::new(); CLASSES.len()], ..Slab::default() }
    }

    /// Returns true if 30 of the 32 GiB that one shard can address are in use. The commands of one
    /// batch cannot use up the rest, so a check per batch is enough.
    pub fn is_full(&self) -> bool {
        const RESERVE: usize = PAGES_MAX / 16;
        self.pages.len() - self.freed.len() >= PAGES_MAX - RESERVE
    }

    /// Returns the bytes of pages that no entry uses.
    pub fn free_bytes(&self) -> usize {
        self.free_bytes
    }

    /// Returns the number of slots in use. Visits every page.
    pub fn used(&self) -> usize {
        self.pages.iter().map(|page| usize::from(page.used.max(u16::from(page.class == OWN)))).sum()
    }

    pub fn page_bytes(&self) -> usize {
        self.pages.iter().map(|page| page.bytes.len()).sum()
    }

    /// Returns the totals by class, the smallest slots first. Visits every page.
    pub fn usage(&self) -> Vec<ClassUse> {
        let mut classes = BTreeMap::<usize, ClassUse>::new();
        for page in self.pages.iter().filter(|page| page.class != FREED) {
            let slot_bytes = if page.class == OWN { 0 } else { page.slot as usize };
            let used = if page.class == OWN { 1 } else { page.used.into() };
            let one = ClassUse { slot_bytes, pages: 1, slots: page.slots(), used };
            classes.entry(slot_bytes).or_default().add(&one);
        }
        classes.into_values().collect()
    }

    /// Returns true if emptying pages is worthwhile: more than a quarter of the memory is free, and
    /// more than 1 MiB.
    pub fn is_fragmented(&self) -> bool {
        const WORTH_EMPTYING: usize = 16 * PAGE;
        self.free_bytes > WORTH_EMPTYING && self.free_bytes * 4 > self.pages.len() * PAGE
    }

    /// Takes a slot of at least `size` bytes. Constant time, unless no page of the class has a free
    /// slot: then it allocates a page.
    pub fn take(&mut self, size: usize) -> Handle {
        if size > SHARED_MAX {
            return self.add_page(OWN, size, size) << OFFSET_BITS;
        }
        let number = self.partial_page(class_of(size));
        let page = &mut self.pages[number as usize];
        self.free_bytes -= page.slot as usize;
        number << OFFSET_BITS | u32::from(page.take())
    }

    /// Frees a slot. Its handle must not be used again.
    pub fn free(&mut self, handle: Handle) {
        let (number, offset) = split(handle);
        let page = &mut self.pages[number];
        if page.class == OWN {
            return self.free_page(number);
        }
        let was_full = !page.has_free_slot();
        page.free(offset);
        self.free_bytes += page.slot as usize;

        // A full page is in no list. Any other page of the class is in its list already.
        let (class, is_empty) = (usize::from(page.class), page.used == 0);
        if was_full {
            self.partial[class].push(number as u32);
        }
        if is_empty {
            self.keep_as_spare(number as u32);
        }
    }

    /// Returns the bytes of a slot: the entry, and the rest up to the slot size of its class.
    #[inline]
    pub fn slot(&self, handle: Handle) -> &[u8] {
        let (number, offset) = split(handle);
        let page = &self.pages[number];
        let at = usize::from(offset) * GRANULE;
        &page.bytes[at..at + page.slot as usize]
    }

    #[inline]
    pub fn slot_mut(&mut self, handle: Handle) -> &mut [u8] {
        let (number, offset) = split(handle);
        let page = &mut self.pages[number];
        let at = usize::from(offset) * GRANULE;
        &mut page.bytes[at..at + page.slot as usize]
    }

    /// Returns true if an entry of `size` bytes needs a slot of the same class, and so can be
    /// rewritten in place.
    pub fn fits(&self, handle: Handle, size: usize) -> bool {
        let page = &self.pages[split(handle).0];
        match page.class {
            OWN => page.slot as usize == size,
            class => size <= SHARED_MAX && class_of(size) == usize::from(class),
        }
    }

    /// Selects a page to empty, among a few pages from `start` on: one that is at most a quarter
    /// used and whose entries fit into another page of their class. Returns its number and the
    /// handles of its entries. No slot of it is taken from now on. The caller moves the entries to
    /// other slots and then calls [`emptied`](Self::emptied).
    pub fn begin_emptying(&mut self, start: u64) -> Option<(u32, Vec<Handle>)> {
        const CANDIDATES: usize = 16;
        let count = self.pages.len();
        let number = (0..CANDIDATES.min(count))
            .map(|step| (start as usize).wrapping_add(step) % count)
            .find(|number| self.is_sparse(*number))? as u32;
        let class = usize::from(self.pages[number as usize].class);

        // The page must not be offered for new slots, or the entries could move within it.
        self.partial[class].retain(|other| *other != number);
        Some((number, self.used_slots(number)))
    }

    /// Frees a page whose entries have all been moved.
    pub fn emptied(&mut self, number: u32) {
        let page = &self.pages[number as usize];
        self.free_bytes += usize::from(page.used) * page.slot as usize;
        self.free_page(number as usize);
    }

    fn is_sparse(&self, number: usize) -> bool {
        let page = &self.pages[number];
        page.class < FREED
            && page.used > 0
            && usize::from(page.used) * 4 <= page.slots()
            && self.partial[usize::from(page.class)].iter().any(|other| {
                let host = &self.pages[*other as usize];
                *other as usize != number
                    && host.class == page.class
                    && host.slots() - usize::from(host.used) >= usize::from(page.used)
            })
    }

    /// Returns the handles of a page's entries: all slots that were ever used and are not free.
    fn used_slots(&self, number: u32) -> Vec<Handle> {
        let page = &self.pages[number as usize];
        let step = page.slot as usize / GRANULE;
        let mut free = vec![false; page.slots()];
        let mut offset = page.free;
        while offset != NONE {
            free[usize::from(offset) / step] = true;
            offset = page.next_free(offset);
        }
        (0..usize::from(page.fresh) / step)
            .filter(|slot| !free[*slot])
            .map(|slot| number << OFFSET_BITS | (slot * step) as u32)
            .collect()
    }

    /// Returns a page of a class with a free slot, and allocates one if necessary.
    fn partial_page(&mut self, class: usize) -> u32 {
        while let Some(number) = self.partial[class].last() {
            // The page may have become full, or been freed and used again for another class.
            let page = &self.pages[*number as usize];
            if usize::from(page.class) == class && page.has_free_slot() {
                return *number;
            }
            self.partial[class].pop();
        }

        let slot = usize::from(CLASSES[class]);
        let number = self.add_page(class as u8, slot, PAGE);
        self.free_bytes += self.pages[number as usize].slots() * slot;
        self.partial[class].push(number);
        number
    }

    fn add_page(&mut self, class: u8, slot: usize, bytes: usize) -> u32 {
        let page = Page {
            bytes: vec![0; bytes].into_boxed_slice(),
            class,
            slot: slot as u32,
            used: 0,
            free: NONE,
            fresh: 0,
        };
        if let Some(number) = self.freed.pop() {
            self.pages[number as usize] = page;
            return number;
        }
        self.pages.push(page);
        (self.pages.len() - 1) as u32
    }

    /// Keeps an empty page as the spare, and frees the previous spare if it is still empty.
    fn keep_as_spare(&mut self, number: u32) {
        let Some(before) = self.spare.replace(number) else { return };
        let page = &self.pages[before as usize];
        if before != number && page.class < FREED && page.used == 0 {
            self.free_page(before as usize);
        }
    }

    fn free_page(&mut self, number: usize) {
        let page = &mut self.pages[number];
        if page.class != OWN {
            self.free_bytes -= page.slots() * page.slot as usize;
        }
        page.class = FREED;
        page.used = 0;
        page.bytes = Box::default();
        self.freed.push(number as u32);
    }
}

/// Returns the page number of a handle, and the offset in granules.
fn split(handle: Handle) -> (usize, u16) {
    ((handle >> OFFSET_BITS) as usize, (handle & ((1 << OFFSET_BITS) - 1)) as u16)
}

/// Returns the class with the smallest slots that hold `size` bytes; the inverse of [`CLASSES`].
fn class_of(size: usize) -> usize {
    match size {
        0..=128 => size.max(1).div_ceil(8) - 1,
        129..=512 => 16 + (size - 128).div_ceil(16) - 1,
        _ => 40 + (size - 512).div_ceil(32) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gets_the_smallest_class() {
        for size in 1..=SHARED_MAX {
            let class = class_of(size);
            assert!(usize::from(CLASSES[class]) >= size);
            assert!(class == 0 || usize::from(CLASSES[class - 1]) < size, "size {size}");
        }
    }

    #[test]
    fn slots_do_not_overlap_and_come_back() {
        let mut slab = Slab::new();
        let handles: Vec<Handle> = (0..10_000).map(|i| slab.take(24 + i % 40)).collect();
        for (i, handle) in handles.iter().enumerate() {
            slab.slot_mut(*handle).fill(i as u8);
        }
        for (i, handle) in handles.iter().enumerate() {
            assert!(slab.slot(*handle).iter().all(|byte| *byte == i as u8));
        }
        handles.into_iter().for_each(|handle| slab.free(handle));
        assert!(slab.page_bytes() <= PAGE, "all but the spare page went back");
        assert!(slab.page_bytes() - slab.free_bytes() < 64, "a page's rest is smaller than a slot");
    }

    #[test]
    fn a_large_entry_has_its_own_page() {
        let mut slab = Slab::new();
        let handle = slab.take(100_000);
        assert_eq!((slab.slot(handle).len(), slab.page_bytes()), (100_000, 100_000));
        assert!(slab.fits(handle, 100_000) && !slab.fits(handle, 99_999));
        slab.free(handle);
        assert_eq!(slab.page_bytes(), 0);
    }

    #[test]
    fn usage_counts_pages_and_slots_by_class() {
        let mut slab = Slab::new();
        (0..3).for_each(|_| {
            slab.take(24);
        });
        let large = slab.take(5000);
        let of = |slot_bytes, slots, used| ClassUse { slot_bytes, pages: 1, slots, used };
        assert_eq!(slab.usage(), [of(0, 1, 1), of(24, PAGE / 24, 3)]);
        slab.free(large);
        assert_eq!(slab.usage(), [of(24, PAGE / 24, 3)]);
    }

    #[test]
    fn pages_serve_another_class_once_empty() {
        let mut slab = Slab::new();
        for size in [24, 512, 1056] {
            let handles: Vec<Handle> = (0..5000).map(|_| slab.take(size)).collect();
            handles.into_iter().for_each(|handle| slab.free(handle));
        }
        assert!(slab.pages.len() < 5000 * 1056 / PAGE + 10, "{} pages named", slab.pages.len());
    }
}
