from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final

import pytest
import trio
import trio.testing

from ottla.clock import ManualClock
from ottla.controller.cluster import ControllerRegistration, Registration
from ottla.controller.configs import BrokerTopicConfigs
from ottla.controller.node import MetadataNode, MetadataSettings, UnsupportedFeatureError
from ottla.controller.topics import TopicDefaults, TopicTools
from ottla.ids import random_uuid
from ottla.metadata.image import LEADER
from ottla.metadata.publishers import DataPlanePublisher, LocalBroker
from ottla.raft.client import Retention
from ottla.raft.control_records import ControlType, control_type, decode_voters
from ottla.raft.log import SnapshotId
from ottla.raft.snapshot import BOOTSTRAP_SNAPSHOT
from ottla.records.cluster_metadata import FeatureLevelRecord, NoOpRecord
from ottla.wire.k19_create_topics import CreatableTopic
from tests.support.golden_log import golden_batches
from tests.support.memory_broker import CODEC, DataPlaneStandIn, config, memory_broker
from tests.support.memory_log import MemoryLog

time_passes: Final = trio.sleep
"""Only under `run_stepped`, where it takes no time: the clock steps to the next deadline once every task waits."""


def run_stepped(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_directory_of_kafka_is_served_and_goes_on() -> None:
    async def main() -> None:
        log = MemoryLog()
        bootstrap = golden_batches("kafka_bootstrap.txt")
        await log.write_snapshot(BOOTSTRAP_SNAPSHOT, bootstrap)
        for batch in golden_batches("kafka_log.txt"):
            log.append(batch)
        log.quorum_state = (
            b'{"leaderId":1,"leaderEpoch":5,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}'
        )
        voters = next(v for b in bootstrap for k, v in b.records if control_type(k) is ControlType.KRAFT_VOTERS)
        (voter,) = decode_voters(voters or b"")
        configs, chance, plane = BrokerTopicConfigs(config({})), random.Random(1), DataPlaneStandIn()
        tools = TopicTools(TopicDefaults(1, 1), configs, lambda: random_uuid(chance.randbytes), chance.randrange)
        publisher = DataPlanePublisher(plane, lambda: LocalBroker(1, frozenset(), 1), configs.settings)
        settings = MetadataSettings(idle_interval_ms=0)
        node = MetadataNode(log, voter, CODEC, ManualClock(), settings, tools, [publisher])
        registered = (("PLAINTEXT", "127.0.0.1", 9092, 0),)
        await node.start(
            Registration(1, b"i" * 16, registered, (voter.key.directory_id,), None, previous_epoch=-1),
            ControllerRegistration(1, b"c" * 16, ()),
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.run)
            await node.wait_ready()
            assert node.raft.core.epoch == 6
            image = node.loader.image
            assert {name: len(t.partitions) for t in image.topics.by_id.values() for name in [t.name]} == {
                "orders": 5,
                "auto": 1,
            }
            assert all(p[LEADER] == 1 for t in image.topics.by_id.values() for p in t.partitions)
            assert await node.producer_ids.next() == 1000, "the first block went to Kafka"
            epochs = [batch for batch in log.batches if batch.control][-1]
            assert len(epochs.records) == 1, "the voters of the log are ours"
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_an_unknown_feature_level_is_refused() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            log, raft = broker.log, broker.node.raft
            record = FeatureLevelRecord(name="metadata.version", feature_level=99)
            raft.append([record], [CODEC.encode(record, 33)])
            await raft.wait_committed(raft.end_offset - 1)
        with pytest.raises(UnsupportedFeatureError, match="level 99"):
            async with memory_broker(log, seed=2):
                pass

    trio.run(main)


def test_beats_while_idle_and_not_while_the_disk_is_stuck() -> None:
    async def main() -> None:
        async with memory_broker(metadata=MetadataSettings(idle_interval_ms=500)) as broker:

            def beats() -> int:
                return sum(isinstance(each, NoOpRecord) for each in broker.metadata_records())

            await time_passes(2.1)
            assert beats() == 4
            broker.log.hold = True
            await time_passes(2.1)
            assert beats() == 5, "one is under way, no more behind it"
            broker.log.sync()
            await time_passes(0.5)
            assert beats() == 6

    run_stepped(main)


def test_snapshots_by_bytes_keep_the_log_short() -> None:
    async def main() -> None:
        settings = MetadataSettings(
            snapshot_bytes=1, idle_interval_ms=0, retention=Retention(bytes_max=0, age_ms_max=-1)
        )
        async with memory_broker(metadata=settings) as broker:
            for number in range(3):
                topic = CreatableTopic(name=f"t{number}", num_partitions=1, replication_factor=1)
                await broker.controller.create_topics([topic], frozenset(), validate_only=False)
                await time_passes(1.5)
            log, end = broker.log, broker.node.raft.end_offset
            assert [each.id for each in await log.snapshots()] == [SnapshotId(end, 1)]
            assert (log.start_offset, log.batches) == (end, [])
        async with memory_broker(log, seed=2) as again:
            assert sorted(again.node.loader.image.topics.id_of) == ["t0", "t1", "t2"]
            assert len(log.batches[0].records) == 1, "the voters came from the snapshot"

    run_stepped(main)


def test_a_snapshot_is_due_by_time_when_there_is_news() -> None:
    async def main() -> None:
        settings = MetadataSettings(snapshot_interval_ms=1_000, idle_interval_ms=0)
        async with memory_broker(metadata=settings) as broker:
            node = broker.node
            assert not node.snapshot_due(999)
            assert node.snapshot_due(1_000)
            await node.snapshot()
            assert not node.snapshot_due(5_000), "nothing is new"

    trio.run(main)
