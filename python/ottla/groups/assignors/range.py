"""``range``: each topic's partitions in contiguous ranges, so that equal partitions of topics meet in one member.

Prior art: Kafka's server-side ``RangeAssignor``. As there, nothing of the last target is looked at: what keeps
partitions in place is the order of the members, static ones first by their instance id, the others by member id; so
a static member that comes back under another id finds its ranges again. Topics with equally many partitions and equal
subscribers are co-partitioned.
"""

from __future__ import annotations

from ottla.groups.assignors.spec import Assignment, PartitionCounts, Subscribers
from ottla.groups.assignors.steps import Pace, Steps, in_order

__all__ = ["assign_ranges"]


def assign_ranges(members: Subscribers, partition_counts: PartitionCounts, pace: Pace) -> Steps[dict[str, Assignment]]:
    """O(members x topics)."""
    subscriber_counts: dict[bytes, int] = {}
    for member in members.values():
        for topic in member.topics:
            subscriber_counts[topic] = subscriber_counts.get(topic, 0) + 1
        if pace.is_over(1 + len(member.topics) // 4):
            yield
    quotas = {topic: divmod(partition_counts[topic], count) for topic, count in subscriber_counts.items()}
    position = dict.fromkeys(quotas, 0)
    start = dict.fromkeys(quotas, 0)
    ordered_topics: dict[frozenset[bytes], list[bytes]] = {}
    result: dict[str, Assignment] = {}
    for member_id in (yield from _ranked(members, pace)):
        topics = members[member_id].topics
        ordered = ordered_topics.get(topics)
        if ordered is None:
            ordered = ordered_topics[topics] = yield from in_order(topics, pace)
        ranges: dict[bytes, tuple[int, ...]] = {}
        for topic in ordered:
            quota, extra = quotas[topic]
            begin = start[topic]
            end = begin + quota + (position[topic] < extra)
            position[topic] += 1
            start[topic] = end
            if begin < end:
                ranges[topic] = tuple(range(begin, end))
        result[member_id] = ranges
        if pace.is_over(1 + len(topics)):
            yield
    return result


def _ranked(members: Subscribers, pace: Pace) -> Steps[list[str]]:
    static = [
        (member.instance_id, member_id) for member_id, member in members.items() if member.instance_id is not None
    ]
    others = [member_id for member_id, member in members.items() if member.instance_id is None]
    first = yield from in_order(static, pace)
    then = yield from in_order(others, pace)
    return [*(member_id for _, member_id in first), *then]
