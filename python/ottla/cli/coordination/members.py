"""What a coordinator says of a group and its members, whichever protocol they speak.

Nobody says beforehand which protocol a group has. So the newer question is asked first, and the older where the answer
is that there is no such group.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, final

from ottla.cli import output
from ottla.cli.client import refusal
from ottla.cli.coordination.coordinator import Groups, TopicPartition, by_topic
from ottla.cli.errors import CommandError
from ottla.errors import ErrorCode
from ottla.records.consumer_protocol import ConsumerProtocolAssignment
from ottla.wire.codec import WireError, decode_prefix
from ottla.wire.k15_describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from ottla.wire.k16_list_groups import ListedGroup
from ottla.wire.k69_consumer_group_describe import ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse
from ottla.wire.schema import schema_of

__all__ = ["Group", "Member", "describe", "facts", "has_members", "of_other_type", "shown"]


@final
class Member(NamedTuple):
    id: str
    instance_id: str | None
    client_id: str
    host: str
    epoch: int | None
    """None for a member of a classic group, which has only the group's generation."""
    assigned: tuple[TopicPartition, ...]


@final
class Group(NamedTuple):
    id: str
    type: str
    state: str
    epoch: int | None
    assignor: str
    """Or the protocol that a classic group has chosen."""
    coordinator: int
    members: tuple[Member, ...] | None
    """None for a group whose members cannot be asked for: one of share or streams members."""


def describe(groups: Groups, group_id: str) -> Group | None:
    """The group; None when there is none. Raises `UnreachableError`, `CommandError`."""
    found = _consumer(groups, group_id)
    return _classic(groups, group_id) if found is None else found


_ABSENT: Final = (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNSUPPORTED_VERSION)


def _consumer(groups: Groups, group_id: str) -> Group | None:
    try:
        groups.version(group_id, ConsumerGroupDescribeRequest)
    except CommandError:
        # A broker from before that protocol.
        return None
    request = ConsumerGroupDescribeRequest(group_ids=(group_id,))
    response: ConsumerGroupDescribeResponse = groups.ask(group_id, request, lambda r: r.groups[0].error_code, _ABSENT)
    group = response.groups[0]
    if group.error_code != ErrorCode.NONE:
        return None
    members = tuple(
        Member(
            member.member_id,
            member.instance_id,
            member.client_id,
            member.client_host,
            member.member_epoch,
            tuple(
                TopicPartition(topic.topic_name, index)
                for topic in member.assignment.topic_partitions
                for index in topic.partitions
            ),
        )
        for member in group.members
    )
    coordinator = groups.coordinator(group_id)
    return Group(group_id, "consumer", group.group_state, group.group_epoch, group.assignor_name, coordinator, members)


def _classic(groups: Groups, group_id: str) -> Group | None:
    request = DescribeGroupsRequest(groups=(group_id,))
    response: DescribeGroupsResponse = groups.ask(group_id, request, lambda r: r.groups[0].error_code, _ABSENT)
    group = response.groups[0]
    if group.error_code == ErrorCode.UNSUPPORTED_VERSION:
        raise refusal(f"group {group_id}", group.error_code, group.error_message)
    if group.error_code != ErrorCode.NONE or group.group_state == "Dead":
        return None
    members = tuple(
        Member(
            member.member_id,
            member.group_instance_id,
            member.client_id,
            member.client_host,
            None,
            _assigned(member.member_assignment) if group.protocol_type == "consumer" else (),
        )
        for member in group.members
    )
    coordinator = groups.coordinator(group_id)
    return Group(group_id, "classic", group.group_state, None, group.protocol_data, coordinator, members)


def of_other_type(groups: Groups, listed: ListedGroup) -> Group:
    """A share or streams group."""
    coordinator = groups.coordinator(listed.group_id)
    return Group(listed.group_id, listed.group_type or "?", listed.group_state, None, "", coordinator, None)


def _assigned(data: bytes) -> tuple[TopicPartition, ...]:
    """What a classic member is assigned; nothing where that cannot be read, since it is its leader's to write."""
    newest = schema_of(ConsumerProtocolAssignment).valid[-1]
    try:
        version = min(int.from_bytes(data[:2], signed=True), newest)
        found, _ = decode_prefix(ConsumerProtocolAssignment, max(version, 0), data, 2)
    except WireError:
        return ()
    return tuple(
        TopicPartition(topic.topic, index) for topic in found.assigned_partitions for index in topic.partitions
    )


def has_members(name: str) -> CommandError:
    """What is said when something is asked for that members would not notice."""
    return CommandError(
        f"group {name} has members, which go on where they are",
        f"stop them first; ottla groups describe {name} shows who they are",
    )


def shown(group: Group) -> str:
    """For people."""
    head = f"{group.id}  type {group.type}  state {group.state}"
    head += f"  epoch {group.epoch}" if group.epoch is not None else ""
    head += f"  assignor {group.assignor}" if group.assignor else ""
    head += f"  coordinator {group.coordinator}\n"
    if group.members is None:
        return f"{head}  members of such groups are not shown here\n"
    if not group.members:
        return f"{head}  no members\n"
    rows = [
        (
            member.id,
            member.instance_id,
            member.client_id or None,
            member.host,
            member.epoch,
            _partitions(member.assigned) or None,
        )
        for member in group.members
    ]
    return head + output.table(("MEMBER", "INSTANCE", "CLIENT", "HOST", "EPOCH", "ASSIGNED"), rows)


def _partitions(assigned: Iterable[TopicPartition]) -> str:
    """`orders:0-2,5 teas:0`."""
    return " ".join(f"{topic}:{_ranges(indexes)}" for topic, indexes in by_topic(assigned).items())


def _ranges(indexes: list[int]) -> str:
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def facts(group: Group) -> dict[str, Any]:
    """For programs."""
    return {
        "group": group.id,
        "type": group.type,
        "state": group.state,
        "epoch": group.epoch,
        "assignor": group.assignor or None,
        "coordinator": group.coordinator,
        "members": None
        if group.members is None
        else [
            {
                "member": member.id,
                "instance": member.instance_id,
                "client": member.client_id,
                "host": member.host,
                "epoch": member.epoch,
                "assigned": [{"topic": topic, "partition": partition} for topic, partition in member.assigned],
            }
            for member in group.members
        ],
    }
