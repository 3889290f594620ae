"""The markers that end transactions: which are due, which are on their way, which are to be sent once more.

Prior art: Kafka's ``TransactionMarkerChannelManager`` and ``TransactionMarkerRequestCompletionHandler``, with queues
per broker and a thread. Ours says what is due and is told what came of it; whoever sends knows the leaders.

Where the partition has a newer epoch of the producer (INVALID_PRODUCER_EPOCH), Kafka gives up the whole transaction,
which stays as it is until its coordinator moves. Ours leaves that partition out, and says so: the others get their
markers, and the producer can go on.

Invariants: a marker is due only once the decision is committed; a partition is due, on its way, or waits for its next
attempt, until it is done; what is told of another transaction than the one under way changes nothing.
"""

from __future__ import annotations

import enum
import heapq
import itertools
from collections.abc import Mapping
from typing import Final, NamedTuple, final

from ottla.errors import ErrorCode
from ottla.records.transaction_state import TransactionLogValue
from ottla.transactions.changes import Partition, partitions_of, state_of
from ottla.transactions.state import State

__all__ = ["Delivery", "Markers", "MarkersDue", "Outcome", "outcome_of"]

RETRY_MS: Final = 20
RETRY_MS_MAX: Final = 1_000
"""Leaders are found again within seconds, and each attempt names every partition that is left."""

ATTEMPTS_PER_EVENT: Final = 15
"""Who waits for a partition is named after some ten seconds, and every fifteen: long before a timeout of Kafka's
default would hurt."""


