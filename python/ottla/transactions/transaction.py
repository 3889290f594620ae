"""A transactional id in memory: its record, and the one thing that records do not say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ottla.errors import ErrorCode
from ottla.records.transaction_state import TransactionLogValue
from ottla.transactions.changes import NO_EPOCH, NO_TIME_MS, Partition, partitions_of, state_of
from ottla.transactions.state import PREPARED, State

__all__ = ["Transaction", "check_producer", "verified"]


@final
class Transaction:
    """What is known of a transactional id."""

    __slots__ = ("last_producer_epoch", "named_since_ms", "value")

    def __init__(self, value: TransactionLogValue) -> None:
        self.value = value
        self.last_producer_epoch = NO_EPOCH
        """See ``Change``; not in the log."""
        self.named_since_ms = NO_TIME_MS
        """The beginning of the transaction that an operator was last told of."""

    @property
    def state(self) -> State:
        return state_of(self.value)

    def holds(self, partitions: Sequence[Partition]) -> bool:
        """Are all of them part of an open transaction?"""
        if self.state is not State.ONGOING:
            return False
        held = {each.topic: frozenset(each.partition_ids) for each in self.value.transaction_partitions or ()}
        return all(index in held.get(topic, ()) for topic, index in partitions)


def check_producer(transaction: Transaction | None, producer_id: int, producer_epoch: int) -> ErrorCode:
    """Is it the producer that this transactional id has? NONE, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED."""
    if transaction is None or transaction.value.producer_id != producer_id:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    if transaction.value.producer_epoch != producer_epoch:
        return ErrorCode.PRODUCER_FENCED
    return ErrorCode.NONE


def verified(
    transaction: Transaction | None, producer_id: int, producer_epoch: int, partitions: Sequence[Partition]
) -> list[ErrorCode]:
    """Which of them are part of the transaction? A code for each: those of ``check_producer``, CONCURRENT_TRANSACTIONS
    once its outcome is decided, TRANSACTION_ABORTABLE for one that is not."""
    code = check_producer(transaction, producer_id, producer_epoch)
    if transaction is None or code is not ErrorCode.NONE:
        return [code] * len(partitions)
    if transaction.state in PREPARED:
        return [ErrorCode.CONCURRENT_TRANSACTIONS] * len(partitions)
    held = frozenset(partitions_of(transaction.value))
    return [ErrorCode.NONE if each in held else ErrorCode.TRANSACTION_ABORTABLE for each in partitions]
