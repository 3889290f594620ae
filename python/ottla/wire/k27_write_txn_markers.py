"""WriteTxnMarkers (27): the transaction coordinator has the end of transactions written into partitions.

v1 flexible · v2 transaction version per marker (KIP-1228)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, Int64, Name, message, struct


@struct
class WritableTxnMarkerTopic:
    name: str = Name("0+")
    partition_indexes: tuple[int, ...] = Array(Int32(), "0+")


@struct
class WritableTxnMarker:
    producer_id: int = Int64("0+")
    producer_epoch: int = Int16("0+")
    transaction_result: bool = Bool("0+")
    topics: tuple[WritableTxnMarkerTopic, ...] = Array(WritableTxnMarkerTopic, "0+")
    coordinator_epoch: int = Int32("0+")
    transaction_version: int = Int8("2+", ignorable=True)


@message(api_key=27, valid="1-2", flexible="1+", listeners="broker")
class WriteTxnMarkersRequest:
    markers: tuple[WritableTxnMarker, ...] = Array(WritableTxnMarker, "0+")


@struct
class WritableTxnMarkerPartitionResult:
    partition_index: int = Int32("0+")
    error_code: int = Int16("0+")


@struct
class WritableTxnMarkerTopicResult:
    name: str = Name("0+")
    partitions: tuple[WritableTxnMarkerPartitionResult, ...] = Array(WritableTxnMarkerPartitionResult, "0+")


@struct
class WritableTxnMarkerResult:
    producer_id: int = Int64("0+")
    topics: tuple[WritableTxnMarkerTopicResult, ...] = Array(WritableTxnMarkerTopicResult, "0+")


@message(api_key=27, valid="1-2", flexible="1+")
class WriteTxnMarkersResponse:
    markers: tuple[WritableTxnMarkerResult, ...] = Array(WritableTxnMarkerResult, "0+")
