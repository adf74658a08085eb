//! Rows of set commands; [`spec`](super::spec) says how to read one.
//!
//! `SADD tags rust redis` is found here, checked for at least three words, and its shard
//! locked by argument 1.
//! The counterpart in Redis are the files of `src/commands/` whose group is `set`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::Set, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("sadd", -3, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, INSERT])])
        .doc("1.0.0", "O(N), N members", "key member [member ...]",
            "Adds members, and gives how many are new."),
    row("scard", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .doc("1.0.0", "O(1)", "key", "Counts the members."),
    row("sdiff", -2, &[READONLY])
        .keys(&[key_run(1, -1, 1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"])
        .doc("1.0.0", "O(N), N members of all sets", "key [key ...]",
            "Gives the members of the first set that no other has."),
    row("sdiffstore", -3, &[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE]), key_run(2, -1, 1, &[RO, ACCESS])])
        .doc("1.0.0", "O(N), N members of all sets", "destination key [key ...]",
            "Stores the members of the first set that no other has."),
    row("sinter", -2, &[READONLY])
        .keys(&[key_run(1, -1, 1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"])
        .doc("1.0.0", "O(N*M), N members of the smallest set, M sets", "key [key ...]",
            "Gives the members that all sets have."),
    row("sintercard", -3, &[READONLY])
        .keys(&[counted(1, &[RO, ACCESS])])
        .doc("7.0.0", "O(N*M), N members of the smallest set, M sets",
            "numkeys key [key ...] [LIMIT limit]",
            "Counts the members that all sets have."),
    row("sinterstore", -3, &[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, UPDATE]), key_run(2, -1, 1, &[RO, ACCESS])])
        .doc("1.0.0", "O(N*M), N members of the smallest set, M sets", "destination key [key ...]",
            "Stores the members that all sets have."),
    row("sismember", 3, &[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .doc("1.0.0", "O(1)", "key member", "Tells whether a set has a member."),
    row("smembers", 2, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"])
        .doc("1.0.0", "O(N), N members", "key", "Gives all members."),
    row("smismember", -3, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("6.2.0", "O(N), N members asked for", "key member [member ...]",
            "Tells which members a set has."),
    row("smove", 4, &[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE]), key(2, &[RW, INSERT])])
        .doc("1.0.0", "O(1)", "source destination member", "Moves a member to another set."),
    row("spop", -2, &[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE])])
        .tips(&["nondeterministic_output"])
        .doc("1.0.0", "O(N), N members", "key [count]", "Takes random members."),
    row("srandmember", -2, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"])
        .doc("1.0.0", "O(N), N members", "key [count]", "Gives random members."),
    row("srem", -3, &[WRITE, FAST])
        .keys(&[key(1, &[RW, DELETE])])
        .doc("1.0.0", "O(N), N members", "key member [member ...]", "Removes members."),
    row("sscan", -3, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"])
        .doc("2.8.0", "O(1) a call, O(N) for all N members",
            "key cursor [MATCH pattern] [COUNT count]",
            "Walks a set a few members at a time."),
    row("sunion", -2, &[READONLY])
        .keys(&[key_run(1, -1, 1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"])
        .doc("1.0.0", "O(N), N members of all sets", "key [key ...]",
            "Gives the members that any set has."),
    row("sunionstore", -3, &[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE]), key_run(2, -1, 1, &[RO, ACCESS])])
        .doc("1.0.0", "O(N), N members of all sets", "destination key [key ...]",
            "Stores the members that any set has."),
];
