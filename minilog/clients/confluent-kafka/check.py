"""confluent-kafka against the broker at HOST PORT: a current librdkafka and its admin client."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import confluent_kafka  # noqa: E402
from confluent_kafka import (  # noqa: E402
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

from harness import COMPACTED, LATEST, UPDATES, behavior, equal, eventually, run  # noqa: E402
from lossy import Lossy  # noqa: E402


def produce(broker, topic, records, **options):
    """Sends records, each a dictionary of arguments; returns their offsets or errors."""
    names = {name.replace("_", "."): value for name, value in options.items()}
    writer = Producer({"bootstrap.servers": broker, "linger.ms": 5, **names})
    results = []
    for record in records:
        writer.produce(
            topic,
            partition=0,
            callback=lambda error, message: results.append(error or message.offset()),
            **record,
        )
    equal(writer.flush(20), 0)
    return results


def consumer(broker, topic, offset=0, **options):
    """A consumer of partition 0 from an offset on. Its group never commits."""
    settings = {"bootstrap.servers": broker, "group.id": "none", "enable.auto.commit": False}
    reader = Consumer({**settings, **options})
    reader.assign([TopicPartition(topic, 0, offset)])
    return reader


def consume(broker, topic, count, offset=0):
    """The next records of partition 0 from an offset on."""
    reader = consumer(broker, topic, offset)
    records = []

    def all_there():
        records.extend(reader.consume(count - len(records), timeout=1))
        return len(records) == count

    eventually(all_there)
    reader.close()
    return records


@behavior(1)
def metadata(broker, topic):
    listing = AdminClient({"bootstrap.servers": broker}).list_topics(timeout=10)
    host, port = broker.split(":")
    addresses = [(it.host, it.port) for it in listing.brokers.values()]
    equal(addresses, [(host, int(port))])
    equal(listing.controller_id in listing.brokers, True)


@behavior(2)
def auto_create(broker, topic):
    equal(produce(broker, topic, [{"value": b"one"}]), [0])
    listing = AdminClient({"bootstrap.servers": broker}).list_topics(topic, timeout=10)
    equal(listing.topics[topic].partitions[0].leader in listing.brokers, True)


@behavior(3)
def order(broker, topic):
    values = [b"%d" % number for number in range(5000)]
    offsets = produce(broker, topic, [{"value": value} for value in values])
    equal(offsets, list(range(5000)))
    equal([record.value() for record in consume(broker, topic, 5000)], values)


@behavior(4)
def parts(broker, topic):
    headers = [("color", b"red"), ("color", b"blue"), ("empty", b""), ("null", None)]
    first = {"key": b"k", "value": b"v", "headers": headers, "timestamp": 1_700_000_000_000}
    produce(broker, topic, [first, {"key": b"", "value": None}])
    first, second = consume(broker, topic, 2)
    equal((first.key(), first.value(), first.headers()), (b"k", b"v", headers))
    equal(first.timestamp()[1], 1_700_000_000_000)
    equal((second.key(), second.value(), second.headers()), (b"", None, None))


@behavior(5)
def compression(broker, topic):
    values = []
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        batch = [f"{codec} {number}".encode() for number in range(200)]
        produce(broker, topic, [{"value": value} for value in batch], compression_type=codec)
        values += batch
    equal([record.value() for record in consume(broker, topic, 1000)], values)


@behavior(6)
def seek(broker, topic):
    produce(broker, topic, [{"value": b"%d" % number} for number in range(50)])
    equal(consume(broker, topic, 1, offset=40)[0].value(), b"40")


@behavior(7)
def timestamps(broker, topic):
    for timestamp in [1000, 2000, 3000]:
        produce(broker, topic, [{"value": b"x", "timestamp": timestamp}])
    reader = consumer(broker, topic)
    found = reader.offsets_for_times([TopicPartition(topic, 0, 1500)], timeout=10)
    equal(found[0].offset, 1)
    equal(reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=10), (0, 3))
    reader.close()


@behavior(8)
def acknowledgments(broker, topic):
    for acks in [0, 1, -1]:
        produce(broker, topic, [{"value": b"x"}], acks=acks)
    reader = consumer(broker, topic)
    partition = TopicPartition(topic, 0)
    eventually(lambda: reader.get_watermark_offsets(partition, timeout=10) == (0, 3))
    reader.close()


@behavior(9)
def large(broker, topic):
    equal(produce(broker, topic, [{"value": b"x" * 900_000}]), [0])
    equal(len(consume(broker, topic, 1)[0].value()), 900_000)
    answer = produce(broker, topic, [{"value": b"x" * 1_500_000}], message_max_bytes=2_000_000)
    equal(answer[0].code(), KafkaError.MSG_SIZE_TOO_LARGE)


@behavior(12)
def idempotence(broker, topic):
    records = [{"value": b"%d" % number} for number in range(500)]
    equal(produce(broker, topic, records, enable_idempotence=True), list(range(500)))


@behavior(13)
def topics(broker, topic):
    admin = AdminClient({"bootstrap.servers": broker})
    create(broker, topic, 3)
    again = lambda: admin.create_topics([NewTopic(topic, 3, 1)])[topic].result(10)  # noqa: E731
    equal(refused(again), KafkaError.TOPIC_ALREADY_EXISTS)
    two_replicas = NewTopic(topic + "-2", 1, 2)
    replicated = lambda: admin.create_topics([two_replicas])[topic + "-2"].result(10)  # noqa: E731
    equal(refused(replicated), KafkaError.INVALID_REPLICATION_FACTOR)
    admin.delete_topics([topic])[topic].result(10)
    eventually(lambda: topic not in admin.list_topics(timeout=10).topics)


@behavior(14)
def compaction(broker, topic):
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(topic, 1, 1, config=COMPACTED)])[topic].result(10)
    for key, value in UPDATES:
        time.sleep(0.002)
        produce(broker, topic, [{"key": key, "value": value}])
    eventually(lambda: [it.offset() for it in consume(broker, topic, 1)][:1] == LATEST[:1])
    equal([it.offset() for it in consume(broker, topic, 3)], LATEST)


@behavior(15)
def lost_responses(broker, topic):
    values = [b"%d" % number for number in range(10)]
    offsets = []
    with Lossy(broker, [4, 9]) as proxy:
        writer = Producer({"bootstrap.servers": proxy.address, "enable.idempotence": True})
        for value in values:
            writer.produce(topic, value, partition=0, callback=lambda e, m: offsets.append(e or m.offset()))
            equal(writer.flush(20), 0)
        equal((offsets, proxy.lost), ([*range(10)], 2))
    equal([it.value() for it in consume(broker, topic, 10)], values)


def member(broker, topic, **options):
    """A member of the group named like the topic."""
    names = {name.replace("_", "."): value for name, value in options.items()}
    settings = {
        "bootstrap.servers": broker,
        "group.id": topic,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 300,
    }
    reader = Consumer({**settings, **names})
    reader.subscribe([topic])
    return reader


def share(members, count):
    """Polls until each member has a partition, and all together have `count`."""

    def is_shared():
        for it in members:
            it.poll(0.1)
        parts = [{part.partition for part in it.assignment()} for it in members]
        return all(parts) and sum(map(len, parts)) == len(set.union(*parts)) == count

    eventually(is_shared)


def create(broker, topic, partitions):
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(10)
    # Kafka answers before its metadata has the partitions.
    listed = lambda: admin.list_topics(topic, timeout=10).topics[topic]  # noqa: E731
    eventually(lambda: sorted(listed().partitions) == [*range(partitions)])
    return admin


def group_of_two(broker, topic, **options):
    create(broker, topic, 4)
    first = member(broker, topic, **options)
    share([first], 4)
    second = member(broker, topic, **options)
    share([first, second], 4)
    equal(len(first.assignment()), 2)
    second.close()
    share([first], 4)
    first.close()


@behavior(20)
def eager(broker, topic):
    group_of_two(broker, topic)


@behavior(21)
def cooperative(broker, topic):
    group_of_two(broker, topic, partition_assignment_strategy="cooperative-sticky")


@behavior(23)
def resume(broker, topic):
    produce(broker, topic, [{"value": b"%d" % number} for number in range(20)])
    reader = member(broker, topic)
    records = []
    eventually(lambda: records.extend(reader.consume(1, 1)) or len(records) == 10)
    equal([it.value() for it in records], [b"%d" % number for number in range(10)])
    part = TopicPartition(topic, 0, 10, metadata="ten")
    reader.commit(offsets=[part], asynchronous=False)
    reader.close()

    reader = member(broker, topic)
    records.clear()
    eventually(lambda: records.extend(reader.consume(1, 1)) or records)
    equal(records[0].value(), b"10")
    (committed,) = reader.committed([TopicPartition(topic, 0)], timeout=10)
    equal((committed.offset, committed.metadata), (10, "ten"))
    reader.close()


@behavior(24)
def static_member(broker, topic):
    create(broker, topic, 2)
    first = member(broker, topic, group_instance_id="one")
    second = member(broker, topic, group_instance_id="two")
    share([first, second], 2)
    before = first.assignment(), second.assignment()
    second.close()
    second = member(broker, topic, group_instance_id="two")
    share([first, second], 2)
    equal((first.assignment(), second.assignment()), before)
    first.close()
    second.close()


@behavior(25)
def describe(broker, topic):
    admin = create(broker, topic, 2)
    reader = member(broker, topic, client_id="reader")
    share([reader], 2)
    group = admin.describe_consumer_groups([topic])[topic].result(10)
    equal((group.state.name, group.partition_assignor), ("STABLE", "range"))
    (only,) = group.members
    equal((only.client_id, only.host), ("reader", "/127.0.0.1"))
    equal([it.partition for it in only.assignment.topic_partitions], [0, 1])
    reader.close()
    listed = admin.list_consumer_groups(states={ConsumerGroupState.EMPTY}).result(10)
    equal(topic in [it.group_id for it in listed.valid], True)


@behavior(26)
def administration(broker, topic):
    admin = create(broker, topic, 1)
    reader = member(broker, topic)
    share([reader], 1)
    reader.commit(offsets=[TopicPartition(topic, 0, 7)], asynchronous=False)
    new = [ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 0, 3)])]
    alter = lambda: admin.alter_consumer_group_offsets(new)[topic].result(10)  # noqa: E731
    delete = lambda: admin.delete_consumer_groups([topic])[topic].result(10)  # noqa: E731
    equal(refused(delete), KafkaError.NON_EMPTY_GROUP)
    equal(alter().topic_partitions[0].error.code(), KafkaError.UNKNOWN_MEMBER_ID)
    reader.close()

    equal(alter().topic_partitions[0].error, None)
    wanted = [ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 0)])]
    found = admin.list_consumer_group_offsets(wanted)[topic].result(10)
    equal([it.offset for it in found.topic_partitions], [3])
    delete()
    equal(refused(delete), KafkaError.GROUP_ID_NOT_FOUND)
    found = admin.list_consumer_group_offsets(wanted)[topic].result(10)
    equal([it.offset for it in found.topic_partitions], [-1001])


def refused(call):
    """The error code of a call that must fail."""
    try:
        call()
    except KafkaException as error:
        return error.args[0].code()
    raise AssertionError("not refused")


if __name__ == "__main__":
    version = f"{confluent_kafka.version()} on librdkafka {confluent_kafka.libversion()[0]}"
    sys.exit(run(f"confluent-kafka {version}", f"{sys.argv[1]}:{sys.argv[2]}"))
