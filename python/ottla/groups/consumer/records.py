"""The records of consumer groups, in Kafka's form."""

from __future__ import annotations

from collections.abc import Iterable

from ottla.coordinator.machine import Record
from ottla.groups.assignors.spec import Assignment
from ottla.groups.consumer.member import Member
from ottla.groups.consumer.regex import Resolved
from ottla.records.consumer_offsets import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
    TopicPartition,
)

__all__ = [
    "current_record",
    "epoch_record",
    "group_tombstones",
    "member_record",
    "no_partition_metadata",
    "no_regex",
    "regex_record",
    "removal_records",
    "target_epoch_record",
    "target_record",
]


def member_record(group_id: str, member: Member) -> Record:
    """What a member says of itself."""
    return Record(ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member.member_id), member.metadata())


def current_record(group_id: str, member: Member) -> Record:
    """Where a member is."""
    key = ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member.member_id)
    return Record(key, member.current())


def target_record(group_id: str, member_id: str, target: Assignment) -> Record:
    """What a member should have."""
    value = ConsumerGroupTargetAssignmentMemberValue(
        topic_partitions=tuple(
            TopicPartition(topic_id=topic_id, partitions=partitions) for topic_id, partitions in target.items()
        )
    )
    return Record(ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), value)


def target_epoch_record(group_id: str, epoch: int, timestamp_ms: int) -> Record:
    """For which group epoch the target is, and when it was made (milliseconds since 1970; 0 for at no time)."""
    value = ConsumerGroupTargetAssignmentMetadataValue(assignment_epoch=epoch, assignment_timestamp=timestamp_ms)
    return Record(ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), value)


def epoch_record(group_id: str, epoch: int, metadata_hash: int) -> Record:
    """The epoch of the group, and its topics as they were then."""
    value = ConsumerGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash)
    return Record(ConsumerGroupMetadataKey(group_id=group_id), value)


def regex_record(group_id: str, expression: str, resolved: Resolved) -> Record:
    """What an expression matched."""
    value = ConsumerGroupRegularExpressionValue(
        topics=tuple(sorted(resolved.topics)), version=resolved.version, timestamp=resolved.timestamp_ms
    )
    return Record(ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=expression), value)


def no_regex(group_id: str, expression: str) -> Record:
    """Nobody subscribes with it any more."""
    return Record(ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=expression), None)


def no_partition_metadata(group_id: str) -> Record:
    """Ends a record that Kafka 4.0 wrote, before there was the hash."""
    return Record(ConsumerGroupPartitionMetadataKey(group_id=group_id), None)


def removal_records(group_id: str, member_id: str) -> tuple[Record, Record, Record]:
    """A member goes."""
    return (
        Record(ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id), None),
        Record(ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None),
        Record(ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None),
    )


def group_tombstones(group_id: str, member_ids: Iterable[str], expressions: Iterable[str]) -> list[Record]:
    """The group goes, and all its members."""
    gone = [removal_records(group_id, member_id) for member_id in member_ids]
    return [
        *(current for current, _, _ in gone),
        *(target for _, target, _ in gone),
        Record(ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id), None),
        *(metadata for _, _, metadata in gone),
        *(no_regex(group_id, expression) for expression in expressions),
        no_partition_metadata(group_id),
        Record(ConsumerGroupMetadataKey(group_id=group_id), None),
    ]
