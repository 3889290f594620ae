"""What does Kafka's own measuring see? ProducerPerformance and ConsumerPerformance, with records of 1 KiB.

Here the Java client is part of what is measured, as it is in most installations; the broker's share shows in its CPU
time. ConsumerPerformance joins a consumer group, so it waits for brokers that serve groups.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from benchmarks.failure import Failed, Skipped
from benchmarks.measure import Metrics, cpu_seconds
from benchmarks.peers import kafka
from benchmarks.processes import last_words, run
from benchmarks.raw_produce import Parameters as Fill
from benchmarks.raw_produce import send
from benchmarks.workload import Case, Reach, Trial, Workload

TOOL_TIMEOUT_S = 240.0
TOOL_HEAP = "-Xmx512M"  # as kafka-producer-perf-test.sh sets it
RECORD_BYTES = 1024
JOIN_GROUP, FIND_COORDINATOR = 11, 10
PRODUCED = re.compile(
    r"(?P<records>\d+) records sent, (?P<rate>[\d.]+) records/sec.*?(?P<p50>\d+) ms 50th, "
    r"\d+ ms 95th, (?P<p99>\d+) ms 99th, (?P<p999>\d+) ms 99.9th"
)
CONSUME_TOPIC = "consumer-performance"


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    records: int
    acks: str | None
    """None: consume."""


def once(trial: Trial, parameters: Parameters) -> Metrics:
    return produce(trial, parameters) if parameters.acks else consume(trial, parameters)


def produce(trial: Trial, parameters: Parameters) -> Metrics:
    def performance(records: int) -> re.Match[str]:
        topic = trial.topic("producer-performance")
        trial.load.run("create", trial.broker, topic=topic, partitions=6)
        settings = [f"acks={parameters.acks}", "batch.size=65536", "linger.ms=5", "enable.idempotence=false"]
        what = ["--topic", topic, "--num-records", str(records), "--record-size", str(RECORD_BYTES)]
        rate = ["--throughput", "-1", "--bootstrap-server", trial.broker.bootstrap, "--command-property", *settings]
        printed = _tool(trial, "org.apache.kafka.tools.ProducerPerformance", [*what, *rate])
        trial.load.run("delete", trial.broker, topic=topic)
        found = PRODUCED.search(last_words(printed, characters=1000))
        if found is None or int(found["records"]) != records:
            raise Failed(f"ProducerPerformance: {last_words(printed)}")
        return found

    if not trial.smoke:
        trial.on_this_broker(f"warm-up {parameters.acks}", lambda: performance(parameters.records // 4))
    used = cpu_seconds(trial.broker.pid)
    found = performance(parameters.records)
    used = cpu_seconds(trial.broker.pid) - used
    return {
        "mb_s": float(found["rate"]) * RECORD_BYTES / 1e6,
        **{f"{name}_us": float(found[name]) * 1000 for name in ("p50", "p99", "p999")},
        "cpu_s_per_gb": used / (parameters.records * RECORD_BYTES / 1e9),
    }


def consume(trial: Trial, parameters: Parameters) -> Metrics:
    if not trial.load.advertised(trial.broker, FIND_COORDINATOR, JOIN_GROUP):
        raise Skipped("the peer does not advertise JoinGroup, and ConsumerPerformance joins a group")
    fill = Fill(total_bytes=parameters.records * RECORD_BYTES)
    trial.on_this_broker("fill", lambda: send(trial, fill, CONSUME_TOPIC))
    wanted = int(parameters.records * 0.99)  # the last answers trickle
    used = cpu_seconds(trial.broker.pid)
    what = ["--topic", CONSUME_TOPIC, "--num-records", str(wanted), "--timeout", "20000"]
    where = ["--bootstrap-server", trial.broker.bootstrap]
    printed = _tool(trial, "org.apache.kafka.tools.ConsumerPerformance", [*what, *where])
    used = cpu_seconds(trial.broker.pid) - used
    columns = [column.strip() for column in last_words(printed, characters=1000).split(",")]
    try:
        consumed_mb, records, fetch_mb_s = float(columns[2]), int(columns[4]), float(columns[8])
    except (IndexError, ValueError):
        raise Failed(f"ConsumerPerformance: {last_words(printed)}") from None
    if records < wanted:
        raise Failed(f"ConsumerPerformance: {records} of {wanted} records")
    mib = (1 << 20) / 1e6
    return {"mb_s": fetch_mb_s * mib, "cpu_s_per_gb": used / (consumed_mb * mib / 1e3)}


def _tool(trial: Trial, main_class: str, arguments: Sequence[str]) -> str:
    # The smoke run belongs to every commit: it fetches nothing.
    command = kafka.tool(main_class, *arguments, heap=TOOL_HEAP, fetch=not trial.smoke)
    return run(command, timeout_s=TOOL_TIMEOUT_S)


PRODUCE_REACHES = (Reach("mb_s", 1.15), Reach("cpu_s_per_gb", 0.5))

WORKLOAD = Workload(
    name="perf_tools",
    title="Kafka's performance tools, 1 KiB",
    cases=(
        Case("producer, acks=1", Parameters(2_000_000, "1"), Parameters(20_000, "1"), PRODUCE_REACHES),
        Case("producer, acks=all", Parameters(2_000_000, "all"), Parameters(20_000, "all"), PRODUCE_REACHES),
        Case(
            "consumer",
            Parameters(2_000_000, None),
            Parameters(20_000, None),
            (Reach("mb_s", 1.35), Reach("cpu_s_per_gb", 1 / 3)),
        ),
    ),
    once=once,
)
