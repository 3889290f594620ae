"""Heartbeat (12), v0-4: a member of a classic group is there; the answer says whether it has to join again.

v3 static members · v4 flexible. Needs Read on the group: GROUP_AUTHORIZATION_FAILED. While the group is loaded the
answer is NONE, as in Kafka: what is not known is no reason to rebalance.
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.clients import client_of
from ottla.api.context import RequestContext
from ottla.api.group_access import may
from ottla.api.pending import Pending
from ottla.coordinator.machine import CoordinatorError, Reply
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k12_heartbeat import HeartbeatRequest, HeartbeatResponse

__all__ = ["heartbeat"]


def heartbeat(
    request: HeartbeatRequest, context: RequestContext, broker: Broker
) -> HeartbeatResponse | Pending[HeartbeatResponse]:
    """See the module."""
    if not may(context, Operation.READ, request.group_id):
        return HeartbeatResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    client, version = client_of(context), context.api_version
    reply: Reply[HeartbeatResponse] = broker.groups.begin(
        request.group_id, lambda shard, outbox, reply: shard.heartbeat(request, client, version, reply, outbox)
    )
    return Pending(reply, _failed)


def _failed(error: CoordinatorError) -> HeartbeatResponse:
    is_loading = error.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    return HeartbeatResponse(error_code=ErrorCode.NONE if is_loading else error.code)
