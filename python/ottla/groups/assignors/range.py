"""``range``: each topic's partitions in contiguous ranges, so that equal partitions of topics meet in one member.

Prior art: Kafka's server-side ``RangeAssignor``. As there, nothing of the last target is looked at: what keeps
partitions in place is the order of the members, static ones first by their instance id, the others by member id; so
a static member that comes back under another id finds its ranges again. Topics with equally many partitions and equal
subscribers are co-partitioned.
"""

from __future__ import annotations

from ottla.groups.assignors.spec import Assignment, MemberSpec, PartitionCounts, Subscribers

__all__ = ["assign_ranges"]


def assign_ranges(members: Subscribers, partition_counts: PartitionCounts) -> dict[str, Assignment]:
    """O(members x topics)."""
    subscriber_counts: dict[bytes, int] = {}
    for member in members.values():
        for topic in member.topics:
            subscriber_counts[topic] = subscriber_counts.get(topic, 0) + 1
    quotas = {topic: divmod(partition_counts[topic], count) for topic, count in subscriber_counts.items()}
    position = dict.fromkeys(quotas, 0)
    start = dict.fromkeys(quotas, 0)
    ordered_topics: dict[frozenset[bytes], list[bytes]] = {}
    result: dict[str, Assignment] = {}
    for member_id in sorted(members, key=lambda member_id: _rank(member_id, members[member_id])):
        topics = members[member_id].topics
        ordered = ordered_topics.get(topics)
        if ordered is None:
            ordered = ordered_topics[topics] = sorted(topics)
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
    return result


def _rank(member_id: str, member: MemberSpec) -> tuple[bool, str]:
    if member.instance_id is None:
        return True, member_id
    return False, member.instance_id
