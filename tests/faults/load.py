"""Load that survives its broker: idempotent producers of acks=all, each on a connection of its own, that know what is
owed to them.

Prior art: librdkafka's idempotent producer, which retries what was not answered with the same sequences. Ours does so
by hand, so that a test sees each answer: success or duplicate, at which offset, and never a hole.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, final

from ottla.errors import ErrorCode
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from tests.faults.ledger import Lane, PartitionModel, Place, Sent
from tests.support.raw import Connection

IN_FLIGHT_MAX: Final = 5
"""Requests of one producer: as many batches as a broker remembers of it."""
PRODUCE_VERSION: Final = 9
FETCH_VERSION: Final = 12
LIST_OFFSETS_VERSION: Final = 8
RETRIABLE: Final = frozenset(
    {ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.LEADER_NOT_AVAILABLE}
)
READY_TIMEOUT_S: Final = 60.0


def produce_request(batches: Sequence[tuple[Place, Sent]]) -> ProduceRequest:
    """One batch per partition, acks=all."""
    topics = []
    for topic, group in itertools.groupby(
        sorted(batches, key=lambda batch: batch[0]), key=lambda batch: batch[0].topic
    ):
        data = tuple(PartitionProduceData(index=place.partition, records=sent.data) for place, sent in group)
        topics.append(TopicProduceData(name=topic, partition_data=data))
    return ProduceRequest(transactional_id=None, acks=-1, timeout_ms=30_000, topic_data=tuple(topics))


@final
class LoadProducer:
    """One producer: a lane per partition, one connection at a time."""

    def __init__(
        self, number: int, producer_id: int, places: Sequence[Place], first_timestamp_ms: int, seed: int
    ) -> None:
        self.number = number
        self.lanes = {place: Lane(number, producer_id, place) for place in places}
        self.answers = 0
        self._random = random.Random(f"{seed}/{number}")
        self._timestamp_ms = first_timestamp_ms

    def run(self, address: tuple[str, int], stopped: threading.Event) -> None:
        """Produces until the broker is gone, or until told to stop; then waits for its last answers. Raises ``Closed``
        or ``ConnectionError`` when the broker goes."""
        with Connection(address, f"load-{self.number}") as connection:
            in_flight: list[list[Lane]] = []
            while not stopped.is_set():
                in_flight.append(self._send(connection))
                if len(in_flight) == IN_FLIGHT_MAX and not self._take(connection.receive(), in_flight.pop(0)):
                    return
            for lanes in in_flight:
                if not self._take(connection.receive(), lanes):
                    return

    def _send(self, connection: Connection) -> list[Lane]:
        chosen = self._random.sample(sorted(self.lanes), self._random.randint(1, len(self.lanes)))
        batches = []
        for place in sorted(chosen):
            count = self._random.choice((1, 1, 2, 5, 20, 60))
            # Some come late: the largest time of a segment need not be that of its last record.
            late = self._random.choice((0, 0, 0, 500))
            batches.append((place, self.lanes[place].next_batch(count, self._timestamp_ms - late, self._random)))
            self._timestamp_ms += count
        connection.send(produce_request(batches), PRODUCE_VERSION)
        return [self.lanes[place] for place, _ in batches]

    def _take(self, response: Any, lanes: Sequence[Lane]) -> bool:
        """Notes what was acknowledged; false when some partition is not served now (it starts or stops)."""
        answers = [(topic.name, answer) for topic in response.responses for answer in topic.partition_responses]
        assert len(answers) == len(lanes), f"{len(answers)} answers to {len(lanes)} batches"
        served = True
        for lane, (topic, answer) in zip(lanes, answers, strict=True):
            assert lane.place == (topic, answer.index)
            if answer.error_code in RETRIABLE:
                served = False
                continue
            assert answer.error_code == 0, (
                f"{lane.place}: batch {lane.unanswered[0].first} of producer {self.number} was refused: "
                f"{ErrorCode(answer.error_code).name} {answer.error_message}"
            )
            lane.acknowledge(answer.base_offset)
        self.answers += 1
        return served

    def retry(self, connection: Connection) -> None:
        """Sends again what was not answered, one batch per partition at a time, in order: each must be taken, or be
        there.
        """
        deadline = time.monotonic() + READY_TIMEOUT_S
        while owed := [lane for lane in self.lanes.values() if lane.unanswered]:
            owed.sort(key=lambda lane: lane.place)
            request = produce_request([(lane.place, lane.unanswered[0]) for lane in owed])
            served = self._take(connection.ask(request, PRODUCE_VERSION), owed)
            assert served or time.monotonic() < deadline, f"some of {[lane.place for lane in owed]} are never served"


def read_to_end(connection: Connection, model: PartitionModel) -> int:
    """Reads a partition on from where the model ends, to its high watermark, which is returned."""
    while True:
        partition = FetchPartition(partition=model.place.partition, fetch_offset=model.end, partition_max_bytes=4 << 20)
        topic = FetchTopic(topic=model.place.topic, partitions=(partition,))
        request = FetchRequest(replica_id=-1, max_wait_ms=0, min_bytes=1, max_bytes=8 << 20, topics=(topic,))
        response = connection.ask(request, FETCH_VERSION)
        assert response.error_code == 0, ErrorCode(response.error_code).name
        answer = response.responses[0].partitions[0]
        assert answer.error_code == 0, f"{model.place} at {model.end}: {ErrorCode(answer.error_code).name}"
        end: int = answer.high_watermark
        assert end >= model.end, f"{model.place}: the end went back to {end}, {model.end} was seen"
        if model.end >= end:
            return end
        before = model.end
        model.read(answer.records or b"")
        assert model.end > before, f"{model.place}: nothing at {before}, though the end is {end}"


def list_offset(connection: Connection, place: Place, timestamp: int) -> tuple[int, int]:
    """The offset and time that ListOffsets gives."""
    partition = ListOffsetsPartition(partition_index=place.partition, timestamp=timestamp)
    topic = ListOffsetsTopic(name=place.topic, partitions=(partition,))
    response = connection.ask(ListOffsetsRequest(replica_id=-1, topics=(topic,)), LIST_OFFSETS_VERSION)
    answer = response.topics[0].partitions[0]
    assert answer.error_code == 0, f"{place}: ListOffsets {timestamp}: {ErrorCode(answer.error_code).name}"
    return answer.offset, answer.timestamp
