import static java.util.Map.entry;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.csc.CacheConfig;
import redis.clients.jedis.csc.CacheConnection;
import redis.clients.jedis.csc.CacheFactory;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.params.ClientKillParams;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.util.KeyValue;

/** Connections, transactions, errors, pub/sub, pipelines: what is about the conversation. */
class Sessions extends Harness {
    static final Map<Integer, Behavior> ALL = Map.ofEntries(
        entry(1, Sessions::handshake),
        entry(2, Sessions::clientNames),
        entry(3, Sessions::serverFacts),
        entry(4, Sessions::databases),
        entry(5, Sessions::auth),
        entry(6, Sessions::reconnectsAfterKill),
        entry(41, Sessions::multiExec),
        entry(42, Sessions::discard),
        entry(43, Sessions::execAbort),
        entry(44, Sessions::watch),
        entry(45, Sessions::errors),
        entry(46, Sessions::publishSubscribe),
        entry(47, Sessions::patterns),
        entry(48, Sessions::pipeline),
        entry(49, Sessions::lock),
        entry(50, Sessions::manyConnections),
        entry(51, Sessions::replyTypes),
        entry(53, Sessions::clientSideCache));

    private Sessions() {
        super(null, null);
    }

    static void handshake(Jedis j, Harness h) {
        is(j.ping(), "PONG");
        is(j.echo("hi"), "hi");
        Map<Object, Object> hello = new HashMap<>();
        List<?> flat = (List<?>) raw(j, "HELLO");
        for (int i = 0; i < flat.size(); i++) {
            if (flat.get(i) instanceof KeyValue<?, ?> pair) {
                hello.put(pair.getKey(), pair.getValue());
            } else {
                hello.put(flat.get(i), flat.get(++i));
            }
        }
        is(hello.get("server"), "redis");
        is(hello.get("proto"), h.isResp3() ? 3L : 2L);
        is(hello.get("mode"), "standalone");
        refused(() -> raw(j, "HELLO", "9"), "NOPROTO unsupported protocol version");
    }

    static void clientNames(Jedis j, Harness h) {
        is(j.clientGetname(), null);
        is(j.clientSetname("reader"), "OK");
        is(j.clientGetname(), "reader");
        is(j.clientInfo().contains(" name=reader "), true);
        var readers = j.clientList().lines().filter(line -> line.contains(" name=reader "));
        is(readers.map(line -> line.split(" ")[0]).toList(), List.of("id=" + j.clientId()));
        refused(() -> j.clientSetname("a b"), "Client names cannot contain spaces");
    }

    static void serverFacts(Jedis j, Harness h) {
        is(j.configGet("maxmemory-policy"), Map.of("maxmemory-policy", "noeviction"));
        is(j.configSet("maxmemory-samples", "7"), "OK");
        is(j.configGet("maxmemory-s*"), Map.of("maxmemory-samples", "7"));
        j.configSet("maxmemory-samples", "5");
        refused(() -> j.configSet("nosuch", "1"), "Unknown option or number of arguments");
        is(j.info("server").contains("redis_mode:standalone\r\n"), true);
        within(j.commandCount(), 150, 500);
        is(j.commandGetKeys("MSET", "a", "1", "b", "2"), List.of("a", "b"));
        var get = j.commandInfo("get").get("get");
        is(List.of(get.getArity(), get.getFirstKey(), get.getStep()), List.of(2L, 1L, 1L));
        is(j.commandDocs("get").get("get").getGroup(), "string");
        long now = System.currentTimeMillis() / 1000;
        within(Long.parseLong(j.time().get(0)), now - 60, now + 60);
    }

    static void databases(Jedis j, Harness h) {
        try (Jedis nine = h.connect(change -> change.database(9))) {
            j.set("k", "zero");
            nine.set("k", "nine");
            is(List.of(j.get("k"), nine.get("k")), List.of("zero", "nine"));
            is(nine.move("k", 0), 0L);
            is(nine.flushDB(), "OK");
            is(List.of(j.dbSize(), nine.dbSize()), List.of(1L, 0L));
            is(j.swapDB(0, 9), "OK");
            is(j.get("k"), null);
            is(nine.get("k"), "zero");
            refused(() -> nine.select(16), "DB index is out of range");
        }
    }

    static void auth(Jedis j, Harness h) {
        try {
            j.configSet("requirepass", "secret");
            refused(() -> ping(h, null), h.isResp3() ? "HELLO must be called" : "NOAUTH");
            refused(() -> ping(h, "wrong"), "WRONGPASS invalid username-password pair");
            is(ping(h, "secret"), "PONG");
        } finally {
            j.configSet("requirepass", "");
        }
        refused(() -> j.auth("x"), "without any password configured");
    }

    private static String ping(Harness h, String password) {
        try (Jedis other = h.connect(change -> change.password(password))) {
            return other.ping();
        }
    }

