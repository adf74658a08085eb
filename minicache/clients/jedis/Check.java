import java.util.Map;
import java.util.TreeMap;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisProtocol;

/** Jedis against the server at HOST PORT, in RESP2 and in RESP3. */
class Check {
    public static void main(String[] arguments) {
        var address = new HostAndPort(arguments[0], Integer.parseInt(arguments[1]));
        Map<Integer, Harness.Behavior> behaviors = new TreeMap<>();
        behaviors.putAll(Sessions.ALL);
        behaviors.putAll(Keyspace.ALL);
        behaviors.putAll(Containers.ALL);
        int failures = 0;
        for (var protocol : new RedisProtocol[] {RedisProtocol.RESP2, RedisProtocol.RESP3}) {
            var config = DefaultJedisClientConfig.builder().protocol(protocol).build();
            failures += new Harness(address, config).run("Jedis " + protocol, behaviors);
        }
        System.exit(failures == 0 ? 0 : 1);
    }
}
