"""``uniform`` for members that subscribe to different topics: nearly equal loads, and little is moved.

Prior art: Kafka's ``UniformHeterogeneousAssignmentBuilder``. Members keep what they have of their topics; free
partitions go, topic by topic, to the least loaded subscriber; then the topics are gone round, each moving partitions
from its most to its least loaded subscriber, until a whole round moves nothing. Kafka's two pointers into a sorted list
are two heaps here, topics with the same subscribers are looked at as one as long as nothing moves, and what is free is
given out a level at a time. Order: topics with most partitions for each subscriber first, then those with fewest
subscribers, then by id; members by load, then by id.

Invariants: after the last round the loads of a topic's subscribers that could give or take differ by one at most,
unless the rounds were more than ``ROUNDS_MAX``.
"""

from __future__ import annotations

import heapq
from itertools import chain
from typing import Final

from ottla.groups.assignors.spec import Assignment, PartitionCounts, Subscribers

__all__ = ["assign_mixed"]

ROUNDS_MAX: Final = 16
"""As Kafka's; overlapping subscriptions may need many rounds for little."""


def assign_mixed(members: Subscribers, partition_counts: PartitionCounts) -> dict[str, Assignment]:
    """O(rounds x (partitions + members x topics) x log)."""
    subscribers = _subscribers(members)
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


def _subscribers(members: Subscribers) -> dict[bytes, list[str]]:
    """By topic, in the order of their ids; topics with the same subscribers have one list of them."""
    alike: dict[frozenset[bytes], list[str]] = {}
    for member_id in sorted(members):
        alike.setdefault(members[member_id].topics, []).append(member_id)
    kinds: dict[bytes, list[int]] = {}
    for kind, topics in enumerate(alike):
        for topic in topics:
            kinds.setdefault(topic, []).append(kind)
    lists = list(alike.values())
    merged: dict[tuple[int, ...], list[str]] = {}
    found: dict[bytes, list[str]] = {}
    for topic, its_kinds in kinds.items():
        key = tuple(its_kinds)
        if key not in merged:
            merged[key] = sorted(chain.from_iterable(lists[kind] for kind in key))
        found[topic] = merged[key]
    return found


def _give(owners: list[str | None], subscribers: list[str], loads: dict[str, int]) -> None:
    """Every partition without an owner goes to the subscriber that has least."""
    free = [partition for partition, owner in enumerate(owners) if owner is None]
    if free:
        for partition, member_id in zip(free, _least_loaded(len(free), subscribers, loads), strict=True):
            owners[partition] = member_id
            loads[member_id] += 1


def _least_loaded(count: int, subscribers: list[str], loads: dict[str, int]) -> list[str]:
    """So many times whoever has least, of equals the first by id, each counted as having one more then: level by level,
    those who are at the level or below it."""
    by_load = sorted(subscribers, key=loads.__getitem__)
    counts = [loads[member_id] for member_id in by_load]
    level, reached = counts[0], 0
    here: list[str] = []
    out: list[str] = []
    while len(out) < count:
        before = reached
        while reached < len(counts) and counts[reached] == level:
            reached += 1
        here = sorted(here + by_load[before:reached])
        wanted = -(-(count - len(out)) // len(here))
        rounds = wanted if reached == len(counts) else min(wanted, counts[reached] - level)
        out += here * rounds
        level += rounds
    return out[:count]


def _balance(
    topics: list[bytes],
    owners: dict[bytes, list[str | None]],
    subscribers: dict[bytes, list[str]],
    loads: dict[str, int],
) -> None:
    last: bytes | None = None
    level: set[int] = set()
    """Lists of subscribers whose loads are level, since something was moved last."""
    for _ in range(ROUNDS_MAX):
        for topic in topics:
            if topic == last:
                return
            some = subscribers[topic]
            moved = 0
            if id(some) not in level:
                counts = list(map(loads.__getitem__, some))
                least = min(counts)
                if max(counts) - least <= 1:
                    level.add(id(some))
                else:
                    moved = _level(owners[topic], some, loads, least)
            if moved:
                level.clear()
            if moved or last is None:
                last = topic


def _level(owners: list[str | None], subscribers: list[str], loads: dict[str, int], least_load: int) -> int:
    """Moves partitions of one topic from those who have most to those who have least; says how many."""
    given: dict[str, list[int]] = {}
    for partition, owner in enumerate(owners):
        assert owner is not None, "all were given out"
        given.setdefault(owner, []).append(partition)
    if max(map(loads.__getitem__, given), default=0) - least_load <= 1:
        return 0
    by_load = sorted(subscribers, key=loads.__getitem__)
    rank = {member_id: index for index, member_id in enumerate(by_load)}
    # In order, so it is a heap.
    least = [(loads[member_id], index, member_id) for index, member_id in enumerate(by_load)]
    most = [(-loads[member_id], -rank[member_id], member_id) for member_id in given]
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
            known = found[owner].get(topic)
            if known is None:
                found[owner][topic] = [partition]
            else:
                known.append(partition)
    result: dict[str, Assignment] = {}
    for member_id, partitions in found.items():
        assignment = {topic: tuple(some) for topic, some in partitions.items()}
        current = members[member_id].current
        result[member_id] = current if assignment == current else assignment
    return result
