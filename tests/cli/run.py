"""Runs the command line in this process, on pipes."""

from __future__ import annotations

import io
import os
import sys
from typing import NamedTuple

import pytest

from ottla.cli.main import main


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, stdin: bytes = b"") -> Ended:
    """What `ottla ARGUMENTS` does with this standard input."""
    reading, writing = os.pipe()
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
        # The tests' inputs fit the pipe.
        sink.write(stdin)
        sink.close()
        monkeypatch.setattr(sys, "stdin", source)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    out.flush()
    buffer = out.buffer
    assert isinstance(buffer, io.BytesIO)
    return Ended(code, buffer.getvalue().decode("utf-8", "replace"), err.getvalue())
