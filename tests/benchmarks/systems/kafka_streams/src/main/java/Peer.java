import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.ValueMapper;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams doing less: decode an event, count it; one thread, nothing written, no changelog.
 * dsl: groupByKey().count() into an in-memory store, so that no repartition topic is needed; store: by unit in an
 * in-memory store; map: by unit in a HashMap of our own.
 * Arguments: dsl|store|map, bootstrap, topic, schema file, count, events to skip, state directory.
 */
public final class Peer {
    private static final int HEADER_BYTES = 5;

    private final long count;
    private final long skip;
    private final CountDownLatch done = new CountDownLatch(1);
    private long seen;
    private long started;
    private long ended;
    private long startedCpu;
    private long endedCpu;
    private final OperatingSystemMXBean system =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private Peer(long count, long skip) {
        this.count = count;
        this.skip = skip;
    }

    private void saw() {
        seen++;
        if (seen == skip) {
            started = System.nanoTime();
            startedCpu = system.getProcessCpuTime();
        }
        if (seen == count) {
            ended = System.nanoTime();
            endedCpu = system.getProcessCpuTime();
            done.countDown();
        }
    }

    private static ValueMapper<byte[], GenericRecord> decoder(Schema schema) {
        GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(schema);
        return new ValueMapper<>() {
            private BinaryDecoder decoder;

            @Override
            public GenericRecord apply(byte[] value) {
                decoder = DecoderFactory.get().binaryDecoder(value, HEADER_BYTES, value.length - HEADER_BYTES, decoder);
                try {
                    return reader.read(null, decoder);
                } catch (java.io.IOException error) {
                    throw new java.io.UncheckedIOException(error);
                }
            }
        };
    }

    private static ProcessorSupplier<byte[], GenericRecord, Void, Void> counter(Peer peer) {
        return () -> new Processor<>() {
            private KeyValueStore<String, Long> counts;

            @Override
            public void init(ProcessorContext<Void, Void> context) {
                counts = context.getStateStore("counts");
            }

            @Override
            public void process(Record<byte[], GenericRecord> record) {
                String unit = record.value().get("org_code").toString();
                Long known = counts.get(unit);
                counts.put(unit, known == null ? 1 : known + 1);
                peer.saw();
            }
        };
    }

    public static void main(String[] arguments) throws Exception {
        Schema schema = new Schema.Parser().parse(Files.readString(Path.of(arguments[3])));
        Peer peer = new Peer(Long.parseLong(arguments[4]), Long.parseLong(arguments[5]));
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "peer-" + System.nanoTime());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[1]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[6]);
        settings.put("auto.offset.reset", "earliest");
        settings.put("max.poll.records", 10_000);
        settings.put("max.partition.fetch.bytes", 4 * 1024 * 1024);

        StreamsBuilder builder = new StreamsBuilder();
        KStream<byte[], GenericRecord> events = builder
            .stream(arguments[2], Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
            .mapValues(decoder(schema));
        Map<String, Long> counts = new HashMap<>();
        if (arguments[0].equals("map")) {
            events.foreach((key, event) -> {
                counts.merge(event.get("org_code").toString(), 1L, Long::sum);
                peer.saw();
            });
        } else if (arguments[0].equals("dsl")) {
            events.peek((key, event) -> peer.saw())
                .groupByKey(Grouped.keySerde(Serdes.ByteArray()))
                .count(Materialized.<byte[], Long>as(Stores.inMemoryKeyValueStore("counts")).withLoggingDisabled());
        } else {
            builder.addStateStore(Stores.keyValueStoreBuilder(
                Stores.inMemoryKeyValueStore("counts"), Serdes.String(), Serdes.Long()).withLoggingDisabled());
            events.process(counter(peer), "counts");
        }
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.start();
        peer.done.await();
        System.out.printf("{\"events\": %d, \"seconds\": %.6f, \"cpu_seconds\": %.6f}%n",
            peer.count - peer.skip, (peer.ended - peer.started) / 1e9, (peer.endedCpu - peer.startedCpu) / 1e9);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
