//! Sets of named bits: flags, access list categories, and what happens to a key.
//!
//! A row writes a set as words, and the compiler turns them into the bits at their places:
//!
//! ```text
//! names           write readonly denyoom admin … fast
//! bit                 0        1       2     3     10
//! "write fast"    1 << 0 | 1 << 10
//! ```
//!
//! Redis keeps such sets as an integer with a `#define` for each bit (`CMD_WRITE` in `server.h`)
//! and a second list with the names. Here the list of names is the only one.

/// Declares a set: a type over `u32` and the names of its bits, bit 0 first.
macro_rules! named_bits {
    ($(#[$doc:meta])* $set:ident: $($name:literal)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $set(u32);

        impl $set {
            /// The names, that of bit 0 first.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The set of these names, which are separated by spaces. Panics at a name that is not
            /// in the list, so that a constant with one does not compile.
            pub const fn of(names: &str) -> $set {
                $set($crate::commands::catalogue::names::bits_of(names, $set::NAMES))
            }

            pub const fn with(self, other: $set) -> $set {
                $set(self.0 | other.0)
            }

            pub const fn has(self, other: $set) -> bool {
                self.0 & other.0 == other.0
            }

            pub fn names(self) -> impl Iterator<Item = &'static str> {
                let numbered = $set::NAMES.iter().enumerate();
                numbered.filter(move |(bit, _)| self.0 & (1 << bit) != 0).map(|(_, name)| *name)
            }
        }
    };
}
pub(super) use named_bits;

/// The bits of the names in `text`. These are loops because constants cannot use iterators.
pub(super) const fn bits_of(text: &str, names: &[&str]) -> u32 {
    let mut rest = text.as_bytes();
    let mut bits = 0;
    while !rest.is_empty() {
        let mut end = 0;
        while end < rest.len() && rest[end] != b' ' {
            end += 1;
        }
        let (word, after) = rest.split_at(end);

        let mut bit = 0;
        while !equal(word, names[bit].as_bytes()) {
            bit += 1;
        }
        bits |= 1 << bit;

        rest = if let [_, after @ ..] = after { after } else { after };
    }
    bits
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}
