"""What does a group cost that nothing happens to? 200 members, 2,000 heartbeats a second in all, evenly spread.

Latency is counted from when a heartbeat was due, so that a stall is felt by all that it delays. A member that is told
to join again fails the run: so does the third case, in which thousands of topics are made meanwhile, when a session of
its 1,000 members is lost by that.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.group_join import require
from benchmarks.measure import Metrics, pick
from benchmarks.workload import Case, Lifetime, Reach, Trial, Workload


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    protocol: str
    members: int
    heartbeats_s: float
    seconds: float
    new_topics: int = 0


def once(trial: Trial, parameters: Parameters) -> Metrics:
    require(trial, parameters.protocol)
    figures = trial.load.run(
        "heartbeats",
        trial.broker,
        kind=parameters.protocol,
        topic=f"heartbeats-{parameters.members}",
        partitions=parameters.members,
        new_topics=parameters.new_topics,
        count=parameters.members,
        rate=parameters.heartbeats_s,
        seconds=parameters.seconds,
        warm_up=parameters.seconds / 2,
    )
    shown = ("usable_s",) if parameters.new_topics else ("heartbeats_s", "cpu_percent")
    return pick(figures, *shown, "p50_us", "p99_us", "p999_us")


WORKLOAD = Workload(
    name="heartbeats",
    title="heartbeats",
    cases=(
        *(
            Case(
                f"2,000 a second of 200 members, {name}",
                Parameters(protocol, members=200, heartbeats_s=2_000, seconds=10),
                smoke=Parameters(protocol, members=10, heartbeats_s=100, seconds=0.4),
                reaches=(Reach("cpu_percent", 0.4),),
            )
            for name, protocol in (("new protocol", "consumer"), ("classic", "classic"))
        ),
        Case(
            "of 1,000 members, classic, while 5,000 topics are made",
            Parameters("classic", members=1_000, heartbeats_s=333, seconds=1, new_topics=5_000),
            smoke=Parameters("classic", members=20, heartbeats_s=100, seconds=0.2, new_topics=100),
            reaches=(Reach("usable_s", 1), Reach("p999_us", 1)),
        ),
    ),
    once=once,
    lifetime=Lifetime.FRESH,
)
