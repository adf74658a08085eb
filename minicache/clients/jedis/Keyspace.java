import static java.util.Map.entry;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.args.ExpiryOption;
import redis.clients.jedis.params.GetExParams;
import redis.clients.jedis.params.LCSParams;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.params.SortingParams;
import redis.clients.jedis.resps.ScanResult;

/** Strings and keys: what a value may be, how long it lives, how it is found again. */
class Keyspace extends Harness {
    static final Map<Integer, Behavior> ALL = Map.ofEntries(
        entry(7, Keyspace::setOptions),
        entry(8, Keyspace::getexGetdel),
        entry(9, Keyspace::counters),
        entry(10, Keyspace::ranges),
        entry(11, Keyspace::manyAtOnce),
        entry(12, Keyspace::lcs),
        entry(13, Keyspace::anyBytes),
        entry(14, Keyspace::tenMegabytes),
        entry(35, Keyspace::expiry),
        entry(36, Keyspace::wholeKeys),
        entry(37, Keyspace::encodings),
        entry(38, Keyspace::scan),
        entry(39, Keyspace::sort),
        entry(40, Keyspace::flush));

    private Keyspace() {
        super(null, null);
    }

    static void setOptions(Jedis j, Harness h) {
        is(j.set("k", "a", new SetParams().nx()), "OK");
        is(j.set("k", "b", new SetParams().nx()), null);
        is(j.set("k", "b", new SetParams().xx()), "OK");
        is(j.set("absent", "b", new SetParams().xx()), null);
        is(j.setGet("k", "c"), "b");
        is(j.setGet("fresh", "1"), null);
        is(j.set("k", "d", new SetParams().ex(100)), "OK");
        within(j.ttl("k"), 90, 100);
        is(j.set("k", "e", new SetParams().px(100_000)), "OK");
        within(j.pttl("k"), 90_000, 100_000);
        is(j.set("k", "f", new SetParams().keepTtl()), "OK");
        within(j.ttl("k"), 90, 100);
        is(j.set("k", "g"), "OK");
        is(j.ttl("k"), -1L);
        refused(() -> j.set("k", "v", new SetParams().ex(0)),
            "invalid expire time in 'set' command");
    }

    static void getexGetdel(Jedis j, Harness h) {
        j.set("k", "v");
        is(j.getEx("k", new GetExParams().ex(100)), "v");
        within(j.ttl("k"), 90, 100);
        is(j.getEx("k", new GetExParams().persist()), "v");
        is(j.ttl("k"), -1L);
        is(j.getDel("k"), "v");
        is(j.getDel("k"), null);
        is(j.exists("k"), false);
    }

    static void counters(Jedis j, Harness h) {
        is(j.incr("n"), 1L);
        is(j.incrBy("n", 41), 42L);
        is(j.decrBy("n", 50), -8L);
        is(j.decr("n"), -9L);
        is(j.incrByFloat("f", 10.5), 10.5);
        is(j.incrByFloat("f", 0.1), 10.6);
        is(j.get("f"), "10.6");
        j.set("max", String.valueOf(Long.MAX_VALUE));
        refused(() -> j.incr("max"), "increment or decrement would overflow");
        j.set("text", "1.5x");
        refused(() -> j.incr("text"), "value is not an integer or out of range");
        refused(() -> j.incrByFloat("text", 1), "value is not a valid float");
    }

    static void ranges(Jedis j, Harness h) {
        is(j.append("k", "Hello"), 5L);
        is(j.append("k", " World"), 11L);
        is(j.strlen("k"), 11L);
        is(j.getrange("k", -5, -1), "World");
        is(j.getrange("k", 20, 30), "");
        is(j.setrange("k", 6, "Redis"), 11L);
        is(j.get("k"), "Hello Redis");
        is(j.setrange("pad", 3, "x"), 4L);
        is(j.get("pad"), "\0\0\0x");
        refused(() -> j.setrange("k", -1, "x"), "offset is out of range");
    }

    static void manyAtOnce(Jedis j, Harness h) {
        is(j.mset("a", "1", "b", "2"), "OK");
        is(j.mget("a", "none", "b"), Arrays.asList("1", null, "2"));
        is(j.msetnx("b", "3", "c", "4"), 0L);
        is(j.msetnx("c", "4", "d", "5"), 1L);
        is(j.mget("b", "c"), List.of("2", "4"));
    }

