// ioredis against the server at HOST PORT, in RESP2 and in RESP3, its default.

const { run } = require("../javascript.cjs");
const Redis = require("ioredis");

const behaviors = {
  ...require("./sessions.cjs"),
  ...require("./keyspace.cjs"),
  ...require("./containers.cjs"),
};

async function main(host, port) {
  let failures = 0;
  for (const protocol of [2, 3]) {
    const client = new Redis({ host, port, protocol });
    failures += await run(`ioredis RESP${protocol}`, behaviors, client, () => client.flushall());
    client.disconnect();
  }
  process.exit(failures === 0 ? 0 : 1);
}

main(process.argv[2], Number(process.argv[3]));
