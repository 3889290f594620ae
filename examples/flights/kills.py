"""A job counts late flights in transactions; it is killed twenty times, and its counts must be exact.

Where it is killed is drawn from a seed: behind which event, during which of its steps, and how long into that. A kill
during a commit may come before the broker has decided or after it, so the transaction may be there or not when the job
comes back; in either case what it reads next fits the counts that it finds.
"""

import itertools
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import final

from examples.flights.counter import STEPS

KILLS = 20
SEED = 2013
WAIT_S = 120.0
INTO_MS = 8.0
"""So long into a step a kill comes at the latest, and then perhaps in the next one: they take milliseconds."""


@final
@dataclass(frozen=True, slots=True)
class Point:
    """A moment to be killed at."""

    event: int
    step: str
    into_ms: float

    def is_reached(self, step: str, done: int, count: int) -> bool:
        """Or missed: a job that has read everything does not come to it any more."""
        return done > self.event and (step == self.step or (step == "reading" and done >= count))


def points(count: int, kills: int, seed: int) -> list[Point]:
    """So many, spread over so many events, each step as often as the others."""
    draw = random.Random(seed)
    steps = list(itertools.islice(itertools.cycle(STEPS), kills))
    draw.shuffle(steps)
    events = sorted(draw.randrange(count) for _ in steps)
    return [Point(event, step, draw.uniform(0, INTO_MS)) for event, step in zip(events, steps, strict=True)]


@final
@dataclass(frozen=True, slots=True)
class Kill:
    step: str
    """The last that it had begun."""
    done: int
    """The events that would be counted at the end of this step."""


@final
@dataclass(slots=True)
class Lives:
    """What became of the job."""

    kills: list[Kill] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    """By kill, the events that it had to count again."""

    def begins_at(self, done: int) -> None:
        if len(self.again) < len(self.kills):
            self.again.append(self.kills[-1].done - done)

    def table(self) -> Iterator[str]:
        yield f"{'killed while':17}{'times':>6}{'undone':>8}{'counted again':>15}"
        for step in STEPS:
            again = [events for kill, events in zip(self.kills, self.again, strict=True) if kill.step == step]
            undone = sum(events > 0 for events in again)
            yield f"{step.replace('-', ' '):17}{len(again):6}{undone:8}{sum(again):15,}"


def count_and_kill(
    bootstrap: str,
    source: str,
    target: str,
    count: int,
    kills: int = KILLS,
    show: Callable[[int], None] = lambda _done: None,
) -> tuple[Lives, float]:
    """Runs the job until it has counted everything, and the seconds that took. Raises SystemExit when it ends by itself
    or takes too long."""
    lives = Lives()
    start = time.perf_counter()
    for point in points(count, kills, SEED):
        with Job(bootstrap, source, target, start + WAIT_S) as job:
            lives.begins_at(job.done)
            while not point.is_reached(job.step, job.done, count):
                job.follow()
                show(job.done)
            time.sleep(point.into_ms / 1000)
        lives.kills.append(Kill(job.step, job.done))
    with Job(bootstrap, source, target, start + WAIT_S) as job:
        lives.begins_at(job.done)
        while not (job.step == "reading" and job.done >= count):
            job.follow()
            show(job.done)
    return lives, time.perf_counter() - start


@final
class Job:
    """Runs while the block does, which ends it with SIGKILL. ``step`` and ``done`` are what it told last."""

    def __init__(self, bootstrap: str, source: str, target: str, deadline: float) -> None:
        command = [sys.executable, "-m", "examples.flights.counter", bootstrap, source, target]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._late = threading.Timer(deadline - time.perf_counter(), self._process.kill)
        self.step, self.done = "", 0

    def __enter__(self) -> "Job":
        self._late.start()
        self.follow()
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()
        while self._hears():  # what it told before it was dead
            pass
        self._late.cancel()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def follow(self) -> None:
        """Waits until it tells something."""
        if not self._hears():
            raise SystemExit(f"flights: the job ended by itself, or it took {WAIT_S:g} s; it was {self.step}")

    def _hears(self) -> bool:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            return False
        self.step, done = line.split()
        self.done = int(done)
        return True
