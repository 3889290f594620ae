"""What do open transactions cost? One of one record for each of 10,000 transactional ids, all open at once.

Memory is what the broker's RSS grew by, and what it is. Then a clean stop: from the start of the process until the
coordinator in every partition of `__transaction_state` says what is open; each id is asked about after that. Meanwhile
another connection asks for Metadata again and again.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.measure import Metrics, pick, rss_mb
from benchmarks.workload import Case, Lifetime, Reach, Trial, Workload

TOPIC = "transactional-ids"
PARTITIONS = 6
WAIT_SECONDS = 150


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    ids: int


def once(trial: Trial, parameters: Parameters) -> Metrics:
    ids = parameters.ids
    before = rss_mb(trial.broker.pid)
    trial.load.run("open-transactions", trial.broker, topic=TOPIC, partitions=PARTITIONS, count=ids, connections=8)
    after = rss_mb(trial.broker.pid)
    trial.broker.stop()
    trial.broker.launch()
    figures = trial.load.run(
        "described",
        trial.broker,
        topic=TOPIC,
        partitions=PARTITIONS,
        count=ids,
        seconds=WAIT_SECONDS,
        since=trial.broker.started_unix_ns,
    )
    return {
        **pick(figures, "loaded_ms", "api_versions_ms", "metadata_p50_us", "metadata_p99_us"),
        "rss_mb": after,
        "rss_kb_per_id": (after - before) * 1024 / ids,
    }


WORKLOAD = Workload(
    name="transactional_ids",
    title="open transactions of many transactional ids, and a start with them",
    cases=(
        Case(
            "10,000 ids",
            Parameters(10_000),
            smoke=Parameters(50),
            reaches=(Reach("rss_mb", 0.25), Reach("rss_kb_per_id", 0.25), Reach("loaded_ms", 0.5)),
        ),
    ),
    once=once,
    lifetime=Lifetime.FRESH,
)
