// Connections, transactions, errors, pub/sub, pipelines: what is about the conversation.

const assert = require("node:assert");
const { is, within, refused, eventually, times, sorted } = require("../javascript.cjs");
const { WatchError } = require("redis");
const { withSibling } = require("./connect.cjs");

exports[1] = async function handshake(r) {
  await is(r.ping(), "PONG");
  await is(r.echo("hi"), "hi");
  const { server, proto, mode } = await r.hello();
  assert.deepStrictEqual({ server, proto, mode }, {
    server: "redis",
    proto: r.options.RESP,
    mode: "standalone",
  });
  await refused(r.hello(9), "NOPROTO unsupported protocol version");
};

exports[2] = async function clientNames(r) {
  await withSibling(r, {}, async (c) => {
    await is(c.clientGetName(), null);
    await is(c.clientSetName("reader"), "OK");
    await is(c.clientGetName(), "reader");
    const id = await c.clientId();
    assert.strictEqual((await c.clientInfo()).name, "reader");
    const readers = (await r.clientList()).filter(({ name }) => name === "reader");
    assert.deepStrictEqual(readers.map((reader) => reader.id), [id]);
    await refused(c.clientSetName("a b"), "Client names cannot contain spaces");
  });
};

exports[3] = async function serverFacts(r) {
  const plain = async (answer) => ({ ...(await answer) });
  await is(plain(r.configGet("maxmemory-policy")), { "maxmemory-policy": "noeviction" });
  await is(r.configSet("maxmemory-samples", "7"), "OK");
  await is(plain(r.configGet("maxmemory-s*")), { "maxmemory-samples": "7" });
  await r.configSet("maxmemory-samples", "5");
  await refused(r.configSet("nosuch", "1"), "Unknown option or number of arguments");
  assert.match(await r.info("server"), /redis_mode:standalone\r\n/);
  await within(r.commandCount(), 150, 500);
  await is(r.commandGetKeys(["MSET", "a", "1", "b", "2"]), ["a", "b"]);
  const [get] = await r.commandInfo(["get"]);
  assert.deepStrictEqual([get.arity, get.firstKeyIndex, get.step], [2, 1, 1]);
  const [seconds] = await r.time();
  await within(seconds, Date.now() / 1000 - 60, Date.now() / 1000 + 60);
};

exports[4] = async function databases(r) {
  await withSibling(r, { database: 9 }, async (nine) => {
    await r.set("k", "zero");
    await nine.set("k", "nine");
    await is(r.get("k"), "zero");
    await is(nine.get("k"), "nine");
    await is(nine.move("k", 0), 0);
    await is(nine.flushDb(), "OK");
    await is(r.dbSize(), 1);
    await is(nine.dbSize(), 0);
    await is(r.swapDb(0, 9), "OK");
    await is(r.get("k"), null);
    await is(nine.get("k"), "zero");
    await refused(nine.select(16), "DB index is out of range");
  });
};

exports[5] = async function auth(r) {
  const ping = (c) => c.ping();
  const socket = { ...r.options.socket, reconnectStrategy: false };
  await withSibling(r, {}, async (admin) => {
    try {
      await admin.configSet("requirepass", "secret");
      await refused(withSibling(r, { socket }, ping), "NOAUTH");
      await refused(withSibling(r, { socket, password: "wrong" }, ping), "WRONGPASS");
      await is(withSibling(r, { socket, password: "secret" }, ping), "PONG");
    } finally {
      await admin.configSet("requirepass", "");
    }
    await refused(admin.auth({ password: "x" }), "without any password configured");
  });
};

exports[6] = async function reconnectsAfterKill(r) {
  await withSibling(r, { name: "victim" }, async (victim) => {
    await victim.set("k", "v");
    const first = await victim.clientId();
    const ready = new Promise((resolve) => victim.once("ready", resolve));
    await is(r.clientKill({ filter: "ID", id: first }), 1);
    await ready;
    await is(victim.get("k"), "v");
    await within(victim.clientId(), first + 1, Number.MAX_SAFE_INTEGER);
    await is(victim.clientGetName(), "victim");
  });
};

exports[41] = async function multiExec(r) {
  const answer = r.multi().set("n", "1").incr("n").lPush("n", "x").get("n").exec();
  await assert.rejects(answer, ({ replies: [set, incr, error, get], errorIndexes }) => {
    assert.deepStrictEqual([set, incr, get, errorIndexes], ["OK", 2, "2", [2]]);
    return error.message.startsWith("WRONGTYPE");
  });
};

exports[42] = async function discard(r) {
  await withSibling(r, {}, async (c) => {
    await is(c.sendCommand(["MULTI"]), "OK");
    await is(c.sendCommand(["RPUSH", "k", "v"]), "QUEUED");
    await is(c.sendCommand(["DISCARD"]), "OK");
    await is(c.exists("k"), 0);
    await refused(c.sendCommand(["DISCARD"]), "DISCARD without MULTI");
    await refused(c.sendCommand(["EXEC"]), "EXEC without MULTI");
  });
};

