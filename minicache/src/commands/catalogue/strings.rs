//! Rows of string commands; [`spec`](super::spec) says how to read one.
//!
//! `SET greeting hello EX 60` is found here, checked for at least three words, refused when
//! memory has run out, and its shard locked by argument 1.
//! The counterpart in Redis are the files of `src/commands/` whose group is `string`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::String, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("append", 3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, INSERT])])
        .doc("2.0.0", "O(1) amortised", "key value",
            "Adds bytes at the end of a string, which starts empty."),
    row("decr", 2, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("1.0.0", "O(1)", "key", "Takes one from an integer, which starts at 0."),
    row("decrby", 3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("1.0.0", "O(1)", "key decrement",
            "Takes a number from an integer, which starts at 0."),
    row("get", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("1.0.0", "O(1)", "key", "Gives the string of a key."),
    row("getdel", 2, &[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE])])
        .doc("6.2.0", "O(1)", "key", "Gives the string of a key and deletes the key."),
    row("getex", -2, &[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("6.2.0", "O(1)",
            "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT \
                unix-time-milliseconds | PERSIST]",
            "Gives the string of a key and changes its deadline."),
    row("getrange", 4, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("2.4.0", "O(N), N bytes returned", "key start end", "Gives part of a string."),
    row("getset", 3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .replaced("6.2.0", "SET GET")
        .doc("1.0.0", "O(1)", "key value", "Stores a string and gives the one before."),
    row("incr", 2, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("1.0.0", "O(1)", "key", "Adds one to an integer, which starts at 0."),
    row("incrby", 3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("1.0.0", "O(1)", "key increment", "Adds a number to an integer, which starts at 0."),
    row("incrbyfloat", 3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("2.6.0", "O(1)", "key increment",
            "Adds a number with decimals to one, which starts at 0."),
    row("lcs", -3, &[READONLY])
        .keys(&[key_run(1, 1, 1, &[RO, ACCESS])])
        .doc("7.0.0", "O(N*M), N and M the lengths of the strings",
            "key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]",
            "Finds the longest common subsequence of two strings."),
    row("mget", -2, &[READONLY, FAST])
        .keys(&[key_run(1, -1, 1, &[RO, ACCESS])])
        .tips(&["request_policy:multi_shard"])
        .doc("1.0.0", "O(N), N keys", "key [key ...]", "Gives the strings of several keys."),
    row("mset", -3, &[WRITE, DENYOOM])
        .keys(&[key_run(1, -1, 2, &[OW, UPDATE])])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .doc("1.0.1", "O(N), N keys", "key value [key value ...]",
            "Stores several strings at once."),
    row("msetnx", -3, &[WRITE, DENYOOM])
        .keys(&[key_run(1, -1, 2, &[OW, INSERT])])
        .tips(&["request_policy:multi_shard", "response_policy:agg_min"])
        .doc("1.0.1", "O(N), N keys", "key value [key value ...]",
            "Stores several strings if none of the keys exists."),
    row("psetex", 4, &[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE])])
        .doc("2.6.0", "O(1)", "key milliseconds value",
            "Stores a string that lives for some milliseconds."),
    row("set", -3, &[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, ACCESS, UPDATE, VARIABLE_FLAGS])])
        .doc("1.0.0", "O(1)",
            "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
                PXAT unix-time-milliseconds | KEEPTTL]",
            "Stores a string, whatever the key held before."),
    row("setex", 4, &[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE])])
        .doc("2.0.0", "O(1)", "key seconds value", "Stores a string that lives for some seconds."),
    row("setnx", 3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[OW, INSERT])])
        .doc("1.0.0", "O(1)", "key value", "Stores a string if the key does not exist."),
    row("setrange", 4, &[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, UPDATE])])
        .doc("2.2.0", "O(1), or O(M) to copy M bytes of a long value", "key offset value",
            "Overwrites part of a string, padding it with zeros."),
    row("strlen", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .doc("2.2.0", "O(1)", "key", "Gives the bytes in a string."),
    row("substr", 4, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .replaced("2.0.0", "GETRANGE")
        .doc("1.0.0", "O(N), N bytes returned", "key start end", "Gives part of a string."),
];
