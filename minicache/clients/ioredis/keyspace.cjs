// Strings and keys: what a value may be, how long it lives, how it is found again.

const assert = require("node:assert");
const { is, within, refused, eventually, times, sorted } = require("../javascript.cjs");
const { withSibling } = require("./connect.cjs");

exports[7] = async function setOptions(r) {
  await is(r.set("k", "a", "NX"), "OK");
  await is(r.set("k", "b", "NX"), null);
  await is(r.set("k", "b", "XX"), "OK");
  await is(r.set("absent", "b", "XX"), null);
  await is(r.set("k", "c", "GET"), "b");
  await is(r.set("fresh", "1", "GET"), null);
  await r.set("k", "d", "EX", 100);
  await within(r.ttl("k"), 90, 100);
  await r.set("k", "e", "PX", 100_000);
  await within(r.pttl("k"), 90_000, 100_000);
  await r.set("k", "f", "KEEPTTL");
  await within(r.ttl("k"), 90, 100);
  await r.set("k", "g");
  await is(r.ttl("k"), -1);
  await refused(r.set("k", "v", "EX", 0), "invalid expire time in 'set' command");
};

exports[8] = async function getexGetdel(r) {
  await r.set("k", "v");
  await is(r.getex("k", "EX", 100), "v");
  await within(r.ttl("k"), 90, 100);
  await is(r.getex("k", "PERSIST"), "v");
  await is(r.ttl("k"), -1);
  await is(r.getdel("k"), "v");
  await is(r.getdel("k"), null);
  await is(r.exists("k"), 0);
};

exports[9] = async function counters(r) {
  await is(r.incr("n"), 1);
  await is(r.incrby("n", 41), 42);
  await is(r.decrby("n", 50), -8);
  await is(r.decr("n"), -9);
  await is(r.incrbyfloat("f", 10.5), "10.5");
  await is(r.incrbyfloat("f", 0.1), "10.6");
  await is(r.get("f"), "10.6");
  await r.set("max", "9223372036854775807");
  await refused(r.incr("max"), "increment or decrement would overflow");
  await r.set("text", "1.5x");
  await refused(r.incr("text"), "value is not an integer or out of range");
  await refused(r.incrbyfloat("text", 1), "value is not a valid float");
};

exports[10] = async function ranges(r) {
  await is(r.append("k", "Hello"), 5);
  await is(r.append("k", " World"), 11);
  await is(r.strlen("k"), 11);
  await is(r.getrange("k", -5, -1), "World");
  await is(r.getrange("k", 20, 30), "");
  await is(r.setrange("k", 6, "Redis"), 11);
  await is(r.get("k"), "Hello Redis");
  await is(r.setrange("pad", 3, "x"), 4);
  await is(r.get("pad"), "\0\0\0x");
  await refused(r.setrange("k", -1, "x"), "offset is out of range");
};

exports[11] = async function manyAtOnce(r) {
  await is(r.mset({ a: 1, b: 2 }), "OK");
  await is(r.mget("a", "none", "b"), ["1", null, "2"]);
  await is(r.msetnx({ b: 3, c: 4 }), 0);
  await is(r.msetnx({ c: 4, d: 5 }), 1);
  await is(r.mget("b", "c"), ["2", "4"]);
};

exports[12] = async function lcs(r) {
  await r.mset({ x: "ohmytext", y: "mynewtext" });
  await is(r.lcs("x", "y"), "mytext");
  await is(r.lcs("x", "y", "LEN"), 6);
  const answer = r.lcs("x", "y", "IDX", "MINMATCHLEN", 4, "WITHMATCHLEN");
  await is(answer, ["matches", [[[4, 7], [5, 8], 4]], "len", 6]);
};

exports[13] = async function anyBytes(r) {
  const every = Buffer.from(times(256, (i) => i));
  const reversed = Buffer.from(every).reverse();
  await r.set(every, reversed);
  await is(r.getBuffer(every), reversed);
  await r.set("", "");
  await is(r.get(""), "");
  await is(r.rpush("l", "", every), 2);
  await is(r.lrangeBuffer("l", 0, -1), [Buffer.alloc(0), every]);
  await r.set("clé-ключ-鍵", "värde 🦀");
  await is(r.get("clé-ключ-鍵"), "värde 🦀");
  await is(r.strlen("clé-ключ-鍵"), 11);
};

exports[14] = async function tenMegabytes(r) {
  const value = Buffer.alloc(10_000_000, Buffer.from(times(10_000, (i) => (i * 7) % 251)));
  await r.set("big", value);
  await is(r.strlen("big"), 10_000_000);
  assert(value.equals(await r.getBuffer("big")), "the value comes back as it was");
  const middle = value.subarray(5_000_000, 5_000_010);
  await is(r.getrangeBuffer("big", 5_000_000, 5_000_009), Buffer.from(middle));
};

