"""Handlers of transaction APIs: who may, every version, and coordinators that are not there."""

from __future__ import annotations

from typing import Any, Final

import pytest
import trio
import trio.testing

from ottla.api.table import by_key
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation, ResourceType
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k20_delete_topics import DeleteTopicsRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k24_add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from ottla.wire.k25_add_offsets_to_txn import AddOffsetsToTxnRequest
from ottla.wire.k26_end_txn import EndTxnRequest
from ottla.wire.k27_write_txn_markers import WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest
from ottla.wire.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from ottla.wire.k61_describe_producers import DescribeProducersRequest, TopicRequest
from ottla.wire.k65_describe_transactions import DescribeTransactionsRequest
from ottla.wire.k66_list_transactions import ListTransactionsRequest
from tests.api.test_group_handlers import Denied, commit, coordinated, create, fetch, no_group, no_topic, run, versions
from tests.support.memory_broker import MemoryBroker, memory_broker

ID: Final = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
CLUSTER: Final = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
GROUP: Final = ErrorCode.GROUP_AUTHORIZATION_FAILED
TOPIC: Final = ErrorCode.TOPIC_AUTHORIZATION_FAILED
NOT_ATTEMPTED: Final = ErrorCode.OPERATION_NOT_ATTEMPTED
UNKNOWN: Final = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
OLD: Final = ErrorCode.INVALID_PRODUCER_EPOCH
FENCED: Final = ErrorCode.PRODUCER_FENCED


def no_id(operation: Operation, name: str = "x") -> Denied:
    return Denied((operation, ResourceType.TRANSACTIONAL_ID, name))


def no_cluster(*operations: Operation) -> Denied:
    return Denied(*((operation, ResourceType.CLUSTER, "kafka-cluster") for operation in operations))


async def begun(broker: MemoryBroker) -> tuple[int, int]:
    """There are topics t and u, both coordinators, and transactional id x: its producer id and epoch."""
    await create(broker, "t", "u")
    await coordinated(broker)
    answer = await broker.ask(FindCoordinatorRequest(coordinator_keys=("x",), key_type=1), 4)
    assert [each.error_code for each in answer.coordinators] == [0]
    await trio.testing.wait_all_tasks_blocked()
    return await initialized(broker)


async def initialized(broker: MemoryBroker, version: int = 5, **fields: Any) -> tuple[int, int]:
    request = InitProducerIdRequest(transactional_id="x", transaction_timeout_ms=60_000, **fields)
    answer = await broker.ask(request, version)
    assert answer.error_code == 0
    return answer.producer_id, answer.producer_epoch


async def add(broker: MemoryBroker, version: int, epoch: int, *names: str, verify_only: bool = False) -> dict[str, int]:
    """Partition 0 of each."""
    topics = tuple(AddPartitionsToTxnTopic(name=name, partitions=(0,)) for name in names)
    if version < 4:
        old = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id="x", v3_and_below_producer_epoch=epoch, v3_and_below_topics=topics
        )
        results = (await broker.ask(old, version)).results_by_topic_v3_and_below
    else:
        transaction = AddPartitionsToTxnTransaction(
            transactional_id="x", producer_epoch=epoch, topics=topics, verify_only=verify_only
        )
        answer = await broker.ask(AddPartitionsToTxnRequest(transactions=(transaction,)), version)
        if answer.error_code:
            return {"": answer.error_code}
        (only,) = answer.results_by_transaction
        results = only.topic_results
    return {result.name: result.results_by_partition[0].partition_error_code for result in results}


async def end(broker: MemoryBroker, version: int, epoch: int, *, commit: bool = True) -> int:
    request = EndTxnRequest(transactional_id="x", producer_id=0, producer_epoch=epoch, committed=commit)
    code: int = (await broker.ask(request, version)).error_code
    return code


async def commit_offset(broker: MemoryBroker, version: int, epoch: int, *names: str, offset: int = 5) -> dict[str, int]:
    ids = broker.node.loader.image.topics.id_of
    partition = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset, committed_metadata="")
    topics = tuple(
        TxnOffsetCommitRequestTopic(topic_id=ids[name], partitions=(partition,))
        if version >= 6
        else TxnOffsetCommitRequestTopic(name=name, partitions=(partition,))
        for name in names
    )
    request = TxnOffsetCommitRequest(transactional_id="x", group_id="g", producer_epoch=epoch, topics=topics)
    answer = await broker.ask(request, version)
    named = {topic_id: name for name, topic_id in ids.items()}
    return {topic.name or named[topic.topic_id]: topic.partitions[0].error_code for topic in answer.topics}


