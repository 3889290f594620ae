"""Transactions as a partition shows them: who may write, who may read how far, and which control records end them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest

from ottla._core import Batch
from ottla.wire.k00_produce import PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k24_add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from ottla.wire.k26_end_txn import EndTxnRequest
from ottla.wire.k27_write_txn_markers import WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest
from ottla.wire.k61_describe_producers import DescribeProducersRequest, ProducerState, TopicRequest
from tests.plane.conftest import MakeTopic, Topic
from tests.plane.requests import fetch_request, list_offsets_request, produce
from tests.support.raw import Connection, batch, batches_of, values_of

FIRST, ABORTABLE, SECOND = 10, 11, 12
"""Versions of Produce: the first protocol, one whose clients know TRANSACTION_ABORTABLE, and the second protocol."""
NONE, INVALID_EPOCH, INVALID_STATE, ID_AUTHORIZATION, COORDINATOR_FENCED, ABORT_IT = 0, 47, 48, 53, 52, 120
UNKNOWN_TOPIC, OUT_OF_ORDER, UNKNOWN_MAPPING, LATEST = 3, 45, 49, -1
NOW_MS = time.time_ns() // 1_000_000
"""Of all records: a marker much younger than its segment begins another one, and a Fetch reads one at a time."""
NOT_NOW = (14, 15, 16, 51)
"""COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS."""


def patiently(ask: Callable[[], Any], code: Callable[[Any], int]) -> Any:
    """Asks until the coordinator has time, as clients do."""
    deadline = time.monotonic() + 30
    while code(answer := ask()) in NOT_NOW and time.monotonic() < deadline:
        time.sleep(0.02)  # another process: what it waits for tells nobody
    return answer


class Producer:
    """A transactional producer, one request at a time."""

    def __init__(self, connection: Connection, *, version: int) -> None:
        self.connection = connection
        self.version = version
        self.id = f"t-{secrets.token_hex(4)}"
        self.producer_id, self.epoch = -1, -1
        self.sequences: dict[tuple[str, int], int] = {}
        find = FindCoordinatorRequest(key_type=1, coordinator_keys=(self.id,))
        patiently(lambda: connection.ask(find, 4), lambda answer: answer.coordinators[0].error_code)
        self.begin()

    def begin(self) -> None:
        request = InitProducerIdRequest(transactional_id=self.id, transaction_timeout_ms=60_000)
        answer = patiently(lambda: self.connection.ask(request, 4), lambda answer: answer.error_code)
        assert answer.error_code == 0
        self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
        self.sequences.clear()

    def add(self, topic: Topic, *partitions: int) -> None:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.id,
            v3_and_below_producer_id=self.producer_id,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=(AddPartitionsToTxnTopic(name=topic.name, partitions=partitions),),
        )

        def code(answer: Any) -> int:
            (found,) = answer.results_by_topic_v3_and_below
            codes: list[int] = [one.partition_error_code for one in found.results_by_partition]
            return max(codes)

        assert code(patiently(lambda: self.connection.ask(request, 3), code)) == 0

    def records(self, topic: Topic, *values: bytes, partition: int = 0, **options: Any) -> bytes:
        sequence = self.sequences.get((topic.name, partition), 0)
        described = {
            "producer_id": self.producer_id,
            "producer_epoch": self.epoch,
            "base_sequence": sequence,
            "transactional": True,
            "timestamp_ms": NOW_MS,
            **options,
        }
        return batch(*values, **described)

    def request(self, topic: Topic, *parts: tuple[int, bytes], transactional_id: str | None = "") -> ProduceRequest:
        data = tuple(PartitionProduceData(index=index, records=records) for index, records in parts)
        return ProduceRequest(
            transactional_id=self.id if transactional_id == "" else transactional_id,
            acks=-1,
            timeout_ms=10_000,
            topic_data=(TopicProduceData(name=topic.name, topic_id=topic.id, partition_data=data),),
        )

    def try_produce(
        self, topic: Topic, *values: bytes, partition: int = 0, transactional_id: str | None = "", **options: Any
    ) -> PartitionProduceResponse:
        records = self.records(topic, *values, partition=partition, **options)
        request = self.request(topic, (partition, records), transactional_id=transactional_id)
        answer = self.connection.ask(request, self.version)
        ((result,),) = (found.partition_responses for found in answer.responses)
        assert isinstance(result, PartitionProduceResponse)
        return result

    def produce(self, topic: Topic, *values: bytes, partition: int = 0) -> int:
        """As a client does: adds the partition if that is its business, and waits for the last transaction."""
        if self.version < SECOND:
            self.add(topic, partition)
        result = patiently(
            lambda: self.try_produce(topic, *values, partition=partition), lambda result: result.error_code
        )
        assert result.error_code == 0, result
        self.sequences[topic.name, partition] = self.sequences.get((topic.name, partition), 0) + len(values)
        assert isinstance(result.base_offset, int)
        return result.base_offset

    def end(self, *, commit: bool) -> None:
        request = EndTxnRequest(
            transactional_id=self.id, producer_id=self.producer_id, producer_epoch=self.epoch, committed=commit
        )
        version = 5 if self.version >= SECOND else 3
        answer = patiently(lambda: self.connection.ask(request, version), lambda answer: answer.error_code)
        assert answer.error_code == 0
        if self.version >= SECOND:
            assert (answer.producer_id, answer.producer_epoch) == (self.producer_id, self.epoch + 1)
            self.epoch += 1
            self.sequences.clear()


@pytest.fixture(params=[FIRST, ABORTABLE, SECOND])
def producer(connection: Connection, request: pytest.FixtureRequest) -> Producer:
    return Producer(connection, version=request.param)


@pytest.fixture
def topic(make_topic: MakeTopic) -> Topic:
    return make_topic(3)


def read(connection: Connection, topic: Topic, *, committed: bool, **options: Any) -> Any:
    level = 1 if committed else 0
    answer = connection.ask(fetch_request((topic, 0, options.pop("offset", 0)), isolation_level=level, **options), 13)
    ((part,),) = (found.partitions for found in answer.responses)
    return part


def stable(connection: Connection, topic: Topic, partition: int = 0) -> int:
    request = list_offsets_request(topic, [LATEST] * (partition + 1), isolation_level=1)
    (found,) = connection.ask(request, 7).topics
    offsets: dict[int, int] = {one.partition_index: one.offset for one in found.partitions}
    return offsets[partition]


def wait_stable(connection: Connection, topic: Topic, offset: int, partition: int = 0) -> None:
    """Markers are written after the end is answered."""
    deadline = time.monotonic() + 30
    while stable(connection, topic, partition) != offset and time.monotonic() < deadline:
        time.sleep(0.02)  # another process: what it waits for tells nobody
    assert stable(connection, topic, partition) == offset


def shape(found: Batch) -> tuple[object, ...]:
    return (found.base_offset, found.transactional, found.control, found.producer_id, found.producer_epoch)


def test_the_last_stable_offset_waits_for_the_end(connection: Connection, producer: Producer, topic: Topic) -> None:
    assert produce(connection, topic, batch(b"before", timestamp_ms=NOW_MS)).base_offset == 0
    assert [producer.produce(topic, b"a"), producer.produce(topic, b"b", b"c")] == [1, 2]
    assert produce(connection, topic, batch(b"after", timestamp_ms=NOW_MS)).base_offset == 4
    part = read(connection, topic, committed=True)
    assert (part.high_watermark, part.last_stable_offset, part.aborted_transactions) == (5, 1, ())
    assert values_of(batches_of(part.records)) == [b"before"]
    part = read(connection, topic, committed=False)
    assert (part.last_stable_offset, part.aborted_transactions) == (1, None)
    assert len(values_of(batches_of(part.records))) == 5
    assert stable(connection, topic) == 1
    producer.end(commit=True)
    wait_stable(connection, topic, 6)
    part = read(connection, topic, committed=True)
    assert (part.high_watermark, part.last_stable_offset, part.aborted_transactions) == (6, 6, ())
    assert len(values_of(batches_of(part.records))) == 6


@pytest.mark.parametrize("commit", [True, False])
def test_a_marker_byte_for_byte(connection: Connection, producer: Producer, topic: Topic, commit: bool) -> None:
    producer.produce(topic, b"a")
    epoch = producer.epoch
    producer.end(commit=commit)
    wait_stable(connection, topic, 2)
    part = read(connection, topic, committed=False)
    data, marker = batches_of(part.records)
    assert shape(data) == (0, True, False, producer.producer_id, epoch)
    assert shape(marker) == (1, True, True, producer.producer_id, producer.epoch)
    assert (marker.base_sequence, marker.last_sequence, marker.record_count, marker.codec) == (-1, -1, 1, 0)
    assert (marker.leader_epoch, marker.last_offset, marker.size) == (data.leader_epoch, 1, 78)
    assert (marker.log_append_time, marker.base_timestamp_ms) == (False, marker.max_timestamp_ms)
    (record,) = marker.records
    assert (record.key, record.headers) == (bytes([0, 0, 0, commit]), ())
    assert record.value is not None
    assert (len(record.value), record.value[:2]) == (6, b"\0\0")


def test_aborted_transactions_are_listed_where_they_are(
    connection: Connection, producer: Producer, topic: Topic
) -> None:
    expected = []
    for round_ in range(6):
        first = producer.produce(topic, b"x" * 200)
        producer.produce(topic, b"y" * 200)
        producer.end(commit=round_ % 2 == 0)
        wait_stable(connection, topic, first + 3)
        if round_ % 2:
            expected.append((producer.producer_id, first))
    part = read(connection, topic, committed=True)
    listed = [(one.producer_id, one.first_offset) for one in part.aborted_transactions]
    assert listed == expected
    part = read(connection, topic, committed=True, offset=expected[1][1] + 2)
    assert [one.first_offset for one in part.aborted_transactions] == [first for _, first in expected[1:]]


def test_who_reads_what_is_committed_is_woken_by_the_end(
    connect: Callable[[], Connection], producer: Producer, topic: Topic
) -> None:
    reader = connect()
    producer.produce(topic, b"a")
    reader.send(fetch_request((topic, 0, 0), isolation_level=1, max_wait_ms=20_000), 13)
    assert not reader.has_answer(0.1)
    began = time.monotonic()
    producer.end(commit=True)
    ((part,),) = (found.partitions for found in reader.receive().responses)
    assert time.monotonic() - began < 10
    assert values_of(batches_of(part.records)[:1]) == [b"a"]


@pytest.mark.parametrize(("version", "code"), [(9, INVALID_STATE), (10, INVALID_STATE), (11, ABORT_IT)])
def test_what_was_not_added_is_not_appended(connection: Connection, topic: Topic, version: int, code: int) -> None:
    producer = Producer(connection, version=version)
    result = producer.try_produce(topic, b"a")
    words = "Partition was not added to the transaction" if code == INVALID_STATE else None
    assert (result.error_code, result.base_offset, result.log_start_offset) == (code, -1, -1)
    assert result.error_message == words
    producer.add(topic, 1)
    assert producer.try_produce(topic, b"a").error_code == code, "the transaction is open, but not there"
    assert producer.try_produce(topic, b"a", partition=1).error_code == NONE
    producer.end(commit=False)
    wait_stable(connection, topic, 2, partition=1)
    assert stable(connection, topic) == 0


def test_partitions_of_one_request_stand_for_themselves(connection: Connection, topic: Topic) -> None:
    producer = Producer(connection, version=ABORTABLE)
    producer.add(topic, 0, 2)
    parts = [(index, producer.records(topic, b"a", partition=index)) for index in (0, 1, 2)]
    answer = connection.ask(producer.request(topic, *parts), ABORTABLE)
    ((results),) = (found.partition_responses for found in answer.responses)
    assert [result.error_code for result in results] == [NONE, ABORT_IT, NONE]


def test_the_second_protocol_adds_what_is_produced_to(connection: Connection, topic: Topic) -> None:
    producer = Producer(connection, version=SECOND)
    parts = [(index, producer.records(topic, b"a", partition=index)) for index in range(3)]
    answer = connection.ask(producer.request(topic, *parts), SECOND)
    ((results),) = (found.partition_responses for found in answer.responses)
    assert [result.error_code for result in results] == [NONE] * 3
    producer.end(commit=True)
    for index in range(3):
        wait_stable(connection, topic, 2, partition=index)


def test_a_transaction_behind_the_other(connection: Connection, producer: Producer, topic: Topic) -> None:
    for round_ in range(20):
        producer.produce(topic, b"a")
        producer.end(commit=round_ % 3 != 0)
    wait_stable(connection, topic, 40)


def test_a_replaced_producer_is_fenced(connection: Connection, producer: Producer, topic: Topic) -> None:
    producer.produce(topic, b"a")
    old = (producer.epoch, dict(producer.sequences))
    producer.begin()
    wait_stable(connection, topic, 2)
    producer.epoch, producer.sequences = old[0], old[1]
    result = producer.try_produce(topic, b"b")
    assert (result.error_code, result.base_offset, result.error_message) == (INVALID_EPOCH, -1, None)


def test_a_repeated_batch_is_known_after_the_end(connection: Connection, topic: Topic) -> None:
    producer = Producer(connection, version=ABORTABLE)
    assert producer.produce(topic, b"a") == 0
    producer.end(commit=True)
    wait_stable(connection, topic, 2)
    producer.add(topic, 0)
    producer.sequences.clear()
    result = producer.try_produce(topic, b"a")
    assert (result.error_code, result.base_offset) == (NONE, 0)
    assert stable(connection, topic) == 2


def test_records_of_a_transaction_want_its_id(connection: Connection, producer: Producer, topic: Topic) -> None:
    assert producer.try_produce(topic, b"a", transactional_id=None).error_code == ID_AUTHORIZATION


@pytest.mark.parametrize(
    ("version", "codes"),
    [(ABORTABLE, (NONE, OUT_OF_ORDER, OUT_OF_ORDER)), (SECOND, (OUT_OF_ORDER, OUT_OF_ORDER, NONE))],
)
def test_sequences_and_epochs(connection: Connection, topic: Topic, version: int, codes: tuple[int, ...]) -> None:
    """What nothing is known of begins anywhere with the first protocol, and with 0 with the second."""
    producer = Producer(connection, version=version)
    producer.begin()
    if version < SECOND:
        producer.add(topic, 0)
    found = [producer.try_produce(topic, b"a", base_sequence=sequence).error_code for sequence in (5, 9, 0)]
    assert tuple(found) == codes
    following = 1 if version >= SECOND else 6
    assert producer.try_produce(topic, b"a", base_sequence=following, transactional=False).error_code == INVALID_STATE
    other = producer.try_produce(topic, b"a", partition=1, producer_id=producer.producer_id + 100_000)
    assert other.error_code == UNKNOWN_MAPPING
    for epoch in (producer.epoch - 1, producer.epoch + 1):
        assert producer.try_produce(topic, b"a", partition=1, producer_epoch=epoch).error_code == INVALID_EPOCH
    assert producer.try_produce(topic, b"a", partition=9).error_code == UNKNOWN_TOPIC


def test_two_producers_in_one_request(connection: Connection, producer: Producer, topic: Topic) -> None:
    other = producer.producer_id + 1
    parts = [(0, producer.records(topic, b"a")), (1, producer.records(topic, b"a", producer_id=other))]
    answer = connection.ask(producer.request(topic, *parts), producer.version)
    ((results),) = (found.partition_responses for found in answer.responses)
    assert [result.error_code for result in results] == [UNKNOWN_MAPPING] * 2


def marker(producer: Producer, topic: Topic, *, epoch: int, coordinator_epoch: int, version: int = 0) -> Any:
    return WritableTxnMarker(
        producer_id=producer.producer_id,
        producer_epoch=epoch,
        transaction_result=False,
        topics=(WritableTxnMarkerTopic(name=topic.name, partition_indexes=(0,)),),
        coordinator_epoch=coordinator_epoch,
        transaction_version=version,
    )


def mark(producer: Producer, topic: Topic, *, epoch: int, coordinator_epoch: int, version: int = 0) -> int:
    request = WriteTxnMarkersRequest(
        markers=(marker(producer, topic, epoch=epoch, coordinator_epoch=coordinator_epoch, version=version),)
    )
    (answer,) = producer.connection.ask(request, 2).markers
    assert answer.producer_id == producer.producer_id
    code = answer.topics[0].partitions[0].error_code
    assert isinstance(code, int)
    return code


def test_markers_by_hand(connection: Connection, topic: Topic) -> None:
    producer = Producer(connection, version=ABORTABLE)
    producer.begin()
    producer.produce(topic, b"a")
    epoch = producer.epoch
    assert mark(producer, topic, epoch=epoch - 1, coordinator_epoch=0) == INVALID_EPOCH
    assert mark(producer, topic, epoch=epoch, coordinator_epoch=0, version=2) == INVALID_EPOCH
    assert stable(connection, topic) == 0
    assert mark(producer, topic, epoch=epoch, coordinator_epoch=5) == NONE
    assert stable(connection, topic) == 2
    assert mark(producer, topic, epoch=epoch, coordinator_epoch=4) == COORDINATOR_FENCED
    assert mark(producer, topic, epoch=epoch, coordinator_epoch=5, version=2) == NONE, "it is a retry"
    assert mark(producer, topic, epoch=epoch + 1, coordinator_epoch=5, version=2) == NONE
    assert mark(producer, topic, epoch=epoch, coordinator_epoch=5) == INVALID_EPOCH
    assert mark(producer, topic, epoch=epoch + 1, coordinator_epoch=6, version=1) == NONE
    assert stable(connection, topic) == 5
    # The marker took the open transaction: it must be verified again, and the partition knows a newer epoch.
    assert producer.try_produce(topic, b"b").error_code == INVALID_EPOCH


def producers_of(connection: Connection, topic: Topic, index: int) -> Any:
    request = DescribeProducersRequest(topics=(TopicRequest(name=topic.name, partition_indexes=(index,)),))
    ((part,),) = (found.partitions for found in connection.ask(request, 0).topics)
    return part


def test_who_writes_to_a_partition(connection: Connection, producer: Producer, topic: Topic) -> None:
    assert producers_of(connection, topic, 0).active_producers == ()
    producer.produce(topic, b"a", b"b")
    (found,) = producers_of(connection, topic, 0).active_producers
    expected = ProducerState(
        producer_id=producer.producer_id,
        producer_epoch=producer.epoch,
        last_sequence=1,
        last_timestamp=NOW_MS,
        coordinator_epoch=-1,
        current_txn_start_offset=0,
    )
    assert found == expected
    producer.end(commit=True)
    wait_stable(connection, topic, 3)
    (found,) = producers_of(connection, topic, 0).active_producers
    assert (found.producer_epoch, found.current_txn_start_offset) == (producer.epoch, -1)
    assert found.last_sequence == (-1 if producer.version >= SECOND else 1)
    assert found.coordinator_epoch >= 0
    assert found.last_timestamp >= NOW_MS
    assert producers_of(connection, topic, 9).error_code == UNKNOWN_TOPIC
