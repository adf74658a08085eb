//! Rows of commands on the connection itself; [`spec`](super::spec) says how to read one.
//!
//! `CLIENT SETNAME worker` is found here, as the row `client|setname`; three words, no key.
//! The counterpart in Redis are the files of `src/commands/` whose group is `connection`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::Connection, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("auth", -2, &[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .doc("1.0.0", "O(N), N passwords of the user", "[username] password", "Says who you are."),
    row("client", -2, &[])
        .in_categories(&[])
        .doc("2.4.0", "depends on the subcommand", "", "Looks at connections and steers them."),
    row("client|caching", 3, &[NOSCRIPT, LOADING, STALE])
        .doc("6.0.0", "O(1)", "<YES | NO>",
            "Says whether the next command is tracked (OPTIN, OPTOUT)."),
    row("client|getname", 2, &[NOSCRIPT, LOADING, STALE])
        .doc("2.6.9", "O(1)", "", "Gives the name of this connection."),
    row("client|getredir", 2, &[NOSCRIPT, LOADING, STALE])
        .doc("6.0.0", "O(1)", "",
            "Gives the connection that receives the invalidations of this one."),
    row("client|help", 2, &[LOADING, STALE])
        .doc("5.0.0", "O(1)", "", "Lists the subcommands."),
    row("client|id", 2, &[NOSCRIPT, LOADING, STALE])
        .doc("5.0.0", "O(1)", "", "Gives the number of this connection."),
    row("client|info", 2, &[NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output"])
        .doc("6.2.0", "O(1)", "", "Describes this connection."),
    row("client|kill", -3, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .doc("2.4.0", "O(N), N connections",
            "<ip:port | [ID client-id] [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] \
                [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME yes/no]>",
            "Closes connections."),
    row("client|list", -2, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output"])
        .doc("2.4.0", "O(N), N connections",
            "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
            "Describes connections, a line each."),
    row("client|no-evict", 3, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .doc("7.0.0", "O(1)", "<ON | OFF>", "Exempts this connection from maxmemory-clients."),
    row("client|pause", -3, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .doc("2.9.50", "O(1)", "timeout [WRITE | ALL]",
            "Holds up commands of all clients for some milliseconds."),
    row("client|reply", 3, &[NOSCRIPT, LOADING, STALE])
        .doc("3.2.0", "O(1)", "<ON | OFF | SKIP>",
            "Turns the replies to this connection off and on."),
    row("client|setinfo", 4, &[NOSCRIPT, LOADING, STALE])
        .doc("7.2.0", "O(1)", "<LIB-NAME libname | LIB-VER libver>",
            "Notes the library behind this connection."),
    row("client|setname", 3, &[NOSCRIPT, LOADING, STALE])
        .doc("2.6.9", "O(1)", "connection-name", "Names this connection."),
    row("client|tracking", -3, &[NOSCRIPT, LOADING, STALE])
        .doc("6.0.0", "O(1), more with some options",
            "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] \
                [OPTIN] [OPTOUT] [NOLOOP]",
            "Turns invalidation messages for client-side caches on and off."),
    row("client|trackinginfo", 2, &[NOSCRIPT, LOADING, STALE])
        .doc("6.2.0", "O(1)", "", "Tells how this connection is tracked."),
    row("client|unblock", -3, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .doc("5.0.0", "O(log N), N connections", "client-id [TIMEOUT | ERROR]",
            "Ends the waiting of a blocked client."),
    row("client|unpause", 2, &[ADMIN, NOSCRIPT, LOADING, STALE])
        .doc("6.2.0", "O(N), N held clients", "", "Ends CLIENT PAUSE."),
    row("echo", 2, &[LOADING, STALE, FAST])
        .doc("1.0.0", "O(1)", "message", "Gives back what it was given."),
    row("hello", -1, &[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .doc("6.0.0", "O(1)", "[protover [AUTH username password] [SETNAME clientname]]",
            "Changes the protocol, and says who you are along the way."),
    row("ping", -1, &[FAST, WHILE_LISTENING])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("1.0.0", "O(1)", "[message]", "Answers PONG, or what it was given."),
    row("quit", -1, &[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, RUNS_IN_MULTI,
            WHILE_LISTENING])
        .doc("1.0.0", "O(1)", "", "Closes this connection."),
    row("reset", 1, &[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, RUNS_IN_MULTI,
            WHILE_LISTENING])
        .doc("6.2.0", "O(1)", "", "Makes this connection as good as new."),
    row("select", 2, &[LOADING, STALE, FAST])
        .doc("1.0.0", "O(1)", "index", "Changes the keyspace of this connection."),
];
