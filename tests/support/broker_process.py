"""Runs ``ottla serve`` as a process of its own, for tests that kill it, starve it, or look at it from outside.

Prior art: ducktape's services in Kafka's system tests. Ours waits for the line that the broker says once it serves,
never for a time; what the broker logs goes to a file, which an assertion can quote.

Invariant: a process that was started here is gone when the context ends.
"""

from __future__ import annotations

import os
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from benchmarks.processes import free_port

PYTHON_PATH: Final = Path(__file__).resolve().parents[2] / "python"
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 60.0
SAID_TIMEOUT_S: Final = 60.0


class BrokerFailed(AssertionError):
    """The broker ended, or did not come up; the message ends with what it logged last."""


def first_line(process: subprocess.Popen[bytes], timeout_s: float) -> str:
    """What a process says first. Raises ``TimeoutError``, and ``EOFError`` when it ends instead."""
    assert process.stdout is not None
    deadline = time.monotonic() + timeout_s
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            raise TimeoutError(f"nothing but {line!r} after {timeout_s:g} s")
        piece = os.read(process.stdout.fileno(), 4096)
        if not piece:
            raise EOFError(f"ended after {line!r}")
        line += piece
    return line.decode()


@final
class BrokerProcess:
    """One broker on one directory; may be killed and started again. Use as a context manager. One thread starts and
    stops.
    """

    def __init__(
        self,
        data_dir: Path,
        settings: Mapping[str, str | int] | None = None,
        *,
        port: int | None = None,
        descriptors_max: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.port = free_port() if port is None else port
        self.settings: dict[str, str | int] = dict(settings or {})
        self.log_path = data_dir.with_name(f"{data_dir.name}.log")
        self.announced = ""
        self._descriptors_max = descriptors_max
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def launch(self) -> None:
        """Starts the process; does not wait until it serves."""
        assert self._process is None, "already running"
        assignments = [f"--set={key}={value}" for key, value in self.settings.items()]
        command = [sys.executable, "-m", "ottla", "serve", f"--listen=PLAINTEXT://127.0.0.1:{self.port}"]
        command += [f"--data-dir={self.data_dir}", *assignments]
        environment = {**os.environ, "PYTHONPATH": str(PYTHON_PATH), **self._environment}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                preexec_fn=self._limits(),
            )

    def _limits(self) -> Callable[[], None] | None:
        limit = self._descriptors_max
        if limit is None:
            return None
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    def wait_serving(self, timeout_s: float = START_TIMEOUT_S) -> str:
        """Waits for the line that is said once clients may connect. Raises ``BrokerFailed``."""
        process = self._process
        assert process is not None, "not started"
        try:
            self.announced = first_line(process, timeout_s).strip()
        except TimeoutError:
            raise BrokerFailed(f"the broker does not serve after {timeout_s:g} s\n{self.log_tail()}") from None
        except EOFError:
            code = process.wait(STOP_TIMEOUT_S)
            raise BrokerFailed(f"the broker ended with {code} while it started\n{self.log_tail()}") from None
        return self.announced

    def start(self, timeout_s: float = START_TIMEOUT_S) -> float:
        """Starts, waits until it serves, and returns how many seconds that took."""
        begun = time.monotonic()
        self.launch()
        self.wait_serving(timeout_s)
        return time.monotonic() - begun

    def kill(self) -> None:
        """kill -9, and waits until the process is gone. Does nothing when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(STOP_TIMEOUT_S)
        assert process.stdout is not None
        process.stdout.close()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        process, self._process = self._process, None
        assert process is not None, "not started"
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)
            raise BrokerFailed(f"the broker does not stop\n{self.log_tail()}") from None
        finally:
            assert process.stdout is not None
            process.stdout.close()

    def exit_code(self) -> int | None:
        """How the process ended, if it did."""
        assert self._process is not None, "not started"
        return self._process.poll()

    def log(self) -> str:
        """All that the broker logged, over all its starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_said(self, words: str) -> str:
        """Waits until it has logged a line with these words; the newest one. What a client sees and what the broker
        says of it come in any order: a log that shall have something is waited for, never just looked at."""
        deadline = time.monotonic() + SAID_TIMEOUT_S
        while not (said := [line for line in self.log().rpartition("\n")[0].splitlines() if words in line]):
            assert time.monotonic() < deadline, f"«{words}» is never said\n{self.log_tail()}"
            time.sleep(0.02)
        return said[-1]

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self.log().splitlines()[-lines:])

    def rss_bytes(self) -> int:
        """Memory that is resident now."""
        return self._status_kib("VmRSS") * 1024

    def rss_peak_bytes(self) -> int:
        """The most memory that was ever resident."""
        return self._status_kib("VmHWM") * 1024

    def descriptors(self) -> int:
        """Descriptors that are open now."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def _status_kib(self, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.M)
        assert found is not None
        return int(found[1])


def partition_directories(data_dir: Path, topic: str) -> Sequence[Path]:
    """The directories of a topic's partitions, by index."""
    found = [path for path in data_dir.iterdir() if re.fullmatch(rf"{re.escape(topic)}-\d+", path.name)]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))
