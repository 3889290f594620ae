"""EndTxn (26): commit or abort a transaction.

v2 PRODUCER_FENCED · v3 flexible · v4 TRANSACTION_ABORTABLE · v5 epoch bump, new producer id/epoch in answer (TV2)
"""

from __future__ import annotations

from ottla.wire.schema import Bool, Int16, Int32, Int64, String, message


@message(api_key=26, valid="0-5", flexible="3+", listeners="broker")
class EndTxnRequest:
    transactional_id: str = String("0+")
    producer_id: int = Int64("0+")
    producer_epoch: int = Int16("0+")
    committed: bool = Bool("0+")


@message(api_key=26, valid="0-5", flexible="3+")
class EndTxnResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    producer_id: int = Int64("5+", default=-1, ignorable=True)
    producer_epoch: int = Int16("5+", default=-1, ignorable=True)
