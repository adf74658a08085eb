//! Every command, in one place.
//!
//! One file per family holds its rows; here they are put together, numbered, and made findable:
//!
//! ```text
//! rows      … get getdel getex … client client|caching … config config|get config|help …
//! number       3   4      5       41     42               178    179        180
//! find      "GeTeX" -> hash 0x2c1 -> slot 705 holds 5 -> row 5 is named so -> row 5
//! ```
//!
//! All of it is done by the compiler: the program starts with the table and the index laid out in
//! its read-only pages. A look-up hashes five numbers (the length and four bytes) and compares one
//! name. Redis builds a dictionary of the same rows when it starts (`populateCommandTable` in
//! `server.c`) and can rename commands in it; here names are what they are.

mod bits;
mod connection;
mod hashes;
mod keys;
mod lists;
mod pubsub;
mod server;
mod sets;
mod strings;
mod transactions;
mod zsets;

use super::Handler;
use super::key_specs::{Access, counted, key, key_run, stored, unknown};
use super::spec::{Categories, Command, Flags, Group};

/// Names that the rows use without saying whose they are.
macro_rules! words {
    ($kind:ident: $($word:ident)*) => { $(const $word: $kind = $kind::$word;)* };
}
words!(Flags: WRITE READONLY DENYOOM ADMIN PUBSUB NOSCRIPT BLOCKING LOADING STALE SKIP_SLOWLOG
    FAST NO_AUTH NO_ASYNC_LOADING NO_MULTI ALLOW_BUSY
    RUNS_IN_MULTI WHILE_LISTENING ALL_KEYS);
words!(Access: RO RW OW RM ACCESS UPDATE INSERT DELETE NOT_KEY VARIABLE_FLAGS);

/// The rows of all families.
const FAMILIES: [&[Command]; 11] = [
    strings::ROWS,
    bits::ROWS,
    lists::ROWS,
    hashes::ROWS,
    sets::ROWS,
    zsets::ROWS,
    keys::ROWS,
    pubsub::ROWS,
    transactions::ROWS,
    connection::ROWS,
    server::ROWS,
];

/// All rows, subcommands behind their containers.
pub static COMMANDS: [Command; COUNT] = numbered();

/// The command of this name, in any case; not a subcommand.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return None;
    }
    let mut slot = hash(name);
    loop {
        let command = COMMANDS.get(usize::from(INDEX[slot]))?;
        if command.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(command);
        }
        slot = (slot + 1) % SLOTS;
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
pub const fn count() -> usize {
    COUNT
}

const COUNT: usize = {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        count += FAMILIES[family].len();
        family += 1;
    }
    count
};

/// The rows one behind the other, each with its number, containers with the number of their
/// subcommands.
const fn numbered() -> [Command; COUNT] {
    let mut rows = [FAMILIES[0][0]; COUNT];
    let (mut count, mut container) = (0, 0);
    let mut family = 0;
    while family < FAMILIES.len() {
        let mut index = 0;
        while index < FAMILIES[family].len() {
            rows[count] = FAMILIES[family][index];
            rows[count].id = count as u16;
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

/// The longest name of a command, so that nothing longer is hashed.
const NAME_BYTES_MAX: usize = 16;
/// Slots of the index: four for each command, so that nearly every name has its own.
const SLOTS: usize = 1024;
/// Marks a slot of the index that is empty.
const EMPTY: u16 = u16::MAX;

/// Numbers of commands, each at the hash of its name or, where that is taken, at the next free
/// slot.
static INDEX: [u16; SLOTS] = {
    let rows = numbered();
    let mut slots = [EMPTY; SLOTS];
    let mut row = 0;
    while row < COUNT {
        let name = rows[row].name.as_bytes();
        if !is_subcommand(rows[row].name) {
            assert!(name.len() <= NAME_BYTES_MAX);
            let mut slot = hash(name);
            while slots[slot] != EMPTY {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = row as u16;
        }
        row += 1;
    }
    slots
};

/// A slot for a name that is not empty, the same for capitals and small letters. The length, the
/// first two bytes, the middle and the last tell nearly all names apart.
const fn hash(name: &[u8]) -> usize {
    let second = if name.len() > 1 { name[1] } else { 0 };
    let bytes = [name[0], second, name[name.len() / 2], name[name.len() - 1]];
    let letters = u32::from_le_bytes(bytes) | 0x2020_2020;
    let mixed = (letters ^ (name.len() as u32) << 29).wrapping_mul(0x9E37_79B1);
    (mixed >> 22) as usize
}

#[cfg(test)]
mod tests;