async def described(broker: MemoryBroker) -> Any:
    (state,) = (await broker.ask(DescribeTransactionsRequest(transactional_ids=("x",)), 0)).transaction_states
    return state


async def listed(broker: MemoryBroker, version: int = 2, **fields: Any) -> list[str]:
    answer = await broker.ask(ListTransactionsRequest(**fields), version)
    assert answer.error_code == 0
    return [each.transactional_id for each in answer.transaction_states]


# --- every version ----------------------------------------------------------------------------------------------------


@versions(22)
def test_a_transactional_id_is_initialized_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            assert await begun(broker) == (0, 0)
            assert await initialized(broker, version) == (0, 1)
            assert await add(broker, 3, 1, "t") == {"t": 0}
            # The open transaction is aborted, and that is waited for.
            assert await initialized(broker, version) == (0, 3)

    run(main)


@versions(24)
def test_partitions_are_added_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            assert await add(broker, version, 0, "t", "u") == {"t": 0, "u": 0}
            assert await add(broker, version, 4, "t") == {"t": FENCED if version >= 2 else OLD}
            assert await add(broker, version, 0, "t", "none") == {"t": NOT_ATTEMPTED, "none": UNKNOWN}
            if version >= 4:
                assert await add(broker, version, 0, "t", verify_only=True) == {"t": 0}

    run(main)


@versions(25)
def test_offsets_are_added_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            request = AddOffsetsToTxnRequest(transactional_id="x", group_id="g", producer_epoch=0)
            assert (await broker.ask(request, version)).error_code == 0
            assert [topic.topic for topic in (await described(broker)).topics] == ["__consumer_offsets"]
            zombie = AddOffsetsToTxnRequest(transactional_id="x", group_id="g", producer_epoch=4)
            assert (await broker.ask(zombie, version)).error_code == (FENCED if version >= 2 else OLD)

    run(main)


@versions(26)
@pytest.mark.parametrize("commit", [True, False])
def test_a_transaction_ends_in_every_version(version: int, commit: bool) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            await add(broker, 3, 0, "t", "u")
            assert await end(broker, version, 4) == (FENCED if version >= 2 else OLD)
            assert await end(broker, version, 0, commit=commit) == 0
            epoch = 1 if version >= 5 else 0
            assert await add(broker, 3, epoch, "t") == {"t": 0}
            assert [row[2:6] for row in broker.partitions.markers] == [(0, epoch, 0, commit)] * 2

    run(main)


@versions(28)
def test_offsets_are_committed_in_a_transaction_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            if version < 5:
                await broker.ask(AddOffsetsToTxnRequest(transactional_id="x", group_id="g"), 3)
            assert await commit_offset(broker, version, 0, "t") == {"t": 0}
            assert await fetch(broker, "t") == {"t": (-1, 0)}
            assert await end(broker, 3, 0) == 0
            # The next transaction begins when the markers are written.
            assert await add(broker, 3, 0, "t") == {"t": 0}
            assert await fetch(broker, "t") == {"t": (5, 0)}

    run(main)


@versions(27)
def test_markers_are_written_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            topics = tuple(
                WritableTxnMarkerTopic(name=name, partition_indexes=(0,))
                for name in ("t", "none", "__consumer_offsets")
            )
            marker = WritableTxnMarker(
                producer_id=7, producer_epoch=1, transaction_result=True, topics=topics, transaction_version=2
            )
            (answer,) = (await broker.ask(WriteTxnMarkersRequest(markers=(marker,)), version)).markers
            codes = {topic.name: topic.partitions[0].error_code for topic in answer.topics}
            assert codes == {"t": 0, "none": UNKNOWN, "__consumer_offsets": 0}
            assert [row[2:] for row in broker.partitions.markers] == [(7, 1, 0, True, 2 if version >= 2 else 0)]

    run(main)


