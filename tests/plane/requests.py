"""Requests that most tests of this folder make, with what they mostly ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ottla.wire.k00_produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    TopicProduceData,
)
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from tests.plane.conftest import Topic
from tests.support.raw import Connection, batch

BY_ID_PRODUCE, BY_ID_FETCH = 13, 13


def produce_request(topic: Topic, records: bytes | None, *, partition: int = 0, acks: int = -1) -> ProduceRequest:
    """Of one batch; by name or id, whichever the version wants."""
    data = PartitionProduceData(index=partition, records=records)
    return ProduceRequest(
        acks=acks,
        timeout_ms=10_000,
        topic_data=(TopicProduceData(name=topic.name, topic_id=topic.id, partition_data=(data,)),),
    )


def produce(
    connection: Connection, topic: Topic, records: bytes, *, partition: int = 0, acks: int = -1, version: int = 13
) -> PartitionProduceResponse:
    """Produces a batch; what became of it."""
    answer = connection.ask(produce_request(topic, records, partition=partition, acks=acks), version)
    ((result,),) = (found.partition_responses for found in answer.responses)
    assert isinstance(result, PartitionProduceResponse)
    return result


def produce_values(connection: Connection, topic: Topic, *values: bytes, partition: int = 0, acks: int = -1) -> int:
    """Produces a batch of values, and expects that to go well; its first offset."""
    result = produce(connection, topic, batch(*values), partition=partition, acks=acks)
    assert result.error_code == 0, result
    return result.base_offset


def fetch_request(
    *wanted: tuple[Topic, int, int],
    max_wait_ms: int = 0,
    min_bytes: int = 1,
    partition_bytes: int = 1 << 20,
    **options: Any,
) -> FetchRequest:
    """Of (topic, partition, offset); by name or id, whichever the version wants."""
    topics = tuple(
        FetchTopic(
            topic=topic.name,
            topic_id=topic.id,
            partitions=(FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=partition_bytes),),
        )
        for topic, index, offset in wanted
    )
    return FetchRequest(max_wait_ms=max_wait_ms, min_bytes=min_bytes, topics=topics, **options)


def list_offsets_request(topic: Topic, timestamps: Iterable[int], *, isolation_level: int = 0) -> ListOffsetsRequest:
    """Of partition 0, 1, …: one for each timestamp."""
    partitions = tuple(
        ListOffsetsPartition(partition_index=index, timestamp=timestamp) for index, timestamp in enumerate(timestamps)
    )
    return ListOffsetsRequest(
        replica_id=-1,
        isolation_level=isolation_level,
        topics=(ListOffsetsTopic(name=topic.name, partitions=partitions),),
    )
