"""What does a group cost that nothing happens to? 200 members, 2,000 heartbeats a second in all, evenly spread.

Latency is counted from when a heartbeat was due, so that a stall is felt by all that it delays.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.measure import Metrics, pick
from benchmarks.workload import Case, Reach, Trial, Workload


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    protocol: str
    members: int
    heartbeats_s: float
    seconds: float


def once(trial: Trial, parameters: Parameters) -> Metrics:
    figures = trial.load.run(
        "heartbeats",
        trial.broker,
        kind=parameters.protocol,
        topic=f"heartbeats-{parameters.members}",
        partitions=parameters.members,
        count=parameters.members,
        rate=parameters.heartbeats_s,
        seconds=parameters.seconds,
        warm_up=parameters.seconds / 2,
    )
    return pick(figures, "heartbeats_s", "cpu_percent", "p50_us", "p99_us", "p999_us")


WORKLOAD = Workload(
    name="heartbeats",
    title="2,000 heartbeats a second of 200 members",
    cases=tuple(
        Case(
            name,
            Parameters(protocol, members=200, heartbeats_s=2_000, seconds=10),
            smoke=Parameters(protocol, members=10, heartbeats_s=100, seconds=0.4),
            reaches=(Reach("cpu_percent", 0.4),),
        )
        for name, protocol in (("new protocol", "consumer"), ("classic", "classic"))
    ),
    once=once,
)
