"""What classic consumers say inside the classic protocol: subscriptions and assignments in the embedded protocol
``consumer``, with its version in front.

Prior art: Kafka's ``ConsumerProtocol``. A version that is newer than ours is read as ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from ottla.groups.consumer.member import Owned
from ottla.groups.consumer.topics import Topics
from ottla.records.consumer_protocol import (
    AssignmentTopicPartition,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)
from ottla.wire.codec import decode_prefix, encode

__all__ = ["PROTOCOL_TYPE", "ids_of_partitions", "read_assignment", "read_subscription", "write_assignment"]

_T = TypeVar("_T")

PROTOCOL_TYPE: Final = "consumer"
VERSION_MAX: Final = 3
VERSION_BYTES: Final = 2


def read_subscription(metadata: bytes) -> ConsumerProtocolSubscription:
    """Raises ValueError for what is none."""
    return _read(ConsumerProtocolSubscription, metadata)


def read_assignment(assignment: bytes) -> ConsumerProtocolAssignment:
    """Raises ValueError for what is none. Nothing at all is an assignment of nothing."""
    return _read(ConsumerProtocolAssignment, assignment) if assignment else ConsumerProtocolAssignment()


def _read(kind: type[_T], data: bytes) -> _T:
    return decode_prefix(kind, _version(data), data, VERSION_BYTES)[0]


def _version(data: bytes) -> int:
    if len(data) < VERSION_BYTES:
        raise ValueError("Buffer underflow while parsing consumer protocol's header")
    version = int.from_bytes(data[:VERSION_BYTES], signed=True)
    if version < 0:
        raise ValueError(f"Unsupported subscription version: {version}")
    return min(version, VERSION_MAX)


def write_assignment(assigned: Mapping[bytes, Iterable[int]] | Owned, topics: Topics, metadata: bytes) -> bytes:
    """An assignment in the version in which a member wrote its subscription; topics that are gone are left out. Raises
    ValueError when the subscription is none."""
    version = _version(metadata)
    partitions = []
    for topic_id, some in assigned.items():
        topic = topics.with_id(topic_id)
        if topic is not None:
            partitions.append(AssignmentTopicPartition(topic=topic.name, partitions=tuple(sorted(some))))
    partitions.sort(key=lambda each: each.topic)
    message = ConsumerProtocolAssignment(assigned_partitions=tuple(partitions))
    return version.to_bytes(VERSION_BYTES, signed=True) + encode(message, version)


def ids_of_partitions(named: Iterable[tuple[str, Iterable[int]]], topics: Topics) -> dict[bytes, frozenset[int]]:
    """By topic id; topics that are gone are left out."""
    found: dict[bytes, frozenset[int]] = {}
    for name, partitions in named:
        topic = topics.named(name)
        if topic is not None:
            found[topic.topic_id] = found.get(topic.topic_id, frozenset()).union(partitions)
    return found
