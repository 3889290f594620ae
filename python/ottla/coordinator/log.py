"""One partition of a coordinator's topic, as its coordinator sees the log: append and wait, or read it all once.

Prior art: Kafka's ``PartitionWriter`` and ``CoordinatorLoaderImpl``. There the coordinator builds batches and reads
them back; ours hands over keys and values, and whoever holds the log builds the batch, replicates it, and drops
superseded keys before anything is read here.

Invariants: a log is opened under one leader epoch, and whatever is asked of it under an older one fails and changes
nothing; appends are written in the order in which they were begun, each whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias, final

from ottla.errors import ErrorCode

__all__ = [
    "BATCH_OVERHEAD_BYTES",
    "NO_PRODUCER_ID",
    "RECORD_OVERHEAD_BYTES_MAX",
    "Appended",
    "CoordinatorLog",
    "CoordinatorLogs",
    "Intake",
    "LoadedRecord",
    "Loading",
    "LogError",
    "LogRecord",
    "Marker",
    "Opening",
    "Producer",
    "SentReply",
    "Verification",
    "refuses_producer",
]

NO_PRODUCER_ID: Final = -1

BATCH_OVERHEAD_BYTES: Final = 61
"""Header of a record batch, format 2."""
RECORD_OVERHEAD_BYTES_MAX: Final = 28
"""Of one record: its length, attributes, both deltas, the lengths of key and value, and no headers."""


class LogRecord(NamedTuple):
    """What is written: as it lies in the log."""

    key: bytes
    value: bytes | None
    """None is a tombstone."""
    timestamp_ms: int
    """Wall clock."""


class LoadedRecord(NamedTuple):
    """What is read back. Of each key the last value that counts: records of transactions that were committed count,
    those of aborted ones do not, and keys whose last value is a tombstone are left out. Records of a transaction that
    is still open come as they are, all of them, tombstones too, with the id of its producer; of a key among them the
    last value that counts comes even if it is a tombstone, since that may have deleted what is pending."""

    key: bytes
    value: bytes | None
    timestamp_ms: int
    offset: int
    """Where it is in the log: of two records of one key the one with the higher offset is the newer."""
    producer_id: int
    """Of the open transaction it belongs to; NO_PRODUCER_ID outside of transactions and when that was committed."""
    producer_epoch: int


class Producer(NamedTuple):
    """In whose transaction records are written."""

    producer_id: int
    producer_epoch: int
    guard: int | None
    """What ``CoordinatorLog.verification`` gave; None when the transaction was open on the partition then."""
    transaction_version: int
    """By whose rules: 2 for clients that leave it to the broker to add partitions (KIP-890)."""


class Opening(NamedTuple):
    """A producer's transaction that is open on a partition, by its coordinator's word, once records are committed."""

    topic: str
    partition: int
    producer_id: int
    producer_epoch: int


class SentReply(NamedTuple):
    """A response that whoever holds the log sends, once the records are committed."""

    request_id: int
    body: bytes


class Marker(NamedTuple):
    """The end of a producer's transaction on one partition."""

    producer_id: int
    producer_epoch: int
    coordinator_epoch: int
    """Leader epoch of the partition of ``__transaction_state`` that decided; an older one is refused."""
    is_committed: bool
    transaction_version: int


@final
class LogError(Exception):
    """The log did not do what it was asked. Kafka's code of ``ReplicaManager.appendRecords`` or of a read:
    NOT_LEADER_OR_FOLLOWER (also when the leader epoch is another now), UNKNOWN_TOPIC_OR_PARTITION,
    KAFKA_STORAGE_ERROR, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, MESSAGE_TOO_LARGE, REQUEST_TIMED_OUT."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(message or code.name)
        self.code: Final = code


class Intake(Protocol):
    """A part of a machine's state that the data plane fills itself when it reads a log, with the records of its kind,
    in the order of the log. Not to be looked at before the loading has ended."""

    def __len__(self) -> int:
        """How many records it holds."""


_REFUSALS: Final = frozenset(
    (
        ErrorCode.CONCURRENT_TRANSACTIONS,
        ErrorCode.INVALID_PRODUCER_EPOCH,
        ErrorCode.INVALID_TXN_STATE,
        ErrorCode.PRODUCER_FENCED,
        ErrorCode.TRANSACTION_ABORTABLE,
        ErrorCode.TRANSACTION_COORDINATOR_FENCED,
    )
)


def refuses_producer(code: ErrorCode) -> bool:
    """Did the log refuse this producer's batch, and write nothing? It takes others all the same."""
    return code in _REFUSALS


class Verification(Protocol):
    """A question to the state of a producer."""

    async def wait(self) -> int | None:
        """The guard to write with; None when the producer's transaction is open on the partition already: then nobody
        need be asked. Raises LogError, INVALID_PRODUCER_EPOCH for one that was replaced."""


Appended: TypeAlias = Callable[[LogError | None], None]
"""Called once, with None when the records are committed: the high watermark has passed them. After a LogError they may
be in the log all the same, or get there later."""


class Loading(Protocol):
    """A log that is being read from its start up to the end that it had when that began. Records come in the order of
    their offsets; the end is below the high watermark by then, since nobody may act on what could still be lost."""

    async def next(self) -> Sequence[LoadedRecord]:
        """Some more, a few hundred to a thousand; nothing at the end, and only there. Raises LogError."""

    def close(self) -> None:
        """Nobody wants the rest; frees what the reading holds. May be called at any time, and again."""


class CoordinatorLog(Protocol):
    """One partition under the leader epoch it was opened for."""

    def append(
        self,
        records: Sequence[LogRecord],
        timeout_ms: int,
        appended: Appended,
        producer: Producer | None = None,
        openings: Sequence[Opening] = (),
        replies: Sequence[SentReply] = (),
    ) -> None:
        """Begin to write them as one batch, with acks=all; returns at once. Never called without records. Fails with
        REQUEST_TIMED_OUT when they are not committed after ``timeout_ms``. With ``producer`` they are part of its
        transaction, and what its state refuses (``refuses_producer``) is not written. Of ``openings``, which go without
        one, those partitions that are led here know before ``appended`` is called, and need not ask; and ``replies``
        are sent by then. Nothing comes of either when the append fails."""

    def append_marker(self, marker: Marker, timeout_ms: int, appended: Appended) -> None:
        """Begin to write the end of a transaction; otherwise as ``append``."""

    def verification(self, producer_id: int, producer_epoch: int, transaction_version: int) -> Verification:
        """Begin the first write of a transaction: whoever coordinates it is asked between this and ``append``; a marker
        that comes in between makes the guard worthless (KIP-890)."""

    def load(self, intake: Intake | None) -> Loading:
        """Begin to read everything; returns at once. Of what ``intake`` takes nothing is read here."""


class CoordinatorLogs(Protocol):
    """The partitions of this broker."""

    def open(self, topic_id: bytes, partition: int, leader_epoch: int) -> CoordinatorLog:
        """The log of a partition. Returns at once, also for one that is not led here: that shows in its use."""
