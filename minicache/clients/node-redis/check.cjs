// node-redis against the server at HOST PORT, in RESP2 and in RESP3, its default.

const { run } = require("../javascript.cjs");
const { createClient } = require("redis");

const behaviors = {
  ...require("./sessions.cjs"),
  ...require("./keyspace.cjs"),
  ...require("./containers.cjs"),
};

async function main(host, port) {
  let failures = 0;
  for (const RESP of [2, 3]) {
    const client = await createClient({ socket: { host, port }, RESP }).connect();
    failures += await run(`node-redis RESP${RESP}`, behaviors, client, () => client.flushAll());
    client.destroy();
  }
  process.exit(failures === 0 ? 0 : 1);
}

main(process.argv[2], Number(process.argv[3]));
