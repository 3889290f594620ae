"""Kafka's own command-line tools, with the main classes of their shell scripts and their default settings.

They come from Maven Central, where kafka-tools ends with 4.3.1; that of 4.4.0 is not there. The console consumer joins
a group unless it is told a partition and an offset.
"""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.failure import Skipped
from benchmarks.peers import kafka
from benchmarks.peers.ottla import command

TOOL_TIMEOUT_S = 90.0
TOPIC_COMMAND = "org.apache.kafka.tools.TopicCommand"
CONSOLE_PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
CONSUMER_GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
CONFIG_COMMAND = "kafka.admin.ConfigCommand"
PERF_HEAP = "-Xmx512M"

Tool = Callable[..., str]


@pytest.fixture
def tool(bootstrap: str) -> Tool:
    """tool(main class, *arguments, stdin=…, status=0): what it printed, its complaints too where it is to fail."""

    def call(main_class: str, *arguments: str, stdin: str = "", heap: str = "-Xmx256M", status: int = 0) -> str:
        try:
            argv = kafka.tool(main_class, *arguments, "--bootstrap-server", bootstrap, heap=heap, measured=False)
        except Skipped as why:
            pytest.skip(str(why))
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, input=stdin, check=False)
        assert done.returncode == status, f"{main_class}: {done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if status else "")

    return call


def create(tool: Tool, topic: str, partitions: int = 1, *more: str) -> None:
    tool(TOPIC_COMMAND, "--create", "--topic", topic, "--partitions", str(partitions), *more)


def consume(tool: Tool, topic: str, count: int, *more: str, partition: int = 0, offset: str = "earliest") -> list[str]:
    where = ["--topic", topic, "--partition", str(partition), "--offset", offset, "--max-messages", str(count)]
    return tool(CONSOLE_CONSUMER, *where, "--timeout-ms", "30000", *more).splitlines()


def test_broker_api_versions(tool: Tool, bootstrap: str) -> None:
    printed = tool("org.apache.kafka.tools.BrokerApiVersionsCommand")
    assert bootstrap in printed.splitlines()[0]
    for api in ("Produce(0): ", "Fetch(1): ", "ListOffsets(2): ", "Metadata(3): ", "ApiVersions(18): "):
        (line,) = [line for line in printed.splitlines() if api in line]
        assert "UNSUPPORTED" not in line, line
        assert "[usable: " in line, line


def test_topics(tool: Tool, topic: str) -> None:
    assert "Created topic" in tool(
        TOPIC_COMMAND, "--create", "--topic", topic, "--partitions", "3", "--config", "retention.ms=3600000"
    )
    assert topic in tool(TOPIC_COMMAND, "--list").split()
    described = tool(TOPIC_COMMAND, "--describe", "--topic", topic)
    assert "PartitionCount: 3" in described
    assert "retention.ms=3600000" in described
    assert re.search(r"TopicId: [\w-]{22}\s", described)
    tool(TOPIC_COMMAND, "--alter", "--topic", topic, "--partitions", "5")
    assert "PartitionCount: 5" in tool(TOPIC_COMMAND, "--describe", "--topic", topic)
    tool(TOPIC_COMMAND, "--delete", "--topic", topic)
    assert topic not in tool(TOPIC_COMMAND, "--list").split()


def test_error_topic_exists(tool: Tool, topic: str) -> None:
    create(tool, topic)
    assert "already exists" in tool(TOPIC_COMMAND, "--create", "--topic", topic, status=1)
    create(tool, topic, 1, "--if-not-exists")


def test_console(tool: Tool, topic: str) -> None:
    create(tool, topic)
    lines = [f"line {i} äöü" for i in range(500)]
    tool(CONSOLE_PRODUCER, "--topic", topic, stdin="\n".join(lines) + "\n")
    assert consume(tool, topic, 500) == lines


