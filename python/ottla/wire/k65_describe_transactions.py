"""DescribeTransactions (65): the state of transactions.

v0 (KIP-664)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Name, String, message, struct


@message(api_key=65, valid="0", flexible="0+", listeners="broker")
class DescribeTransactionsRequest:
    transactional_ids: tuple[str, ...] = Array(String(), "0+")


@struct
class TopicData:
    topic: str = Name("0+")
    partitions: tuple[int, ...] = Array(Int32(), "0+")


@struct
class TransactionState:
    error_code: int = Int16("0+")
    transactional_id: str = String("0+")
    transaction_state: str = String("0+")
    transaction_timeout_ms: int = Int32("0+")
    transaction_start_time_ms: int = Int64("0+")
    producer_id: int = Int64("0+")
    producer_epoch: int = Int16("0+")
    topics: tuple[TopicData, ...] = Array(TopicData, "0+")


@message(api_key=65, valid="0", flexible="0+")
class DescribeTransactionsResponse:
    throttle_time_ms: int = Int32("0+")
    transaction_states: tuple[TransactionState, ...] = Array(TransactionState, "0+")
