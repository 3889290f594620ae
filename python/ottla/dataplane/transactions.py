"""What crosses to the engine and back for transactions: questions, markers, producers.

A produce that writes in a transaction for the first time asks whether that is open: a ``Question`` comes up, and
``Plane.answer`` goes down. Markers go down many at a time and are written under the lock of each partition.
"""

from __future__ import annotations

from typing import NamedTuple

from ottla.errors import ErrorCode

__all__ = ["ActiveProducer", "MarkerRow", "Question"]


class Question(NamedTuple):
    """Is this transaction open on these partitions?"""

    question_id: int
    transactional_id: str
    producer_id: int
    producer_epoch: int
    add: bool
    """Whether the partitions are to be added to it (Produce from v12 on); or they must be in it already."""
    partitions: list[tuple[str, int]]
    """(topic, partition), each once."""


class MarkerRow(NamedTuple):
    """The end of a producer's transaction on one partition."""

    topic_id: bytes
    partition: int
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int
    """Leader epoch of the partition of ``__transaction_state`` that decided; an older one is refused."""
    is_committed: bool
    transaction_version: int
    """With 2 the epoch must be higher than that of the data, or else at least as high; repeated markers are fine."""


class ActiveProducer(NamedTuple):
    """A producer that a partition knows."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    """-1 when it is known by a marker alone."""
    last_timestamp_ms: int
    coordinator_epoch: int
    """-1 before its first marker."""
    transaction_start_offset: int
    """-1 when it has no transaction open."""


def refused_all(question: Question, code: ErrorCode) -> list[int]:
    """The same answer for each partition of a question."""
    return [code] * len(question.partitions)
