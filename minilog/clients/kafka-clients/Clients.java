// The Java producer, consumer and admin client against the broker at HOST PORT, in one process.

import java.io.BufferedReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

class Clients {
    static String host, port, broker;
    static final String RUN = ProcessHandle.current().pid() + "-" + System.nanoTime() % 100000;

    interface Behavior {
        void check(String topic) throws Exception;
    }

    public static void main(String[] arguments) {
        host = arguments[0];
        port = arguments[1];
        broker = host + ":" + port;
        Map<Integer, Behavior> behaviors = Map.of(
            5, Clients::compression,
            7, Clients::timestamps,
            13, Clients::topics,
            14, Clients::compaction,
            15, Clients::lostResponses,
            20, topic -> group(topic, RangeAssignor.class),
            21, topic -> group(topic, CooperativeStickyAssignor.class));
        List<Integer> held = new ArrayList<>();
        for (int number : behaviors.keySet().stream().sorted().toList()) {
            try {
                behaviors.get(number).check("java-" + number + "-" + RUN);
                held.add(number);
            } catch (Exception | AssertionError error) {
                System.out.println("  FAIL " + number + ": " + error);
                error.printStackTrace(System.out);
            }
        }
        System.out.println(
            "  kafka-clients: " + held.size() + " of " + behaviors.size() + " held: " + held);
        System.exit(held.size() == behaviors.size() ? 0 : 1);
    }

    static void equal(Object got, Object want) {
        if (!got.equals(want)) throw new AssertionError("got " + got + ", want " + want);
    }

    // Waits until the condition holds. Fails after twenty seconds.
    static void eventually(Callable<Boolean> condition) throws Exception {
        for (long end = System.nanoTime() + 20_000_000_000L; !condition.call();) {
            if (System.nanoTime() > end) throw new AssertionError("not true after 20 s");
        }
    }

    static Properties properties(Object... namesAndValues) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", broker);
        for (int at = 0; at < namesAndValues.length; at += 2) {
            properties.put(namesAndValues[at], namesAndValues[at + 1]);
        }
        return properties;
    }

    static void create(String topic, int partitions, Map<String, String> configs) throws Exception {
        try (Admin admin = Admin.create(properties())) {
            NewTopic created = new NewTopic(topic, partitions, (short) 1).configs(configs);
            admin.createTopics(List.of(created)).all().get();
            // Kafka answers before its metadata has the topic.
            eventually(() -> admin.listTopics().names().get().contains(topic));
        }
    }

    static KafkaProducer<String, String> producer(Object... options) {
        StringSerializer serializer = new StringSerializer();
        return new KafkaProducer<>(properties(options), serializer, serializer);
    }

    static KafkaConsumer<String, String> consumer(Object... options) {
        StringDeserializer deserializer = new StringDeserializer();
        return new KafkaConsumer<>(properties(options), deserializer, deserializer);
    }

    // Reads this number of records of partition 0, from its beginning.
    static List<ConsumerRecord<String, String>> read(String topic, int count) throws Exception {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = consumer("auto.offset.reset", "earliest")) {
            consumer.assign(Set.of(new TopicPartition(topic, 0)));
            eventually(() -> {
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
                return records.size() >= count;
            });
        }
        return records.subList(0, count);
    }

    static void compression(String topic) throws Exception {
        List<String> codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
        for (String codec : codecs) {
            try (KafkaProducer<String, String> producer = producer("compression.type", codec)) {
                producer.send(new ProducerRecord<>(topic, 0, null, codec.repeat(100))).get();
            }
        }
        List<String> values = read(topic, 5).stream().map(it -> it.value()).toList();
        equal(values, codecs.stream().map(it -> it.repeat(100)).toList());
    }

    static void timestamps(String topic) throws Exception {
        try (KafkaProducer<String, String> producer = producer()) {
            for (long timestamp : new long[] {1000, 2000, 3000}) {
                producer.send(new ProducerRecord<>(topic, 0, timestamp, null, "x")).get();
            }
        }
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer = consumer()) {
            equal(consumer.offsetsForTimes(Map.of(partition, 1500L)).get(partition).offset(), 1L);
            equal(consumer.beginningOffsets(Set.of(partition)), Map.of(partition, 0L));
            equal(consumer.endOffsets(Set.of(partition)), Map.of(partition, 3L));
        }
    }

    static void topics(String topic) throws Exception {
        create(topic, 2, Map.of());
        try (Admin admin = Admin.create(properties())) {
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
            eventually(() -> admin.describeTopics(Set.of(topic)).allTopicNames().get().get(topic)
                .partitions().size() == 3);
            admin.deleteTopics(Set.of(topic)).all().get();
            eventually(() -> !admin.listTopics().names().get().contains(topic));
        }
    }

    static void compaction(String topic) throws Exception {
        create(topic, 1, Map.of(
            "cleanup.policy", "compact", "segment.ms", "1", "min.cleanable.dirty.ratio", "0.01"));
        try (KafkaProducer<String, String> producer = producer("linger.ms", "0")) {
            for (String key : List.of("a", "b", "a", "b", "c")) {
                Thread.sleep(2); // Every batch is a segment of its own.
                producer.send(new ProducerRecord<>(topic, 0, key, "x")).get();
            }
        }
        eventually(() -> read(topic, 1).get(0).offset() == 2);
        equal(read(topic, 3).stream().map(it -> it.offset()).toList(), List.of(2L, 3L, 4L));
    }

    // The proxy drops the responses to the fourth and to the ninth Produce request.
    static void lostResponses(String topic) throws Exception {
        List<String> command = List.of(System.getProperty("lossy"), host, port, "4", "9");
        Process proxy = new ProcessBuilder(command).redirectErrorStream(true).start();
        try (BufferedReader output = proxy.inputReader()) {
            String address = "127.0.0.1:" + output.readLine();
            try (KafkaProducer<String, String> producer = producer("bootstrap.servers", address)) {
                for (long number = 0; number < 10; number++) {
                    ProducerRecord<String, String> record =
                        new ProducerRecord<>(topic, 0, null, "" + number);
                    equal(producer.send(record).get().offset(), number);
                }
            }
            proxy.outputWriter().close();
            equal(output.lines().toList(), List.of("lost", "lost"));
        } finally {
            proxy.destroy();
        }
        List<String> values = read(topic, 10).stream().map(it -> it.value()).toList();
        equal(String.join("", values), "0123456789");
    }

    // Two members share the partitions; when one leaves, the other one gets them all.
    static void group(String topic, Class<?> assignor) throws Exception {
        create(topic, 4, Map.of());
        Object[] options = {
            "group.id", topic, "partition.assignment.strategy", assignor.getName(),
            "heartbeat.interval.ms", "300", "session.timeout.ms", "6000",
        };
        try (KafkaConsumer<String, String> first = consumer(options)) {
            first.subscribe(List.of(topic));
            eventually(() -> owned(first) == 4);
            try (KafkaConsumer<String, String> second = consumer(options)) {
                second.subscribe(List.of(topic));
                eventually(() -> owned(first) == 2 & owned(second) == 2);
                Set<TopicPartition> both = new HashSet<>(first.assignment());
                both.addAll(second.assignment());
                equal(both.size(), 4);
            }
            eventually(() -> owned(first) == 4);
        }
    }

    static int owned(KafkaConsumer<String, String> consumer) {
        consumer.poll(Duration.ofMillis(20));
        return consumer.assignment().size();
    }
}
