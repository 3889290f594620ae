"""What committed offsets ask of the groups they belong to.

Prior art: Kafka's ``Group`` interface, whose offset methods every kind of group implements beside thirty others. Ours
is the part that offsets need. Classic and consumer groups implement ``OffsetGroup``; whoever holds the groups of a
partition implements ``Groups``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, TypeAlias, final

from ottla.coordinator.machine import Outbox
from ottla.errors import ErrorCode

__all__ = ["Committer", "ExpiryBase", "Groups", "OffsetGroup", "PartitionRule", "Since"]


@final
class Committer(NamedTuple):
    """Who says it commits."""

    member_id: str
    instance_id: str | None
    generation_or_epoch: int
    """Of a classic group the generation, of a consumer group the member's epoch; negative for no member."""
    version: int
    """Of the request: some errors have another code before its version 9."""
    is_transactional: bool
    """TxnOffsetCommit: a classic group's state is not looked at, and anonymous ones may commit."""


PartitionRule: TypeAlias = Callable[[str, bytes, int], ErrorCode]
"""Of topic, topic id (zero when not known) and partition: NONE, or why this member may not commit it."""


@final
class Since(enum.Enum):
    """From when on the retention of a group's offsets counts, where that is no point in time."""

    NEVER = enum.auto()
    """They do not expire as the group is now."""
    COMMIT = enum.auto()
    """From the commit of each."""


ExpiryBase: TypeAlias = Since | int
"""Or the time, in milliseconds since 1970, from which all offsets of the group age: when it became empty."""


class OffsetGroup(Protocol):
    """One group, as its offsets see it."""

    def check_offset_commit(self, committer: Committer) -> PartitionRule | None:
        """May it commit? None: every partition. A rule: where that depends on the partition. Raises CoordinatorError
        with the code for the whole request."""

    def check_offset_fetch(self, member_id: str | None, member_epoch: int) -> None:
        """May it read? None and -1: nobody in particular asks. Raises CoordinatorError; GROUP_ID_NOT_FOUND means that
        the group is none that has offsets, and is answered like a group that does not exist."""

    def check_offset_delete(self) -> None:
        """May offsets be deleted one by one? Raises CoordinatorError: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND."""

    def offset_committed(self, member_id: str, at_ms: int) -> None:
        """A member has committed, ``at_ms`` on the monotonic clock: where commits count as heartbeats, it was there."""

    def is_subscribed(self, topic: str) -> bool:
        """Does a member read this topic, or may one, for all that is known? Such offsets neither expire nor may they
        be deleted."""

    def offset_expiry_base(self) -> ExpiryBase:
        """From when on offsets age."""


class Groups(Protocol):
    """The groups of one partition of ``__consumer_offsets``."""

    def find(self, group_id: str) -> OffsetGroup | None:
        """The group, unless there is none."""

    def names(self) -> Iterable[str]:
        """The ids of all groups; may change as soon as another method is called."""

    def make_simple(self, group_id: str) -> None:
        """Offsets were applied for a group: unless there is one of that id, it is one without members and protocol
        type, until a record of the group says otherwise. Called within ``apply``; emits nothing."""

    def delete_if_empty(self, group_id: str, outbox: Outbox) -> None:
        """The group has no offsets, and no transaction is about to give it some: it goes, unless it has members."""
