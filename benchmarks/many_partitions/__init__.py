"""What does a partition cost? A topic of thousands: how long until each is usable, and what memory each takes.

From CreateTopics until ListOffsets answers for every partition without an error; then Metadata of the whole topic.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.measure import Metrics, pick, rss_mb
from benchmarks.workload import Case, Lifetime, Reach, Trial, Workload


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    partitions: int


def once(trial: Trial, parameters: Parameters) -> Metrics:
    before = rss_mb(trial.broker.pid)
    figures = trial.load.run(
        "partitions", trial.broker, topic="many-partitions", partitions=parameters.partitions, timeout_s=300
    )
    after = rss_mb(trial.broker.pid)
    return {
        **pick(figures, "usable_s", "metadata_p50_us", "metadata_p99_us"),
        "rss_mb": after,
        "rss_kb_per_partition": (after - before) * 1024 / parameters.partitions,
    }


WORKLOAD = Workload(
    name="many_partitions",
    title="a topic of many partitions until each is usable",
    cases=tuple(
        Case(
            f"{partitions:,} partitions",
            Parameters(partitions),
            smoke=Parameters(partitions // 20),
            reaches=(Reach("usable_s", 0.1), Reach("rss_kb_per_partition", 0.2)),
        )
        for partitions in (1000, 5000)
    ),
    once=once,
    lifetime=Lifetime.FRESH,
)
