//! Expiry: a hierarchical timing wheel whose lists are linked through the entries.
//!
//! Redis finds expired keys by sampling: 20 random keys with a deadline, and 20 more while over a
//! tenth of them had expired (`expire.c`). So there is no bound on how long an expired key uses
//! memory. With a timing wheel (Varghese and Lauck, "Hashed and hierarchical timing wheels", SOSP
//! 1987) there is: a key is removed at the first tick after its deadline, at constant cost per key.
//!
//! # Example
//!
//! ```text
//! level 0   64 slots of 16 ms       the next second
//! level 1   64 slots of 1.024 s     the next minute
//! level 2   64 slots of 65.5 s      the next 70 minutes
//! level 3   64 slots of 70 min      the next 3 days
//! level 4   64 slots of 3 days      the next 199 days; later deadlines wait in its last slot
//!
//! now = tick 130; a deadline 3 s ahead is tick 317. 317 - 130 = 187 is more than 64 and less than
//! 64 * 64, so the key waits in level 1, slot 317 / 64 = 4.
//! At tick 256 = 4 * 64 slot 4 of level 1 cascades: the key moves to level 0, slot 317 % 64 = 61.
//! At tick 317 slot 61 of level 0 is due.
//! ```
//!
//! A key that expires within 199 days moves at most four times before it does.
//!
//! # No memory of its own
//!
//! A slot is the head of a doubly linked list whose links are in the entries (`format::entry`): 8
//! bytes per key with a deadline. The `previous` link of the first entry is the slot, so an entry
//! can be unlinked without a search for the list that it is in.
//!
//! # Bounded work
//!
//! [`Wheel::advance`] takes a budget. If the budget is used up in the middle of a tick, the wheel
//! stays at that tick, and the next call goes on there.

use super::slab::{Handle, Slab};
use crate::format::entry;

/// Milliseconds of one tick, as a power of two: 16 ms. With the server's own timer that makes at
/// most 36 ms from a deadline to the removal of the key on an idle server.
const TICK_BITS: u32 = 4;
/// Slots per level, as a power of two.
const SLOT_BITS: u32 = 6;
pub const SLOTS: usize = 1 << SLOT_BITS;
pub const LEVELS: usize = 5;
/// The end of a list.
const END: u32 = u32::MAX;
/// A `previous` from here on is not an entry but the slot whose list begins here.
const SLOT_MARK: u32 = u32::MAX - (LEVELS * SLOTS) as u32;

#[derive(Default)]
pub struct Wheel {
    /// The first entry of each slot. Allocated with the first key that has a deadline.
    heads: Vec<u32>,
    /// The first tick that is not processed yet.
    tick: u64,
    len: usize,
}

impl Wheel {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of keys in each level, counted up to `most` per level, because counting follows
    /// every list.
    pub fn by_level(&self, slab: &Slab, most: usize) -> [usize; LEVELS] {
        let mut counts = [0; LEVELS];
        for (slot, head) in self.heads.iter().enumerate() {
            let count = &mut counts[slot / SLOTS];
            *count += list(slab, *head).take(most - *count).count();
        }
        counts
    }

    /// Adds an entry that has a deadline. `now` in milliseconds is where an empty wheel starts.
    pub fn insert(&mut self, slab: &mut Slab, handle: Handle, now: i64) {
        if self.heads.is_empty() {
            self.heads = vec![END; LEVELS * SLOTS];
        }

        // An empty wheel does not advance, so its tick may be hours old.
        if self.len == 0 {
            self.tick = tick_of(now);
        }
        self.len += 1;
        self.link(slab, handle);
    }

    /// Removes an entry. Constant time.
    pub fn remove(&mut self, slab: &mut Slab, handle: Handle) {
        let (previous, next) = entry::links(slab.slot(handle));
        self.relink(slab, previous, next);
        self.len -= 1;
    }

    /// Makes the neighbors of an entry that was copied to `new` point there. The caller has copied
    /// the entry's own links with it.
    pub fn moved(&mut self, slab: &mut Slab, new: Handle) {
        let (previous, next) = entry::links(slab.slot(new));
        self.point_to(slab, previous, new);
        if next != END {
            entry::set_previous(slab.slot_mut(next), new);
        }
    }

