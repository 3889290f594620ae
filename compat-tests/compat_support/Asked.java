import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.function.Supplier;

/**
 * A program whose parts are asked line by line, as compat_support/lines.py says: each connection to the port that is
 * printed is one of them. It ends when its standard input does.
 */
final class Asked {
    /** Carries out an operation with its arguments; what it found has a tab before each word. */
    interface Part {
        String carryOut(String[] words) throws Exception;
    }

    private Asked() {
    }

    static void serve(Supplier<Part> parts) throws IOException {
        ServerSocket listener = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
        System.out.println(listener.getLocalPort());
        daemon(() -> accept(listener, parts));
        while (System.in.read() >= 0) {
        }
        System.exit(0);
    }

    private static void accept(ServerSocket listener, Supplier<Part> parts) {
        try {
            while (true) {
                Socket socket = listener.accept();
                daemon(() -> answer(socket, parts.get()));
            }
        } catch (IOException error) {
            System.err.println(error);
        }
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }

    private static void answer(Socket socket, Part part) {
        try (socket;
                BufferedReader requests = new BufferedReader(
                        new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
                PrintWriter answers = new PrintWriter(socket.getOutputStream(), false, StandardCharsets.UTF_8)) {
            for (String line = requests.readLine(); line != null; line = requests.readLine()) {
                answers.print(answer(line.split("\t", -1), part) + "\n");
                answers.flush();
            }
        } catch (IOException error) {
            System.err.println(error);
        }
    }

    private static String answer(String[] words, Part part) {
        try {
            return "ok" + part.carryOut(words);
        } catch (Exception error) {
            return "error\t" + error.toString().replaceAll("\\s+", " ");
        }
    }
}
