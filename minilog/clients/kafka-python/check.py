"""kafka-python against the broker at HOST PORT: pure Python, with its own encoders and decoders."""

import itertools
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import kafka  # noqa: E402
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition  # noqa: E402
from kafka.admin import NewTopic  # noqa: E402
from kafka.errors import (  # noqa: E402
    InvalidReplicationFactorError,
    MessageSizeTooLargeError,
    TopicAlreadyExistsError,
)

from harness import COMPACTED, LATEST, UPDATES, behavior, equal, eventually, run  # noqa: E402
from lossy import Lossy  # noqa: E402


def producer(broker, **options):
    return KafkaProducer(bootstrap_servers=broker, **options)


def consumer(broker, topic, **options):
    """A consumer of partition 0, at its beginning, without a group."""
    reader = KafkaConsumer(bootstrap_servers=broker, **options)
    reader.assign([TopicPartition(topic, 0)])
    reader.seek_to_beginning()
    return reader


def consume(broker, topic, count):
    """The next records of partition 0 from its beginning."""
    reader = consumer(broker, topic, consumer_timeout_ms=20000)
    records = list(itertools.islice(reader, count))
    reader.close()
    return records


def send_all(broker, topic, values, **options):
    writer = producer(broker, **options)
    futures = [writer.send(topic, value, partition=0) for value in values]
    writer.flush()
    offsets = [future.get(10).offset for future in futures]
    writer.close()
    return offsets


@behavior(1)
def metadata(broker, topic):
    reader = KafkaConsumer(bootstrap_servers=broker)
    equal(isinstance(reader.topics(), set), True)
    reader.close()


@behavior(2)
def auto_create(broker, topic):
    equal(send_all(broker, topic, [b"one"]), [0])
    reader = KafkaConsumer(bootstrap_servers=broker)
    equal(0 in reader.partitions_for_topic(topic), True)
    reader.close()


@behavior(3)
def order(broker, topic):
    values = [b"%d" % number for number in range(2000)]
    equal(send_all(broker, topic, values), list(range(2000)))
    equal([record.value for record in consume(broker, topic, 2000)], values)


@behavior(4)
def parts(broker, topic):
    writer = producer(broker)
    headers = [("color", b"red"), ("color", b"blue"), ("none", b"")]
    writer.send(topic, b"v", key=b"k", headers=headers, timestamp_ms=1_700_000_000_000, partition=0)
    writer.send(topic, None, key=b"", partition=0)
    writer.close()
    first, second = consume(broker, topic, 2)
    equal((first.key, first.value, first.headers), (b"k", b"v", headers))
    equal(first.timestamp, 1_700_000_000_000)
    equal((second.key, second.value, list(second.headers)), (b"", None, []))


@behavior(5)
def compression(broker, topic):
    values = []
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        batch = [f"{codec} {number}".encode() for number in range(200)]
        send_all(broker, topic, batch, compression_type=codec)
        values += batch
    equal([record.value for record in consume(broker, topic, 1000)], values)


@behavior(6)
def seek(broker, topic):
    send_all(broker, topic, [b"%d" % number for number in range(50)])
    reader = consumer(broker, topic, consumer_timeout_ms=20000)
    reader.seek(TopicPartition(topic, 0), 40)
    equal(next(reader).value, b"40")
    reader.close()


@behavior(7)
def timestamps(broker, topic):
    writer = producer(broker)
    for timestamp in [1000, 2000, 3000]:
        writer.send(topic, b"x", timestamp_ms=timestamp, partition=0).get(10)
    writer.close()
    partition = TopicPartition(topic, 0)
    reader = consumer(broker, topic)
    found = reader.offsets_for_times({partition: 1500})[partition]
    equal((found.offset, found.timestamp), (1, 2000))
    equal(reader.offsets_for_times({partition: 3001})[partition], None)
    equal(reader.beginning_offsets([partition]), {partition: 0})
    equal(reader.end_offsets([partition]), {partition: 3})
    reader.close()


@behavior(8)
def acknowledgments(broker, topic):
    for acks in [0, 1, "all"]:
        writer = producer(broker, acks=acks, enable_idempotence=False)
        writer.send(topic, str(acks).encode(), partition=0)
        writer.close()
    partition = TopicPartition(topic, 0)
    reader = consumer(broker, topic)
    eventually(lambda: reader.end_offsets([partition])[partition] == 3)
    reader.close()


@behavior(9)
def large(broker, topic):
    equal(send_all(broker, topic, [b"x" * 900_000]), [0])
    equal(len(consume(broker, topic, 1)[0].value), 900_000)
    too_large = lambda: send_all(broker, topic, [b"x" * 1_500_000], max_request_size=2_000_000)  # noqa: E731
    refused(MessageSizeTooLargeError, too_large)


@behavior(12)
def idempotence(broker, topic):
    values = [b"%d" % number for number in range(500)]
    offsets = send_all(broker, topic, values, enable_idempotence=True, acks="all")
    equal(offsets, list(range(500)))


@behavior(13)
def topics(broker, topic):
    create(broker, topic, 3)
    refused(TopicAlreadyExistsError, lambda: create(broker, topic, 3))
    refused(InvalidReplicationFactorError, lambda: create(broker, topic + "-2", 1, replicas=2))
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.delete_topics([topic])
    eventually(lambda: topic not in admin.list_topics())
    admin.close()


def refused(error, call):
    """Fails unless the call is refused with this error."""
    try:
        call()
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


