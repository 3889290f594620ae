"""A transactional producer with franz-go: a process of the Go program beside this file, which is asked line by line.

Its clients commit offsets in transactions through a session of a group alone (`transform`)."""

import functools
from pathlib import Path

from benchmarks.toolchain import go_program

from compat_support.lines import Lines
from compat_support.transactions import RemoteTransactor


def open_transactor(bootstrap: str, transactional_id: str, timeout_ms: int) -> RemoteTransactor:
    settings: dict[str, str | int] = {"bootstrap.servers": bootstrap, "transaction.timeout.ms": timeout_ms}
    return RemoteTransactor(Lines.of_program([str(program()), "transactor"]), transactional_id, settings)


@functools.cache
def program() -> Path:
    return go_program(Path(__file__).parent, "franzgo")
