//! The command catalogue: every command as a row of plain data, without its handler.
//!
//! The rows are in `rows.rs`; here they are numbered and indexed by name:
//!
//! ```text
//! rows      … get getdel getex … client client|caching … config config|get config|help …
//! number       3   4      5       170    171              209    210        211
//! find      "GeTeX" -> folded to "getex" in a number -> hashed to a slot that holds row 5 -> row 5
//! ```
//!
//! The compiler does all of it: the program starts with the rows and the index laid out in its
//! read-only pages. A lookup turns the name into a number, hashes it and compares it. Redis builds
//! a dictionary of the same rows when it starts (`populateCommandTable` in `server.c`) and can
//! rename commands in it; here names are fixed.
//!
//! Nothing in this folder refers to code that executes commands, so everything may read it: the
//! dispatcher (which finds a row's handler by its number), `COMMAND`, the client's help, `explain`
//! and the metrics.

pub(crate) mod docs;
pub(crate) mod key_specs;
mod names;
mod rows;
pub(crate) mod spec;
pub(crate) mod synopsis;

use rows::FAMILIES;
use spec::{Categories, Command};

/// All rows, subcommands after their containers.
pub static COMMANDS: [Command; COUNT] = numbered();

/// The command of this name, in any case; not a subcommand.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    let folded = Folded::new(name)?;
    let mut place = folded.place();
    loop {
        let (other, command) = INDEX[place]?;
        if other == folded {
            return Some(command);
        }
        place = (place + 1) % SLOTS;
    }
}

/// A command by name; a subcommand as `container|name`.
pub fn find_any(name: &[u8]) -> Option<&'static Command> {
    let mut parts = name.splitn(2, |byte| *byte == b'|');
    let row = find(parts.next()?)?;
    match parts.next() {
        Some(subcommand) => row.subcommand(subcommand),
        None => Some(row),
    }
}

/// The commands without their subcommands.
pub fn iter() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().filter(|command| !is_subcommand(command.name))
}

/// How many rows there are: one more than the greatest number.
pub const COUNT: usize = {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        count += FAMILIES[family].rows.len();
        family += 1;
    }
    count
};

/// The rows of all families with their numbers filled in, and for a container the number of its
/// subcommands.
const fn numbered() -> [Command; COUNT] {
    let mut rows = [FAMILIES[0].rows[0]; COUNT];
    let (mut count, mut container) = (0, 0);
    let mut family = 0;
    while family < FAMILIES.len() {
        let mut index = 0;
        while index < FAMILIES[family].rows.len() {
            rows[count] = FAMILIES[family].rows[index];
            rows[count].id = count as u16;
            rows[count].group = FAMILIES[family].group;
            if rows[count].own_categories.is_none() {
                rows[count].own_categories = Some(Categories::of(FAMILIES[family].categories));
            }
            if is_subcommand(rows[count].name) {
                rows[container].subcommands += 1;
            } else {
                container = count;
            }
            count += 1;
            index += 1;
        }
        family += 1;
    }
    rows
}

const fn is_subcommand(name: &str) -> bool {
    let mut index = 0;
    while index < name.len() {
        if name.as_bytes()[index] == b'|' {
            return true;
        }
        index += 1;
    }
    false
}

/// Slots of the index: two for each command, so that most names have their own.
const SLOTS: usize = 512;

/// Commands, each at the place of its name or, where that is taken, at the next free one.
static INDEX: [Option<(Folded, &Command)>; SLOTS] = {
    let mut slots = [None; SLOTS];
    let mut row = 0;
    while row < COUNT {
        if !is_subcommand(COMMANDS[row].name) {
            let folded = Folded::new(COMMANDS[row].name.as_bytes());
            let folded = folded.expect("names are of one to sixteen bytes");
            let mut place = folded.place();
            while slots[place].is_some() {
                place = (place + 1) % SLOTS;
            }
            slots[place] = Some((folded, &COMMANDS[row]));
        }
        row += 1;
    }
    slots
};

/// A name in numbers, letters in lower case: two comparisons instead of a loop. From eight bytes on
/// these are its first and its last eight, which may overlap; `getrange` is
/// `(8, "getrange", "getrange")` and `get` is `(3, "get", 0)`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Folded {
    length: usize,
    first: u64,
    last: u64,
}

impl Folded {
    /// `None` for a name that is empty, or longer than sixteen bytes.
    const fn new(name: &[u8]) -> Option<Folded> {
        let (first, last) = match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) if name.len() <= 16 => (lower(*first), lower(*last)),
            (Some(_), _) => return None,
            _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
                (Some([a, b, c, d]), Some([e, f, g, h])) => {
                    (lower([*a, *b, *c, *d, *e, *f, *g, *h]), 0)
                }
                _ => match *name {
                    [] => return None,
                    [a] => (lower([a, 0, 0, 0, 0, 0, 0, 0]), 0),
                    [a, b] => (lower([a, b, 0, 0, 0, 0, 0, 0]), 0),
                    _ => (lower([name[0], name[1], name[2], 0, 0, 0, 0, 0]), 0),
                },
            },
        };
        Some(Folded { length: name.len(), first, last })
    }

    const fn place(self) -> usize {
        const BITS: u32 = SLOTS.trailing_zeros();
        let mixed = (self.first ^ self.last.rotate_left(32)).wrapping_add(self.length as u64);
        (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - BITS)) as usize
    }
}

/// Eight bytes as a number, capitals made small: all eight at once. Adding to the low seven bits of
/// a byte carries into its top bit from 'A' on, and from '[' on; a byte of which only the first is
/// true is a capital.
const fn lower(bytes: [u8; 8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x80 * EACH;
    let number = u64::from_le_bytes(bytes);
    let low = number & !TOP;
    let from_a = low + (0x80 - b'A' as u64) * EACH;
    let beyond_z = low + (0x7f - b'Z' as u64) * EACH;
    number | (from_a & !beyond_z & !number & TOP) >> 2
}

#[cfg(test)]
mod tests;
