"""Tells operators how long requests wait for the thread that runs the control plane: ``loop_lag`` of a running broker.

Invariant: a line in ten minutes, for a broker that has something to do, and one a minute while requests wait for long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from ottla.coordinator.slices import Lag, LoopLag

__all__ = ["LAG_MS_MAX", "WATCHED_S", "watch"]

WATCHED_S: Final = 60.0
TOLD_EVERY: Final = 10
"""Minutes."""
BUSY_MIN: Final = 0.001
LAG_MS_MAX: Final = 50.0
"""One request in a thousand may wait longer: so much is left of the margin of every timer."""


async def watch(lag: LoopLag, log: FilteringBoundLogger) -> None:
    """Until cancelled."""
    minutes, long = 0, lag.mark()
    while True:
        mark = lag.mark()
        await trio.sleep(WATCHED_S)
        minutes += 1
        was = lag.since(mark)
        if was.p999_ms > LAG_MS_MAX:
            log.warning("requests wait for the control plane", **_figures(was))
        if minutes % TOLD_EVERY == 0:
            was, long = lag.since(long), lag.mark()
            if was.busy >= BUSY_MIN:
                log.info("loop lag", **_figures(was))


def _figures(lag: Lag) -> dict[str, float]:
    return {
        "loop_lag_p999_ms": round(lag.p999_ms, 1),
        "loop_lag_longest_ms": round(lag.longest_ms, 1),
        "busy_percent": round(100 * lag.busy, 1),
        "on_core_percent": round(100 * lag.on_core, 1),
    }
