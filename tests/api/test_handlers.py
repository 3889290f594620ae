from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from ottla.api.broker import LogDirView, ReplicaLogView
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation, Principal, Resource, ResourceType
from ottla.wire.k03_metadata import MetadataRequest, MetadataRequestTopic
from ottla.wire.k19_create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k35_describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from ottla.wire.k37_create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.wire.k60_describe_cluster import DescribeClusterRequest
from ottla.wire.k75_describe_topic_partitions import DescribeTopicPartitionsRequest, TopicRequest
from tests.support.memory_broker import DIRECTORY, MemoryBroker, formatted_log, memory_broker


class Rules:
    """Everything is allowed but these (operation, resource name) pairs."""

    def __init__(self, *denied: tuple[Operation, str]) -> None:
        self._denied = denied

    def allows(self, principal: Principal, host: str, operation: Operation, resource: Resource) -> bool:
        assert host == "127.0.0.1"
        assert resource.type in ResourceType
        return (operation, resource.name) not in self._denied


def topic(name: str, partitions: int = 1) -> CreatableTopic:
    return CreatableTopic(name=name, num_partitions=partitions, replication_factor=1)


async def create(broker: MemoryBroker, *names: str, version: int = 7) -> list[int]:
    answer = await broker.ask(CreateTopicsRequest(topics=tuple(map(topic, names))), version)
    return [each.error_code for each in answer.topics]


CLUSTER = "kafka-cluster"
T = ErrorCode.TOPIC_AUTHORIZATION_FAILED


@pytest.mark.parametrize("version", range(2, 8))
def test_create_topics_all_versions(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            assert await create(broker, "a", version=version) == [0]
            assert await create(broker, "a", version=version) == [ErrorCode.TOPIC_ALREADY_EXISTS]

    trio.run(main)


def test_create_topics_asks_who_may() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            broker.authorizer = Rules((Operation.CREATE, CLUSTER), (Operation.CREATE, "b"))
            assert await create(broker, "a", "b") == [0, T]
            broker.authorizer = Rules((Operation.DESCRIBE_CONFIGS, "c"))
            answer = await broker.ask(CreateTopicsRequest(topics=(topic("c"),)), 7)
            (created,) = answer.topics
            assert (created.error_code, created.topic_config_error_code) == (0, T)
            assert (created.num_partitions, created.configs) == (-1, ())

    trio.run(main)


def test_create_topics_answers_when_the_data_plane_leads() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            broker.plane.open = trio.Event()
            answered = trio.Event()

            async def ask() -> None:
                assert await create(broker, "slow") == [0]
                answered.set()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await trio.testing.wait_all_tasks_blocked()
                assert broker.plane.deltas[-1].topics[0].name == "slow"
                assert not answered.is_set()
                broker.plane.open.set()
            assert answered.is_set()

    trio.run(main)


def test_a_topic_that_takes_long_holds_up_no_other() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            slow = broker.plane.open = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(create, broker, "slow")
                await trio.testing.wait_all_tasks_blocked()
                broker.plane.open = trio.Event()
                broker.plane.open.set()
                begun = trio.current_time()
                assert await create(broker, "slow") == [ErrorCode.TOPIC_ALREADY_EXISTS]
                assert await create(broker, "quick") == [0]
                answer = await broker.ask(MetadataRequest(topics=(MetadataRequestTopic(name="unasked"),)), 12)
                assert [each.error_code for each in answer.topics] == [0]
                assert trio.current_time() == begun, "nothing waited for its timeout"
                slow.set()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_create_topics_that_is_not_committed_in_time_says_so() -> None:
    async def main() -> None:
        log = await formatted_log()
        async with memory_broker(log) as broker:
            log.hold = True
            answer = await broker.ask(CreateTopicsRequest(topics=(topic("a"),), timeout_ms=50), 7)
            assert [each.error_code for each in answer.topics] == [ErrorCode.REQUEST_TIMED_OUT]

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("version", range(1, 7))
def test_delete_topics_all_versions(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "a")
            names = {"topic_names": ("a", "b")} if version < 6 else {}
            states = (DeleteTopicState(name="a"), DeleteTopicState(name="b")) if version == 6 else ()
            request = DeleteTopicsRequest(topics=states, timeout_ms=1000, **names)
            answer = await broker.ask(request, version)
            unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            assert {each.name: each.error_code for each in answer.responses} == {"a": 0, "b": unknown}
            assert [(stop.topic, stop.delete) for stop in broker.plane.deltas[-1].stop] == [("a", True)]

    trio.run(main)


def test_delete_topics_hides_what_may_not_be_seen() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "a", "b")
            ids = broker.node.loader.image.topics.id_of
            broker.authorizer = Rules(
                (Operation.DELETE, CLUSTER),
                (Operation.DELETE, "a"),
                (Operation.DELETE, "b"),
                (Operation.DESCRIBE, "b"),
                (Operation.DESCRIBE, "nope"),
            )
            states = (DeleteTopicState(topic_id=ids["a"]), DeleteTopicState(topic_id=ids["b"]))
            answer = await broker.ask(DeleteTopicsRequest(topics=states, timeout_ms=1000), 6)
            assert [(each.name, each.error_code) for each in answer.responses] == [("a", T), (None, T)]
            answer = await broker.ask(DeleteTopicsRequest(topics=(DeleteTopicState(name="nope"),), timeout_ms=1000), 6)
            assert [each.error_code for each in answer.responses] == [T]

    trio.run(main)


