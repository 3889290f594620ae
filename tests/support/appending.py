"""An append to a coordinator's log that a test waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from ottla.coordinator.log import CoordinatorLog, LogError, LogRecord, Marker, Producer


class _Ending:
    """Inside the Trio run."""

    def __init__(self) -> None:
        self._ended: Final = trio.Event()
        self._error: LogError | None = None

    def appended(self, error: LogError | None) -> None:
        assert not self._ended.is_set(), "an append has one end"
        self._error = error
        self._ended.set()

    async def wait(self) -> None:
        """Returns when it is committed. Raises LogError."""
        await self._ended.wait()
        if self._error is not None:
            raise self._error


class Appending(_Ending):
    """Begun when it is made."""

    def __init__(
        self, log: CoordinatorLog, records: Sequence[LogRecord], timeout_ms: int, producer: Producer | None = None
    ) -> None:
        super().__init__()
        log.append(records, timeout_ms, self.appended, producer)


class MarkerAppending(_Ending):
    """Begun when it is made."""

    def __init__(self, log: CoordinatorLog, marker: Marker, timeout_ms: int) -> None:
        super().__init__()
        log.append_marker(marker, timeout_ms, self.appended)
