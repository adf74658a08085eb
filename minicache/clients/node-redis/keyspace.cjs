// Strings and keys: what a value may be, how long it lives, how it is found again.

const assert = require("node:assert");
const { RESP_TYPES } = require("redis");
const { is, within, refused, eventually, times, sorted } = require("../javascript.cjs");
const { withSibling } = require("./connect.cjs");

const expiresIn = (type, value) => ({ expiration: { type, value } });

/** The same client, answering with bytes instead of text. */
const inBytes = (r) => r.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

exports[7] = async function setOptions(r) {
  await is(r.set("k", "a", { condition: "NX" }), "OK");
  await is(r.set("k", "b", { condition: "NX" }), null);
  await is(r.set("k", "b", { condition: "XX" }), "OK");
  await is(r.set("absent", "b", { condition: "XX" }), null);
  await is(r.set("k", "c", { GET: true }), "b");
  await is(r.set("fresh", "1", { GET: true }), null);
  await r.set("k", "d", expiresIn("EX", 100));
  await within(r.ttl("k"), 90, 100);
  await r.set("k", "e", expiresIn("PX", 100_000));
  await within(r.pTTL("k"), 90_000, 100_000);
  await r.set("k", "f", { expiration: "KEEPTTL" });
  await within(r.ttl("k"), 90, 100);
  await r.set("k", "g");
  await is(r.ttl("k"), -1);
  await refused(r.set("k", "v", expiresIn("EX", 0)), "invalid expire time in 'set' command");
};

exports[8] = async function getexGetdel(r) {
  await r.set("k", "v");
  await is(r.getEx("k", { type: "EX", value: 100 }), "v");
  await within(r.ttl("k"), 90, 100);
  await is(r.getEx("k", { type: "PERSIST" }), "v");
  await is(r.ttl("k"), -1);
  await is(r.getDel("k"), "v");
  await is(r.getDel("k"), null);
  await is(r.exists("k"), 0);
};

exports[9] = async function counters(r) {
  await is(r.incr("n"), 1);
  await is(r.incrBy("n", 41), 42);
  await is(r.decrBy("n", 50), -8);
  await is(r.decr("n"), -9);
  await within(r.incrByFloat("f", 10.5), 10.5, 10.5);
  await within(r.incrByFloat("f", 0.1), 10.6, 10.6);
  await is(r.get("f"), "10.6");
  await r.set("max", "9223372036854775807");
  await refused(r.incr("max"), "increment or decrement would overflow");
  await r.set("text", "1.5x");
  await refused(r.incr("text"), "value is not an integer or out of range");
  await refused(r.incrByFloat("text", 1), "value is not a valid float");
};

exports[10] = async function ranges(r) {
  await is(r.append("k", "Hello"), 5);
  await is(r.append("k", " World"), 11);
  await is(r.strLen("k"), 11);
  await is(r.getRange("k", -5, -1), "World");
  await is(r.getRange("k", 20, 30), "");
  await is(r.setRange("k", 6, "Redis"), 11);
  await is(r.get("k"), "Hello Redis");
  await is(r.setRange("pad", 3, "x"), 4);
  await is(r.get("pad"), "\0\0\0x");
  await refused(r.setRange("k", -1, "x"), "offset is out of range");
};

exports[11] = async function manyAtOnce(r) {
  await is(r.mSet({ a: "1", b: "2" }), "OK");
  await is(r.mGet(["a", "none", "b"]), ["1", null, "2"]);
  await is(r.mSetNX({ b: "3", c: "4" }), 0);
  await is(r.mSetNX({ c: "4", d: "5" }), 1);
  await is(r.mGet(["b", "c"]), ["2", "4"]);
};

exports[12] = async function lcs(r) {
  await r.mSet({ x: "ohmytext", y: "mynewtext" });
  await is(r.lcs("x", "y"), "mytext");
  await is(r.lcsLen("x", "y"), 6);
  const { matches, len } = await r.lcsIdxWithMatchLen("x", "y", { MINMATCHLEN: 4 });
  assert.deepStrictEqual([matches, len], [[[[4, 7], [5, 8], 4]], 6]);
};

exports[13] = async function anyBytes(r) {
  const every = Buffer.from(times(256, (i) => i));
  const reversed = Buffer.from(every).reverse();
  await r.set(every, reversed);
  await is(inBytes(r).get(every), reversed);
  await r.set("", "");
  await is(r.get(""), "");
  await is(r.rPush("l", ["", every]), 2);
  await is(inBytes(r).lRange("l", 0, -1), [Buffer.alloc(0), every]);
  await r.set("clé-ключ-鍵", "värde 🦀");
  await is(r.get("clé-ключ-鍵"), "värde 🦀");
  await is(r.strLen("clé-ключ-鍵"), 11);
};

exports[14] = async function tenMegabytes(r) {
  const value = Buffer.alloc(10_000_000, Buffer.from(times(10_000, (i) => (i * 7) % 251)));
  await r.set("big", value);
  await is(r.strLen("big"), 10_000_000);
  assert(value.equals(await inBytes(r).get("big")), "the value comes back as it was");
  const middle = Buffer.from(value.subarray(5_000_000, 5_000_010));
  await is(inBytes(r).getRange("big", 5_000_000, 5_000_009), middle);
};

