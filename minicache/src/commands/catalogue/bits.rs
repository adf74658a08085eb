//! Rows of commands on the bits of strings; [`spec`](super::spec) says how to read one.
//!
//! `SETBIT seen:monday 1042 1` is found here, checked for exactly four words, and its shard
//! locked by argument 1.
//! The counterpart in Redis are the files of `src/commands/` whose group is `bitmap`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::Bitmap, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("bitcount", -2, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("2.6.0", "O(N)", "key [start end [BYTE | BIT]]", "Counts the bits that are set."),
    row("bitfield", -2, &[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, ACCESS, UPDATE, VARIABLE_FLAGS])])
        .doc("3.2.0", "O(1) for each operation",
            "key [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset \
                value | INCRBY encoding offset increment>> ...]",
            "Reads, sets and adds to integers of any width inside a string."),
    row("bitfield_ro", -2, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("6.0.0", "O(1) for each operation",
            "key [GET encoding offset [GET encoding offset ...]]",
            "Reads integers of any width inside a string."),
    row("bitop", -4, &[WRITE, DENYOOM])
        .keys(&[key(2, &[OW, UPDATE]), key_run(3, -1, 1, &[RO, ACCESS])])
        .doc("2.6.0", "O(N)", "operation destkey key [key ...]",
            "Stores AND, OR, XOR or NOT of strings."),
    row("bitpos", -3, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("2.8.7", "O(N)", "key bit [start [end [BYTE | BIT]]]",
            "Finds the first bit that is set, or clear."),
    row("getbit", 3, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("2.2.0", "O(1)", "key offset", "Gives one bit of a string."),
    row("setbit", 4, &[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("2.2.0", "O(1)", "key offset value",
            "Changes one bit of a string and gives it as it was."),
];
