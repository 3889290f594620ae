"""A partition as the coordinator sees it: who has a transaction open on it, and which markers it takes.

The dumb twin of what ``rust/core/src/batch/`` does with producers, without offsets or sequences: data has names, and is
pending, committed or aborted. Rules are Kafka's ``ProducerAppendInfo``.
"""

from __future__ import annotations

from typing import Final, final

from ottla.errors import ErrorCode
from ottla.transactions.markers import MarkersDue

__all__ = ["DataPartition"]

NO_EPOCH: Final = -1
EPOCH_MAX: Final = 2**15 - 1


@final
class _Producer:
    """What a partition knows of one producer id."""

    def __init__(self) -> None:
        self.epoch = NO_EPOCH
        self.coordinator_epoch = -1
        self.pending: list[str] | None = None
        """Data of the open transaction; None when none is open."""
        self.markers = 0
        """How many came: a verification counts until the next."""
        self.confirmed = NO_EPOCH
        """Whose transaction its coordinator has said to be open here, unasked, since the last marker."""


@final
class DataPartition:
    """One partition."""

    def __init__(self) -> None:
        self._producers: dict[int, _Producer] = {}
        self.outcomes: dict[str, bool] = {}
        """Data whose transaction ended: was it committed?"""

    def _producer(self, producer_id: int) -> _Producer:
        return self._producers.setdefault(producer_id, _Producer())

    @property
    def pending(self) -> list[str]:
        """Data that holds the last stable offset back."""
        return [name for each in self._producers.values() for name in each.pending or ()]

    def guard(self, producer_id: int, epoch: int) -> int | None:
        """To be asked for before the coordinator is; None when the transaction is open here already."""
        producer = self._producer(producer_id)
        return None if producer.pending is not None and producer.epoch == epoch else producer.markers

    def expect(self, producer_id: int) -> int:
        """To be asked for before the coordinator writes that a transaction is open here; for ``confirm``."""
        return self._producer(producer_id).markers

    def confirm(self, producer_id: int, epoch: int, guard: int) -> None:
        """That is committed."""
        producer = self._producer(producer_id)
        if producer.markers == guard:
            producer.confirmed = epoch

    def is_confirmed(self, producer_id: int, epoch: int) -> bool:
        """Need nobody be asked?"""
        return self._producer(producer_id).confirmed == epoch

    def append(self, producer_id: int, epoch: int, name: str, guard: int | None) -> bool:
        """Whether the data is taken."""
        producer = self._producer(producer_id)
        if epoch < producer.epoch:
            return False
        if guard is None and (producer.pending is None or producer.epoch != epoch):
            return False
        if guard is not None and guard != producer.markers:
            return False
        producer.epoch = epoch
        if producer.pending is None:
            producer.pending = []
        producer.pending.append(name)
        return True

    def mark(self, due: MarkersDue) -> ErrorCode:
        """A marker comes."""
        producer = self._producer(due.producer_id)
        if due.coordinator_epoch < producer.coordinator_epoch:
            return ErrorCode.TRANSACTION_COORDINATOR_FENCED
        if due.transaction_version >= 2:
            repeated = due.producer_epoch == producer.epoch and (
                producer.pending is None or producer.epoch == EPOCH_MAX
            )
            if due.producer_epoch <= producer.epoch and not repeated:
                return ErrorCode.INVALID_PRODUCER_EPOCH
        elif due.producer_epoch < producer.epoch:
            return ErrorCode.INVALID_PRODUCER_EPOCH
        producer.epoch = due.producer_epoch
        producer.coordinator_epoch = due.coordinator_epoch
        producer.markers += 1
        producer.confirmed = NO_EPOCH
        for name in producer.pending or ():
            assert name not in self.outcomes, f"{name} ends once"
            self.outcomes[name] = due.commit
        producer.pending = None
        return ErrorCode.NONE
