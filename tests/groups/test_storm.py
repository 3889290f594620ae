"""Many members at once keep nobody waiting: ``loop_lag`` of a broker with its sockets, its engine and its disk."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Final

import structlog
import trio

from ottla.config.load import load
from ottla.server.main import Server, Started
from tests.support.broker_process import PYTHON_PATH

MEMBERS: Final = 1000
SECONDS: Final = 6.0
LAG_MS_MAX: Final = 50.0
ROOT: Final = PYTHON_PATH.parent


def test_nobody_waits_long_while_a_large_group_joins(tmp_path: Path) -> None:
    settings = ["listeners=PLAINTEXT://127.0.0.1:0", f"log.dirs={tmp_path / 'data'}"]
    server = Server(load(None, [*settings, "group.initial.rebalance.delay.ms=500"]), structlog.get_logger())
    (tmp_path / "data").mkdir()
    serving = trio.Event()
    addresses: list[str] = []

    def started(what: Started) -> None:
        addresses.append(what.bootstrap_servers)
        serving.set()

    async def main() -> tuple[str, float, float]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve, started)
            await serving.wait()
            load = [f"--members={MEMBERS}", f"--seconds={SECONDS}", "--heartbeat-s=1"]
            done = await trio.run_process(
                [sys.executable, "-m", "tests.support.group_storm", addresses[0], *load],
                capture_stdout=True,
                env={"PYTHONPATH": f"{PYTHON_PATH}:{ROOT}"},
                cwd=ROOT,
            )
            lag = server.loop_lag
            figures = (done.stdout.decode(), lag.quantile_ms(0.999), lag.longest_ms)
            server.stop()
        return figures

    # As `ottla serve` does: what was made before, here by everything that pytest holds, is not looked through again.
    gc.collect()
    gc.freeze()
    try:
        printed, lag_ms, longest_ms = trio.run(main, strict_exception_groups=True)
    finally:
        gc.unfreeze()
    result = json.loads(printed)
    words = f"{printed.strip()}; loop_lag p99.9 {lag_ms:.1f} ms, longest {longest_ms:.1f} ms"
    assert result["lost"] == 0, words
    assert result["stable_s"] > 0, f"never were all members in one generation: {words}"
    assert result["heartbeats"] >= MEMBERS * 3, words
    assert lag_ms < LAG_MS_MAX, words
