"""How fast are the questions every client asks? ApiVersions, and Metadata of one topic, on 8 connections.

All clients ask both when they connect, and all connect at once after a restart. The limit is a server that echoes.
"""

from benchmarks.small_requests import Parameters, limit, once
from benchmarks.workload import Case, Reach, Workload

WORKLOAD = Workload(
    name="metadata_requests",
    title="small questions, 8 connections, one in flight each",
    cases=tuple(
        Case(
            name,
            Parameters(connections=8, seconds=4, kind=kind, partitions=1),
            smoke=Parameters(connections=8, seconds=0.3, kind=kind, partitions=1),
            reaches=(Reach("requests_s", faster),),
        )
        for name, kind, faster in (("ApiVersions", "api-versions", 3.0), ("Metadata of one topic", "metadata", 2.5))
    ),
    once=once,
    limit=limit,
)
