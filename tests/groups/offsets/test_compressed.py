"""Commits lie compressed in the log as ``offsets.topic.compression.codec`` says, and are found again under another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import run
from tests.support.broker_process import BrokerProcess
from tests.support.raw import Connection
from tests.support.raw_admin import create_topic
from tests.support.raw_member import commit_offsets, committed_offsets, wait_coordinated

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
COUNT = 50


def test_every_codec_in_turn_on_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed: dict[int, int] = {}
    with BrokerProcess(tmp_path / "data", {"offsets.topic.num.partitions": 1}) as broker:
        for number in range(len(CODECS)):
            broker.settings["offsets.topic.compression.codec"] = number
            broker.start()
            with Connection(broker.address) as connection:
                if number == 0:
                    assert create_topic(connection, "t", COUNT) == 0
                wait_coordinated(connection, "g")
                assert committed_offsets(connection, "g")["g"] == committed
                committed = {partition: 1000 * number + partition for partition in range(COUNT)}
                assert commit_offsets(connection, "g", "t", committed) == 0
            broker.kill()
    log = tmp_path / "data" / "__consumer_offsets-0" / f"{0:020}.log"
    batches = inspected(monkeypatch, str(log))
    assert [batch["codec"] for batch in batches] == list(CODECS)
    assert {batch["records"] for batch in batches} == {COUNT}
    assert max(batch["size"] for batch in batches[1:]) < batches[0]["size"] // 2
    records = inspected(monkeypatch, "-r", str(log))
    assert [record["offset"] for record in records] == list(range(COUNT * len(CODECS)))
    assert [record["value"]["offset"] for record in records[-COUNT:]] == list(committed.values())


def inspected(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[dict[str, Any]]:
    ended = run(monkeypatch, "inspect", "--json", *arguments)
    assert (ended.code, ended.err) == (0, "")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    return [row for row in rows if "offset" in row or "codec" in row]
