"""Classic groups as their offsets see them (``OffsetGroup``)."""

from __future__ import annotations

from typing import final

from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.groups.classic.group import ClassicGroup
from ottla.groups.classic.groups import ClassicGroups
from ottla.groups.classic.state import State
from ottla.groups.offsets.group import Committer, ExpiryBase, PartitionRule, Since

__all__ = ["ClassicOffsets"]

CONSUMER = "consumer"


@final
class ClassicOffsets:
    """One classic group. Kafka: the offset methods of ``ClassicGroup``."""

    __slots__ = ("_group", "_groups")

    def __init__(self, groups: ClassicGroups, group: ClassicGroup) -> None:
        self._groups = groups
        self._group = group

    def check_offset_commit(self, committer: Committer) -> PartitionRule | None:
        _require(
            self._group.validate_commit(
                committer.member_id,
                committer.instance_id,
                committer.generation_or_epoch,
                committer.is_transactional,
                committer.version,
            )
        )
        return None

    def check_offset_fetch(self, member_id: str | None, member_epoch: int) -> None:
        if self._group.state is State.DEAD:
            raise CoordinatorError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {self._group.group_id} is in dead state.")

    def check_offset_delete(self) -> None:
        _require(self._group.validate_offset_delete())

    def offset_committed(self, member_id: str, at_ms: int) -> None:
        self._groups.committed(self._group, member_id, at_ms)

    def is_subscribed(self, topic: str) -> bool:
        return self._group.is_subscribed_to(topic)

    def offset_expiry_base(self) -> ExpiryBase:
        group = self._group
        if group.protocol_type is None:
            return Since.COMMIT
        if group.is_empty:
            return Since.COMMIT if group.state_since_ms is None else group.state_since_ms
        known = group.protocol_type == CONSUMER and group.subscribed_topics is not None
        return Since.COMMIT if known and group.state is State.STABLE else Since.NEVER


def _require(code: ErrorCode) -> None:
    if code is not ErrorCode.NONE:
        raise CoordinatorError(code)
