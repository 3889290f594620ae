"""How soon is a record with its reader? One record at a time with acks=all, while a consumer's long poll waits.

From just before Produce is sent until the consumer has the record. A broker that wakes long polls by a timer, or
late, shows.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.measure import Metrics, pick
from benchmarks.workload import Case, Reach, Trial, Workload


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    records: int


def send(trial: Trial, parameters: Parameters) -> Metrics:
    return trial.load.run("end-to-end", trial.broker, topic=trial.topic("end-to-end"), count=parameters.records)


def once(trial: Trial, parameters: Parameters) -> Metrics:
    if not trial.smoke:
        trial.on_this_broker("warm-up", lambda: send(trial, parameters))
    figures = send(trial, parameters)
    return pick(figures, "p50_us", "p99_us", "p999_us", "cpu_us_per_request")


WORKLOAD = Workload(
    name="end_to_end",
    title="end to end, one record at a time, acks=all, consumer polling",
    cases=(Case("", Parameters(4000), smoke=Parameters(200), reaches=(Reach("p50_us", 0.5), Reach("p99_us", 0.5))),),
    once=once,
)
