// More connections like the one that a behavior was given.

const assert = require("node:assert");
const { eventually } = require("../javascript.cjs");

/** Runs the use of a second client of the same server, then closes it. */
async function withSibling(r, changes, use) {
  const other = r.duplicate(changes);
  other.on("error", () => {}); // The rejected promise of the command reports it too.
  try {
    await other.connect();
    return await use(other);
  } finally {
    if (other.isOpen) other.destroy();
  }
}

/** Starts a blocking command on another connection, serves it once blocked, expects the answer. */
async function whileBlocked(r, blocking, serving, want) {
  await withSibling(r, {}, async (other) => {
    const answer = blocking(other);
    await eventually(async () => (await r.info("clients")).includes("blocked_clients:1\r"));
    await serving();
    assert.deepStrictEqual(await answer, want);
  });
}

module.exports = { withSibling, whileBlocked };
