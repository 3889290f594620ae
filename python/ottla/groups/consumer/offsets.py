"""Consumer groups as their offsets see them (``OffsetGroup``)."""

from __future__ import annotations

from typing import final

from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.groups.consumer.checks import unknown_member
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.member import Member
from ottla.groups.offsets.group import Committer, ExpiryBase, PartitionRule, Since

__all__ = ["ConsumerOffsets"]

COMMITS_WITH_EPOCH_FROM = 9


@final
class ConsumerOffsets:
    """One consumer group. Kafka: the offset methods of ``ConsumerGroup``."""

    __slots__ = ("_group",)

    def __init__(self, group: ConsumerGroup) -> None:
        self._group = group

    def check_offset_commit(self, committer: Committer) -> PartitionRule | None:
        group, epoch = self._group, committer.generation_or_epoch
        if epoch < 0 and not group.members:
            # The admin client, or one that assigns partitions to itself.
            return None
        if committer.is_transactional and epoch == -1 and not committer.member_id and committer.instance_id is None:
            # A producer of before KIP-447.
            return None
        member = group.members.get(committer.member_id)
        if member is None:
            raise unknown_member(committer.member_id, group.group_id)
        if not committer.is_transactional and member.classic is None and committer.version < COMMITS_WITH_EPOCH_FROM:
            raise CoordinatorError(
                ErrorCode.UNSUPPORTED_VERSION,
                "OffsetCommit version 9 or above must be used by members using the consumer group protocol",
            )
        if epoch == member.epoch:
            return None
        if epoch > member.epoch:
            kind = "member epoch" if member.classic is None else "generation id"
            raise CoordinatorError(
                _stale(member), f"Received {kind} {epoch} is newer than current member epoch {member.epoch}."
            )
        return lambda _topic, topic_id, partition: _may_commit(member, epoch, topic_id, partition)

    def check_offset_fetch(self, member_id: str | None, member_epoch: int) -> None:
        if member_id is None and member_epoch < 0:
            return
        member = self._group.members.get(member_id or "")
        if member is None:
            raise unknown_member(member_id or "", self._group.group_id)
        if member.epoch != member_epoch:
            kind = "member epoch" if member.classic is None else "generation id"
            raise CoordinatorError(
                _stale(member),
                f"The received {kind} {member_epoch} does not match the expected member epoch {member.epoch}.",
            )

    def check_offset_delete(self) -> None:
        """What nobody reads may go."""

    def offset_committed(self, member_id: str, at_ms: int) -> None:
        """A commit is no heartbeat here."""

    def is_subscribed(self, topic: str) -> bool:
        return topic in self._group.topics

    def offset_expiry_base(self) -> ExpiryBase:
        return Since.COMMIT


def _stale(member: Member) -> ErrorCode:
    return ErrorCode.STALE_MEMBER_EPOCH if member.classic is None else ErrorCode.ILLEGAL_GENERATION


def _may_commit(member: Member, epoch: int, topic_id: bytes, partition: int) -> ErrorCode:
    """A late commit counts for what the member has had ever since."""
    since = member.assignment_epoch(topic_id, partition)
    return ErrorCode.NONE if since is not None and epoch >= since else _stale(member)
