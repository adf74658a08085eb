import static java.util.Map.entry;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol.Keyword;
import redis.clients.jedis.args.ListDirection;
import redis.clients.jedis.args.ListPosition;
import redis.clients.jedis.args.SortedSetOption;
import redis.clients.jedis.params.LPosParams;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.ZAddParams;
import redis.clients.jedis.params.ZIncrByParams;
import redis.clients.jedis.params.ZParams;
import redis.clients.jedis.params.ZRangeParams;
import redis.clients.jedis.resps.Tuple;
import redis.clients.jedis.util.KeyValue;

/** Lists, hashes, sets, sorted sets. */
class Containers extends Harness {
    static final Map<Integer, Behavior> ALL = Map.ofEntries(
        entry(15, Containers::lists),
        entry(16, Containers::lpos),
        entry(17, Containers::listMoves),
        entry(18, Containers::blockingPops),
        entry(19, Containers::blockingMoves),
        entry(20, Containers::hashes),
        entry(21, Containers::hashCounters),
        entry(22, Containers::randomFields),
        entry(23, Containers::hscan),
        entry(24, Containers::sets),
        entry(25, Containers::setAlgebra),
        entry(26, Containers::randomMembers),
        entry(27, Containers::sscan),
        entry(28, Containers::zadd),
        entry(29, Containers::zrange),
        entry(30, Containers::zrangestore),
        entry(31, Containers::zsetAlgebra),
        entry(32, Containers::zpops),
        entry(33, Containers::zscanZrandmember),
        entry(34, Containers::edgeScores));

    private Containers() {
        super(null, null);
    }

    static void lists(Jedis j, Harness h) {
        is(j.lpushx("l", "x"), 0L);
        is(j.rpush("l", "b", "c", "d"), 3L);
        is(j.lpush("l", "a"), 4L);
        is(j.lrange("l", 0, -1), List.of("a", "b", "c", "d"));
        is(j.lrange("l", -2, 100), List.of("c", "d"));
        is(List.of(j.lindex("l", 0), j.lindex("l", -1)), List.of("a", "d"));
        is(j.lindex("l", 9), null);
        is(j.lset("l", 1, "B"), "OK");
        refused(() -> j.lset("l", 9, "x"), "index out of range");
        is(j.linsert("l", ListPosition.BEFORE, "c", "b2"), 5L);
        is(j.linsert("l", ListPosition.AFTER, "none", "x"), -1L);
        is(j.lrem("l", -1, "b2"), 1L);
        is(j.ltrim("l", 1, -1), "OK");
        is(j.lpop("l"), "B");
        is(j.rpop("l", 5), List.of("d", "c"));
        is(j.lpop("l"), null);
        is(j.llen("l"), 0L);
        is(j.exists("l"), false);
    }

    static void lpos(Jedis j, Harness h) {
        j.rpush("l", "abcdacb".split(""));
        is(j.lpos("l", "c"), 2L);
        is(j.lpos("l", "c", new LPosParams().rank(-1)), 5L);
        is(j.lpos("l", "a", new LPosParams(), 0), List.of(0L, 4L));
        is(j.lpos("l", "c", new LPosParams().maxlen(2)), null);
        refused(() -> j.lpos("l", "a", new LPosParams().rank(0)), "RANK can't be zero");
    }

    static void listMoves(Jedis j, Harness h) {
        j.rpush("a", "1", "2", "3");
        is(j.lmove("a", "b", ListDirection.LEFT, ListDirection.RIGHT), "1");
        is(j.rpoplpush("a", "b"), "3");
        is(j.lrange("b", 0, -1), List.of("3", "1"));
        is(j.lmove("none", "b", ListDirection.LEFT, ListDirection.RIGHT), null);
        var popped = j.lmpop(ListDirection.RIGHT, 5, "none", "b");
        is(popped, KeyValue.of("b", List.of("1", "3")));
        is(j.lmpop(ListDirection.LEFT, "none"), null);
    }

