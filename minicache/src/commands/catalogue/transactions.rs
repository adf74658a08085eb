//! Rows of commands that make transactions; [`spec`](super::spec) says how to read one.
//!
//! `EXEC` is found here, and executed inside `MULTI` instead of being queued.
//! The counterpart in Redis are the files of `src/commands/` whose group is `transactions`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::Transactions, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("discard", 1, &[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, RUNS_IN_MULTI])
        .doc("2.0.0", "O(N), N queued commands", "",
            "Drops the queued commands and ends the transaction."),
    row("exec", 1, &[NOSCRIPT, LOADING, STALE, SKIP_SLOWLOG, RUNS_IN_MULTI])
        .doc("1.2.0", "that of the queued commands", "",
            "Carries out the queued commands, unless a watched key changed."),
    row("multi", 1, &[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, RUNS_IN_MULTI])
        .doc("1.2.0", "O(1)", "", "Starts a transaction: commands are queued until EXEC."),
    row("unwatch", 1, &[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .doc("2.2.0", "O(1)", "", "Stops watching all keys."),
    row("watch", -2, &[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, RUNS_IN_MULTI])
        .keys(&[key_run(1, -1, 1, &[RO])])
        .doc("2.2.0", "O(1) for each key", "key [key ...]",
            "Makes EXEC depend on these keys staying as they are."),
];
