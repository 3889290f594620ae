"""What a person types to one of Kafka's tools, and what it answers, to be held against what it answers of Apache Kafka.

What differs from run to run is blotted out, and rows are sorted where the tool has them in the order of a hash table.
"""

import base64
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, final

import pytest

TRACE = ("\tat ", "Caused by: ", "java.util.concurrent.ExecutionException: ")

Blot = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


@final
class Session:
    """``headings``: how the first lines of tables begin."""

    def __init__(
        self,
        tools: "subprocess.Popen[str]",
        bootstrap: str,
        name: str,
        main_class: str,
        headings: tuple[str, ...],
        blots: Sequence[Blot],
    ) -> None:
        self._tools = tools
        self._command = [main_class, "--bootstrap-server", bootstrap]
        self._name = name
        self._headings = headings
        self._blots = blots
        self._said: list[str] = []

    def beside(self, name: str, main_class: str) -> Self:
        """Another tool, in the same transcript."""
        bootstrap = self._command[-1]
        other = type(self)(self._tools, bootstrap, name, main_class, self._headings, self._blots)
        other._said = self._said
        return other

    def type(self, line: str) -> None:
        """What a person types after the tool's name."""
        assert self._tools.stdin is not None
        assert self._tools.stdout is not None
        self._tools.stdin.write("\t".join([*self._command, *line.split()]) + "\n")
        self._tools.stdin.flush()
        self.note(f"{self._name} {line}", base64.b64decode(self._tools.stdout.readline()).decode())

    def note(self, line: str, printed: str) -> None:
        """What a command was, that is none of Kafka's, and what it printed."""
        for pattern, blot in self._blots:
            line, printed = pattern.sub(blot, line), pattern.sub(blot, printed)
        self._said += [f"$ {line}", *self._lines(printed), ""]

    def check(self, transcript: Path, config: pytest.Config) -> None:
        """Or write it anew, with ``--record``."""
        text = "\n".join(self._said)
        if config.getoption("--record"):
            assert config.getoption("--broker") == "kafka", "transcripts are Apache Kafka's"
            transcript.write_text(text)
        assert text == transcript.read_text()

    def _lines(self, printed: str) -> list[str]:
        """Without empty lines and Java's stack traces, and with the rows below each heading sorted."""
        out: list[str] = []
        table = False
        rows: list[str] = []
        for line in (line.rstrip() for line in printed.splitlines()):
            if line.startswith(TRACE):
                continue
            if not line or line.startswith(self._headings):
                out += sorted(rows)
                rows = []
                table = line.startswith(self._headings)
                out += [line] if line else []
            elif table:
                rows.append(line)
            else:
                out.append(line)
        return out + sorted(rows)
