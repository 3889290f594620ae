"""Transactions where something is at its end: the disk, the room for questions, the time of thousands at once.

What is refused is refused with a code that clients try again after; nothing is torn; others go on; and when it is over,
the last stable offset reaches the end of every partition.
"""

from __future__ import annotations

import contextlib
import resource
import select
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from ottla.errors import ErrorCode
from ottla.testing import Broker
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k24_add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from ottla.wire.k26_end_txn import EndTxnRequest
from ottla.wire.k65_describe_transactions import DescribeTransactionsRequest
from ottla.wire.k66_list_transactions import ListTransactionsRequest
from tests.faults.honest_copier import HonestCopier
from tests.faults.transaction_load import AGAIN, read_committed
from tests.support.broker_process import BrokerProcess
from tests.support.raw import Connection, batch
from tests.support.raw_admin import create_topic
from tests.support.small_disk import fill, small_disk

__all__ = ["small_disk"]

ENDED_S: Final = 60.0
PAUSE_S: Final = 0.02
IDS: Final = 10_000
IDS_DESCRIBED: Final = 3_000
"""Each is asked for three times."""
CROWD_RSS_BYTES_MAX: Final = 300 << 20
UNREAD_BYTES_MAX: Final = 300 << 20
READERS: Final = 20
OPEN_MAX: Final = 4_096
"""Questions (``rust/core/src/plane/questions.rs``)."""
BEYOND: Final = 200
ADDS: Final = 12
"""The version of Produce whose leaders add partitions themselves."""
REFUSED: Final = AGAIN | {ErrorCode.KAFKA_STORAGE_ERROR}


def begin(connection: Connection, transactional_id: str, timeout_ms: int = 60_000) -> tuple[int, int]:
    """A producer id and its epoch."""
    connection.ask(FindCoordinatorRequest(key_type=1, coordinator_keys=(transactional_id,)), 4)
    request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=timeout_ms)
    answer = patiently(lambda: connection.ask(request, 4), error_of)
    return answer.producer_id, answer.producer_epoch


def patiently(ask: Callable[[], Any], code_of: Callable[[Any], int]) -> Any:
    """Asks again, as clients do."""
    deadline = time.monotonic() + ENDED_S
    while (code := code_of(answer := ask())) != 0:
        assert code in REFUSED, ErrorCode(code).name
        assert time.monotonic() < deadline, f"still {ErrorCode(code).name}"
        time.sleep(PAUSE_S)
    return answer


def produce_request(
    topic: str,
    partition: int,
    values: list[bytes],
    transactional_id: str | None = None,
    producer: tuple[int, int] = (-1, -1),
    sequence: int = -1,
) -> ProduceRequest:
    records = batch(
        *values,
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=sequence,
        transactional=transactional_id is not None,
    )
    data = TopicProduceData(name=topic, partition_data=(PartitionProduceData(index=partition, records=records),))
    return ProduceRequest(transactional_id=transactional_id, acks=-1, timeout_ms=30_000, topic_data=(data,))


def error_of(answer: Any) -> int:
    """Of a whole answer."""
    code: int = answer.error_code
    return code


def code_of_produce(answer: Any) -> int:
    code: int = answer.responses[0].partition_responses[0].error_code
    return code


def end_request(transactional_id: str, producer: tuple[int, int], *, commit: bool) -> EndTxnRequest:
    return EndTxnRequest(
        transactional_id=transactional_id, producer_id=producer[0], producer_epoch=producer[1], committed=commit
    )


def ends(connection: Connection, topic: str, partitions: int, isolation: int) -> list[int]:
    """The end of each partition; of what is stable with ``isolation`` 1."""
    wanted = tuple(ListOffsetsPartition(partition_index=index, timestamp=-1) for index in range(partitions))
    request = ListOffsetsRequest(
        replica_id=-1, isolation_level=isolation, topics=(ListOffsetsTopic(name=topic, partitions=wanted),)
    )
    found = connection.ask(request, 8).topics[0].partitions
    assert all(each.error_code == 0 for each in found), found
    return [each.offset for each in sorted(found, key=lambda each: each.partition_index)]


def wait_stable(connection: Connection, topic: str, partitions: int = 1) -> None:
    """Until nothing is open."""
    deadline = time.monotonic() + ENDED_S
    while (end := ends(connection, topic, partitions, 0)) != (stable := ends(connection, topic, partitions, 1)):
        assert time.monotonic() < deadline, f"{topic} ends at {end}, and is stable up to {stable}"
        time.sleep(PAUSE_S)


