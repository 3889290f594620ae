"""JoinGroup (11), v0-9: a member of a classic group wants to be in its next generation.

v1 rebalance timeout · v4 the member id comes first (KIP-394) · v5 static members (KIP-345) · v6 flexible · v7 protocol
type (KIP-559) · v8 reason (KIP-800) · v9 a leader may have nothing to assign (KIP-814).
The answer waits until the join phase ends. Needs Read on the group: GROUP_AUTHORIZATION_FAILED. What else is refused is
decided by ``groups.classic``, or by ``groups.consumer`` for a classic member of a consumer group.
"""

from __future__ import annotations

from typing import Final

from ottla.api.broker import Broker
from ottla.api.clients import client_of
from ottla.api.context import RequestContext
from ottla.api.group_access import may
from ottla.api.pending import Pending
from ottla.coordinator.machine import Reply
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupResponse

__all__ = ["join_group"]

NULL_PROTOCOL_SINCE: Final = 7


def join_group(
    request: JoinGroupRequest, context: RequestContext, broker: Broker
) -> JoinGroupResponse | Pending[JoinGroupResponse]:
    """See the module."""
    version = context.api_version
    if not may(context, Operation.READ, request.group_id):
        protocol = None if version >= NULL_PROTOCOL_SINCE else ""
        return JoinGroupResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED, protocol_name=protocol)
    client = client_of(context)
    reply: Reply[JoinGroupResponse] = broker.groups.begin(
        request.group_id, lambda shard, outbox, reply: shard.join_group(request, client, version, reply, outbox)
    )
    return Pending(reply, lambda error: JoinGroupResponse(error_code=error.code, member_id=request.member_id))