def test_console_keys_and_headers(tool: Tool, topic: str) -> None:
    create(tool, topic)
    settings = ["parse.key=true", "parse.headers=true", "null.marker=NULL"]
    properties = [word for setting in settings for word in ("--reader-property", setting)]
    lines = ["a:1,b:two\tkey\tvalue", "c:3\tother\tNULL"]
    tool(CONSOLE_PRODUCER, "--topic", topic, *properties, stdin="\n".join(lines) + "\n")
    shown = ["print.key=true", "print.headers=true", "print.offset=true", "null.literal=NULL"]
    formatting = [word for setting in shown for word in ("--formatter-property", setting)]
    assert consume(tool, topic, 2, *formatting) == [
        "Offset:0\ta:1,b:two\tkey\tvalue",
        "Offset:1\tc:3\tother\tNULL",
    ]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_console_produce(tool: Tool, topic: str, codec: str) -> None:
    create(tool, topic)
    lines = [f"{i} {'compress me ' * (i % 20)}" for i in range(300)]
    tool(CONSOLE_PRODUCER, "--topic", topic, "--compression-codec", codec, stdin="\n".join(lines) + "\n")
    assert consume(tool, topic, 300) == lines
    assert consume(tool, topic, 10, offset="290") == lines[290:]


def test_get_offsets(tool: Tool, topic: str) -> None:
    create(tool, topic, 2)
    tool(CONSOLE_PRODUCER, "--topic", topic, stdin="".join(f"{i}\n" for i in range(25)))
    latest = [line.split(":") for line in tool("org.apache.kafka.tools.GetOffsetShell", "--topic", topic).split()]
    assert sorted(int(partition) for _, partition, _ in latest) == [0, 1]
    assert sum(int(offset) for _, _, offset in latest) == 25
    earliest = tool("org.apache.kafka.tools.GetOffsetShell", "--topic-partitions", f"{topic}:0", "--time", "earliest")
    assert earliest.split() == [f"{topic}:0:0"]
    newest = tool("org.apache.kafka.tools.GetOffsetShell", "--topic", topic, "--time", "max-timestamp").split()
    assert newest, "no partition has a newest record"


def test_configs_describe(tool: Tool, topic: str) -> None:
    create(tool, topic, 1, "--config", "segment.bytes=2000000")
    own = tool(CONFIG_COMMAND, "--describe", "--entity-type", "topics", "--entity-name", topic)
    assert "segment.bytes=2000000 " in own
    assert "DYNAMIC_TOPIC_CONFIG:segment.bytes=2000000" in own
    everything = tool(CONFIG_COMMAND, "--describe", "--all", "--entity-type", "topics", "--entity-name", topic)
    assert "compression.type=producer " in everything
    assert "DEFAULT_CONFIG:log.cleanup.policy=delete" in everything
    broker = tool(CONFIG_COMMAND, "--describe", "--all", "--entity-type", "brokers", "--entity-name", broker_id(tool))
    assert "message.max.bytes=1048588 " in broker


def broker_id(tool: Tool) -> str:
    found = re.search(r"\(id: (\d+) rack:", tool("org.apache.kafka.tools.BrokerApiVersionsCommand"))
    assert found is not None
    return found.group(1)


def test_log_dirs(tool: Tool, topic: str) -> None:
    create(tool, topic, 2)
    tool(CONSOLE_PRODUCER, "--topic", topic, stdin="some\nrecords\n")
    printed = tool("org.apache.kafka.tools.LogDirsCommand", "--describe", "--topic-list", topic).splitlines()
    (broker,) = json.loads(next(line for line in printed if line.startswith("{")))["brokers"]
    (directory,) = broker["logDirs"]
    sizes = {p["partition"]: p["size"] for p in directory["partitions"]}
    assert set(sizes) == {f"{topic}-0", f"{topic}-1"}
    assert sum(sizes.values()) > 0
    assert directory["error"] is None