# --- a full disk ----------------------------------------------------------------------------------------------------


def test_a_full_disk_tears_no_transaction(small_disk: Path, tmp_path: Path) -> None:
    """One transaction is open when the disk is full, another one cannot begin, a third is being ended. What was
    answered to be decided stays so, over a kill -9, too."""
    ballast = small_disk / "ballast"
    settings = {
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.num.partitions": 1,
        "transaction.state.log.segment.bytes": 1 << 20,
        "log.segment.bytes": 1 << 20,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 200,
    }
    with BrokerProcess(small_disk / "data", settings) as broker:
        broker.log_path = tmp_path / "broker.log"
        broker.start()
        with Connection(broker.address) as connection:
            assert create_topic(connection, "crowd", 3) == 0
            producers = {name: begin(connection, name) for name in ("open", "ending", "late")}
            for place, name in enumerate(("open", "ending")):
                request = produce_request("crowd", place, [b"before"], name, producers[name], 0)
                patiently(lambda request=request: connection.ask(request, ADDS), code_of_produce)  # type: ignore[misc]
            with ballast.open("wb", buffering=0) as file:
                fill(file)
            while code_of_produce(connection.ask(produce_request("crowd", 2, [b"y" * 4000]), ADDS)) == 0:
                pass
            # Records of a transaction are refused as all others are.
            refused = connection.ask(produce_request("crowd", 0, [b"x" * 4000], "open", producers["open"], 1), ADDS)
            code = code_of_produce(refused)
            assert code in REFUSED, ErrorCode(code).name
            # So is what needs a record of the coordinator's; small ones may still find a place.
            decided: dict[str, bool] = {}
            answers = [connection.ask(end_request("ending", producers["ending"], commit=True), 5) for _ in "123"]
            codes = {answer.error_code for answer in answers}
            assert codes <= REFUSED | {0}, [ErrorCode(code).name for code in codes]
            decided["ending"] = 0 in codes
            late = connection.ask(produce_request("crowd", 2, [b"late"], "late", producers["late"], 0), ADDS)
            assert code_of_produce(late) in REFUSED | {0}, ErrorCode(code_of_produce(late)).name
            # Reads go on, and nothing that is undecided is seen.
            if not decided["ending"]:
                assert read_committed(connection, "crowd", 1, 0).values == []
            assert read_committed(connection, "crowd", 0, 0).values == []
            ballast.unlink()
            patiently(lambda: connection.ask(produce_request("crowd", 2, [b"room"]), ADDS), code_of_produce)
            # Without a restart: the end that was asked for comes, once; the others go on where they were.
            answer = patiently(
                lambda: connection.ask(end_request("ending", producers["ending"], commit=True), 5),
                error_of,
            )
            assert (answer.producer_id, answer.producer_epoch) == (producers["ending"][0], 1)
            more = produce_request("crowd", 0, [b"after"], "open", producers["open"], 1)
            patiently(lambda: connection.ask(more, ADDS), code_of_produce)
            for name in ("open", "late"):
                if name == "late" and code_of_produce(late) != 0:
                    again = produce_request("crowd", 2, [b"late"], "late", producers["late"], 0)
                    patiently(lambda: connection.ask(again, ADDS), code_of_produce)  # noqa: B023
                end = end_request(name, producers[name], commit=name == "open")
                patiently(lambda end=end: connection.ask(end, 5), error_of)  # type: ignore[misc]
            wait_stable(connection, "crowd", 3)
            seen = [read_committed(connection, "crowd", place, 0).values for place in (0, 1)]
            assert seen == [[b"before", b"after"], [b"before"]]
        broker.kill()
        broker.start()
        with Connection(broker.address) as connection:
            wait_stable(connection, "crowd", 3)
            assert [read_committed(connection, "crowd", place, 0).values for place in (0, 1)] == seen
            assert b"late" not in read_committed(connection, "crowd", 2, 0).values


