"""Broker keys about the process as a whole: its identity to others, limits of requests, plug-ins."""

from __future__ import annotations

from ottla.config.checks import any_list, at_least
from ottla.config.definition import (
    BOOLEAN,
    CLUSTER_WIDE,
    HIGH,
    INT,
    LIST,
    LOW,
    MEDIUM,
    READ_ONLY,
    STRING,
    Definition,
    define,
)

# fmt: off
DEFINITIONS: tuple[Definition, ...] = define((
    ("background.threads", INT, 10, at_least(1), CLUSTER_WIDE, HIGH,
        "Threads for background work."),
    ("broker.rack", STRING, None, None, READ_ONLY, MEDIUM,
        "Rack used for placement and follower fetching."),
    ("config.providers", LIST, (), any_list, CLUSTER_WIDE, LOW,
        "Names of config providers for ${…} values."),
    ("controlled.shutdown.enable", BOOLEAN, True, None, READ_ONLY, MEDIUM,
        "Move leaders away before stopping."),
    ("delete.records.purgatory.purge.interval.requests", INT, 1, None, READ_ONLY, MEDIUM,
        "Completed DeleteRecords waiters are purged per this many requests."),
    ("fetch.max.bytes", INT, 57_671_680, at_least(1024), READ_ONLY, MEDIUM,
        "Cap on bytes of one Fetch answer."),
    ("fetch.purgatory.purge.interval.requests", INT, 1000, None, READ_ONLY, MEDIUM,
        "Completed Fetch waiters are purged per this many requests."),
    ("max.incremental.fetch.session.cache.slots", INT, 1000, at_least(0), READ_ONLY, MEDIUM,
        "Fetch sessions cached per broker."),
    ("max.request.partition.size.limit", INT, 2000, at_least(1), READ_ONLY, MEDIUM,
        "Partitions per DescribeTopicPartitions answer."),
    ("producer.purgatory.purge.interval.requests", INT, 1000, None, READ_ONLY, MEDIUM,
        "Completed Produce waiters are purged per this many requests."),
))
DEFINITIONS += define((
    ("unstable.api.versions.enable", BOOLEAN, False, None, READ_ONLY, HIGH,
        "Serve API versions under development."),
    ("unstable.feature.versions.enable", BOOLEAN, False, None, READ_ONLY, HIGH,
        "Allow feature levels under development."),
), internal=True)
# fmt: on
