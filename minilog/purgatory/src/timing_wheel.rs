//! A hierarchical timing wheel, for many timers of which most are cancelled before they are due.
//!
//! A broker starts a timer for each fetch that waits, and cancels it when a record arrives. In a
//! heap of deadlines both operations cost O(log n). A timing wheel works like a clock: each timer
//! is in the slot of its deadline, and a slot is checked when the hand reaches it (Varghese and
//! Lauck, "Hashed and hierarchical timing wheels", SOSP 1987).
//!
//! # Example
//!
//! Write times in base 64, with one level per digit. Level 0 has one slot per tick. One turn of
//! level 0 is one slot of level 1, as 60 seconds are one minute. A timer belongs to the level of
//! the highest digit in which its deadline differs from now, and to the slot of that digit:
//!
//! ```text
//! now 130 = 2·64 + 2      deadline 135 = 2·64 + 7    level 0, slot 7
//!                         deadline 200 = 3·64 + 8    level 1, slot 3
//!
//! at 135   slot 7 of level 0: due
//! at 192   = 3·64 + 0, slot 3 of level 1: the timer moves down to level 0, slot 8
//! at 200   slot 8 of level 0: due
//! ```
//!
//! ```
//! use minilog_purgatory::timing_wheel::TimingWheel;
//!
//! let mut wheel = TimingWheel::new(130);
//! wheel.insert(135, "a fetch with max_wait_ms 5");
//! let timer = wheel.insert(200, "a fetch with max_wait_ms 70");
//! assert_eq!(wheel.next_event(), Some(135));
//! assert_eq!(wheel.advance(140), ["a fetch with max_wait_ms 5"]);
//!
//! // There is nothing to do until the next event: sleep for 52 ms.
//! assert_eq!(wheel.next_event(), Some(192));
//! assert_eq!(wheel.advance(192), [""; 0]);
//!
//! // A record has arrived.
//! assert_eq!(wheel.remove(timer), Some("a fetch with max_wait_ms 70"));
//! assert_eq!(wheel.next_event(), None);
//! ```
//!
//! A timer moves down at most once per level. Eleven levels hold every 64-bit deadline. A deadline
//! within four seconds is at one of the lowest two levels, unless a higher digit changes before it.
//!
//! # Counterpart in Kafka
//!
//! `TimingWheel.java` and `SystemTimer.java`: ticks of 1 ms and wheels of 20 slots, created on
//! demand. A `DelayQueue` of the slots says how long to sleep, as [`TimingWheel::next_event`] does
//! here. In Kafka each timer points to its slot; here the slot is computed from the deadline and
//! the current time.

use std::array::from_fn;
use std::collections::BTreeMap;

/// The bits of one digit.
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// The digits of a 64-bit number.
const LEVELS: usize = u64::BITS.div_ceil(SLOT_BITS) as usize;

/// Timers, each with a value. Times are ticks since any moment; the caller passes the current one.
pub struct TimingWheel<T> {
    /// The timers of each slot, by level and slot.
    levels: [[BTreeMap<Timer, T>; SLOTS]; LEVELS],
    /// The time up to which all timers were handled.
    now: u64,
    /// How many timers were started; the last one's number.
    timers: u64,
}

/// A timer that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    deadline: u64,
    number: u64,
}

impl<T> TimingWheel<T> {
    /// A wheel without timers.
    pub fn new(now: u64) -> TimingWheel<T> {
        TimingWheel { levels: from_fn(|_| from_fn(|_| BTreeMap::new())), now, timers: 0 }
    }

    /// Starts a timer. If its deadline has passed, it is due at the next [`TimingWheel::advance`].
    pub fn insert(&mut self, deadline: u64, value: T) -> Timer {
        self.timers += 1;
        let timer = Timer { deadline: deadline.max(self.now), number: self.timers };
        self.slot_of(timer).insert(timer, value);
        timer
    }

    /// Cancels a timer and returns its value. None if it was already due.
    pub fn remove(&mut self, timer: Timer) -> Option<T> {
        // If the timer was due it is in no slot, and the one computed here does not contain it.
        self.slot_of(timer).remove(&timer)
    }