def test_producer_performance(tool: Tool, topic: str) -> None:
    create(tool, topic, 6)
    load = ["--topic", topic, "--num-records", "20000", "--record-size", "1024", "--throughput", "-1"]
    printed = tool("org.apache.kafka.tools.ProducerPerformance", *load, heap=PERF_HEAP)
    assert printed.splitlines()[-1].startswith("20000 records sent"), printed


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_consumer_performance(tool: Tool, topic: str, protocol: str) -> None:
    group = f"group-{topic}"
    create(tool, topic, 6)
    load = ["--topic", topic, "--num-records", "20000", "--record-size", "100", "--throughput", "-1"]
    tool("org.apache.kafka.tools.ProducerPerformance", *load, heap=PERF_HEAP)
    read = ["--topic", topic, "--group", group, "--num-records", "20000", "--timeout", "30000"]
    how = ["--command-property", f"group.protocol={protocol}"]
    printed = tool("org.apache.kafka.tools.ConsumerPerformance", *read, *how, heap=PERF_HEAP)
    assert int(printed.splitlines()[-1].split(",")[4]) == 20000
    committed = rows(tool(CONSUMER_GROUPS, "--describe", "--group", group))
    assert sum(int(row["CURRENT-OFFSET"]) for row in committed) == 20000


def consume_in_group(tool: Tool, topic: str, group: str, count: int, protocol: str = "classic") -> list[str]:
    where = ["--topic", topic, "--group", group, "--from-beginning", "--max-messages", str(count)]
    how = ["--command-property", f"group.protocol={protocol}"]
    return tool(CONSOLE_CONSUMER, *where, *how, "--timeout-ms", "30000").splitlines()


def write(tool: Tool, topic: str, first: int, end: int) -> set[str]:
    lines = [f"line {number}" for number in range(first, end)]
    tool(CONSOLE_PRODUCER, "--topic", topic, stdin="".join(f"{line}\n" for line in lines))
    return set(lines)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_console_consumer_in_a_group(tool: Tool, topic: str, protocol: str) -> None:
    create(tool, topic, 3)
    written = write(tool, topic, 0, 100)
    assert set(consume_in_group(tool, topic, f"group-{topic}", 100, protocol)) == written
    written = write(tool, topic, 100, 150)
    assert set(consume_in_group(tool, topic, f"group-{topic}", 50, protocol)) == written, "it goes on where it was"


def rows(printed: str) -> list[dict[str, str]]:
    """The table of `--describe`, by its headings."""
    lines = [line.split() for line in printed.splitlines() if line.strip()]
    start = next(index for index, words in enumerate(lines) if words[0] == "GROUP")
    return [dict(zip(lines[start], words, strict=False)) for words in lines[start + 1 :]]


def test_consumer_groups(tool: Tool, topic: str) -> None:
    group = f"group-{topic}"
    create(tool, topic, 2)
    write(tool, topic, 0, 50)
    consume_in_group(tool, topic, group, 50)
    write(tool, topic, 50, 60)

    assert group in tool(CONSUMER_GROUPS, "--list").split()
    listed = rows(tool(CONSUMER_GROUPS, "--list", "--state"))
    assert {"GROUP": group, "STATE": "Empty"}.items() <= next(row for row in listed if row["GROUP"] == group).items()

    offsets = rows(tool(CONSUMER_GROUPS, "--describe", "--group", group))
    assert {row["PARTITION"] for row in offsets} == {"0", "1"}
    assert sum(int(row["CURRENT-OFFSET"]) for row in offsets) == 50
    assert sum(int(row["LAG"]) for row in offsets) == 10
    (state,) = rows(tool(CONSUMER_GROUPS, "--describe", "--state", "--group", group))
    assert (state["STATE"], state["#MEMBERS"]) == ("Empty", "0") or "Empty" in state.values(), state

    back = ["--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute"]
    assert {row["NEW-OFFSET"] for row in rows(tool(CONSUMER_GROUPS, *back))} == {"0"}
    assert len(consume_in_group(tool, topic, group, 60)) == 60

    one = ["--delete-offsets", "--group", group, "--topic", f"{topic}:0"]
    assert "Successful" in tool(CONSUMER_GROUPS, *one)
    assert {row["PARTITION"] for row in rows(tool(CONSUMER_GROUPS, "--describe", "--group", group))} == {"1"}
    assert "successful" in tool(CONSUMER_GROUPS, "--delete", "--group", group)
    assert group not in tool(CONSUMER_GROUPS, "--list").split()


