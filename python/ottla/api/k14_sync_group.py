"""SyncGroup (14), v0-5: the leader of a classic group brings the assignment, every member fetches its own.

v3 static members · v4 flexible · v5 names the protocol (KIP-559).
The answer waits for the leader's. A request that does not name what its version has to is INCONSISTENT_GROUP_PROTOCOL;
without Read on the group GROUP_AUTHORIZATION_FAILED.
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
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupResponse

__all__ = ["sync_group"]

PROTOCOL_SINCE: Final = 5


def sync_group(
    request: SyncGroupRequest, context: RequestContext, broker: Broker
) -> SyncGroupResponse | Pending[SyncGroupResponse]:
    """See the module."""
    version = context.api_version
    if version >= PROTOCOL_SINCE and (request.protocol_type is None or request.protocol_name is None):
        return SyncGroupResponse(error_code=ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    if not may(context, Operation.READ, request.group_id):
        return SyncGroupResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    client = client_of(context)
    reply: Reply[SyncGroupResponse] = broker.groups.begin(
        request.group_id, lambda shard, outbox, reply: shard.sync_group(request, client, version, reply, outbox)
    )
    return Pending(reply, lambda error: SyncGroupResponse(error_code=error.code))
