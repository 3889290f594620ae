"""One table, the same columns for every peer, and the ratio that counts: Markdown for people, JSON for programs."""

import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from benchmarks.measure import METRICS, Column, Figure
from benchmarks.runner import Row
from benchmarks.workload import Against, Reach, Workload

README = Path(__file__).with_name("README.md")
OURS = "ottla"
OF = {Against.KAFKA: "", Against.MACHINE: " of the machine", Against.KAFKA_PYTHON: " of kafka-python"}


@final
@dataclass(frozen=True, slots=True)
class Run:
    """One run, as it is kept."""

    command: str
    when: str
    repetitions: int
    smoke: bool
    machine: str
    versions: Mapping[str, str]
    rows: Sequence[Row]


def machine() -> str:
    """The machine in words: what a reader needs to place the absolute figures."""
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    processor = found.group(1) if found else platform.machine()
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} × {processor}, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}, {python}"


def number(value: float) -> str:
    """Three digits, and no more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def figure(found: Figure, unit: str) -> str:
    low, middle, high = number(found.low), number(found.median), number(found.high)
    return f"{middle} {unit}" if low == high else f"{middle} ({low}–{high}) {unit}"


def markdown(rows: Sequence[Row], workloads: Iterable[Workload[Any]]) -> str:
    """The table: a row for each case and peer. Figures are the median (lowest–highest) of the repetitions."""
    reaches = {(w.name, case.name): case.reaches for w in workloads for case in w.cases}
    heads = ["workload", "peer", *(column.value for column in Column), "against Kafka (reach)"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    seen: set[tuple[str, str]] = set()
    for row in rows:
        case = (row.workload, row.case)
        title = "" if case in seen else ", ".join(filter(None, (row.title, row.case)))
        seen.add(case)
        cells = [title, row.peer, *_cells(row)]
        if row.peer == OURS and row.figures:
            beside = {r.peer: r for r in rows if (r.workload, r.case) == case}
            cells[-1] = "<br>".join(_reached(reach, beside) for reach in reaches.get(case, ()))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    cells = dict.fromkeys(Column, "")
    if row.failed or row.skipped:
        cells[Column.RESULT] = f"**fails**: {row.failed}" if row.failed else f"skipped: {row.skipped}"
    for column in Column:
        shown = [figure(f, METRICS[name].unit) for name, f in row.figures.items() if METRICS[name].column is column]
        cells[column] = cells[column] or "<br>".join(shown)
    return [*cells.values(), ""]


def _reached(reach: Reach, beside: Mapping[str, Row]) -> str:
    metric = METRICS[reach.metric]
    ours = beside[OURS].figures[reach.metric].median
    bound = f"{'≥' if metric.more_is_better else '≤'} {number(reach.bound)}"
    if reach.against is Against.NOTHING:
        value, shown = ours, f"{_word(reach.metric)} {number(ours)} {metric.unit.split()[0]}"
        sign = ""
    else:
        other = beside.get(reach.against.value)
        if other is None or reach.metric not in other.figures:
            return f"{_word(reach.metric)}: nothing to compare with ({bound}×)"
        theirs = other.figures[reach.metric].median
        if theirs <= 0:
            return f"{_word(reach.metric)}: {number(ours)} to {number(theirs)} ({bound}×)"
        value, sign = ours / theirs, "×"
        shown = f"{_word(reach.metric)} {number(value)}×{OF[reach.against]}"
    met = value >= reach.bound if metric.more_is_better else value <= reach.bound
    return f"{'✓' if met else '✗'} {shown} ({bound}{sign})"


def _word(name: str) -> str:
    metric = METRICS[name]
    return metric.word or (metric.unit if metric.column in (Column.RESULT, Column.MEMORY) else metric.column.value)


def document(run: Run, workloads: Sequence[Workload[Any]]) -> str:
    """What the README shows of a run."""
    size = "tiny smoke run, its figures mean nothing" if run.smoke else f"median (lowest–highest) of {run.repetitions}"
    facts = [f"`{run.command}`, {run.when}: {size}.", run.machine + ".", "; ".join(run.versions.values()) + "."]
    return "\n".join([*facts, "", markdown(run.rows, workloads)])


def save(run: Run, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(run), indent=1) + "\n")


def marks(block: str) -> tuple[str, str]:
    """The lines around a table in the README: each block is one run."""
    return f"<!-- results of {block}: begin -->", f"<!-- results of {block}: end -->"


def write_readme(text: str, block: str, readme: Path = README) -> None:
    """Put a run's table where the README keeps it; what a person wrote around it stays."""
    first, last = marks(block)
    before, begin, rest = readme.read_text().partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"{readme} has no {first} … {last}")
    readme.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")
