"""ConsumerGroupDescribe (69), v0-1: consumer groups of the new protocol with their members (KIP-848).

v1 kinds of members (KIP-1099).
Every group is UNSUPPORTED_VERSION while the protocol is off. Needs Describe on each group: GROUP_AUTHORIZATION_FAILED;
and on all topics that its members have or want: TOPIC_AUTHORIZATION_FAILED, without members.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import consumer_protocol_enabled, group_operations, may
from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k69_consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
)
from ottla.wire.schema import replace

__all__ = ["consumer_group_describe"]

HIDDEN: Final = "The group has described topic(s) that the client is not authorized to describe."


async def consumer_group_describe(
    request: ConsumerGroupDescribeRequest, context: RequestContext, broker: Broker
) -> ConsumerGroupDescribeResponse:
    """See the module."""
    if not consumer_protocol_enabled(broker):
        return ConsumerGroupDescribeResponse(
            groups=tuple(
                DescribedGroup(group_id=group_id, error_code=ErrorCode.UNSUPPORTED_VERSION)
                for group_id in request.group_ids
            )
        )
    allowed = [group_id for group_id in request.group_ids if may(context, Operation.DESCRIBE, group_id)]
    groups = [
        DescribedGroup(group_id=group_id, error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
        for group_id in request.group_ids
        if group_id not in allowed
    ]
    answers: list[DescribedGroup | CoordinatorError] = await broker.groups.ask_each(
        allowed, str, lambda group_id, shard, outbox, reply: shard.describe_consumer_group(group_id, reply, outbox)
    )
    for group_id, answer in zip(allowed, answers, strict=True):
        if isinstance(answer, CoordinatorError):
            groups.append(DescribedGroup(group_id=group_id, error_code=answer.code, error_message=answer.message))
            continue
        if answer.error_code == ErrorCode.NONE and request.include_authorized_operations:
            answer = replace(answer, authorized_operations=group_operations(context, group_id))
        if not all(context.authorize_topic(Operation.DESCRIBE, topic) for topic in set(_topics(answer))):
            answer = replace(answer, error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, error_message=HIDDEN, members=())
        groups.append(answer)
    return ConsumerGroupDescribeResponse(groups=tuple(groups))


def _topics(group: DescribedGroup) -> Iterator[str]:
    for member in group.members:
        yield from member.subscribed_topic_names
        for assignment in (member.assignment, member.target_assignment):
            yield from (topic.topic_name for topic in assignment.topic_partitions)