def test_markers_that_find_no_room_come_when_there_is(small_disk: Path, tmp_path: Path) -> None:
    """The timeout of an open transaction runs out while the disk is full."""
    ballast = small_disk / "ballast"
    settings = {
        "transaction.state.log.num.partitions": 1,
        "transaction.state.log.segment.bytes": 1 << 20,
        "log.segment.bytes": 1 << 20,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 100,
    }
    with BrokerProcess(small_disk / "data", settings) as broker:
        broker.log_path = tmp_path / "broker.log"
        broker.start()
        with Connection(broker.address) as connection:
            assert create_topic(connection, "crowd", 40) == 0
            producer = begin(connection, "silent", 1_500)
            for place in range(40):
                request = produce_request("crowd", place, [b"x"], "silent", producer, 0)
                patiently(lambda request=request: connection.ask(request, ADDS), code_of_produce)  # type: ignore[misc]
            with ballast.open("wb", buffering=0) as file:
                fill(file)
                until = time.monotonic() + 2.5
                while time.monotonic() < until:
                    # Whatever room is found is taken from it.
                    fill(file)
                    time.sleep(PAUSE_S)
            ballast.unlink()
            wait_stable(connection, "crowd", 40)
            assert all(read_committed(connection, "crowd", place, 0).values == [] for place in range(40))
            assert broker.exit_code() is None


# --- thousands at once ----------------------------------------------------------------------------------------------


def pipelined(connection: Connection, requests: Iterable[tuple[object, int]], window: int = 200) -> Iterator[Any]:
    """The answers, with so many requests under way."""
    waiting = 0
    for request, version in requests:
        connection.send(request, version)
        waiting += 1
        if waiting >= window:
            yield connection.receive()
            waiting -= 1
    for _ in range(waiting):
        yield connection.receive()


def open_many(connection: Connection, topic: str, partitions: int, count: int) -> None:
    """A transaction of each of so many transactional ids, each with a partition."""
    connection.ask(FindCoordinatorRequest(key_type=1, coordinator_keys=("crowd-0",)), 4)
    begin(connection, "crowd-0", 1_000)
    names = [f"crowd-{number}" for number in range(count)]
    inits = ((InitProducerIdRequest(transactional_id=name, transaction_timeout_ms=1_000), 4) for name in names)
    producers: list[tuple[int, int]] = []
    for name, answer in zip(names, pipelined(connection, inits), strict=True):
        known = answer.producer_id, answer.producer_epoch
        producers.append(known if answer.error_code == 0 else begin(connection, name, 1_000))
    adds = (
        (
            AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=name,
                v3_and_below_producer_id=producer[0],
                v3_and_below_producer_epoch=producer[1],
                v3_and_below_topics=(AddPartitionsToTxnTopic(name=topic, partitions=(number % partitions,)),),
            ),
            3,
        )
        for number, (name, producer) in enumerate(zip(names, producers, strict=True))
    )
    for answer in pipelined(connection, adds):
        assert answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code == 0


def test_ten_thousand_transactions_time_out_at_once(tmp_path: Path) -> None:
    """They are open when the broker dies, and overdue when it is back: then it has as many decisions to write, markers
    to send and ends to record, and others work in transactions beside it."""
    settings: dict[str, str | int] = {
        "transaction.state.log.num.partitions": 4,
        "offsets.topic.num.partitions": 4,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 3_600_000,
    }
    with BrokerProcess(tmp_path / "data", settings) as broker:
        broker.start()
        with Connection(broker.address) as connection:
            assert create_topic(connection, "crowd", 8) == 0
            open_many(connection, "crowd", 8, IDS)
            assert len(connection.ask(ListTransactionsRequest(state_filters=("Ongoing",)), 1).transaction_states) == IDS
        broker.kill()
        broker.settings["transaction.abort.timed.out.transaction.cleanup.interval.ms"] = 200
        broker.start()
        with HonestCopier(broker.address) as copier, Connection(broker.address) as connection:
            copier.progress(1)
            deadline = time.monotonic() + ENDED_S
            open_ids = ListTransactionsRequest(
                state_filters=("Ongoing", "PrepareAbort"), transactional_id_pattern="crowd.*"
            )
            while left := len(patiently(lambda: connection.ask(open_ids, 2), error_of).transaction_states):
                assert time.monotonic() < deadline, f"{left} are still open"
                copier.progress(1)
            wait_stable(connection, "crowd", 8)
            # One marker each.
            assert sum(ends(connection, "crowd", 8, 0)) == IDS
            copier.progress(5)
            copier.check()
        assert broker.rss_peak_bytes() < CROWD_RSS_BYTES_MAX
        assert "Traceback" not in broker.log(), broker.log_tail()


