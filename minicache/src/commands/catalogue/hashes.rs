//! Rows of hash commands; [`spec`](super::spec) says how to read one.
//!
//! `HSET user:1 name Ada` is found here, checked for at least four words, and its shard locked
//! by argument 1.
//! The counterpart in Redis are the files of `src/commands/` whose group is `hash`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::Hash, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("hdel", -3, &[WRITE, FAST])
        .keys(&[key(1, &[RW, DELETE])])
        .doc("2.0.0", "O(N), N fields", "key field [field ...]", "Deletes fields."),
    row("hexists", 3, &[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .doc("2.0.0", "O(1)", "key field", "Tells whether a field exists."),
    row("hget", 3, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("2.0.0", "O(1)", "key field", "Gives the value of a field."),
    row("hgetall", 2, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"])
        .doc("2.0.0", "O(N), N fields", "key", "Gives all fields and values."),
    row("hincrby", 4, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("2.0.0", "O(1)", "key field increment",
            "Adds a number to the integer in a field, which starts at 0."),
    row("hincrbyfloat", 4, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("2.6.0", "O(1)", "key field increment",
            "Adds a number with decimals to the one in a field, which starts at 0."),
    row("hkeys", 2, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"])
        .doc("2.0.0", "O(N), N fields", "key", "Gives all fields."),
    row("hlen", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .doc("2.0.0", "O(1)", "key", "Counts the fields."),
    row("hmget", -3, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("2.0.0", "O(N), N fields asked for", "key field [field ...]",
            "Gives the values of several fields."),
    row("hmset", -4, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .replaced("4.0.0", "HSET")
        .doc("2.0.0", "O(N), N fields", "key field value [field value ...]",
            "Sets several fields."),
    row("hrandfield", -2, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"])
        .doc("6.2.0", "O(N), N fields returned", "key [count [WITHVALUES]]",
            "Gives random fields."),
    row("hscan", -3, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"])
        .doc("2.8.0", "O(1) a call, O(N) for all N fields",
            "key cursor [MATCH pattern] [COUNT count]",
            "Walks a hash a few fields at a time."),
    row("hset", -4, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .doc("2.0.0", "O(N), N fields", "key field value [field value ...]",
            "Sets fields, and gives how many are new."),
    row("hsetnx", 4, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, INSERT])])
        .doc("2.0.0", "O(1)", "key field value", "Sets a field unless it exists."),
    row("hstrlen", 3, &[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .doc("3.2.0", "O(1)", "key field", "Gives the bytes in the value of a field."),
    row("hvals", 2, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"])
        .doc("2.0.0", "O(N), N fields", "key", "Gives all values."),
];
