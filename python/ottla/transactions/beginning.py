"""InitProducerId: what it makes of its transactional id.

Prior art: ``prepareInitProducerIdTransit`` of Kafka's ``TransactionCoordinator``; the order of checks is its own.
"""

from __future__ import annotations

from collections.abc import Callable

from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.transactions.changes import (
    NO_EPOCH,
    NO_ID,
    NO_TIMEOUT_MS,
    Change,
    created,
    initialized,
    is_exhausted,
    rotated,
)
from ottla.transactions.transaction import Transaction
from ottla.wire.k22_init_producer_id import InitProducerIdRequest

__all__ = ["begun", "is_stranger"]


def is_stranger(request: InitProducerIdRequest, transaction: Transaction) -> bool:
    """Does it name a producer that this transactional id does not have any more? One whose epochs were used up may be
    one that never heard of its new id."""
    value = transaction.value
    if request.producer_id in (NO_ID, value.producer_id):
        return False
    return request.producer_id != value.previous_producer_id or not is_exhausted(request.producer_epoch)


def begun(
    request: InitProducerIdRequest,
    transaction: Transaction | None,
    new_producer_id: Callable[[], int],
    wall_ms: int,
) -> Change | None:
    """What a transactional id without an open transaction becomes; None when the producer that is named is fenced.
    Raises what ``new_producer_id`` raises, and CoordinatorError when an epoch is named that is not the last one of an
    id whose epochs are used up: Kafka means to fence then, and fails."""
    timeout_ms = NO_TIMEOUT_MS if request.enable2_pc else request.transaction_timeout_ms
    expected_epoch = None if request.producer_id == NO_ID else request.producer_epoch
    if transaction is None:
        value = created(new_producer_id(), timeout_ms, wall_ms)
        return initialized(value, NO_EPOCH, expected_epoch, timeout_ms, wall_ms)
    if is_stranger(request, transaction):
        return None
    value = transaction.value
    if not is_exhausted(value.producer_epoch):
        return initialized(value, transaction.last_producer_epoch, expected_epoch, timeout_ms, wall_ms)
    if expected_epoch not in (None, value.producer_epoch):
        raise CoordinatorError(ErrorCode.UNKNOWN_SERVER_ERROR, "the epochs of the producer id are used up")
    return rotated(value, new_producer_id(), timeout_ms, wall_ms, keeps_last=expected_epoch is not None)
