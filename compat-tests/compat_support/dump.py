"""Kafka's DumpLogSegments, and what it complains of."""

import re
import subprocess
from pathlib import Path

import pytest
from benchmarks.failure import Skipped
from benchmarks.peers import kafka

TOOL_TIMEOUT_S = 120.0
COMPLAINTS = (
    "warn",
    "error",
    "exception",
    "mismatch",
    "not found",
    "isvalid: false",
    "corrupt",
    "could not",
    "invalid",
    "non-consecutive",
    "non-monotonic",
    "out of order",
)
"""What the tool prints when a file is not as it should be, in lower case."""


def dump(files: list[Path], *options: str) -> str:
    """What DumpLogSegments prints for these files, after a look for complaints."""
    try:
        argv = kafka.tool(
            "org.apache.kafka.tools.DumpLogSegments", "--files", ",".join(map(str, files)), *options, measured=False
        )
    except Skipped as why:
        pytest.skip(str(why))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    said = complaints(done.stderr)
    assert not said, said
    found = [line for line in done.stdout.splitlines() if any(word in line.lower() for word in COMPLAINTS)]
    assert not found, found[:5]
    return done.stdout


def complaints(stderr: str) -> list[str]:
    """What the tool said of the files. Not counted, for Kafka's own directories give it too:

    warnings of the Java machine about the jars, and "-1 is followed by N" where N is the first offset of a segment.
    """
    out: list[str] = []
    for line in stderr.splitlines():
        if not line or line.startswith("WARNING: "):
            continue
        first = re.fullmatch(r"\s*-1 is followed by (\d+)", line)
        if first and out and out[-1].endswith(f"/{int(first.group(1)):020}.log"):
            out.pop()  # the line before, which names the file
        else:
            out.append(line)
    return out
