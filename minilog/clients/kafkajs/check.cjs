// kafkajs against the broker at HOST PORT: JavaScript, of 2023, with older versions of requests.
const net = require('net');
const zstd = require('@bokuweb/zstd-wasm');
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs');
const lz4 = require('lz4js');

const [host, port] = process.argv.slice(2);
const kafka = new Kafka({
  brokers: [`${host}:${port}`],
  logLevel: logLevel.NOTHING,
  retry: { retries: 5 },
});
const run = `${process.pid}-${Date.now() % 100000}`;

function equal(got, want) {
  const [left, right] = [got, want].map((it) => JSON.stringify(it));
  if (left !== right) throw new Error(`got ${left}, want ${right}`);
}

// Waits until the condition holds. Fails after ten seconds.
async function eventually(condition) {
  const end = Date.now() + 10000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('still not true after ten seconds');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function withAdmin(use) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

const create = (topic, numPartitions, configEntries = []) =>
  withAdmin((admin) => admin.createTopics({ topics: [{ topic, numPartitions, configEntries }] }));

async function produce(topic, count) {
  const producer = kafka.producer();
  await producer.connect();
  const messages = [...Array(count).keys()].map((it) => ({ value: String(it) }));
  const [sent] = await producer.send({ topic, acks: -1, messages });
  equal(sent.baseOffset, '0');
  await producer.disconnect();
}

// A running member of the group named like the topic. It takes `limit` records.
async function member(topic, limit) {
  const consumer = kafka.consumer({
    groupId: topic,
    sessionTimeout: 6000,
    heartbeatInterval: 300,
    maxWaitTimeInMs: 100,
  });
  const it = { partitions: [], values: [], stop: () => consumer.disconnect() };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    it.partitions = payload.memberAssignment[topic] || [];
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message, partition }) => {
      if (it.values.length === limit) return;
      it.values.push(message.value.toString());
      const offset = String(Number(message.offset) + 1);
      await consumer.commitOffsets([{ topic, partition, offset }]);
    },
  });
  return it;
}

// Sends messages one by one. Returns their offsets.
async function send(topic, messages, { client = kafka, idempotent = false, before, ...options } = {}) {
  const producer = client.producer({ idempotent });
  await producer.connect();
  const offsets = [];
  for (const message of messages) {
    if (before) await before(offsets.length);
    const [sent] = await producer.send({ topic, messages: [message], ...options });
    offsets.push(sent.baseOffset);
  }
  await producer.disconnect();
  return offsets;
}

// Reads this number of records of a topic, from its beginning.
async function read(topic, count) {
  const consumer = kafka.consumer({ groupId: `${topic}-${Math.random()}`, maxWaitTimeInMs: 100 });
  const records = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      records.push([message.offset, message.value && message.value.toString()]);
    },
  });
  await eventually(() => records.length >= count);
  await consumer.disconnect();
  return records.slice(0, count);
}

// The headers of lz4js say that blocks depend on each other, which Kafka refuses. These frames have
// only one block, so we can clear that bit and replace the checksum of the header.
const independentLz4 = {
  compress: (bytes) => {
    const frame = lz4.compress(bytes);
    equal([...frame.slice(4, 7)], [0x40, 0x70, 0xdf]);
    frame.set([0x60, 0x70, 0x73], 4);
    return frame;
  },
  decompress: lz4.decompress,
};

