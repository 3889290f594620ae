"""AddPartitionsToTxn (24): make partitions part of a transaction, or verify that they are.

v2 PRODUCER_FENCED · v3 flexible · v4 batched, verify only, brokers only · v5 TRANSACTION_ABORTABLE
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Int64, Name, String, message, struct


@struct
class AddPartitionsToTxnTopic:
    name: str = Name("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@struct
class AddPartitionsToTxnTransaction:
    transactional_id: str = String("4+")
    producer_id: int = Int64("4+")
    producer_epoch: int = Int16("4+")
    verify_only: bool = Bool("4+")
    topics: tuple[AddPartitionsToTxnTopic, ...] = Array(AddPartitionsToTxnTopic, "4+")


@message(api_key=24, valid="0-5", flexible="3+", listeners="broker")
class AddPartitionsToTxnRequest:
    transactions: tuple[AddPartitionsToTxnTransaction, ...] = Array(AddPartitionsToTxnTransaction, "4+")
    v3_and_below_transactional_id: str = String("0-3")
    v3_and_below_producer_id: int = Int64("0-3")
    v3_and_below_producer_epoch: int = Int16("0-3")
    v3_and_below_topics: tuple[AddPartitionsToTxnTopic, ...] = Array(AddPartitionsToTxnTopic, "0-3")


@struct
class AddPartitionsToTxnPartitionResult:
    partition_index: int = Int32("0+")
    partition_error_code: int = Int16("0+")


@struct
class AddPartitionsToTxnTopicResult:
    name: str = Name("0+")
    results_by_partition: tuple[AddPartitionsToTxnPartitionResult, ...] = Array(AddPartitionsToTxnPartitionResult, "0+")


@struct
class AddPartitionsToTxnResult:
    transactional_id: str = String("4+")
    topic_results: tuple[AddPartitionsToTxnTopicResult, ...] = Array(AddPartitionsToTxnTopicResult, "4+")


@message(api_key=24, valid="0-5", flexible="3+")
class AddPartitionsToTxnResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("4+", ignorable=True)
    results_by_transaction: tuple[AddPartitionsToTxnResult, ...] = Array(AddPartitionsToTxnResult, "4+")
    results_by_topic_v3_and_below: tuple[AddPartitionsToTxnTopicResult, ...] = Array(
        AddPartitionsToTxnTopicResult, "0-3"
    )
