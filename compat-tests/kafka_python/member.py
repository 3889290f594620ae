"""A member of a group with kafka-python."""

from typing import Any, final

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaConnectionError

from compat_support.groups import HEARTBEAT_S, SESSION_S, Delivered, Member, MemberOptions

POLL_S = 1.0
"""Longer than a rebalance: kafka-python 3.0 may lose the end of one that outlasts a poll, and never hear of it."""


@final
class KafkaPythonMember:
    def __init__(self, bootstrap: str, options: MemberOptions) -> None:
        settings: dict[str, Any] = {}
        if options.cooperative:
            pytest.skip("kafka-python's cooperative assignor is not what is tested")
        self._topics = options.topics
        self._consumer: Any = KafkaConsumer(
            *options.topics,
            bootstrap_servers=bootstrap,
            group_id=options.group,
            group_instance_id=options.instance,
            auto_offset_reset=options.start,
            enable_auto_commit=options.auto_commit,
            session_timeout_ms=int(SESSION_S * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_S * 1000),
            metadata_max_age_ms=1000,
            **settings,
        )

    def poll(self, timeout_s: float) -> list[Delivered]:
        try:
            found = self._consumer.poll(timeout_ms=int(max(timeout_s, POLL_S) * 1000))
        except KafkaConnectionError:
            # Now and then kafka-python lets poll fail while the broker is away; the next poll looks for it again.
            return []
        return [Delivered(m.topic, m.partition, m.offset, m.value) for messages in found.values() for m in messages]

    def assigned(self) -> set[int]:
        return {place.partition for place in self._consumer.assignment() if place.topic == self._topics[0]}

    def commit(self) -> None:
        self._consumer.commit()

    def committed(self, partition: int) -> int | None:
        found: int | None = self._consumer.committed(TopicPartition(self._topics[0], partition))
        return found

    def close(self) -> None:
        self._consumer.close()


def join(bootstrap: str, options: MemberOptions) -> Member:
    return KafkaPythonMember(bootstrap, options)
