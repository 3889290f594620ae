"""The load generator, seen from Python: `Load(program).run("requests", broker, kind="produce")` → figures by name,
as loadgen prints them.
"""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from benchmarks.failure import Failed
from benchmarks.measure import Metrics
from benchmarks.peers import Address
from benchmarks.processes import free_port, last_words, piped, run

COMMAND_TIMEOUT_S = 240.0
LAST_WORDS_TIMEOUT_S = 10.0


@final
@dataclass(frozen=True, slots=True)
class EchoServer:
    bootstrap: str
    pid: int


@final
class Load:
    def __init__(self, program: Path, scratch: Path) -> None:
        self._program = program
        self._scratch = scratch

    def run(
        self, command: str, broker: Address | None = None, *, timeout_s: float = COMMAND_TIMEOUT_S, **flags: str | float
    ) -> Metrics:
        """One command against one broker (none: a limit of the machine). Raises Failed with what it said."""
        printed = run(self._argv(command, broker, flags), timeout_s=timeout_s).strip()
        if not printed:
            raise Failed(f"loadgen {command} printed nothing")
        return {name: float(value) for name, value in json.loads(printed.splitlines()[-1]).items()}

    def advertised(self, broker: Address, *api_keys: int) -> bool:
        """Does ApiVersions list every one of these keys?"""
        return all(self.run("apis", broker, kind=",".join(map(str, api_keys)), timeout_s=30).values())

    @contextlib.contextmanager
    def held(self, command: str, broker: Address, **flags: str | float) -> Iterator[None]:
        """A command that holds something until the block ends. Raises Failed if it broke meanwhile."""
        with piped(self._argv(command, broker, flags), timeout_s=COMMAND_TIMEOUT_S) as (process, stdin, stdout):
            if stdout.readline().strip() != "held":
                raise _ended_early(command, process)
            yield
            stdin.write("\n")
            stdin.flush()
            _, said = process.communicate(timeout=COMMAND_TIMEOUT_S)
            if process.returncode:
                raise Failed(last_words(said))

    @contextlib.contextmanager
    def echo(self) -> Iterator[EchoServer]:
        """The server that only echoes; it takes requests of the kinds `…/echo`."""
        address = f"127.0.0.1:{free_port()}"
        with piped(self._argv("echo", None, {"bootstrap": address}), timeout_s=COMMAND_TIMEOUT_S) as (
            process,
            _,
            stdout,
        ):
            if stdout.readline().strip() != "serving":
                raise _ended_early("echo", process)
            yield EchoServer(address, process.pid)

    def _argv(self, command: str, broker: Address | None, flags: dict[str, str | float]) -> list[str]:
        everything: dict[str, str | float] = {"file": str(self._scratch / f"limit-{command}")}
        if broker is not None:
            everything |= {"bootstrap": broker.bootstrap, "pid": broker.pid}
        everything |= flags
        named = [f"-{name.replace('_', '-')}={value}" for name, value in everything.items()]
        return [str(self._program), command, *named]


def _ended_early(command: str, process: subprocess.Popen[str]) -> Failed:
    try:
        said = process.communicate(timeout=LAST_WORDS_TIMEOUT_S)[1]
    except subprocess.TimeoutExpired:
        said = ""
    return Failed(last_words(said) or f"loadgen {command} did not begin")
