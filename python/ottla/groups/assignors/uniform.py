"""``uniform``: everybody gets equally many partitions, and keeps what it has as far as that allows.

Prior art: Kafka's ``UniformAssignor`` and ``UniformHomogeneousAssignmentBuilder``. As there, racks play no part: Kafka
4.0 took rack awareness out of it, a rack only makes the group's metadata hash change. Kafka hands out the quotas in the
order of a hash map; ours begins with those who have most, so that a member that has one more than the others keeps it.

Members that subscribe to different topics are the business of ``ottla.groups.assignors.mixed``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ottla.groups.assignors.mixed import assign_mixed
from ottla.groups.assignors.spec import Assignment, MemberSpec, PartitionCounts, Subscribers, ascending
from ottla.groups.assignors.steps import CHUNK, Pace, Steps, in_order

__all__ = ["assign_uniformly"]


def assign_uniformly(
    members: Subscribers, partition_counts: PartitionCounts, pace: Pace
) -> Steps[dict[str, Assignment]]:
    """O(partitions + members log members) when all subscribe to the same topics."""
    first = next(iter(members.values()), None)
    if first is None:
        return {}
    topics = first.topics
    for spec in members.values():
        if spec.topics is not topics and spec.topics != topics:
            return (yield from assign_mixed(members, partition_counts, pace))
        if pace.is_over(1):
            yield
    ordered = yield from in_order(topics, pace)
    return (yield from _assign_equally(members, {topic: partition_counts[topic] for topic in ordered}, pace))


def _assign_equally(members: Subscribers, counts: PartitionCounts, pace: Pace) -> Steps[dict[str, Assignment]]:
    quota, extra = divmod(sum(counts.values()), len(members))
    free = {topic: bytearray(b"\1") * count for topic, count in counts.items()}
    held: list[tuple[int, str]] = []
    for member_id, member in members.items():
        held.append((-_held(member, counts), member_id))
        if pace.is_over(1 + len(member.current) // 4):
            yield
    result: dict[str, Assignment] = {}
    unfilled: list[tuple[str, int]] = []
    for _, member_id in (yield from in_order(held, pace)):
        limit = quota + (extra > 0)
        extra -= 1
        kept, count = _keep(members[member_id].current, free, limit)
        result[member_id] = kept
        if count < limit:
            unfilled.append((member_id, limit - count))
        if pace.is_over(2 + count // 8):
            yield
    rest: list[tuple[bytes, int]] = []
    for topic, flags in free.items():
        for begin in range(0, len(flags), CHUNK):
            chunk = flags[begin : begin + CHUNK]
            rest += [(topic, partition) for partition, is_free in enumerate(chunk, begin) if is_free]
            if pace.is_over(1 + len(chunk) // 16):
                yield
    begin = 0
    for member_id, room in unfilled:
        given = rest[begin : begin + room]
        begin += room
        if not given:
            break
        result[member_id] = _grown(result[member_id], given)
        if pace.is_over(2 + len(given) // 4):
            yield
    return result


def _grown(assignment: Assignment, given: Sequence[tuple[bytes, int]]) -> Assignment:
    grown: dict[bytes, list[int]] = {topic: list(partitions) for topic, partitions in assignment.items()}
    for topic, partition in given:
        grown.setdefault(topic, []).append(partition)
    return ascending(grown)


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
