// Connections, transactions, errors, pub/sub, pipelines: what is about the conversation.

const assert = require("node:assert");
const { once } = require("node:events");
const { is, within, refused, eventually, times, sorted } = require("../javascript.cjs");
const { withSibling } = require("./connect.cjs");

/** A flat array of names and values as an object. */
const asObject = (flat) =>
  Object.fromEntries(times(flat.length / 2, (i) => [flat[2 * i], flat[2 * i + 1]]));

exports[1] = async function handshake(r) {
  await is(r.ping(), "PONG");
  await is(r.echo("hi"), "hi");
  const hello = asObject(await r.hello());
  assert.strictEqual(hello.server, "redis");
  assert.strictEqual(hello.proto, r.options.protocol);
  assert.strictEqual(hello.mode, "standalone");
  await refused(r.hello(9), "NOPROTO unsupported protocol version");
};

exports[2] = async function clientNames(r) {
  await withSibling(r, {}, async (c) => {
    await is(c.client("GETNAME"), null);
    await is(c.client("SETNAME", "reader"), "OK");
    await is(c.client("GETNAME"), "reader");
    const id = await c.client("ID");
    assert.match(await c.client("INFO"), / name=reader /);
    const lines = (await r.client("LIST")).split("\n").filter((l) => l.includes(" name=reader "));
    assert.deepStrictEqual(lines.map((line) => line.split(" ")[0]), [`id=${id}`]);
    await refused(c.client("SETNAME", "a b"), "Client names cannot contain spaces");
  });
};

exports[3] = async function serverFacts(r) {
  await is(r.config("GET", "maxmemory-policy"), ["maxmemory-policy", "noeviction"]);
  await is(r.config("SET", "maxmemory-samples", 7), "OK");
  await is(r.config("GET", "maxmemory-s*"), ["maxmemory-samples", "7"]);
  await r.config("SET", "maxmemory-samples", 5);
  await refused(r.config("SET", "nosuch", 1), "Unknown option or number of arguments");
  assert.match(await r.info("server"), /redis_mode:standalone\r\n/);
  await within(r.command("COUNT"), 150, 500);
  await is(r.command("GETKEYS", "MSET", "a", 1, "b", 2), ["a", "b"]);
  const [[, arity]] = await r.command("INFO", "get");
  assert.strictEqual(arity, 2);
  const [seconds] = await r.time();
  await within(seconds, Date.now() / 1000 - 60, Date.now() / 1000 + 60);
};

exports[4] = async function databases(r) {
  await withSibling(r, { db: 9 }, async (nine) => {
    await r.set("k", "zero");
    await nine.set("k", "nine");
    await is(r.get("k"), "zero");
    await is(nine.get("k"), "nine");
    await is(nine.move("k", 0), 0);
    await is(nine.flushdb(), "OK");
    await is(r.dbsize(), 1);
    await is(nine.dbsize(), 0);
    await is(r.swapdb(0, 9), "OK");
    await is(r.get("k"), null);
    await is(nine.get("k"), "zero");
    await refused(nine.select(16), "DB index is out of range");
  });
};

exports[5] = async function auth(r) {
  const options = { maxRetriesPerRequest: 0, retryStrategy: null };
  await withSibling(r, {}, async (admin) => {
    try {
      await admin.config("SET", "requirepass", "secret");
      const ping = (c) => c.ping();
      await assert.rejects(withSibling(r, options, ping));
      await assert.rejects(withSibling(r, { ...options, password: "wrong" }, ping));
      await is(withSibling(r, { ...options, password: "secret" }, ping), "PONG");
    } finally {
      await admin.config("SET", "requirepass", "");
    }
    await refused(admin.auth("x"), "without any password configured");
  });
};

exports[6] = async function reconnectsAfterKill(r) {
  await withSibling(r, { connectionName: "victim" }, async (victim) => {
    await victim.set("k", "v");
    const first = await victim.client("ID");
    const ready = once(victim, "ready");
    await is(r.client("KILL", "ID", first), 1);
    await ready;
    await is(victim.get("k"), "v");
    await within(victim.client("ID"), first + 1, Number.MAX_SAFE_INTEGER);
    await is(victim.client("GETNAME"), "victim");
  });
};

exports[41] = async function multiExec(r) {
  const answers = await r.multi().set("n", 1).incr("n").lpush("n", "x").get("n").exec();
  const [[, set], [, incr], [error], [, get]] = answers;
  assert.deepStrictEqual([set, incr, get], ["OK", 2, "2"]);
  assert.match(error.message, /^WRONGTYPE/);
};

exports[42] = async function discard(r) {
  await withSibling(r, {}, async (c) => {
    await is(c.multi({ pipeline: false }), "OK");
    await is(c.rpush("k", "v"), "QUEUED");
    await is(c.discard(), "OK");
    await is(c.exists("k"), 0);
    await refused(c.discard(), "DISCARD without MULTI");
    await refused(c.call("EXEC"), "EXEC without MULTI");
  });
};

