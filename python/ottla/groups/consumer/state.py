"""What the log says of consumer groups: the one place where records change them.

Invariant: ``subscribers`` names a group under each topic that its members name or its expressions match.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import final

from ottla.coordinator.machine import Record
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.regex import Resolved
from ottla.groups.standing import Standings
from ottla.records.consumer_offsets import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
)

__all__ = ["ConsumerState", "apply_to"]


@final
class ConsumerState:
    """Groups by id."""

    __slots__ = ("_standings", "groups", "subscribers")

    def __init__(self, standings: Standings) -> None:
        self._standings = standings
        self.groups: dict[str, ConsumerGroup] = {}
        self.subscribers: dict[str, set[str]] = {}
        """Group ids by topic name; of topics that are not there too."""

    def apply(self, record: Record) -> None:
        """Takes the records of types 3 to 8 and 16."""
        key, value = record
        group_id: str = key.group_id  # type: ignore[attr-defined]  # all these keys have one
        self._standings.disturbed(group_id)
        group = self.groups.get(group_id)
        if group is None:
            if value is None:
                # What a compacted log keeps of a group that is gone.
                return
            group = self.groups[group_id] = ConsumerGroup(group_id, self._subscribed)
        if isinstance(key, ConsumerGroupMetadataKey) and value is None:
            del self.groups[group_id]
            group.forget()
        else:
            apply_to(group, record)

    def stale(self, topics: Collection[str]) -> None:
        """These topics changed: their groups look at them with the next heartbeat."""
        for name in topics:
            for group_id in self.subscribers.get(name, ()):
                self._standings.disturbed(group_id)
                self.groups[group_id].is_fresh = False

    def _subscribed(self, group_id: str, topic: str, is_subscribed: bool) -> None:
        if is_subscribed:
            self.subscribers.setdefault(topic, set()).add(group_id)
            return
        group_ids = self.subscribers[topic]
        group_ids.remove(group_id)
        if not group_ids:
            del self.subscribers[topic]


def apply_to(group: ConsumerGroup, record: Record) -> None:
    """Changes one group, but for its end."""
    key, value = record
    match key:
        case ConsumerGroupMetadataKey():
            assert isinstance(value, ConsumerGroupMetadataValue)
            group.epoch = value.epoch
            group.metadata_hash = value.metadata_hash
        case ConsumerGroupPartitionMetadataKey():
            group.has_partition_metadata = value is not None
        case ConsumerGroupMemberMetadataKey():
            assert value is None or isinstance(value, ConsumerGroupMemberMetadataValue)
            group.apply_member(key.member_id, value)
        case ConsumerGroupCurrentMemberAssignmentKey():
            assert value is None or isinstance(value, ConsumerGroupCurrentMemberAssignmentValue)
            group.apply_current(key.member_id, value)
        case ConsumerGroupTargetAssignmentMetadataKey():
            assert value is None or isinstance(value, ConsumerGroupTargetAssignmentMetadataValue)
            group.assignment_epoch = 0 if value is None else value.assignment_epoch
            group.assigned_at_ms = 0 if value is None else value.assignment_timestamp
        case ConsumerGroupTargetAssignmentMemberKey():
            assert value is None or isinstance(value, ConsumerGroupTargetAssignmentMemberValue)
            group.apply_target(key.member_id, value)
        case ConsumerGroupRegularExpressionKey():
            assert value is None or isinstance(value, ConsumerGroupRegularExpressionValue)
            resolved = None if value is None else Resolved(frozenset(value.topics), value.version, value.timestamp)
            group.apply_regex(key.regular_expression, resolved)
        case _:
            raise AssertionError(f"not a record of a consumer group: {key}")