    /// Advances the wheel and returns the next entry whose deadline is before `now`. The entry
    /// stays in the wheel until the caller removes it.
    ///
    /// Moves at most `budget` entries of upper levels down. Returns `None` if nothing is due or the
    /// budget is used up.
    pub fn advance(&mut self, slab: &mut Slab, now: i64, budget: &mut usize) -> Option<Handle> {
        let present = tick_of(now);
        while !self.is_empty() && self.tick < present {
            // Entries of upper levels may belong to this very tick, so they come first.
            if !self.cascade(slab, budget) {
                return None;
            }

            // The tick is over when its slot is empty: the caller removes what we return and calls
            // again.
            let head = self.heads[self.tick as usize % SLOTS];
            if head != END {
                return Some(head);
            }
            self.tick = self.next_tick().min(present);
        }
        None
    }

    /// Passes up to 16 entries of the first non-empty slot from slot `random` on to `emit`. Every
    /// slot is equally likely, not every entry.
    pub fn sample(&self, slab: &Slab, random: u64, emit: impl FnMut(Handle)) {
        let count = self.heads.len();
        let start = random as usize;
        let head = (0..count)
            .map(|step| self.heads[start.wrapping_add(step) % count])
            .find(|head| *head != END);
        if let Some(head) = head {
            list(slab, head).take(SAMPLED).for_each(emit);
        }
    }

    /// Moves the entries of the upper slots that begin at this tick to the levels below. Returns
    /// false if the budget is used up first.
    fn cascade(&mut self, slab: &mut Slab, budget: &mut usize) -> bool {
        for level in (1..LEVELS).rev() {
            if !self.tick.is_multiple_of(ticks_per_slot(level)) {
                continue;
            }
            let slot = level * SLOTS + (self.tick / ticks_per_slot(level)) as usize % SLOTS;
            while self.heads[slot] != END {
                if *budget == 0 {
                    return false;
                }
                *budget -= 1;
                let handle = self.heads[slot];
                let (previous, next) = entry::links(slab.slot(handle));
                self.relink(slab, previous, next);
                self.link(slab, handle);
            }
        }
        true
    }

    /// The next tick at which something can happen: the next one, or if the lower levels are empty
    /// the next start of an upper slot. Otherwise a wheel whose only deadline is a year away would
    /// count two billion ticks.
    fn next_tick(&self) -> u64 {
        let mut step = 1;
        for level in 0..LEVELS - 1 {
            if self.heads[level * SLOTS..][..SLOTS].iter().any(|head| *head != END) {
                break;
            }
            step = ticks_per_slot(level + 1);
        }
        (self.tick / step + 1) * step
    }

    /// Makes an entry the first of the list of its slot.
    fn link(&mut self, slab: &mut Slab, handle: Handle) {
        let deadline = entry::deadline(slab.slot(handle)).expect("entries here have deadlines");
        let slot = self.slot_for(deadline);
        let next = std::mem::replace(&mut self.heads[slot], handle);
        let bytes = slab.slot_mut(handle);
        entry::set_previous(bytes, SLOT_MARK + slot as u32);
        entry::set_next(bytes, next);
        if next != END {
            entry::set_previous(slab.slot_mut(next), handle);
        }
    }

    /// The slot of a deadline: in the lowest level that reaches that far.
    fn slot_for(&self, deadline: i64) -> usize {
        // A deadline that is past goes into the slot of the current tick. One beyond the last level
        // goes into that level's last slot, and is placed again when that slot cascades.
        const FARTHEST: u64 = (1 << (SLOT_BITS * LEVELS as u32)) - 1;
        let ahead = tick_of(deadline).saturating_sub(self.tick).min(FARTHEST);
        let level = (0..LEVELS)
            .find(|level| ahead < ticks_per_slot(level + 1))
            .expect("FARTHEST is within the last level");
        level * SLOTS + ((self.tick + ahead) / ticks_per_slot(level)) as usize % SLOTS
    }

    /// Links the neighbors of an entry to each other.
    fn relink(&mut self, slab: &mut Slab, previous: u32, next: u32) {
        self.point_to(slab, previous, next);
        if next != END {
            entry::set_previous(slab.slot_mut(next), previous);
        }
    }

    /// Makes `previous`, an entry or a slot, point to `next`.
    fn point_to(&mut self, slab: &mut Slab, previous: u32, next: u32) {
        if previous >= SLOT_MARK {
            self.heads[(previous - SLOT_MARK) as usize] = next;
        } else {
            entry::set_next(slab.slot_mut(previous), next);
        }
    }
}

/// The most entries of one slot that a sample takes.
const SAMPLED: usize = 16;

fn list(slab: &Slab, head: u32) -> impl Iterator<Item = Handle> + '_ {
    let existing = |handle: u32| (handle != END).then_some(handle);
    std::iter::successors(existing(head), move |handle| {
        existing(entry::links(slab.slot(*handle)).1)
    })
}

