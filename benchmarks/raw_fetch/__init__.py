"""How fast does a broker give back what is in the page cache? Raw Fetch of 1 MiB answers.

Each range of a topic is asked for and decoded once, then again and again by plain requests whose answers the
client's kernel drops: what is measured is the broker's way from file to socket. The limit is sendfile over loopback.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.load import Load
from benchmarks.measure import Metrics, pick
from benchmarks.raw_produce import Parameters as Fill
from benchmarks.raw_produce import send
from benchmarks.workload import Case, Reach, Trial, Workload

TOPIC = "raw-fetch"


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    connections: int
    topic_bytes: int
    seconds: float
    answer_bytes: int = 1 << 20


def once(trial: Trial, parameters: Parameters) -> Metrics:
    fill = Fill(total_bytes=parameters.topic_bytes)
    trial.on_this_broker("fill", lambda: send(trial, fill, TOPIC))
    figures = trial.load.run(
        "fetch",
        trial.broker,
        topic=TOPIC,
        partitions=fill.partitions,
        connections=parameters.connections,
        total_bytes=int(parameters.topic_bytes * 0.9),
        answer_bytes=parameters.answer_bytes,
        seconds=parameters.seconds,
        warm_up=parameters.seconds / 4,
    )
    return pick(figures, "gb_s", "p50_us", "p99_us", "p999_us", "cpu_s_per_gb")


def limit(load: Load, parameters: Parameters) -> Metrics:
    seconds = parameters.seconds
    return pick(load.run("sendfile", connections=parameters.connections, seconds=seconds, warm_up=seconds / 4), "gb_s")


REACHES = (Reach("gb_s", 1.1), Reach("cpu_s_per_gb", 0.8))

WORKLOAD = Workload(
    name="raw_fetch",
    title="raw fetch from the page cache, 1 MiB answers",
    cases=tuple(
        Case(
            f"{connections} connection{'s' if connections > 1 else ''}",
            Parameters(connections, topic_bytes=2_000_000_000, seconds=4),
            smoke=Parameters(connections, topic_bytes=20_000_000, seconds=0.4),
            reaches=REACHES,
        )
        for connections in (1, 4)
    ),
    once=once,
    limit=limit,
)
