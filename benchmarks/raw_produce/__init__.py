"""How much can a broker take? Raw Produce of full batches, as a busy producer of a partitioned topic sends them.

Batches of 60 records of 1 KiB (64 KiB, a common batch.size), 6 partitions, acks=1, 4 connections with 4 requests in
flight each. The batches are encoded once, so that the broker's checks, its CRC and its writes are what is measured.
The limit is what the machine takes into the page cache by plain writes of 1 MiB.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.load import Load
from benchmarks.measure import Metrics, pick
from benchmarks.workload import Against, Case, Reach, Trial, Workload

RECORD_BYTES = 1024
BATCH_RECORDS = 60


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    total_bytes: int
    partitions: int = 6
    connections: int = 4
    in_flight: int = 4
    acks: int = 1


def send(trial: Trial, parameters: Parameters, topic: str) -> Metrics:
    return trial.load.run(
        "requests",
        trial.broker,
        kind="produce",
        topic=topic,
        partitions=parameters.partitions,
        connections=parameters.connections,
        in_flight=parameters.in_flight,
        acks=parameters.acks,
        records=BATCH_RECORDS,
        record_bytes=RECORD_BYTES,
        total_bytes=parameters.total_bytes,
    )


def once(trial: Trial, parameters: Parameters) -> Metrics:
    def warm_up() -> None:
        send(trial, parameters, warm := trial.topic("warm-up"))
        trial.load.run("delete", trial.broker, topic=warm)

    if not trial.smoke:
        trial.on_this_broker("warm-up", warm_up)
    topic = trial.topic("raw-produce")
    figures = send(trial, parameters, topic)
    trial.load.run("delete", trial.broker, topic=topic)
    return pick(figures, "mb_s", "p50_us", "p99_us", "p999_us", "cpu_s_per_gb")


def limit(load: Load, parameters: Parameters) -> Metrics:
    return load.run("write", total_bytes=parameters.total_bytes)


WORKLOAD = Workload(
    name="raw_produce",
    title="raw produce, 1 KiB records in 64 KiB batches, 6 partitions, acks=1",
    cases=(
        Case(
            "",
            Parameters(total_bytes=2_000_000_000),
            smoke=Parameters(total_bytes=20_000_000),
            reaches=(Reach("mb_s", 2), Reach("mb_s", 0.9, Against.MACHINE), Reach("cpu_s_per_gb", 0.5)),
        ),
    ),
    once=once,
    limit=limit,
)