    static void blockingPops(Jedis j, Harness h) throws Exception {
        j.rpush("l", "v");
        is(j.blpop(1.0, "none", "l"), KeyValue.of("l", "v"));
        is(j.blpop(0.05, "l"), null);
        var late = h.whileBlocked(j, c -> c.brpop(10.0, "x", "y"), () -> j.rpush("y", "late"));
        is(late, KeyValue.of("y", "late"));
        is(j.exists("y"), false);
        refused(() -> j.blpop(-1.0, "l"), "timeout is negative");
    }

    static void blockingMoves(Jedis j, Harness h) throws Exception {
        ListDirection left = ListDirection.LEFT;
        ListDirection right = ListDirection.RIGHT;
        is(j.blmove("a", "b", left, right, 0.05), null);
        var moved = h.whileBlocked(
            j, c -> c.blmove("a", "b", left, right, 10), () -> j.rpush("a", "v"));
        is(moved, "v");
        is(j.lrange("b", 0, -1), List.of("v"));
        is(j.blmpop(0.05, left, "a"), null);
        var popped = h.whileBlocked(
            j, c -> c.blmpop(10, left, 2, "a", "c"), () -> j.rpush("c", "1", "2", "3"));
        is(popped, KeyValue.of("c", List.of("1", "2")));
        is(j.lrange("c", 0, -1), List.of("3"));
    }

    static void hashes(Jedis j, Harness h) {
        is(j.hset("h", Map.of("a", "1", "b", "2")), 2L);
        is(j.hset("h", "a", "x"), 0L);
        is(j.hget("h", "a"), "x");
        is(j.hget("h", "none"), null);
        is(j.hmget("h", "a", "none", "b"), Arrays.asList("x", null, "2"));
        is(j.hgetAll("h"), Map.of("a", "x", "b", "2"));
        is(j.hgetAll("none"), Map.of());
        is(j.hkeys("h"), Set.of("a", "b"));
        is(new HashSet<>(j.hvals("h")), Set.of("x", "2"));
        is(List.of(j.hexists("h", "a"), j.hexists("h", "none")), List.of(true, false));
        is(j.hlen("h"), 2L);
        is(List.of(j.hsetnx("h", "a", "1"), j.hsetnx("h", "c", "ccc")), List.of(0L, 1L));
        is(j.hstrlen("h", "c"), 3L);
        is(j.hdel("h", "a", "b", "c", "none"), 3L);
        is(j.exists("h"), false);
    }

    static void hashCounters(Jedis j, Harness h) {
        is(j.hincrBy("h", "n", 5), 5L);
        is(j.hincrBy("h", "n", -7), -2L);
        is(j.hincrByFloat("h", "f", 2.25), 2.25);
        is(j.hget("h", "f"), "2.25");
        j.hset("h", "t", "x");
        refused(() -> j.hincrBy("h", "t", 1), "hash value is not an integer");
        refused(() -> j.hincrByFloat("h", "t", 1), "hash value is not a float");
    }

    static void randomFields(Jedis j, Harness h) {
        var pairs = numbered("f", 10, String::valueOf);
        j.hset("h", pairs);
        is(pairs.containsKey(j.hrandfield("h")), true);
        is(new HashSet<>(j.hrandfield("h", 20)), pairs.keySet());
        is(j.hrandfield("h", -20).size(), 20);
        var drawn = j.hrandfieldWithValues("h", 3);
        is(drawn.size(), 3);
        drawn.forEach(pair -> is(pair.getValue(), pairs.get(pair.getKey())));
        is(j.hrandfield("none"), null);
    }

    /** From prefix0 to prefix(count - 1), each with the value for its number. */
    private static <V> Map<String, V> numbered(String prefix, int count, IntFunction<V> value) {
        var numbers = IntStream.range(0, count).boxed();
        return numbers.collect(Collectors.toMap(i -> prefix + i, value::apply));
    }

