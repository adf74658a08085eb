// Lists, hashes, sets, sorted sets.

const assert = require("node:assert");
const { is, refused, times, sorted } = require("../javascript.cjs");
const { whileBlocked } = require("./connect.cjs");

exports[15] = async function lists(r) {
  await is(r.lpushx("l", "x"), 0);
  await is(r.rpush("l", "b", "c", "d"), 3);
  await is(r.lpush("l", "a"), 4);
  await is(r.lrange("l", 0, -1), ["a", "b", "c", "d"]);
  await is(r.lrange("l", -2, 100), ["c", "d"]);
  await is(r.lindex("l", 0), "a");
  await is(r.lindex("l", -1), "d");
  await is(r.lindex("l", 9), null);
  await is(r.lset("l", 1, "B"), "OK");
  await refused(r.lset("l", 9, "x"), "index out of range");
  await is(r.linsert("l", "BEFORE", "c", "b2"), 5);
  await is(r.linsert("l", "AFTER", "none", "x"), -1);
  await is(r.lrem("l", -1, "b2"), 1);
  await is(r.ltrim("l", 1, -1), "OK");
  await is(r.lpop("l"), "B");
  await is(r.rpop("l", 5), ["d", "c"]);
  await is(r.lpop("l"), null);
  await is(r.llen("l"), 0);
  await is(r.exists("l"), 0);
};

exports[16] = async function lpos(r) {
  await r.rpush("l", ..."abcdacb");
  await is(r.lpos("l", "c"), 2);
  await is(r.lpos("l", "c", "RANK", -1), 5);
  await is(r.lpos("l", "a", "COUNT", 0), [0, 4]);
  await is(r.lpos("l", "c", "MAXLEN", 2), null);
  await refused(r.lpos("l", "a", "RANK", 0), "RANK can't be zero");
};

exports[17] = async function listMoves(r) {
  await r.rpush("a", 1, 2, 3);
  await is(r.lmove("a", "b", "LEFT", "RIGHT"), "1");
  await is(r.rpoplpush("a", "b"), "3");
  await is(r.lrange("b", 0, -1), ["3", "1"]);
  await is(r.lmove("none", "b", "LEFT", "RIGHT"), null);
  await is(r.lmpop(2, "none", "b", "RIGHT", "COUNT", 5), ["b", ["1", "3"]]);
  await is(r.lmpop(1, "none", "LEFT"), null);
};

exports[18] = async function blockingPops(r) {
  await r.rpush("l", "v");
  await is(r.blpop("none", "l", 1), ["l", "v"]);
  await is(r.blpop("l", 0.05), null);
  await whileBlocked(r, (c) => c.brpop("x", "y", 10), () => r.rpush("y", "late"), ["y", "late"]);
  await is(r.exists("y"), 0);
  await refused(r.blpop("l", -1), "timeout is negative");
};

exports[19] = async function blockingMoves(r) {
  await is(r.blmove("a", "b", "LEFT", "RIGHT", 0.05), null);
  const move = (c) => c.blmove("a", "b", "LEFT", "RIGHT", 10);
  await whileBlocked(r, move, () => r.rpush("a", "v"), "v");
  await is(r.lrange("b", 0, -1), ["v"]);
  await is(r.blmpop(0.05, 1, "a", "LEFT"), null);
  const pop = (c) => c.blmpop(10, 2, "a", "c", "LEFT", "COUNT", 2);
  await whileBlocked(r, pop, () => r.rpush("c", 1, 2, 3), ["c", ["1", "2"]]);
  await is(r.lrange("c", 0, -1), ["3"]);
};

exports[20] = async function hashes(r) {
  await is(r.hset("h", { a: 1, b: 2 }), 2);
  await is(r.hset("h", "a", "x"), 0);
  await is(r.hget("h", "a"), "x");
  await is(r.hget("h", "none"), null);
  await is(r.hmget("h", "a", "none", "b"), ["x", null, "2"]);
  await is(r.hgetall("h"), { a: "x", b: "2" });
  await is(r.hgetall("none"), {});
  await is(sorted(r.hkeys("h")), ["a", "b"]);
  await is(sorted(r.hvals("h")), ["2", "x"]);
  await is(r.hexists("h", "a"), 1);
  await is(r.hexists("h", "none"), 0);
  await is(r.hlen("h"), 2);
  await is(r.hsetnx("h", "a", 1), 0);
  await is(r.hsetnx("h", "c", "ccc"), 1);
  await is(r.hstrlen("h", "c"), 3);
  await is(r.hdel("h", "a", "b", "c", "none"), 3);
  await is(r.exists("h"), 0);
};