    static void reconnectsAfterKill(Jedis j, Harness h) throws Exception {
        var config = h.configured(change -> change.clientName("victim"));
        var builder = RedisClient.builder().hostAndPort(h.address).clientConfig(config);
        try (var victim = builder.build()) {
            victim.set("k", "v");
            String list = j.clientList();
            String first = list.lines().filter(line -> line.contains(" name=victim ")).findFirst()
                .orElseThrow().split("[ =]")[1];
            is(j.clientKill(new ClientKillParams().id(first)), 1L);
            eventually(() -> {
                try {
                    return victim.get("k").equals("v");
                } catch (JedisConnectionException dropped) {
                    return false;
                }
            });
            is(j.clientList().contains(" name=victim "), true);
        }
    }

    static void multiExec(Jedis j, Harness h) {
        var transaction = j.multi();
        Response<Long> incremented = transaction.incr("n");
        transaction.lpush("n", "x");
        Response<String> text = transaction.get("n");
        List<Object> answers = transaction.exec();
        is(List.of(incremented.get(), text.get()), List.of(1L, "1"));
        is(((Exception) answers.get(1)).getMessage().startsWith("WRONGTYPE"), true);
    }

    static void discard(Jedis j, Harness h) {
        var transaction = j.multi();
        transaction.rpush("k", "v");
        is(transaction.discard(), "OK");
        is(j.exists("k"), false);
        refused(() -> raw(j, "DISCARD"), "DISCARD without MULTI");
        refused(() -> raw(j, "EXEC"), "EXEC without MULTI");
    }

    static void execAbort(Jedis j, Harness h) {
        String aborted = "EXECABORT Transaction discarded because of previous errors.";
        is(raw(j, "MULTI"), "OK");
        is(raw(j, "SET", "k", "v"), "QUEUED");
        refused(() -> raw(j, "GET"), "wrong number of arguments for 'get' command");
        refused(() -> raw(j, "EXEC"), aborted);
        is(raw(j, "MULTI"), "OK");
        refused(() -> raw(j, "NOSUCH"), "unknown command");
        refused(() -> raw(j, "EXEC"), aborted);
        is(j.exists("k"), false);
    }

    static void watch(Jedis j, Harness h) {
        try (Jedis other = h.connect(change -> {})) {
            j.watch("k");
            other.set("k", "other");
            var transaction = j.multi();
            transaction.set("k", "mine");
            is(transaction.exec(), null);
            is(j.get("k"), "other");
        }
        var counters = IntStream.range(0, 4).mapToObj(i -> h.inBackground(Sessions::increment));
        counters.toList().forEach(CompletableFuture::join);
        is(j.get("sum"), "100");
    }

    private static int increment(Jedis j) {
        int done = 0;
        while (done < 25) {
            j.watch("sum");
            String sum = j.get("sum");
            var transaction = j.multi();
            transaction.set("sum", String.valueOf(sum == null ? 1 : Integer.parseInt(sum) + 1));
            done += transaction.exec() == null ? 0 : 1;
        }
        return done;
    }

    static void errors(Jedis j, Harness h) {
        j.set("s", "text");
        String wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";
        refused(() -> j.lpush("s", "1"), wrongType);
        refused(() -> j.hget("s", "f"), wrongType);
        refused(() -> raw(j, "GET"), "ERR wrong number of arguments for 'get' command");
        refused(() -> raw(j, "CONFIG", "GET"),
            "ERR wrong number of arguments for 'config|get' command");
        refused(() -> raw(j, "NOSUCH", "a", "b"),
            "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b'");
        refused(() -> raw(j, "CLIENT", "NOSUCH"), "ERR unknown subcommand 'NOSUCH'");
        refused(() -> raw(j, "SET", "k", "v", "BAD"), "ERR syntax error");
        refused(() -> j.incr("s"), "ERR value is not an integer or out of range");
        refused(() -> j.expire("s", Long.MAX_VALUE), "invalid expire time in 'expire' command");
    }

    /** What a subscriber heard: messages as "channel text", or "pattern channel text". */
    private static class Listener extends JedisPubSub {
        final List<String> heard = new ArrayList<>();
        final CountDownLatch subscribed;
        final int enough;

        Listener(int subscriptions, int enough) {
            this.subscribed = new CountDownLatch(subscriptions);
            this.enough = enough;
        }

        @Override
        public void onSubscribe(String channel, int count) {
            subscribed.countDown();
        }

        @Override
        public void onPSubscribe(String pattern, int count) {
            subscribed.countDown();
        }

        @Override
        public void onMessage(String channel, String message) {
            if (hear(channel + " " + message)) {
                unsubscribe();
            }
        }

        @Override
        public void onPMessage(String pattern, String channel, String message) {
            if (hear(pattern + " " + channel + " " + message)) {
                punsubscribe();
            }
        }

        private boolean hear(String message) {
            heard.add(message);
            return heard.size() == enough;
        }
    }

