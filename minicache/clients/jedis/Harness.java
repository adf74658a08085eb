import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisClientConfig;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.resps.Tuple;
import redis.clients.jedis.util.SafeEncoder;

/**
 * Running behaviors, comparing answers, waiting.
 *
 * <p>A behavior gets one connection, and this harness for more of them:
 *
 * <pre>{@code
 * static void getexGetdel(Jedis j, Harness h) {
 *     is(j.getDel("missing"), null);
 * }
 * }</pre>
 */
class Harness {
    interface Behavior {
        void check(Jedis j, Harness h) throws Exception;
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    final HostAndPort address;
    final JedisClientConfig config;

    Harness(HostAndPort address, JedisClientConfig config) {
        this.address = address;
        this.config = config;
    }

    /** Runs every behavior on an empty server, prints failures, returns their count. */
    int run(String label, Map<Integer, Behavior> behaviors) {
        List<String> held = new ArrayList<>();
        behaviors.forEach((number, behavior) -> {
            try (Jedis j = connect(change -> {})) {
                j.flushAll();
                behavior.check(j, this);
                held.add(number.toString());
            } catch (Exception | AssertionError failure) {
                System.out.printf("  FAIL %d %s: %s%n", number, place(failure), failure);
            }
        });
        System.out.printf("  %s: %d of %d held: %s%n",
            label, held.size(), behaviors.size(), String.join(" ", held));
        return behaviors.size() - held.size();
    }

    /** The line of a behavior at which the failure came up. */
    private static String place(Throwable failure) {
        var ours = Set.of("Sessions", "Keyspace", "Containers");
        return Arrays.stream(failure.getStackTrace())
            .filter(frame -> ours.contains(frame.getClassName()))
            .map(frame -> frame.getFileName() + ":" + frame.getLineNumber())
            .findFirst().orElse("before its first line");
    }

    /** A connection of its own, set up as asked. */
    Jedis connect(Consumer<DefaultJedisClientConfig.Builder> change) {
        return new Jedis(address, configured(change));
    }

    JedisClientConfig configured(Consumer<DefaultJedisClientConfig.Builder> change) {
        var builder = DefaultJedisClientConfig.builder().protocol(config.getRedisProtocol());
        change.accept(builder);
        return builder.build();
    }

    boolean isResp3() {
        return config.getRedisProtocol() == RedisProtocol.RESP3;
    }

    /** Starts a blocking command on a connection of its own. */
    <T> CompletableFuture<T> inBackground(Function<Jedis, T> command) {
        return CompletableFuture.supplyAsync(() -> {
            try (Jedis other = connect(change -> {})) {
                return command.apply(other);
            }
        });
    }

    /** Starts a blocking command, serves it once it blocks, returns its answer. */
    <T> T whileBlocked(Jedis j, Function<Jedis, T> blocking, Runnable serving) throws Exception {
        var answer = inBackground(blocking);
        eventually(() -> j.info("clients").contains("blocked_clients:1\r"));
        serving.run();
        return answer.get(10, TimeUnit.SECONDS);
    }

    /** Expects this very answer. */
    static void is(Object got, Object want) {
        if (!Objects.deepEquals(got, want)) {
            throw new AssertionError("got " + got + ", want " + want);
        }
    }

    /** Expects a number from low to high. */
    static void within(long got, long low, long high) {
        if (got < low || got > high) {
            throw new AssertionError("got " + got + ", want " + low + " to " + high);
        }
    }

    /** Expects an error from the server that contains the text. */
    static void refused(Runnable command, String text) {
        try {
            command.run();
        } catch (JedisException error) {
            if (error.getMessage().contains(text)) {
                return;
            }
            throw new AssertionError("got another error than " + text, error);
        }
        throw new AssertionError("got an answer, want the error " + text);
    }

    /** Waits until the condition holds; fails when it has not after ten seconds. */
    static void eventually(Condition condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("still not true after ten seconds");
            }
            Thread.sleep(5);
        }
    }

    /** Sends any command and gives the reply as this client reads it, with text for bytes. */
    static Object raw(Jedis j, String... words) {
        var arguments = Arrays.copyOfRange(words, 1, words.length);
        var reply = j.sendCommand(() -> SafeEncoder.encode(words[0]), arguments);
        return SafeEncoder.encodeObject(reply);
    }

    /** A member with its score. */
    static Tuple scored(String member, double score) {
        return new Tuple(member, score);
    }
}