@versions(66)
def test_transactions_are_listed_in_every_version(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            assert await listed(broker, version) == ["x"]
            assert await listed(broker, version, state_filters=("Ongoing",)) == []
            assert await listed(broker, version, producer_id_filters=(0,)) == ["x"]

    run(main)


def test_what_is_open_is_described() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            await add(broker, 3, 0, "t")
            state = await described(broker)
            assert (state.error_code, state.transaction_state, state.transaction_timeout_ms) == (0, "Ongoing", 60_000)
            broker.partitions.producers[0] = [(0, 0, 3, 1_700_000_000_000, -1, 12)]
            request = DescribeProducersRequest(topics=(TopicRequest(name="t", partition_indexes=(0, 1)),))
            (topic,) = (await broker.ask(request, by_key[61].versions[-1])).topics
            assert [partition.error_code for partition in topic.partitions] == [0, UNKNOWN]
            (producer,) = topic.partitions[0].active_producers
            assert (producer.last_sequence, producer.current_txn_start_offset) == (3, 12)

    run(main)


def test_a_commit_that_meets_the_marker_of_the_transaction_before() -> None:
    """The marker takes its guard: it is asked for once more."""

    async def main() -> None:
        async with memory_broker(settings={"offsets.topic.num.partitions": "1"}) as broker:
            await begun(broker)
            assert await commit_offset(broker, 5, 0, "t", offset=5) == {"t": 0}
            (topic_id,) = [
                key for key, topic in broker.node.loader.image.topics.by_id.items() if "offsets" in topic.name
            ]
            gate = broker.group_logs.partition(topic_id, 0).gate = trio.Event()
            assert await end(broker, 5, 0) == 0
            async with trio.open_nursery() as nursery:
                answers: list[dict[str, int]] = []

                async def commit_next() -> None:
                    answers.append(await commit_offset(broker, 5, 1, "t", offset=7))

                nursery.start_soon(commit_next)
                await trio.testing.wait_all_tasks_blocked()
                gate.set()
            assert answers == [{"t": 0}]
            assert await fetch(broker, "t") == {"t": (5, 0)}

    run(main)


@pytest.mark.parametrize("commits", [True, False])
def test_what_is_pending_outlives_its_coordinator(commits: bool) -> None:
    async def main() -> None:
        async with memory_broker(settings={"offsets.topic.num.partitions": "1"}) as broker:
            await begun(broker)
            assert await commit(broker, "t") == {"t": 0}
            assert await commit_offset(broker, 5, 0, "t", offset=9) == {"t": 0}
            topics = broker.node.loader.image.topics
            held = broker.group_logs.partition(topics.id_of["__consumer_offsets"], 0)
            held.failures.append(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            assert await commit(broker, "u") == {"u": ErrorCode.NOT_COORDINATOR}
            await trio.sleep(5)
            assert held.loads == 2
            assert await fetch(broker, "t") == {"t": (5, 0)}
            assert await end(broker, 5, 0, commit=commits) == 0
            await trio.testing.wait_all_tasks_blocked()
            assert await fetch(broker, "t") == {"t": (9 if commits else 5, 0)}

    run(main)


def test_a_topic_that_is_deleted_in_a_transaction_does_not_hold_it_up() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            await add(broker, 3, 0, "t", "u")
            deleted = await broker.ask(DeleteTopicsRequest(topic_names=("t",), timeout_ms=5_000), 5)
            assert [each.error_code for each in deleted.responses] == [0]
            assert await end(broker, 3, 0) == 0
            assert await add(broker, 3, 0, "u") == {"u": 0}
            assert len(broker.partitions.markers) == 1

    run(main)


def test_markers_that_cannot_be_written_yet_are_tried_again() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            await add(broker, 3, 0, "t", "u")
            broker.partitions.codes[0] = [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_ENOUGH_REPLICAS]
            assert await end(broker, 3, 0) == 0
            assert await add(broker, 3, 0, "t") == {"t": 0}
            assert len(broker.partitions.markers) == 4

    run(main)


# --- who may ----------------------------------------------------------------------------------------------------------


def test_a_producer_needs_write_on_its_id() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            broker.authorizer = no_id(Operation.WRITE)
            request = InitProducerIdRequest(transactional_id="x", transaction_timeout_ms=1_000)
            assert (await broker.ask(request, 5)).error_code == ID
            assert await add(broker, 3, 0, "t", "none") == {"t": ID, "none": ID}
            assert await add(broker, 4, 0, "t") == {"t": 0}
            asked = AddOffsetsToTxnRequest(transactional_id="x", group_id="g")
            assert (await broker.ask(asked, 4)).error_code == ID
            assert await end(broker, 5, 0) == ID
            assert await commit_offset(broker, 5, 0, "t", "u") == {"t": ID, "u": ID}

    run(main)


def test_what_else_a_producer_needs() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            broker.authorizer = no_topic(Operation.WRITE)
            assert await add(broker, 3, 0, "t", "u", "none") == {"t": TOPIC, "u": NOT_ATTEMPTED, "none": UNKNOWN}
            assert await add(broker, 3, 0, "u") == {"u": 0}
            broker.authorizer = no_group(Operation.READ)
            asked = AddOffsetsToTxnRequest(transactional_id="x", group_id="g")
            assert (await broker.ask(asked, 4)).error_code == GROUP
            assert await commit_offset(broker, 5, 0, "t") == {"t": GROUP}
            broker.authorizer = no_topic(Operation.READ)
            assert await commit_offset(broker, 5, 0, "t", "u") == {"t": TOPIC, "u": 0}
            assert await commit_offset(broker, 6, 0, "t", "u") == {"t": TOPIC, "u": 0}
            request = DescribeProducersRequest(topics=(TopicRequest(name="t", partition_indexes=(0,)),))
            (topic,) = (await broker.ask(request, 0)).topics
            assert topic.partitions[0].error_code == TOPIC

    run(main)


def test_what_brokers_and_administrators_need() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            topic = WritableTxnMarkerTopic(name="t", partition_indexes=(0,))
            request = WriteTxnMarkersRequest(markers=(WritableTxnMarker(producer_id=7, topics=(topic,)),))

            async def written() -> int:
                (answer,) = (await broker.ask(request, 1)).markers
                code: int = answer.topics[0].partitions[0].error_code
                return code

            broker.authorizer = no_cluster(Operation.CLUSTER_ACTION)
            assert await add(broker, 5, 0, "t") == {"": CLUSTER}
            assert await written() == 0
            broker.authorizer = no_cluster(Operation.ALTER)
            assert await written() == 0
            broker.authorizer = no_cluster(Operation.ALTER, Operation.CLUSTER_ACTION)
            assert await written() == CLUSTER

    run(main)


def test_who_may_describe_sees() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await begun(broker)
            await add(broker, 3, 0, "t", "u")
            broker.authorizer = no_id(Operation.DESCRIBE)
            assert (await described(broker)).error_code == ID
            assert await listed(broker) == []
            broker.authorizer = no_topic(Operation.DESCRIBE)
            assert [topic.topic for topic in (await described(broker)).topics] == ["u"]

    run(main)


# --- coordinators that are not there ----------------------------------------------------------------------------------


def test_before_there_is_a_coordinator() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "t")
            absent = ErrorCode.NOT_COORDINATOR
            request = InitProducerIdRequest(transactional_id="x", transaction_timeout_ms=1_000)
            assert (await broker.ask(request, 5)).error_code == absent
            assert await add(broker, 3, 0, "t") == {"t": absent}
            assert await end(broker, 5, 0) == absent
            assert await commit_offset(broker, 5, 0, "t") == {"t": absent}
            assert (await described(broker)).error_code == absent
            assert await listed(broker) == []

    run(main)


def test_while_a_partition_is_loaded() -> None:
    async def main() -> None:
        async with memory_broker(settings={"transaction.state.log.num.partitions": "1"}) as broker:
            await begun(broker)
            (topic_id,) = [key for key, topic in broker.node.loader.image.topics.by_id.items() if "state" in topic.name]
            held = broker.group_logs.partition(topic_id, 0)
            held.load_delay_ms = 1_000
            held.failures.append(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            assert await add(broker, 3, 0, "t") == {"t": ErrorCode.NOT_COORDINATOR}
            loading = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
            await trio.sleep(0.5)
            assert await add(broker, 3, 0, "t") == {"t": loading}
            assert (await broker.ask(ListTransactionsRequest(), 2)).error_code == loading
            assert await commit_offset(broker, 1, 0, "t") == {"t": ErrorCode.COORDINATOR_NOT_AVAILABLE}
            await trio.sleep(3)
            assert await add(broker, 3, 0, "t") == {"t": 0}

    run(main)
