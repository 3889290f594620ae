"""EndTxn: what is to be done about it, by the state of the transactional id. One function for each protocol.

Prior art: ``endTransaction`` and ``endTransactionWithTV1`` of Kafka's ``TransactionCoordinator``; the order of checks
is theirs.
"""

from __future__ import annotations

import enum
from typing import Final

from ottla.errors import ErrorCode
from ottla.records.transaction_state import TransactionLogValue
from ottla.transactions.changes import EPOCH_BUMP_FROM, EPOCH_MAX, state_of
from ottla.transactions.state import PREPARED, State

__all__ = ["Ending", "check_end", "check_end_old"]

LAST_EPOCH: Final = EPOCH_MAX - 1


class Ending(enum.Enum):
    """What comes of it when it is not refused."""

    PREPARE = enum.auto()
    """The outcome is decided now."""
    DONE = enum.auto()
    """It was decided so before: the answer may have been lost."""
    WAIT = enum.auto()
    """The markers of a decision are being written: what it means shows when they are."""


def check_end_old(
    value: TransactionLogValue | None, producer_id: int, producer_epoch: int, *, commit: bool
) -> Ending | ErrorCode:
    """The protocol of versions 0 to 4 of EndTxn."""
    if value is None or value.producer_id != producer_id:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    if value.producer_epoch != producer_epoch:
        return ErrorCode.PRODUCER_FENCED
    state = state_of(value)
    if state is State.ONGOING:
        return Ending.PREPARE
    if state in PREPARED:
        return Ending.WAIT
    same = State.COMPLETE_COMMIT if commit else State.COMPLETE_ABORT
    return Ending.DONE if state is same else ErrorCode.INVALID_TXN_STATE


def check_end(
    value: TransactionLogValue | None, producer_id: int, producer_epoch: int, *, commit: bool
) -> Ending | ErrorCode:
    """Transaction version 2 (KIP-890): the epoch was raised by the end, so a retry shows itself by the one before."""
    if value is None:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    state = state_of(value)
    if state in PREPARED:
        return Ending.WAIT
    epoch = value.producer_epoch
    after_rotation = value.previous_producer_id == producer_id and producer_epoch == LAST_EPOCH and epoch == 0
    if value.producer_id != producer_id and not after_rotation:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    # Kafka asks for the epoch alone: so it takes one who was fenced for one who tries again, where the newer producer
    # is of the old protocol and its end did not raise the epoch, and gives it the epoch of the newer one.
    raised = value.client_transaction_version >= EPOCH_BUMP_FROM and epoch == producer_epoch + 1
    is_retry = after_rotation or raised
    if state in (State.ONGOING, State.EMPTY):
        if producer_epoch != epoch:
            return ErrorCode.PRODUCER_FENCED
        if state is State.ONGOING or not commit:
            return Ending.PREPARE
        return ErrorCode.INVALID_TXN_STATE
    if not is_retry and producer_epoch != epoch:
        return ErrorCode.PRODUCER_FENCED
    if is_retry:
        same = State.COMPLETE_COMMIT if commit else State.COMPLETE_ABORT
        return Ending.DONE if state is same else ErrorCode.INVALID_TXN_STATE
    return ErrorCode.INVALID_TXN_STATE if commit else Ending.PREPARE