exports[21] = async function hashCounters(r) {
  await is(r.hincrby("h", "n", 5), 5);
  await is(r.hincrby("h", "n", -7), -2);
  await is(r.hincrbyfloat("h", "f", 2.25), "2.25");
  await is(r.hget("h", "f"), "2.25");
  await r.hset("h", "t", "x");
  await refused(r.hincrby("h", "t", 1), "hash value is not an integer");
  await refused(r.hincrbyfloat("h", "t", 1), "hash value is not a float");
};

exports[22] = async function randomFields(r) {
  const pairs = Object.fromEntries(times(10, (i) => [`f${i}`, `${i}`]));
  await r.hset("h", pairs);
  assert((await r.hrandfield("h")) in pairs);
  await is(sorted(r.hrandfield("h", 20)), Object.keys(pairs));
  assert.strictEqual((await r.hrandfield("h", -20)).length, 20);
  const drawn = await r.hrandfield("h", 3, "WITHVALUES");
  assert.strictEqual(drawn.length, 6);
  times(3, (i) => assert.strictEqual(pairs[drawn[2 * i]], drawn[2 * i + 1]));
  await is(r.hrandfield("none"), null);
};

exports[23] = async function hscan(r) {
  const pairs = Object.fromEntries(times(1000, (i) => [`f${i}`, `${i}`]));
  await r.hset("h", pairs);
  const found = {};
  for await (const page of r.hscanStream("h", { count: 100 })) {
    times(page.length / 2, (i) => (found[page[2 * i]] = page[2 * i + 1]));
  }
  assert.deepStrictEqual(found, pairs);
  let matching = 0;
  const options = { match: "f99?", count: 1000 };
  for await (const page of r.hscanStream("h", options)) matching += page.length / 2;
  assert.strictEqual(matching, 10);
};

exports[24] = async function sets(r) {
  await is(r.sadd("s", "a", "b", "c", "a"), 3);
  await is(sorted(r.smembers("s")), ["a", "b", "c"]);
  await is(r.sismember("s", "a"), 1);
  await is(r.sismember("s", "x"), 0);
  await is(r.smismember("s", "a", "x", "c"), [1, 0, 1]);
  await is(r.scard("s"), 3);
  await is(r.srem("s", "a", "x"), 1);
  await is(r.smove("s", "t", "b"), 1);
  await is(r.smove("s", "t", "x"), 0);
  await is(r.smembers("s"), ["c"]);
  await is(r.smembers("t"), ["b"]);
};

exports[25] = async function setAlgebra(r) {
  await r.sadd("a", 1, 2, 3, 4);
  await r.sadd("b", 3, 4, 5);
  await is(sorted(r.sinter("a", "b")), ["3", "4"]);
  await is(sorted(r.sunion("a", "b")), ["1", "2", "3", "4", "5"]);
  await is(sorted(r.sdiff("a", "b")), ["1", "2"]);
  await is(r.sintercard(2, "a", "b"), 2);
  await is(r.sintercard(2, "a", "b", "LIMIT", 1), 1);
  await is(r.sinterstore("i", "a", "b"), 2);
  await is(r.sunionstore("u", "a", "b"), 5);
  await is(r.sdiffstore("d", "b", "a"), 1);
  await is(r.smembers("d"), ["5"]);
  await is(r.sinterstore("i", "a", "none"), 0);
  await is(r.exists("i"), 0);
};

exports[26] = async function randomMembers(r) {
  const everything = times(10, String);
  await r.sadd("s", everything);
  assert(everything.includes(await r.srandmember("s")));
  await is(sorted(r.srandmember("s", 20)), everything);
  assert.strictEqual((await r.srandmember("s", -20)).length, 20);
  const popped = [await r.spop("s"), ...(await r.spop("s", 4))];
  await is(r.scard("s"), 5);
  await is(sorted([...popped, ...(await r.smembers("s"))]), everything);
  await is(r.spop("none"), null);
};