exports[35] = async function expiry(r) {
  await r.set("k", "v");
  await is(r.ttl("k"), -1);
  await is(r.ttl("none"), -2);
  await is(r.expire("k", 100, "XX"), 0);
  await is(r.expire("k", 100, "NX"), 1);
  await is(r.expire("k", 50, "GT"), 0);
  await is(r.expire("k", 50, "LT"), 1);
  await within(r.pttl("k"), 40_000, 50_000);
  const at = Math.floor(Date.now() / 1000) + 1000;
  await is(r.expireat("k", at), 1);
  await is(r.expiretime("k"), at);
  await is(r.pexpiretime("k"), at * 1000);
  await is(r.persist("k"), 1);
  await is(r.persist("k"), 0);
  await refused(r.expire("k", 1, "NX", "GT"), "NX and XX, GT or LT options");
  await r.pexpire("k", 20);
  await eventually(async () => (await r.get("k")) === null);
  await r.set("k", "v");
  await is(r.expire("k", -1), 1);
  await is(r.exists("k"), 0);
};

exports[36] = async function wholeKeys(r) {
  await r.set("a", "1");
  await is(r.rename("a", "b"), "OK");
  await refused(r.rename("a", "c"), "no such key");
  await r.set("c", "2");
  await is(r.renamenx("b", "c"), 0);
  await is(r.copy("b", "c"), 0);
  await is(r.copy("b", "c", "REPLACE"), 1);
  await is(r.mget("b", "c"), ["1", "1"]);
  await is(r.copy("b", "elsewhere", "DB", 3), 1);
  await r.hset("h", "f", "v");
  const types = Promise.all(["b", "h", "none"].map((key) => r.type(key)));
  await is(types, ["string", "hash", "none"]);
  await is(r.exists("b", "b", "none"), 2);
  await is(r.touch("b", "none"), 1);
  assert(["b", "c", "h"].includes(await r.randomkey()));
  await is(r.del("b", "none"), 1);
  await is(r.unlink("c", "h"), 2);
  await is(r.randomkey(), null);
};

exports[37] = async function encodings(r) {
  await r.mset({ int: 12345, embstr: "x".repeat(44), raw: "x".repeat(45) });
  await r.rpush("quicklist", 1, 2);
  await r.hset("hash", "f", "v");
  await r.sadd("intset", 1, 2);
  await r.sadd("hashtable", "a", "b");
  await r.zadd("zset", 1, "m");
  for (const name of ["int", "embstr", "raw", "quicklist", "intset", "hashtable"]) {
    await is(r.object("ENCODING", name), name);
  }
  await is(r.object("ENCODING", "hash"), "listpack");
  await is(r.object("ENCODING", "zset"), "listpack");
  await r.hset("hash", "f", "x".repeat(65));
  await r.zadd("zset", ...times(200, (i) => [i, `m${i}`]).flat());
  await is(r.object("ENCODING", "hash"), "hashtable");
  await is(r.object("ENCODING", "zset"), "skiplist");
  await is(r.object("REFCOUNT", "raw"), 1);
  await within(r.object("IDLETIME", "raw"), 0, 60);
  await within(r.memory("USAGE", "raw"), 45, 500);
};

exports[38] = async function scan(r) {
  await Promise.all(times(500, (i) => r.set(`str:${i}`, i)));
  await Promise.all(times(50, (i) => r.sadd(`set:${i}`, i)));
  await is(r.dbsize(), 550);
  const scanned = async (options) => {
    const found = new Set();
    for await (const page of r.scanStream(options)) page.forEach((key) => found.add(key));
    return found;
  };
  await is(scanned({ count: 50 }), new Set(await r.keys("*")));
  const forties = new Set(times(10, (i) => `str:4${i}`));
  await is(scanned({ match: "str:4?", count: 1000 }), forties);
  assert.strictEqual((await scanned({ type: "set" })).size, 50);
  await is(sorted(r.keys("set:[12]")), ["set:1", "set:2"]);
  await refused(r.scan("x"), "invalid cursor");
};

exports[39] = async function sort(r) {
  await r.rpush("l", 3, 1, 2);
  await is(r.sort("l"), ["1", "2", "3"]);
  await is(r.sort("l", "DESC", "LIMIT", 0, 2), ["3", "2"]);
  await r.mset({ w1: 30, w2: 20, w3: 10, v1: "one", v2: "two" });
  await is(r.sort("l", "BY", "w*"), ["3", "2", "1"]);
  const withValues = ["3", null, "2", "two", "1", "one"];
  await is(r.sort("l", "BY", "w*", "GET", "#", "GET", "v*"), withValues);
  await is(r.sort("l", "ALPHA", "STORE", "sorted"), 3);
  await is(r.lrange("sorted", 0, -1), ["1", "2", "3"]);
  await r.rpush("words", "b", "a");
  await refused(r.sort("words"), "One or more scores can't be converted into double");
  await is(r.sort_ro("words", "ALPHA"), ["a", "b"]);
};

exports[40] = async function flush(r) {
  await r.mset({ a: 1, b: 2 });
  await is(r.dbsize(), 2);
  await is(r.flushdb(), "OK");
  await is(r.dbsize(), 0);
  await withSibling(r, { db: 5 }, async (five) => {
    await five.set("k", "v");
    await is(r.flushall(), "OK");
    await is(five.exists("k"), 0);
  });
};
