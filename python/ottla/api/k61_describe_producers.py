"""DescribeProducers (61), v0: who produces to these partitions (KIP-664).

Needs Read on the topic: TOPIC_AUTHORIZATION_FAILED. What is not there is UNKNOWN_TOPIC_OR_PARTITION, what another
broker leads NOT_LEADER_OR_FOLLOWER.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import has_partition
from ottla.coordinator.slices import Slices
from ottla.errors import ErrorCode
from ottla.metadata.image import Image
from ottla.security.authorizer import Operation
from ottla.wire.k61_describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)

__all__ = ["describe_producers"]

LOOKS_AT_ONCE: Final = 200
"""Between looks at the time."""


async def describe_producers(
    request: DescribeProducersRequest, context: RequestContext, broker: Broker
) -> DescribeProducersResponse:
    """See the module."""
    image, slices = broker.metadata.image, Slices()
    codes: list[list[tuple[int, ErrorCode]]] = []
    asked: list[tuple[bytes, int]] = []
    for topic in request.topics:
        of_topic: list[tuple[int, ErrorCode]] = []
        for index in topic.partition_indexes:
            if not context.authorize_topic(Operation.READ, topic.name):
                of_topic.append((index, ErrorCode.TOPIC_AUTHORIZATION_FAILED))
            elif not has_partition(image, topic.name, index):
                of_topic.append((index, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
            else:
                of_topic.append((index, ErrorCode.NONE))
                asked.append((image.topics.id_of[topic.name], index))
            if len(of_topic) % LOOKS_AT_ONCE == 0:
                await slices.pause()
        codes.append(of_topic)
    found = iter(await broker.producers.describe_producers(asked) if asked else ())
    slices = Slices()
    answers = []
    for topic, of_topic in zip(request.topics, codes, strict=True):
        partitions: list[PartitionResponse] = []
        for index, code in of_topic:
            if code is ErrorCode.NONE:
                partitions.append(_described(index, next(found)))
            else:
                message = _message(topic.name, code, image)
                partitions.append(PartitionResponse(partition_index=index, error_code=code, error_message=message))
            if len(partitions) % LOOKS_AT_ONCE == 0:
                await slices.pause()
        answers.append(TopicResponse(name=topic.name, partitions=tuple(partitions)))
    return DescribeProducersResponse(topics=tuple(answers))


def _message(topic: str, code: ErrorCode, image: Image) -> str | None:
    """Kafka has words for what it says of a whole topic."""
    if code is ErrorCode.TOPIC_AUTHORIZATION_FAILED:
        return "Topic authorization failed."
    return None if topic in image.topics.id_of else "This server does not host this topic-partition."


def _described(index: int, found: int | Sequence[tuple[int, int, int, int, int, int]]) -> PartitionResponse:
    if isinstance(found, int):
        return PartitionResponse(partition_index=index, error_code=found)
    return PartitionResponse(
        partition_index=index,
        active_producers=tuple(
            ProducerState(
                producer_id=producer_id,
                producer_epoch=producer_epoch,
                last_sequence=last_sequence,
                last_timestamp=last_timestamp_ms,
                coordinator_epoch=coordinator_epoch,
                current_txn_start_offset=start_offset,
            )
            for (
                producer_id,
                producer_epoch,
                last_sequence,
                last_timestamp_ms,
                coordinator_epoch,
                start_offset,
            ) in found
        ),
    )
