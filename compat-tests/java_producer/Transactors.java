import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Transactional producers of Kafka's own. Each connection to the port that is printed is one producer, which is asked
 * line by line, as compat_support/transactions.py says.
 */
public final class Transactors {
    public static void main(String[] arguments) throws Exception {
        Asked.serve(Transactor::new);
    }

    private static final class Transactor implements Asked.Part {
        private KafkaProducer<byte[], byte[]> producer;

        @Override
        public String carryOut(String[] words) throws ExecutionException, InterruptedException {
            switch (words[0]) {
                case "open":
                    open(words);
                    return "";
                case "begin":
                    producer.beginTransaction();
                    return "";
                case "send":
                    send(words);
                    return "";
                case "offsets":
                    offsets(words);
                    return "";
                case "commit":
                    producer.commitTransaction();
                    return "";
                case "abort":
                    producer.abortTransaction();
                    return "";
                case "close":
                    producer.close(java.time.Duration.ZERO);
                    return "";
                default:
                    throw new IllegalArgumentException(words[0]);
            }
        }

        /** open, the transactional id, and settings as key=value. */
        private void open(String[] words) {
            Map<String, Object> settings = new HashMap<>();
            settings.put("transactional.id", words[1]);
            for (String setting : Arrays.copyOfRange(words, 2, words.length)) {
                settings.put(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
            }
            producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
            producer.initTransactions();
        }

        private void send(String[] words) throws ExecutionException, InterruptedException {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (String value : Arrays.copyOfRange(words, 3, words.length)) {
                byte[] bytes = Base64.getDecoder().decode(value);
                sent.add(producer.send(new ProducerRecord<>(words[1], Integer.parseInt(words[2]), null, bytes)));
            }
            for (Future<RecordMetadata> each : sent) {
                each.get();
            }
        }

        private void offsets(String[] words) {
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            for (String word : Arrays.copyOfRange(words, 3, words.length)) {
                String[] pair = word.split("=");
                offsets.put(
                        new TopicPartition(words[2], Integer.parseInt(pair[0])),
                        new OffsetAndMetadata(Long.parseLong(pair[1])));
            }
            producer.sendOffsetsToTransaction(offsets, new ConsumerGroupMetadata(words[1]));
        }
    }
}
