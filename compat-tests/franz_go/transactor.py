"""A transactional producer with franz-go: a process of the Go program beside this file, which is asked line by line.

Its clients commit offsets in transactions through a session of a group alone (`transform`)."""

import functools
import subprocess
from pathlib import Path

from benchmarks.toolchain import go_program

from compat_support.client import WAIT_S
from compat_support.transactions import RemoteTransactor


def open_transactor(bootstrap: str, transactional_id: str, timeout_ms: int) -> RemoteTransactor:
    settings: dict[str, str | int] = {"bootstrap.servers": bootstrap, "transaction.timeout.ms": timeout_ms}
    process = subprocess.Popen([str(program()), "transactor"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None

    def end() -> None:
        try:
            process.communicate(timeout=WAIT_S)
        finally:
            process.kill()

    return RemoteTransactor(process.stdin, process.stdout, transactional_id, settings, end)


@functools.cache
def program() -> Path:
    return go_program(Path(__file__).parent, "franzgo")