    static void hscan(Jedis j, Harness h) {
        var pairs = numbered("f", 1000, String::valueOf);
        j.hset("h", pairs);
        var params = new ScanParams().count(100);
        is(Keyspace.everything((at, p) -> j.hscan("h", at, p), params), pairs.entrySet());
        var matching = new ScanParams().match("f99?").count(1000);
        is(Keyspace.everything((at, p) -> j.hscan("h", at, p), matching).size(), 10);
    }

    static void sets(Jedis j, Harness h) {
        is(j.sadd("s", "a", "b", "c", "a"), 3L);
        is(j.smembers("s"), Set.of("a", "b", "c"));
        is(List.of(j.sismember("s", "a"), j.sismember("s", "x")), List.of(true, false));
        is(j.smismember("s", "a", "x", "c"), List.of(true, false, true));
        is(List.of(j.scard("s"), j.srem("s", "a", "x")), List.of(3L, 1L));
        is(List.of(j.smove("s", "t", "b"), j.smove("s", "t", "x")), List.of(1L, 0L));
        is(List.of(j.smembers("s"), j.smembers("t")), List.of(Set.of("c"), Set.of("b")));
    }

    static void setAlgebra(Jedis j, Harness h) {
        j.sadd("a", "1", "2", "3", "4");
        j.sadd("b", "3", "4", "5");
        is(j.sinter("a", "b"), Set.of("3", "4"));
        is(j.sunion("a", "b"), Set.of("1", "2", "3", "4", "5"));
        is(j.sdiff("a", "b"), Set.of("1", "2"));
        is(List.of(j.sintercard("a", "b"), j.sintercard(1, "a", "b")), List.of(2L, 1L));
        is(List.of(j.sinterstore("i", "a", "b"), j.sunionstore("u", "a", "b")), List.of(2L, 5L));
        is(j.sdiffstore("d", "b", "a"), 1L);
        is(j.smembers("d"), Set.of("5"));
        is(j.sinterstore("i", "a", "none"), 0L);
        is(j.exists("i"), false);
    }

    static void randomMembers(Jedis j, Harness h) {
        Set<String> everyone = new TreeSet<>(List.of("0123456789".split("")));
        j.sadd("s", everyone.toArray(String[]::new));
        is(everyone.contains(j.srandmember("s")), true);
        is(new TreeSet<>(j.srandmember("s", 20)), everyone);
        is(j.srandmember("s", -20).size(), 20);
        Set<String> members = new TreeSet<>(j.spop("s", 4));
        members.add(j.spop("s"));
        is(List.of((long) members.size(), j.scard("s")), List.of(5L, 5L));
        members.addAll(j.smembers("s"));
        is(members, everyone);
        is(j.spop("none"), null);
    }

    static void sscan(Jedis j, Harness h) {
        var members = numbered("m", 1000, i -> i).keySet();
        j.sadd("s", members.toArray(String[]::new));
        var params = new ScanParams().count(100);
        is(Keyspace.everything((at, p) -> j.sscan("s", at, p), params), members);
        var matching = new ScanParams().match("m99?");
        is(Keyspace.everything((at, p) -> j.sscan("s", at, p), matching).size(), 10);
    }

