// Lists, hashes, sets, sorted sets.

const assert = require("node:assert");
const { is, refused, times, sorted } = require("../javascript.cjs");
const { whileBlocked } = require("./connect.cjs");

/** Members with scores as this client takes and gives them. */
const scored = (pairs) => Object.entries(pairs).map(([value, score]) => ({ value, score }));

exports[15] = async function lists(r) {
  await is(r.lPushX("l", "x"), 0);
  await is(r.rPush("l", ["b", "c", "d"]), 3);
  await is(r.lPush("l", "a"), 4);
  await is(r.lRange("l", 0, -1), ["a", "b", "c", "d"]);
  await is(r.lRange("l", -2, 100), ["c", "d"]);
  await is(r.lIndex("l", 0), "a");
  await is(r.lIndex("l", -1), "d");
  await is(r.lIndex("l", 9), null);
  await is(r.lSet("l", 1, "B"), "OK");
  await refused(r.lSet("l", 9, "x"), "index out of range");
  await is(r.lInsert("l", "BEFORE", "c", "b2"), 5);
  await is(r.lInsert("l", "AFTER", "none", "x"), -1);
  await is(r.lRem("l", -1, "b2"), 1);
  await is(r.lTrim("l", 1, -1), "OK");
  await is(r.lPop("l"), "B");
  await is(r.rPopCount("l", 5), ["d", "c"]);
  await is(r.lPop("l"), null);
  await is(r.lLen("l"), 0);
  await is(r.exists("l"), 0);
};

exports[16] = async function lpos(r) {
  await r.rPush("l", [..."abcdacb"]);
  await is(r.lPos("l", "c"), 2);
  await is(r.lPos("l", "c", { RANK: -1 }), 5);
  await is(r.lPosCount("l", "a", 0), [0, 4]);
  await is(r.lPos("l", "c", { MAXLEN: 2 }), null);
  await refused(r.lPos("l", "a", { RANK: 0 }), "RANK can't be zero");
};

exports[17] = async function listMoves(r) {
  await r.rPush("a", ["1", "2", "3"]);
  await is(r.lMove("a", "b", "LEFT", "RIGHT"), "1");
  await is(r.rPopLPush("a", "b"), "3");
  await is(r.lRange("b", 0, -1), ["3", "1"]);
  await is(r.lMove("none", "b", "LEFT", "RIGHT"), null);
  await is(r.lmPop(["none", "b"], "RIGHT", { COUNT: 5 }), ["b", ["1", "3"]]);
  await is(r.lmPop("none", "LEFT"), null);
};

exports[18] = async function blockingPops(r) {
  await r.rPush("l", "v");
  await is(r.blPop(["none", "l"], 1), { key: "l", element: "v" });
  await is(r.blPop("l", 0.05), null);
  const late = { key: "y", element: "late" };
  await whileBlocked(r, (c) => c.brPop(["x", "y"], 10), () => r.rPush("y", "late"), late);
  await is(r.exists("y"), 0);
  await refused(r.blPop("l", -1), "timeout is negative");
};

exports[19] = async function blockingMoves(r) {
  await is(r.blMove("a", "b", "LEFT", "RIGHT", 0.05), null);
  const move = (c) => c.blMove("a", "b", "LEFT", "RIGHT", 10);
  await whileBlocked(r, move, () => r.rPush("a", "v"), "v");
  await is(r.lRange("b", 0, -1), ["v"]);
  await is(r.blmPop(0.05, "a", "LEFT"), null);
  const pop = (c) => c.blmPop(10, ["a", "c"], "LEFT", { COUNT: 2 });
  await whileBlocked(r, pop, () => r.rPush("c", ["1", "2", "3"]), ["c", ["1", "2"]]);
  await is(r.lRange("c", 0, -1), ["3"]);
};

exports[20] = async function hashes(r) {
  const all = async (key) => ({ ...(await r.hGetAll(key)) });
  await is(r.hSet("h", { a: 1, b: 2 }), 2);
  await is(r.hSet("h", "a", "x"), 0);
  await is(r.hGet("h", "a"), "x");
  await is(r.hGet("h", "none"), null);
  await is(r.hmGet("h", ["a", "none", "b"]), ["x", null, "2"]);
  await is(all("h"), { a: "x", b: "2" });
  await is(all("none"), {});
  await is(sorted(r.hKeys("h")), ["a", "b"]);
  await is(sorted(r.hVals("h")), ["2", "x"]);
  await is(r.hExists("h", "a"), 1);
  await is(r.hExists("h", "none"), 0);
  await is(r.hLen("h"), 2);
  await is(r.hSetNX("h", "a", "1"), 0);
  await is(r.hSetNX("h", "c", "ccc"), 1);
  await is(r.hStrLen("h", "c"), 3);
  await is(r.hDel("h", ["a", "b", "c", "none"]), 3);
  await is(r.exists("h"), 0);
};

