import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
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
 * line by line, as compat_support/remote.py says. The program ends when its standard input does.
 */
public final class Members {
    public static void main(String[] arguments) throws Exception {
        ServerSocket listener = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
        System.out.println(listener.getLocalPort());
        Thread accepting = new Thread(() -> accept(listener));
        accepting.setDaemon(true);
        accepting.start();
        while (System.in.read() >= 0) {
        }
        System.exit(0);
    }

    private static void accept(ServerSocket listener) {
        try {
            while (true) {
                Socket socket = listener.accept();
                Thread member = new Thread(() -> new Member(socket).serve());
                member.setDaemon(true);
                member.start();
            }
        } catch (java.io.IOException error) {
            System.err.println(error);
        }
    }

    private static final class Member {
        private final Socket socket;
        private KafkaConsumer<byte[], byte[]> consumer;
        private List<String> topics;

        Member(Socket socket) {
            this.socket = socket;
        }

        void serve() {
            try (socket;
                    BufferedReader requests = new BufferedReader(
                            new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
                    PrintWriter answers = new PrintWriter(socket.getOutputStream(), false, StandardCharsets.UTF_8)) {
                for (String line = requests.readLine(); line != null; line = requests.readLine()) {
                    answers.print(answer(line.split("\t", -1)) + "\n");
                    answers.flush();
                }
            } catch (java.io.IOException error) {
                System.err.println(error);
            }
        }

        private String answer(String[] words) {
            try {
                return "ok" + carryOut(words);
            } catch (RuntimeException error) {
                return "error\t" + error.toString().replaceAll("\\s+", " ");
            }
        }

        private String carryOut(String[] words) {
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
