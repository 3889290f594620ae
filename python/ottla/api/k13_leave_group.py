"""LeaveGroup (13), v0-5: members leave a classic group.

v3 many members, by member or instance id, each with its result (KIP-345) · v4 flexible · v5 reason (KIP-800).
Needs Read on the group: GROUP_AUTHORIZATION_FAILED.
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.clients import client_of
from ottla.api.context import RequestContext
from ottla.api.group_access import may
from ottla.api.pending import Pending
from ottla.coordinator.machine import Reply
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse

__all__ = ["leave_group"]


def leave_group(
    request: LeaveGroupRequest, context: RequestContext, broker: Broker
) -> LeaveGroupResponse | Pending[LeaveGroupResponse]:
    """See the module."""
    if not may(context, Operation.READ, request.group_id):
        return LeaveGroupResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    client, version = client_of(context), context.api_version
    reply: Reply[LeaveGroupResponse] = broker.groups.begin(
        request.group_id, lambda shard, outbox, reply: shard.leave_group(request, client, version, reply, outbox)
    )
    return Pending(reply, lambda error: LeaveGroupResponse(error_code=error.code))
