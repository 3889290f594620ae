"""Writes ends of transactions into partitions, wherever those are.

Prior art: the two halves of Kafka's ``handleWriteTxnMarkersRequest``. Partitions of ``__consumer_offsets`` belong to
the group coordinator, which completes what is pending; all others are the data plane's.

Invariant: answers come when the marker is committed, or with the reason why it is not known to be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import trio

from ottla.coordinator.machine import CoordinatorError, Reply
from ottla.dataplane.plane import ClosedError
from ottla.dataplane.transactions import MarkerRow
from ottla.errors import ErrorCode
from ottla.groups.coordinator import GROUP_TOPIC, GroupCoordinator

if TYPE_CHECKING:
    from ottla.api.broker import MetadataCache
    from ottla.coordinator.log import Marker
    from ottla.transactions.delivery import PlacedMarker

__all__ = ["AppendMarkers", "MarkerWriter"]

AppendMarkers: TypeAlias = Callable[[Sequence[MarkerRow], int, Callable[[Any, Exception | None], None]], None]
"""``Plane.begin_append_markers``"""

_NOT_READY: Final = frozenset(
    (
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
    )
)


@final
class _Codes:
    """What comes of markers, part by part."""

    __slots__ = ("_all", "_parts", "_written")

    def __init__(self, count: int, parts: int, written: Callable[[Sequence[ErrorCode]], None]) -> None:
        self._all = [ErrorCode.UNKNOWN_TOPIC_ID] * count
        self._parts = parts
        self._written = written

    def begin(self) -> None:
        """Where nothing is to be written, that is all."""
        if not self._parts:
            self._written(self._all)

    def appended(self, indexes: Sequence[int], value: Sequence[int], error: Exception | None) -> None:
        """A part: what the data plane says of some."""
        for place, index in enumerate(indexes):
            self._all[index] = ErrorCode.NOT_LEADER_OR_FOLLOWER if error is not None else ErrorCode(value[place])
        self._ended()

    def marked(self, index: int, reply: Reply[None]) -> None:
        """A part: what the group coordinator says of one."""
        try:
            reply.result()
            self._all[index] = ErrorCode.NONE
        except CoordinatorError as error:
            self._all[index] = _of_leader(error)
        self._ended()

    def _ended(self) -> None:
        self._parts -= 1
        if not self._parts:
            self._written(self._all)


@final
class MarkerWriter:
    """Of one broker."""

    def __init__(
        self,
        metadata: Callable[[], MetadataCache],
        groups: GroupCoordinator,
        append: AppendMarkers,
        timeout_ms: int,
    ) -> None:
        self._metadata = metadata
        self._groups = groups
        self._append = append
        self._timeout_ms = timeout_ms

    async def write(self, placed: Sequence[PlacedMarker]) -> Sequence[ErrorCode]:
        """As ``begin``, and waits."""
        done, told = trio.Event(), list[ErrorCode]()

        def written(codes: Sequence[ErrorCode]) -> None:
            told.extend(codes)
            done.set()

        self.begin(placed, written)
        await done.wait()
        return told

    def begin(self, placed: Sequence[PlacedMarker], written: Callable[[Sequence[ErrorCode]], None]) -> None:
        """See ``BeginMarkers``. Partitions that this broker does not lead: NOT_LEADER_OR_FOLLOWER."""
        topics = self._metadata().image.topics
        rows: list[MarkerRow] = []
        indexes: list[int] = []
        marks: list[tuple[int, tuple[int, Marker]]] = []
        topic, of = None, ""
        for index, (name, partition, marker) in enumerate(placed):
            if name != of:
                topic, of = topics.named(name), name
            if topic is None or not 0 <= partition < len(topic.partitions):
                continue
            if name == GROUP_TOPIC:
                marks.append((index, (partition, marker)))
            else:
                rows.append(MarkerRow(topic.topic_id, partition, *marker))
                indexes.append(index)
        codes = _Codes(len(placed), len(marks) + bool(rows), written)
        codes.begin()
        if rows:
            ended = partial(codes.appended, indexes)
            try:
                self._append(rows, self._timeout_ms, ended)
            except ClosedError as error:
                ended((), error)
        for (index, _), reply in zip(marks, self._groups.begin_marks([mark for _, mark in marks]), strict=True):
            reply.when_settled(partial(codes.marked, index, reply))


def _of_leader(error: CoordinatorError) -> ErrorCode:
    """The transaction coordinator knows leaders of partitions, and none of groups."""
    return ErrorCode.NOT_LEADER_OR_FOLLOWER if error.code in _NOT_READY else error.code
