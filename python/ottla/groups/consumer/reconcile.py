"""The way of one member to its target: what it gives up first, what it gets then, what it waits for.

Prior art: Kafka's ``CurrentAssignmentBuilder``. A pure function; the group's records are not looked at.

Invariants: nothing is added before everything that has to go was given up; nothing is added that another member has;
a member's epoch becomes the target's when it has nothing left to give up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.groups.assignors.spec import Assignment
from ottla.groups.consumer.member import Member, MemberState, Owned

__all__ = ["Held", "Target", "reconcile"]

Held: TypeAlias = Mapping[bytes, frozenset[int]] | None
"""What the client says it has, by topic id; None when it does not say."""


class Target(NamedTuple):
    """What a member should come to."""

    epoch: int
    assignment: Assignment
    topic_ids: frozenset[bytes]
    """What it subscribes to now. Of other topics it gets nothing, whatever an older target says."""


def reconcile(
    member: Member,
    target: Target,
    held: Held,
    owners: Callable[[bytes], Mapping[int, str]],
    subscription_changed: bool,
) -> Member:
    """The member one step further, or as it is. ``owners``: who has which partition of a topic, or has not given it up
    yet. Raises CoordinatorError FENCED_MEMBER_EPOCH for one whose state nobody
    understands and that has partitions."""
    if member.state is MemberState.STABLE and member.epoch == target.epoch:
        return _unsubscribe(member, target, held) if subscription_changed else member
    if member.state is MemberState.UNREVOKED_PARTITIONS and _holds(held, member.revoking):
        return _unsubscribe(member, target, held) if subscription_changed else member
    if member.state is MemberState.UNKNOWN and (held is None or any(held.values())):
        raise CoordinatorError(
            ErrorCode.FENCED_MEMBER_EPOCH,
            "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.",
        )
    return _next(member, target, held, owners)


def _holds(held: Held, partitions: Owned) -> bool:
    """May the client have some of these? Whoever does not say may."""
    if held is None:
        return True
    return any(not some.isdisjoint(partitions.get(topic_id, ())) for topic_id, some in held.items())


def _next(member: Member, target: Target, held: Held, owners: Callable[[bytes], Mapping[int, str]]) -> Member:
    assigned: dict[bytes, dict[int, int]] = {}
    revoking: dict[bytes, dict[int, int]] = {}
    adding: dict[bytes, list[int]] = {}
    waits = False
    for topic_id in {**target.assignment, **member.assigned}:
        wanted = set(target.assignment.get(topic_id, ())) if topic_id in target.topic_ids else set()
        has = member.assigned.get(topic_id, {})
        stays = {partition: epoch for partition, epoch in has.items() if partition in wanted}
        goes = {partition: epoch for partition, epoch in has.items() if partition not in wanted}
        if stays:
            assigned[topic_id] = stays
        if goes:
            revoking[topic_id] = goes
        missing = sorted(wanted - stays.keys())
        known = owners(topic_id)
        # What it is giving up itself is free for it: one member has a partition at a time.
        free = [partition for partition in missing if known.get(partition, member.member_id) == member.member_id]
        waits = waits or len(free) < len(missing)
        if free:
            adding[topic_id] = free
    if revoking and _holds(held, revoking):
        return _moved(member, member.epoch, MemberState.UNREVOKED_PARTITIONS, assigned, revoking)
    for topic_id, free in adding.items():
        assigned.setdefault(topic_id, {}).update(dict.fromkeys(free, target.epoch))
    state = MemberState.UNRELEASED_PARTITIONS if waits else MemberState.STABLE
    return _moved(member, target.epoch, state, _ascending(assigned), {})


def _unsubscribe(member: Member, target: Target, held: Held) -> Member:
    """There is no new target yet: only what is no longer subscribed to goes."""
    gone = {topic_id: epochs for topic_id, epochs in member.assigned.items() if topic_id not in target.topic_ids}
    if not gone:
        return member
    assigned = {topic_id: epochs for topic_id, epochs in member.assigned.items() if topic_id not in gone}
    revoking = {topic_id: dict(epochs) for topic_id, epochs in member.revoking.items()}
    for topic_id, epochs in gone.items():
        revoking.setdefault(topic_id, {}).update(epochs)
    if _holds(held, revoking):
        return _moved(member, member.epoch, MemberState.UNREVOKED_PARTITIONS, assigned, revoking)
    return _moved(member, member.epoch, member.state, assigned, member.revoking)


def _moved(member: Member, epoch: int, state: MemberState, assigned: Owned, revoking: Owned) -> Member:
    moved = replace(member, epoch=epoch, previous_epoch=member.epoch, state=state, assigned=assigned, revoking=revoking)
    return member if moved == member else moved


def _ascending(owned: dict[bytes, dict[int, int]]) -> dict[bytes, dict[int, int]]:
    return {topic_id: dict(sorted(epochs.items())) for topic_id, epochs in sorted(owned.items())}
