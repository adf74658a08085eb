// More connections like the one that a behavior was given.

const assert = require("node:assert");
const { eventually } = require("../javascript.cjs");

/** A second client of the same server with a connection of its own. */
const sibling = (r, changes = {}) => r.duplicate(changes);

/** Runs the use of a second client, then closes it. */
async function withSibling(r, changes, use) {
  const other = sibling(r, changes);
  other.on("error", () => {}); // A refused handshake also reaches the command that waits for it.
  try {
    return await use(other);
  } finally {
    other.disconnect();
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
