import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Members of groups with Kafka's own consumer. Each connection to the port that is printed is one member, which is asked
 * line by line, as compat_support/remote.py says.
 */
public final class Members {
    public static void main(String[] arguments) throws Exception {
        Asked.serve(Member::new);
    }

    private static final class Member implements Asked.Part {
        private KafkaConsumer<byte[], byte[]> consumer;
        private List<String> topics;

        @Override
        public String carryOut(String[] words) {
            switch (words[0]) {
                case "join":
                    join(words);
                    return "";
                case "poll":
                    return poll(Duration.ofMillis(Long.parseLong(words[1])));
                case "assigned":
                    return consumer.assignment().stream()
                            .filter(place -> place.topic().equals(topics.get(0)))
                            .map(place -> "\t" + place.partition())
                            .collect(Collectors.joining());
                case "commit":
                    consumer.commitSync();
                    return "";
                case "committed":
                    TopicPartition place = new TopicPartition(topics.get(0), Integer.parseInt(words[1]));
                    OffsetAndMetadata found = consumer.committed(Set.of(place)).get(place);
                    return "\t" + (found == null ? -1 : found.offset());
                case "close":
                    consumer.close();
                    return "";
                default:
                    throw new IllegalArgumentException(words[0]);
            }
        }

        /** join, topics by comma, and settings as key=value. */
        private void join(String[] words) {
            topics = List.of(words[1].split(","));
            Map<String, Object> settings = new HashMap<>();
            for (String setting : Arrays.copyOfRange(words, 2, words.length)) {
                settings.put(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
            }
            consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            consumer.subscribe(topics);
        }

        private String poll(Duration patience) {
            StringBuilder out = new StringBuilder();
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(patience)) {
                out.append('\t').append(record.topic()).append(' ').append(record.partition());
                out.append(' ').append(record.offset()).append(' ');
                out.append(Base64.getEncoder().encodeToString(record.value()));
            }
            return out.toString();
        }
    }
}
