"""What an assignor is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from ottla.groups.assignors.steps import Pace, Steps

__all__ = ["NOTHING", "Assignment", "Assignor", "MemberSpec", "PartitionCounts", "Subscribers", "ascending"]

Assignment: TypeAlias = Mapping[bytes, tuple[int, ...]]
"""Partitions by topic id, in ascending order; no topic without partitions. Never changed once made."""

NOTHING: Final[Assignment] = {}

PartitionCounts: TypeAlias = Mapping[bytes, int]
"""How many partitions each topic has, by topic id."""


class MemberSpec(NamedTuple):
    """A member, as far as assignors care."""

    topics: frozenset[bytes]
    """Topic ids it subscribes to; each has a partition count."""
    current: Assignment = NOTHING
    """What the last target gave it; no two members have a partition in common."""
    instance_id: str | None = None
    """Of a static member."""


Subscribers: TypeAlias = Mapping[str, MemberSpec]
"""By member id."""

Assignor: TypeAlias = Callable[[Subscribers, PartitionCounts, Pace], Steps[dict[str, Assignment]]]
"""Gives every partition of every topic that somebody subscribes to, to one of its subscribers. Every member is in the
result. What it is given does not change meanwhile."""


def ascending(partitions: Mapping[bytes, Sequence[int]]) -> Assignment:
    """An assignment in its normal form."""
    return {topic: tuple(sorted(some)) for topic, some in partitions.items() if some}
