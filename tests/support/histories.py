"""What simulated histories share: processes that live, crash and pause, and how histories are played and told.

A history is everything that happens from one seed. What may happen, and what has to hold, is the business of each kind;
see ``tests.groups.classic_histories``, ``tests.groups.consumer_histories`` and ``tests.transactions.histories``.

Prior art: TigerBeetle's ``vopr``, Kafka's ``RaftEventSimulationTest``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Generic, Protocol, TypeVar, final

__all__ = ["Crowd", "History", "main", "play"]


class Process(Protocol):
    """A client's process."""

    is_alive: bool
    paused_until_ms: int
    waits_for: int | None
    """The number of the request whose answer it waits for."""


ProcessT = TypeVar("ProcessT", bound=Process)


@final
class Crowd(Generic[ProcessT]):
    """The processes of a history, dead ones too."""

    def __init__(self, rng: Random) -> None:
        self.all: list[ProcessT] = []
        self._rng = rng

    def living(self) -> list[ProcessT]:
        return [process for process in self.all if process.is_alive]

    def any_living(self) -> ProcessT | None:
        living = self.living()
        return self._rng.choice(living) if living else None

    def any_ready(self, now_ms: int) -> ProcessT | None:
        """One that waits for nothing."""
        ready = [each for each in self.living() if each.waits_for is None and each.paused_until_ms <= now_ms]
        return self._rng.choice(ready) if ready else None

    def crash(self) -> None:
        """One of them, without a word."""
        process = self.any_living()
        if process is not None:
            process.is_alive = False

    def pause(self, now_ms: int, lengths_ms: Sequence[int]) -> None:
        """One of them asks nothing for a while."""
        process = self.any_living()
        if process is not None:
            process.paused_until_ms = now_ms + self._rng.choice(lengths_ms)


class History(Protocol):
    """One history; all chance comes from its seed."""

    def play(self) -> None:
        """Raises AssertionError when something does not hold."""

    def transcript(self) -> Iterable[str]:
        """What happened so far, a line each."""


HistoryT = TypeVar("HistoryT", bound=History)


def play(make: Callable[[int], HistoryT], seed: int) -> HistoryT:
    """A history; a failure names its seed."""
    history = make(seed)
    try:
        history.play()
    except BaseException as error:
        # Which is not its ``__module__`` when that is the one that Python was started with.
        spec = sys.modules[make.__module__].__spec__
        error.add_note(f"seed {seed}: python -m {spec.name if spec else make.__module__} {seed}")
        raise
    return history


def main(make: Callable[[int], History]) -> None:
    """The command line: one with its transcript, or many."""
    parser = argparse.ArgumentParser(description="Play histories.")
    parser.add_argument("first", type=int)
    parser.add_argument("end", type=int, nargs="?", help="one past the last; without it, the transcript of the first")
    options = parser.parse_args()
    if options.end is None:
        history = make(options.first)
        try:
            history.play()
        finally:
            for line in history.transcript():
                print(line)
        return
    start_s = time.perf_counter()
    for seed in range(options.first, options.end):
        play(make, seed)
    print(f"{options.end - options.first} histories hold, in {time.perf_counter() - start_s:.1f} s")