    static void zadd(Jedis j, Harness h) {
        is(j.zadd("z", Map.of("a", 1.0, "b", 2.0, "c", 3.0)), 3L);
        is(j.zadd("z", 9, "a", new ZAddParams().nx()), 0L);
        is(j.zadd("z", 9, "x", new ZAddParams().xx()), 0L);
        is(j.zadd("z", Map.of("a", 5.0, "d", 4.0), new ZAddParams().ch()), 2L);
        is(j.zadd("z", 3, "a", new ZAddParams().gt().ch()), 0L);
        is(j.zadd("z", 0.5, "a", new ZAddParams().lt().ch()), 1L);
        is(j.zaddIncr("z", 1.5, "a", new ZAddParams()), 2.0);
        is(j.zincrby("z", 1, "a", new ZIncrByParams().nx()), null);
        is(j.zscore("z", "a"), 2.0);
        is(j.zscore("z", "none"), null);
        is(j.zmscore("z", "b", "none"), Arrays.asList(2.0, null));
        is(j.zincrby("z", 0.25, "b"), 2.25);
        is(j.zcard("z"), 4L);
        is(List.of(j.zrank("z", "a"), j.zrevrank("z", "a")), List.of(0L, 3L));
        is(j.zrank("z", "none"), null);
        is(j.zrem("z", "a", "none"), 1L);
        is(j.zcard("z"), 3L);
        refused(() -> j.zadd("z", 1, "m", new ZAddParams().nx().gt()), "GT, LT, and/or NX options");
        refused(() -> raw(j, "ZADD", "z", "x", "m"), "value is not a valid float");
    }

    static void zrange(Jedis j, Harness h) {
        j.zadd("z", Map.of("a", 1.0, "b", 2.0, "c", 3.0, "d", 4.0));
        is(j.zrange("z", 0, 1), List.of("a", "b"));
        is(j.zrangeWithScores("z", new ZRangeParams(0, 1).rev()),
            List.of(scored("d", 4), scored("c", 3)));
        var byScore = new ZRangeParams(Keyword.BYSCORE, "(1", "+inf");
        is(j.zrange("z", byScore.limit(1, 5)), List.of("c", "d"));
        is(j.zrange("z", new ZRangeParams(3.0, 1.0).rev()), List.of("c", "b", "a"));
        is(j.zrangeByScore("z", "2", "(4"), List.of("b", "c"));
        is(j.zrevrangeByScore("z", "+inf", "3"), List.of("d", "c"));
        is(List.of(j.zcount("z", "(1", "3"), j.zcount("z", 9, 10)), List.of(2L, 0L));
        j.zadd("lex", Map.of("a", 0.0, "b", 0.0, "c", 0.0, "d", 0.0, "e", 0.0));
        is(j.zrange("lex", ZRangeParams.zrangeByLexParams("[b", "(d")), List.of("b", "c"));
        var last = ZRangeParams.zrangeByLexParams("+", "-").rev().limit(0, 2);
        is(j.zrange("lex", last), List.of("e", "d"));
        is(j.zlexcount("lex", "-", "+"), 5L);
        is(j.zrangeByLex("lex", "(d", "+"), List.of("e"));
        var wrong = new ZRangeParams(Keyword.BYSCORE, "x", "1");
        refused(() -> j.zrange("z", wrong), "min or max is not a float");
    }

    static void zrangestore(Jedis j, Harness h) {
        IntStream.range(0, 8).forEach(i -> j.zadd("z", i, "abcdefgh".substring(i, i + 1)));
        is(j.zrangestore("dst", "z", new ZRangeParams(1, 3)), 3L);
        is(j.zrangeWithScores("dst", 0, -1),
            List.of(scored("b", 1), scored("c", 2), scored("d", 3)));
        is(j.zremrangeByRank("z", 0, 1), 2L);
        is(j.zremrangeByScore("z", "(2", "4"), 2L);
        is(j.zrange("z", 0, -1), List.of("c", "f", "g", "h"));
        j.zadd("lex", Map.of("a", 0.0, "b", 0.0, "c", 0.0));
        is(j.zremrangeByLex("lex", "-", "[b"), 2L);
        is(j.zrange("lex", 0, -1), List.of("c"));
    }

