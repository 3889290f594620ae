"""Child processes that always end: started with a log, stopped by their own id, never by name."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, final

from benchmarks.failure import Failed

STOP_TIMEOUT_S = 30.0
PORT_MIN = 10_000
PORTS_OF_A_PROCESS = 997
_PORTS_FOUND = itertools.count()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago, outside the range of outgoing connections.

    A port the kernel picks could be taken again by a client's own connection before the broker binds it. Processes
    side by side look in different places: what one has found, and not bound yet, no other finds.
    """
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    start: int = PORT_MIN + (os.getpid() * PORTS_OF_A_PROCESS + next(_PORTS_FOUND)) % max(low - PORT_MIN, 1)
    for port in itertools.chain(range(start, low), range(PORT_MIN, start)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise Failed("no free TCP port below the range of outgoing connections")


def run(argv: Sequence[str], *, timeout_s: float, cwd: Path | None = None, stdin: str | None = None) -> str:
    """Standard output of a program that must succeed. Raises Failed with the last words of one that does not."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout_s, cwd=cwd, check=False, input=stdin or ""
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{Path(argv[0]).name} had not ended after {timeout_s:.0f} s") from None
    except OSError as error:
        raise Failed(f"{argv[0]}: {error.strerror}") from None
    if done.returncode:
        raise Failed(last_words(done.stderr or done.stdout) or f"{Path(argv[0]).name} ended with {done.returncode}")
    return done.stdout


def last_words(text: str, *, characters: int = 200) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip()[-characters:] if lines else ""


@final
class Child:
    """One running program, its output in a file. `stop` and `kill` end it and reap it."""

    def __init__(self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        self._log = log
        self.started_unix_ns = time.time_ns()
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(env or {})}
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def last_words(self) -> str:
        return last_words(self._log.read_text(errors="replace")) if self._log.exists() else ""

    def stop(self) -> int:
        """SIGTERM, and SIGKILL for one that does not listen. The exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        if self._process.poll() is None:
            self._process.kill()
        return self._process.wait()


@contextlib.contextmanager
def piped(argv: Sequence[str], *, timeout_s: float) -> Iterator[tuple[subprocess.Popen[str], IO[str], IO[str]]]:
    """A program that is talked to: (process, its input, its output); killed at the end, or when its time is over."""
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdin is not None
    assert process.stdout is not None
    watchdog = threading.Timer(timeout_s, process.kill)  # its silence must not be waited for for ever
    watchdog.start()
    try:
        yield process, process.stdin, process.stdout
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()
