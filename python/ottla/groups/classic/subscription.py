"""What the members of a group of consumers subscribe to: the one thing that the broker reads of their metadata.

Prior art: Kafka's ``ClassicGroup.computeSubscribedTopics``. Version 0 is a prefix of every later version, so it is read
whatever version is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ottla.records.consumer_protocol import ConsumerProtocolSubscription
from ottla.wire.codec import decode_prefix

__all__ = ["CONSUMER", "subscribed_topics"]

CONSUMER: Final = "consumer"
"""The protocol type of consumers; others are opaque."""
VERSION_BYTES: Final = 2


def subscribed_topics(protocol_type: str | None, subscriptions: Iterable[bytes | None]) -> frozenset[str] | None:
    """All topics of all members; None when the group is of another type or one of them cannot be read."""
    if protocol_type != CONSUMER:
        return None
    topics: set[str] = set()
    for subscription in subscriptions:
        read = _topics(subscription)
        if read is None:
            return None
        topics.update(read)
    return frozenset(topics)


def _topics(subscription: bytes | None) -> tuple[str, ...] | None:
    if subscription is None or int.from_bytes(subscription[:VERSION_BYTES], signed=True) < 0:
        return None
    try:
        return decode_prefix(ConsumerProtocolSubscription, 0, subscription, VERSION_BYTES)[0].topics
    except ValueError:
        return None