    static void zsetAlgebra(Jedis j, Harness h) {
        j.zadd("a", Map.of("x", 1.0, "y", 2.0));
        j.zadd("b", Map.of("y", 3.0, "z", 4.0));
        is(j.zunionWithScores(new ZParams(), "a", "b"),
            List.of(scored("x", 1), scored("z", 4), scored("y", 5)));
        var heaviest = new ZParams().weights(2, 10).aggregate(ZParams.Aggregate.MAX);
        is(j.zunionWithScores(heaviest, "a", "b"),
            List.of(scored("x", 2), scored("y", 30), scored("z", 40)));
        var lowest = new ZParams().aggregate(ZParams.Aggregate.MIN);
        is(j.zinterWithScores(lowest, "a", "b"), List.of(scored("y", 2)));
        is(j.zdiffWithScores("a", "b"), List.of(scored("x", 1)));
        is(j.zunionstore("u", new ZParams().weights(1, 0.5), "a", "b"), 3L);
        is(j.zrangeWithScores("u", 0, -1),
            List.of(scored("x", 1), scored("z", 2), scored("y", 3.5)));
        is(j.zinterstore("i", "a", "b"), 1L);
        is(j.zdiffstore("d", "b", "a"), 1L);
        is(j.zintercard("a", "b"), 1L);
        is(j.zrange("d", 0, -1), List.of("z"));
    }

    static void zpops(Jedis j, Harness h) throws Exception {
        IntStream.range(0, 6).forEach(i -> j.zadd("z", i, "abcdef".substring(i, i + 1)));
        is(j.zpopmin("z"), scored("a", 0));
        is(j.zpopmax("z", 2), List.of(scored("f", 5), scored("e", 4)));
        var popped = j.zmpop(SortedSetOption.MIN, 2, "none", "z");
        is(popped, KeyValue.of("z", List.of(scored("b", 1), scored("c", 2))));
        is(j.bzpopmin(1, "none", "z"), KeyValue.of("z", scored("d", 3)));
        is(j.zpopmin("z"), null);
        is(j.bzpopmax(0.05, "z"), null);
        var low = h.whileBlocked(j, c -> c.bzpopmin(10, "z"), () -> j.zadd("z", 7, "m"));
        is(low, KeyValue.of("z", scored("m", 7)));
        var high = h.whileBlocked(j, c -> c.bzmpop(10, SortedSetOption.MAX, "z"),
            () -> j.zadd("z", Map.of("p", 1.0, "q", 2.0)));
        is(high, KeyValue.of("z", List.of(scored("q", 2))));
    }

    static void zscanZrandmember(Jedis j, Harness h) {
        Map<String, Double> scores = numbered("m", 1000, i -> (double) i);
        j.zadd("z", scores);
        Map<String, Double> found = new HashMap<>();
        var params = new ScanParams().count(100);
        for (Tuple one : Keyspace.everything((at, p) -> j.zscan("z", at, p), params)) {
            found.put(one.getElement(), one.getScore());
        }
        is(found, scores);
        is(scores.containsKey(j.zrandmember("z")), true);
        is(new HashSet<>(j.zrandmember("z", 5)).size(), 5);
        is(j.zrandmember("z", -20).size(), 20);
        var drawn = j.zrandmemberWithScores("z", 3);
        is(drawn.size(), 3);
        drawn.forEach(one -> is(one.getScore(), scores.get(one.getElement())));
    }

    static void edgeScores(Jedis j, Harness h) {
        double infinity = Double.POSITIVE_INFINITY;
        double third = 1.0 / 3;
        j.zadd("z", Map.of("low", -infinity, "high", infinity, "tiny", Double.MIN_VALUE,
            "third", third, "big", 1e308));
        is(j.zrange("z", 0, -1), List.of("low", "tiny", "third", "big", "high"));
        is(j.zmscore("z", "low", "high"), List.of(-infinity, infinity));
        is(j.zscore("z", "third"), third);
        is(j.zscore("z", "tiny"), Double.MIN_VALUE);
        is(j.zrangeByScore("z", "-inf", "(0"), List.of("low"));
        refused(() -> j.zincrby("z", -infinity, "high"), "resulting score is not a number (NaN)");
        refused(() -> raw(j, "ZADD", "z", "nan", "m"), "value is not a valid float");
    }
}
