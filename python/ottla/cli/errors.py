"""How a command ends: its exit code, and the one sentence it says when something is wrong.

| code | meaning |
|---|---|
| 0 | done |
| 1 | something is wrong with what was looked at, or a broker refused |
| 2 | the command line is wrong, or a configuration it gives |
| 3 | no broker answered in time |
| 130 | stopped by Ctrl-C |
"""

from __future__ import annotations

from typing import Final, final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
INTERRUPTED: Final = 130


class CommandError(Exception):
    """Ends the command: what is wrong with which subject, and what helps."""

    code = FAILED

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message if remedy is None else f"{message}\n  {remedy}")


@final
class UsageError(CommandError):
    """The command line, or a configuration it gives, asks for something that cannot be."""

    code = USAGE


@final
class UnreachableError(CommandError):
    """No broker, or not the one that is needed, answered in time."""

    code = UNREACHABLE
