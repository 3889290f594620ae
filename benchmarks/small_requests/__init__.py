"""What does one request cost? Produce of one record of 100 bytes, one request in flight on each connection.

Here the broker's path around the record is everything: reading a frame, waking a thread, answering. The limit is a
server of one thread that echoes.
"""

from dataclasses import dataclass, replace
from typing import final

from benchmarks.load import Load
from benchmarks.measure import Metrics, pick
from benchmarks.workload import Against, Case, Reach, Trial, Workload


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    connections: int
    seconds: float
    kind: str = "produce"
    record_bytes: int = 100
    partitions: int = 6


WARM_UP_SECONDS = 10
"""Once in a broker's life: a just-in-time compiler needs tens of thousands of requests of a kind."""


def once(trial: Trial, parameters: Parameters) -> Metrics:
    if not trial.smoke:
        warm = replace(parameters, connections=8, seconds=WARM_UP_SECONDS)
        trial.on_this_broker(f"warm-up {parameters.kind}", lambda: send(trial, warm))
    return _shown(send(trial, parameters))


def send(trial: Trial, parameters: Parameters) -> Metrics:
    return trial.load.run(
        "requests",
        trial.broker,
        kind=parameters.kind,
        topic=f"small-requests-{parameters.partitions}",
        partitions=parameters.partitions,
        connections=parameters.connections,
        record_bytes=parameters.record_bytes,
        seconds=parameters.seconds,
        warm_up=parameters.seconds / 4,
    )


def limit(load: Load, parameters: Parameters) -> Metrics:
    with load.echo() as echo:
        return _shown(
            load.run(
                "requests",
                echo,
                kind=f"{parameters.kind}/echo",
                connections=parameters.connections,
                record_bytes=parameters.record_bytes,
                seconds=parameters.seconds,
                warm_up=parameters.seconds / 4,
            )
        )


def _shown(figures: Metrics) -> Metrics:
    return pick(figures, "requests_s", "p50_us", "p99_us", "p999_us", "cpu_us_per_request")


def case(connections: int, faster: float, cpu_us: float) -> Case[Parameters]:
    return Case(
        f"{connections} connection{'s' if connections > 1 else ''}",
        Parameters(connections, seconds=4),
        smoke=Parameters(connections, seconds=0.3),
        reaches=(
            Reach("requests_s", faster),
            Reach("p99_us", 0.5),
            Reach("cpu_us_per_request", cpu_us, Against.NOTHING),
        ),
    )


WORKLOAD = Workload(
    name="small_requests",
    title="one-record (100 B) Produce, one in flight on each connection",
    cases=(case(1, 2, 50), case(8, 2.5, 20), case(64, 2, 15)),
    once=once,
    limit=limit,
)
