"""ConsumerGroupHeartbeat (68), v0-1: join, stay in, and leave a consumer group of the new protocol (KIP-848).

v1 regular expressions, member ids made by clients (KIP-1082).
UNSUPPORTED_VERSION while the protocol is off (feature ``group.version`` 0, or not among
``group.coordinator.rebalance.protocols``). Needs Read on the group: GROUP_AUTHORIZATION_FAILED; and Describe on every
topic that is subscribed to by name: TOPIC_AUTHORIZATION_FAILED. The rest is decided by ``groups.consumer``.
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.clients import client_of
from ottla.api.context import RequestContext
from ottla.api.group_access import consumer_protocol_enabled, may
from ottla.api.pending import Pending
from ottla.coordinator.machine import Reply
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse

__all__ = ["consumer_group_heartbeat"]


def consumer_group_heartbeat(
    request: ConsumerGroupHeartbeatRequest, context: RequestContext, broker: Broker
) -> ConsumerGroupHeartbeatResponse | Pending[ConsumerGroupHeartbeatResponse]:
    """See the module."""
    refusal = _refusal(request, context, broker)
    if refusal is not ErrorCode.NONE:
        return ConsumerGroupHeartbeatResponse(error_code=refusal)
    client, version = client_of(context), context.api_version

    def may_describe(topic: str) -> bool:
        return context.authorize_topic(Operation.DESCRIBE, topic)

    reply: Reply[ConsumerGroupHeartbeatResponse] = broker.groups.begin(
        request.group_id,
        lambda shard, outbox, reply: shard.consumer_heartbeat(request, client, version, may_describe, reply, outbox),
    )
    return Pending(
        reply, lambda error: ConsumerGroupHeartbeatResponse(error_code=error.code, error_message=error.message)
    )


def _refusal(request: ConsumerGroupHeartbeatRequest, context: RequestContext, broker: Broker) -> ErrorCode:
    if not consumer_protocol_enabled(broker):
        return ErrorCode.UNSUPPORTED_VERSION
    if not may(context, Operation.READ, request.group_id):
        return ErrorCode.GROUP_AUTHORIZATION_FAILED
    if not all(context.authorize_topic(Operation.DESCRIBE, name) for name in request.subscribed_topic_names or ()):
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    return ErrorCode.NONE
