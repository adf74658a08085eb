//! Rows of commands on keys of any type; [`spec`](super::spec) says how to read one.
//!
//! `EXPIRE session:9 60` is found here, checked for at least three words, and its shard locked
//! by argument 1.
//! The counterpart in Redis are the files of `src/commands/` whose group is `generic`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::Generic, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("copy", -3, &[WRITE, DENYOOM])
        .keys(&[key(1, &[RO, ACCESS]), key(2, &[OW, UPDATE])])
        .doc("6.2.0", "O(N), N elements of a collection; O(1) for a string",
            "source destination [DB destination-db] [REPLACE]",
            "Copies a value to another key."),
    row("del", -2, &[WRITE])
        .keys(&[key_run(1, -1, 1, &[RM, DELETE])])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc("1.0.0", "O(N), N keys, and for each collection its elements", "key [key ...]",
            "Deletes keys."),
    row("exists", -2, &[READONLY, FAST])
        .keys(&[key_run(1, -1, 1, &[RO])])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc("1.0.0", "O(N), N keys", "key [key ...]", "Counts which of the keys exist."),
    row("expire", -3, &[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .doc("1.0.0", "O(1)", "key seconds [NX | XX | GT | LT]",
            "Sets a deadline some seconds from now."),
    row("expireat", -3, &[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .doc("1.2.0", "O(1)", "key unix-time-seconds [NX | XX | GT | LT]",
            "Sets a deadline in seconds since 1970."),
    row("expiretime", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("7.0.0", "O(1)", "key", "Gives the deadline in seconds since 1970."),
    row("keys", 2, &[READONLY, ALL_KEYS])
        .in_categories(&[Categories::DANGEROUS, Categories::KEYSPACE])
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .doc("1.0.0", "O(N), N keys in the keyspace", "pattern",
            "Lists all keys that match a pattern; use SCAN where others wait."),
    row("move", 3, &[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("1.0.0", "O(1)", "key db", "Moves a key to another keyspace."),
    row("object", -2, &[])
        .in_categories(&[])
        .doc("2.2.3", "depends on the subcommand", "", "Looks at how a value is stored."),
    row("object|encoding", 3, &[READONLY])
        .keys(&[key(2, &[RO])])
        .tips(&["nondeterministic_output"])
        .doc("2.2.3", "O(1)", "key", "Names the structure that holds a value."),
    row("object|freq", 3, &[READONLY])
        .keys(&[key(2, &[RO])])
        .tips(&["nondeterministic_output"])
        .doc("4.0.0", "O(1)", "key", "Gives the access counter of a key, under an LFU policy."),
    row("object|help", 2, &[LOADING, STALE])
        .doc("6.2.0", "O(1)", "", "Lists the subcommands."),
    row("object|idletime", 3, &[READONLY])
        .keys(&[key(2, &[RO])])
        .tips(&["nondeterministic_output"])
        .doc("2.2.3", "O(1)", "key", "Gives the seconds since a key was used."),
    row("object|refcount", 3, &[READONLY])
        .keys(&[key(2, &[RO])])
        .tips(&["nondeterministic_output"])
        .doc("2.2.3", "O(1)", "key", "Gives the references to a value."),
    row("persist", 2, &[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .doc("2.2.0", "O(1)", "key", "Takes the deadline off a key."),
    row("pexpire", -3, &[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .doc("2.6.0", "O(1)", "key milliseconds [NX | XX | GT | LT]",
            "Sets a deadline some milliseconds from now."),
    row("pexpireat", -3, &[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .doc("2.6.0", "O(1)", "key unix-time-milliseconds [NX | XX | GT | LT]",
            "Sets a deadline in milliseconds since 1970."),
    row("pexpiretime", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("7.0.0", "O(1)", "key", "Gives the deadline in milliseconds since 1970."),
    row("pttl", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"])
        .doc("2.6.0", "O(1)", "key", "Gives the milliseconds a key has left."),
    row("randomkey", 1, &[READONLY, ALL_KEYS])
        .tips(&["request_policy:all_shards", "nondeterministic_output"])
        .doc("1.0.0", "O(1)", "", "Gives some key."),
    row("rename", 3, &[WRITE])
        .keys(&[key(1, &[RW, ACCESS, DELETE]), key(2, &[OW, UPDATE])])
        .doc("1.0.0", "O(1)", "key newkey", "Gives a value another key, replacing what was there."),
    row("renamenx", 3, &[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE]), key(2, &[OW, INSERT])])
        .doc("1.0.0", "O(1)", "key newkey", "Gives a value another key unless that one exists."),
    row("scan", -2, &[READONLY, ALL_KEYS])
        .tips(&["nondeterministic_output", "request_policy:special"])
        .doc("2.8.0", "O(1) a call, O(N) for all N keys",
            "cursor [MATCH pattern] [COUNT count] [TYPE type]",
            "Walks the keyspace a few keys at a time."),
    row("sort", -2, &[WRITE, DENYOOM, ALL_KEYS])
        .keys(&[key(1, &[RO, ACCESS]), unknown(&[RO, ACCESS]), stored(&[OW, UPDATE])])
        .in_categories(&[Categories::DANGEROUS, Categories::LIST, Categories::SET,
            Categories::SORTED_SET])
        .doc("1.0.0", "O(N+M*log(M)), N elements, M returned",
            "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] \
                [ALPHA] [STORE destination]",
            "Sorts a list, set or sorted set, and may store the result."),
    row("sort_ro", -2, &[READONLY, ALL_KEYS])
        .keys(&[key(1, &[RO, ACCESS]), unknown(&[RO, ACCESS])])
        .in_categories(&[Categories::DANGEROUS, Categories::LIST, Categories::SET,
            Categories::SORTED_SET])
        .doc("7.0.0", "O(N+M*log(M)), N elements, M returned",
            "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] \
                [ALPHA]",
            "Sorts a list, set or sorted set."),
    row("touch", -2, &[READONLY, FAST])
        .keys(&[key_run(1, -1, 1, &[RO])])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc("3.2.1", "O(N), N keys", "key [key ...]",
            "Counts as a use of keys, and gives how many exist."),
    row("ttl", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"])
        .doc("1.0.0", "O(1)", "key", "Gives the seconds a key has left."),
    row("type", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .doc("1.0.0", "O(1)", "key", "Names the type of a value."),
    row("unlink", -2, &[WRITE, FAST])
        .keys(&[key_run(1, -1, 1, &[RM, DELETE])])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc("4.0.0", "O(1) for each key; memory is freed later", "key [key ...]",
            "Deletes keys without waiting for their memory."),
    row("wait", 3, &[NOSCRIPT])
        .in_categories(&[Categories::CONNECTION])
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .doc("3.0.0", "O(1)", "numreplicas timeout",
            "Waits for replicas, of which there are none."),
];
