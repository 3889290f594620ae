"""Apache Kafka out of its Maven Central jars, one combined node, with its default JVM flags and server.properties.

Prior art: `bin/kafka-run-class.sh` and `config/server.properties` of the distribution, whose flags and settings
these are. The newest JDK of the machine runs it, because that is what Kafka is fastest on.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

from benchmarks.failure import Failed
from benchmarks.peers import Broker, wait_until
from benchmarks.processes import Child, free_port, run
from benchmarks.toolchain import CACHE, jars, java, java_version

VERSION = "4.4.0"
TOOLS_VERSION = "4.3.1"  # kafka-tools of 4.4.0 is not on Maven Central
POMS = Path(__file__).parent
JVM_FLAGS = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
)
SHORT_LIFE = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.awt.headless=true")
SHARED_ARCHIVE_SINCE = 19
BROKER_HEAP = ("-Xmx1G", "-Xms1G")
START_TIMEOUT_S = 90.0

SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs={data_dir}
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
"""

LOG_SETTINGS = """\
status=warn
appender.f.type=File
appender.f.name=F
appender.f.fileName={file}
appender.f.layout.type=PatternLayout
appender.f.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.f.ref=F
"""


def server_jars() -> Path:
    return jars(POMS / "server" / "pom.xml", f"kafka-server-{VERSION}")


def tool_jars(*, fetch: bool = True) -> Path:
    return jars(POMS / "tools" / "pom.xml", f"kafka-tools-{TOOLS_VERSION}", fetch=fetch)


def tool(
    main_class: str, *arguments: str, heap: str = "-Xmx256M", fetch: bool = True, measured: bool = True
) -> list[str]:
    """The command line of one of Kafka's tools, with the flags its shell script would give. Raises Skipped.

    One that is not ``measured`` gets other flags, with which a Java machine that lives a second is up and gone sooner.
    """
    flags = JVM_FLAGS if measured else (*SHORT_LIFE, *_shared_archive(main_class))
    settings = f"-Dlog4j2.configurationFile={POMS / 'tools' / 'log4j2.properties'}"
    return [str(java()), heap, *flags, settings, "-cp", f"{tool_jars(fetch=fetch)}/*", main_class, *arguments]


def _shared_archive(main_class: str) -> tuple[str, ...]:
    """Flags by which the classes that a tool loads are kept, ready for use, from its first run on.

    An archive that cannot be used, such as one that another process is about to write, is done without, in silence.
    """
    if java_version(java()) < SHARED_ARCHIVE_SINCE:
        return ()
    archive = CACHE / "class-archives" / f"{main_class}.jsa"
    archive.parent.mkdir(parents=True, exist_ok=True)
    return ("-XX:+AutoCreateSharedArchive", f"-XX:SharedArchiveFile={archive}", "-Xlog:disable")


@final
class KafkaBroker:
    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self._directory = directory
        self._settings = settings
        self._port, self._controller_port = free_port(), 0
        while self._controller_port in (0, self._port):
            self._controller_port = free_port()
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def data_dir(self) -> Path:
        return self._directory / "data"

    @property
    def started_unix_ns(self) -> int:
        return self._running.started_unix_ns

    @property
    def said(self) -> str:
        """What it logged since it was last launched."""
        return self._server_log.read_text(errors="replace")

    def configure(self) -> None:
        """Write the settings, for a data directory that is there or will be."""
        self._directory.mkdir(parents=True, exist_ok=True)
        stock = SERVER_PROPERTIES.format(port=self._port, controller_port=self._controller_port, data_dir=self.data_dir)
        own = "".join(f"{key}={value}\n" for key, value in self._settings.items())  # later lines win
        self._properties.write_text(stock + own)
        (self._directory / "log4j2.properties").write_text(LOG_SETTINGS.format(file=self._server_log))

    def format(self) -> None:
        self.configure()
        storage = ["-Xmx256m", "-Dlog4j2.level=off", "-cp", f"{server_jars()}/*", "kafka.tools.StorageTool"]
        what = ["format", "--standalone", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", str(self._properties)]
        run([str(java()), *storage, *what], timeout_s=START_TIMEOUT_S)

    def launch(self) -> None:
        self._server_log.write_text("")
        own = [f"-Dlog4j2.configurationFile={self._directory / 'log4j2.properties'}"]
        main = ["-cp", f"{server_jars()}/*", "kafka.Kafka", str(self._properties)]
        argv: Sequence[str] = [str(java()), *BROKER_HEAP, *JVM_FLAGS, *own, *main]
        self._child = Child(argv, log=self._directory / "stdout.log")

    def start(self) -> None:
        self.launch()
        wait_until(
            "kafka",
            self._running,
            lambda: "Kafka Server started" in self.said,
            timeout_s=START_TIMEOUT_S,
        )

    def stop(self) -> int:
        return self._child.stop() if self._child else 0

    def kill(self) -> None:
        if self._child:
            self._child.kill()

    @property
    def _running(self) -> Child:
        if self._child is None or (status := self._child.ended()) is not None:
            raise Failed("the broker is not running" if self._child is None else f"the broker ended with {status}")
        return self._child

    @property
    def _properties(self) -> Path:
        return self._directory / "server.properties"

    @property
    def _server_log(self) -> Path:
        return self._directory / "server.log"


@final
class Kafka:
    name = "kafka"

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})

    def prepare(self) -> str:
        server_jars()
        release = (java().resolve().parents[1] / "release").read_text()
        runtime = next(line for line in release.splitlines() if line.startswith("JAVA_VERSION="))
        return f"Apache Kafka {VERSION}, Java {runtime.partition('=')[2].strip(chr(34))}"

    def create(self, directory: Path) -> Broker:
        broker = KafkaBroker(directory, self._settings)
        broker.format()
        return broker
