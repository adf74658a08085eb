// Programs for Node.js whose Redis work is scripts: Bull and rate-limiter-flexible.
const assert = require('node:assert');
const [host, port] = [process.argv[2], Number(process.argv[3])];
const Redis = require('ioredis');
const Queue = require('bull');
const { RateLimiterRedis } = require('rate-limiter-flexible');

async function limits(client) {
  const limiter = new RateLimiterRedis({ storeClient: client, points: 3, duration: 60 });
  for (let left = 2; left >= 0; left--) {
    assert.equal((await limiter.consume('a')).remainingPoints, left);
  }
  await assert.rejects(limiter.consume('a'), (why) => why.msBeforeNext > 0);
  await limiter.penalty('b', 2);
  assert.equal((await limiter.get('b')).consumedPoints, 2);
  await limiter.delete('a');
  assert.equal((await limiter.consume('a')).remainingPoints, 2);
}

async function queues() {
  const queue = new Queue('work', { redis: { host, port } });
  let failures = 0;
  queue.process(async (job) => {
    if (job.data.fails && failures++ < 1) throw new Error('once');
    return job.data.number * 2;
  });
  const plain = await queue.add({ number: 21 });
  assert.equal(await plain.finished(), 42);
  const retried = await queue.add({ number: 1, fails: true }, { attempts: 3, backoff: 10 });
  assert.equal(await retried.finished(), 2);
  const delayed = await queue.add({ number: 5 }, { delay: 300, priority: 2 });
  assert.equal(await delayed.finished(), 10);
  await queue.pause();
  await queue.resume();
  assert.equal((await queue.getJobCounts()).completed, 3);
  await queue.close();
}

(async () => {
  const client = new Redis({ host, port });
  await client.flushall();
  await limits(client);
  await queues();
  client.disconnect();
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
