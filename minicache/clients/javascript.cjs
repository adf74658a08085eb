// What the JavaScript clients stand on: running behaviors, comparing answers, waiting.
//
//     exports[8] = async function getexGetdel(r) {
//       await is(r.getdel("missing"), null);
//     };

const assert = require("node:assert");
const { setTimeout: sleep } = require("node:timers/promises");

/** Runs every behavior on an empty server; prints failures, returns their count. */
async function run(label, behaviors, client, flush) {
  // A rejection that nobody waits for any more is of a behavior that has already failed.
  process.on("unhandledRejection", () => {});
  const held = [];
  for (const [number, behavior] of Object.entries(behaviors)) {
    try {
      await flush();
      await behavior(client);
      held.push(number);
    } catch (error) {
      const [place] = error.stack.match(/(sessions|keyspace|containers)\.cjs:\d+/) ?? [behavior.name];
      console.log(`  FAIL ${number} ${place}: ${error.message}`);
    }
  }
  const all = Object.keys(behaviors).length;
  console.log(`  ${label}: ${held.length} of ${all} held: ${held.join(" ")}`);
  return all - held.length;
}

/** Expects this very answer. */
async function is(answer, want) {
  assert.deepStrictEqual(await answer, want);
}

/** Expects a number from low to high. */
async function within(answer, low, high) {
  const got = Number(await answer);
  assert(low <= got && got <= high, `got ${got}, want ${low} to ${high}`);
}

/** Expects an error from the server that contains the text. */
async function refused(answer, text) {
  await assert.rejects(async () => answer, (error) => {
    assert(error.message.includes(text), `got the error ${error.message}, want ${text}`);
    return true;
  });
}

/** Waits until the condition holds; fails when it has not after ten seconds. */
async function eventually(condition) {
  for (const deadline = Date.now() + 10_000; !(await condition()); await sleep(5)) {
    assert(Date.now() < deadline, "still not true after ten seconds");
  }
}

/** The numbers from 0 to count - 1, each through the function. */
const times = (count, each) => Array.from({ length: count }, (_, i) => each(i));

const sorted = async (answer) => [...(await answer)].sort();

module.exports = { run, is, within, refused, eventually, times, sorted };