exports[21] = async function hashCounters(r) {
  await is(r.hIncrBy("h", "n", 5), 5);
  await is(r.hIncrBy("h", "n", -7), -2);
  await is(r.hIncrByFloat("h", "f", 2.25), "2.25");
  await is(r.hGet("h", "f"), "2.25");
  await r.hSet("h", "t", "x");
  await refused(r.hIncrBy("h", "t", 1), "hash value is not an integer");
  await refused(r.hIncrByFloat("h", "t", 1), "hash value is not a float");
};

exports[22] = async function randomFields(r) {
  const pairs = Object.fromEntries(times(10, (i) => [`f${i}`, `${i}`]));
  await r.hSet("h", pairs);
  assert((await r.hRandField("h")) in pairs);
  await is(sorted(r.hRandFieldCount("h", 20)), Object.keys(pairs));
  assert.strictEqual((await r.hRandFieldCount("h", -20)).length, 20);
  const drawn = await r.hRandFieldCountWithValues("h", 3);
  assert.strictEqual(drawn.length, 3);
  for (const { field, value } of drawn) assert.strictEqual(pairs[field], value);
  await is(r.hRandField("none"), null);
};

exports[23] = async function hscan(r) {
  const pairs = Object.fromEntries(times(1000, (i) => [`f${i}`, `${i}`]));
  await r.hSet("h", pairs);
  const scanned = async (options) => {
    const found = {};
    for await (const page of r.hScanIterator("h", options)) {
      for (const { field, value } of page) found[field] = value;
    }
    return found;
  };
  await is(scanned({ COUNT: 100 }), pairs);
  assert.strictEqual(Object.keys(await scanned({ MATCH: "f99?", COUNT: 1000 })).length, 10);
};

exports[24] = async function sets(r) {
  await is(r.sAdd("s", ["a", "b", "c", "a"]), 3);
  await is(sorted(r.sMembers("s")), ["a", "b", "c"]);
  await is(r.sIsMember("s", "a"), 1);
  await is(r.sIsMember("s", "x"), 0);
  await is(r.smIsMember("s", ["a", "x", "c"]), [1, 0, 1]);
  await is(r.sCard("s"), 3);
  await is(r.sRem("s", ["a", "x"]), 1);
  await is(r.sMove("s", "t", "b"), 1);
  await is(r.sMove("s", "t", "x"), 0);
  await is(r.sMembers("s"), ["c"]);
  await is(r.sMembers("t"), ["b"]);
};

exports[25] = async function setAlgebra(r) {
  await r.sAdd("a", ["1", "2", "3", "4"]);
  await r.sAdd("b", ["3", "4", "5"]);
  await is(sorted(r.sInter(["a", "b"])), ["3", "4"]);
  await is(sorted(r.sUnion(["a", "b"])), ["1", "2", "3", "4", "5"]);
  await is(sorted(r.sDiff(["a", "b"])), ["1", "2"]);
  await is(r.sInterCard(["a", "b"]), 2);
  await is(r.sInterCard(["a", "b"], { LIMIT: 1 }), 1);
  await is(r.sInterStore("i", ["a", "b"]), 2);
  await is(r.sUnionStore("u", ["a", "b"]), 5);
  await is(r.sDiffStore("d", ["b", "a"]), 1);
  await is(r.sMembers("d"), ["5"]);
  await is(r.sInterStore("i", ["a", "none"]), 0);
  await is(r.exists("i"), 0);
};

exports[26] = async function randomMembers(r) {
  const everything = times(10, String);
  await r.sAdd("s", everything);
  assert(everything.includes(await r.sRandMember("s")));
  await is(sorted(r.sRandMemberCount("s", 20)), everything);
  assert.strictEqual((await r.sRandMemberCount("s", -20)).length, 20);
  const popped = [await r.sPop("s"), ...(await r.sPopCount("s", 4))];
  await is(r.sCard("s"), 5);
  await is(sorted([...popped, ...(await r.sMembers("s"))]), everything);
  await is(r.sPop("none"), null);
};

