"""``uniform`` for members that subscribe to different topics: nearly equal loads, and little is moved.

Prior art: Kafka's ``UniformHeterogeneousAssignmentBuilder``. Members keep what they have of their topics; free
partitions go, topic by topic, to the least loaded subscriber; then the topics are gone round, each moving partitions
from its most to its least loaded subscriber, until a whole round moves nothing. Kafka's two pointers into a sorted list
are two heaps here. Order: topics with most partitions for each subscriber first, then those with fewest subscribers,
then by id; members by load, then by id.

Invariants: after the last round the loads of a topic's subscribers that could give or take differ by one at most,
unless the rounds were more than ``ROUNDS_MAX``.
"""

from __future__ import annotations

import heapq
from typing import Final

from ottla.groups.assignors.spec import Assignment, PartitionCounts, Subscribers, ascending

__all__ = ["assign_mixed"]

ROUNDS_MAX: Final = 16
"""As Kafka's; overlapping subscriptions may need many rounds for little."""


def assign_mixed(members: Subscribers, partition_counts: PartitionCounts) -> dict[str, Assignment]:
    """O(rounds x (partitions + members x topics) x log)."""
    subscribers: dict[bytes, list[str]] = {}
    for member_id in sorted(members):
        for topic in members[member_id].topics:
            subscribers.setdefault(topic, []).append(member_id)
    topics = sorted(
        subscribers,
        key=lambda topic: (
            -partition_counts[topic] / len(subscribers[topic]),
            len(subscribers[topic]),
            topic,
        ),
    )
    owners: dict[bytes, list[str | None]] = {topic: [None] * partition_counts[topic] for topic in topics}
    loads = dict.fromkeys(members, 0)
    for member_id, member in members.items():
        for topic, partitions in member.current.items():
            if topic in member.topics:
                known = owners[topic]
                for partition in partitions:
                    if partition < len(known):
                        known[partition] = member_id
                        loads[member_id] += 1
    for topic in topics:
        _give(owners[topic], subscribers[topic], loads)
    _balance([topic for topic in topics if len(subscribers[topic]) > 1], owners, subscribers, loads)
    return _collect(members, topics, owners)


def _give(owners: list[str | None], subscribers: list[str], loads: dict[str, int]) -> None:
    """Every partition without an owner goes to the subscriber that has least."""
    heap = [(loads[member_id], member_id) for member_id in subscribers]
    heapq.heapify(heap)
    for partition, owner in enumerate(owners):
        if owner is None:
            load, member_id = heap[0]
            owners[partition] = member_id
            loads[member_id] = load + 1
            heapq.heapreplace(heap, (load + 1, member_id))


def _balance(
    topics: list[bytes],
    owners: dict[bytes, list[str | None]],
    subscribers: dict[bytes, list[str]],
    loads: dict[str, int],
) -> None:
    last: bytes | None = None
    for _ in range(ROUNDS_MAX):
        for topic in topics:
            if topic == last:
                return
            if _level(owners[topic], subscribers[topic], loads) or last is None:
                last = topic


def _level(owners: list[str | None], subscribers: list[str], loads: dict[str, int]) -> int:
    """Moves partitions of one topic from those who have most to those who have least; says how many."""
    counts = [loads[member_id] for member_id in subscribers]
    if max(counts) - min(counts) <= 1:
        return 0
    given: dict[str, list[int]] = {}
    for partition, owner in enumerate(owners):
        assert owner is not None, "all were given out"
        given.setdefault(owner, []).append(partition)
    rank = {member_id: index for index, member_id in enumerate(sorted(subscribers, key=lambda m: (loads[m], m)))}
    least = [(loads[member_id], index, member_id) for member_id, index in rank.items()]
    most = [(-loads[member_id], -rank[member_id], member_id) for member_id in given]
    heapq.heapify(least)
    heapq.heapify(most)
    moved = 0
    while most:
        load, _, giver = most[0]
        if -load != loads[giver] or not given[giver]:
            # It got one meanwhile, or has none of this topic left.
            heapq.heappop(most)
            continue
        while least[0][0] != loads[least[0][2]]:
            _, index, member_id = least[0]
            heapq.heapreplace(least, (loads[member_id], index, member_id))
        taker = least[0][2]
        if loads[giver] - loads[taker] <= 1:
            break
        partition = given[giver].pop()
        owners[partition] = taker
        loads[giver] -= 1
        loads[taker] += 1
        heapq.heapreplace(most, (-loads[giver], -rank[giver], giver))
        moved += 1
    return moved


def _collect(members: Subscribers, topics: list[bytes], owners: dict[bytes, list[str | None]]) -> dict[str, Assignment]:
    found: dict[str, dict[bytes, list[int]]] = {member_id: {} for member_id in members}
    for topic in sorted(topics):
        for partition, owner in enumerate(owners[topic]):
            assert owner is not None, "all were given out"
            found[owner].setdefault(topic, []).append(partition)
    result: dict[str, Assignment] = {}
    for member_id, partitions in found.items():
        assignment = ascending(partitions)
        current = members[member_id].current
        result[member_id] = current if assignment == current else assignment
    return result
