//! Rows of commands on channels; [`spec`](super::spec) says how to read one.
//!
//! `PUBLISH news hello` is found here, checked for exactly three words; it names no key and
//! locks no shard.
//! The counterpart in Redis are the files of `src/commands/` whose group is `pubsub`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::PubSub, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("psubscribe", -2, &[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_LISTENING])
        .doc("2.0.0", "O(N), N patterns of this client", "pattern [pattern ...]",
            "Listens to all channels that match patterns."),
    row("publish", 3, &[PUBSUB, LOADING, STALE, FAST])
        .doc("2.0.0", "O(N+M), N listeners of the channel, M patterns of all clients",
            "channel message",
            "Sends a message to a channel, and gives how many received it."),
    row("pubsub", -2, &[])
        .doc("2.8.0", "depends on the subcommand", "", "Looks at channels and listeners."),
    row("pubsub|channels", -2, &[PUBSUB, LOADING, STALE])
        .doc("2.8.0", "O(N), N channels", "[pattern]", "Lists channels that somebody listens to."),
    row("pubsub|help", 2, &[LOADING, STALE])
        .doc("6.2.0", "O(1)", "", "Lists the subcommands."),
    row("pubsub|numpat", 2, &[PUBSUB, LOADING, STALE])
        .doc("2.8.0", "O(1)", "", "Counts the patterns somebody listens to."),
    row("pubsub|numsub", -2, &[PUBSUB, LOADING, STALE])
        .doc("2.8.0", "O(N), N channels asked for", "[channel [channel ...]]",
            "Counts the listeners of channels."),
    row("pubsub|shardchannels", -2, &[PUBSUB, LOADING, STALE])
        .doc("7.0.0", "O(N), N shard channels", "[pattern]",
            "Lists shard channels that somebody listens to."),
    row("pubsub|shardnumsub", -2, &[PUBSUB, LOADING, STALE])
        .doc("7.0.0", "O(N), N shard channels asked for", "[shardchannel [shardchannel ...]]",
            "Counts the listeners of shard channels."),
    row("punsubscribe", -1, &[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_LISTENING])
        .doc("2.0.0", "O(N+M), N patterns of this client, M of all", "[pattern [pattern ...]]",
            "Stops listening to patterns, or to all of them."),
    row("spublish", 3, &[PUBSUB, LOADING, STALE, FAST])
        .keys(&[key(1, &[NOT_KEY])])
        .doc("7.0.0", "O(N), N listeners", "shardchannel message",
            "Sends a message to a shard channel."),
    row("ssubscribe", -2, &[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_LISTENING])
        .keys(&[key_run(1, -1, 1, &[NOT_KEY])])
        .doc("7.0.0", "O(N), N shard channels", "shardchannel [shardchannel ...]",
            "Listens to shard channels."),
    row("subscribe", -2, &[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_LISTENING])
        .doc("2.0.0", "O(N), N channels", "channel [channel ...]", "Listens to channels."),
    row("sunsubscribe", -1, &[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_LISTENING])
        .keys(&[key_run(1, -1, 1, &[NOT_KEY])])
        .doc("7.0.0", "O(N), N listeners", "[shardchannel [shardchannel ...]]",
            "Stops listening to shard channels, or to all of them."),
    row("unsubscribe", -1, &[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_LISTENING])
        .doc("2.0.0", "O(N), N listeners", "[channel [channel ...]]",
            "Stops listening to channels, or to all of them."),
];