    /// When the next slot with timers begins. Its timers are due then or move down a level.
    pub fn next_event(&self) -> Option<u64> {
        self.next_slot().map(|(_, _, start)| start)
    }

    /// Advances the wheel to `now`. Returns the values of the timers that are due, in the order of
    /// their deadlines.
    pub fn advance(&mut self, now: u64) -> Vec<T> {
        let mut due = Vec::new();
        while let Some((level, slot, start)) = self.next_slot().filter(|(.., start)| *start <= now)
        {
            self.now = start;
            for (timer, value) in std::mem::take(&mut self.levels[level][slot]) {
                match timer.deadline <= start {
                    true => due.push(value),
                    false => drop(self.slot_of(timer).insert(timer, value)),
                }
            }
        }
        self.now = self.now.max(now);
        due
    }

    /// The level and number of the first slot with timers, and when it begins. All timers of a
    /// level are due before those of the next level.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        self.levels.iter().enumerate().find_map(|(level, slots)| {
            let slot = slots.iter().position(|it| !it.is_empty())?;
            // The slot's start has the higher digits of now, and 0 in the lower ones.
            let shift = SLOT_BITS * level as u32;
            let higher = self.now.checked_shr(shift + SLOT_BITS).unwrap_or(0);
            let higher = higher.checked_shl(shift + SLOT_BITS).unwrap_or(0);
            Some((level, slot, higher | (slot as u64) << shift))
        })
    }

    fn slot_of(&mut self, timer: Timer) -> &mut BTreeMap<Timer, T> {
        let difference = timer.deadline ^ self.now;
        let level = difference.checked_ilog2().unwrap_or(0) / SLOT_BITS;
        let slot = timer.deadline >> (SLOT_BITS * level);
        &mut self.levels[level as usize][slot as usize % SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudorandom numbers (xorshift).
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn agrees_with_a_sorted_map() {
        for seed in 1..40 {
            let mut state = seed * 0x9e37_79b9;
            let start = random(&mut state) >> (seed % 60);
            let (mut wheel, mut now) = (TimingWheel::new(start), start);
            let mut model = BTreeMap::new();
            for number in 0..500 {
                let distance = random(&mut state) % (1 << (random(&mut state) % 30));
                match random(&mut state) % 4 {
                    0 | 1 => {
                        let timer = wheel.insert(now.saturating_add(distance), number);
                        model.insert(timer, number);
                    }
                    2 if !model.is_empty() => {
                        let index = random(&mut state) as usize % model.len();
                        let timer = *model.keys().nth(index).unwrap();
                        assert_eq!(wheel.remove(timer), model.remove(&timer));
                        assert_eq!(wheel.remove(timer), None);
                    }
                    _ => {
                        now = now.saturating_add(distance);
                        let later = model.split_off(&Timer { deadline: now + 1, number: 0 });
                        let due = std::mem::replace(&mut model, later);
                        assert_eq!(wheel.advance(now), due.into_values().collect::<Vec<_>>());
                    }
                }
                let first = model.keys().next().map(|it| it.deadline);
                let event = wheel.next_event();
                assert!(event.is_some() == first.is_some() && event <= first);
                assert!(event.is_none_or(|it| it > now || first == Some(now)));
            }
        }
    }

    #[test]
    fn a_deadline_that_has_passed_is_due_at_once() {
        let mut wheel = TimingWheel::new(1_000);
        let timer = wheel.insert(0, ());
        assert_eq!(wheel.next_event(), Some(1_000));
        assert_eq!(wheel.advance(1_000), [()]);
        assert_eq!(wheel.remove(timer), None);
    }

    #[test]
    fn a_timer_may_wait_for_ever() {
        let mut wheel = TimingWheel::new(5);
        let timer = wheel.insert(u64::MAX, ());
        assert_eq!(wheel.advance(u64::MAX - 1), []);
        assert_eq!(wheel.next_event(), Some(u64::MAX));
        assert_eq!(wheel.remove(timer), Some(()));
    }
}
