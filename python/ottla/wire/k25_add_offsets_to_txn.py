"""AddOffsetsToTxn (25): make the offsets of a group part of a transaction.

v2 PRODUCER_FENCED · v3 flexible · v4 TRANSACTION_ABORTABLE

Clients of transaction version 2 do without it.
"""

from __future__ import annotations

from ottla.wire.schema import Int16, Int32, Int64, String, message


@message(api_key=25, valid="0-4", flexible="3+", listeners="broker")
class AddOffsetsToTxnRequest:
    transactional_id: str = String("0+")
    producer_id: int = Int64("0+")
    producer_epoch: int = Int16("0+")
    group_id: str = String("0+")


@message(api_key=25, valid="0-4", flexible="3+")
class AddOffsetsToTxnResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
