"""`ottla serve` as whoever starts it sees it: what it writes, its ready file, its exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, final

from tests.support.broker_process import START_TIMEOUT_S, first_line


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@final
class Serving:
    """A broker on a port of the system's choice. Use as a context manager: it is ended in any case."""

    def __init__(self, data_dir: Path, *arguments: str, listen: str = "PLAINTEXT://127.0.0.1:0") -> None:
        """Returns when it says that it serves. Raises `AssertionError` with its words when it ends instead."""
        self.data_dir = data_dir
        self.ready_file = data_dir.with_name(f"{data_dir.name}.ready")
        given = ["--data-dir", str(data_dir), "--listen", listen, "--ready-file", str(self.ready_file), *arguments]
        self._process = start(given)
        self.line = self._first_line()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    @property
    def ready(self) -> dict[str, Any]:
        """What the ready file says."""
        content: dict[str, Any] = json.loads(self.ready_file.read_text())
        return content

    @property
    def bootstrap(self) -> str:
        """host:port."""
        return str(self.ready["bootstrap_servers"])

    def end(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        """Sends the signal and waits for the end."""
        self._process.send_signal(number)
        return finish(self._process)

    def _first_line(self) -> str:
        try:
            return first_line(self._process, START_TIMEOUT_S)
        except (EOFError, TimeoutError) as error:
            self._process.kill()
            raise AssertionError(f"not serving: {error}; {finish(self._process).err}") from None


def start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """`ottla serve` with these arguments, its output on pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "ottla", "serve", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> Ended:
    """Waits for its end; one that does not end is killed."""
    try:
        out, err = process.communicate(timeout=START_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return Ended(process.returncode, out.decode(), err.decode())


def serve(*arguments: str) -> Ended:
    """`ottla serve` that is expected to refuse."""
    return finish(start(arguments))
