"""What is measured, in which unit, in which column it is shown, and how a process is looked at from outside."""

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import final

from benchmarks.failure import Failed

Metrics = dict[str, float]


@final
class Column(Enum):
    RESULT = "result"
    P50 = "p50"
    P99 = "p99"
    P999 = "p99.9"
    CPU = "broker CPU"
    MEMORY = "RSS"


@final
@dataclass(frozen=True, slots=True)
class Metric:
    unit: str
    column: Column
    more_is_better: bool = False
    word: str = ""
    """What it is called in a ratio, where its column does not say."""


METRICS: Mapping[str, Metric] = {
    "mb_s": Metric("MB/s", Column.RESULT, more_is_better=True),
    "gb_s": Metric("GB/s", Column.RESULT, more_is_better=True),
    "requests_s": Metric("requests/s", Column.RESULT, more_is_better=True),
    "decodes_s": Metric("decoded/s", Column.RESULT, more_is_better=True),
    "encodes_s": Metric("encoded/s", Column.RESULT, more_is_better=True),
    "heartbeats_s": Metric("heartbeats/s", Column.RESULT, more_is_better=True),
    "transactions_s": Metric("transactions/s", Column.RESULT, more_is_better=True),
    "retries_per_transaction": Metric("retries/transaction", Column.RESULT, word="retries"),
    "share_of_plain": Metric("× the same without transactions", Column.RESULT, more_is_better=True, word="share"),
    "stable_s": Metric("s until stable", Column.RESULT, word="time"),
    "settled_s": Metric("s of that from the first answer on", Column.RESULT, word="from the first answer"),
    "loaded_ms": Metric("ms until loaded", Column.RESULT, word="loaded"),
    "usable_s": Metric("s until usable", Column.RESULT, word="time"),
    "start_ms": Metric("ms to start", Column.RESULT, word="start"),
    "import_ms": Metric("ms to import it before", Column.RESULT, word="import"),
    "api_versions_ms": Metric("ms to first answer", Column.RESULT, word="first answer"),
    "first_record_ms": Metric("ms to first record", Column.RESULT, word="first record"),
    "all_partitions_ms": Metric("ms until all partitions take a record", Column.RESULT, word="all partitions"),
    "p50_us": Metric("µs", Column.P50),
    "p99_us": Metric("µs", Column.P99),
    "p999_us": Metric("µs", Column.P999),
    "metadata_p50_us": Metric("µs (Metadata)", Column.P50),
    "metadata_p99_us": Metric("µs (Metadata)", Column.P99),
    "cpu_s_per_gb": Metric("s/GB", Column.CPU, word="CPU"),
    "cpu_us_per_request": Metric("µs/request", Column.CPU, word="CPU"),
    "cpu_us_per_transaction": Metric("µs/transaction", Column.CPU, word="CPU"),
    "cpu_s": Metric("s", Column.CPU, word="CPU"),
    "cpu_percent": Metric("% of a core", Column.CPU, word="CPU"),
    "rss_mb": Metric("MiB", Column.MEMORY),
    "rss_kb_per_partition": Metric("KiB/partition", Column.MEMORY),
    "rss_kb_per_id": Metric("KiB/id", Column.MEMORY),
    "rss_kb_per_connection": Metric("KiB/connection", Column.MEMORY),
}


@final
@dataclass(frozen=True, slots=True)
class Figure:
    """The repetitions of one metric."""

    median: float
    low: float
    high: float
    count: int


def summarise(runs: Sequence[Metrics]) -> dict[str, Figure]:
    """Median, lowest and highest of each metric over the repetitions; all have the same metrics."""
    columns = {name: [run[name] for run in runs] for name in runs[0]}
    return {name: Figure(statistics.median(v), min(v), max(v), len(v)) for name, v in columns.items()}


def pick(figures: Mapping[str, float], *names: str) -> Metrics:
    return {name: figures[name] for name in names}


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, ended threads included; resolution 10 ms."""
    fields = _proc(pid, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Resident memory in MiB."""
    line = next(line for line in _proc(pid, "status").splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _proc(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError as error:
        raise Failed(f"process {pid} is gone: {error.strerror}") from None
