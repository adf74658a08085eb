//! Rows of sorted set commands; [`spec`](super::spec) says how to read one.
//!
//! `ZADD board 310 ada` is found here, checked for at least four words, and its shard locked
//! by argument 1.
//! The counterpart in Redis are the files of `src/commands/` whose group is `sorted-set`.

use super::*;

const fn row(name: &'static str, arity: i8, flags: &[Flags]) -> Command {
    Command::new(Group::SortedSet, name, arity, flags)
}

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("bzmpop", -5, &[WRITE, BLOCKING])
        .keys(&[counted(2, &[RW, ACCESS, DELETE])])
        .doc("7.0.0", "O(K)+O(M*log(N)), K keys, N members, M taken",
            "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
            "Takes members from the first sorted set that has some, waiting for one."),
    row("bzpopmax", -3, &[WRITE, NOSCRIPT, BLOCKING, FAST])
        .keys(&[key_run(1, -2, 1, &[RW, ACCESS, DELETE])])
        .doc("5.0.0", "O(log(N)), N members", "key [key ...] timeout",
            "Takes the highest member of the first sorted set that has one, waiting for it."),
    row("bzpopmin", -3, &[WRITE, NOSCRIPT, BLOCKING, FAST])
        .keys(&[key_run(1, -2, 1, &[RW, ACCESS, DELETE])])
        .doc("5.0.0", "O(log(N)), N members", "key [key ...] timeout",
            "Takes the lowest member of the first sorted set that has one, waiting for it."),
    row("zadd", -4, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .doc("1.2.0", "O(log(N)) for each pair, N members",
            "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
            "Adds members or changes their scores."),
    row("zcard", 2, &[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .doc("1.2.0", "O(1)", "key", "Counts the members."),
    row("zcount", 4, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("2.0.0", "O(log(N)), N members", "key min max",
            "Counts the members with scores in a range."),
    row("zdiff", -3, &[READONLY])
        .keys(&[counted(1, &[RO, ACCESS])])
        .doc("6.2.0", "O(L+(N-K)log(N)), L members of all, N of the first, K in the result",
            "numkeys key [key ...] [WITHSCORES]",
            "Gives the members of the first sorted set that no other has."),
    row("zdiffstore", -4, &[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE]), counted(2, &[RO, ACCESS])])
        .doc("6.2.0", "O(L+(N-K)log(N)), L members of all, N of the first, K in the result",
            "destination numkeys key [key ...]",
            "Stores the members of the first sorted set that no other has."),
    row("zincrby", 4, &[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .doc("1.2.0", "O(log(N)), N members", "key increment member",
            "Adds to the score of a member."),
    row("zinter", -3, &[READONLY])
        .keys(&[counted(1, &[RO, ACCESS])])
        .doc("6.2.0", "O(N*K)+O(M*log(M)), N members of the smallest, K sets, M in the result",
            "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] \
                [WITHSCORES]",
            "Gives the members that all sorted sets have."),
    row("zintercard", -3, &[READONLY])
        .keys(&[counted(1, &[RO, ACCESS])])
        .doc("7.0.0", "O(N*K), N members of the smallest, K sets",
            "numkeys key [key ...] [LIMIT limit]",
            "Counts the members that all sorted sets have."),
    row("zinterstore", -4, &[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE]), counted(2, &[RO, ACCESS])])
        .doc("2.0.0", "O(N*K)+O(M*log(M)), N members of the smallest, K sets, M in the result",
            "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | \
                MIN | MAX>]",
            "Stores the members that all sorted sets have."),
    row("zlexcount", 4, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("2.8.9", "O(log(N)), N members", "key min max",
            "Counts the members between two texts, where scores are equal."),
    row("zmpop", -4, &[WRITE])
        .keys(&[counted(1, &[RW, ACCESS, DELETE])])
        .doc("7.0.0", "O(K)+O(M*log(N)), K keys, N members, M taken",
            "numkeys key [key ...] <MIN | MAX> [COUNT count]",
            "Takes members from the first sorted set that has some."),
    row("zmscore", -3, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("6.2.0", "O(N), N members asked for", "key member [member ...]",
            "Gives the scores of members."),
    row("zpopmax", -2, &[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE])])
        .doc("5.0.0", "O(M*log(N)), N members, M taken", "key [count]",
            "Takes the highest members."),
    row("zpopmin", -2, &[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE])])
        .doc("5.0.0", "O(M*log(N)), N members, M taken", "key [count]",
            "Takes the lowest members."),
    row("zrandmember", -2, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"])
        .doc("6.2.0", "O(N), N members returned", "key [count [WITHSCORES]]",
            "Gives random members."),
    row("zrange", -4, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("1.2.0", "O(log(N)+M), N members, M returned",
            "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
            "Gives the members in a range of ranks, scores or texts."),
    row("zrangebylex", -4, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .replaced("6.2.0", "ZRANGE BYLEX")
        .doc("2.8.9", "O(log(N)+M), N members, M returned", "key min max [LIMIT offset count]",
            "Gives the members between two texts, where scores are equal."),
    row("zrangebyscore", -4, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .replaced("6.2.0", "ZRANGE BYSCORE")
        .doc("1.0.5", "O(log(N)+M), N members, M returned",
            "key min max [WITHSCORES] [LIMIT offset count]",
            "Gives the members with scores in a range."),
    row("zrangestore", -5, &[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE]), key(2, &[RO, ACCESS])])
        .doc("6.2.0", "O(log(N)+M), N members, M stored",
            "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
            "Stores the members in a range of ranks, scores or texts."),
    row("zrank", 3, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("2.0.0", "O(log(N))", "key member", "Gives the rank of a member, lowest score first."),
    row("zrem", -3, &[WRITE, FAST])
        .keys(&[key(1, &[RW, DELETE])])
        .doc("1.2.0", "O(M*log(N)), N members, M removed", "key member [member ...]",
            "Removes members."),
    row("zremrangebylex", 4, &[WRITE])
        .keys(&[key(1, &[RW, DELETE])])
        .doc("2.8.9", "O(log(N)+M), N members, M removed", "key min max",
            "Removes the members between two texts, where scores are equal."),
    row("zremrangebyrank", 4, &[WRITE])
        .keys(&[key(1, &[RW, DELETE])])
        .doc("2.0.0", "O(log(N)+M), N members, M removed", "key start stop",
            "Removes the members in a range of ranks."),
    row("zremrangebyscore", 4, &[WRITE])
        .keys(&[key(1, &[RW, DELETE])])
        .doc("1.2.0", "O(log(N)+M), N members, M removed", "key min max",
            "Removes the members with scores in a range."),
    row("zrevrange", -4, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .replaced("6.2.0", "ZRANGE REV")
        .doc("1.2.0", "O(log(N)+M), N members, M returned", "key start stop [WITHSCORES]",
            "Gives the members in a range of ranks, highest score first."),
    row("zrevrangebylex", -4, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .replaced("6.2.0", "ZRANGE REV BYLEX")
        .doc("2.8.9", "O(log(N)+M), N members, M returned", "key max min [LIMIT offset count]",
            "Gives the members between two texts, last first."),
    row("zrevrangebyscore", -4, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .replaced("6.2.0", "ZRANGE REV BYSCORE")
        .doc("2.2.0", "O(log(N)+M), N members, M returned",
            "key max min [WITHSCORES] [LIMIT offset count]",
            "Gives the members with scores in a range, highest first."),
    row("zrevrank", 3, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("2.0.0", "O(log(N))", "key member",
            "Gives the rank of a member, highest score first."),
    row("zscan", -3, &[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"])
        .doc("2.8.0", "O(1) a call, O(N) for all N members",
            "key cursor [MATCH pattern] [COUNT count]",
            "Walks a sorted set a few members at a time."),
    row("zscore", 3, &[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .doc("1.2.0", "O(1)", "key member", "Gives the score of a member."),
    row("zunion", -3, &[READONLY])
        .keys(&[counted(1, &[RO, ACCESS])])
        .doc("6.2.0", "O(N)+O(M*log(M)), N members of all, M in the result",
            "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] \
                [WITHSCORES]",
            "Gives the members that any sorted set has."),
    row("zunionstore", -4, &[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE]), counted(2, &[RO, ACCESS])])
        .doc("2.0.0", "O(N)+O(M*log(M)), N members of all, M in the result",
            "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | \
                MIN | MAX>]",
            "Stores the members that any sorted set has."),
];
