"""A member of a group with aiokafka, whose event loop has a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar, final

import pytest

from aiokafka import AIOKafkaConsumer, TopicPartition
from compat_support.client import WAIT_S
from compat_support.groups import HEARTBEAT_S, SESSION_S, Delivered, Member, MemberOptions

T = TypeVar("T")


@final
class AioKafkaMember:
    def __init__(self, bootstrap: str, options: MemberOptions) -> None:
        if options.cooperative:
            pytest.skip("aiokafka has no cooperative assignor")
        self._topics = options.topics
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._consumer = self._await(self._start(bootstrap, options))

    async def _start(self, bootstrap: str, options: MemberOptions) -> Any:
        consumer = AIOKafkaConsumer(
            *options.topics,
            bootstrap_servers=bootstrap,
            group_id=options.group,
            group_instance_id=options.instance,
            auto_offset_reset=options.start,
            enable_auto_commit=options.auto_commit,
            session_timeout_ms=int(SESSION_S * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_S * 1000),
            rebalance_timeout_ms=int(SESSION_S * 1000),
            metadata_max_age_ms=1000,
        )
        await consumer.start()
        return consumer

    def _await(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(WAIT_S)

    def poll(self, timeout_s: float) -> list[Delivered]:
        found = self._await(self._consumer.getmany(timeout_ms=int(timeout_s * 1000)))
        return [Delivered(m.topic, m.partition, m.offset, m.value) for messages in found.values() for m in messages]

    def assigned(self) -> set[int]:
        return {place.partition for place in self._consumer.assignment() if place.topic == self._topics[0]}

    def commit(self) -> None:
        self._await(self._consumer.commit())

    def committed(self, partition: int) -> int | None:
        return self._await(self._consumer.committed(TopicPartition(self._topics[0], partition)))

    def close(self) -> None:
        try:
            self._await(self._consumer.stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


def join(bootstrap: str, options: MemberOptions) -> Member:
    return AioKafkaMember(bootstrap, options)
