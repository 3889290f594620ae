"""OffsetDelete (47): forget the offsets that a group has committed for some partitions.

v0 never flexible (KIP-496). A partition of a topic still subscribed to answers GROUP_SUBSCRIBED_TO_TOPIC.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Name, String, message, struct


@struct
class OffsetDeleteRequestPartition:
    partition_index: int = Int32("0+")


@struct
class OffsetDeleteRequestTopic:
    name: str = Name("0+")
    partitions: tuple[OffsetDeleteRequestPartition, ...] = Array(OffsetDeleteRequestPartition, "0+")


@message(api_key=47, valid="0", listeners="broker")
class OffsetDeleteRequest:
    group_id: str = String("0+")
    topics: tuple[OffsetDeleteRequestTopic, ...] = Array(OffsetDeleteRequestTopic, "0+")


@struct
class OffsetDeleteResponsePartition:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")


@struct
class OffsetDeleteResponseTopic:
    name: str = Name("0+")
    partitions: tuple[OffsetDeleteResponsePartition, ...] = Array(OffsetDeleteResponsePartition, "0+")


@message(api_key=47, valid="0")
class OffsetDeleteResponse:
    error_code: int = Int16("0+")
    throttle_time_ms: int = Int32("0+", ignorable=True)
    topics: tuple[OffsetDeleteResponseTopic, ...] = Array(OffsetDeleteResponseTopic, "0+")
