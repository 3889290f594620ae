"""ListTransactions (66): which transactions does this coordinator know?

v1 duration filter (KIP-994) · v2 pattern of ids in RE2 (KIP-1152), INVALID_REGULAR_EXPRESSION
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, String, message, struct


@message(api_key=66, valid="0-2", flexible="0+", listeners="broker")
class ListTransactionsRequest:
    state_filters: tuple[str, ...] = Array(String(), "0+")
    producer_id_filters: tuple[int, ...] = Array(Int64(), "0+")
    duration_filter: int = Int64("1+", default=-1)
    transactional_id_pattern: str | None = String("2+", default=None, nullable="2+")


@struct
class TransactionState:
    transactional_id: str = String("0+")
    producer_id: int = Int64("0+")
    transaction_state: str = String("0+")


@message(api_key=66, valid="0-2", flexible="0+")
class ListTransactionsResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    unknown_state_filters: tuple[str, ...] = Array(String(), "0+")
    transaction_states: tuple[TransactionState, ...] = Array(TransactionState, "0+")