exports[27] = async function sscan(r) {
  const members = times(1000, (i) => `m${i}`);
  await r.sadd("s", members);
  const scanned = async (options) => {
    const found = new Set();
    for await (const page of r.sscanStream("s", options)) page.forEach((m) => found.add(m));
    return found;
  };
  await is(scanned({ count: 100 }), new Set(members));
  assert.strictEqual((await scanned({ match: "m99?" })).size, 10);
};

exports[28] = async function zadd(r) {
  await is(r.zadd("z", 1, "a", 2, "b", 3, "c"), 3);
  await is(r.zadd("z", "NX", 9, "a"), 0);
  await is(r.zadd("z", "XX", 9, "x"), 0);
  await is(r.zadd("z", "CH", 5, "a", 4, "d"), 2);
  await is(r.zadd("z", "GT", "CH", 3, "a"), 0);
  await is(r.zadd("z", "LT", "CH", 0.5, "a"), 1);
  await is(r.zadd("z", "INCR", 1.5, "a"), "2");
  await is(r.zadd("z", "NX", "INCR", 1, "a"), null);
  await is(r.zscore("z", "a"), "2");
  await is(r.zscore("z", "none"), null);
  await is(r.zmscore("z", "b", "none"), ["2", null]);
  await is(r.zincrby("z", 0.25, "b"), "2.25");
  await is(r.zcard("z"), 4);
  await is(r.zrank("z", "a"), 0);
  await is(r.zrevrank("z", "a"), 3);
  await is(r.zrank("z", "none"), null);
  await is(r.zrem("z", "a", "none"), 1);
  await is(r.zcard("z"), 3);
  await refused(r.zadd("z", "NX", "GT", 1, "m"), "GT, LT, and/or NX options");
  await refused(r.zadd("z", "x", "m"), "value is not a valid float");
};

exports[29] = async function zrange(r) {
  await r.zadd("z", 1, "a", 2, "b", 3, "c", 4, "d");
  await is(r.zrange("z", 0, 1), ["a", "b"]);
  await is(r.zrange("z", 0, 1, "REV", "WITHSCORES"), ["d", "4", "c", "3"]);
  await is(r.zrange("z", "(1", "+inf", "BYSCORE", "LIMIT", 1, 5), ["c", "d"]);
  await is(r.zrange("z", 3, 1, "BYSCORE", "REV"), ["c", "b", "a"]);
  await is(r.zrangebyscore("z", 2, "(4"), ["b", "c"]);
  await is(r.zrevrangebyscore("z", "+inf", 3), ["d", "c"]);
  await is(r.zcount("z", "(1", 3), 2);
  await is(r.zcount("z", 9, 10), 0);
  await r.zadd("lex", 0, "a", 0, "b", 0, "c", 0, "d", 0, "e");
  await is(r.zrange("lex", "[b", "(d", "BYLEX"), ["b", "c"]);
  await is(r.zrange("lex", "+", "-", "BYLEX", "REV", "LIMIT", 0, 2), ["e", "d"]);
  await is(r.zlexcount("lex", "-", "+"), 5);
  await is(r.zrangebylex("lex", "(d", "+"), ["e"]);
  await refused(r.zrange("z", "x", 1, "BYSCORE"), "min or max is not a float");
};

exports[30] = async function zrangestore(r) {
  await r.zadd("z", ...[..."abcdefgh"].flatMap((member, i) => [i, member]));
  await is(r.zrangestore("dst", "z", 1, 3), 3);
  await is(r.zrange("dst", 0, -1, "WITHSCORES"), ["b", "1", "c", "2", "d", "3"]);
  await is(r.zremrangebyrank("z", 0, 1), 2);
  await is(r.zremrangebyscore("z", "(2", 4), 2);
  await is(r.zrange("z", 0, -1), ["c", "f", "g", "h"]);
  await r.zadd("lex", 0, "a", 0, "b", 0, "c");
  await is(r.zremrangebylex("lex", "-", "[b"), 2);
  await is(r.zrange("lex", 0, -1), ["c"]);
};

