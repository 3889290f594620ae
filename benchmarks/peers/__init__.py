"""The brokers that are compared. A peer makes brokers; a broker is one data directory on one port of loopback."""

import time
from pathlib import Path
from typing import Protocol

from benchmarks.failure import Failed
from benchmarks.processes import Child


class Address(Protocol):
    """What the load generator must know of the process it sends to."""

    @property
    def bootstrap(self) -> str: ...

    @property
    def pid(self) -> int: ...


class Broker(Address, Protocol):
    """One data directory, served or not. All methods block."""

    @property
    def data_dir(self) -> Path: ...

    @property
    def started_unix_ns(self) -> int:
        """When the process was last started."""

    def launch(self) -> None:
        """Start the process and return at once."""

    def start(self) -> None:
        """Launch, and wait until it serves. Raises Failed, with the broker's last words, when it does not."""

    def stop(self) -> int:
        """End it as an operator would, by SIGTERM. The exit status."""

    def kill(self) -> None:
        """kill -9."""


class Peer(Protocol):
    @property
    def name(self) -> str: ...

    def prepare(self) -> str:
        """Fetch what is missing; the version in words. Raises Skipped where the toolchain is missing."""

    def create(self, directory: Path) -> Broker:
        """A broker with empty data below `directory`, formatted and not started."""


def wait_until(what: str, child: Child, ready: "Condition", *, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        if (status := child.ended()) is not None:
            raise Failed(f"{what} ended with {status} while starting: {child.last_words()}")
        if time.monotonic() > deadline:
            raise Failed(f"{what} does not serve after {timeout_s:.0f} s: {child.last_words()}")
        time.sleep(0.01)


class Condition(Protocol):
    def __call__(self) -> bool: ...
