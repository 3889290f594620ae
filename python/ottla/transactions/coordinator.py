"""The transaction coordinator of a broker, as handlers use it: asks the partition that a transactional id belongs to.

Prior art: Kafka's ``TransactionCoordinator``. As with groups, a handler says what is to be done with the shard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar, final

from ottla.coordinator.machine import CoordinatorError, Outbox, Reply
from ottla.coordinator.partitions import partition_of
from ottla.coordinator.runtime import CoordinatorRuntime, settled
from ottla.errors import ErrorCode

if TYPE_CHECKING:
    from ottla.transactions.config import TransactionsConfig
    from ottla.transactions.shard import TransactionShard

__all__ = ["TRANSACTION_TOPIC", "TransactionCoordinator", "codes_of"]

T = TypeVar("T")

TRANSACTION_TOPIC: Final = "__transaction_state"


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

    def partition_of(self, transactional_id: str) -> int:
        """The partition of ``__transaction_state`` that the id belongs to."""
        return partition_of(transactional_id, self._partition_count())

    def begin(self, transactional_id: str, operation: Callable[[TransactionShard, Outbox, Reply[T]], None]) -> Reply[T]:
        """See ``CoordinatorRuntime.begin``."""
        return self._runtime.begin(self.partition_of(transactional_id), operation)

    async def ask(self, transactional_id: str, operation: Callable[[TransactionShard, Outbox, Reply[T]], None]) -> T:
        """See ``CoordinatorRuntime.ask``. Raises CoordinatorError."""
        return await self._runtime.ask(self.partition_of(transactional_id), operation)

    async def ask_each(
        self,
        transactional_ids: Sequence[str],
        operation: Callable[[str, TransactionShard, Outbox, Reply[T]], None],
    ) -> list[T | CoordinatorError]:
        """Asks about many ids at once; the answers in their order."""

        def about(transactional_id: str) -> Callable[[TransactionShard, Outbox, Reply[T]], None]:
            return lambda shard, outbox, reply: operation(transactional_id, shard, outbox, reply)

        return await self._runtime.ask_many([(self.partition_of(each), about(each)) for each in transactional_ids])

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
