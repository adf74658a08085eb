//! Rows of list commands; [`spec`](super::spec) says how to read one.
//!
//! `RPUSH queue job1 job2` is found here, checked for at least three words, and wakes whoever
//! waits for `queue`.
//! The counterpart in Redis are the files of `src/commands/` whose group is `list`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::List, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("blmove", 6, &[WRITE, DENYOOM, NOSCRIPT, BLOCKING])
        .keys(&[key(1, &[RW, ACCESS, DELETE]), key(2, &[RW, INSERT])])
        .doc("6.2.0", "O(1)", "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
            "Moves an element from an end of a list to an end of another, waiting for one."),
    row("blmpop", -5, &[WRITE, BLOCKING])
        .keys(&[counted(2, &[RW, ACCESS, DELETE])])
        .doc("7.0.0", "O(N+M), N keys, M elements",
            "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
            "Takes elements from the first list that has some, waiting for one."),
    row("blpop", -3, &[WRITE, NOSCRIPT, BLOCKING])
        .keys(&[key_run(1, -2, 1, &[RW, ACCESS, DELETE])])
        .doc("2.0.0", "O(N), N keys", "key [key ...] timeout",
            "Takes the first element of the first list that has one, waiting for it."),
    row("brpop", -3, &[WRITE, NOSCRIPT, BLOCKING])
        .keys(&[key_run(1, -2, 1, &[RW, ACCESS, DELETE])])
        .doc("2.0.0", "O(N), N keys", "key [key ...] timeout",
            "Takes the last element of the first list that has one, waiting for it."),
    row("brpoplpush", 4, &[WRITE, DENYOOM, NOSCRIPT, BLOCKING])
        .keys(&[key(1, &[RW, ACCESS, DELETE]), key(2, &[RW, INSERT])])
        .replaced("6.2.0", "BLMOVE RIGHT LEFT")
        .doc("2.2.0", "O(1)", "source destination timeout",
            "Moves the last element of a list to the front of another, waiting for it."),
    row("lindex", 3, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("1.0.0", "O(N), N elements on the way; O(1) at either end", "key index",
            "Gives an element by its index."),
    row("linsert", 5, &[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, INSERT])])
        .doc("2.2.0", "O(N), N elements before the pivot", "key <BEFORE | AFTER> pivot element",
            "Inserts next to the first element equal to the pivot."),
    row("llen", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .doc("1.0.0", "O(1)", "key", "Counts the elements."),
    row("lmove", 5, &[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, ACCESS, DELETE]), key(2, &[RW, INSERT])])
        .doc("6.2.0", "O(1)", "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
            "Moves an element from an end of a list to an end of another."),
    row("lmpop", -4, &[WRITE])
        .keys(&[counted(1, &[RW, ACCESS, DELETE])])
        .doc("7.0.0", "O(N+M), N keys, M elements",
            "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
            "Takes elements from the first list that has some."),
    row("lpop", -2, &[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE])])
        .doc("1.0.0", "O(N), N elements", "key [count]", "Takes elements from the front."),
    row("lpos", -3, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("6.0.6", "O(N), N elements",
            "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
            "Finds the index of an element."),
    row("lpush", -3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, INSERT])])
        .doc("1.0.0", "O(N), N elements", "key element [element ...]",
            "Adds elements at the front."),
    row("lpushx", -3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, INSERT])])
        .doc("2.2.0", "O(N), N elements", "key element [element ...]",
            "Adds elements at the front of a list that exists."),
    row("lrange", 4, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("1.0.0", "O(S+N), S elements before the first, N returned", "key start stop",
            "Gives the elements from one index to another."),
    row("lrem", 4, &[WRITE])
        .keys(&[key(1, &[RW, DELETE])])
        .doc("1.0.0", "O(N+M), N elements, M removed", "key count element",
            "Removes elements equal to one."),
    row("lset", 4, &[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, UPDATE])])
        .doc("1.0.0", "O(N); O(1) at either end", "key index element",
            "Replaces the element at an index."),
    row("ltrim", 4, &[WRITE])
        .keys(&[key(1, &[RW, DELETE])])
        .doc("1.0.0", "O(N), N elements removed", "key start stop",
            "Removes all but the elements from one index to another."),
    row("rpop", -2, &[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE])])
        .doc("1.0.0", "O(N), N elements", "key [count]", "Takes elements from the end."),
    row("rpoplpush", 3, &[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, ACCESS, DELETE]), key(2, &[RW, INSERT])])
        .replaced("6.2.0", "LMOVE RIGHT LEFT")
        .doc("1.2.0", "O(1)", "source destination",
            "Moves the last element of a list to the front of another."),
    row("rpush", -3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, INSERT])])
        .doc("1.0.0", "O(N), N elements", "key element [element ...]", "Adds elements at the end."),
    row("rpushx", -3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, INSERT])])
        .doc("2.2.0", "O(N), N elements", "key element [element ...]",
            "Adds elements at the end of a list that exists."),
];
