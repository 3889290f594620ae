"""Somebody in another process who is asked line by line: an operation and its arguments, with tabs between.

The answer is a line, too: `ok` and what was found, or `error` and why.
"""

import socket
import subprocess
from collections.abc import Callable, Sequence
from typing import IO, Self, final

from compat_support.client import WAIT_S


@final
class Lines:
    """``ended`` is called when the other side has been told to close."""

    def __init__(self, requests: IO[str], answers: IO[str], ended: Callable[[], object]) -> None:
        self._requests = requests
        self._answers = answers
        self._ended = ended

    @classmethod
    def of_program(cls, argv: Sequence[str]) -> Self:
        """A process of its own, which ends when its input does."""
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None

        def end() -> None:
            try:
                process.communicate(timeout=WAIT_S)
            finally:
                process.kill()

        return cls(process.stdin, process.stdout, end)

    @classmethod
    def of_port(cls, port: int) -> Self:
        """A connection to a program that runs, on this machine."""
        connection = socket.create_connection(("127.0.0.1", port), WAIT_S)
        lines = connection.makefile("rw", encoding="utf-8")
        return cls(lines, lines, lambda: (lines.close(), connection.close()))

    def ask(self, *words: str, refused: type[Exception] = AssertionError) -> list[str]:
        """What was found. Raises ``refused``."""
        self._requests.write("\t".join(words) + "\n")
        self._requests.flush()
        outcome, *found = self._answers.readline().rstrip("\n").split("\t")
        if outcome != "ok":
            raise refused(f"{words[0]}: {found}")
        return found

    def close(self, *, refused: type[Exception] = AssertionError) -> None:
        try:
            self.ask("close", refused=refused)
        finally:
            self._ended()
