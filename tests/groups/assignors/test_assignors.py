"""The assignors beside dumb models, on random groups."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from ottla.groups.assignors import ASSIGNORS
from ottla.groups.assignors.spec import Assignment, MemberSpec, PartitionCounts, Subscribers
from ottla.groups.assignors.steps import RUN, Pace, finish, in_order

A, B, C = (bytes(15) + bytes([number]) for number in (1, 2, 3))


def assign(name: str, members: Subscribers, counts: PartitionCounts) -> dict[str, Assignment]:
    return finish(ASSIGNORS[name](members, counts, Pace()))


def assign_uniformly(members: Subscribers, counts: PartitionCounts) -> dict[str, Assignment]:
    return assign("uniform", members, counts)


def assign_ranges(members: Subscribers, counts: PartitionCounts) -> dict[str, Assignment]:
    return assign("range", members, counts)


def require_exact_cover(members: Subscribers, counts: PartitionCounts, result: Mapping[str, Assignment]) -> None:
    """Every partition of every subscribed topic has one owner, who subscribes to it; the form is the normal one."""
    assert result.keys() == members.keys()
    owned = Counter(
        (topic, partition)
        for assignment in result.values()
        for topic, partitions in assignment.items()
        for partition in partitions
    )
    subscribed = {topic for member in members.values() for topic in member.topics}
    assert owned == Counter((topic, partition) for topic in subscribed for partition in range(counts[topic]))
    for member_id, assignment in result.items():
        assert assignment.keys() <= members[member_id].topics
        for partitions in assignment.values():
            assert partitions
            assert list(partitions) == sorted(partitions)


def load(assignment: Assignment) -> int:
    return sum(map(len, assignment.values()))


def kept(members: Subscribers, result: Mapping[str, Assignment]) -> int:
    """Partitions that stay where they are."""
    return sum(
        len(set(partitions) & set(result[member_id].get(topic, ())))
        for member_id, member in members.items()
        for topic, partitions in member.current.items()
    )


def most_that_can_be_kept(members: Subscribers, counts: PartitionCounts) -> int:
    """The dumb model of stickiness among equal subscribers: nobody keeps more than its share, and those who have more
    than the smaller share use up the larger ones."""
    topics = next(iter(members.values())).topics
    share, extra = divmod(sum(counts[topic] for topic in topics), len(members))
    total = 0
    for member in members.values():
        held = sum(len(partitions) for topic, partitions in member.current.items() if topic in topics)
        if held > share and extra:
            extra -= 1
            total += share + 1
        else:
            total += min(held, share)
    return total


def random_group(rng: random.Random, mixed: bool) -> tuple[dict[str, MemberSpec], dict[bytes, int]]:
    counts = {bytes(15) + bytes([number]): rng.randint(0, 12) for number in range(rng.randint(1, 6))}
    everything = frozenset(counts)
    members = {}
    for number in range(rng.randint(1, 9)):
        topics = frozenset(rng.sample(sorted(counts), rng.randint(0, len(counts)))) if mixed else everything
        instance = f"i{rng.randint(0, 99)}-{number}" if rng.random() < 0.3 else None
        members[f"m{number}"] = MemberSpec(topics, {}, instance)
    return members, counts


def changed(
    rng: random.Random, members: dict[str, MemberSpec], counts: dict[bytes, int], result: Mapping[str, Assignment]
) -> tuple[dict[str, MemberSpec], dict[bytes, int]]:
    """The group some time later: members gone and come, topics grown, subscriptions changed."""
    counts = {topic: count + (rng.randint(0, 4) if rng.random() < 0.3 else 0) for topic, count in counts.items()}
    same = len({member.topics for member in members.values()}) == 1
    later = {}
    for member_id, member in members.items():
        if rng.random() < 0.2:
            continue
        topics = member.topics
        if not same and rng.random() < 0.2:
            topics = frozenset(rng.sample(sorted(counts), rng.randint(0, len(counts))))
        later[member_id] = MemberSpec(topics, result[member_id], member.instance_id)
    for number in range(rng.randint(0 if later else 1, 3)):
        topics = next(iter(members.values())).topics if same else frozenset(rng.sample(sorted(counts), 1))
        later[f"n{rng.randint(0, 10**6)}-{number}"] = MemberSpec(topics)
    return later, counts


@pytest.mark.parametrize("seed", range(200))
def test_uniform_among_equals_is_balanced_and_moves_as_little_as_can_be(seed: int) -> None:
    rng = random.Random(seed)
    members, counts = random_group(rng, mixed=False)
    for _ in range(8):
        result = assign_uniformly(members, counts)

        require_exact_cover(members, counts, result)
        loads = [load(assignment) for assignment in result.values()]
        assert max(loads) - min(loads) <= 1
        assert kept(members, result) == most_that_can_be_kept(members, counts)
        again = {m: member._replace(current=result[m]) for m, member in members.items()}
        assert assign_uniformly(again, counts) == result
        members, counts = changed(rng, members, counts, result)


@pytest.mark.parametrize("seed", range(200))
def test_uniform_among_mixed_subscribers_levels_every_topic(seed: int) -> None:
    rng = random.Random(seed)
    members, counts = random_group(rng, mixed=True)
    for _ in range(8):
        result = assign_uniformly(members, counts)

        require_exact_cover(members, counts, result)
        loads = {member_id: load(assignment) for member_id, assignment in result.items()}
        for giver, assignment in result.items():
            for topic in assignment:
                least = min(loads[taker] for taker, member in members.items() if topic in member.topics)
                assert loads[giver] - least <= 1, "one move would make it more level"
        again = {m: member._replace(current=result[m]) for m, member in members.items()}
        assert assign_uniformly(again, counts) == result, "what is level stays"
        members, counts = changed(rng, members, counts, result)


@pytest.mark.parametrize("seed", range(200))
def test_ranges_are_those_of_the_model(seed: int) -> None:
    rng = random.Random(seed)
    members, counts = random_group(rng, mixed=bool(seed % 2))
    result = assign_ranges(members, counts)

    require_exact_cover(members, counts, result)
    static = sorted((member.instance_id, m) for m, member in members.items() if member.instance_id is not None)
    order = [m for _, m in static] + sorted(m for m, member in members.items() if member.instance_id is None)
    for topic in {topic for member in members.values() for topic in member.topics}:
        share: Counter[str] = Counter()
        subscribers = [m for m in order if topic in members[m].topics]
        for partition in range(counts[topic]):
            share[subscribers[partition % len(subscribers)]] += 1
        begin = 0
        for member_id in subscribers:
            expected = tuple(range(begin, begin + share[member_id]))
            assert result[member_id].get(topic, ()) == expected
            begin += share[member_id]


def test_range_puts_equal_partitions_of_equal_topics_together() -> None:
    both = frozenset((A, B))
    result = assign_ranges({"m1": MemberSpec(both), "m0": MemberSpec(both)}, {A: 3, B: 3})

    assert result == {"m0": {A: (0, 1), B: (0, 1)}, "m1": {A: (2,), B: (2,)}}


def test_range_knows_a_static_member_under_another_id() -> None:
    topics = frozenset((A,))
    before = assign_ranges({"x": MemberSpec(topics, {}, "i0"), "y": MemberSpec(topics, {}, "i1")}, {A: 3})
    after = assign_ranges({"z": MemberSpec(topics, {}, "i0"), "a": MemberSpec(topics, {}, "i1")}, {A: 3})

    assert (after["z"], after["a"]) == (before["x"], before["y"])


def test_uniform_deals_topics_in_runs() -> None:
    both = frozenset((A, B))
    result = assign_uniformly({"m0": MemberSpec(both), "m1": MemberSpec(both)}, {A: 3, B: 3})

    assert result == {"m0": {A: (0, 1, 2)}, "m1": {B: (0, 1, 2)}}


def test_a_topic_that_is_gone_is_given_up() -> None:
    for name in ASSIGNORS:
        result = assign(name, {"m": MemberSpec(frozenset((A,)), {A: (0,), C: (0, 1)})}, {A: 2})
        assert result == {"m": {A: (0, 1)}}


def test_nobody_gets_nothing() -> None:
    for name in ASSIGNORS:
        assert assign(name, {}, {}) == {}
        assert assign(name, {"m": MemberSpec(frozenset())}, {}) == {"m": {}}


@pytest.mark.parametrize("name", ASSIGNORS)
@pytest.mark.parametrize("seed", range(50))
def test_what_comes_out_does_not_depend_on_where_it_was_cut(name: str, seed: int) -> None:
    members, counts = random_group(random.Random(seed), mixed=bool(seed % 2))

    result: dict[str, Assignment] = {}

    def cut() -> Iterator[None]:
        result.update((yield from ASSIGNORS[name](members, counts, Pace(1))))

    assert len(list(cut())) >= len(members)
    assert result == assign(name, members, counts)


@pytest.mark.parametrize("count", [0, 1, RUN, RUN + 1, 5 * RUN + 7])
def test_in_order_is_sorted(count: int) -> None:
    rng = random.Random(count)
    items = [(rng.randint(0, 9), str(rng.random())) for _ in range(count)]

    assert finish(in_order(items, Pace())) == sorted(items)
