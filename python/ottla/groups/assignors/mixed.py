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
from typing import Final

from ottla.groups.assignors.spec import Assignment, PartitionCounts, Subscribers
from ottla.groups.assignors.steps import CHUNK, Pace, Steps, in_order

__all__ = ["assign_mixed"]

ROUNDS_MAX: Final = 16
"""As Kafka's; overlapping subscriptions may need many rounds for little."""


def assign_mixed(members: Subscribers, partition_counts: PartitionCounts, pace: Pace) -> Steps[dict[str, Assignment]]:
    """O(rounds x (partitions + members x topics) x log)."""
    subscribers = yield from _subscribers(members, pace)
    ranked = yield from in_order(
        [(-partition_counts[topic] / len(some), len(some), topic) for topic, some in subscribers.items()], pace
    )
    topics = [topic for _, _, topic in ranked]
    owners: dict[bytes, list[str | None]] = {topic: [None] * partition_counts[topic] for topic in topics}
    loads = dict.fromkeys(members, 0)
    for member_id, member in members.items():
        count = 0
        for topic, partitions in member.current.items():
            if topic in member.topics:
                known = owners[topic]
                for partition in partitions:
                    if partition < len(known):
                        known[partition] = member_id
                        count += 1
            if pace.is_over(1 + len(partitions) // 4):
                yield
        loads[member_id] = count
        if pace.is_over(1):
            yield
    for topic in topics:
        yield from _give(owners[topic], subscribers[topic], loads, pace)
    contested = [topic for topic in topics if len(subscribers[topic]) > 1]
    yield from _balance(contested, owners, subscribers, loads, pace)
    return (yield from _collect(members, topics, owners, pace))


def _subscribers(members: Subscribers, pace: Pace) -> Steps[dict[bytes, list[str]]]:
    """By topic, in the order of their ids; topics with the same subscribers have one list of them."""
    kinds: dict[frozenset[bytes], int] = {}
    """Subscriptions, by number."""
    kind_of: dict[str, int] = {}
    for member_id in (yield from in_order(members, pace)):
        kind_of[member_id] = kinds.setdefault(members[member_id].topics, len(kinds))
        if pace.is_over(1):
            yield
    kinds_of: dict[bytes, list[int]] = {}
    for topics, kind in kinds.items():
        for topic in topics:
            kinds_of.setdefault(topic, []).append(kind)
        if pace.is_over(1 + len(topics) // 4):
            yield
    found: dict[bytes, list[str]] = {}
    merged: dict[tuple[int, ...], list[str]] = {}
    lists_of: list[list[list[str]]] = [[] for _ in kinds]
    for topic, its_kinds in kinds_of.items():
        key = tuple(its_kinds)
        if key not in merged:
            merged[key] = []
            for kind in its_kinds:
                lists_of[kind].append(merged[key])
        found[topic] = merged[key]
        if pace.is_over(1 + len(its_kinds) // 8):
            yield
    for member_id, kind in kind_of.items():
        for some in lists_of[kind]:
            some.append(member_id)
        if pace.is_over(1 + len(lists_of[kind]) // 8):
            yield
    return found


def _give(owners: list[str | None], subscribers: list[str], loads: dict[str, int], pace: Pace) -> Steps[None]:
    """Every partition without an owner goes to the subscriber that has least."""
    free = [partition for partition, owner in enumerate(owners) if owner is None]
    if pace.is_over(1 + len(owners) // 32):
        yield
    if not free:
        return
    takers = yield from _least_loaded(len(free), subscribers, loads, pace)
    for index, partition in enumerate(free):
        owners[partition] = takers[index]
        loads[takers[index]] += 1
        if not index % CHUNK and pace.is_over(1 + min(CHUNK, len(free)) // 8):
            yield


def _least_loaded(count: int, subscribers: list[str], loads: dict[str, int], pace: Pace) -> Steps[list[str]]:
    """So many times whoever has least, of equals the first by id, each counted as having one more then: level by level,
    those who are at the level or below it."""
    by_load = sorted(subscribers, key=loads.__getitem__)
    counts = [loads[member_id] for member_id in by_load]
    if pace.is_over(1 + len(subscribers) // 4):
        yield
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
        if pace.is_over(1 + len(here) // 8):
            yield
    return out[:count]


def _balance(
    topics: list[bytes],
    owners: dict[bytes, list[str | None]],
    subscribers: dict[bytes, list[str]],
    loads: dict[str, int],
    pace: Pace,
) -> Steps[None]:
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
                    moved = yield from _level(owners[topic], some, loads, least, pace)
                if pace.is_over(1 + len(some) // 8):
                    yield
            if moved:
                level.clear()
            if moved or last is None:
                last = topic


def _level(
    owners: list[str | None], subscribers: list[str], loads: dict[str, int], least_load: int, pace: Pace
) -> Steps[int]:
    """Moves partitions of one topic from those who have most to those who have least; says how many."""
    given: dict[str, list[int]] = {}
    for partition, owner in enumerate(owners):
        assert owner is not None, "all were given out"
        given.setdefault(owner, []).append(partition)
        if not partition % CHUNK and pace.is_over(1 + min(CHUNK, len(owners)) // 8):
            yield
    if max(map(loads.__getitem__, given), default=0) - least_load <= 1:
        return 0
    by_load = sorted(subscribers, key=loads.__getitem__)
    if pace.is_over(len(subscribers) // 4):
        yield
    rank = {member_id: index for index, member_id in enumerate(by_load)}
    # In order, so it is a heap.
    least = [(loads[member_id], index, member_id) for index, member_id in enumerate(by_load)]
    most = [(-loads[member_id], -rank[member_id], member_id) for member_id in given]
    heapq.heapify(most)
    if pace.is_over(len(subscribers) // 2):
        yield
    moved = 0
    while most:
        if pace.is_over(2):
            yield
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


def _collect(
    members: Subscribers, topics: list[bytes], owners: dict[bytes, list[str | None]], pace: Pace
) -> Steps[dict[str, Assignment]]:
    found: dict[str, dict[bytes, list[int]]] = {member_id: {} for member_id in members}
    for topic in (yield from in_order(topics, pace)):
        for partition, owner in enumerate(owners[topic]):
            assert owner is not None, "all were given out"
            known = found[owner].get(topic)
            if known is None:
                found[owner][topic] = [partition]
            else:
                known.append(partition)
            if not partition % CHUNK and pace.is_over(1 + min(CHUNK, len(owners[topic])) // 4):
                yield
    result: dict[str, Assignment] = {}
    for member_id, partitions in found.items():
        assignment = {topic: tuple(some) for topic, some in partitions.items()}
        current = members[member_id].current
        result[member_id] = current if assignment == current else assignment
        if pace.is_over(1 + len(assignment) // 2):
            yield
    return result
