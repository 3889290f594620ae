"""What operators are told of ``loop_lag``."""

from __future__ import annotations

from typing import Any

import structlog
import trio
import trio.testing

from ottla.coordinator.slices import LoopLag
from ottla.server.lag import WATCHED_S, watch


def lines(pass_ms: int, minutes: int) -> list[dict[str, Any]]:
    """The log, after passes of that length in a fiftieth of each minute."""
    worked_s = 0.0
    lag = LoopLag(lambda: worked_s)
    clock = trio.testing.MockClock(autojump_threshold=0)

    async def main() -> None:
        nonlocal worked_s
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, lag, structlog.get_logger())
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(minutes):
                for _ in range(1_200 // pass_ms if pass_ms else 0):
                    worked_s += pass_ms / 1000
                    await trio.lowlevel.checkpoint()
                await trio.sleep(WATCHED_S + 1)
            nursery.cancel_scope.cancel()

    with structlog.testing.capture_logs() as told:
        trio.run(main, clock=clock, instruments=[lag])
    return [dict(line) for line in told]


def test_long_waits_are_a_warning() -> None:
    (line,) = lines(100, minutes=1)
    assert line["log_level"] == "warning"
    assert line["event"] == "requests wait for the control plane"
    assert line["loop_lag_p999_ms"] > 50
    assert line["on_core_percent"] < line["busy_percent"]


def test_short_ones_are_told_now_and_then() -> None:
    (line,) = lines(2, minutes=11)
    assert line["log_level"] == "info"
    assert 1 < line["loop_lag_p999_ms"] < 5


def test_who_has_nothing_to_do_says_nothing() -> None:
    assert lines(0, minutes=11) == []
