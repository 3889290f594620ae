"""What a workload declares. A workload is data and one function; the runner decides when it runs and against whom."""

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Generic, TypeVar, final

from benchmarks.load import Load
from benchmarks.measure import Metrics
from benchmarks.peers import Broker

P = TypeVar("P")
_SERIAL = itertools.count(1)


@final
class Against(Enum):
    """Whom Ottla is compared with; the value is what their rows are called."""

    KAFKA = "kafka"
    MACHINE = "machine"
    KAFKA_PYTHON = "kafka-python"
    NOTHING = ""


@final
@dataclass(frozen=True, slots=True)
class Reach:
    """What Ottla is held to: a ratio to what another did in the same run, or an absolute figure.

    At least the bound where more is better, at most where less is.
    """

    metric: str
    bound: float
    against: Against = Against.KAFKA


@final
class Lifetime(Enum):
    SHARED = auto()
    """One broker of each peer serves all repetitions of all cases, so that a just-in-time compiler is warm."""
    FRESH = auto()
    """Each repetition has a broker that has just started on empty data."""
    STOPPED = auto()
    """Each repetition has an empty data directory, and starts the broker itself."""


@final
@dataclass(slots=True)
class Trial:
    """What one repetition is given."""

    broker: Broker
    load: Load
    smoke: bool
    _done: set[str] = field(default_factory=set)

    def topic(self, stem: str) -> str:
        """A topic name that was not used before."""
        return f"{stem}-{os.getpid()}-{next(_SERIAL)}"

    def on_this_broker(self, what: str, action: Callable[[], object]) -> None:
        """Do something once in this broker's life: fill a topic, warm it up."""
        if what not in self._done:
            action()
            self._done.add(what)


@final
@dataclass(frozen=True, slots=True)
class Case(Generic[P]):
    """One row of the table for each peer."""

    name: str
    parameters: P
    smoke: P
    reaches: tuple[Reach, ...] = ()
    peers: tuple[str, ...] | None = None
    """Those it makes sense for; None is all."""


@final
@dataclass(frozen=True, slots=True)
class Workload(Generic[P]):
    name: str
    title: str
    cases: tuple[Case[P], ...]
    once: Callable[[Trial, P], Metrics]
    lifetime: Lifetime = Lifetime.SHARED
    limit: Callable[[Load, P], Metrics] | None = None
    """The same task without a broker, measured in turn with the peers: most often what the machine itself allows."""
    limit_is: Against = Against.MACHINE
    """Who does that."""


def scratch_name(directory: Path, peer: str) -> Path:
    """A directory for one broker, not yet there."""
    return directory / f"{peer}-{next(_SERIAL)}"
