"""``__transaction_state``: what the transaction coordinator remembers.

Framed as ``__consumer_offsets``. Value v1 is flexible and carries what transaction version 2 needs (KIP-890).
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, Int64, Name, String, message, struct


@message(api_key=0, valid="0")
class TransactionLogKey:
    transactional_id: str = String("0")


@struct
class PartitionsSchema:
    topic: str = Name("0+")
    partition_ids: tuple[int, ...] = Array(Int32(), "0+")


@message(api_key=0, valid="0-1", flexible="1+")
class TransactionLogValue:
    """The state of a transactional id."""

    producer_id: int = Int64("0+")
    previous_producer_id: int = Int64("1+", default=-1, tag=0, tagged="1+")
    next_producer_id: int = Int64("1+", default=-1, tag=1, tagged="1+")
    producer_epoch: int = Int16("0+")
    next_producer_epoch: int = Int16("1+", default=-1, tag=3, tagged="1+")
    transaction_timeout_ms: int = Int32("0+")
    transaction_status: int = Int8("0+")
    transaction_partitions: tuple[PartitionsSchema, ...] | None = Array(PartitionsSchema, "0+", nullable="0+")
    transaction_last_update_timestamp_ms: int = Int64("0+")
    transaction_start_timestamp_ms: int = Int64("0+")
    client_transaction_version: int = Int16("1+", tag=2, tagged="1+")
