"""The transaction coordinator of a broker, as handlers use it: asks the partition that a transactional id belongs to.

Prior art: Kafka's ``TransactionCoordinator``. As with groups, a handler says what is to be done with the shard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar, final

import trio

from ottla.coordinator.machine import CoordinatorError, Outbox, Reply
from ottla.coordinator.partitions import partition_of
from ottla.coordinator.runtime import CoordinatorRuntime, settled
from ottla.coordinator.slices import Slices
from ottla.errors import ErrorCode

if TYPE_CHECKING:
    from ottla.transactions.config import TransactionsConfig
    from ottla.transactions.shard import TransactionShard
    from ottla.wire.k65_describe_transactions import TransactionState as DescribedTransaction

__all__ = ["TRANSACTION_TOPIC", "TransactionCoordinator", "codes_of"]

T = TypeVar("T")

TRANSACTION_TOPIC: Final = "__transaction_state"
DESCRIBED_AT_ONCE: Final = 100
"""Some 0.5 ms."""
LOOKERS_MAX: Final = 1
"""Each takes a slice of every pass of the loop, and producers wait for all of them."""


@final
class TransactionCoordinator:
    """Transactions by their ids."""

    def __init__(
        self,
        runtime: CoordinatorRuntime[TransactionShard],
        partition_count: Callable[[], int],
        config: TransactionsConfig,
    ) -> None:
        """``partition_count``: of ``__transaction_state``, or what it will have."""
        self._runtime = runtime
        self._partition_count = partition_count
        self.config: Final = config
        self.lookers: Final = trio.CapacityLimiter(LOOKERS_MAX)
        """For who has much to look at."""

    def partition_of(self, transactional_id: str) -> int:
        """The partition of ``__transaction_state`` that the id belongs to."""
        return partition_of(transactional_id, self._partition_count())

    def begin(self, transactional_id: str, operation: Callable[[TransactionShard, Outbox, Reply[T]], None]) -> Reply[T]:
        """See ``CoordinatorRuntime.begin``."""
        return self._runtime.begin(self.partition_of(transactional_id), operation)

    async def ask(self, transactional_id: str, operation: Callable[[TransactionShard, Outbox, Reply[T]], None]) -> T:
        """See ``CoordinatorRuntime.ask``. Raises CoordinatorError."""
        return await self._runtime.ask(self.partition_of(transactional_id), operation)

    async def describe(self, transactional_ids: Sequence[str]) -> list[DescribedTransaction | CoordinatorError]:
        """What ``TransactionShard.described`` says of each, in their order; in slices."""
        slices = Slices()
        places: dict[int, list[int]] = {}
        for place, transactional_id in enumerate(transactional_ids):
            places.setdefault(self.partition_of(transactional_id), []).append(place)
            if place % DESCRIBED_AT_ONCE == 0:
                await slices.pause()
        pieces = [
            (partition, found[start : start + DESCRIBED_AT_ONCE])
            for partition, found in places.items()
            for start in range(0, len(found), DESCRIBED_AT_ONCE)
        ]

        def about(piece: list[int]) -> Callable[[TransactionShard, Outbox, Reply[list[DescribedTransaction]]], None]:
            names = [transactional_ids[place] for place in piece]
            return lambda shard, outbox, reply: outbox.answer(reply, [shard.described(name) for name in names])

        answers = await self._runtime.ask_many([(partition, about(piece)) for partition, piece in pieces])
        described: dict[int, DescribedTransaction | CoordinatorError] = {}
        for (_, piece), answer in zip(pieces, answers, strict=True):
            if isinstance(answer, CoordinatorError):
                described.update(dict.fromkeys(piece, answer))
            else:
                described.update(zip(piece, answer, strict=True))
            await slices.pause()
        return [described[place] for place in range(len(transactional_ids))]

    async def ask_all(self, operation: Callable[[TransactionShard, Outbox, Reply[T]], None]) -> list[T]:
        """Asks every partition that is led here; see ``CoordinatorRuntime.ask_all``. Raises CoordinatorError."""
        return await self._runtime.ask_all(operation)

    def begin_add(
        self,
        transactional_id: str,
        producer_id: int,
        producer_epoch: int,
        partitions: Sequence[tuple[str, int]],
        *,
        verify_only: bool,
        transaction_version: int,
    ) -> Reply[list[ErrorCode]]:
        """A code for each partition; see ``codes_of`` for when the coordinator is not here."""

        def operation(shard: TransactionShard, outbox: Outbox, reply: Reply[list[ErrorCode]]) -> None:
            shard.add_partitions(
                transactional_id,
                producer_id,
                producer_epoch,
                partitions,
                reply,
                outbox,
                verify_only=verify_only,
                transaction_version=transaction_version,
            )

        return self.begin(transactional_id, operation)

    async def add_partitions(
        self,
        transactional_id: str,
        producer_id: int,
        producer_epoch: int,
        partitions: Sequence[tuple[str, int]],
        *,
        verify_only: bool,
        transaction_version: int,
    ) -> list[ErrorCode]:
        """As ``begin_add``, and waits."""
        reply = self.begin_add(
            transactional_id,
            producer_id,
            producer_epoch,
            partitions,
            verify_only=verify_only,
            transaction_version=transaction_version,
        )
        try:
            return await settled(reply)
        except CoordinatorError as error:
            return [error.code] * len(partitions)


def codes_of(reply: Reply[list[ErrorCode]], partitions: Sequence[object]) -> list[ErrorCode]:
    """What became of ``begin_add``, once that is settled: the same for all when the coordinator is not here."""
    try:
        return reply.result()
    except CoordinatorError as error:
        return [error.code] * len(partitions)
