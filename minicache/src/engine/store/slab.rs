//! Memory for entries: pages cut into slots of equal size, addressed by 32 bits.
//!
//! A general allocator spends 8 bytes of header and rounds to 16, and a pointer costs 8 bytes
//! wherever it is kept. Entries are small and many, so they get an allocator of their own
//! (memcached's idea, `slabs.c`):
//!
//! ```text
//! page 0, class 24:  [entry][entry][ free ][entry] ...      2730 slots of 24 bytes
//! page 1, class 1056: [entry       ][entry       ] ...        62 slots of 1056 bytes
//! handle 0x2003 = page 1 (the upper 19 bits), 3 * 8 bytes into it (the lower 13)
//! ```
//!
//! **Invariants**
//! 1. A handle's page and offset name the start of a slot in use.
//! 2. A page holds slots of one class; an empty page is given back, so its memory can serve another
//!    class.
//! 3. `free_bytes` is the sum of the slots not in use over all pages: what the allocator gave us
//!    minus it is what the cache really uses.
//!
//! What it costs: a page is kept as long as one entry is in it, even if no entry of its class is
//! ever added again. Only the index and the wheel hold an entry's handle, so entries can be moved:
//! [`Slab::begin_emptying`] selects a page worth emptying, and the shard moves its entries to other
//! pages, one page per round. Redis needs help from its allocator for that (`defrag.c`).

use std::collections::BTreeMap;

/// Bytes of a page.
const PAGE: usize = 64 * 1024;
/// Slots start at multiples of this, so that 13 bits say where in a page.
const GRANULE: usize = 8;
const OFFSET_BITS: u32 = 13;
/// Pages a handle can tell apart: 32 GiB of small entries in one shard.
const PAGES_MAX: usize = 1 << (32 - OFFSET_BITS);
/// The largest slot that shares a page; anything larger has a page of its own, of its own size.
pub const SHARED_MAX: usize = 2048;
/// The class of a page that holds one large entry.
const OWN: u8 = u8::MAX;
/// The class of a page that was given back.
const GONE: u8 = u8::MAX - 1;
/// No free slot follows.
const NONE: u16 = u16::MAX;

const _: () = assert!(PAGE / GRANULE == 1 << OFFSET_BITS);

/// Slot sizes: by 8 up to 128, by 16 up to 512, by 32 up to 2048. From 100 bytes on, a slot is at
/// most 8 % larger than its entry; more classes would mean more pages partly used.
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

/// The pages whose slots have one size, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassUse {
    /// Bytes of a slot; 0 for pages that hold one large entry each.
    pub slot_bytes: usize,
    /// Pages.
    pub pages: usize,
    /// Slots in these pages.
    pub slots: usize,
    /// Slots that hold an entry.
    pub used: usize,
}

impl ClassUse {
    /// Adds another shard's pages of the same class.
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
    /// The first free slot, in granules; each free slot begins with the place of the next.
    free: u16,
    /// Where slots never yet used begin, in granules.
    fresh: u16,
}

impl Page {
    fn slots(&self) -> usize {
        self.bytes.len() / self.slot as usize
    }

    fn has_room(&self) -> bool {
        usize::from(self.used) < self.slots()
    }

    /// Takes a free slot of a page that has room and returns its place in granules.
    fn take(&mut self) -> u16 {
        self.used += 1;
        if self.free == NONE {
            let place = self.fresh;
            self.fresh += (self.slot as usize / GRANULE) as u16;
            return place;
        }
        let place = self.free;
        let at = usize::from(place) * GRANULE;
        self.free = u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]);
        place
    }

    fn give_back(&mut self, place: u16) {
        self.used -= 1;
        let at = usize::from(place) * GRANULE;
        self.bytes[at..at + 2].copy_from_slice(&self.free.to_le_bytes());
        self.free = place;
    }
}

/// The pages of one shard; see the head of the file.
#[derive(Default)]
pub struct Slab {
    pages: Vec<Page>,
    /// Numbers of pages that were given back.
    gone: Vec<u32>,
    /// Per class, pages that may have room. Looked at from the end; what no longer holds is dropped
    /// then.
    roomy: Vec<Vec<u32>>,
    /// The page that became empty last. It is kept, so that one key set and deleted over and over
    /// does not cost a page each time.
    spare: Option<u32>,
    free_bytes: usize,
}

impl Slab {
    /// A slab without pages.
    pub fn new() -> Slab {
        Slab { roomy: vec![Vec::new(); CLASSES.len()], ..Slab::default() }
    }

