"""How soon does everyone in a group have a part of the topic? All members join at once, each on its own connection.

From the first join until all are in one generation, or epoch, and all partitions have an owner. Kafka lets the first
members of a classic group wait 3 s for others, and again when some came (`group.initial.rebalance.delay.ms`); Ottla's
embedded default is 0. So there is a second figure: the time from the first answer to a JoinGroup on.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.failure import Skipped
from benchmarks.measure import Metrics, pick
from benchmarks.workload import Case, Reach, Trial, Workload

CONSUMER_GROUP_HEARTBEAT = 68


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    protocol: str
    members: int
    partitions: int


def require(trial: Trial, protocol: str) -> None:
    """Raises Skipped when the broker does not serve members of this protocol."""
    if protocol == "consumer" and not trial.load.advertised(trial.broker, CONSUMER_GROUP_HEARTBEAT):
        raise Skipped("the broker does not serve the new protocol")


def once(trial: Trial, parameters: Parameters) -> Metrics:
    require(trial, parameters.protocol)
    figures = trial.load.run(
        "group",
        trial.broker,
        kind=parameters.protocol,
        topic=f"group-{parameters.partitions}",
        partitions=parameters.partitions,
        count=parameters.members,
    )
    names = ("stable_s", "settled_s", "cpu_s") if parameters.protocol == "classic" else ("stable_s", "cpu_s")
    return pick(figures, *names)


WORKLOAD = Workload(
    name="group_join",
    title="a group, from the first join until all have their part",
    cases=(
        Case(
            "200 members, new protocol",
            Parameters("consumer", members=200, partitions=400),
            smoke=Parameters("consumer", members=10, partitions=20),
            reaches=(Reach("stable_s", 0.4), Reach("cpu_s", 0.4)),
        ),
        Case(
            "200 members, classic",
            Parameters("classic", members=200, partitions=400),
            smoke=Parameters("classic", members=10, partitions=20),
            reaches=(Reach("stable_s", 0.1), Reach("cpu_s", 0.4)),
        ),
        Case(
            "1,000 members of 10,000 partitions, classic",
            Parameters("classic", members=1_000, partitions=10_000),
            smoke=Parameters("classic", members=20, partitions=200),
            reaches=(Reach("stable_s", 1),),
        ),
    ),
    once=once,
)