// Adapts a package with two functions to the interface that kafkajs expects.
const codec = ({ compress, decompress }) => () => ({
  compress: async (encoder) => Buffer.from(compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(decompress(buffer)),
});

const behaviors = {
  // kafkajs has gzip built in; other codecs must be registered.
  5: async function compression(topic) {
    await zstd.init();
    CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
    CompressionCodecs[CompressionTypes.LZ4] = codec(independentLz4);
    CompressionCodecs[CompressionTypes.ZSTD] = codec(zstd);
    await create(topic, 1);
    const names = Object.keys(CompressionTypes);
    equal(names, ['None', 'GZIP', 'Snappy', 'LZ4', 'ZSTD']);
    for (const name of names) {
      const compression = CompressionTypes[name];
      await send(topic, [{ value: name.repeat(100) }], { compression });
    }
    equal(await read(topic, 5), names.map((name, index) => [`${index}`, name.repeat(100)]));
  },

  7: async function timestamps(topic) {
    await create(topic, 1);
    await send(topic, [1000, 2000, 3000].map((it) => ({ value: 'x', timestamp: String(it) })));
    await withAdmin(async (admin) => {
      equal(await admin.fetchTopicOffsetsByTimestamp(topic, 1500), [{ partition: 0, offset: '1' }]);
      const [ends] = await admin.fetchTopicOffsets(topic);
      equal([ends.low, ends.high], ['0', '3']);
    });
  },

  13: async function topics(topic) {
    await create(topic, 3);
    await withAdmin(async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      equal(topics[0].partitions.length, 3);
      const refused = [[topic, 1], [`${topic}-2`, 2]].map(async ([topic, replicationFactor]) => {
        const created = admin.createTopics({ topics: [{ topic, replicationFactor }] });
        // If the topic exists, kafkajs returns false instead of an error.
        return created.catch((error) => (error.errors || [error])[0].type);
      });
      equal(await Promise.all(refused), [false, 'INVALID_REPLICATION_FACTOR']);
      await admin.deleteTopics({ topics: [topic] });
      await eventually(async () => !(await admin.listTopics()).includes(topic));
    });
  },

  14: async function compaction(topic) {
    const configs = { 'cleanup.policy': 'compact', 'segment.ms': '1', 'min.cleanable.dirty.ratio': '0.01' };
    await create(topic, 1, Object.entries(configs).map(([name, value]) => ({ name, value })));
    // Each batch becomes a segment.
    const before = () => new Promise((resolve) => setTimeout(resolve, 3));
    const messages = ['a', 'b', 'a', 'b', 'c'].map((key, index) => ({ key, value: `${index}` }));
    await send(topic, messages, { before });
    await eventually(async () => (await read(topic, 1))[0][0] === '2');
    equal(await read(topic, 3), [['2', '2'], ['3', '3'], ['4', '4']]);
  },

  15: async function idempotence(topic) {
    await create(topic, 1);
    // The first response after `armed` was set is dropped, and its connection breaks.
    let armed = false;
    const socketFactory = ({ host, port, onConnect }) => {
      const socket = net.connect({ host, port }, onConnect);
      const emit = socket.emit.bind(socket);
      socket.emit = (event, ...values) => {
        if (event !== 'data' || !armed) return emit(event, ...values);
        armed = false;
        return socket.destroy(new Error('the response is lost'));
      };
      return socket;
    };
    const client = new Kafka({
      brokers: [`${host}:${port}`],
      logLevel: logLevel.NOTHING,
      retry: { retries: 5 },
      socketFactory,
    });
    const values = [...Array(10).keys()].map(String);
    const before = (number) => {
      equal(armed, false);
      armed = number === 3 || number === 7;
    };
    const messages = values.map((value) => ({ value }));
    equal(await send(topic, messages, { client, idempotent: true, before }), values);
    equal(await read(topic, 10), values.map((it) => [it, it]));
  },

  20: async function groupOfTwo(topic) {
    await create(topic, 4);
    const first = await member(topic, 0);
    await eventually(() => first.partitions.length === 4);
    const second = await member(topic, 0);
    await eventually(() => first.partitions.length === 2 && second.partitions.length === 2);
    await second.stop();
    await eventually(() => first.partitions.length === 4);
    await first.stop();
  },

  23: async function resume(topic) {
    await create(topic, 1);
    await produce(topic, 20);
    let reader = await member(topic, 10);
    await eventually(() => reader.values.length === 10);
    await reader.stop();
    reader = await member(topic, 1);
    await eventually(() => reader.values.length === 1);
    await reader.stop();
    equal(reader.values, ['10']);
  },

  26: async function administration(topic) {
    await create(topic, 1);
    const reader = await member(topic, 0);
    await eventually(() => reader.partitions.length === 1);
    await withAdmin(async (admin) => {
      const [stable] = (await admin.describeGroups([topic])).groups;
      equal([stable.state, stable.members.length], ['Stable', 1]);
      await reader.stop();
      await admin.setOffsets({ groupId: topic, topic, partitions: [{ partition: 0, offset: '7' }] });
      const [found] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
      equal(found.partitions[0].offset, '7');
      await admin.deleteGroups([topic]);
      const { groups } = await admin.listGroups();
      equal(groups.filter((it) => it.groupId === topic), []);
    });
  },
};

async function main() {
  const held = [];
  for (const [number, behavior] of Object.entries(behaviors)) {
    try {
      await behavior(`${behavior.name}-${run}`);
      held.push(number);
    } catch (error) {
      console.log(`  FAIL ${number}: ${error.stack}`);
    }
  }
  const count = Object.keys(behaviors).length;
  console.log(`  kafkajs: ${held.length} of ${count} held: ${held.join(' ')}`);
  process.exit(held.length === count ? 0 : 1);
}

main();
