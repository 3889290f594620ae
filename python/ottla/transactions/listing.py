"""DescribeTransactions and ListTransactions: what is said of a transactional id.

Prior art: ``handleDescribeTransactions`` and ``listTransactionStates`` in Kafka. What was never begun has no beginning,
and counts as older than any duration, as there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ottla.errors import ErrorCode
from ottla.records.transaction_state import TransactionLogValue
from ottla.transactions.changes import NO_TIMEOUT_MS, Partition, partitions_of, state_of
from ottla.transactions.state import State
from ottla.wire.k65_describe_transactions import TopicData, TransactionState

__all__ = ["Filter", "described", "told"]

PARTITIONS_TOLD_MAX: Final = 3


def described(
    transactional_id: str, value: TransactionLogValue | None, left: Iterable[Partition] | None
) -> TransactionState:
    """``left``: the partitions of one that is ending; None for those of the record."""
    if value is None:
        unknown = ErrorCode.TRANSACTIONAL_ID_NOT_FOUND if transactional_id else ErrorCode.INVALID_REQUEST
        return TransactionState(error_code=unknown, transactional_id=transactional_id)
    topics: dict[str, list[int]] = {}
    for topic, index in partitions_of(value) if left is None else left:
        topics.setdefault(topic, []).append(index)
    return TransactionState(
        transactional_id=transactional_id,
        transaction_state=state_of(value).text,
        transaction_timeout_ms=value.transaction_timeout_ms,
        transaction_start_time_ms=value.transaction_start_timestamp_ms,
        producer_id=value.producer_id,
        producer_epoch=value.producer_epoch,
        topics=tuple(TopicData(topic=topic, partitions=tuple(indexes)) for topic, indexes in topics.items()),
    )


def told(value: TransactionLogValue, wall_ms: int) -> str:
    """Of an open transaction, in words: how long, and which partitions."""
    open_s = (wall_ms - value.transaction_start_timestamp_ms) // 1000
    timeout_ms = value.transaction_timeout_ms
    most = "without end" if timeout_ms == NO_TIMEOUT_MS else f"of at most {timeout_ms // 1000} s"
    names = [f"{topic}-{index}" for topic, index in partitions_of(value)]
    more = len(names) - PARTITIONS_TOLD_MAX
    partitions = ", ".join(names[:PARTITIONS_TOLD_MAX]) + (f" and {more} more" if more > 0 else "")
    return (
        f"for {open_s} s {most}, by producer {value.producer_id} with epoch {value.producer_epoch}; who reads committed"
        f" data waits for it in {partitions or 'no partition'} (`ottla transactions abort` ends it)"
    )


class Filter(NamedTuple):
    """What ListTransactions asks for."""

    states: frozenset[State] | None
    producer_ids: frozenset[int]
    duration_ms: int
    matches: Callable[[str], bool] | None

    def takes(self, transactional_id: str, value: TransactionLogValue, wall_ms: int) -> bool:
        if self.producer_ids and value.producer_id not in self.producer_ids:
            return False
        if self.states is not None and state_of(value) not in self.states:
            return False
        if self.duration_ms >= 0 and wall_ms - value.transaction_start_timestamp_ms <= self.duration_ms:
            return False
        return self.matches is None or self.matches(transactional_id)
