"""How soon are committed offsets there after a start? A million of them, of 10,000 groups, after a clean stop.

From the start of the process until a group of every partition of `__consumer_offsets` is told what it committed.
Meanwhile another connection asks for Metadata again and again: what others wait while offsets are loaded.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.measure import Metrics, pick
from benchmarks.workload import Case, Lifetime, Reach, Trial, Workload

TOPIC = "committed"


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    groups: int
    partitions: int
    wait_seconds: float = 150


def once(trial: Trial, parameters: Parameters) -> Metrics:
    partitions, groups = parameters.partitions, parameters.groups
    trial.load.run("commit", trial.broker, topic=TOPIC, partitions=partitions, count=groups, connections=8)
    trial.broker.stop()
    trial.broker.launch()
    figures = trial.load.run(
        "loaded",
        trial.broker,
        topic=TOPIC,
        partitions=partitions,
        count=groups,
        seconds=parameters.wait_seconds,
        since=trial.broker.started_unix_ns,
    )
    return pick(figures, "loaded_ms", "api_versions_ms", "metadata_p50_us", "metadata_p99_us")


WORKLOAD = Workload(
    name="committed_offsets",
    title="start with a million committed offsets of 10,000 groups",
    cases=(
        Case(
            "",
            Parameters(groups=10_000, partitions=100),
            smoke=Parameters(groups=100, partitions=10),
            reaches=(Reach("loaded_ms", 0.5),),
        ),
    ),
    once=once,
    lifetime=Lifetime.FRESH,
)