exports[27] = async function sscan(r) {
  const members = times(1000, (i) => `m${i}`);
  await r.sAdd("s", members);
  const scanned = async (options) => {
    const found = new Set();
    for await (const page of r.sScanIterator("s", options)) page.forEach((m) => found.add(m));
    return found;
  };
  await is(scanned({ COUNT: 100 }), new Set(members));
  assert.strictEqual((await scanned({ MATCH: "m99?" })).size, 10);
};

exports[28] = async function zadd(r) {
  await is(r.zAdd("z", scored({ a: 1, b: 2, c: 3 })), 3);
  await is(r.zAdd("z", scored({ a: 9 }), { condition: "NX" }), 0);
  await is(r.zAdd("z", scored({ x: 9 }), { condition: "XX" }), 0);
  await is(r.zAdd("z", scored({ a: 5, d: 4 }), { CH: true }), 2);
  await is(r.zAdd("z", scored({ a: 3 }), { comparison: "GT", CH: true }), 0);
  await is(r.zAdd("z", scored({ a: 0.5 }), { comparison: "LT", CH: true }), 1);
  await is(r.zAddIncr("z", { score: 1.5, value: "a" }), 2);
  await is(r.zAddIncr("z", { score: 1, value: "a" }, { condition: "NX" }), null);
  await is(r.zScore("z", "a"), 2);
  await is(r.zScore("z", "none"), null);
  await is(r.zmScore("z", ["b", "none"]), [2, null]);
  await is(r.zIncrBy("z", 0.25, "b"), 2.25);
  await is(r.zCard("z"), 4);
  await is(r.zRank("z", "a"), 0);
  await is(r.zRevRank("z", "a"), 3);
  await is(r.zRank("z", "none"), null);
  await is(r.zRem("z", ["a", "none"]), 1);
  await is(r.zCard("z"), 3);
  const both = r.zAdd("z", scored({ m: 1 }), { condition: "NX", comparison: "GT" });
  await refused(both, "GT, LT, and/or NX options");
  await refused(r.sendCommand(["ZADD", "z", "x", "m"]), "value is not a valid float");
};

exports[29] = async function zrange(r) {
  await r.zAdd("z", scored({ a: 1, b: 2, c: 3, d: 4 }));
  await is(r.zRange("z", 0, 1), ["a", "b"]);
  await is(r.zRangeWithScores("z", 0, 1, { REV: true }), scored({ d: 4, c: 3 }));
  const page = { BY: "SCORE", LIMIT: { offset: 1, count: 5 } };
  await is(r.zRange("z", "(1", "+inf", page), ["c", "d"]);
  await is(r.zRange("z", 3, 1, { BY: "SCORE", REV: true }), ["c", "b", "a"]);
  await is(r.zRangeByScore("z", 2, "(4"), ["b", "c"]);
  await is(r.sendCommand(["ZREVRANGEBYSCORE", "z", "+inf", "3"]), ["d", "c"]);
  await is(r.zCount("z", "(1", 3), 2);
  await is(r.zCount("z", 9, 10), 0);
  await r.zAdd("lex", scored({ a: 0, b: 0, c: 0, d: 0, e: 0 }));
  await is(r.zRange("lex", "[b", "(d", { BY: "LEX" }), ["b", "c"]);
  const last = { BY: "LEX", REV: true, LIMIT: { offset: 0, count: 2 } };
  await is(r.zRange("lex", "+", "-", last), ["e", "d"]);
  await is(r.zLexCount("lex", "-", "+"), 5);
  await is(r.zRangeByLex("lex", "(d", "+"), ["e"]);
  await refused(r.zRange("z", "x", 1, { BY: "SCORE" }), "min or max is not a float");
};

exports[30] = async function zrangestore(r) {
  await r.zAdd("z", [..."abcdefgh"].map((value, score) => ({ value, score })));
  await is(r.zRangeStore("dst", "z", 1, 3), 3);
  await is(r.zRangeWithScores("dst", 0, -1), scored({ b: 1, c: 2, d: 3 }));
  await is(r.zRemRangeByRank("z", 0, 1), 2);
  await is(r.zRemRangeByScore("z", "(2", 4), 2);
  await is(r.zRange("z", 0, -1), ["c", "f", "g", "h"]);
  await r.zAdd("lex", scored({ a: 0, b: 0, c: 0 }));
  await is(r.zRemRangeByLex("lex", "-", "[b"), 2);
  await is(r.zRange("lex", 0, -1), ["c"]);
};