    static void lcs(Jedis j, Harness h) {
        j.mset("x", "ohmytext", "y", "mynewtext");
        is(j.lcs("x", "y", new LCSParams()).getMatchString(), "mytext");
        is(j.lcs("x", "y", new LCSParams().len()).getLen(), 6L);
        var answer = j.lcs("x", "y", new LCSParams().idx().minMatchLen(4).withMatchLen());
        is(answer.getLen(), 6L);
        is(answer.getMatches().size(), 1);
        var match = answer.getMatches().get(0);
        is(List.of(match.getA().getStart(), match.getA().getEnd()), List.of(4L, 7L));
        is(List.of(match.getB().getStart(), match.getB().getEnd()), List.of(5L, 8L));
        is(match.getMatchLen(), 4L);
    }

    static void anyBytes(Jedis j, Harness h) {
        byte[] every = new byte[256];
        byte[] reversed = new byte[256];
        for (int i = 0; i < 256; i++) {
            every[i] = (byte) i;
            reversed[i] = (byte) (255 - i);
        }
        is(j.set(every, reversed), "OK");
        is(j.get(every), reversed);
        is(j.set("", ""), "OK");
        is(j.get(""), "");
        is(j.rpush("l".getBytes(), new byte[0], every), 2L);
        List<byte[]> elements = j.lrange("l".getBytes(), 0, -1);
        is(elements.get(0), new byte[0]);
        is(elements.get(1), every);
        is(j.set("clé-ключ-鍵", "värde 🦀"), "OK");
        is(j.get("clé-ключ-鍵"), "värde 🦀");
        is(j.strlen("clé-ключ-鍵"), 11L);
    }

    static void tenMegabytes(Jedis j, Harness h) {
        byte[] key = "big".getBytes();
        byte[] value = new byte[10_000_000];
        for (int i = 0; i < value.length; i++) {
            value[i] = (byte) (i % 10_000 * 7 % 251);
        }
        is(j.set(key, value), "OK");
        is(j.strlen("big"), 10_000_000L);
        is(Arrays.equals(j.get(key), value), true);
        byte[] middle = Arrays.copyOfRange(value, 5_000_000, 5_000_010);
        is(j.getrange(key, 5_000_000, 5_000_009), middle);
    }

    static void expiry(Jedis j, Harness h) throws Exception {
        j.set("k", "v");
        is(List.of(j.ttl("k"), j.ttl("none")), List.of(-1L, -2L));
        is(j.expire("k", 100, ExpiryOption.XX), 0L);
        is(j.expire("k", 100, ExpiryOption.NX), 1L);
        is(j.expire("k", 50, ExpiryOption.GT), 0L);
        is(j.expire("k", 50, ExpiryOption.LT), 1L);
        within(j.pttl("k"), 40_000, 50_000);
        long at = System.currentTimeMillis() / 1000 + 1000;
        is(j.expireAt("k", at), 1L);
        is(List.of(j.expireTime("k"), j.pexpireTime("k")), List.of(at, at * 1000));
        is(j.persist("k"), 1L);
        is(j.persist("k"), 0L);
        refused(() -> raw(j, "EXPIRE", "k", "1", "NX", "GT"), "NX and XX, GT or LT options");
        is(j.pexpire("k", 20), 1L);
        eventually(() -> j.get("k") == null);
        j.set("k", "v");
        is(j.expire("k", -1), 1L);
        is(j.exists("k"), false);
    }

    static void wholeKeys(Jedis j, Harness h) {
        j.set("a", "1");
        is(j.rename("a", "b"), "OK");
        refused(() -> j.rename("a", "c"), "no such key");
        j.set("c", "2");
        is(j.renamenx("b", "c"), 0L);
        is(j.copy("b", "c", false), false);
        is(j.copy("b", "c", true), true);
        is(j.mget("b", "c"), List.of("1", "1"));
        is(j.copy("b", "elsewhere", 3, false), true);
        j.hset("h", "f", "v");
        is(List.of(j.type("b"), j.type("h"), j.type("none")), List.of("string", "hash", "none"));
        is(j.exists("b", "b", "none"), 2L);
        is(j.touch("b", "none"), 1L);
        is(Set.of("b", "c", "h").contains(j.randomKey()), true);
        is(j.del("b", "none"), 1L);
        is(j.unlink("c", "h"), 2L);
        is(j.randomKey(), null);
    }

