"""What the kill tests share: a broker that dies under load again and again, and how that is started and told.

Each of them has clients of its own and knows what they are owed; here is what is the same for all. All choices come
from the seed; the moment of death itself is a matter of the machine.

Invariant: no thread of a load outlives it, and no broker a trial.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar, final

from tests.support.broker_process import BrokerProcess
from tests.support.raw import Closed

DIES_STARTING_S: Final = (0.0, 0.6)
"""After the start of the process; it serves sooner now and then."""
STOPS: Final = 0.1
"""So many of the deaths are none: the broker is stopped well."""

RoundT = TypeVar("RoundT")
Report = Callable[[str], None]
More = Callable[[int], bool]
"""Told how many rounds there were: shall there be another?"""
Client = Callable[[tuple[str, int], threading.Event], None]
"""One thread's work during one life of the broker, at its address: until the broker is gone, or the event is set."""


@final
class Trial:
    """One broker, and the choices of a seed. Only the thread that made it may use it."""

    def __init__(self, directory: Path, seed: int, settings: Mapping[str, str | int], report: Report) -> None:
        self.broker = BrokerProcess(directory, settings)
        self.random = random.Random(seed)
        self.current: object = "before the first round"
        """What a failure shall name."""
        self.report = report
        self._seed = seed

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The broker is up. What fails inside says the seed, the round, where the files are and what the broker logged
        last."""
        try:
            with self.broker:
                self.broker.start()
                yield
        except AssertionError as error:
            where = f"seed {self._seed}, {self.current}\n  in {self.broker.data_dir}"
            raise AssertionError(f"{error}\n{where}\n{self.broker.log_tail()}") from error

    def rounds(self, play: Callable[[int], RoundT], more: More) -> list[RoundT]:
        """Rounds, from number 1 on."""
        done: list[RoundT] = []
        while more(len(done)):
            done.append(play(len(done) + 1))
            self.report(str(done[-1]))
        return done

    def stops(self) -> bool:
        """Shall the broker be stopped well this time?"""
        return self.random.random() < STOPS

    def under_load(self, clients: Iterable[Client], wait: Callable[[threading.Event], object], *, clean: bool) -> None:
        """Runs the clients while ``wait`` does, which is given the event that is set when one of them fails. Then the
        broker dies under them, or is stopped well."""
        stopped = threading.Event()
        failures: list[BaseException] = []

        def work(client: Client) -> None:
            try:
                client(self.broker.address, stopped)
            except (Closed, ConnectionError):
                pass  # it is being killed
            except BaseException as error:
                failures.append(error)
                stopped.set()

        threads = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        try:
            wait(stopped)
            if clean:
                assert self.broker.stop() == 0, "a stop must end with exit code 0"
        finally:
            self.broker.kill()
            stopped.set()
            for thread in threads:
                thread.join()
        if failures:
            raise failures[0]

    def restart(self, dies: float) -> tuple[bool, float]:
        """The broker starts again; in so many of the cases it is killed once more while it does. Returns whether it
        was, and how many seconds the start took that was left alone."""
        died_starting = self.random.random() < dies
        if died_starting:
            self.broker.launch()
            threading.Event().wait(self.random.uniform(*DIES_STARTING_S))
            self.broker.kill()
        return died_starting, self.broker.start()


def ended(*, clean: bool, died_starting: bool) -> str:
    """How the broker's life ended, for a report."""
    return ("stopped" if clean else "killed") + (", killed again while it started" if died_starting else "")


def times(count: int) -> More:
    """So many rounds."""
    return lambda done: done < count


def for_minutes(minutes: float) -> More:
    """Rounds that begin within this time, which runs from now on."""
    end_s = time.monotonic() + minutes * 60
    return lambda _: time.monotonic() < end_s


def arguments(about: str | None, rounds: int) -> argparse.ArgumentParser:
    """What each of the tests takes on the command line."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--rounds", type=int, default=rounds, help=f"how many ({rounds})")
    length.add_argument("--minutes", type=float, default=None, help="for how long, instead")
    parser.add_argument("--seed", type=int, default=None, help="random when not given; said at the beginning")
    directory_argument(parser)
    return parser


def directory_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dir", type=Path, default=None, help="an empty directory to work in; kept (a temporary one)")


@contextlib.contextmanager
def scratch(given: Path | None, name: str) -> Iterator[Path]:
    """The directory to work in. A temporary one is removed at the end; what failed keeps its own."""
    directory = Path(tempfile.mkdtemp(prefix=f"ottla-{name}-")) if given is None else given
    directory.mkdir(parents=True, exist_ok=True)
    yield directory
    if given is None:
        shutil.rmtree(directory)


def main(args: argparse.Namespace, name: str, play: Callable[[Path, int, More, Report], str]) -> int:
    """Plays, with the directory, the seed, how many rounds and where to report; prints what it comes to."""
    seed = random.SystemRandom().randrange(1 << 32) if args.seed is None else args.seed
    with scratch(args.dir, name) as directory:
        print(f"seed {seed}, in {directory}", flush=True)
        more = times(args.rounds) if args.minutes is None else for_minutes(args.minutes)
        print(play(directory / "data", seed, more, lambda line: print(line, flush=True)))
    return 0