exports[43] = async function execAbort(r) {
  const aborted = "EXECABORT Transaction discarded because of previous errors.";
  const queued = r.multi().set("k", "v").addCommand(["GET"]);
  await refused(queued.exec(), "ERR wrong number of arguments for 'get' command");
  await withSibling(r, {}, async (c) => {
    await c.sendCommand(["MULTI"]);
    await refused(c.sendCommand(["NOSUCH"]), "unknown command");
    await refused(c.sendCommand(["EXEC"]), aborted);
  });
  await is(r.exists("k"), 0);
};

exports[44] = async function watch(r) {
  await withSibling(r, {}, async (c) => {
    await c.watch("k");
    await r.set("k", "other");
    await assert.rejects(c.multi().set("k", "mine").exec(), WatchError);
    await is(r.get("k"), "other");
  });
  const increment = () =>
    withSibling(r, {}, async (c) => {
      for (let done = 0; done < 25; ) {
        await c.watch("sum");
        const sum = Number(await c.get("sum"));
        try {
          await c.multi().set("sum", sum + 1).exec();
          done += 1;
        } catch (error) {
          assert(error instanceof WatchError, error);
        }
      }
    });
  await Promise.all(times(4, increment));
  await is(r.get("sum"), "100");
};

exports[45] = async function errors(r) {
  await r.set("s", "text");
  const wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";
  await refused(r.lPush("s", "1"), wrongType);
  await refused(r.hGet("s", "f"), wrongType);
  await refused(r.sendCommand(["GET"]), "ERR wrong number of arguments for 'get' command");
  const wrongArity = "ERR wrong number of arguments for 'config|get' command";
  await refused(r.sendCommand(["CONFIG", "GET"]), wrongArity);
  const unknown = "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b'";
  await refused(r.sendCommand(["NOSUCH", "a", "b"]), unknown);
  await refused(r.sendCommand(["CLIENT", "NOSUCH"]), "ERR unknown subcommand 'NOSUCH'");
  await refused(r.sendCommand(["SET", "k", "v", "BAD"]), "ERR syntax error");
  await refused(r.incr("s"), "ERR value is not an integer or out of range");
  const endless = r.sendCommand(["EXPIRE", "s", "9223372036854775807"]);
  await refused(endless, "invalid expire time in 'expire' command");
};

exports[46] = async function publishSubscribe(r) {
  await withSibling(r, {}, async (c) => {
    const heard = [];
    await c.subscribe(["news", "sport"], (message, channel) => heard.push([channel, message]));
    await is(r.publish("news", "hello"), 1);
    await is(r.publish("nobody", "hello"), 0);
    await eventually(() => heard.length === 1);
    assert.deepStrictEqual(heard, [["news", "hello"]]);
    await is(sorted(r.pubSubChannels()), ["news", "sport"]);
    const listening = { ...(await r.pubSubNumSub(["news", "none"])) };
    assert.deepStrictEqual(listening, { news: 1, none: 0 });
    await c.unsubscribe();
    await is(r.publish("news", "hello"), 0);
    await is(c.get("k"), null);
  });
};

exports[47] = async function patterns(r) {
  await withSibling(r, {}, async (c) => {
    const heard = [];
    await c.pSubscribe("news.*", (message, channel) => heard.push(["news.*", channel, message]));
    await c.subscribe("news.art", (message, channel) => heard.push([channel, message]));
    await is(r.pubSubNumPat(), 1);
    await is(r.publish("news.art", "x"), 2);
    await is(r.publish("news.tech", "y"), 1);
    await eventually(() => heard.length === 3);
    assert.deepStrictEqual(heard, [
      ["news.art", "x"],
      ["news.*", "news.art", "x"],
      ["news.*", "news.tech", "y"],
    ]);
  });
  await eventually(async () => (await r.pubSubNumPat()) === 0);
};

exports[48] = async function pipeline(r) {
  const pairs = times(5000, (i) => Promise.all([r.set(`k${i}`, i), r.get(`k${i}`)]));
  await is(Promise.all(pairs), times(5000, (i) => ["OK", `${i}`]));
};

exports[49] = async function lock(r) {
  const options = { condition: "NX", expiration: { type: "PX", value: 60_000 } };
  await is(r.set("lock", "me", options), "OK");
  await is(r.set("lock", "you", options), null);
  await is(r.get("lock"), "me");
  await r.pExpire("lock", 1);
  await eventually(() => r.set("lock", "you", options));
};

exports[50] = async function manyConnections(r) {
  const count = (c) => Promise.all(times(250, () => c.incr("n")));
  await Promise.all(times(8, () => withSibling(r, {}, count)));
  await is(r.get("n"), "2000");
};

exports[51] = async function replyTypes(r) {
  await r.hSet("h", "f", "v");
  await r.sAdd("s", "m");
  await r.zAdd("z", { score: 1.5, value: "m" });
  const resp3 = r.options.RESP === 3;
  const raw = (...command) => r.sendCommand(command);
  const hash = await raw("HGETALL", "h");
  assert.deepStrictEqual(resp3 ? { ...hash } : hash, resp3 ? { f: "v" } : ["f", "v"]);
  await is(raw("SMEMBERS", "s"), ["m"]);
  await is(raw("ZSCORE", "z", "m"), resp3 ? 1.5 : "1.5");
  const range = raw("ZRANGE", "z", "0", "-1", "WITHSCORES");
  await is(range, resp3 ? [["m", 1.5]] : ["m", "1.5"]);
  await is(raw("GET", "none"), null);
};
