"""Produce and Fetch go on while the interpreter of the broker's process does nothing else for three seconds.

The clients are in another process. What holds the interpreter is a C call that does not let go of it, as a bad
extension module would.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections import Counter
from typing import Final

import pytest

from ottla.dataplane.plane import Request
from ottla.server.switchboard import Switchboard
from ottla.testing import Broker

BUSY_SECONDS: Final = 3
GAP_SECONDS_MAX: Final = 0.5
CLIENT: Final = """
import json, sys, time
from tests.plane.conftest import Topic
from tests.plane.requests import fetch_request, produce_values
from tests.support.raw import Connection, batches_of, values_of

address, name, topic_id, seconds = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]), float(sys.argv[4])
topic = Topic(name, topic_id)
with Connection(address) as writer, Connection(address) as reader:
    produced = [produce_values(writer, topic, b"warm")]
    offset, gaps, times = 1, {"produce": 0.0, "fetch": 0.0}, []
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + seconds
    while (begun := time.monotonic()) < end:
        reader.send(fetch_request((topic, 0, offset), max_wait_ms=10_000), 13)
        produced.append(produce_values(writer, topic, b"x"))
        middle = time.monotonic()
        part = reader.receive().responses[0].partitions[0]
        done = time.monotonic()
        assert values_of(batches_of(part.records)) == [b"x"]
        offset += 1
        gaps["produce"] = max(gaps["produce"], middle - begun)
        gaps["fetch"] = max(gaps["fetch"], done - middle)
    assert produced == list(range(offset))
    print(json.dumps({"gaps": gaps, "count": offset}))
"""


def test_no_pause_while_python_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    passed_up: Counter[int] = Counter()
    route = Switchboard.route

    def counting(self: Switchboard, request: Request) -> None:
        passed_up[request.api_key] += 1
        route(self, request)

    monkeypatch.setattr(Switchboard, "route", counting)
    # A library opened as PyDLL is called with the interpreter held.
    hold = ctypes.PyDLL(None).sleep
    with Broker() as broker:
        broker.create_topic("busy")
        from ottla.wire.k03_metadata import MetadataRequest
        from tests.support.raw import Connection

        with Connection(broker.bootstrap_servers) as connection:
            (topic,) = connection.ask(MetadataRequest(topics=None), 12).topics
        arguments = [broker.bootstrap_servers, topic.name, topic.topic_id.hex(), str(BUSY_SECONDS - 0.5)]
        with subprocess.Popen(
            [sys.executable, "-c", CLIENT, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n"
            client.stdin.write("go\n")
            client.stdin.flush()
            hold(BUSY_SECONDS)
            answer, _ = client.communicate(timeout=30)
        assert client.returncode == 0
    result = json.loads(answer)
    print(f"while Python was busy: {result['count']:,} records, longest pauses {result['gaps']}")
    assert max(result["gaps"].values()) < GAP_SECONDS_MAX
    assert result["count"] > 100
    assert (passed_up[0], passed_up[1]) == (0, 0)