exports[31] = async function zsetAlgebra(r) {
  await r.zAdd("a", scored({ x: 1, y: 2 }));
  await r.zAdd("b", scored({ y: 3, z: 4 }));
  await is(r.zUnionWithScores(["a", "b"]), scored({ x: 1, z: 4, y: 5 }));
  const weighted = [{ key: "a", weight: 2 }, { key: "b", weight: 10 }];
  const heaviest = scored({ x: 2, y: 30, z: 40 });
  await is(r.zUnionWithScores(weighted, { AGGREGATE: "MAX" }), heaviest);
  await is(r.zInterWithScores(["a", "b"], { AGGREGATE: "MIN" }), scored({ y: 2 }));
  await is(r.zDiffWithScores(["a", "b"]), scored({ x: 1 }));
  await is(r.zUnionStore("u", [{ key: "a", weight: 1 }, { key: "b", weight: 0.5 }]), 3);
  await is(r.zRangeWithScores("u", 0, -1), scored({ x: 1, z: 2, y: 3.5 }));
  await is(r.zInterStore("i", ["a", "b"]), 1);
  await is(r.zDiffStore("d", ["b", "a"]), 1);
  await is(r.zInterCard(["a", "b"]), 1);
  await is(r.zRange("d", 0, -1), ["z"]);
};

exports[32] = async function zpops(r) {
  await r.zAdd("z", [..."abcdef"].map((value, score) => ({ value, score })));
  await is(r.zPopMin("z"), { value: "a", score: 0 });
  await is(r.zPopMaxCount("z", 2), scored({ f: 5, e: 4 }));
  const popped = { key: "z", members: scored({ b: 1, c: 2 }) };
  await is(r.zmPop(["none", "z"], "MIN", { COUNT: 2 }), popped);
  await is(r.bzPopMin(["none", "z"], 1), { key: "z", value: "d", score: 3 });
  await is(r.zPopMin("z"), null);
  await is(r.bzPopMax("z", 0.05), null);
  const late = { key: "z", value: "m", score: 7 };
  await whileBlocked(r, (c) => c.bzPopMin("z", 10), () => r.zAdd("z", scored({ m: 7 })), late);
  const highest = { key: "z", members: scored({ q: 2 }) };
  const pop = (c) => c.bzmPop(10, "z", "MAX");
  await whileBlocked(r, pop, () => r.zAdd("z", scored({ p: 1, q: 2 })), highest);
};

exports[33] = async function zscanZrandmember(r) {
  const scores = Object.fromEntries(times(1000, (i) => [`m${i}`, i]));
  await r.zAdd("z", scored(scores));
  const found = {};
  for await (const page of r.zScanIterator("z", { COUNT: 100 })) {
    for (const { value, score } of page) found[value] = score;
  }
  assert.deepStrictEqual(found, scores);
  assert((await r.zRandMember("z")) in scores);
  assert.strictEqual(new Set(await r.zRandMemberCount("z", 5)).size, 5);
  assert.strictEqual((await r.zRandMemberCount("z", -20)).length, 20);
  const drawn = await r.zRandMemberCountWithScores("z", 3);
  assert.strictEqual(drawn.length, 3);
  for (const { value, score } of drawn) assert.strictEqual(scores[value], score);
};

exports[34] = async function edgeScores(r) {
  const scores = { low: -Infinity, high: Infinity, tiny: 5e-324, third: 1 / 3, big: 1e308 };
  await r.zAdd("z", scored(scores));
  await is(r.zRange("z", 0, -1), ["low", "tiny", "third", "big", "high"]);
  await is(r.zmScore("z", ["low", "high"]), [-Infinity, Infinity]);
  await is(r.zScore("z", "third"), 1 / 3);
  await is(r.zScore("z", "tiny"), 5e-324);
  await is(r.zRangeByScore("z", "-inf", "(0"), ["low"]);
  await refused(r.zIncrBy("z", -Infinity, "high"), "resulting score is not a number (NaN)");
  await refused(r.sendCommand(["ZADD", "z", "nan", "m"]), "value is not a valid float");
};
