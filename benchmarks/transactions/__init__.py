"""What does a transaction cost? Each of one record, committed, one after the other by each producer.

Through a client, franz-go with its defaults, in the protocol that it and the broker agree on; and by raw requests of
the protocol before KIP-890: AddPartitionsToTxn v3, Produce v9, EndTxn v3. What is refused because the transaction
before is not complete is asked again after 1 ms; clients wait 20 ms and more.
"""

from dataclasses import dataclass, replace
from typing import final

from benchmarks.measure import Metrics, pick
from benchmarks.workload import Against, Case, Reach, Trial, Workload

WARM_UP_SECONDS = 10
"""Once in a broker's life, as for small requests."""


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    kind: str
    producers: int
    seconds: float
    partitions: int = 6
    record_bytes: int = 100


def once(trial: Trial, parameters: Parameters) -> Metrics:
    if not trial.smoke:
        warm = replace(parameters, producers=10, seconds=WARM_UP_SECONDS)
        trial.on_this_broker(f"warm-up {parameters.kind}", lambda: commit(trial, warm))
    figures = commit(trial, parameters)
    repeated = ("retries_per_transaction",) if parameters.kind == "raw" else ()
    return pick(figures, "transactions_s", *repeated, "p50_us", "p99_us", "p999_us", "cpu_us_per_transaction")


def commit(trial: Trial, parameters: Parameters) -> Metrics:
    return trial.load.run(
        "transactions",
        trial.broker,
        kind=parameters.kind,
        topic="transactions",
        partitions=parameters.partitions,
        count=parameters.producers,
        record_bytes=parameters.record_bytes,
        seconds=parameters.seconds,
        warm_up=parameters.seconds / 4,
    )


def case(name: str, kind: str, producers: int, *reaches: Reach) -> Case[Parameters]:
    return Case(
        f"{name}, {producers} producer{'s' if producers > 1 else ''}",
        Parameters(kind, producers, seconds=4),
        smoke=Parameters(kind, min(producers, 2), seconds=0.2),
        reaches=reaches,
    )


CPU = Reach("cpu_us_per_transaction", 0.25)

WORKLOAD = Workload(
    name="transactions",
    title="transactions of one record (100 B)",
    cases=(
        case("franz-go", "client", 1, Reach("transactions_s", 6), CPU),
        case("franz-go", "client", 10, Reach("transactions_s", 4), CPU),
        case(
            "raw requests",
            "raw",
            1,
            Reach("transactions_s", 3),
            Reach("retries_per_transaction", 0, Against.NOTHING),
        ),
        case("raw requests", "raw", 10, Reach("transactions_s", 3)),
    ),
    once=once,
)
