"""DescribeGroups (15), v0-6: classic groups with their members.

v3 what the caller may do · v4 static members · v5 flexible · v6 an unknown group is GROUP_ID_NOT_FOUND, before it is
shown as Dead (KIP-1043). Needs Describe on each group: GROUP_AUTHORIZATION_FAILED; those come first.
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import group_operations, may
from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k15_describe_groups import DescribedGroup, DescribeGroupsRequest, DescribeGroupsResponse
from ottla.wire.schema import replace

__all__ = ["describe_groups"]


async def describe_groups(
    request: DescribeGroupsRequest, context: RequestContext, broker: Broker
) -> DescribeGroupsResponse:
    """See the module."""
    version = context.api_version
    allowed = [group_id for group_id in request.groups if may(context, Operation.DESCRIBE, group_id)]
    groups = [
        DescribedGroup(group_id=group_id, error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
        for group_id in request.groups
        if group_id not in allowed
    ]
    answers = await broker.groups.ask_each(
        allowed, str, lambda group_id, shard, outbox, reply: shard.describe_group(group_id, version, reply, outbox)
    )
    for group_id, answer in zip(allowed, answers, strict=True):
        if isinstance(answer, CoordinatorError):
            groups.append(DescribedGroup(group_id=group_id, error_code=answer.code))
        elif request.include_authorized_operations and answer.error_code == ErrorCode.NONE:
            groups.append(replace(answer, authorized_operations=group_operations(context, group_id)))
        else:
            groups.append(answer)
    return DescribeGroupsResponse(groups=tuple(groups))
