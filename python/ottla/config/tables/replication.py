"""Broker keys about replicas: fetching, lag and the in-sync set."""

from __future__ import annotations

from ottla.config.checks import at_least
from ottla.config.definition import CLUSTER_WIDE, HIGH, INT, LONG, MEDIUM, READ_ONLY, STRING, Definition, define

# fmt: off
DEFINITIONS: tuple[Definition, ...] = define((
    ("default.replication.factor", INT, 1, None, READ_ONLY, MEDIUM,
        "Replicas of auto-created topics and of -1 in CreateTopics."),
    ("min.insync.replicas", INT, 1, at_least(1), CLUSTER_WIDE, HIGH,
        "ISR size needed for acks=all."),
    ("num.replica.alter.log.dirs.threads", INT, None, None, READ_ONLY, HIGH,
        "Threads moving replicas between dirs (default: number of dirs)."),
    ("num.replica.fetchers", INT, 1, at_least(1), CLUSTER_WIDE, HIGH,
        "Fetcher threads per source broker."),
    ("replica.fetch.backoff.ms", INT, 1000, at_least(0), READ_ONLY, MEDIUM,
        "Fetcher pause after an error."),
    ("replica.fetch.max.bytes", INT, 1_048_576, at_least(0), READ_ONLY, MEDIUM,
        "Replication bytes per partition (soft)."),
    ("replica.fetch.min.bytes", INT, 1, None, READ_ONLY, HIGH,
        "Replication fetch minimum."),
    ("replica.fetch.response.max.bytes", INT, 10_485_760, at_least(0), READ_ONLY, MEDIUM,
        "Replication bytes per answer (soft)."),
    ("replica.fetch.wait.max.ms", INT, 500, None, READ_ONLY, HIGH,
        "Replication fetch wait."),
    ("replica.high.watermark.checkpoint.interval.ms", LONG, 5000, None, READ_ONLY, HIGH,
        "Period of high watermark checkpoints."),
    ("replica.lag.time.max.ms", LONG, 30_000, None, READ_ONLY, HIGH,
        "Follower not caught up this long leaves the ISR."),
    ("replica.selector.class", STRING, None, None, READ_ONLY, MEDIUM,
        "Chooses the read replica for consumers."),
    ("replica.socket.receive.buffer.bytes", INT, 65_536, None, READ_ONLY, HIGH,
        "Fetcher socket buffer."),
    ("replica.socket.timeout.ms", INT, 30_000, None, READ_ONLY, HIGH,
        "Fetcher socket timeout."),
))
# fmt: on
