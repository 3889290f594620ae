"""Runs workloads against peers in turn: repetition by repetition, so that a slow minute of the machine hits all of
them.

Prior art: the scripts of most brokers measure one, then the other; on a shared machine that compares two minutes,
not two brokers. Invariants: whatever this file started has ended when `run` returns; a peer that fails loses its row
and nothing else; the disk's backlog of one repetition is written back before the next is measured.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, final

from benchmarks.failure import Failed, Skipped
from benchmarks.load import Load
from benchmarks.measure import Figure, Metrics, rss_mb, summarise
from benchmarks.peers import Broker, Peer
from benchmarks.workload import Case, Lifetime, Trial, Workload, scratch_name

DELETED_EARLY_BYTES = 256_000_000


@final
@dataclass(frozen=True, slots=True)
class Row:
    """What one peer did in one case: figures, or why there are none."""

    workload: str
    title: str
    case: str
    peer: str
    figures: dict[str, Figure] = field(default_factory=dict)
    failed: str = ""
    skipped: str = ""


class Progress(Protocol):
    def __call__(self, text: str) -> None: ...


@final
class Runner:
    """One run over chosen workloads and peers. Blocking; nothing but the measured processes runs beside it."""

    def __init__(
        self, peers: Sequence[Peer], load: Load, scratch: Path, *, repetitions: int, smoke: bool, progress: Progress
    ) -> None:
        self._peers = peers
        self._load = load
        self._scratch = scratch
        self._repetitions = repetitions
        self._smoke = smoke
        self._progress = progress
        self._shared: dict[str, Trial] = {}

    def run(self, workloads: Iterable[Workload[Any]]) -> Iterator[list[Row]]:
        """The rows of each case as soon as it is measured."""
        for workload in workloads:
            try:
                for case in workload.cases:
                    yield self._case(workload, case)
            finally:
                for name in list(self._shared):
                    self._end(self._shared.pop(name).broker)

    def _case(self, workload: Workload[Any], case: Case[Any]) -> list[Row]:
        peers = {peer.name: peer for peer in self._peers if case.peers is None or peer.name in case.peers}
        names = [*peers, *([workload.limit_is.value] if workload.limit else [])]
        runs: dict[str, list[Metrics]] = {name: [] for name in names}
        ended: dict[str, Row] = {}
        for repetition in range(self._repetitions):
            for name in names:
                if name in ended:
                    continue
                label = f"{workload.name} {case.name}".strip()
                self._progress(f"{label} · {name} · {repetition + 1}/{self._repetitions}")
                row = (workload.name, workload.title, case.name, name)
                try:
                    runs[name].append(self._once(workload, case, peers.get(name)))
                except Skipped as why:
                    ended[name] = Row(*row, skipped=str(why))
                except (Failed, OSError, ValueError, KeyError) as why:
                    ended[name] = Row(*row, failed=str(why) or type(why).__name__)
                    if name in self._shared:  # whatever state it is in, the next case deserves a healthy one
                        self._end(self._shared.pop(name).broker)
        return [
            ended.get(name) or Row(workload.name, workload.title, case.name, name, summarise(runs[name]))
            for name in names
        ]

    def _once(self, workload: Workload[Any], case: Case[Any], peer: Peer | None) -> Metrics:
        parameters = case.smoke if self._smoke else case.parameters
        if not self._smoke:
            os.sync()
        if peer is None:
            assert workload.limit is not None
            return workload.limit(self._load, parameters)
        with self._trial(workload.lifetime, peer) as trial:
            metrics = workload.once(trial, parameters)
            return metrics if "rss_mb" in metrics else {**metrics, "rss_mb": rss_mb(trial.broker.pid)}

    @contextlib.contextmanager
    def _trial(self, lifetime: Lifetime, peer: Peer) -> Iterator[Trial]:
        if lifetime is Lifetime.SHARED:
            if peer.name not in self._shared:
                self._shared[peer.name] = self._begin(peer, start=True)
            yield self._shared[peer.name]
            return
        trial = self._begin(peer, start=lifetime is Lifetime.FRESH)
        try:
            yield trial
        finally:
            self._end(trial.broker)

    def _begin(self, peer: Peer, *, start: bool) -> Trial:
        broker = peer.create(scratch_name(self._scratch, peer.name))
        try:
            if start:
                broker.start()
        except BaseException:
            self._end(broker)
            raise
        return Trial(broker, self._load, self._smoke)

    @staticmethod
    def _end(broker: Broker) -> None:
        broker.stop()
        folder = broker.data_dir.parent
        # A file system that has just deleted thousands of files is slow to make new ones: ext4 passes their inodes
        # over, one by one, for a minute. Who makes thousands next would be measured by it; small folders go at the end.
        if size_bytes(folder) > DELETED_EARLY_BYTES:
            shutil.rmtree(folder, ignore_errors=True)


def size_bytes(folder: Path) -> int:
    """What its files take on the disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
