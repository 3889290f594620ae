"""Members go: by themselves, by silence, or because somebody takes them out. The records of it, not applied yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ottla.coordinator.machine import Record
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.member import LEAVE_FOR_A_WHILE, Member
from ottla.groups.consumer.records import (
    current_record,
    epoch_record,
    no_regex,
    removal_records,
    target_epoch_record,
)
from ottla.groups.consumer.topics import TopicHashes

__all__ = ["away_record", "fencing_records"]


def fencing_records(group: ConsumerGroup, members: Sequence[Member], hashes: TopicHashes) -> list[Record]:
    """The group without some of its members: a new epoch, for which there is no target yet."""
    group_id = group.group_id
    records: list[Record] = []
    for member in members:
        records += removal_records(group_id, member.member_id)
    gone = group.expressions_of(members)
    records += (no_regex(group_id, expression) for expression in gone)
    epoch = group.epoch + 1
    records.append(epoch_record(group_id, epoch, hashes.of_group(group.topics_with(members, gone=gone))))
    if len(members) == len(group.members):
        # Whoever comes next gets a target at once.
        records.append(target_epoch_record(group_id, epoch, 0))
    return records


def away_record(group: ConsumerGroup, member: Member) -> Record:
    """A static member goes for a while: it keeps what it has, and whoever returns may commit to all of it."""
    assigned = {topic_id: dict.fromkeys(epochs, 0) for topic_id, epochs in member.assigned.items()}
    away = replace(member, epoch=LEAVE_FOR_A_WHILE, assigned=assigned, revoking={})
    return current_record(group.group_id, away)