    static void publishSubscribe(Jedis j, Harness h) throws Exception {
        var listener = new Listener(2, 1);
        var listening = h.inBackground(other -> {
            other.subscribe(listener, "news", "sport");
            return other.ping();
        });
        eventually(() -> listener.subscribed.getCount() == 0 || listening.isDone());
        is(j.pubsubChannels().stream().sorted().toList(), List.of("news", "sport"));
        is(j.pubsubNumSub("news", "none"), Map.of("news", 1L, "none", 0L));
        is(j.publish("nobody", "hello"), 0L);
        is(j.publish("news", "hello"), 1L);
        is(listening.get(), "PONG");
        is(listener.heard, List.of("news hello"));
        is(j.publish("news", "hello"), 0L);
    }

    static void patterns(Jedis j, Harness h) throws Exception {
        var listener = new Listener(1, 2);
        var listening = h.inBackground(other -> {
            other.psubscribe(listener, "news.*");
            return other.ping();
        });
        eventually(() -> listener.subscribed.getCount() == 0 || listening.isDone());
        is(j.pubsubNumPat(), 1L);
        is(j.publish("news.art", "x"), 1L);
        is(j.publish("other", "x"), 0L);
        is(j.publish("news.tech", "y"), 1L);
        is(listening.get(), "PONG");
        is(listener.heard, List.of("news.* news.art x", "news.* news.tech y"));
        is(j.pubsubNumPat(), 0L);
    }

    static void pipeline(Jedis j, Harness h) {
        var pipeline = j.pipelined();
        List<Object> want = new ArrayList<>();
        for (int i = 0; i < 5000; i++) {
            pipeline.set("k" + i, String.valueOf(i));
            pipeline.get("k" + i);
            want.add("OK");
            want.add(String.valueOf(i));
        }
        is(pipeline.syncAndReturnAll(), want);
    }

    static void lock(Jedis j, Harness h) throws Exception {
        var options = new SetParams().nx().px(60_000);
        is(j.set("lock", "me", options), "OK");
        is(j.set("lock", "you", options), null);
        is(j.get("lock"), "me");
        j.pexpire("lock", 1);
        eventually(() -> "OK".equals(j.set("lock", "you", options)));
    }

    static void manyConnections(Jedis j, Harness h) {
        var counters = IntStream.range(0, 8).mapToObj(i -> h.inBackground(other -> {
            long last = 0;
            for (int k = 0; k < 250; k++) {
                last = other.incr("n");
            }
            return last;
        }));
        counters.toList().forEach(CompletableFuture::join);
        is(j.get("n"), "2000");
    }

    static void replyTypes(Jedis j, Harness h) {
        j.hset("h", "f", "v");
        j.sadd("s", "m");
        j.zadd("z", 1.5, "m");
        boolean resp3 = h.isResp3();
        is(raw(j, "HGETALL", "h"), resp3 ? List.of(KeyValue.of("f", "v")) : List.of("f", "v"));
        is(raw(j, "SMEMBERS", "s"), List.of("m"));
        is(raw(j, "ZSCORE", "z", "m"), resp3 ? (Object) 1.5 : "1.5");
        is(raw(j, "ZRANGE", "z", "0", "-1", "WITHSCORES"),
            resp3 ? List.of(List.of("m", 1.5)) : List.of("m", "1.5"));
        is(raw(j, "GET", "none"), null);
    }

    static void clientSideCache(Jedis j, Harness h) throws Exception {
        var cache = CacheFactory.getCache(new CacheConfig.Builder().maxSize(10).build());
        var config = DefaultJedisClientConfig.builder().protocol(RedisProtocol.RESP3).build();
        var connection = new CacheConnection(() -> new NewerServer(h.address), config, cache);
        try (var caching = new UnifiedJedis(connection) {}) {
            j.set("k", "1");
            is(caching.get("k"), "1");
            is(caching.get("k"), "1");
            is(cache.getStats().getHitCount(), 1L);
            is(j.info("clients").contains("tracking_clients:1\r"), true);
            j.set("k", "2");
            eventually(() -> "2".equals(caching.get("k")));
            j.flushAll();
            eventually(() -> caching.get("k") == null);
        }
    }

    /**
     * A connection that says 7.4 where the server says 7.0: the client asks for Redis 7.4, but the
     * commands that it sends are older.
     */
    private static class NewerServer extends Socket {
        NewerServer(HostAndPort address) {
            try {
                connect(new InetSocketAddress(address.getHost(), address.getPort()));
            } catch (IOException error) {
                throw new JedisConnectionException(error);
            }
        }

        @Override
        public InputStream getInputStream() throws IOException {
            return new FilterInputStream(super.getInputStream()) {
                @Override
                public int read(byte[] buffer, int offset, int length) throws IOException {
                    int count = super.read(buffer, offset, length);
                    for (int i = offset; i + 4 < offset + count; i++) {
                        if (new String(buffer, i, 4, StandardCharsets.ISO_8859_1).equals("7.0.")) {
                            buffer[i + 2] = '4';
                        }
                    }
                    return count;
                }
            };
        }
    }
}
