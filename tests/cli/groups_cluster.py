"""A broker with two topics, groups that have read some of them, and `ottla groups` asked about those."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ottla.wire.k69_consumer_group_describe import Assignment, Member, TopicPartitions
from ottla.wire.k69_consumer_group_describe import DescribedGroup as DescribedConsumerGroup
from tests.cli.fake_broker import FakeBroker, topic_id
from tests.cli.fake_coordinator import FakeCoordinator
from tests.cli.run import Ended, run

NOW_MS = 1_700_000_100_000


class Cluster:
    """A broker with two topics: `teas` (3, 0 and 2 records), whose records are 100 and 40 s old, and `cups` (none)."""

    def __init__(self, broker: FakeBroker, patch: pytest.MonkeyPatch, *, old: bool = False) -> None:
        self.broker = broker
        self.groups = FakeCoordinator(broker, old=old)
        self._patch = patch
        patch.setattr(time, "time", lambda: NOW_MS / 1000)
        broker.store("teas", 0, b"a", timestamp_ms=NOW_MS - 100_000)
        broker.store("teas", 0, b"b", b"c", timestamp_ms=NOW_MS - 40_000)
        broker.store("teas", 2, b"d", b"e", timestamp_ms=NOW_MS + 5_000)

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ended:
        return run(self._patch, "groups", *arguments, "-b", self.broker.address, "--timeout", "5", stdin=stdin)

    def facts(self, *arguments: str, code: int = 0, stdin: bytes = b"") -> list[Any]:
        ended = self(*arguments, "--json", stdin=stdin)
        assert ended.code == code, ended
        return [json.loads(line) for line in ended.out.splitlines()]

    def asked(self, kind: type) -> list[Any]:
        return [request for request in self.broker.asked if isinstance(request, kind)]


def consumer_group(name: str, *assigned: tuple[str, tuple[int, ...]]) -> DescribedConsumerGroup:
    topics = tuple(
        TopicPartitions(topic_id=topic_id(topic), topic_name=topic, partitions=indexes) for topic, indexes in assigned
    )
    member = Member(
        member_id="m1",
        instance_id="one",
        member_epoch=4,
        client_id="c",
        client_host="/127.0.0.1",
        assignment=Assignment(topic_partitions=topics),
    )
    return DescribedConsumerGroup(
        group_id=name, group_state="Stable", group_epoch=4, assignor_name="uniform", members=(member,)
    )


def run_group(cluster: Cluster, name: str) -> None:
    cluster.groups.world.groups.groups[name].members = {"m": 1}