    /// Returns true if page numbers are running out: 30 of the 32 GiB of entries that one shard can
    /// address are in use. The rest is more than the commands of one batch can take, so asking once
    /// per batch is enough.
    pub fn is_full(&self) -> bool {
        const RESERVE: usize = PAGES_MAX / 16;
        self.pages.len() - self.gone.len() >= PAGES_MAX - RESERVE
    }

    /// Bytes of pages that no entry uses.
    pub fn free_bytes(&self) -> usize {
        self.free_bytes
    }

    /// How many slots are taken. Looks at every page.
    pub fn used(&self) -> usize {
        self.pages.iter().map(|page| usize::from(page.used.max(u16::from(page.class == OWN)))).sum()
    }

    /// Bytes of all pages.
    pub fn page_bytes(&self) -> usize {
        self.pages.iter().map(|page| page.bytes.len()).sum()
    }

    /// What the pages are used for, the smallest slots first. Looks at every page.
    pub fn usage(&self) -> Vec<ClassUse> {
        let mut classes = BTreeMap::<usize, ClassUse>::new();
        for page in self.pages.iter().filter(|page| page.class != GONE) {
            let slot_bytes = if page.class == OWN { 0 } else { page.slot as usize };
            let used = if page.class == OWN { 1 } else { page.used.into() };
            let one = ClassUse { slot_bytes, pages: 1, slots: page.slots(), used };
            classes.entry(slot_bytes).or_default().add(&one);
        }
        classes.into_values().collect()
    }

    /// Returns true if enough memory is unused to look for pages to empty: a quarter of it, and
    /// more than a few pages.
    pub fn wastes(&self) -> bool {
        const FEW_PAGES: usize = 16 * PAGE;
        self.free_bytes > FEW_PAGES && self.free_bytes * 4 > self.pages.len() * PAGE
    }

    /// Takes a slot of at least `size` bytes. Constant time, except that it allocates a page if no
    /// page of the class has a free slot.
    pub fn take(&mut self, size: usize) -> Handle {
        if size > SHARED_MAX {
            return self.add_page(OWN, size, size) << OFFSET_BITS;
        }
        let class = class_of(size);
        let number = self.page_with_room(class);
        let page = &mut self.pages[number as usize];
        self.free_bytes -= page.slot as usize;
        number << OFFSET_BITS | u32::from(page.take())
    }

    /// Frees a slot; its handle must not be used again.
    pub fn give_back(&mut self, handle: Handle) {
        let (number, place) = split(handle);
        let page = &mut self.pages[number];
        if page.class == OWN {
            return self.drop_page(number);
        }
        let had_room = page.has_room();
        page.give_back(place);
        self.free_bytes += page.slot as usize;
        let (class, emptied) = (usize::from(page.class), page.used == 0);
        if !had_room {
            self.roomy[class].push(number as u32);
        }
        if emptied {
            self.keep_as_spare(number as u32);
        }
    }

    /// The bytes of a slot: the entry and whatever the class rounds up to.
    #[inline]
    pub fn slot(&self, handle: Handle) -> &[u8] {
        let (number, place) = split(handle);
        let page = &self.pages[number];
        let at = usize::from(place) * GRANULE;
        &page.bytes[at..at + page.slot as usize]
    }

    /// The bytes of a slot, to be changed.
    #[inline]
    pub fn slot_mut(&mut self, handle: Handle) -> &mut [u8] {
        let (number, place) = split(handle);
        let page = &mut self.pages[number];
        let at = usize::from(place) * GRANULE;
        &mut page.bytes[at..at + page.slot as usize]
    }

    /// Returns true if an entry of `size` bytes belongs into a slot of this one's class, so that it
    /// can be rewritten in place.
    pub fn fits(&self, handle: Handle, size: usize) -> bool {
        let page = &self.pages[split(handle).0];
        match page.class {
            OWN => page.slot as usize == size,
            class => size <= SHARED_MAX && class_of(size) == usize::from(class),
        }
    }

    /// Selects a page to empty: one that is at most a quarter used and whose entries find room
    /// in other pages of their class, looked for among a few pages from `start` on. Returns its
    /// number and the handles of its entries. No slot of it is taken any more. The caller moves the
    /// entries to other slots and then calls [`emptied`](Self::emptied).
    pub fn begin_emptying(&mut self, start: u64) -> Option<(u32, Vec<Handle>)> {
        const LOOKED_AT: usize = 16;
        let count = self.pages.len();
        let number = (0..LOOKED_AT.min(count))
            .map(|step| (start as usize).wrapping_add(step) % count)
            .find(|number| self.is_sparse(*number))? as u32;
        let class = usize::from(self.pages[number as usize].class);
        self.roomy[class].retain(|other| *other != number);
        Some((number, self.used_slots(number)))
    }

