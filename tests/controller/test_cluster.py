"""The life of a single node leaves the records that Kafka's leaves."""

from __future__ import annotations

import dataclasses
import itertools

import trio

from ottla.ids import Uuid
from ottla.metadata.image import Provenance
from ottla.records import cluster_metadata as r
from ottla.wire.k19_create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.schema import replace
from tests.support.golden_log import golden_records
from tests.support.memory_broker import CODEC, MemoryBroker, memory_broker


def kafkas(first: int, end: int) -> list[object]:
    """Records of the golden log in [first, end)."""
    return [
        CODEC.decode(each.value)
        for each in golden_records("kafka_log.txt")
        if first <= each.offset < end and not each.control
    ]


def shape(records: list[object]) -> list[object]:
    """Records without what differs from run to run: ids, epochs, addresses, the order of features."""
    shaped: list[object] = []
    for record in records:
        if isinstance(record, r.RegisterBrokerRecord):
            shaped.append(
                replace(
                    record,
                    incarnation_id=b"",
                    broker_epoch=0,
                    end_points=(),
                    log_dirs=(),
                    features=tuple(sorted(record.features, key=lambda feature: feature.name)),
                )
            )
        elif isinstance(record, r.RegisterControllerRecord):
            features = tuple(sorted(record.features, key=lambda feature: feature.name))
            shaped.append(replace(record, incarnation_id=b"", end_points=(), features=features))
        elif isinstance(record, r.BrokerRegistrationChangeRecord):
            shaped.append(replace(record, broker_epoch=0))
        elif isinstance(record, r.TopicRecord | r.PartitionRecord | r.PartitionChangeRecord):
            record = replace(record, topic_id=Uuid(b""))
            shaped.append(replace(record, directories=()) if isinstance(record, r.PartitionRecord) else record)
        else:
            shaped.append(record)
    return shaped


async def create(broker: MemoryBroker, name: str, partitions: int) -> None:
    topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1)
    answer = await broker.ask(CreateTopicsRequest(topics=(topic,)), 7)
    assert answer.topics[0].error_code == 0


def test_a_fresh_node_writes_what_kafkas_writes() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            records = shape(broker.metadata_records())
            assert records == shape(kafkas(0, 19))
            epoch = broker.node.broker_epoch
            batches = [(len(b.records), b.control) for b in broker.log.batches]
            assert batches == [(3, True), (9, False), (1, False), (1, False), (2, False)]
            registered = broker.node.loader.image.brokers[1]
            assert registered.broker_epoch == epoch == broker.log.batches[3].base_offset
            assert not registered.fenced

    trio.run(main)


def test_a_clean_stop_and_start_write_what_kafkas_write() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "auto", 1)
            await create(broker, "orders", 5)
            before = len(broker.metadata_records())
            await broker.node.shut_down()
            assert shape(broker.metadata_records()[before:]) == shape(kafkas(605, 613))
            assert all(stop.delete is False for delta in broker.plane.deltas for stop in delta.stop)
            log, epoch = broker.log, broker.node.broker_epoch
        before = len(broker.metadata_records())
        async with memory_broker(log, previous_epoch=epoch, seed=2) as again:
            # Kafka's third start: its second wrote the cordoned directories before the rest.
            records, expected = shape(again.metadata_records()[before:]), shape(kafkas(641, 652))
            assert _without_order(records) == _without_order(expected)
            (first,) = again.plane.deltas
            assert len(first.lead) == 6, "each partition is told once that it leads"
            assert {lead.leader_epoch for lead in first.lead} == {2}

    trio.run(main)


def test_a_kill_and_start_write_what_kafkas_write() -> None:
    """Kafka fences the dead incarnation after its session first; we know at once, so its ISR and ELR go in one step."""

    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "auto", 1)
            await create(broker, "orders", 5)
            log = broker.log
            before = len(broker.metadata_records())
        async with memory_broker(log.crash(), seed=2) as again:
            records = shape(again.metadata_records()[before:])
            registration, unfencing = shape(kafkas(691, 692)), shape(kafkas(725, 734))
            gone = [
                r.PartitionChangeRecord(partition_id=index, topic_id=Uuid(b""), isr=(), leader=-1, last_known_elr=(1,))
                for index in (0, *range(5))
            ]
            expected = [*registration, *gone, *unfencing]
            by_partition = [_without_order(each) for each in (records, expected)]
            assert by_partition[0] == by_partition[1]
            assert {lead.leader_epoch for lead in again.plane.deltas[0].lead} == {2}

    trio.run(main)


def _without_order(records: list[object]) -> list[object]:
    """Kafka goes through topics in the order of a hash map."""
    runs = [(kind, list(run)) for kind, run in itertools.groupby(records, key=type)]
    return [sorted(run, key=repr) if kind is r.PartitionChangeRecord else run for kind, run in runs]


def test_an_unfinished_transaction_is_aborted() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            log = broker.log
            raft = broker.node.raft
            records: list[object] = [r.BeginTransactionRecord(name="x"), r.TopicRecord(name="half", topic_id=b"h" * 16)]
            raft.append(records, [CODEC.encode(each, 33) for each in records])
            await raft.wait_committed(raft.end_offset - 1)
        async with memory_broker(log, seed=2) as again:
            assert any(isinstance(each, r.AbortTransactionRecord) for each in again.metadata_records())
            assert again.node.loader.image.topics.named("half") is None
            assert again.controller.image.topics.named("half") is None
            await create(again, "half", 1)
            log = again.log
        async with memory_broker(log, seed=3) as third:
            assert third.node.loader.image.topics.named("half") is not None

    trio.run(main)


def test_controller_and_broker_images_agree() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "a", 3)
            await create(broker, "b", 2)
            ours, theirs = broker.controller.image, broker.node.loader.image
            nowhere = Provenance()
            assert dataclasses.replace(ours, provenance=nowhere) == dataclasses.replace(theirs, provenance=nowhere)
            assert broker.log.end_offset == theirs.provenance.offset + 1

    trio.run(main)
