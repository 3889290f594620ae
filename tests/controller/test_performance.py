"""What the control plane alone costs; printed, with generous bounds."""

from __future__ import annotations

import time

import trio

from ottla.wire.k19_create_topics import CreatableTopic, CreateTopicsRequest
from tests.support.memory_broker import memory_broker

PARTITIONS = 5_000


def test_a_topic_of_5000_partitions() -> None:
    """Decide, encode, append, apply, replay, view: until the data plane was told."""

    async def main() -> None:
        async with memory_broker() as broker:
            topic = CreatableTopic(name="large", num_partitions=PARTITIONS, replication_factor=1)
            begin = time.perf_counter()
            answer = await broker.ask(CreateTopicsRequest(topics=(topic,)), 7)
            cost_ms = (time.perf_counter() - begin) * 1000
            print(f"a topic of {PARTITIONS} partitions: {cost_ms:.0f} ms")
            assert answer.topics[0].error_code == 0
            assert len(broker.plane.deltas[-1].lead) == PARTITIONS
            assert cost_ms < 1_000

    trio.run(main)
