"""Writes ends of transactions into partitions, wherever those are.

Prior art: the two halves of Kafka's ``handleWriteTxnMarkersRequest``. Partitions of ``__consumer_offsets`` belong to
the group coordinator, which completes what is pending; all others are the data plane's.

Invariant: answers come when the marker is committed, or with the reason why it is not known to be.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, final

import trio

from ottla.coordinator.machine import CoordinatorError
from ottla.dataplane.plane import ClosedError, CommandFailedError
from ottla.dataplane.transactions import MarkerRow
from ottla.errors import ErrorCode
from ottla.groups.coordinator import GROUP_TOPIC, GroupCoordinator

if TYPE_CHECKING:
    from ottla.api.broker import MetadataCache
    from ottla.coordinator.log import Marker
    from ottla.transactions.delivery import PlacedMarker

__all__ = ["AppendMarkers", "MarkerWriter"]

AppendMarkers: TypeAlias = Callable[[Sequence[MarkerRow], int], Callable[[], Awaitable[Sequence[int]]]]
"""``Plane.begin_append_markers``"""

_NOT_READY: Final = frozenset(
    (
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
    )
)


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
        """See ``WriteMarkers``. Partitions that this broker does not lead: NOT_LEADER_OR_FOLLOWER."""
        topics = self._metadata().image.topics
        codes = [ErrorCode.UNKNOWN_TOPIC_ID] * len(placed)
        rows: list[tuple[int, MarkerRow]] = []
        marks: list[tuple[int, tuple[int, Marker]]] = []
        for index, (name, partition, marker) in enumerate(placed):
            topic = topics.named(name)
            if topic is None or not 0 <= partition < len(topic.partitions):
                continue
            if name == GROUP_TOPIC:
                marks.append((index, (partition, marker)))
            else:
                rows.append((index, MarkerRow(topic.topic_id, partition, *marker)))
        if rows:
            begun = self._begun([row for _, row in rows])
        if marks:
            outcomes = await self._groups.mark([mark for _, mark in marks])
            for (index, _), outcome in zip(marks, outcomes, strict=True):
                codes[index] = ErrorCode.NONE if outcome is None else _of_leader(outcome)
        if rows:
            for (index, _), code in zip(rows, await begun(), strict=True):
                codes[index] = ErrorCode(code)
        return codes

    def _begun(self, rows: Sequence[MarkerRow]) -> Callable[[], Awaitable[Sequence[int]]]:
        async def failed() -> Sequence[int]:
            await trio.lowlevel.checkpoint()
            return [ErrorCode.NOT_LEADER_OR_FOLLOWER] * len(rows)

        try:
            begun = self._append(rows, self._timeout_ms)
        except ClosedError:
            return failed

        async def wait() -> Sequence[int]:
            try:
                return await begun()
            except (ClosedError, CommandFailedError):
                return await failed()

        return wait


def _of_leader(error: CoordinatorError) -> ErrorCode:
    """The transaction coordinator knows leaders of partitions, and none of groups."""
    return ErrorCode.NOT_LEADER_OR_FOLLOWER if error.code in _NOT_READY else error.code