    /// Frees a page whose entries have all been moved.
    pub fn emptied(&mut self, number: u32) {
        let page = &self.pages[number as usize];
        self.free_bytes += usize::from(page.used) * page.slot as usize;
        self.drop_page(number as usize);
    }

    fn is_sparse(&self, number: usize) -> bool {
        let page = &self.pages[number];
        page.class < GONE
            && page.used > 0
            && usize::from(page.used) * 4 <= page.slots()
            && self.roomy[usize::from(page.class)].iter().any(|other| {
                let host = &self.pages[*other as usize];
                *other as usize != number
                    && host.class == page.class
                    && host.slots() - usize::from(host.used) >= usize::from(page.used)
            })
    }

    /// The slots of a page that are neither on its list of free ones nor beyond those ever used.
    fn used_slots(&self, number: u32) -> Vec<Handle> {
        let page = &self.pages[number as usize];
        let step = page.slot as usize / GRANULE;
        let mut free = vec![false; page.slots()];
        let mut place = page.free;
        while place != NONE {
            free[usize::from(place) / step] = true;
            let at = usize::from(place) * GRANULE;
            place = u16::from_le_bytes([page.bytes[at], page.bytes[at + 1]]);
        }
        (0..usize::from(page.fresh) / step)
            .filter(|slot| !free[*slot])
            .map(|slot| number << OFFSET_BITS | (slot * step) as u32)
            .collect()
    }

    fn page_with_room(&mut self, class: usize) -> u32 {
        while let Some(number) = self.roomy[class].last() {
            let page = &self.pages[*number as usize];
            if usize::from(page.class) == class && page.has_room() {
                return *number;
            }
            self.roomy[class].pop();
        }
        let slot = usize::from(CLASSES[class]);
        let number = self.add_page(class as u8, slot, PAGE);
        self.free_bytes += self.pages[number as usize].slots() * slot;
        self.roomy[class].push(number);
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
        if let Some(number) = self.gone.pop() {
            self.pages[number as usize] = page;
            return number;
        }
        self.pages.push(page);
        (self.pages.len() - 1) as u32
    }

    /// Keeps an empty page and gives the one kept before back, if that is still empty.
    fn keep_as_spare(&mut self, number: u32) {
        let Some(before) = self.spare.replace(number) else { return };
        let page = &self.pages[before as usize];
        if before != number && page.class < GONE && page.used == 0 {
            self.drop_page(before as usize);
        }
    }

    fn drop_page(&mut self, number: usize) {
        let page = &mut self.pages[number];
        if page.class != OWN {
            self.free_bytes -= page.slots() * page.slot as usize;
        }
        page.class = GONE;
        page.bytes = Box::default();
        self.gone.push(number as u32);
    }
}

fn split(handle: Handle) -> (usize, u16) {
    ((handle >> OFFSET_BITS) as usize, (handle & ((1 << OFFSET_BITS) - 1)) as u16)
}

/// The class whose slots are the smallest that hold `size` bytes; the inverse of [`CLASSES`].
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
        handles.into_iter().for_each(|handle| slab.give_back(handle));
        assert!(slab.page_bytes() <= PAGE, "all but the spare page went back");
        assert!(slab.page_bytes() - slab.free_bytes() < 64, "a page's rest is smaller than a slot");
    }

    #[test]
    fn a_large_entry_has_its_own_page() {
        let mut slab = Slab::new();
        let handle = slab.take(100_000);
        assert_eq!((slab.slot(handle).len(), slab.page_bytes()), (100_000, 100_000));
        assert!(slab.fits(handle, 100_000) && !slab.fits(handle, 99_999));
        slab.give_back(handle);
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
        slab.give_back(large);
        assert_eq!(slab.usage(), [of(24, PAGE / 24, 3)]);
    }

    #[test]
    fn pages_serve_another_class_once_empty() {
        let mut slab = Slab::new();
        for size in [24, 512, 1056] {
            let handles: Vec<Handle> = (0..5000).map(|_| slab.take(size)).collect();
            handles.into_iter().for_each(|handle| slab.give_back(handle));
        }
        assert!(slab.pages.len() < 5000 * 1056 / PAGE + 10, "{} pages named", slab.pages.len());
    }
}
