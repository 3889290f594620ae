"""Keys of quota entities: users, client ids, addresses, and the broker quotas that are dynamic only."""

from __future__ import annotations

from ottla.config.checks import at_least
from ottla.config.definition import (
    CLUSTER_WIDE,
    DOUBLE,
    INT,
    INT_MAX,
    LONG,
    LONG_MAX,
    MEDIUM,
    RESOURCE,
    Definition,
    define,
)

# fmt: off
USER_CLIENT: tuple[Definition, ...] = define((
    ("consumer_byte_rate", LONG, LONG_MAX, None, RESOURCE, MEDIUM,
        "Fetch bytes/s per broker."),
    ("controller_mutation_rate", DOUBLE, 2147483647.0, None, RESOURCE, MEDIUM,
        "Topic/partition creations and deletions per second."),
    ("producer_byte_rate", LONG, LONG_MAX, None, RESOURCE, MEDIUM,
        "Produce bytes/s per broker."),
    ("request_percentage", DOUBLE, 2147483647.0, None, RESOURCE, MEDIUM,
        "Share of request+network thread time, 100 per thread."),
))
IP: tuple[Definition, ...] = define((
    ("connection_creation_rate", INT, INT_MAX, at_least(0), RESOURCE, MEDIUM,
        "New connections/s per address."),
))
BROKER: tuple[Definition, ...] = define((
    ("follower.replication.throttled.rate", LONG, LONG_MAX, at_least(0), CLUSTER_WIDE, MEDIUM,
        "Bytes/s a follower may replicate of throttled replicas."),
    ("leader.replication.throttled.rate", LONG, LONG_MAX, at_least(0), CLUSTER_WIDE, MEDIUM,
        "Bytes/s a leader may send for throttled replicas."),
    ("replica.alter.log.dirs.io.max.bytes.per.second", LONG, LONG_MAX, at_least(0), CLUSTER_WIDE, MEDIUM,
        "Bytes/s when moving replicas between dirs."),
))
# fmt: on
