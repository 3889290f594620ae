"""A consumer group as ConsumerGroupDescribe shows it; what the caller may do and see is added by who knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ottla.groups.assignors.spec import NOTHING
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.member import Member
from ottla.groups.consumer.topics import Topics
from ottla.wire.k69_consumer_group_describe import Assignment, DescribedGroup, TopicPartitions
from ottla.wire.k69_consumer_group_describe import Member as DescribedMember

__all__ = ["describe"]

CLASSIC_MEMBER: Final = 0
CONSUMER_MEMBER: Final = 1


def describe(group: ConsumerGroup, topics: Topics, default_assignor: str) -> DescribedGroup:
    """O(members + partitions)."""
    return DescribedGroup(
        group_id=group.group_id,
        group_state=group.state.value,
        group_epoch=group.epoch,
        assignment_epoch=group.assignment_epoch,
        assignor_name=group.preferred_assignor() or default_assignor,
        members=tuple(_describe(group, member, topics) for member in group.members.values()),
    )


def _describe(group: ConsumerGroup, member: Member, topics: Topics) -> DescribedMember:
    held = {topic_id: tuple(epochs) for topic_id, epochs in member.assigned.items()}
    for topic_id, epochs in member.revoking.items():
        held[topic_id] = (*held.get(topic_id, ()), *epochs)
    return DescribedMember(
        member_id=member.member_id,
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        member_epoch=member.epoch,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=member.topic_names,
        subscribed_topic_regex=member.topic_regex,
        assignment=_assignment(held, topics),
        target_assignment=_assignment(group.target.get(member.member_id, NOTHING), topics),
        member_type=CONSUMER_MEMBER if member.classic is None else CLASSIC_MEMBER,
    )


def _assignment(partitions: Mapping[bytes, Iterable[int]], topics: Topics) -> Assignment:
    found = []
    for topic_id, some in partitions.items():
        topic = topics.with_id(topic_id)
        if topic is not None:
            found.append(TopicPartitions(topic_id=topic_id, topic_name=topic.name, partitions=tuple(sorted(some))))
    return Assignment(topic_partitions=tuple(found))
