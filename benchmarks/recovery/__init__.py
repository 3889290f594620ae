"""How soon does a broker take records again after `kill -9`? 4 GB in 6 partitions, then death, then a start.

From the start of the new process until a record is accepted in every partition. The data is in the page cache, as it is
when a process dies and its machine does not.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.measure import Metrics, pick
from benchmarks.raw_produce import Parameters as Fill
from benchmarks.raw_produce import send
from benchmarks.workload import Against, Case, Reach, Trial, Workload

TOPIC = "recovery"


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    fill: Fill
    wait_seconds: float = 150


def once(trial: Trial, parameters: Parameters) -> Metrics:
    trial.on_this_broker("fill", lambda: send(trial, parameters.fill, TOPIC))
    trial.broker.kill()
    trial.broker.launch()
    figures = trial.load.run(
        "ready",
        trial.broker,
        topic=TOPIC,
        partitions=parameters.fill.partitions,
        seconds=parameters.wait_seconds,
        since=trial.broker.started_unix_ns,
    )
    return pick(figures, "all_partitions_ms", "api_versions_ms")


WORKLOAD = Workload(
    name="recovery",
    title="after kill -9 with 4 GB in 6 partitions",
    cases=(
        Case(
            "",
            Parameters(Fill(total_bytes=4_000_000_000)),
            smoke=Parameters(Fill(total_bytes=20_000_000)),
            reaches=(Reach("all_partitions_ms", 1000, Against.NOTHING),),
        ),
    ),
    once=once,
)
