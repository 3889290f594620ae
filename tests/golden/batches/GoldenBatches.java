// Writes record batches and a producer snapshot with Apache Kafka's own classes, to hold ours against them.
//
//     java -cp '<jars of kafka-server 4.4.0>/*' GoldenBatches.java <directory>
//
// The records follow from the name of the case: the tests make the same ones and compare.

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.SnapshotFooterRecord;
import org.apache.kafka.common.message.SnapshotHeaderRecord;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;
import org.apache.kafka.storage.internals.log.BatchMetadata;
import org.apache.kafka.storage.internals.log.ProducerStateEntry;
import org.apache.kafka.storage.internals.log.ProducerStateManager;

public class GoldenBatches {
    static final long TIME = 1_700_000_000_000L;
    static Path directory;

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static List<SimpleRecord> records(String name) {
        List<SimpleRecord> records = new ArrayList<>();
        switch (name) {
            case "one" -> records.add(new SimpleRecord(TIME, null, bytes("hello")));
            case "three" -> {
                Header[] headers = {new RecordHeader("trace", bytes("abc")), new RecordHeader("empty", (byte[]) null)};
                records.add(new SimpleRecord(TIME + 5, bytes("k0"), bytes("v0"), headers));
                records.add(new SimpleRecord(TIME, bytes(""), null));
                records.add(new SimpleRecord(TIME + 70_000, null, bytes("")));
            }
            case "many" -> {
                for (int i = 0; i < 200; i++) {
                    String value = "{\"flight\":" + i * 37 % 101 + ",\"tail\":\"N" + i * 7919 % 1000 + "\"}";
                    records.add(new SimpleRecord(TIME + i, bytes("N" + i % 13), bytes(value)));
                }
            }
            case "large" -> {
                for (int i = 0; i < 3; i++) {
                    byte[] value = new byte[100_000 * (i + 1)];
                    for (int j = 0; j < value.length; j++) {
                        value[j] = (byte) (j / 500 * (i + 3));
                    }
                    records.add(new SimpleRecord(TIME + i, bytes("large"), value));
                }
            }
            default -> throw new IllegalArgumentException(name);
        }
        return records;
    }

    static void write(String name, MemoryRecords records) throws Exception {
        try (FileChannel file = FileChannel.open(directory.resolve(name), StandardOpenOption.CREATE,
                StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            file.write(records.buffer().duplicate());
        }
    }

    public static void main(String[] arguments) throws Exception {
        directory = Path.of(arguments[0]);
        Map<String, Compression> codecs = new LinkedHashMap<>();
        codecs.put("none", Compression.NONE);
        codecs.put("gzip", Compression.gzip().build());
        codecs.put("snappy", Compression.snappy().build());
        codecs.put("lz4", Compression.lz4().build());
        codecs.put("zstd", Compression.zstd().build());
        for (var codec : codecs.entrySet()) {
            for (String name : List.of("one", "three", "many", "large")) {
                if (name.equals("large") && codec.getKey().equals("none")) {
                    continue;
                }
                SimpleRecord[] records = records(name).toArray(new SimpleRecord[0]);
                write(codec.getKey() + "-" + name + ".bin", MemoryRecords.withRecords(codec.getValue(), records));
            }
        }
        SimpleRecord[] three = records("three").toArray(new SimpleRecord[0]);
        write("transactional.bin", MemoryRecords.withTransactionalRecords(7, Compression.NONE, 4_001, (short) 3,
                2_147_483_646, 11, three));
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1_000), RecordBatch.MAGIC_VALUE_V2,
                Compression.NONE, TimestampType.LOG_APPEND_TIME, 9, TIME + 123);
        for (SimpleRecord record : three) {
            builder.append(record);
        }
        write("log-append-time.bin", builder.build());
        write("marker-abort.bin", MemoryRecords.withEndTransactionMarker(55, TIME, 6, 4_001, (short) 3,
                new EndTransactionMarker(ControlRecordType.ABORT, 17)));
        write("marker-commit.bin", MemoryRecords.withEndTransactionMarker(56, TIME, 6, 4_002, (short) 0,
                new EndTransactionMarker(ControlRecordType.COMMIT, 0)));
        LeaderChangeMessage change = new LeaderChangeMessage().setLeaderId(1)
                .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1),
                        new LeaderChangeMessage.Voter().setVoterId(2)))
                .setGrantingVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)));
        write("leader-change.bin", MemoryRecords.withLeaderChangeMessage(20, TIME, 4, ByteBuffer.allocate(256), change));
        write("snapshot-header.bin", MemoryRecords.withSnapshotHeaderRecord(0, TIME, 4, ByteBuffer.allocate(256),
                new SnapshotHeaderRecord().setLastContainedLogTimestamp(TIME - 1)));
        write("snapshot-footer.bin", MemoryRecords.withSnapshotFooterRecord(8, TIME, 4, ByteBuffer.allocate(256),
                new SnapshotFooterRecord()));

        Map<Long, ProducerStateEntry> producers = new LinkedHashMap<>();
        producers.put(1L, entry(1, 0, -1, TIME, OptionalLong.empty(), new BatchMetadata(41, 141, 9, TIME)));
        producers.put(2L, entry(2, 5, 3, TIME + 1, OptionalLong.of(150), new BatchMetadata(0, 150, 0, TIME + 1)));
        producers.put(3L, entry(3, 6, 4, TIME + 2, OptionalLong.empty(), null));
        ProducerStateManager.writeSnapshot(new File(directory.toFile(), "producers.snapshot"), producers, false);
    }

    static ProducerStateEntry entry(long id, int epoch, int coordinatorEpoch, long time, OptionalLong transaction,
            BatchMetadata batch) throws Exception {
        ProducerStateEntry entry = new ProducerStateEntry(id, (short) epoch, coordinatorEpoch, time, transaction);
        if (batch != null) {
            var add = ProducerStateEntry.class.getDeclaredMethod("addBatchMetadata", BatchMetadata.class);
            add.setAccessible(true);
            add.invoke(entry, batch);
        }
        return entry;
    }
}