exports[35] = async function expiry(r) {
  await r.set("k", "v");
  await is(r.ttl("k"), -1);
  await is(r.ttl("none"), -2);
  await is(r.expire("k", 100, "XX"), 0);
  await is(r.expire("k", 100, "NX"), 1);
  await is(r.expire("k", 50, "GT"), 0);
  await is(r.expire("k", 50, "LT"), 1);
  await within(r.pTTL("k"), 40_000, 50_000);
  const at = Math.floor(Date.now() / 1000) + 1000;
  await is(r.expireAt("k", at), 1);
  await is(r.expireTime("k"), at);
  await is(r.pExpireTime("k"), at * 1000);
  await is(r.persist("k"), 1);
  await is(r.persist("k"), 0);
  await refused(r.sendCommand(["EXPIRE", "k", "1", "NX", "GT"]), "NX and XX, GT or LT options");
  await r.pExpire("k", 20);
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
  await is(r.renameNX("b", "c"), 0);
  await is(r.copy("b", "c"), 0);
  await is(r.copy("b", "c", { REPLACE: true }), 1);
  await is(r.mGet(["b", "c"]), ["1", "1"]);
  await is(r.copy("b", "elsewhere", { DB: 3 }), 1);
  await r.hSet("h", "f", "v");
  const types = Promise.all(["b", "h", "none"].map((key) => r.type(key)));
  await is(types, ["string", "hash", "none"]);
  await is(r.exists(["b", "b", "none"]), 2);
  await is(r.touch(["b", "none"]), 1);
  assert(["b", "c", "h"].includes(await r.randomKey()));
  await is(r.del(["b", "none"]), 1);
  await is(r.unlink(["c", "h"]), 2);
  await is(r.randomKey(), null);
};

exports[37] = async function encodings(r) {
  await r.mSet({ int: "12345", embstr: "x".repeat(44), raw: "x".repeat(45) });
  await r.rPush("quicklist", ["1", "2"]);
  await r.hSet("hash", "f", "v");
  await r.sAdd("intset", ["1", "2"]);
  await r.sAdd("hashtable", ["a", "b"]);
  await r.zAdd("zset", { score: 1, value: "m" });
  for (const name of ["int", "embstr", "raw", "quicklist", "intset", "hashtable"]) {
    await is(r.objectEncoding(name), name);
  }
  await is(r.objectEncoding("hash"), "listpack");
  await is(r.objectEncoding("zset"), "listpack");
  await r.hSet("hash", "f", "x".repeat(65));
  await r.zAdd("zset", times(200, (i) => ({ score: i, value: `m${i}` })));
  await is(r.objectEncoding("hash"), "hashtable");
  await is(r.objectEncoding("zset"), "skiplist");
  await is(r.objectRefCount("raw"), 1);
  await within(r.objectIdleTime("raw"), 0, 60);
  await within(r.memoryUsage("raw"), 45, 500);
};

exports[38] = async function scan(r) {
  await Promise.all(times(500, (i) => r.set(`str:${i}`, i)));
  await Promise.all(times(50, (i) => r.sAdd(`set:${i}`, `${i}`)));
  await is(r.dbSize(), 550);
  const scanned = async (options) => {
    const found = new Set();
    for await (const page of r.scanIterator(options)) page.forEach((key) => found.add(key));
    return found;
  };
  await is(scanned({ COUNT: 50 }), new Set(await r.keys("*")));
  const forties = new Set(times(10, (i) => `str:4${i}`));
  await is(scanned({ MATCH: "str:4?", COUNT: 1000 }), forties);
  assert.strictEqual((await scanned({ TYPE: "set" })).size, 50);
  await is(sorted(r.keys("set:[12]")), ["set:1", "set:2"]);
  await refused(r.scan("x"), "invalid cursor");
};

exports[39] = async function sort(r) {
  await r.rPush("l", ["3", "1", "2"]);
  await is(r.sort("l"), ["1", "2", "3"]);
  await is(r.sort("l", { DIRECTION: "DESC", LIMIT: { offset: 0, count: 2 } }), ["3", "2"]);
  await r.mSet({ w1: "30", w2: "20", w3: "10", v1: "one", v2: "two" });
  await is(r.sort("l", { BY: "w*" }), ["3", "2", "1"]);
  const withValues = ["3", null, "2", "two", "1", "one"];
  await is(r.sort("l", { BY: "w*", GET: ["#", "v*"] }), withValues);
  await is(r.sortStore("l", "sorted", { ALPHA: true }), 3);
  await is(r.lRange("sorted", 0, -1), ["1", "2", "3"]);
  await r.rPush("words", ["b", "a"]);
  await refused(r.sort("words"), "One or more scores can't be converted into double");
  await is(r.sortRo("words", { ALPHA: true }), ["a", "b"]);
};

exports[40] = async function flush(r) {
  await r.mSet({ a: "1", b: "2" });
  await is(r.dbSize(), 2);
  await is(r.flushDb(), "OK");
  await is(r.dbSize(), 0);
  await withSibling(r, { database: 5 }, async (five) => {
    await five.set("k", "v");
    await is(r.flushAll(), "OK");
    await is(five.exists("k"), 0);
  });
};
