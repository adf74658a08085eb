import java.util.Map;
import java.util.TreeMap;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisProtocol;

/** Jedis against the server at HOST PORT, in RESP2 and in RESP3. */
class Check {
    public static void main(String[] arguments) {
        var address = new HostAndPort(arguments[0], Integer.parseInt(arguments[1]));
        Map<Integer, Harness.Behaviour> behaviours = new TreeMap<>();
        behaviours.putAll(Sessions.ALL);
        behaviours.putAll(Keyspace.ALL);
        behaviours.putAll(Containers.ALL);
        int failures = 0;
        for (var protocol : new RedisProtocol[] {RedisProtocol.RESP2, RedisProtocol.RESP3}) {
            var config = DefaultJedisClientConfig.builder().protocol(protocol).build();
            failures += new Harness(address, config).run("Jedis " + protocol, behaviours);
        }
        System.exit(failures == 0 ? 0 : 1);
    }
}
