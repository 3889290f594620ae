"""How soon is a broker there, and what does it hold when it idles? A start on an empty directory; and inside a process.

From the start of the process until ApiVersions is answered and until the first record is accepted in a topic made
for it. The directory of a peer that needs a separate format step is formatted before. In process:
`ottla.testing.Broker()` in an interpreter that has imported what a broker is made of (that is timed apart, Trio is half
of it), until the block is entered and it takes a connection.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import final

from benchmarks.measure import Metrics, pick, rss_mb
from benchmarks.processes import run
from benchmarks.toolchain import ROOT
from benchmarks.workload import Against, Case, Lifetime, Reach, Trial, Workload


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    idle_seconds: float
    in_process: bool = False


def once(trial: Trial, parameters: Parameters) -> Metrics:
    if parameters.in_process:
        script = Path(__file__).with_name("in_process.py")
        start: Metrics = json.loads(run([sys.executable, str(script)], timeout_s=60, cwd=ROOT))
        return start
    trial.broker.launch()
    figures = trial.load.run(
        "ready", trial.broker, topic="startup", partitions=1, seconds=60, since=trial.broker.started_unix_ns
    )
    time.sleep(parameters.idle_seconds)
    return {**pick(figures, "api_versions_ms", "first_record_ms"), "rss_mb": rss_mb(trial.broker.pid)}


WORKLOAD = Workload(
    name="startup",
    title="start",
    cases=(
        Case(
            "process, empty directory",
            Parameters(idle_seconds=8),
            smoke=Parameters(idle_seconds=0.2),
            reaches=(
                Reach("api_versions_ms", 350, Against.NOTHING),
                Reach("first_record_ms", 350, Against.NOTHING),
                Reach("rss_mb", 60, Against.NOTHING),
            ),
        ),
        Case(
            "in a running interpreter",
            Parameters(idle_seconds=0, in_process=True),
            smoke=Parameters(idle_seconds=0, in_process=True),
            reaches=(Reach("start_ms", 60, Against.NOTHING),),
            peers=("ottla",),
        ),
    ),
    once=once,
    lifetime=Lifetime.STOPPED,
)
