"""How fast are the requests of groups about offsets? On 8 connections, one in flight each.

OffsetCommit of one partition, each connection for a group of its own; OffsetFetch of 100 partitions that were
committed; FindCoordinator, which everyone asks first.
"""

from benchmarks.small_requests import Parameters, once
from benchmarks.workload import Case, Reach, Workload

WORKLOAD = Workload(
    name="group_requests",
    title="requests about offsets, 8 connections, one in flight each",
    cases=tuple(
        Case(
            name,
            Parameters(connections=8, seconds=4, kind=kind, partitions=partitions),
            smoke=Parameters(connections=2, seconds=0.3, kind=kind, partitions=partitions),
            reaches=reaches,
        )
        for name, kind, partitions, reaches in (
            (
                "OffsetCommit of one partition",
                "offset-commit",
                8,
                (Reach("requests_s", 1.3), Reach("cpu_us_per_request", 0.6)),
            ),
            ("OffsetFetch of 100 partitions", "offset-fetch", 100, (Reach("requests_s", 1),)),
            ("FindCoordinator", "find-coordinator", 1, (Reach("requests_s", 1.3),)),
        )
    ),
    once=once,
)