def test_readers_that_do_not_read_what_is_said_of_transactions(tmp_path: Path) -> None:
    """Thousands of ids are described and listed again and again, and nobody takes the answers; somebody else floods
    the coordinator with partitions to add. A copier goes on beside them."""
    settings = {"transaction.state.log.num.partitions": 4, "offsets.topic.num.partitions": 4}
    with BrokerProcess(tmp_path / "data", settings) as broker, contextlib.ExitStack() as held:
        broker.start()
        copier = held.enter_context(HonestCopier(broker.address))
        with Connection(broker.address) as connection:
            assert create_topic(connection, "crowd", 100) == 0
            open_many(connection, "crowd", 100, IDS_DESCRIBED)
            producer = begin(connection, "flood")
        names = tuple(f"crowd-{number}" for number in range(IDS_DESCRIBED)) * 3
        copier.progress(1)
        before = broker.rss_bytes()
        for _ in range(READERS):
            reader = held.enter_context(Connection(broker.address))
            described = reader.frame(DescribeTransactionsRequest(transactional_ids=names), 0)
            listed = reader.frame(ListTransactionsRequest(), 1)
            reader.send_bytes(described + listed)
        flood = held.enter_context(Connection(broker.address))
        add = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id="flood",
            v3_and_below_producer_id=producer[0],
            v3_and_below_producer_epoch=producer[1],
            v3_and_below_topics=(AddPartitionsToTxnTopic(name="crowd", partitions=tuple(range(100))),),
        )
        copier.progress(5)
        for answer in pipelined(flood, ((add, 3) for _ in range(500)), window=60):
            codes = {each.partition_error_code for each in answer.results_by_topic_v3_and_below[0].results_by_partition}
            assert codes == {0}
        copier.progress(20)
        copier.check()
        assert broker.rss_bytes() < before + UNREAD_BYTES_MAX
        assert "Traceback" not in broker.log(), broker.log_tail()


def test_thousands_of_questions_are_bounded_and_all_answered() -> None:
    """More connections ask whether their transactions are open than questions may be, while nobody has the time to
    answer. Those beyond are told to try again, at once; all others get their answer when there is one."""
    connections_max = OPEN_MAX + BEYOND
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections_max + 1_000
    if hard < wanted:
        pytest.skip(f"needs {wanted:,} descriptors, {hard:,} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    config = {"transaction.state.log.num.partitions": 4, "offsets.topic.num.partitions": 1}
    try:
        with Broker(config=config) as broker, contextlib.ExitStack() as held:
            address = broker.bootstrap_servers
            asking = [held.enter_context(Connection(address)) for _ in range(connections_max)]
            connection = held.enter_context(Connection(address))
            assert create_topic(connection, "crowd", 4) == 0
            producer = begin(connection, "asks")
            frames = [each.frame(produce_request("crowd", 0, [b"x"], "asks", producer, 0), ADDS) for each in asking]
            with _nobody_answers(broker):
                for each, data in zip(asking, frames, strict=True):
                    each.send_bytes(data)
                # Whoever is refused is told while nobody answers; one by one, since only they have an answer.
                refused = _count_answered(asking, BEYOND)
            codes = [code_of_produce(each.receive()) for each in asking]
            assert refused == BEYOND
            # Of one producer and one sequence the first is appended, and all others repeat it.
            assert Counter(codes) == {ErrorCode.NONE: OPEN_MAX, ErrorCode.NOT_ENOUGH_REPLICAS: BEYOND}
            patiently(lambda: connection.ask(end_request("asks", producer, commit=True), 5), error_of)
            wait_stable(connection, "crowd", 4)
            assert read_committed(connection, "crowd", 0, 0).values == [b"x"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def _nobody_answers(broker: Broker) -> Iterator[None]:
    """The broker's own thread does nothing meanwhile, and does not hold the interpreter."""
    held, released = threading.Event(), threading.Event()
    inside = broker._thread
    assert inside is not None

    async def hold(_services: object) -> None:
        held.set()
        released.wait(ENDED_S)

    thread = threading.Thread(target=inside.call, args=(hold,))
    thread.start()
    try:
        assert held.wait(ENDED_S)
        yield
    finally:
        released.set()
        thread.join()


def _count_answered(connections: Sequence[Connection], wanted: int) -> int:
    """How many have an answer, once as many as ``wanted`` have."""
    ear = select.epoll()
    found: set[int] = set()
    try:
        for each in connections:
            ear.register(each.socket.fileno(), select.EPOLLIN | select.EPOLLONESHOT)
        deadline = time.monotonic() + ENDED_S
        while len(found) < wanted:
            assert time.monotonic() < deadline, f"{len(found)} were refused, {wanted} cannot be asked for"
            found |= {number for number, _ in ear.poll(1.0)}
        return len(found)
    finally:
        ear.close()