class MarkersDue(NamedTuple):
    """Partitions that one marker is to be written to, each."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int
    commit: bool
    transaction_version: int
    partitions: tuple[Partition, ...]
    decision: object
    """Of which transaction they are: those of an older one may look the same."""


class Outcome(enum.Enum):
    DONE = enum.auto()
    """The marker is there."""
    DROPPED = enum.auto()
    """It will never be, and nobody waits for it there."""
    AGAIN = enum.auto()
    """Later it may be."""
    GIVEN_UP = enum.auto()
    """There is another coordinator, which will see to it."""


_OUTCOMES: Final = {
    ErrorCode.NONE: Outcome.DONE,
    ErrorCode.UNKNOWN_TOPIC_ID: Outcome.DROPPED,
    ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT: Outcome.DROPPED,
    ErrorCode.UNSUPPORTED_VERSION: Outcome.DROPPED,
    ErrorCode.INVALID_PRODUCER_EPOCH: Outcome.DROPPED,
    ErrorCode.TRANSACTION_COORDINATOR_FENCED: Outcome.GIVEN_UP,
}


_EVENTS: Final = {
    Outcome.DROPPED: "partition left out of a transaction",
    Outcome.GIVEN_UP: "transaction given up",
}


def outcome_of(code: ErrorCode) -> Outcome:
    """What a partition's answer means. UNKNOWN_TOPIC_ID: our own metadata has no such partition any more. Errors that
    should not happen are tried again, too: what does not end is seen, what is dropped may be a torn transaction."""
    return _OUTCOMES.get(code, Outcome.AGAIN)


@final
class Delivery:
    """The markers of one transaction."""

    __slots__ = ("again", "attempts", "due", "is_given_up", "left", "value")

    def __init__(self, value: TransactionLogValue) -> None:
        self.value = value
        self.left: dict[Partition, None] = dict.fromkeys(partitions_of(value))
        """Without a marker, as far as we know; in order."""
        self.due: dict[Partition, None] = dict(self.left)
        self.again: dict[Partition, None] = {}
        """Due again at some moment."""
        self.attempts = 0
        self.is_given_up = False

    def take_due(self, partitions_max: int) -> tuple[Partition, ...]:
        """Some that are due; they are no longer."""
        if len(self.due) <= partitions_max:
            taken, self.due = tuple(self.due), {}
            return taken
        taken = tuple(itertools.islice(self.due, partitions_max))
        for partition in taken:
            del self.due[partition]
        return taken


@final
class Markers:
    """Of all transactions of a shard that are decided and not complete."""

    __slots__ = ("_deliveries", "_order", "_queue", "_retries")

    def __init__(self) -> None:
        self._deliveries: dict[str, Delivery] = {}
        self._queue: dict[str, None] = {}
        self._retries: list[tuple[int, int, str, Delivery]] = []
        self._order = itertools.count()

    def get(self, transactional_id: str) -> Delivery | None:
        return self._deliveries.get(transactional_id)

    def begin(self, transactional_id: str, value: TransactionLogValue) -> None:
        """The decision is committed: every partition is due."""
        self._deliveries[transactional_id] = Delivery(value)
        self._queue[transactional_id] = None

    def end(self, transactional_id: str) -> None:
        """The transaction is complete."""
        self._deliveries.pop(transactional_id, None)
        self._queue.pop(transactional_id, None)

    @property
    def has_due(self) -> bool:
        return bool(self._queue)

    def take_due(self, coordinator_epoch: int, partitions_max: int) -> list[MarkersDue]:
        """What is to be sent now; it is on its way from now on. What is more than ``partitions_max`` is left, and who
        has many goes behind the others."""
        taken = []
        while self._queue and partitions_max > 0:
            transactional_id = next(iter(self._queue))
            del self._queue[transactional_id]
            delivery = self._deliveries[transactional_id]
            partitions = delivery.take_due(partitions_max)
            partitions_max -= len(partitions)
            if delivery.due:
                self._queue[transactional_id] = None
            value = delivery.value
            taken.append(
                MarkersDue(
                    transactional_id,
                    value.producer_id,
                    value.producer_epoch,
                    coordinator_epoch,
                    state_of(value) is State.PREPARE_COMMIT,
                    value.client_transaction_version,
                    partitions,
                    delivery,
                )
            )
        return taken

    def written(
        self, transactional_id: str, delivery: Delivery, results: Mapping[Partition, ErrorCode], now_ms: int
    ) -> list[tuple[str, str]]:
        """What came of some of them, each on its way or told before; returns what an operator should know of: event
        and detail."""
        told = []
        attempts = delivery.attempts
        for partition, code in results.items():
            if partition not in delivery.left:
                continue
            outcome = outcome_of(code)
            if outcome in (Outcome.DONE, Outcome.DROPPED):
                del delivery.left[partition]
                delivery.due.pop(partition, None)
                delivery.again.pop(partition, None)
            elif outcome is Outcome.GIVEN_UP:
                delivery.is_given_up = True
            elif partition not in delivery.due:
                if not delivery.again:
                    self._retry_later(transactional_id, delivery, now_ms)
                delivery.again[partition] = None
            event = _EVENTS.get(outcome)
            if (
                outcome is Outcome.AGAIN
                and delivery.attempts > attempts
                and delivery.attempts % ATTEMPTS_PER_EVENT == 0
            ):
                event, attempts = "transaction waits for its markers", delivery.attempts
            if event is not None:
                told.append((event, f"{partition[0]}-{partition[1]} answered the marker with {code.name}"))
        if delivery.is_given_up:
            delivery.due.clear()
            delivery.again.clear()
            self._queue.pop(transactional_id, None)
        return told

    def _retry_later(self, transactional_id: str, delivery: Delivery, now_ms: int) -> None:
        wait_ms = min(RETRY_MS << min(delivery.attempts, 10), RETRY_MS_MAX)
        delivery.attempts += 1
        heapq.heappush(self._retries, (now_ms + wait_ms, next(self._order), transactional_id, delivery))

    def next_deadline_ms(self) -> int | None:
        """When something is due again."""
        while self._retries and not self._is_current(self._retries[0]):
            heapq.heappop(self._retries)
        return self._retries[0][0] if self._retries else None

    def _is_current(self, entry: tuple[int, int, str, Delivery]) -> bool:
        _, _, transactional_id, delivery = entry
        return self._deliveries.get(transactional_id) is delivery and bool(delivery.again)

    def advance(self, now_ms: int) -> None:
        """What waited for its next attempt is due."""
        while (due_ms := self.next_deadline_ms()) is not None and due_ms <= now_ms:
            _, _, transactional_id, delivery = heapq.heappop(self._retries)
            delivery.due.update(delivery.again)
            delivery.again.clear()
            self._queue[transactional_id] = None
