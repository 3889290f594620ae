"""DeleteShareGroupOffsets (92): forget the share partitions of an empty group.

v0 (KIP-932)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Name, String, Uuid, message, struct


@struct
class DeleteShareGroupOffsetsRequestTopic:
    topic_name: str = Name("0+")


@message(api_key=92, valid="0", flexible="0+", listeners="broker")
class DeleteShareGroupOffsetsRequest:
    group_id: str = String("0+")
    topics: tuple[DeleteShareGroupOffsetsRequestTopic, ...] = Array(DeleteShareGroupOffsetsRequestTopic, "0+")


@struct
class DeleteShareGroupOffsetsResponseTopic:
    topic_name: str = Name("0+")
    topic_id: bytes = Uuid("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")


@message(api_key=92, valid="0", flexible="0+")
class DeleteShareGroupOffsetsResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    responses: tuple[DeleteShareGroupOffsetsResponseTopic, ...] = Array(DeleteShareGroupOffsetsResponseTopic, "0+")
