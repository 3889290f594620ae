"""InitProducerId (22): get a producer id and epoch, for idempotence or for transactions.

v2 flexible · v3 producer id + epoch to resume (KIP-360) · v4 PRODUCER_FENCED · v5 TRANSACTION_ABORTABLE ·
v6 (unstable, off by default) enable2Pc, keepPreparedTxn, ongoing ids (KIP-939)
"""

from __future__ import annotations

from ottla.wire.schema import Bool, Int16, Int32, Int64, String, message


@message(api_key=22, valid="0-6", flexible="2+", listeners="broker", latest_version_unstable=True)
class InitProducerIdRequest:
    transactional_id: str | None = String("0+", nullable="0+")
    transaction_timeout_ms: int = Int32("0+")
    producer_id: int = Int64("3+", default=-1)
    producer_epoch: int = Int16("3+", default=-1)
    enable2_pc: bool = Bool("6+")
    keep_prepared_txn: bool = Bool("6+")


@message(api_key=22, valid="0-6", flexible="2+")
class InitProducerIdResponse:
    throttle_time_ms: int = Int32("0+", ignorable=True)
    error_code: int = Int16("0+")
    producer_id: int = Int64("0+", default=-1)
    producer_epoch: int = Int16("0+")
    ongoing_txn_producer_id: int = Int64("6+", default=-1)
    ongoing_txn_producer_epoch: int = Int16("6+", default=-1)
