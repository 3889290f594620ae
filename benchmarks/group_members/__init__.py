"""How soon is a large group at work, and what does it cost to keep it alive? Classic members, each with a connection.

All members join at once, each asks for its id, joins and syncs; a generation in which all have their assignment is
stable. Then all together send 2,000 heartbeats a second.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.failure import Failed
from benchmarks.measure import Metrics, pick
from benchmarks.workload import Case, Reach, Trial, Workload


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    members: int
    partitions: int
    seconds: float
    heartbeats_s: float = 2000.0


def once(trial: Trial, parameters: Parameters) -> Metrics:
    figures = trial.load.run(
        "members",
        trial.broker,
        topic=f"group-members-{parameters.partitions}",
        partitions=parameters.partitions,
        count=parameters.members,
        rate=parameters.heartbeats_s,
        seconds=parameters.seconds,
        warm_up=parameters.seconds / 4,
    )
    if figures["lost"]:
        raise Failed(f"{figures['lost']:.0f} members were lost")
    return pick(
        figures, "stable_s", "stable_cpu_s", "heartbeats_s", "cpu_us_per_heartbeat", "p50_us", "p99_us", "p999_us"
    )


WORKLOAD = Workload(
    name="group_members",
    title="a classic group: first join to stable, then 2,000 heartbeats a second",
    cases=(
        Case(
            "200 members",
            Parameters(members=200, partitions=200, seconds=5),
            smoke=Parameters(members=10, partitions=10, seconds=0.5, heartbeats_s=100),
            reaches=(Reach("stable_s", 0.1), Reach("stable_cpu_s", 0.4), Reach("cpu_us_per_heartbeat", 0.4)),
        ),
        Case(
            "1,000 members over 10,000 partitions",
            Parameters(members=1000, partitions=10_000, seconds=5),
            smoke=Parameters(members=30, partitions=100, seconds=0.5, heartbeats_s=100),
            reaches=(Reach("stable_s", 1.0),),
        ),
    ),
    once=once,
)
