"""What does a connected client that has nothing to do cost? Thousands of connections, each with a long poll that waits.

Each asks ApiVersions first, as clients do. Memory is what the broker's RSS grew by; CPU is what it used while all of
them waited.
"""

import time
from dataclasses import dataclass
from typing import final

from benchmarks.measure import Metrics, cpu_seconds, rss_mb
from benchmarks.workload import Case, Lifetime, Reach, Trial, Workload


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    connections: int
    settle_seconds: float
    watch_seconds: float


def once(trial: Trial, parameters: Parameters) -> Metrics:
    pid = trial.broker.pid
    time.sleep(parameters.settle_seconds)
    before = rss_mb(pid)
    with trial.load.held("idle", trial.broker, topic="idle", count=parameters.connections):
        time.sleep(parameters.settle_seconds)
        held, used = rss_mb(pid), cpu_seconds(pid)
        time.sleep(parameters.watch_seconds)
        used = cpu_seconds(pid) - used
    return {
        "cpu_percent": 100 * used / parameters.watch_seconds,
        "rss_mb": held,
        "rss_kb_per_connection": (held - before) * 1024 / parameters.connections,
    }


WORKLOAD = Workload(
    name="idle_connections",
    title="idle connections with a long poll each",
    cases=(
        Case(
            "2,000 connections",
            Parameters(2000, settle_seconds=2, watch_seconds=10),
            smoke=Parameters(100, settle_seconds=0.2, watch_seconds=0.5),
            reaches=(Reach("rss_kb_per_connection", 1), Reach("cpu_percent", 0.1)),
        ),
    ),
    once=once,
    lifetime=Lifetime.FRESH,
)
