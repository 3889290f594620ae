"""How fast does a broker give back what was committed? One transaction of ten is aborted.

Each transaction wrote 60 records of 1 KiB to each of 6 partitions. Raw Fetch of 1 MiB answers, as `raw_fetch` but
read_committed; and through franz-go, which leaves out what the broker says was aborted: the run fails when one such
record comes through, or one that was committed does not.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.measure import Metrics, pick
from benchmarks.workload import Case, Reach, Trial, Workload

TOPIC = "read-committed"
RECORD_BYTES = 1024
BATCH_RECORDS = 60
PARTITIONS = 6
COMMITTED_OF_TEN = 9
ANSWER_BYTES = 1 << 20


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    through: str
    transactions: int
    """A multiple of ten."""
    seconds: float = 4

    @property
    def records(self) -> int:
        """Committed and aborted."""
        return self.transactions * PARTITIONS * BATCH_RECORDS


def once(trial: Trial, parameters: Parameters) -> Metrics:
    trial.on_this_broker("fill", lambda: fill(trial, parameters))
    if parameters.through == "client":
        return consume(trial, parameters)
    figures = trial.load.run(
        "fetch",
        trial.broker,
        kind="read-committed",
        topic=TOPIC,
        partitions=PARTITIONS,
        total_bytes=int(parameters.records * RECORD_BYTES * 0.9),
        answer_bytes=ANSWER_BYTES,
        seconds=parameters.seconds,
        warm_up=parameters.seconds / 4,
    )
    return pick(figures, "gb_s", "p50_us", "p99_us", "p999_us", "cpu_s_per_gb")


def fill(trial: Trial, parameters: Parameters) -> None:
    trial.load.run(
        "fill",
        trial.broker,
        topic=TOPIC,
        partitions=PARTITIONS,
        count=parameters.transactions,
        records=BATCH_RECORDS,
        record_bytes=RECORD_BYTES,
    )
    if not trial.smoke:
        consume(trial, parameters)  # warms up both ways


def consume(trial: Trial, parameters: Parameters) -> Metrics:
    figures = trial.load.run(
        "consume",
        trial.broker,
        topic=TOPIC,
        partitions=PARTITIONS,
        count=parameters.records * COMMITTED_OF_TEN // 10,
        record_bytes=RECORD_BYTES,
    )
    return pick(figures, "mb_s", "cpu_s_per_gb")


WORKLOAD = Workload(
    name="read_committed",
    title="read committed, one transaction of ten aborted",
    cases=(
        Case(
            "raw fetch, 1 connection",
            Parameters("raw", transactions=4_000),
            smoke=Parameters("raw", transactions=20, seconds=0.2),
            reaches=(Reach("gb_s", 1.2),),
        ),
        Case(
            "franz-go",
            Parameters("client", transactions=4_000),
            smoke=Parameters("client", transactions=20),
            reaches=(Reach("mb_s", 1.2),),
        ),
    ),
    once=once,
)
