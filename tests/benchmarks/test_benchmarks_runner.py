"""Repetitions take turns, what fails loses its row alone, and every broker that was made is ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.failure import Failed, Skipped
from benchmarks.load import Load
from benchmarks.measure import Metrics
from benchmarks.peers import Broker
from benchmarks.runner import Row, Runner
from benchmarks.workload import Against, Case, Lifetime, Trial, Workload


class FakeBroker:
    def __init__(self, peer: "FakePeer", directory: Path) -> None:
        self.peer = peer
        self.data_dir = directory / "data"
        self.bootstrap, self.pid, self.started_unix_ns = "127.0.0.1:1", 1, 0

    def launch(self) -> None:
        self.peer.log.append(f"{self.peer.name} starts")

    def start(self) -> None:
        self.launch()
        if self.peer.broken:
            raise Failed("it will not start")

    def stop(self) -> int:
        self.peer.log.append(f"{self.peer.name} stops")
        return 0

    def kill(self) -> None:
        self.stop()


class FakePeer:
    def __init__(self, name: str, log: list[str], *, broken: bool = False) -> None:
        self.name, self.log, self.broken = name, log, broken

    def prepare(self) -> str:
        return self.name

    def create(self, directory: Path) -> Broker:
        return FakeBroker(self, directory)


def workload(once: Callable[[Trial, int], Metrics], **more: Any) -> Workload[int]:
    return Workload("fake", "a fake", (Case("one", 1, 1), Case("two", 2, 2)), once, **more)


def run(tmp_path: Path, peers: list[FakePeer], what: Workload[int]) -> list[Row]:
    runner = Runner(
        peers, Load(Path("none"), tmp_path), tmp_path, repetitions=2, smoke=True, progress=lambda _text: None
    )
    return [row for rows in runner.run([what]) for row in rows]


def peer_of(trial: Trial) -> FakePeer:
    assert isinstance(trial.broker, FakeBroker)
    return trial.broker.peer


@pytest.mark.parametrize(("lifetime", "starts"), [(Lifetime.SHARED, 1), (Lifetime.FRESH, 4), (Lifetime.STOPPED, 0)])
def test_repetitions_take_turns(tmp_path: Path, lifetime: Lifetime, starts: int) -> None:
    log: list[str] = []

    def once(trial: Trial, parameters: int) -> Metrics:
        log.append(f"{peer_of(trial).name} {parameters}")
        return {"mb_s": float(len(log)), "rss_mb": 1.0}

    rows = run(tmp_path, [FakePeer("a", log), FakePeer("b", log)], workload(once, lifetime=lifetime))
    measured = [line for line in log if "st" not in line]
    assert measured == ["a 1", "b 1", "a 1", "b 1", "a 2", "b 2", "a 2", "b 2"]
    assert [(row.case, row.peer) for row in rows] == [("one", "a"), ("one", "b"), ("two", "a"), ("two", "b")]
    assert all(row.figures["mb_s"].count == 2 for row in rows)
    for name in ("a", "b"):
        assert log.count(f"{name} starts") == starts
        assert log.count(f"{name} stops") == max(starts, 4 if lifetime is Lifetime.STOPPED else 0)


def test_a_failure_loses_its_row_alone(tmp_path: Path) -> None:
    log: list[str] = []

    def once(trial: Trial, parameters: int) -> Metrics:
        if peer_of(trial).name == "b" and parameters == 1:
            raise Failed("wedged")
        return {"mb_s": 1.0, "rss_mb": 1.0}

    rows = run(tmp_path, [FakePeer("a", log), FakePeer("b", log)], workload(once))
    assert [(row.peer, row.case, row.failed) for row in rows] == [
        ("a", "one", ""),
        ("b", "one", "wedged"),
        ("a", "two", ""),
        ("b", "two", ""),
    ]
    assert log.count("b starts") == log.count("b stops") == 2, "what failed is not measured again"


def test_a_peer_that_does_not_start(tmp_path: Path) -> None:
    log: list[str] = []
    rows = run(tmp_path, [FakePeer("a", log, broken=True)], workload(lambda _trial, _parameters: {"mb_s": 1.0}))
    assert [row.failed for row in rows] == ["it will not start"] * 2
    assert log.count("a starts") == log.count("a stops") == 2


@pytest.mark.parametrize("limit_is", [Against.MACHINE, Against.KAFKA_PYTHON])
def test_skipped_and_limit_rows(tmp_path: Path, limit_is: Against) -> None:
    def once(_trial: Trial, _parameters: int) -> Metrics:
        raise Skipped("not for this one")

    limited = workload(once, limit=lambda _load, parameters: {"mb_s": parameters}, limit_is=limit_is)
    rows = run(tmp_path, [FakePeer("a", [])], limited)
    assert [(row.peer, row.skipped) for row in rows[:2]] == [("a", "not for this one"), (limit_is.value, "")]
    assert rows[3].figures["mb_s"].median == 2


def test_an_interrupt_ends_the_brokers(tmp_path: Path) -> None:
    log: list[str] = []

    def once(_trial: Trial, _parameters: int) -> Metrics:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, [FakePeer("a", log)], workload(once))
    assert log == ["a starts", "a stops"]
