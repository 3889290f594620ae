"""OffsetFetch (9): how far has a group read?

v1 from offsets topic · v2 null topics = all, group error code · v3 throttle · v5 leader epoch · v6 flexible ·
v7 require_stable (KIP-447) · v8 many groups in one request (KIP-709) · v9 member id + epoch (KIP-848) · v10 topic ids
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Int64, Name, String, Uuid, message, struct


@struct
class OffsetFetchRequestTopic:
    name: str = Name("0-7")
    partition_indexes: tuple[int, ...] = Array(Int32(), "0-7")


@struct
class OffsetFetchRequestTopics:
    name: str = Name("8-9", ignorable=True)
    topic_id: bytes = Uuid("10+", ignorable=True)
    partition_indexes: tuple[int, ...] = Array(Int32(), "8+")


@struct
class OffsetFetchRequestGroup:
    group_id: str = String("8+")
    member_id: str | None = String("9+", default=None, nullable="9+", ignorable=True)
    member_epoch: int = Int32("9+", default=-1, ignorable=True)
    topics: tuple[OffsetFetchRequestTopics, ...] | None = Array(OffsetFetchRequestTopics, "8+", nullable="8+")


@message(api_key=9, valid="1-10", flexible="6+", listeners="broker")
class OffsetFetchRequest:
    group_id: str = String("0-7")
    topics: tuple[OffsetFetchRequestTopic, ...] | None = Array(OffsetFetchRequestTopic, "0-7", nullable="2-7")
    groups: tuple[OffsetFetchRequestGroup, ...] = Array(OffsetFetchRequestGroup, "8+")
    require_stable: bool = Bool("7+")


@struct
class OffsetFetchResponsePartition:
    partition_index: int = Int32("0-7")
    committed_offset: int = Int64("0-7")
    committed_leader_epoch: int = Int32("5-7", default=-1, ignorable=True)
    metadata: str | None = String("0-7", nullable="0-7")
    error_code: int = Int16("0-7")


@struct
class OffsetFetchResponseTopic:
    name: str = Name("0-7")
    partitions: tuple[OffsetFetchResponsePartition, ...] = Array(OffsetFetchResponsePartition, "0-7")


@struct
class OffsetFetchResponsePartitions:
    partition_index: int = Int32("8+")
    committed_offset: int = Int64("8+")
    committed_leader_epoch: int = Int32("8+", default=-1, ignorable=True)
    metadata: str | None = String("8+", nullable="8+")
    error_code: int = Int16("8+")


@struct
class OffsetFetchResponseTopics:
    name: str = Name("8-9", ignorable=True)
    topic_id: bytes = Uuid("10+", ignorable=True)
    partitions: tuple[OffsetFetchResponsePartitions, ...] = Array(OffsetFetchResponsePartitions, "8+")


@struct
class OffsetFetchResponseGroup:
    group_id: str = String("8+")
    topics: tuple[OffsetFetchResponseTopics, ...] = Array(OffsetFetchResponseTopics, "8+")
    error_code: int = Int16("8+")


@message(api_key=9, valid="1-10", flexible="6+")
class OffsetFetchResponse:
    throttle_time_ms: int = Int32("3+", ignorable=True)
    topics: tuple[OffsetFetchResponseTopic, ...] = Array(OffsetFetchResponseTopic, "0-7")
    error_code: int = Int16("2-7", ignorable=True)
    groups: tuple[OffsetFetchResponseGroup, ...] = Array(OffsetFetchResponseGroup, "8+")
