"""``uniform``: everybody gets equally many partitions, and keeps what it has as far as that allows.

Prior art: Kafka's ``UniformAssignor`` and ``UniformHomogeneousAssignmentBuilder``. As there, racks play no part: Kafka
4.0 took rack awareness out of it, a rack only makes the group's metadata hash change. Kafka hands out the quotas in the
order of a hash map; ours begins with those who have most, so that a member that has one more than the others keeps it.

Members that subscribe to different topics are the business of ``ottla.groups.assignors.mixed``.
"""

from __future__ import annotations

from ottla.groups.assignors.mixed import assign_mixed
from ottla.groups.assignors.spec import Assignment, MemberSpec, PartitionCounts, Subscribers, ascending

__all__ = ["assign_uniformly"]


def assign_uniformly(members: Subscribers, partition_counts: PartitionCounts) -> dict[str, Assignment]:
    """O(partitions + members log members) when all subscribe to the same topics."""
    specs = iter(members.values())
    first = next(specs, None)
    if first is None:
        return {}
    topics = first.topics
    if all(spec.topics is topics or spec.topics == topics for spec in specs):
        return _assign_equally(members, {topic: partition_counts[topic] for topic in sorted(topics)})
    return assign_mixed(members, partition_counts)


def _assign_equally(members: Subscribers, counts: PartitionCounts) -> dict[str, Assignment]:
    quota, extra = divmod(sum(counts.values()), len(members))
    free = {topic: bytearray(b"\1") * count for topic, count in counts.items()}
    result: dict[str, Assignment] = {}
    unfilled: list[tuple[str, int]] = []
    for member_id in sorted(members, key=lambda member_id: (-_held(members[member_id], counts), member_id)):
        limit = quota + (extra > 0)
        extra -= 1
        kept, count = _keep(members[member_id].current, free, limit)
        result[member_id] = kept
        if count < limit:
            unfilled.append((member_id, limit - count))
    rest = [(topic, partition) for topic, flags in free.items() for partition, is_free in enumerate(flags) if is_free]
    begin = 0
    for member_id, room in unfilled:
        given = rest[begin : begin + room]
        begin += room
        if not given:
            break
        grown: dict[bytes, list[int]] = {topic: list(partitions) for topic, partitions in result[member_id].items()}
        for topic, partition in given:
            grown.setdefault(topic, []).append(partition)
        result[member_id] = ascending(grown)
    return result


def _held(member: MemberSpec, counts: PartitionCounts) -> int:
    return sum(len(partitions) for topic, partitions in member.current.items() if topic in counts)


def _keep(current: Assignment, free: dict[bytes, bytearray], limit: int) -> tuple[Assignment, int]:
    """As much of what a member has as the limit lets it keep, taken out of what is free."""
    kept: dict[bytes, tuple[int, ...]] = {}
    count = 0
    for topic, partitions in current.items():
        flags = free.get(topic)
        if flags is None:
            continue
        if partitions and partitions[-1] >= len(flags):
            partitions = tuple(partition for partition in partitions if partition < len(flags))
        stays = partitions[: limit - count]
        if stays:
            kept[topic] = stays
            count += len(stays)
            for partition in stays:
                flags[partition] = 0
    return (current if kept == current else kept), count
