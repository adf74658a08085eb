//! Classes of keyspace events: `notify-keyspace-events`, one letter each.
//!
//! ```text
//! ""     nothing is published                      KEA   everything, to both kinds of channel
//! Kg$    on __keyspace@0__:key, for commands of all types and of strings
//! Ex     on __keyevent@0__:expired, for keys that expire
//! ```
//!
//! The letters are shown in a fixed order, with `A` for all its classes: `KEA` becomes `AKE`.
//! Counterpart in Redis: `notify.c`.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events(u32);

impl Events {
    /// `g`: commands on keys of any type.
    pub const GENERIC: Events = Events(1 << 0);
    /// `$`: string commands.
    pub const STRING: Events = Events(1 << 1);
    /// `l`: list commands.
    pub const LIST: Events = Events(1 << 2);
    /// `s`: set commands.
    pub const SET: Events = Events(1 << 3);
    /// `h`: hash commands.
    pub const HASH: Events = Events(1 << 4);
    /// `z`: sorted set commands.
    pub const ZSET: Events = Events(1 << 5);
    /// `x`: a key reached its deadline.
    pub const EXPIRED: Events = Events(1 << 6);
    /// `e`: a key was evicted.
    pub const EVICTED: Events = Events(1 << 7);
    // Bits 8 and 9 are `t`, streams, and `d`, modules, which are not here.
    /// `n`: a new key; not part of `A`.
    pub const NEW: Events = Events(1 << 10);
    /// `K`: publish to `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Events = Events(1 << 11);
    /// `E`: publish to `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Events = Events(1 << 12);
    /// `m`: a key was looked up and not found; not part of `A`.
    pub const KEY_MISS: Events = Events(1 << 13);
    /// `A`: every class of events but `n` and `m`.
    pub const ALL: Events = Events((1 << 10) - 1);

    /// Letters in the order in which they are shown.
    const LETTERS: &[u8; 14] = b"g$lshzxetdnKEm";

    /// The events that `letters` name; `None` for an unknown letter.
    pub fn parse(letters: &[u8]) -> Option<Events> {
        let mut bits = 0;
        for letter in letters {
            bits |= match Events::LETTERS.iter().position(|known| known == letter) {
                Some(index) => 1 << index,
                None if *letter == b'A' => Events::ALL.0,
                None => return None,
            };
        }
        Some(Events(bits))
    }

    /// The letters, with `A` for all its classes. Redis 7.0 forgets the `n` of `An` here; this does
    /// not, so that nothing is lost when the text is written back.
    pub fn to_text(self) -> Vec<u8> {
        let whole = self.contains(Events::ALL);
        let skipped = if whole { Events::ALL } else { Events(0) };
        let mut text = if whole { b"A".to_vec() } else { Vec::new() };
        for (index, letter) in Events::LETTERS.iter().enumerate() {
            if (self.0 & !skipped.0) & (1 << index) != 0 {
                text.push(*letter);
            }
        }
        text
    }

    /// Returns true if every bit of `other` is set.
    pub fn contains(self, other: Events) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns true if no event is published, the usual case.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_letters_fold_into_a() {
        for (letters, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("EK", "KE"),
            ("g$lshzxetd", "A"),
            ("n$g", "g$n"),
            ("mAnK", "AnKm"),
        ] {
            let events = Events::parse(letters.as_bytes()).unwrap();
            assert_eq!(events.to_text(), shown.as_bytes(), "{letters}");
        }
        assert_eq!(Events::parse(b"KQ"), None);
        assert!(Events::parse(b"KA").unwrap().contains(Events::EVICTED));
        assert!(!Events::parse(b"KA").unwrap().contains(Events::KEY_MISS));
    }
}
