// Kafka Streams against the broker at HOST PORT: a word count, at least once, with a repartition
// topic and a changelog, and with a restart that loses the local state.

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;

class WordCount {
    static String broker;
    static final String RUN = ProcessHandle.current().pid() + "-" + System.nanoTime() % 100000;
    static final String LINES = "lines-" + RUN;
    static final String COUNTS = "counts-" + RUN;

    public static void main(String[] arguments) throws Exception {
        broker = arguments[0] + ":" + arguments[1];
        try (Admin admin = Admin.create(properties())) {
            List<NewTopic> topics =
                List.of(new NewTopic(LINES, 2, (short) 1), new NewTopic(COUNTS, 2, (short) 1));
            admin.createTopics(topics).all().get();
        }

        send("to be or not to be");
        try (KafkaStreams first = start()) {
            await(Map.of("to", 2L, "be", 2L, "or", 1L, "not", 1L));
        }
        // The second instance has an empty state directory: it restores the counts from the
        // changelog, and continues at the committed offset.
        send("that is not the question");
        try (KafkaStreams second = start()) {
            await(Map.of("to", 2L, "not", 2L, "question", 1L));
        }
        System.out.println("  kafka-streams: 1 of 1 held: 28");
    }

    static Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", broker);
        return properties;
    }

    static void send(String line) {
        StringSerializer strings = new StringSerializer();
        try (var producer = new KafkaProducer<>(properties(), strings, strings)) {
            producer.send(new ProducerRecord<>(LINES, line));
        }
    }

    static KafkaStreams start() throws Exception {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> lines = builder.stream(LINES);
        lines
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.as("words"))
            .count()
            .toStream()
            .to(COUNTS, Produced.with(Serdes.String(), Serdes.Long()));

        Path state = Files.createTempDirectory("streams");
        Properties properties = properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "word-count-" + RUN);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, state.toString());
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        properties.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        properties.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        properties.put("auto.offset.reset", "earliest");
        // Streams does not leave its group when it is closed, so the next instance waits for this.
        properties.put("session.timeout.ms", 6000);
        properties.put("heartbeat.interval.ms", 1000);

        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        CountDownLatch running = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                running.countDown();
            }
        });
        streams.start();
        running.await();
        return streams;
    }

    /** Reads the counts from the beginning until each of these words has its count. */
    static void await(Map<String, Long> wanted) {
        Properties properties = properties();
        properties.put("group.id", "reader-" + System.nanoTime());
        properties.put("auto.offset.reset", "earliest");
        Map<String, Long> counts = new HashMap<>();
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        try (var consumer =
                new KafkaConsumer<>(properties, new StringDeserializer(), new LongDeserializer())) {
            consumer.subscribe(List.of(COUNTS));
            while (!counts.entrySet().containsAll(wanted.entrySet())) {
                if (System.nanoTime() > end) {
                    System.out.println("  FAIL 28: got " + counts + ", want " + wanted);
                    System.exit(1);
                }
                consumer.poll(Duration.ofMillis(100)).forEach(it -> counts.put(it.key(), it.value()));
            }
        }
    }
}