exports[31] = async function zsetAlgebra(r) {
  await r.zadd("a", 1, "x", 2, "y");
  await r.zadd("b", 3, "y", 4, "z");
  await is(r.zunion(2, "a", "b", "WITHSCORES"), ["x", "1", "z", "4", "y", "5"]);
  const heaviest = ["x", "2", "y", "30", "z", "40"];
  await is(r.zunion(2, "a", "b", "WEIGHTS", 2, 10, "AGGREGATE", "MAX", "WITHSCORES"), heaviest);
  await is(r.zinter(2, "a", "b", "AGGREGATE", "MIN", "WITHSCORES"), ["y", "2"]);
  await is(r.zdiff(2, "a", "b", "WITHSCORES"), ["x", "1"]);
  await is(r.zunionstore("u", 2, "a", "b", "WEIGHTS", 1, 0.5), 3);
  await is(r.zrange("u", 0, -1, "WITHSCORES"), ["x", "1", "z", "2", "y", "3.5"]);
  await is(r.zinterstore("i", 2, "a", "b"), 1);
  await is(r.zdiffstore("d", 2, "b", "a"), 1);
  await is(r.zintercard(2, "a", "b"), 1);
  await is(r.zrange("d", 0, -1), ["z"]);
};

exports[32] = async function zpops(r) {
  await r.zadd("z", ...[..."abcdef"].flatMap((member, i) => [i, member]));
  await is(r.zpopmin("z"), ["a", "0"]);
  await is(r.zpopmax("z", 2), ["f", "5", "e", "4"]);
  await is(r.zmpop(2, "none", "z", "MIN", "COUNT", 2), ["z", [["b", "1"], ["c", "2"]]]);
  await is(r.bzpopmin("none", "z", 1), ["z", "d", "3"]);
  await is(r.zpopmin("z"), []);
  await is(r.bzpopmax("z", 0.05), null);
  await whileBlocked(r, (c) => c.bzpopmin("z", 10), () => r.zadd("z", 7, "m"), ["z", "m", "7"]);
  const pop = (c) => c.bzmpop(10, 1, "z", "MAX");
  await whileBlocked(r, pop, () => r.zadd("z", 1, "p", 2, "q"), ["z", [["q", "2"]]]);
};

exports[33] = async function zscanZrandmember(r) {
  const scores = Object.fromEntries(times(1000, (i) => [`m${i}`, `${i}`]));
  await r.zadd("z", ...Object.entries(scores).flatMap(([member, score]) => [score, member]));
  const found = {};
  for await (const page of r.zscanStream("z", { count: 100 })) {
    times(page.length / 2, (i) => (found[page[2 * i]] = page[2 * i + 1]));
  }
  assert.deepStrictEqual(found, scores);
  assert((await r.zrandmember("z")) in scores);
  assert.strictEqual(new Set(await r.zrandmember("z", 5)).size, 5);
  assert.strictEqual((await r.zrandmember("z", -20)).length, 20);
  const drawn = await r.zrandmember("z", 3, "WITHSCORES");
  assert.strictEqual(drawn.length, 6);
  times(3, (i) => assert.strictEqual(scores[drawn[2 * i]], drawn[2 * i + 1]));
};

exports[34] = async function edgeScores(r) {
  await r.zadd("z", "-inf", "low", "+inf", "high", 5e-324, "tiny", 1 / 3, "third", 1e308, "big");
  await is(r.zrange("z", 0, -1), ["low", "tiny", "third", "big", "high"]);
  await is(r.zmscore("z", "low", "high"), ["-inf", "inf"]);
  assert.strictEqual(Number(await r.zscore("z", "third")), 1 / 3);
  assert.strictEqual(Number(await r.zscore("z", "tiny")), 5e-324);
  await is(r.zrangebyscore("z", "-inf", "(0"), ["low"]);
  await refused(r.zincrby("z", "-inf", "high"), "resulting score is not a number (NaN)");
  await refused(r.zadd("z", "nan", "m"), "value is not a valid float");
};
