"""What handlers of group APIs ask first: may the caller, and which topics are there."""

from __future__ import annotations

from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.metadata.image import Image
from ottla.security.authorizer import Operation, Resource, ResourceType

__all__ = ["GROUP_OPERATIONS", "consumer_protocol_enabled", "group_operations", "has_partition", "may"]

GROUP_OPERATIONS: Final = (
    Operation.READ,
    Operation.DELETE,
    Operation.DESCRIBE,
    Operation.DESCRIBE_CONFIGS,
    Operation.ALTER_CONFIGS,
)
"""Operations that exist for groups (``AclEntry.supportedOperations``)."""


def may(context: RequestContext, operation: Operation, group_id: str) -> bool:
    """May the caller do this to the group?"""
    return context.authorize(operation, Resource(ResourceType.GROUP, group_id))


def group_operations(context: RequestContext, group_id: str) -> int:
    """The bit field of what the caller may do to the group."""
    return context.operations(GROUP_OPERATIONS, Resource(ResourceType.GROUP, group_id))


def has_partition(image: Image, topic: str, partition: int) -> bool:
    """Is there such a partition?"""
    found = image.topics.named(topic)
    return found is not None and 0 <= partition < len(found.partitions)


def consumer_protocol_enabled(broker: Broker) -> bool:
    """Is the new protocol of consumer groups on (KIP-848)?"""
    level = broker.metadata.image.features.get("group.version", 0)
    return level >= 1 and "consumer" in broker.configs.current.words("group.coordinator.rebalance.protocols")