@behavior(14)
def compaction(broker, topic):
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(topic, 1, 1, topic_configs=COMPACTED)])
    admin.close()
    writer = producer(broker)
    for key, value in UPDATES:
        time.sleep(0.002)
        writer.send(topic, value, key=key, partition=0).get(10)
    writer.close()
    eventually(lambda: consume(broker, topic, 1)[0].offset == LATEST[0])
    equal([it.offset for it in consume(broker, topic, 3)], LATEST)


@behavior(15)
def lost_responses(broker, topic):
    values = [b"%d" % number for number in range(10)]
    with Lossy(broker, [4, 9]) as proxy:
        writer = producer(proxy.address, enable_idempotence=True)
        equal([writer.send(topic, it, partition=0).get(20).offset for it in values], [*range(10)])
        writer.close()
        equal(proxy.lost, 2)
    equal([it.value for it in consume(broker, topic, 10)], values)


def create(broker, topic, partitions, replicas=1):
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        admin.create_topics([NewTopic(topic, partitions, replicas)])
    finally:
        admin.close()

    # Kafka answers before its metadata has the topic. A group that forms before gets no partitions.
    reader = KafkaConsumer(bootstrap_servers=broker)
    eventually(lambda: len(reader.partitions_for_topic(topic) or ()) == partitions)
    reader.close()


def member(broker, topic, **options):
    """A member of the group named like the topic."""
    settings = {
        "group_id": topic,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "session_timeout_ms": 6000,
        "heartbeat_interval_ms": 300,
    }
    return KafkaConsumer(topic, bootstrap_servers=broker, **{**settings, **options})


def share(members, count):
    """Polls until each member has a partition, and all together have `count`."""

    def is_shared():
        for it in members:
            # A poll that ends in the middle of a join may never complete it (kafka-python 3.0.12).
            it.poll(timeout_ms=500)
        parts = [it.assignment() for it in members]
        return all(parts) and sum(map(len, parts)) == len(set.union(*parts)) == count

    eventually(is_shared)


@behavior(20)
def group_of_two(broker, topic):
    create(broker, topic, 4)
    first = member(broker, topic)
    share([first], 4)
    second = member(broker, topic)
    share([first, second], 4)
    equal(len(first.assignment()), 2)

    # Behavior 21: the remaining member gets all partitions.
    second.close()
    share([first], 4)
    first.close()


@behavior(22)
def a_member_dies(broker, topic):
    create(broker, topic, 2)
    first = member(broker, topic)
    share([first], 2)
    command = [sys.executable, __file__, "member", broker, topic]
    other = subprocess.Popen(command, stdout=subprocess.PIPE)
    share_is_one = lambda: first.poll(timeout_ms=100) is not None and len(first.assignment()) == 1  # noqa: E731
    eventually(share_is_one)
    other.stdout.readline()
    other.send_signal(signal.SIGKILL)
    other.wait()
    share([first], 2)
    first.close()


@behavior(23)
def resume(broker, topic):
    send_all(broker, topic, [b"%d" % number for number in range(20)])
    reader = member(broker, topic, consumer_timeout_ms=20000, max_poll_records=10)
    equal([it.value for it in itertools.islice(reader, 10)], [b"%d" % it for it in range(10)])
    reader.commit()
    reader.close()

    reader = member(broker, topic, consumer_timeout_ms=20000)
    equal(next(reader).value, b"10")
    equal(reader.committed(TopicPartition(topic, 0)), 10)
    reader.close()
    reader = member(broker, topic, group_id=topic + "-other", consumer_timeout_ms=20000)
    equal(next(reader).value, b"0")
    reader.close()


@behavior(24)
def static_member(broker, topic):
    create(broker, topic, 2)
    first = member(broker, topic, group_instance_id="one")
    share([first], 2)
    second = member(broker, topic, group_instance_id="two")
    share([first, second], 2)
    before = first.assignment(), second.assignment()
    # The member restarts: a static member does not leave its group when it closes.
    second.close()
    second = member(broker, topic, group_instance_id="two")
    share([first, second], 2)
    equal((first.assignment(), second.assignment()), before)
    first.close()
    second.close()


@behavior(25)
def describe(broker, topic):
    create(broker, topic, 2)
    reader = member(broker, topic, client_id="reader")
    share([reader], 2)
    admin = KafkaAdminClient(bootstrap_servers=broker)
    group = admin.describe_groups([topic])[topic]
    equal((group["group_state"], group["protocol_data"]), ("Stable", "range"))
    equal(len(group["authorized_operations"]), 5)
    (only,) = group["members"]
    equal((only["client_id"], only["client_host"]), ("reader", "/127.0.0.1"))
    assigned = [{"topic": topic, "partitions": [0, 1]}]
    equal(only["member_assignment"]["assigned_partitions"], assigned)

    states = {it["group_id"]: it["group_state"] for it in admin.list_groups()}
    equal(states[topic], "Stable")
    reader.close()
    equal(admin.describe_groups([topic])[topic]["group_state"], "Empty")
    admin.close()


if __name__ == "__main__":
    if sys.argv[1] == "member":
        reader = member(sys.argv[2], sys.argv[3])
        while not reader.poll(timeout_ms=100) and not reader.assignment():
            pass
        print("assigned", flush=True)
        while True:
            reader.poll(timeout_ms=100)
    sys.exit(run(f"kafka-python {kafka.__version__}", f"{sys.argv[1]}:{sys.argv[2]}"))
