"""The group coordinator of a broker, as handlers use it: asks the partition that a group belongs to.

Prior art: Kafka's ``GroupCoordinatorService``. Ours has no method per API: a handler says what is to be done with the
shard, so that the way from an API to its core is one step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar, final

from ottla.coordinator.machine import CoordinatorError, Outbox, Reply
from ottla.coordinator.partitions import partition_of
from ottla.coordinator.runtime import CoordinatorRuntime

if TYPE_CHECKING:
    from ottla.coordinator.log import Marker, Producer
    from ottla.groups.shard import GroupShard
    from ottla.wire.k28_txn_offset_commit import TxnOffsetCommitRequest, TxnOffsetCommitResponse

__all__ = ["GROUP_TOPIC", "GroupCoordinator"]

Item = TypeVar("Item")
T = TypeVar("T")

GROUP_TOPIC: Final = "__consumer_offsets"
GROUPS_REMEMBERED: Final = 4_096


@final
class GroupCoordinator:
    """Groups by their ids."""

    def __init__(self, runtime: CoordinatorRuntime[GroupShard], partition_count: Callable[[], int]) -> None:
        """``partition_count``: of ``__consumer_offsets``, or what it will have."""
        self._runtime = runtime
        self._partition_count = partition_count
        # Every request of a member asks for the same.
        self._known_partition = lru_cache(GROUPS_REMEMBERED)(partition_of)

    def partition_of(self, group_id: str) -> int:
        """The partition of ``__consumer_offsets`` that the group belongs to."""
        return self._known_partition(group_id, self._partition_count())

    def begin(self, group_id: str, operation: Callable[[GroupShard, Outbox, Reply[T]], None]) -> Reply[T]:
        """See ``CoordinatorRuntime.begin``."""
        return self._runtime.begin(self.partition_of(group_id), operation)

    async def ask(self, group_id: str, operation: Callable[[GroupShard, Outbox, Reply[T]], None]) -> T:
        """See ``CoordinatorRuntime.ask``. Raises CoordinatorError."""
        return await self._runtime.ask(self.partition_of(group_id), operation)

    async def commit_in_transaction(
        self, request: TxnOffsetCommitRequest, version: int, producer: Producer
    ) -> TxnOffsetCommitResponse:
        """TxnOffsetCommit, once the transaction is known to be open. Raises CoordinatorError."""
        return await self._runtime.ask_in_transaction(
            self.partition_of(request.group_id),
            producer,
            lambda shard, outbox, reply: shard.txn_offset_commit(request, version, reply, outbox),
            lambda shard, records, later: shard.offsets_pending(producer.producer_id, records, later),
        )

    async def verify(
        self, group_id: str, producer_id: int, producer_epoch: int, transaction_version: int
    ) -> int | None:
        """See ``CoordinatorLog.verification``, of the group's partition. Raises CoordinatorError."""
        return await self._runtime.verify(self.partition_of(group_id), producer_id, producer_epoch, transaction_version)

    def begin_marks(self, marks: Sequence[tuple[int, Marker]]) -> list[Reply[None]]:
        """Ends transactions on partitions of ``__consumer_offsets``; each is settled when that is committed."""
        return self._runtime.begin_marks(
            marks,
            lambda shard, marker, later: shard.transaction_ended(
                marker.producer_id, later, is_committed=marker.is_committed
            ),
        )

    async def ask_each(
        self,
        items: Sequence[Item],
        group_of: Callable[[Item], str],
        operation: Callable[[Item, GroupShard, Outbox, Reply[T]], None],
    ) -> list[T | CoordinatorError]:
        """Asks about many things at once, each of one group; the answers in their order. What an operation emits is
        written in parts where it is too large for one batch."""

        def about(item: Item) -> Callable[[GroupShard, Outbox, Reply[T]], None]:
            return lambda shard, outbox, reply: operation(item, shard, outbox, reply)

        return await self._runtime.ask_many(
            [(self.partition_of(group_of(item)), about(item)) for item in items], atomic=False
        )

    async def ask_all(self, operation: Callable[[GroupShard, Outbox, Reply[T]], None]) -> list[T]:
        """Asks every partition that is led here; see ``CoordinatorRuntime.ask_all``. Raises CoordinatorError."""
        return await self._runtime.ask_all(operation)
