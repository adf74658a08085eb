"""aiokafka against the broker at HOST PORT: asynchronous Python, old versions of most requests."""

import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import aiokafka  # noqa: E402
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # noqa: E402
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: E402
from aiokafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError  # noqa: E402

from harness import BEHAVIORS, COMPACTED, LATEST, UPDATES, behavior, equal, run  # noqa: E402
from lossy import Lossy  # noqa: E402


def asynchronous(function):
    """Runs a behavior in an event loop."""
    number = next(number for number, it in BEHAVIORS.items() if it is function)

    def wrapped(broker, topic):
        asyncio.run(function(broker, topic))

    wrapped.__name__ = function.__name__
    BEHAVIORS[number] = wrapped


async def eventually(condition):
    """Waits until the condition holds. Fails after ten seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def create(broker, topic, partitions, configs=None):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
    await admin.close()


async def read(broker, topic, count):
    """Reads this number of records of partition 0, from its beginning."""
    reader = AIOKafkaConsumer(bootstrap_servers=broker)
    await reader.start()
    reader.assign([TopicPartition(topic, 0)])
    await reader.seek_to_beginning()
    records = [await reader.getone() for _ in range(count)]
    await reader.stop()
    return records


async def member(broker, topic, **options):
    """A running member of the group named like the topic."""
    settings = {
        "group_id": topic,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "session_timeout_ms": 6000,
        "heartbeat_interval_ms": 300,
    }
    reader = AIOKafkaConsumer(topic, bootstrap_servers=broker, **{**settings, **options})
    await reader.start()
    return reader


def is_shared(members, count):
    """True if each member has a partition, and all together have `count`."""
    parts = [it.assignment() for it in members]
    return all(parts) and sum(map(len, parts)) == len(set.union(*map(set, parts))) == count


async def send_all(broker, topic, values, **options):
    writer = AIOKafkaProducer(bootstrap_servers=broker, **options)
    await writer.start()
    sent = [await writer.send_and_wait(topic, value, partition=0) for value in values]
    await writer.stop()
    return [it.offset for it in sent]


@asynchronous
@behavior(3)
async def order(broker, topic):
    values = [b"%d" % number for number in range(200)]
    equal(await send_all(broker, topic, values), list(range(200)))
    equal([it.value for it in await read(broker, topic, 200)], values)


@asynchronous
@behavior(5)
async def compression(broker, topic):
    values = []
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        batch = [f"{codec} {number}".encode() for number in range(20)]
        await send_all(broker, topic, batch, compression_type=codec)
        values += batch
    equal([it.value for it in await read(broker, topic, 100)], values)


@asynchronous
@behavior(7)
async def timestamps(broker, topic):
    writer = AIOKafkaProducer(bootstrap_servers=broker)
    await writer.start()
    for timestamp in [1000, 2000, 3000]:
        await writer.send_and_wait(topic, b"x", partition=0, timestamp_ms=timestamp)
    await writer.stop()
    reader = AIOKafkaConsumer(bootstrap_servers=broker)
    await reader.start()
    partition = TopicPartition(topic, 0)
    found = await reader.offsets_for_times({partition: 1500})
    equal((found[partition].offset, found[partition].timestamp), (1, 2000))
    equal(await reader.beginning_offsets([partition]), {partition: 0})
    equal(await reader.end_offsets([partition]), {partition: 3})
    await reader.stop()


@asynchronous
@behavior(12)
async def idempotence(broker, topic):
    values = [b"%d" % number for number in range(100)]
    offsets = await send_all(broker, topic, values, enable_idempotence=True)
    equal(offsets, list(range(100)))


@asynchronous
@behavior(13)
async def topics(broker, topic):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    codes = []
    for new in [NewTopic(topic, 3, 1), NewTopic(topic, 3, 1), NewTopic(topic + "-2", 1, 2)]:
        created = await admin.create_topics([new])
        codes += [error_code for _, error_code, *_ in created.topic_errors]
    equal(codes, [0, TopicAlreadyExistsError.errno, InvalidReplicationFactorError.errno])
    await admin.delete_topics([topic])
    async with asyncio.timeout(20):
        while topic in await admin.list_topics():
            await asyncio.sleep(0.01)
    await admin.close()


@asynchronous
@behavior(14)
async def compaction(broker, topic):
    await create(broker, topic, 1, COMPACTED)
    writer = AIOKafkaProducer(bootstrap_servers=broker)
    await writer.start()
    for key, value in UPDATES:
        await asyncio.sleep(0.002)
        await writer.send_and_wait(topic, value, key=key, partition=0)
    await writer.stop()
    async with asyncio.timeout(10):
        while (await read(broker, topic, 1))[0].offset != LATEST[0]:
            await asyncio.sleep(0.05)
    equal([it.offset for it in await read(broker, topic, 3)], LATEST)


@asynchronous
@behavior(15)
async def lost_responses(broker, topic):
    values = [b"%d" % number for number in range(10)]
    with Lossy(broker, [4, 9]) as proxy:
        offsets = await send_all(proxy.address, topic, values, enable_idempotence=True)
        equal((offsets, proxy.lost), ([*range(10)], 2))
    equal([it.value for it in await read(broker, topic, 10)], values)


@asynchronous
@behavior(20)
async def group_of_two(broker, topic):
    await create(broker, topic, 4)
    first = await member(broker, topic)
    await eventually(lambda: is_shared([first], 4))
    second = await member(broker, topic)
    await eventually(lambda: is_shared([first, second], 4))
    equal(len(first.assignment()), 2)
    await second.stop()
    await eventually(lambda: is_shared([first], 4))
    await first.stop()


@asynchronous
@behavior(23)
async def resume(broker, topic):
    await send_all(broker, topic, [b"%d" % number for number in range(20)])
    reader = await member(broker, topic)
    equal([(await reader.getone()).value for _ in range(10)], [b"%d" % it for it in range(10)])
    await reader.commit({TopicPartition(topic, 0): 10})
    await reader.stop()

    reader = await member(broker, topic)
    equal((await reader.getone()).value, b"10")
    equal(await reader.committed(TopicPartition(topic, 0)), 10)
    await reader.stop()


@asynchronous
@behavior(24)
async def static_member(broker, topic):
    await create(broker, topic, 2)
    first = await member(broker, topic, group_instance_id="one")
    second = await member(broker, topic, group_instance_id="two")
    await eventually(lambda: is_shared([first, second], 2))
    before = first.assignment(), second.assignment()
    await second.stop()
    second = await member(broker, topic, group_instance_id="two")
    await eventually(lambda: is_shared([first, second], 2))
    equal((first.assignment(), second.assignment()), before)
    await first.stop()
    await second.stop()


if __name__ == "__main__":
    sys.exit(run(f"aiokafka {aiokafka.__version__}", f"{sys.argv[1]}:{sys.argv[2]}"))
