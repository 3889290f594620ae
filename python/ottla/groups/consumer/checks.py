"""What a heartbeat has to be, and who may send it: the errors of ConsumerGroupHeartbeat, in Kafka's order and words.

Prior art: Kafka's ``GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid`` and the ``throwIf…`` of
``GroupMetadataManager``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.member import LEAVE, LEAVE_FOR_A_WHILE, Member
from ottla.groups.consumer.reconcile import Held
from ottla.wire.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest

__all__ = [
    "require_epoch",
    "require_known",
    "require_not_fenced",
    "require_released",
    "require_room",
    "require_valid",
    "unknown_member",
]


def require_valid(request: ConsumerGroupHeartbeatRequest, version: int, assignors: Sequence[str]) -> None:
    """Is the request in itself one that can be? Raises CoordinatorError: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR."""
    if version >= 1 or request.member_epoch > 0 or request.member_epoch == LEAVE:
        _require_text(request.member_id, "MemberId")
    _require_text(request.group_id, "GroupId")
    _require_text(request.instance_id, "InstanceId")
    _require_text(request.rack_id, "RackId")
    if request.member_epoch == 0:
        if request.rebalance_timeout_ms == -1:
            raise _invalid("RebalanceTimeoutMs must be provided in first request.")
        if request.topic_partitions is None or request.topic_partitions:
            raise _invalid("TopicPartitions must be empty when (re-)joining.")
        if request.subscribed_topic_names is None and request.subscribed_topic_regex is None:
            raise _invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
    elif request.member_epoch == LEAVE_FOR_A_WHILE:
        if request.instance_id is None:
            raise _invalid("InstanceId can't be null.")
    elif request.member_epoch < LEAVE_FOR_A_WHILE:
        raise _invalid("MemberEpoch is invalid.")
    if request.server_assignor is not None and request.server_assignor not in assignors:
        raise CoordinatorError(
            ErrorCode.UNSUPPORTED_ASSIGNOR,
            f"ServerAssignor {request.server_assignor} is not supported. Supported assignors: {', '.join(assignors)}.",
        )


def _require_text(value: str | None, name: str) -> None:
    if value is not None and not value.strip():
        raise _invalid(f"{name} can't be empty.")


def _invalid(message: str) -> CoordinatorError:
    return CoordinatorError(ErrorCode.INVALID_REQUEST, message)


def require_room(group: ConsumerGroup, member_id: str, instance_id: str | None, members_max: int) -> None:
    """Raises CoordinatorError GROUP_MAX_SIZE_REACHED when the member would be one too many."""
    if len(group.members) < members_max or (instance_id is not None and instance_id in group.static):
        return
    if not member_id or member_id not in group.members:
        raise CoordinatorError(
            ErrorCode.GROUP_MAX_SIZE_REACHED,
            f"The consumer group has reached its maximum capacity of {members_max} members.",
        )


def unknown_member(member_id: str, group_id: str) -> CoordinatorError:
    """The error for a member that is not there."""
    return CoordinatorError(ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id} is not a member of group {group_id}.")


def require_epoch(member: Member, epoch: int, held: Held) -> None:
    """Is this what the member was told last, or did it miss just that? 0 always is: it begins again. Raises
    CoordinatorError FENCED_MEMBER_EPOCH."""
    if epoch in (0, member.epoch):
        return
    comparison = "greater" if epoch > member.epoch else "smaller"
    if epoch < member.epoch and epoch == member.previous_epoch and _is_within(held, member):
        return
    raise CoordinatorError(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"The consumer group member has a {comparison} member epoch ({epoch}) than the one known by the group "
        f"coordinator ({member.epoch}). The member must abandon all its partitions and rejoin.",
    )


def _is_within(held: Held, member: Member) -> bool:
    if held is None:
        return False
    return all(
        topic_id in member.assigned and partitions <= member.assigned[topic_id].keys()
        for topic_id, partitions in held.items()
    )


def require_known(member: Member | None, instance_id: str) -> Member:
    """Raises CoordinatorError UNKNOWN_MEMBER_ID when nobody has the instance id."""
    if member is None:
        raise CoordinatorError(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
    return member


def require_not_fenced(member: Member, member_id: str, instance_id: str) -> None:
    """Raises CoordinatorError FENCED_INSTANCE_ID when the instance id is another member's."""
    if member.member_id != member_id:
        raise CoordinatorError(
            ErrorCode.FENCED_INSTANCE_ID,
            f"Static member {member_id} with instance id {instance_id} was fenced by member {member.member_id}.",
        )


def require_released(member: Member, member_id: str, instance_id: str) -> None:
    """Raises CoordinatorError UNRELEASED_INSTANCE_ID while whoever has the instance id has not gone for a while."""
    if member.epoch != LEAVE_FOR_A_WHILE:
        raise CoordinatorError(
            ErrorCode.UNRELEASED_INSTANCE_ID,
            f"Static member {member_id} with instance id {instance_id} cannot join the group because the instance id "
            f"is owned by {member.member_id} member.",
        )
