"""One member of a consumer group, as its records say: nothing of it is known that is not in the log.

Prior art: Kafka's ``ConsumerGroupMember``. Values never change; a change makes another member, which becomes the
group's when its records are applied.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, final

from ottla.records.consumer_offsets import (
    ClassicMemberMetadata,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataValue,
    ConsumerTopicPartitions,
)

__all__ = ["LEAVE", "LEAVE_FOR_A_WHILE", "Member", "MemberState", "Owned"]

LEAVE: Final = -1
"""The epoch that says goodbye."""
LEAVE_FOR_A_WHILE: Final = -2
"""The epoch with which a static member goes and keeps its place."""

Owned: TypeAlias = Mapping[bytes, Mapping[int, int]]
"""The member epoch in which each partition was assigned, by topic id and partition."""


class MemberState(enum.IntEnum):
    """How far a member is on its way to the target; the value is the stored one."""

    STABLE = 0
    UNREVOKED_PARTITIONS = 1
    """It was told to give partitions up, and has not said that it did."""
    UNRELEASED_PARTITIONS = 2
    """It waits for partitions that others have not given up."""
    UNKNOWN = 127
    """Written by a release that knows more."""

    @classmethod
    def _missing_(cls, value: object) -> MemberState:
        return cls.UNKNOWN


@final
@dataclass(slots=True, frozen=True)
class Member:
    """A member. What a record of its metadata says, and what one of its current assignment says."""

    member_id: str
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topic_names: tuple[str, ...] = ()
    """Sorted, each once."""
    topic_regex: str | None = ""
    """None and empty mean none."""
    rebalance_timeout_ms: int = -1
    assignor: str | None = None
    classic: ClassicMemberMetadata | None = None
    """Set while it speaks the classic protocol."""

    epoch: int = 0
    previous_epoch: int = -1
    state: MemberState = MemberState.STABLE
    assigned: Owned = field(default_factory=dict)
    revoking: Owned = field(default_factory=dict)
    """No longer assigned, and not yet given up."""

    def is_reconciled(self, target_epoch: int) -> bool:
        """Does it have what the target of that epoch gives it?"""
        return self.state is MemberState.STABLE and self.epoch == target_epoch

    def assignment_epoch(self, topic_id: bytes, partition: int) -> int | None:
        """Since which member epoch it may commit offsets of a partition; None when it may not."""
        epoch = self.assigned.get(topic_id, {}).get(partition)
        return self.revoking.get(topic_id, {}).get(partition) if epoch is None else epoch

    def metadata(self) -> ConsumerGroupMemberMetadataValue:
        """As it is stored."""
        return ConsumerGroupMemberMetadataValue(
            instance_id=self.instance_id,
            rack_id=self.rack_id,
            client_id=self.client_id,
            client_host=self.client_host,
            subscribed_topic_names=self.topic_names,
            subscribed_topic_regex=self.topic_regex,
            rebalance_timeout_ms=self.rebalance_timeout_ms,
            server_assignor=self.assignor,
            classic_member_metadata=self.classic,
        )

    def with_metadata(self, value: ConsumerGroupMemberMetadataValue) -> Member:
        """The member as a record says."""
        # Not ``replace``, which takes nearly twice as long: this is what a load is made of.
        return Member(
            member_id=self.member_id,
            instance_id=value.instance_id,
            rack_id=value.rack_id,
            client_id=value.client_id,
            client_host=value.client_host,
            topic_names=tuple(sorted(set(value.subscribed_topic_names))),
            topic_regex=value.subscribed_topic_regex,
            rebalance_timeout_ms=value.rebalance_timeout_ms,
            assignor=value.server_assignor,
            classic=value.classic_member_metadata,
            epoch=self.epoch,
            previous_epoch=self.previous_epoch,
            state=self.state,
            assigned=self.assigned,
            revoking=self.revoking,
        )

    def current(self) -> ConsumerGroupCurrentMemberAssignmentValue:
        """Where it is, as it is stored."""
        return ConsumerGroupCurrentMemberAssignmentValue(
            member_epoch=self.epoch,
            previous_member_epoch=self.previous_epoch,
            state=self.state,
            assigned_partitions=_stored(self.assigned),
            partitions_pending_revocation=_stored(self.revoking),
        )

    def with_current(self, value: ConsumerGroupCurrentMemberAssignmentValue) -> Member:
        """The member where a record says it is."""
        return Member(
            member_id=self.member_id,
            instance_id=self.instance_id,
            rack_id=self.rack_id,
            client_id=self.client_id,
            client_host=self.client_host,
            topic_names=self.topic_names,
            topic_regex=self.topic_regex,
            rebalance_timeout_ms=self.rebalance_timeout_ms,
            assignor=self.assignor,
            classic=self.classic,
            epoch=value.member_epoch,
            previous_epoch=value.previous_member_epoch,
            state=MemberState(value.state),
            assigned=_owned(value.assigned_partitions, value.member_epoch),
            revoking=_owned(value.partitions_pending_revocation, value.member_epoch),
        )

    def without_current(self) -> Member:
        """As somebody who has nothing and is on the way out."""
        return replace(self, epoch=LEAVE, previous_epoch=LEAVE, state=MemberState.STABLE, assigned={}, revoking={})


def _stored(owned: Owned) -> tuple[ConsumerTopicPartitions, ...]:
    return tuple(
        ConsumerTopicPartitions(topic_id=topic_id, partitions=tuple(epochs), assignment_epochs=tuple(epochs.values()))
        for topic_id, epochs in owned.items()
    )


def _owned(stored: tuple[ConsumerTopicPartitions, ...], member_epoch: int) -> dict[bytes, dict[int, int]]:
    owned: dict[bytes, dict[int, int]] = {}
    for topic in stored:
        epochs = topic.assignment_epochs
        if epochs is None or len(epochs) != len(topic.partitions):
            # Before Kafka 4.2 nobody wrote them: since the member's present epoch, for all that is known.
            epochs = (member_epoch,) * len(topic.partitions)
        owned[topic.topic_id] = dict(zip(topic.partitions, epochs, strict=True))
    return owned