@pytest.mark.parametrize(("version", "code"), [(1, ErrorCode.INVALID_REQUEST), (3, ErrorCode.TOPIC_DELETION_DISABLED)])
def test_delete_topics_can_be_switched_off(version: int, code: ErrorCode) -> None:
    async def main() -> None:
        async with memory_broker(settings={"delete.topic.enable": "false"}) as broker:
            await create(broker, "a")
            answer = await broker.ask(DeleteTopicsRequest(topic_names=("a",), timeout_ms=1000), version)
            assert [each.error_code for each in answer.responses] == [code]

    trio.run(main)


@pytest.mark.parametrize("version", range(4))
def test_create_partitions_all_versions(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            await create(broker, "a", "b")
            broker.authorizer = Rules((Operation.ALTER, "b"))
            wanted = tuple(CreatePartitionsTopic(name=name, count=3, assignments=None) for name in "ab")
            answer = await broker.ask(CreatePartitionsRequest(topics=wanted, timeout_ms=1000), version)
            assert {each.name: each.error_code for each in answer.results} == {"a": 0, "b": T}
            assert [lead.partition for lead in broker.plane.deltas[-1].lead] == [1, 2]

    trio.run(main)


@pytest.mark.parametrize("version", range(6))
def test_producer_ids_are_never_handed_out_twice(version: int) -> None:
    async def main() -> None:
        async def ask(broker: MemoryBroker, **fields: Any) -> Any:
            return await broker.ask(InitProducerIdRequest(**{"transactional_id": None, **fields}), version)

        log = await formatted_log()
        seen: list[int] = []
        for seed in (1, 2):
            async with memory_broker(log, seed=seed) as broker:
                answers = [await ask(broker) for _ in range(1001)]
                assert {(each.error_code, each.producer_epoch) for each in answers} == {(0, 0)}
                seen += [each.producer_id for each in answers]
        assert seen == [*range(1001), *range(2000, 3001)]

    trio.run(main)


def test_init_producer_id_refuses() -> None:
    async def main() -> None:
        async with memory_broker() as broker:

            async def error(**fields: Any) -> int:
                answer = await broker.ask(InitProducerIdRequest(**{"transactional_id": None, **fields}), 5)
                assert (answer.producer_id, answer.producer_epoch) == (-1, -1)
                code: int = answer.error_code
                return code

            assert await error(transactional_id="t") == ErrorCode.INVALID_TRANSACTION_TIMEOUT
            assert await error(transactional_id="t", transaction_timeout_ms=1_000) == ErrorCode.NOT_COORDINATOR
            assert await error(transactional_id="") == ErrorCode.INVALID_REQUEST
            assert await error(producer_epoch=3) == ErrorCode.INVALID_REQUEST
            broker.authorizer = Rules((Operation.IDEMPOTENT_WRITE, CLUSTER), (Operation.WRITE, "t"))
            assert await error() == ErrorCode.CLUSTER_AUTHORIZATION_FAILED
            assert await error(transactional_id="t") == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED

    trio.run(main)


@pytest.mark.parametrize("version", range(1, 6))
def test_describe_log_dirs_all_versions(version: int) -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            logs = [ReplicaLogView("b", 0, 10, 0, False), ReplicaLogView("a", 1, 20, 3, True)]
            good = LogDirView("/data", DIRECTORY, True, 1000, 500, logs)
            broker.log_dirs.directories = [good, LogDirView("/bad", b"x" * 16, False, -1, -1, [])]
            answer = await broker.ask(DescribeLogDirsRequest(topics=None), version)
            whole, failed = answer.results
            assert [(t.name, [p.partition_size for p in t.partitions]) for t in whole.topics] == [
                ("a", [20]),
                ("b", [10]),
            ]
            assert (whole.log_dir, whole.error_code, failed.error_code) == ("/data", 0, ErrorCode.KAFKA_STORAGE_ERROR)
            assert (whole.total_bytes, whole.usable_bytes) == ((1000, 500) if version >= 4 else (-1, -1))
            asked = (DescribableLogDirTopic(topic="a", partitions=(0, 1)),)
            answer = await broker.ask(DescribeLogDirsRequest(topics=asked), version)
            (found,) = answer.results[0].topics
            assert [(p.partition_index, p.offset_lag, p.is_future_key) for p in found.partitions] == [(1, 3, True)]
            broker.authorizer = Rules((Operation.DESCRIBE, CLUSTER))
            answer = await broker.ask(DescribeLogDirsRequest(topics=None), version)
            refused = ErrorCode.CLUSTER_AUTHORIZATION_FAILED if version >= 3 else 0
            assert (answer.results, answer.error_code) == ((), refused)

    trio.run(main)


def test_describe_cluster_tells_the_address_the_client_came_by() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            answer = await broker.ask(DescribeClusterRequest(), 2)
            (only,) = answer.brokers
            assert (only.host, only.port, answer.controller_id) == ("broker.test", 9092, 1)
            broker.authorizer = Rules((Operation.DESCRIBE, CLUSTER))
            answer = await broker.ask(DescribeClusterRequest(include_cluster_authorized_operations=True), 2)
            assert answer.cluster_authorized_operations == 0

    trio.run(main)


def test_describe_topic_partitions_hides_what_may_not_be_seen() -> None:
    async def main() -> None:
        async with memory_broker(settings={"max.request.partition.size.limit": "1"}) as broker:
            await create(broker, "a", "b")
            broker.authorizer = Rules((Operation.DESCRIBE, "a"))
            named = (TopicRequest(name="a"), TopicRequest(name="b"))
            answer = await broker.ask(DescribeTopicPartitionsRequest(topics=named), 0)
            assert [(each.name, each.error_code) for each in answer.topics] == [("b", 0), ("a", T)]
            answer = await broker.ask(DescribeTopicPartitionsRequest(), 0)
            assert [each.name for each in answer.topics] == ["b"]

    trio.run(main)


@pytest.mark.parametrize("version", range(14))
def test_metadata_creates_what_it_may_and_answers_when_it_is_led(version: int) -> None:
    async def main() -> None:
        async with memory_broker(settings={"num.partitions": "2"}) as broker:
            wanted = tuple(MetadataRequestTopic(name=name) for name in ("new", "bad name"))
            answer = await broker.ask(MetadataRequest(topics=wanted), version)
            new, bad = answer.topics
            assert (new.error_code, bad.error_code) == (0, ErrorCode.INVALID_TOPIC_EXCEPTION)
            assert [partition.leader_id for partition in new.partitions] == [1, 1]
            assert [lead.topic for lead in broker.plane.deltas[-1].lead] == ["new", "new"]
            assert [(b.node_id, b.host, b.port) for b in answer.brokers] == [(1, "broker.test", 9092)]

    trio.run(main)


def test_metadata_creates_nothing_unasked() -> None:
    async def main() -> None:
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        wanted = (MetadataRequestTopic(name="new"),)
        async with memory_broker(settings={"auto.create.topics.enable": "false"}) as broker:
            answer = await broker.ask(MetadataRequest(topics=wanted), 12)
            assert [each.error_code for each in answer.topics] == [unknown]
        async with memory_broker() as broker:
            answer = await broker.ask(MetadataRequest(topics=wanted, allow_auto_topic_creation=False), 12)
            assert [each.error_code for each in answer.topics] == [unknown]
            broker.authorizer = Rules((Operation.CREATE, CLUSTER), (Operation.CREATE, "new"))
            answer = await broker.ask(MetadataRequest(topics=wanted), 12)
            assert [each.error_code for each in answer.topics] == [T]
            broker.authorizer = Rules((Operation.DESCRIBE, "new"))
            answer = await broker.ask(MetadataRequest(topics=wanted), 12)
            assert [(each.name, each.error_code) for each in answer.topics] == [("new", T)]
            assert not broker.node.loader.image.topics.id_of

    trio.run(main)


def test_metadata_makes_internal_topics_as_their_coordinators_want_them() -> None:
    async def main() -> None:
        async with memory_broker(settings={"offsets.topic.replication.factor": "1"}) as broker:
            wanted = (MetadataRequestTopic(name="__consumer_offsets"),)
            answer = await broker.ask(MetadataRequest(topics=wanted), 12)
            (made,) = answer.topics
            assert (made.error_code, made.is_internal, len(made.partitions)) == (0, True, 50)
            assert broker.node.loader.image.config(2, "__consumer_offsets")["cleanup.policy"] == "compact"

    trio.run(main)


def test_metadata_gives_up_waiting_and_says_what_it_knows() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            broker.plane.open = trio.Event()
            answer = await broker.ask(MetadataRequest(topics=(MetadataRequestTopic(name="new"),)), 12)
            assert [each.error_code for each in answer.topics] == [0], "committed, the data plane is late"

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_two_who_create_the_same_both_get_it() -> None:
    async def main() -> None:
        async with memory_broker() as broker:
            answers: list[Any] = []

            async def ask() -> None:
                answers.append(await broker.ask(MetadataRequest(topics=(MetadataRequestTopic(name="new"),)), 12))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                nursery.start_soon(ask)
            assert [each.topics[0].error_code for each in answers] == [0, 0]
            assert len({each.topics[0].topic_id for each in answers}) == 1

    trio.run(main)
