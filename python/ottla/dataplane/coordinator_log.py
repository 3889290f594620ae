"""The logs of coordinators on the engine.

An append and a load are begun by a call that returns at once; both reach the engine in the order of the calls. What is
read comes portion by portion, the next one when it is asked for: what the coordinator did not take yet stays below.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, final

from ottla._core import OffsetTable
from ottla.coordinator.log import (
    Appended,
    Intake,
    LoadedRecord,
    LogError,
    LogRecord,
    Marker,
    Opening,
    Producer,
    SentReply,
)
from ottla.dataplane.plane import ClosedError, CommandFailedError, Plane, Result
from ottla.errors import ErrorCode

__all__ = ["PlaneCoordinatorLogs"]


class _Place(NamedTuple):
    """A partition under the leader epoch that its coordinator was elected with."""

    topic_id: bytes
    partition: int
    leader_epoch: int


@final
@dataclass(slots=True)
class PlaneCoordinatorLogs:
    """The partitions of this broker (``CoordinatorLogs`` of ``ottla.coordinator.log``)."""

    _plane: Plane
    _codec: int = 0
    """How batches are compressed, as in their attributes: 0 (none) to 4 (zstd). A topic's own codec goes before."""

    def open(self, topic_id: bytes, partition: int, leader_epoch: int) -> _Log:
        return _Log(self._plane, self._codec, _Place(topic_id, partition, leader_epoch))


@final
@dataclass(slots=True)
class _Log:
    plane: Plane
    codec: int
    place: _Place

    def append(
        self,
        records: Sequence[LogRecord],
        timeout_ms: int,
        appended: Appended,
        producer: Producer | None = None,
        openings: Sequence[Opening] = (),
        replies: Sequence[SentReply] = (),
    ) -> None:
        plane, place, codec = self.plane, self.place, self.codec
        if producer is None:
            self._write(
                lambda ticket: plane.engine.coordinator_append(
                    ticket, *place, records, codec, timeout_ms, openings, replies
                ),
                appended,
            )
            return
        writer = (producer.producer_id, producer.producer_epoch, producer.guard)
        self._write(
            lambda ticket: plane.engine.transactional_append(ticket, *place, records, codec, writer, timeout_ms),
            appended,
        )

    def append_marker(self, marker: Marker, timeout_ms: int, appended: Appended) -> None:
        plane, place = self.plane, self.place
        self._write(lambda ticket: plane.engine.coordinator_mark(ticket, *place, marker, timeout_ms), appended)

    def _write(self, send: Callable[[int], None], appended: Appended) -> None:
        def ended(value: Result, error: Exception | None) -> None:
            appended(_refusal(value, error))

        try:
            self.plane.begin(send, ended)
        except ClosedError as error:
            ended(None, error)

    def verification(self, producer_id: int, producer_epoch: int, transaction_version: int) -> _Verification:
        # Its version matters for sequences alone, which coordinators do not have.
        del transaction_version
        plane, place = self.plane, self.place
        return _Verification(
            _begin(plane, lambda ticket: plane.engine.coordinator_claim(ticket, *place, producer_id, producer_epoch))
        )

    def load(self, intake: Intake | None) -> _Loading:
        assert intake is None or isinstance(intake, OffsetTable), "the engine knows no other"
        return _Loading(self.plane, self.place, intake)


@final
@dataclass(slots=True)
class _Verification:
    """A guard that is being taken."""

    wait_for: Callable[[], Awaitable[Result]]

    async def wait(self) -> int | None:
        rows = await _rows(self.wait_for)
        return rows[0] if rows else None


@final
class _Loading:
    """A log that is being read."""

    def __init__(self, plane: Plane, place: _Place, intake: OffsetTable | None) -> None:
        self._plane: Final = plane
        self._load: int | None = None
        """Names it below; None when it could not be begun, or was closed."""
        self._ended = False

        def send(ticket: int) -> None:
            plane.engine.coordinator_load(ticket, *place, intake, plane.zero_ms)
            self._load = ticket

        _begin(plane, send)

    async def next(self) -> Sequence[LoadedRecord]:
        if self._ended:
            return ()
        load = self._load
        if load is None:
            raise LogError(ErrorCode.NOT_LEADER_OR_FOLLOWER, "this load was closed")
        plane = self._plane
        rows = await _rows(_begin(plane, lambda ticket: plane.engine.coordinator_next(ticket, load)))
        self._ended = not rows
        return list(map(LoadedRecord._make, rows))

    def close(self) -> None:
        load, self._load = self._load, None
        if load is not None:
            plane = self._plane
            _begin(plane, lambda ticket: plane.engine.coordinator_close(ticket, load))


def _begin(plane: Plane, send: Callable[[int], None]) -> Callable[[], Awaitable[Result]]:
    """Sends a command; that the data plane was closed shows when it is waited for."""
    try:
        return plane.submit(send)
    except ClosedError as error:
        return _Closed(error).value


@final
@dataclass(slots=True)
class _Closed:
    error: ClosedError

    async def value(self) -> Result:
        raise self.error


async def _rows(wait_for: Callable[[], Awaitable[Result]]) -> Sequence[Result]:
    try:
        value, error = await wait_for(), None
    except (ClosedError, CommandFailedError) as raised:
        value, error = None, raised
    refusal = _refusal(value, error)
    if refusal is not None:
        raise refusal from error
    _code, _message, rows = value
    answered: Sequence[Result] = rows
    return answered


def _refusal(value: Result, error: Exception | None) -> LogError | None:
    """Why a command of this log came to nothing; None when it did not."""
    if isinstance(error, ClosedError):
        return LogError(ErrorCode.NOT_LEADER_OR_FOLLOWER, str(error))
    if error is not None:
        return LogError(ErrorCode.UNKNOWN_SERVER_ERROR, str(error))
    code, message, _rows = value
    return None if code == ErrorCode.NONE else LogError(ErrorCode(code), message)
