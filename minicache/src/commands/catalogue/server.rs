//! Rows of commands on the server itself; [`spec`](super::spec) says how to read one.
//!
//! `CONFIG SET maxmemory 1gb` is found here, as the row `config|set`; at least four words, no key.
//! The counterpart in Redis are the files of `src/commands/` whose group is `server` or
//! `scripting`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::Server, name, arity, flags)
}

const fn script(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::Scripting, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("acl", -2, &[])
        .doc("6.0.0", "depends on the subcommand", "", "Looks at users and what they may do."),
    row("acl|cat", -2, &[NOSCRIPT, LOADING, STALE])
        .doc("6.0.0", "O(1), the categories being fixed", "[categoryname]",
            "Lists categories, or the commands in one."),
    row("acl|help", 2, &[LOADING, STALE])
        .doc("6.0.0", "O(1)", "", "Lists the subcommands."),
    row("acl|users", 2, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .doc("6.0.0", "O(1)", "", "Lists the users, of whom there is one."),
    row("acl|whoami", 2, &[NOSCRIPT, LOADING, STALE])
        .doc("6.0.0", "O(1)", "", "Names the user of this connection."),
    row("bgrewriteaof", 1, &[ADMIN, NOSCRIPT, NO_ASYNC_LOADING])
        .doc("1.0.0", "O(1)", "", "Answers as if the log were rewritten; there is none."),
    row("bgsave", -1, &[ADMIN, NOSCRIPT, NO_ASYNC_LOADING])
        .doc("1.0.0", "O(1)", "[SCHEDULE]",
            "Answers as if a snapshot were started; there are none."),
    row("command", -1, &[LOADING, STALE])
        .in_categories(&[Categories::CONNECTION])
        .tips(&["nondeterministic_output_order"])
        .doc("2.8.13", "O(N), N commands", "", "Describes every command."),
    row("command|count", 2, &[LOADING, STALE])
        .in_categories(&[Categories::CONNECTION])
        .doc("2.8.13", "O(1)", "", "Counts the commands."),
    row("command|docs", -2, &[LOADING, STALE])
        .in_categories(&[Categories::CONNECTION])
        .tips(&["nondeterministic_output_order"])
        .doc("7.0.0", "O(N), N commands asked for", "[command-name [command-name ...]]",
            "Gives what help shows about commands."),
    row("command|getkeys", -4, &[LOADING, STALE])
        .in_categories(&[Categories::CONNECTION])
        .doc("2.8.13", "O(N), N arguments", "command argument [argument ...]",
            "Picks the keys out of a command line."),
    row("command|getkeysandflags", -4, &[LOADING, STALE])
        .in_categories(&[Categories::CONNECTION])
        .doc("7.0.0", "O(N), N arguments", "command argument [argument ...]",
            "Picks the keys out of a command line, and says what happens to each."),
    row("command|help", 2, &[LOADING, STALE])
        .in_categories(&[Categories::CONNECTION])
        .doc("5.0.0", "O(1)", "", "Lists the subcommands."),
    row("command|info", -2, &[LOADING, STALE])
        .in_categories(&[Categories::CONNECTION])
        .tips(&["nondeterministic_output_order"])
        .doc("2.8.13", "O(N), N commands asked for", "[command-name [command-name ...]]",
            "Describes some commands."),
    row("command|list", -2, &[LOADING, STALE])
        .in_categories(&[Categories::CONNECTION])
        .tips(&["nondeterministic_output_order"])
        .doc("7.0.0", "O(N), N commands",
            "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
            "Lists the names of commands."),
    row("config", -2, &[])
        .doc("2.0.0", "depends on the subcommand", "", "Reads and changes parameters."),
    row("config|get", -3, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .doc("2.0.0", "O(N), N parameters asked for", "parameter [parameter ...]",
            "Gives parameters that match."),
    row("config|help", 2, &[LOADING, STALE])
        .doc("5.0.0", "O(1)", "", "Lists the subcommands."),
    row("config|resetstat", 2, &[ADMIN, NOSCRIPT, LOADING, STALE, ALL_KEYS])
        .doc("2.0.0", "O(1)", "", "Sets the counters of INFO to zero."),
    row("config|rewrite", 2, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .doc("2.8.0", "O(1)", "", "Writes the parameters back to their file."),
    row("config|set", -4, &[ADMIN, NOSCRIPT, LOADING, STALE, ALL_KEYS])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .doc("2.0.0", "O(N), N parameters", "parameter value [parameter value ...]",
            "Changes parameters, all or none."),
    row("dbsize", 1, &[READONLY, FAST, ALL_KEYS])
        .in_categories(&[Categories::KEYSPACE])
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .doc("1.0.0", "O(1)", "", "Counts the keys of this keyspace."),
    row("debug", -2, &[ADMIN, NOSCRIPT, LOADING, STALE, ALL_KEYS])
        .doc("1.0.0", "depends on the subcommand", "subcommand [argument ...]",
            "For tests: look inside, sleep, fill."),
    row("flushall", -1, &[WRITE, ALL_KEYS])
        .in_categories(&[Categories::DANGEROUS, Categories::KEYSPACE])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("1.0.0", "O(N), N keys", "[ASYNC | SYNC]", "Deletes every key of every keyspace."),
    row("flushdb", -1, &[WRITE, ALL_KEYS])
        .in_categories(&[Categories::DANGEROUS, Categories::KEYSPACE])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("1.0.0", "O(N), N keys", "[ASYNC | SYNC]", "Deletes every key of this keyspace."),
    row("info", -1, &[LOADING, STALE, ALL_KEYS])
        .in_categories(&[Categories::DANGEROUS])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .doc("1.0.0", "O(1)", "[section [section ...]]",
            "Tells about the server, its memory, clients and counters."),
    row("lastsave", 1, &[LOADING, STALE, FAST])
        .in_categories(&[Categories::ADMIN, Categories::DANGEROUS])
        .tips(&["nondeterministic_output"])
        .doc("1.0.0", "O(1)", "", "Gives the time of the last snapshot; there are none."),
    row("latency", -2, &[])
        .doc("2.8.13", "depends on the subcommand", "", "Looks at how long things take."),
    row("latency|doctor", 2, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .doc("2.8.13", "O(1)", "", "Says in prose what was slow."),
    row("latency|graph", 3, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .doc("2.8.13", "O(1)", "event", "Draws the latest latencies of an event."),
    row("latency|help", 2, &[LOADING, STALE])
        .doc("2.8.13", "O(1)", "", "Lists the subcommands."),
    row("latency|histogram", -2, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .doc("7.0.0", "O(N), N commands", "[command [command ...]]",
            "Gives how long commands took, in powers of two."),
    row("latency|history", 3, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .doc("2.8.13", "O(1)", "event", "Gives the latest latencies of an event."),
    row("latency|latest", 2, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .doc("2.8.13", "O(1)", "", "Gives the latest and the worst latency of each event."),
    row("latency|reset", -2, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .doc("2.8.13", "O(1)", "[event [event ...]]", "Forgets the latencies of events."),
    row("lolwut", -1, &[READONLY, FAST])
        .doc("5.0.0", "O(1)", "[VERSION version]", "Draws something, and says the version."),
    row("memory", -2, &[])
        .doc("4.0.0", "depends on the subcommand", "", "Looks at where the memory is."),
    row("memory|doctor", 2, &[])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .doc("4.0.0", "O(1)", "", "Says in prose what takes memory."),
    row("memory|help", 2, &[LOADING, STALE])
        .doc("4.0.0", "O(1)", "", "Lists the subcommands."),
    row("memory|malloc-stats", 2, &[])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .doc("4.0.0", "O(1)", "", "Gives what the allocator tells."),
    row("memory|purge", 2, &[])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("4.0.0", "O(N), N free slots", "", "Gives unused memory back."),
    row("memory|stats", 2, &[ALL_KEYS])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .doc("4.0.0", "O(1)", "", "Gives where the memory is, in numbers."),
    row("memory|usage", -3, &[READONLY])
        .keys(&[key(2, &[RO])])
        .doc("4.0.0", "O(N), N elements looked at", "key [SAMPLES count]",
            "Gives the bytes behind a key."),
    row("module", -2, &[])
        .doc("4.0.0", "depends on the subcommand", "", "Looks at modules; there are none."),
    row("module|help", 2, &[LOADING, STALE])
        .doc("5.0.0", "O(1)", "", "Lists the subcommands."),
    row("module|list", 2, &[ADMIN, NOSCRIPT])
        .tips(&["nondeterministic_output_order"])
        .doc("4.0.0", "O(1)", "", "Lists the modules, of which there are none."),
    row("monitor", 1, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .doc("1.0.0", "O(1)", "", "Shows every command as it arrives."),
    row("replicaof", 3, &[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING])
        .doc("5.0.0", "O(1)", "host port",
            "Accepts to be nobody's replica, and nothing else."),
    row("role", 1, &[NOSCRIPT, LOADING, STALE, FAST])
        .in_categories(&[Categories::ADMIN, Categories::DANGEROUS])
        .doc("2.8.12", "O(1)", "", "Tells that this is a primary without replicas."),
    row("save", 1, &[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI])
        .doc("1.0.0", "O(1)", "", "Answers as if a snapshot were written; there are none."),
    row("shutdown", -1, &[ADMIN, NOSCRIPT, LOADING, STALE, NO_MULTI, ALLOW_BUSY])
        .doc("1.0.0", "O(1)", "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]", "Ends the server."),
    row("slaveof", 3, &[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING])
        .replaced("5.0.0", "REPLICAOF")
        .doc("1.0.0", "O(1)", "host port",
            "Accepts to be nobody's replica, and nothing else."),
    row("slowlog", -2, &[])
        .doc("2.2.12", "depends on the subcommand", "", "Looks at commands that took long."),
    row("slowlog|get", -2, &[ADMIN, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .doc("2.2.12", "O(N), N entries", "[count]", "Gives the latest entries."),
    row("slowlog|help", 2, &[LOADING, STALE])
        .doc("6.2.0", "O(1)", "", "Lists the subcommands."),
    row("slowlog|len", 2, &[ADMIN, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"])
        .doc("2.2.12", "O(1)", "", "Counts the entries."),
    row("slowlog|reset", 2, &[ADMIN, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .doc("2.2.12", "O(N), N entries", "", "Forgets all entries."),
    row("swapdb", 3, &[WRITE, FAST, ALL_KEYS])
        .in_categories(&[Categories::DANGEROUS, Categories::KEYSPACE])
        .doc("4.0.0", "O(N), N clients that watch or wait in either", "index1 index2",
            "Exchanges two keyspaces."),
    row("time", 1, &[LOADING, STALE, FAST])
        .tips(&["nondeterministic_output"])
        .doc("2.6.0", "O(1)", "", "Gives seconds and microseconds since 1970."),
    script("function", -2, &[])
        .in_categories(&[])
        .doc("7.0.0", "depends on the subcommand", "",
            "Manages functions, of which there are none."),
    script("function|flush", -2, &[WRITE, NOSCRIPT])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("7.0.0", "O(N), N functions", "[ASYNC | SYNC]",
            "Deletes all functions, of which there are none."),
    script("function|help", 2, &[LOADING, STALE])
        .doc("7.0.0", "O(1)", "", "Lists the subcommands."),
    script("function|list", -2, &[NOSCRIPT])
        .tips(&["nondeterministic_output_order"])
        .doc("7.0.0", "O(1)", "[LIBRARYNAME library-name-pattern] [WITHCODE]",
            "Lists the functions, of which there are none."),
    script("script", -2, &[])
        .in_categories(&[])
        .doc("2.6.0", "depends on the subcommand", "", "Manages scripts, of which there are none."),
    script("script|exists", -3, &[NOSCRIPT])
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
        .doc("2.6.0", "O(N), N scripts asked for", "sha1 [sha1 ...]",
            "Looks whether scripts are known, of which there are none."),
    script("script|flush", -2, &[NOSCRIPT])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .doc("2.6.0", "O(N), N scripts", "[ASYNC | SYNC]",
            "Forgets all scripts, of which there are none."),
    script("script|help", 2, &[LOADING, STALE])
        .doc("5.0.0", "O(1)", "", "Lists the subcommands."),
];
