"""Broker keys about streams groups."""

from __future__ import annotations

from ottla.config.checks import any_list, at_least, filled_list
from ottla.config.definition import (
    BOOLEAN,
    CLASS,
    CLUSTER_WIDE,
    INT,
    INT_MAX,
    LIST,
    LONG,
    LOW,
    MEDIUM,
    READ_ONLY,
    Definition,
    define,
)

# fmt: off
DEFINITIONS: tuple[Definition, ...] = define((
    ("group.streams.assignment.interval.ms", INT, 1000, at_least(0), CLUSTER_WIDE, MEDIUM,
        "Least time between target assignments of a streams group."),
    ("group.streams.assignors", LIST, ("sticky",), filled_list, READ_ONLY, MEDIUM,
        "Server task assignors, first is default."),
    ("group.streams.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY, MEDIUM,
        "Heartbeat interval told to members."),
    ("group.streams.initial.rebalance.delay.ms", INT, 3000, at_least(0), READ_ONLY, MEDIUM,
        "Wait for more members before the first assignment."),
    ("group.streams.max.assignment.interval.ms", INT, 15_000, at_least(0), READ_ONLY, MEDIUM,
        "Largest group.streams.assignment.interval.ms that a group may set."),
    ("group.streams.max.heartbeat.interval.ms", INT, 15_000, at_least(1), READ_ONLY, MEDIUM,
        "Largest group.streams.heartbeat.interval.ms that a group may set."),
    ("group.streams.max.session.timeout.ms", INT, 60_000, at_least(1), READ_ONLY, MEDIUM,
        "Largest group.streams.session.timeout.ms that a group may set."),
    ("group.streams.max.size", INT, INT_MAX, at_least(1), READ_ONLY, MEDIUM,
        "Members allowed in a streams group."),
    ("group.streams.max.standby.replicas", INT, 2, at_least(0), READ_ONLY, MEDIUM,
        "Largest group.streams.standby.replicas that a group may set."),
    ("group.streams.min.assignment.interval.ms", INT, 0, at_least(0), READ_ONLY, MEDIUM,
        "Smallest group.streams.assignment.interval.ms that a group may set."),
    ("group.streams.min.heartbeat.interval.ms", INT, 5000, at_least(1), READ_ONLY, MEDIUM,
        "Smallest group.streams.heartbeat.interval.ms that a group may set."),
    ("group.streams.min.session.timeout.ms", INT, 45_000, at_least(1), READ_ONLY, MEDIUM,
        "Smallest group.streams.session.timeout.ms that a group may set."),
    ("group.streams.num.standby.replicas", INT, 0, at_least(0), READ_ONLY, MEDIUM,
        "Standby tasks per stateful task."),
    ("group.streams.rack.aware.assignment.tags", LIST, (), any_list, READ_ONLY, LOW,
        "Client tags standbys are spread over."),
    ("group.streams.session.timeout.ms", INT, 45_000, at_least(1), READ_ONLY, MEDIUM,
        "Member silent this long is removed."),
    ("group.streams.topology.description.plugin.class", CLASS, None, None, READ_ONLY, MEDIUM,
        "Plug-in that stores topology descriptions; unset = off (KIP-1331)."),
))
DEFINITIONS += define((
    ("group.streams.acceptable.recovery.lag", LONG, 10_000, at_least(0), READ_ONLY, MEDIUM,
        "Lag under which a task counts as caught up."),
    ("group.streams.assignor.offload.enable", BOOLEAN, True, None, CLUSTER_WIDE, MEDIUM,
        "Compute on a background thread."),
    ("group.streams.max.warmup.replicas", INT, 20, at_least(0), READ_ONLY, MEDIUM,
        "Largest group.streams.warmup.replicas that a group may set."),
    ("group.streams.min.task.offset.interval.ms", INT, 15_000, at_least(1), READ_ONLY, MEDIUM,
        "Smallest group.streams.task.offset.interval.ms that a group may set."),
    ("group.streams.num.warmup.replicas", INT, 2, at_least(0), READ_ONLY, MEDIUM,
        "Warm-up tasks at a time."),
    ("group.streams.task.offset.interval.ms", INT, 60_000, at_least(1), READ_ONLY, MEDIUM,
        "How often members report task offsets."),
), internal=True)
# fmt: on