def test_configs_alter(tool: Tool, topic: str) -> None:
    create(tool, topic)
    of_topic = ["--entity-type", "topics", "--entity-name", topic]
    tool(CONFIG_COMMAND, "--alter", *of_topic, "--add-config", "retention.ms=60000,cleanup.policy=[compact,delete]")
    described = tool(CONFIG_COMMAND, "--describe", *of_topic)
    assert "retention.ms=60000 " in described
    assert "cleanup.policy=compact,delete " in described
    tool(CONFIG_COMMAND, "--alter", *of_topic, "--delete-config", "cleanup.policy")
    assert "cleanup.policy" not in tool(CONFIG_COMMAND, "--describe", *of_topic)
    refused = tool(CONFIG_COMMAND, "--alter", *of_topic, "--add-config", "retention.ms=soon", status=1)
    assert "Invalid value soon for configuration retention.ms: Not a number of type LONG" in refused

    of_group = ["--entity-type", "groups", "--entity-name", f"group-{topic}"]
    tool(CONFIG_COMMAND, "--alter", *of_group, "--add-config", "consumer.session.timeout.ms=50000")
    assert "consumer.session.timeout.ms=50000 " in tool(CONFIG_COMMAND, "--describe", *of_group)
    refused = tool(CONFIG_COMMAND, "--alter", *of_group, "--add-config", "consumer.session.timeout.ms=1", status=1)
    assert "consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive." in refused

    of_all = ["--entity-type", "brokers", "--entity-default"]
    tool(CONFIG_COMMAND, "--alter", *of_all, "--add-config", "log.retention.bytes=123456789")
    assert "log.retention.bytes=123456789 " in tool(CONFIG_COMMAND, "--describe", *of_all)
    inherited = tool(CONFIG_COMMAND, "--describe", "--all", *of_topic)
    assert "retention.bytes=123456789 " in inherited
    tool(CONFIG_COMMAND, "--alter", *of_all, "--delete-config", "log.retention.bytes")


def test_ottla_says_of_groups_what_the_tool_says(tool: Tool, topic: str, bootstrap: str, tmp_path: Path) -> None:
    """Also against Kafka: the command is for any broker."""
    group = f"group-{topic}"

    def ottla(*arguments: str) -> list[dict[str, object]]:
        argv = [*command(), "groups", *arguments, "--json", "-b", bootstrap]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    create(tool, topic, 3)
    write(tool, topic, 0, 60)
    to_earliest = ["--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute"]
    tool(CONSUMER_GROUPS, *to_earliest)
    ottla("reset", group, "--shift-by", "3", "--execute")
    told = rows(tool(CONSUMER_GROUPS, "--describe", "--group", group))
    shown = ottla("lag", group)
    assert sorted((int(row["PARTITION"]), int(row["CURRENT-OFFSET"]), int(row["LAG"])) for row in told) == [
        (line["partition"], line["offset"], line["lag"]) for line in shown
    ]
    everything = ["--reset-offsets", "--group", group, "--all-topics", "--to-current", "--export", "--dry-run"]
    exported = tmp_path / "offsets.csv"
    # A JVM may complain on standard output, too.
    lines = [line for line in tool(CONSUMER_GROUPS, *everything).splitlines() if topic in line]
    exported.write_text("\n".join(lines))
    ottla("reset", group, "--to-latest", "--execute")
    assert {line["lag"] for line in ottla("lag", group)} == {0}
    ottla("reset", group, "--from-file", str(exported), "--execute")
    assert ottla("offsets", group) == [
        {key: line[key] for key in ("group", "topic", "partition", "offset")} | {"leader_epoch": None, "metadata": None}
        for line in shown
    ]
    ottla("delete", group)
    assert group not in tool(CONSUMER_GROUPS, "--list").split()


def test_cluster_id(tool: Tool) -> None:
    assert re.search(r"Cluster ID: [\w-]{22}", tool("org.apache.kafka.tools.ClusterTool", "cluster-id"))
