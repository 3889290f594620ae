// Writes messages with Kafka's own generated classes; make.py runs it.
//
// Standard input: one message per line, its name, version and fields as JSON, separated by tabs.
// Standard output: name, version and bytes in hexadecimal, separated by spaces.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.jar.JarFile;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;

public class GoldenMessages {
    private static final String SUFFIX = "JsonConverter.class";

    /** The converters on the class path, by the name of their message. */
    private static Map<String, String> converters() throws Exception {
        Map<String, String> found = new HashMap<>();
        for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (!path.endsWith(".jar")) continue;
            try (JarFile jar = new JarFile(path)) {
                jar.stream().map(entry -> entry.getName()).filter(name -> name.endsWith(SUFFIX) && !name.contains("$"))
                    .forEach(name -> {
                        String of = name.substring(0, name.length() - ".class".length()).replace('/', '.');
                        String message = of.substring(of.lastIndexOf('.') + 1, of.length() - "JsonConverter".length());
                        found.put(message, of);
                    });
            }
        }
        return found;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> converters = converters();
        ObjectMapper mapper = new ObjectMapper();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] cells = line.split("\t", 3);
            short version = Short.parseShort(cells[1]);
            String converter = converters.getOrDefault(cells[0], converters.get(cells[0] + "Data"));
            if (converter == null) throw new IllegalArgumentException("Kafka has no " + cells[0]);
            Message message = (Message) Class.forName(converter)
                .getMethod("read", JsonNode.class, short.class)
                .invoke(null, mapper.readTree(cells[2]), version);
            ByteBufferAccessor bytes = MessageUtil.toByteBufferAccessor(message, version);
            byte[] array = new byte[bytes.buffer().remaining()];
            bytes.buffer().get(array);
            System.out.println(cells[0] + " " + version + " " + HexFormat.of().formatHex(array));
        }
    }
}
