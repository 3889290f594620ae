"""Metadata (3): what topics and brokers there are, and who leads which partition?

v0 empty list = all · v1 null = all, empty = none, racks, controller id, internal flag · v2 cluster id · v4 allow auto
creation flag · v5 offline replicas · v7 leader epoch · v8 authorised operations · v9 flexible · v10 topic ids in
answer · v11 no cluster operations field · v12 request by topic id · v13 top-level error (REBOOTSTRAP_REQUIRED,
KIP-1102)

v0 leaves out unavailable endpoints, v6+ answers LISTENER_NOT_FOUND for them.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Name, String, Uuid, message, struct


@struct
class MetadataRequestTopic:
    topic_id: bytes = Uuid("10+", ignorable=True)
    name: str | None = Name("0+", nullable="10+")


@message(api_key=3, valid="0-13", flexible="9+", listeners="broker")
class MetadataRequest:
    topics: tuple[MetadataRequestTopic, ...] | None = Array(MetadataRequestTopic, "0+", nullable="1+")
    allow_auto_topic_creation: bool = Bool("4+", default=True)
    include_cluster_authorized_operations: bool = Bool("8-10")
    include_topic_authorized_operations: bool = Bool("8+")


@struct
class MetadataResponseBroker:
    node_id: int = Int32("0+")
    host: str = String("0+")
    port: int = Int32("0+")
    rack: str | None = String("1+", default=None, nullable="1+", ignorable=True)


@struct
class MetadataResponsePartition:
    error_code: int = Int16("0+")
    partition_index: int = Int32("0+")
    leader_id: int = Int32("0+")
    leader_epoch: int = Int32("7+", default=-1, ignorable=True)
    replica_nodes: tuple[int, ...] = Array(Int32(), "0+")
    isr_nodes: tuple[int, ...] = Array(Int32(), "0+")
    offline_replicas: tuple[int, ...] = Array(Int32(), "5+", ignorable=True)


@struct
class MetadataResponseTopic:
    error_code: int = Int16("0+")
    name: str | None = Name("0+", nullable="12+")
    topic_id: bytes = Uuid("10+", ignorable=True)
    is_internal: bool = Bool("1+", ignorable=True)
    partitions: tuple[MetadataResponsePartition, ...] = Array(MetadataResponsePartition, "0+")
    topic_authorized_operations: int = Int32("8+", default=-2147483648)


@message(api_key=3, valid="0-13", flexible="9+")
class MetadataResponse:
    throttle_time_ms: int = Int32("3+", ignorable=True)
    brokers: tuple[MetadataResponseBroker, ...] = Array(MetadataResponseBroker, "0+")
    cluster_id: str | None = String("2+", default=None, nullable="2+", ignorable=True)
    controller_id: int = Int32("1+", default=-1, ignorable=True)
    topics: tuple[MetadataResponseTopic, ...] = Array(MetadataResponseTopic, "0+")
    cluster_authorized_operations: int = Int32("8-10", default=-2147483648)
    error_code: int = Int16("13+", ignorable=True)
