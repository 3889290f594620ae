"""How fast are the questions of consumer groups? FindCoordinator, OffsetCommit and OffsetFetch on 8 connections.

A commit is of one partition and waits until it is in the log; each connection commits for a group of its own. Offsets
of a hundred partitions are fetched at once.
"""

from benchmarks.small_requests import Parameters, once
from benchmarks.workload import Case, Reach, Workload


def case(name: str, kind: str, partitions: int, *reaches: Reach) -> Case[Parameters]:
    return Case(
        name,
        Parameters(connections=8, seconds=4, kind=kind, partitions=partitions),
        smoke=Parameters(connections=8, seconds=0.3, kind=kind, partitions=partitions),
        reaches=reaches,
    )


WORKLOAD = Workload(
    name="group_requests",
    title="requests about groups, 8 connections, one in flight each",
    cases=(
        case("OffsetCommit of a partition", "offset-commit", 8, Reach("requests_s", 1.3), Reach("cpu_us_per_request", 0.6)),
        case("OffsetFetch of 100 partitions", "offset-fetch", 100, Reach("requests_s", 1.0)),
        case("FindCoordinator", "find-coordinator", 8, Reach("requests_s", 1.3)),
    ),
    once=once,
)
