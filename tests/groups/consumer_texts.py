"""Answers and records as the text of ``consumer_scripts``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from ottla.coordinator.machine import CoordinatorError, Record
from ottla.errors import ErrorCode
from ottla.groups.consumer.embedded import read_assignment
from ottla.groups.consumer.member import MemberState
from ottla.records import consumer_offsets as r
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
)
from ottla.wire.k11_join_group import JoinGroupResponse
from ottla.wire.k13_leave_group import LeaveGroupResponse
from ottla.wire.k14_sync_group import SyncGroupResponse
from ottla.wire.k15_describe_groups import DescribedGroup as ClassicDescribed
from ottla.wire.k68_consumer_group_heartbeat import (
    ConsumerGroupHeartbeatResponse,
)
from ottla.wire.k69_consumer_group_describe import DescribedGroup
from tests.groups.consumer_requests import (
    Ask,
    Names,
    Remembered,
    by_name,
    partitions_text,
    topic_name,
)
from tests.support.offset_scripts import messages

HEARTBEAT_INTERVAL_MS: Final = 5_000


# Answers.


def answer_text(ask: Ask, answer: Any, names: Names, topics: Any) -> str:
    known = names.client(ask.client)
    match answer:
        case CoordinatorError() if isinstance(ask.request, OffsetCommitRequest):
            return "OffsetCommit " + " ".join(
                f"{topic.name}-{p.partition_index}={answer.code.name}"
                for topic in ask.request.topics
                for p in topic.partitions
            )
        case CoordinatorError():
            message = "" if answer.message is None else f": {names.in_text(answer.message)}"
            return f"{answer.code.name}{message}"
        case ConsumerGroupHeartbeatResponse():
            return _heartbeat_text(ask, answer, known, names, topics)
        case JoinGroupResponse():
            return _join_text(ask, answer, known, names)
        case SyncGroupResponse():
            code = ErrorCode(answer.error_code)
            if code is not ErrorCode.NONE:
                return f"SyncGroup {code.name}"
            return f"SyncGroup {_embedded(answer.assignment)}"
        case LeaveGroupResponse():
            who = " ".join(
                f"{'/'.join(filter(None, (names.name(m.member_id), m.group_instance_id)))}="
                f"{ErrorCode(m.error_code).name}"
                for m in answer.members
            )
            return f"LeaveGroup {who or ErrorCode(answer.error_code).name}"
        case OffsetCommitResponse():
            return "OffsetCommit " + " ".join(
                f"{topic.name if ask.version < 10 else topic_name(topic.topic_id, topics)}-{p.partition_index}="
                f"{ErrorCode(p.error_code).name}"
                for topic in answer.topics
                for p in topic.partitions
            )
        case DescribedGroup():
            return "\n".join(_described(answer, names, topics))
        case ClassicDescribed():
            return "\n".join(_classic_described(answer, names))
        case list():
            listed = sorted(f"{g.group_id}={g.group_type}/{g.group_state}" for g in answer)
            return "ListGroups " + (" ".join(listed) or "none")
        case ErrorCode():
            return f"DeleteGroups {answer.name}"
        case _ if hasattr(answer, "error_code"):
            return f"{type(answer).__name__.removesuffix('Response')} {ErrorCode(answer.error_code).name}"
    raise AssertionError(answer)


def _heartbeat_text(
    ask: Ask, answer: ConsumerGroupHeartbeatResponse, known: Remembered, names: Names, topics: Any
) -> str:
    if answer.error_code:
        message = "" if answer.error_message is None else f": {names.in_text(answer.error_message)}"
        return f"{ErrorCode(answer.error_code).name}{message}"
    known.member_id, known.epoch = answer.member_id or "", answer.member_epoch
    name = names.name(known.member_id, ask.client)
    text = f"epoch={answer.member_epoch}" if name == ask.client else f"member={name} epoch={answer.member_epoch}"
    if answer.heartbeat_interval_ms not in (0, HEARTBEAT_INTERVAL_MS):
        text += f" interval={answer.heartbeat_interval_ms}"
    if answer.assignment is not None:
        text += f" assignment={partitions_text(by_name(answer.assignment.topic_partitions, topics))}"
    return text


def _join_text(ask: Ask, answer: JoinGroupResponse, known: Remembered, names: Names) -> str:
    code = ErrorCode(answer.error_code)
    text = "JoinGroup" if code is ErrorCode.NONE else f"JoinGroup {code.name}"
    if answer.member_id:
        known.member_id = answer.member_id
        text += f" member={names.name(answer.member_id, ask.client)}"
    if code is not ErrorCode.NONE:
        return text
    known.epoch = answer.generation_id
    text += f" generation={answer.generation_id}"
    if ask.version >= 7:
        text += f" type={answer.protocol_type}"
    text += f" protocol={answer.protocol_name}"
    if answer.leader:
        text += f" leads={'yes' if answer.leader == answer.member_id else 'no'}"
    if answer.members:
        text += f" members={len(answer.members)}"
    return text


def _embedded(assignment: bytes) -> str:
    try:
        read = read_assignment(assignment)
    except ValueError:
        return f"«{assignment.decode()}»"
    return partitions_text({topic.topic: topic.partitions for topic in read.assigned_partitions})


def _described(group: DescribedGroup, names: Names, topics: Any) -> Iterator[str]:
    if group.error_code:
        message = f": {group.error_message}" if group.error_message else ""
        yield f"{group.group_id}: {ErrorCode(group.error_code).name}{message}"
        return
    yield (
        f"{group.group_id}: {group.group_state} epoch={group.group_epoch} assignment={group.assignment_epoch} "
        f"assignor={group.assignor_name}"
    )
    for member in sorted(group.members, key=lambda member: names.name(member.member_id)):
        words = {
            "instance": member.instance_id,
            "rack": member.rack_id,
            "epoch": str(member.member_epoch),
            "client": f"{member.client_id}{member.client_host}",
            "topics": ",".join(sorted(member.subscribed_topic_names)),
            "regex": member.subscribed_topic_regex,
            "has": partitions_text(by_name(member.assignment.topic_partitions, topics)),
            "target": partitions_text(by_name(member.target_assignment.topic_partitions, topics)),
            "type": {0: "classic", 1: "consumer"}.get(member.member_type),
        }
        yield f"    {names.name(member.member_id)} " + " ".join(f"{k}={v}" for k, v in words.items() if v)


def _classic_described(group: ClassicDescribed, names: Names) -> Iterator[str]:
    message = f": {group.error_message}" if group.error_message else ""
    if group.error_code:
        yield f"{group.group_id}: {ErrorCode(group.error_code).name}{message}"
        return
    yield f"{group.group_id}: {group.group_state} type={group.protocol_type} protocol={group.protocol_data}"
    for member in sorted(group.members, key=lambda member: names.name(member.member_id)):
        instance = f"/{member.group_instance_id}" if member.group_instance_id else ""
        yield f"    {names.name(member.member_id)}{instance} {_embedded(member.member_assignment)}"


# Records.


def record_text(record: Record, names: Names, topics: Any, wall_ms: int) -> str:
    key: Any
    value: Any
    key, value = messages(record) if isinstance(record.key, bytes) else record
    group_id = getattr(key, "group_id", None) or getattr(key, "group", "?")
    head = "record:" if group_id == "g" else f"record of {group_id}:"
    kind = type(key).__name__.removeprefix("ConsumerGroup").removesuffix("Key")
    member = f" {names.name(key.member_id)}" if hasattr(key, "member_id") else ""
    if isinstance(key, r.ConsumerGroupRegularExpressionKey):
        member = f" {key.regular_expression}"
    if value is None:
        return f"{head} {kind}{member} deleted"
    return f"{head} {kind}{member} " + " ".join(
        f"{name}={word}"
        for name, word in _record_words(value, names, topics, wall_ms).items()
        if word not in ("", None)
    )


def _record_words(value: Any, names: Names, topics: Any, wall_ms: int) -> dict[str, Any]:
    match value:
        case r.ConsumerGroupMetadataValue():
            return {"epoch": value.epoch, "hash": "none" if value.metadata_hash == 0 else "some"}
        case r.ConsumerGroupMemberMetadataValue():
            return {
                "topics": ",".join(value.subscribed_topic_names),
                "regex": value.subscribed_topic_regex,
                "instance": value.instance_id,
                "rack": value.rack_id,
                "client": value.client_id,
                "timeout": value.rebalance_timeout_ms,
                "assignor": value.server_assignor,
                "classic": value.classic_member_metadata
                and ",".join(p.name for p in value.classic_member_metadata.supported_protocols),
            }
        case r.ConsumerGroupTargetAssignmentMetadataValue():
            at_ms = value.assignment_timestamp
            return {"epoch": value.assignment_epoch, "at": at_ms - wall_ms if at_ms else "never"}
        case r.ConsumerGroupTargetAssignmentMemberValue():
            return {"has": partitions_text(by_name(value.topic_partitions, topics))}
        case r.ConsumerGroupCurrentMemberAssignmentValue():
            return {
                "epoch": f"{value.member_epoch}({value.previous_member_epoch})",
                "state": MemberState(value.state).name,
                "has": _with_epochs(value.assigned_partitions, topics),
                "revoking": _with_epochs(value.partitions_pending_revocation, topics),
            }
        case r.ConsumerGroupRegularExpressionValue():
            return {
                "topics": ",".join(value.topics) or "none",
                "version": value.version,
                "at": value.timestamp - wall_ms,
            }
        case r.GroupMetadataValue():
            return {
                "generation": value.generation,
                "type": value.protocol_type,
                "protocol": value.protocol,
                "leader": value.leader and names.name(value.leader),
                "members": ",".join(f"{names.name(m.member_id)}[{_embedded(m.assignment)}]" for m in value.members),
            }
        case r.OffsetCommitValue():
            return {"offset": value.offset}
    raise AssertionError(value)


def _with_epochs(partitions: Iterable[Any], topics: Any) -> str:
    """``t:0-1@3`` for partitions since epoch 3."""
    by_epoch: dict[int, dict[str, list[int]]] = {}
    for topic in partitions:
        for partition, epoch in zip(topic.partitions, topic.assignment_epochs, strict=True):
            by_epoch.setdefault(epoch, {}).setdefault(topic_name(topic.topic_id, topics), []).append(partition)
    return "+".join(f"{partitions_text(some)}@{epoch}" for epoch, some in sorted(by_epoch.items()))