    static void encodings(Jedis j, Harness h) {
        j.mset("int", "12345", "embstr", "x".repeat(44), "raw", "x".repeat(45));
        j.rpush("quicklist", "1", "2");
        j.hset("hash", "f", "v");
        j.sadd("intset", "1", "2");
        j.sadd("hashtable", "a", "b");
        j.zadd("zset", 1, "m");
        for (String name : "int embstr raw quicklist intset hashtable".split(" ")) {
            is(j.objectEncoding(name), name);
        }
        is(j.objectEncoding("hash"), "listpack");
        is(j.objectEncoding("zset"), "listpack");
        j.hset("hash", "f", "x".repeat(65));
        IntStream.range(0, 200).forEach(i -> j.zadd("zset", i, "m" + i));
        is(j.objectEncoding("hash"), "hashtable");
        is(j.objectEncoding("zset"), "skiplist");
        is(j.objectRefcount("raw"), 1L);
        within(j.objectIdletime("raw"), 0, 60);
        within(j.memoryUsage("raw"), 45, 500);
    }

    static void scan(Jedis j, Harness h) {
        IntStream.range(0, 500).forEach(i -> j.set("str:" + i, String.valueOf(i)));
        IntStream.range(0, 50).forEach(i -> j.sadd("set:" + i, String.valueOf(i)));
        is(j.dbSize(), 550L);
        is(everything(j::scan, new ScanParams().count(50)), j.keys("*"));
        var forties = IntStream.range(40, 50).mapToObj(i -> "str:" + i).collect(Collectors.toSet());
        is(everything(j::scan, new ScanParams().match("str:4?").count(1000)), forties);
        is(everything((at, params) -> j.scan(at, params, "set"), new ScanParams()).size(), 50);
        is(new TreeSet<>(j.keys("set:[12]")), Set.of("set:1", "set:2"));
        refused(() -> j.scan("x"), "invalid cursor");
    }

    /** Follows the cursor of a scan to its end. */
    static <T> Set<T> everything(
            BiFunction<String, ScanParams, ScanResult<T>> scan, ScanParams params) {
        Set<T> found = new HashSet<>();
        String cursor = ScanParams.SCAN_POINTER_START;
        do {
            ScanResult<T> page = scan.apply(cursor, params);
            found.addAll(page.getResult());
            cursor = page.getCursor();
        } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
        return found;
    }

    static void sort(Jedis j, Harness h) {
        j.rpush("l", "3", "1", "2");
        is(j.sort("l"), List.of("1", "2", "3"));
        is(j.sort("l", new SortingParams().desc().limit(0, 2)), List.of("3", "2"));
        j.mset("w1", "30", "w2", "20", "w3", "10", "v1", "one", "v2", "two");
        is(j.sort("l", new SortingParams().by("w*")), List.of("3", "2", "1"));
        is(j.sort("l", new SortingParams().by("w*").get("#", "v*")),
            Arrays.asList("3", null, "2", "two", "1", "one"));
        is(j.sort("l", new SortingParams().alpha(), "sorted"), 3L);
        is(j.lrange("sorted", 0, -1), List.of("1", "2", "3"));
        j.rpush("words", "b", "a");
        refused(() -> j.sort("words"), "One or more scores can't be converted into double");
        is(j.sortReadonly("words", new SortingParams().alpha()), List.of("a", "b"));
    }

    static void flush(Jedis j, Harness h) {
        j.mset("a", "1", "b", "2");
        is(j.dbSize(), 2L);
        is(j.flushDB(), "OK");
        is(j.dbSize(), 0L);
        try (Jedis five = h.connect(change -> change.database(5))) {
            five.set("k", "v");
            is(j.flushAll(), "OK");
            is(five.exists("k"), false);
        }
    }
}
