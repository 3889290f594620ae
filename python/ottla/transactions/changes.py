"""What a transactional id becomes: from one record's value to the next. Nothing is decided here but numbers.

Prior art: the ``prepare…`` methods of Kafka's ``TransactionMetadata``. Ours makes the record at once, since the record
is the state. The epoch before the last bump is not in records, neither Kafka's nor ours: a coordinator that was read
again has forgotten it, and fences a retry that it would have known.

Invariants: epochs of a producer id never go back; the epoch 32767 is never told to anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from ottla.records.transaction_state import PartitionsSchema, TransactionLogValue
from ottla.transactions.state import PREPARED, State
from ottla.wire.schema import replace

__all__ = [
    "EPOCH_BUMP_FROM",
    "NO_EPOCH",
    "NO_ID",
    "NO_TIMEOUT_MS",
    "NO_TIME_MS",
    "Change",
    "Partition",
    "added",
    "completed",
    "created",
    "ended",
    "fenced",
    "initialized",
    "is_exhausted",
    "partitions_of",
    "rotated",
    "state_of",
]

Partition = tuple[str, int]
"""Topic and index."""

NO_ID: Final = -1
NO_EPOCH: Final = -1
NO_TIME_MS: Final = -1
NO_TIMEOUT_MS: Final = 2**31 - 1
"""The timeout of a transaction in two phases: none."""
EPOCH_MAX: Final = 2**15 - 1
EPOCH_BUMP_FROM: Final = 2
"""The transaction version whose transactions raise the epoch when they end (KIP-890)."""


class Change(NamedTuple):
    """What comes next."""

    value: TransactionLogValue
    last_producer_epoch: int
    """Before the last bump: whoever names it is retrying. −1 when there is none."""


_STATES: Final = tuple(State)
assert all(state == index for index, state in enumerate(_STATES)), "found by its number"


def state_of(value: TransactionLogValue) -> State:
    return _STATES[value.transaction_status]


def partitions_of(value: TransactionLogValue) -> list[Partition]:
    """In the order in which their topics were added."""
    return [(each.topic, index) for each in value.transaction_partitions or () for index in each.partition_ids]


def is_exhausted(epoch: int) -> bool:
    """Is the next epoch one that no producer may have? The highest is kept to fence with."""
    return epoch >= EPOCH_MAX - 1


def created(producer_id: int, timeout_ms: int, wall_ms: int) -> TransactionLogValue:
    """A transactional id that nobody knows yet; it is never recorded as it is here."""
    return TransactionLogValue(
        producer_id=producer_id,
        producer_epoch=NO_EPOCH,
        transaction_timeout_ms=timeout_ms,
        transaction_status=State.EMPTY,
        transaction_partitions=None,
        transaction_last_update_timestamp_ms=wall_ms,
        transaction_start_timestamp_ms=NO_TIME_MS,
    )


def initialized(
    value: TransactionLogValue, last_epoch: int, expected_epoch: int | None, timeout_ms: int, wall_ms: int
) -> Change | None:
    """A producer begins, or goes on after an error (KIP-360); None when another has its place."""
    epoch = value.producer_epoch
    assert not is_exhausted(epoch), f"producer {value.producer_id} has no epochs left"
    if expected_epoch is None:
        bumped, last = epoch + 1, NO_EPOCH
    elif epoch in (NO_EPOCH, expected_epoch):
        bumped, last = epoch + 1, epoch
    elif expected_epoch == last_epoch:
        bumped, last = epoch, last_epoch
    else:
        return None
    return Change(_empty(value, value.producer_id, bumped, timeout_ms, wall_ms), last)


def rotated(value: TransactionLogValue, producer_id: int, timeout_ms: int, wall_ms: int, *, keeps_last: bool) -> Change:
    """A producer begins under a new id, the epochs of the old one being used up."""
    last = value.producer_epoch if keeps_last else NO_EPOCH
    return Change(_empty(value, producer_id, 0, timeout_ms, wall_ms), last)


def _empty(
    value: TransactionLogValue, producer_id: int, epoch: int, timeout_ms: int, wall_ms: int
) -> TransactionLogValue:
    return replace(
        value,
        producer_id=producer_id,
        previous_producer_id=value.producer_id,
        producer_epoch=epoch,
        transaction_timeout_ms=timeout_ms,
        transaction_status=State.EMPTY,
        transaction_partitions=None,
        transaction_last_update_timestamp_ms=wall_ms,
        transaction_start_timestamp_ms=NO_TIME_MS,
    )


def added(
    value: TransactionLogValue, last_epoch: int, partitions: Iterable[Partition], transaction_version: int, wall_ms: int
) -> Change:
    """Partitions become part of the transaction; the first ones open it."""
    is_open = state_of(value) is State.ONGOING
    topics = {each.topic: dict.fromkeys(each.partition_ids) for each in value.transaction_partitions or ()}
    for topic, index in partitions:
        topics.setdefault(topic, {})[index] = None
    changed = replace(
        value,
        previous_producer_id=value.producer_id,
        transaction_status=State.ONGOING,
        transaction_partitions=tuple(
            PartitionsSchema(topic=topic, partition_ids=tuple(indexes)) for topic, indexes in topics.items()
        ),
        transaction_last_update_timestamp_ms=wall_ms,
        transaction_start_timestamp_ms=value.transaction_start_timestamp_ms if is_open else wall_ms,
        client_transaction_version=transaction_version,
    )
    return Change(changed, last_epoch)


def ended(
    value: TransactionLogValue,
    last_epoch: int,
    state: State,
    transaction_version: int,
    next_producer_id: int,
    wall_ms: int,
) -> Change:
    """The outcome is decided. From version 2 on the epoch is raised: what is late no longer fits. What was never opened
    has nothing but that, and begins now."""
    assert state in PREPARED
    epoch = value.producer_epoch
    bumps = transaction_version >= EPOCH_BUMP_FROM
    changed = replace(
        value,
        previous_producer_id=value.producer_id,
        next_producer_id=next_producer_id,
        producer_epoch=min(epoch + 1, EPOCH_MAX) if bumps else epoch,
        transaction_status=state,
        transaction_partitions=value.transaction_partitions or (),
        transaction_last_update_timestamp_ms=wall_ms,
        transaction_start_timestamp_ms=(
            value.transaction_start_timestamp_ms if state_of(value) is State.ONGOING else wall_ms
        ),
        client_transaction_version=transaction_version,
    )
    return Change(changed, epoch if bumps else last_epoch)


def fenced(value: TransactionLogValue, transaction_version: int, next_producer_id: int, wall_ms: int) -> Change:
    """An open transaction is aborted against its producer, which is shut out: its epoch is another, and never told."""
    if transaction_version >= EPOCH_BUMP_FROM:
        return ended(value, NO_EPOCH, State.PREPARE_ABORT, transaction_version, next_producer_id, wall_ms)
    epoch = min(value.producer_epoch + 1, EPOCH_MAX)
    return ended(replace(value, producer_epoch=epoch), NO_EPOCH, State.PREPARE_ABORT, 0, NO_ID, wall_ms)


def completed(value: TransactionLogValue, last_epoch: int, wall_ms: int) -> Change:
    """Every partition has its marker. The producer goes on under the next id, where one was chosen."""
    is_commit = state_of(value) is State.PREPARE_COMMIT
    rotates = value.client_transaction_version >= EPOCH_BUMP_FROM and value.next_producer_id != NO_ID
    changed = replace(
        value,
        producer_id=value.next_producer_id if rotates else value.producer_id,
        previous_producer_id=value.producer_id,
        next_producer_id=NO_ID,
        producer_epoch=0 if rotates else value.producer_epoch,
        transaction_status=State.COMPLETE_COMMIT if is_commit else State.COMPLETE_ABORT,
        transaction_partitions=(),
        transaction_last_update_timestamp_ms=wall_ms,
    )
    return Change(changed, last_epoch)