exports[43] = async function execAbort(r) {
  const aborted = "EXECABORT Transaction discarded because of previous errors.";
  await refused(r.multi().set("k", "v").call("GET").exec(), aborted);
  await withSibling(r, {}, async (c) => {
    await c.multi({ pipeline: false });
    await refused(c.call("NOSUCH"), "unknown command");
    await refused(c.call("EXEC"), aborted);
  });
  await is(r.exists("k"), 0);
};

exports[44] = async function watch(r) {
  await withSibling(r, {}, async (c) => {
    await c.watch("k");
    await r.set("k", "other");
    await is(c.multi().set("k", "mine").exec(), null);
    await is(r.get("k"), "other");
  });
  const increment = () =>
    withSibling(r, {}, async (c) => {
      for (let done = 0; done < 25; ) {
        await c.watch("sum");
        const sum = Number(await c.get("sum"));
        done += (await c.multi().set("sum", sum + 1).exec()) === null ? 0 : 1;
      }
    });
  await Promise.all(times(4, increment));
  await is(r.get("sum"), "100");
};

exports[45] = async function errors(r) {
  await r.set("s", "text");
  const wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";
  await refused(r.lpush("s", 1), wrongType);
  await refused(r.hget("s", "f"), wrongType);
  await refused(r.get(), "ERR wrong number of arguments for 'get' command");
  await refused(r.config("GET"), "ERR wrong number of arguments for 'config|get' command");
  const unknown = "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b'";
  await refused(r.call("NOSUCH", "a", "b"), unknown);
  await refused(r.client("NOSUCH"), "ERR unknown subcommand 'NOSUCH'");
  await refused(r.set("k", "v", "BAD"), "ERR syntax error");
  await refused(r.incr("s"), "ERR value is not an integer or out of range");
  await refused(r.expire("s", "9223372036854775807"), "invalid expire time in 'expire' command");
};

exports[46] = async function publishSubscribe(r) {
  await withSibling(r, {}, async (c) => {
    await is(c.subscribe("news", "sport"), 2);
    const heard = once(c, "message");
    await is(r.publish("news", "hello"), 1);
    await is(r.publish("nobody", "hello"), 0);
    await is(heard, ["news", "hello"]);
    await is(sorted(r.pubsub("CHANNELS")), ["news", "sport"]);
    await is(r.pubsub("NUMSUB", "news", "none"), ["news", 1, "none", 0]);
    await is(c.unsubscribe(), 0);
    await is(r.publish("news", "hello"), 0);
    await is(c.get("k"), null);
  });
};

exports[47] = async function patterns(r) {
  await withSibling(r, {}, async (c) => {
    const heard = [];
    c.on("message", (...message) => heard.push(message));
    c.on("pmessage", (...message) => heard.push(message));
    await is(c.psubscribe("news.*"), 1);
    await is(c.subscribe("news.art"), 2);
    await is(r.pubsub("NUMPAT"), 1);
    await is(r.publish("news.art", "x"), 2);
    await is(r.publish("news.tech", "y"), 1);
    await eventually(() => heard.length === 3);
    assert.deepStrictEqual(heard, [
      ["news.art", "x"],
      ["news.*", "news.art", "x"],
      ["news.*", "news.tech", "y"],
    ]);
  });
  await eventually(async () => (await r.pubsub("NUMPAT")) === 0);
};

exports[48] = async function pipeline(r) {
  const p = r.pipeline();
  times(5000, (i) => p.set(`k${i}`, i).get(`k${i}`));
  const answers = await p.exec();
  assert.deepStrictEqual(answers, times(5000, (i) => [[null, "OK"], [null, `${i}`]]).flat());
};

exports[49] = async function lock(r) {
  await is(r.set("lock", "me", "PX", 60_000, "NX"), "OK");
  await is(r.set("lock", "you", "PX", 60_000, "NX"), null);
  await is(r.get("lock"), "me");
  await r.pexpire("lock", 1);
  await eventually(() => r.set("lock", "you", "PX", 60_000, "NX"));
};

exports[50] = async function manyConnections(r) {
  const count = (c) => Promise.all(times(250, () => c.incr("n")));
  await Promise.all(times(8, () => withSibling(r, {}, count)));
  await is(r.get("n"), "2000");
};

exports[51] = async function replyTypes(r) {
  await r.hset("h", { f: "v" });
  await r.sadd("s", "m");
  await r.zadd("z", 1.5, "m");
  const resp3 = r.options.protocol === 3;
  await withSibling(r, resp3 ? { replyMapping: "resp3" } : {}, async (c) => {
    await is(c.call("HGETALL", "h"), resp3 ? { f: "v" } : ["f", "v"]);
    await is(c.call("SMEMBERS", "s"), ["m"]);
    await is(c.call("ZSCORE", "z", "m"), resp3 ? 1.5 : "1.5");
    await is(c.call("ZRANGE", "z", 0, -1, "WITHSCORES"), resp3 ? [["m", 1.5]] : ["m", "1.5"]);
    await is(c.call("GET", "none"), null);
  });
};