/// Milliseconds that one slot of a level spans. The slots of a level reach [`SLOTS`] times as far.
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for explain and tests"))]
pub fn slot_span_ms(level: usize) -> u64 {
    ticks_per_slot(level) << TICK_BITS
}

/// Ticks that one slot of a level spans.
fn ticks_per_slot(level: usize) -> u64 {
    1 << (SLOT_BITS * level as u32)
}

/// The tick of a time; times before 1970 count as 1970.
fn tick_of(time_ms: i64) -> u64 {
    time_ms.max(0) as u64 >> TICK_BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::entry::EntryValue;

    const START: i64 = 1_800_000_000_000;

    fn add(wheel: &mut Wheel, slab: &mut Slab, deadline: i64, now: i64) -> Handle {
        let handle = slab.take(entry::size_of(b"k", EntryValue::Int(1), Some(deadline)));
        entry::write(slab.slot_mut(handle), b"k", EntryValue::Int(1), Some(deadline), 0);
        wheel.insert(slab, handle, now);
        handle
    }

    /// All deadlines that are due by `now`.
    fn due(wheel: &mut Wheel, slab: &mut Slab, now: i64) -> Vec<i64> {
        let (mut found, mut budget) = (Vec::new(), usize::MAX);
        while let Some(handle) = wheel.advance(slab, now, &mut budget) {
            wheel.remove(slab, handle);
            found.push(entry::deadline(slab.slot(handle)).expect("it was inserted"));
            slab.free(handle);
        }
        found
    }

    #[test]
    fn keys_are_due_in_the_first_tick_after_their_deadline() {
        let (mut wheel, mut slab) = (Wheel::default(), Slab::new());
        let ahead = [1, 20, 40, 1000, 1024, 5000, 65_536, 70_000, 5_000_000, 300_000_000];
        for ms in ahead.iter().rev() {
            add(&mut wheel, &mut slab, START + ms, START);
        }
        for ms in ahead {
            assert_eq!(due(&mut wheel, &mut slab, START + ms - 16), Vec::<i64>::new());
            assert_eq!(due(&mut wheel, &mut slab, START + ms + 16), vec![START + ms]);
        }
        assert!(wheel.is_empty());
    }

    #[test]
    fn a_deadline_decades_away_is_kept_and_still_exact() {
        let (mut wheel, mut slab) = (Wheel::default(), Slab::new());
        let far = START + 40 * 365 * 86_400_000;
        add(&mut wheel, &mut slab, far, START);
        assert_eq!(due(&mut wheel, &mut slab, far - 16), Vec::<i64>::new());
        assert_eq!(due(&mut wheel, &mut slab, far + 16), vec![far]);
    }

    #[test]
    fn entries_leave_from_the_middle_of_a_list() {
        let (mut wheel, mut slab) = (Wheel::default(), Slab::new());
        let handles: Vec<Handle> =
            (0..5).map(|_| add(&mut wheel, &mut slab, START + 100, START)).collect();
        for handle in [handles[2], handles[4], handles[0]] {
            wheel.remove(&mut slab, handle);
        }
        assert_eq!(due(&mut wheel, &mut slab, START + 200).len(), 2);
    }

    #[test]
    fn levels_are_counted_up_to_a_bound() {
        let (mut wheel, mut slab) = (Wheel::default(), Slab::new());
        for ms in [100, 200, 300, 2000, 70_000] {
            add(&mut wheel, &mut slab, START + ms, START);
        }
        assert_eq!(wheel.by_level(&slab, 10), [3, 1, 1, 0, 0]);
        assert_eq!(wheel.by_level(&slab, 2), [2, 1, 1, 0, 0]);
        assert_eq!((0..3).map(slot_span_ms).collect::<Vec<_>>(), [16, 1024, 65_536]);
    }

    #[test]
    fn a_spent_budget_loses_nothing() {
        let (mut wheel, mut slab) = (Wheel::default(), Slab::new());
        (0..1000).for_each(|i| {
            add(&mut wheel, &mut slab, START + 70_000 + i, START);
        });
        let (mut found, mut calls) = (0, 0);
        while !wheel.is_empty() {
            let mut budget = 10;
            calls += 1;
            while let Some(handle) = wheel.advance(&mut slab, START + 100_000, &mut budget) {
                wheel.remove(&mut slab, handle);
                found += 1;
            }
        }
        assert_eq!(found, 1000);
        assert!(calls >= 100, "the budget was kept: {calls} calls");
    }
}
