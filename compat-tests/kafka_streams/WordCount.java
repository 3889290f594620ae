import java.util.Arrays;
import java.util.Properties;
import java.util.Scanner;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * Counts words with Kafka Streams. The first line of its input is a topic of lines, a topic for the counts, and settings
 * as key=value, with tabs between. It says `running` when it runs, and ends cleanly when its input ends.
 */
public final class WordCount {
    public static void main(String[] arguments) {
        Scanner input = new Scanner(System.in, "UTF-8");
        String[] words = input.nextLine().split("\t");
        Properties settings = new Properties();
        for (String setting : Arrays.copyOfRange(words, 2, words.length)) {
            settings.put(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
        }
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(words[0], Consumed.with(Serdes.Bytes(), Serdes.String()))
                .flatMapValues(line -> Arrays.asList(line.split(" ")))
                .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
                .count(Materialized.with(Serdes.String(), Serdes.Long()))
                .toStream()
                .mapValues(count -> Long.toString(count))
                .to(words[1], Produced.with(Serdes.String(), Serdes.String()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                System.out.println("running");
            }
        });
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        while (input.hasNextLine()) {
            input.nextLine();
        }
        streams.close();
        System.exit(0);
    }
}
