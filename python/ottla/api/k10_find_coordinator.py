"""FindCoordinator (10), v0-6: which broker coordinates a group or a transactional id.

v1 key types · v3 flexible · v4 many keys (KIP-699) · v6 share groups (KIP-932).
A missing internal topic is created; the answer waits for that, bounded, and is COORDINATOR_NOT_AVAILABLE when the time
is over or the topic cannot be made, where Kafka says so at once and lets the client ask again. Nobody coordinates
share groups here: COORDINATOR_NOT_AVAILABLE. Without Describe on the group
GROUP_AUTHORIZATION_FAILED, and likewise for the others.
"""

from __future__ import annotations

import enum
from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.creation import create_topics_asked_for
from ottla.api.endpoints import leader_on, reachable
from ottla.errors import ErrorCode
from ottla.groups.coordinator import GROUP_TOPIC
from ottla.ids import uuid_from_text
from ottla.security.authorizer import Operation, Resource, ResourceType
from ottla.transactions.coordinator import TRANSACTION_TOPIC
from ottla.wire.k10_find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.schema import replace

__all__ = ["find_coordinator"]

MANY_KEYS_SINCE: Final = 4
SHARE_SINCE: Final = 6


class KeyType(enum.IntEnum):
    """``CoordinatorType``"""

    GROUP = 0
    TRANSACTION = 1
    SHARE = 2


async def find_coordinator(
    request: FindCoordinatorRequest, context: RequestContext, broker: Broker
) -> FindCoordinatorResponse:
    """See the module."""
    many = context.api_version >= MANY_KEYS_SINCE
    keys = request.coordinator_keys if many else (request.key,)
    found = [await _find(request.key_type, key, context, broker) for key in keys]
    if many:
        known = request.key_type in _KINDS
        return FindCoordinatorResponse(
            coordinators=tuple(found if known else (replace(one, error_message=_MALFORMED) for one in found))
        )
    (one,) = found
    return FindCoordinatorResponse(
        error_code=one.error_code,
        error_message=_WORDS[ErrorCode(one.error_code)],
        node_id=one.node_id,
        host=one.host,
        port=one.port,
    )


_MALFORMED: Final = (
    "This most likely occurs because of a request being malformed by the client library or the message was sent to an "
    "incompatible broker. See the broker logs for more details."
)
_KINDS: Final = frozenset(KeyType)
_WORDS: Final = {
    ErrorCode.NONE: "NONE",
    ErrorCode.INVALID_REQUEST: _MALFORMED,
    ErrorCode.COORDINATOR_NOT_AVAILABLE: "The coordinator is not available.",
    ErrorCode.GROUP_AUTHORIZATION_FAILED: "Group authorization failed.",
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "Transactional Id authorization failed.",
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "Cluster authorization failed.",
}


async def _find(key_type: int, key: str, context: RequestContext, broker: Broker) -> Coordinator:
    refusal = _refusal(key_type, key, context)
    if refusal is not ErrorCode.NONE:
        return _nobody(key, refusal)
    if key_type == KeyType.SHARE:
        return _nobody(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    of_group = key_type == KeyType.GROUP
    name = GROUP_TOPIC if of_group else TRANSACTION_TOPIC
    if name not in broker.metadata.image.topics.id_of:
        await create_topics_asked_for([name], broker)
    image = broker.metadata.image
    topic = image.topics.named(name)
    if topic is None:
        return _nobody(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    partition_of = broker.groups.partition_of if of_group else broker.transactions.partition_of
    partition = topic.partitions[partition_of(key)]
    leader, error = leader_on(image, partition, context, broker)
    node = None if error is not ErrorCode.NONE else reachable(image.brokers[leader], context, broker)
    if node is None:
        return _nobody(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    return Coordinator(key=key, node_id=node.broker_id, host=node.host, port=node.port)


def _refusal(key_type: int, key: str, context: RequestContext) -> ErrorCode:
    if key_type == KeyType.GROUP:
        allowed = context.authorize(Operation.DESCRIBE, Resource(ResourceType.GROUP, key))
        return ErrorCode.NONE if allowed else ErrorCode.GROUP_AUTHORIZATION_FAILED
    if key_type == KeyType.TRANSACTION:
        allowed = context.authorize(Operation.DESCRIBE, Resource(ResourceType.TRANSACTIONAL_ID, key))
        return ErrorCode.NONE if allowed else ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    if key_type != KeyType.SHARE or context.api_version < SHARE_SINCE:
        return ErrorCode.INVALID_REQUEST
    if not context.authorize(Operation.CLUSTER_ACTION):
        return ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    return ErrorCode.NONE if _is_share_key(key) else ErrorCode.INVALID_REQUEST


def _is_share_key(key: str) -> bool:
    """``SharePartitionKey.validate``: group, topic id, partition."""
    parts = key.split(":")
    if len(parts) != 3 or not parts[0].strip():
        return False
    try:
        uuid_from_text(parts[1])
    except ValueError:
        return False
    return parts[2].removeprefix("-").isdecimal()


def _nobody(key: str, code: ErrorCode) -> Coordinator:
    return Coordinator(key=key, node_id=-1, host="", port=-1, error_code=code)
