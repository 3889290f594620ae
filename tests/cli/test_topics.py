from __future__ import annotations

import json

import pytest

from ottla.wire.k19_create_topics import CreateTopicsRequest
from tests.cli.fake_broker import FakeBroker
from tests.cli.run import run


def test_create(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker({"old": 1}) as broker:
        arguments = ("topics", "create", "new", "-p", "3", "-c", "retention.ms=5", "-b", broker.address)
        assert run(monkeypatch, *arguments) == (0, "created new: 3 partitions, 1 replica each\n", "")
        (request,) = [asked for asked in broker.asked if isinstance(asked, CreateTopicsRequest)]
        ended = run(monkeypatch, "topics", "create", "old", "-b", broker.address)
        assert ended.code == 1
        assert "old: TOPIC_ALREADY_EXISTS: Topic 'old' already exists.\n  --if-not-exists" in ended.err
        assert run(monkeypatch, "topics", "create", "old", "--if-not-exists", "-b", broker.address).code == 0
        ended = run(monkeypatch, "topics", "create", "old", "--json", "-b", broker.address)
        assert json.loads(ended.out)["error"] == "TOPIC_ALREADY_EXISTS"
        assert ended.code == 1
    (topic,) = request.topics
    assert (topic.num_partitions, topic.replication_factor) == (3, -1)
    assert [(config.name, config.value) for config in topic.configs] == [("retention.ms", "5")]


def test_list(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker({"b": 2, "a": 1}) as broker:
        ended = run(monkeypatch, "topics", "list", "-b", broker.address)
        assert ended.out == "TOPIC  PARTITIONS  REPLICAS\na               1         1\nb               2         1\n"
        ended = run(monkeypatch, "topics", "list", "--json", "-b", broker.address)
        assert [json.loads(line)["topic"] for line in ended.out.splitlines()] == ["a", "b"]


def test_describe(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker({"a": 2}) as broker:
        broker.store("a", 1, b"x", b"y")
        ended = run(monkeypatch, "topics", "describe", "a", "nope", "-b", broker.address)
        assert ended.code == 1
        assert "nope: UNKNOWN_TOPIC_OR_PARTITION" in ended.err
        assert "  retention.ms = 5\nPARTITION" in ended.out
        assert "segment.ms" not in ended.out
        assert ended.out.splitlines()[-1].split() == ["1", "1", "-1", "1", "1", "-", "0", "2"]
        ended = run(monkeypatch, "topics", "describe", "a", "--json", "-b", broker.address)
        facts = json.loads(ended.out)
        assert facts["settings"] == {"retention.ms": "5"}
        assert [partition["end_offset"] for partition in facts["partitions"]] == [0, 2]


def test_delete_and_add_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeBroker({"a": 1, "b": 1}) as broker:
        assert (
            run(monkeypatch, "topics", "add-partitions", "a", "3", "-b", broker.address).out == "a has 3 partitions\n"
        )
        ended = run(monkeypatch, "topics", "add-partitions", "a", "2", "-b", broker.address)
        assert (ended.code, "a: INVALID_PARTITIONS" in ended.err) == (1, True)
        assert run(monkeypatch, "topics", "delete", "a", "-b", broker.address) == (0, "deleted a\n", "")
        assert run(monkeypatch, "topics", "delete", "a", "-b", broker.address).code == 1
        assert run(monkeypatch, "topics", "delete", "a", "--if-exists", "-b", broker.address).code == 0
        assert list(broker.topics) == ["b"]


def test_a_setting_needs_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run(monkeypatch, "topics", "create", "a", "-c", "retention.ms")
    assert (ended.code, "expected KEY=VALUE" in ended.err) == (2, True)
