"""DescribeTopicPartitions (75), v0: topics and their partitions page by page, with the replicas that may yet lead
(KIP-966).

Topics in the order of their names, from the cursor on; at most min(asked, max.request.partition.size.limit) partitions,
at least one; the next cursor names where the next page begins. No topics means all. Without Describe:
TOPIC_AUTHORIZATION_FAILED when named, absent when all are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.endpoints import leader_on
from ottla.controller.decision import Refused
from ottla.controller.names import invalid_name
from ottla.errors import ErrorCode
from ottla.metadata.image import (
    ELIGIBLE_LEADER_REPLICAS,
    INTERNAL_TOPICS,
    ISR,
    LAST_KNOWN_ELR,
    LEADER_EPOCH,
    REPLICAS,
    Image,
    Partition,
    Topic,
)
from ottla.metadata.publishers import offline_replicas
from ottla.security.authorizer import TOPIC_OPERATIONS, Operation, Resource, ResourceType
from ottla.wire.k75_describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)
from ottla.wire.schema import replace

__all__ = ["describe_topic_partitions"]


async def describe_topic_partitions(
    request: DescribeTopicPartitionsRequest, context: RequestContext, broker: Broker
) -> DescribeTopicPartitionsResponse:
    """See the module."""
    image = broker.metadata.image
    every, cursor = not request.topics, request.cursor
    try:
        names = _names(request, image)
    except Refused as refused:
        return _refused(request, refused.error.code)
    visible = [name for name in names if context.authorize_topic(Operation.DESCRIBE, name)]
    limit = max(1, min(broker.settings.max_request_partition_size_limit, request.response_partition_limit))
    topics, next_cursor = _page(image, visible, cursor, limit, context, broker, skip_unknown=every)
    hidden = [] if every else [name for name in names if name not in visible]
    return DescribeTopicPartitionsResponse(
        topics=(
            *(replace(t, topic_authorized_operations=_operations(t.name or "", context)) for t in topics),
            *(_failed(name, ErrorCode.TOPIC_AUTHORIZATION_FAILED) for name in hidden),
        ),
        next_cursor=next_cursor,
    )


def _names(request: DescribeTopicPartitionsRequest, image: Image) -> list[str]:
    """What is asked for, from the cursor on, sorted."""
    cursor = request.cursor
    first = "" if cursor is None else cursor.topic_name
    asked: Iterable[str] = (topic.name for topic in request.topics) if request.topics else image.topics.id_of
    names = sorted({name for name in asked if name >= first})
    if cursor is not None:
        if request.topics and cursor.topic_name not in names:
            raise Refused(ErrorCode.INVALID_REQUEST)
        if cursor.partition_index < 0:
            raise Refused(ErrorCode.INVALID_REQUEST)
    return names


def _refused(request: DescribeTopicPartitionsRequest, code: ErrorCode) -> DescribeTopicPartitionsResponse:
    """The response has no error of its own: each topic carries it
    (``DescribeTopicPartitionsRequest.getErrorResponse``)."""
    return DescribeTopicPartitionsResponse(
        topics=tuple(DescribeTopicPartitionsResponseTopic(error_code=code, name=topic.name) for topic in request.topics)
    )


def _page(
    image: Image,
    names: Iterable[str],
    cursor: Cursor | None,
    limit: int,
    context: RequestContext,
    broker: Broker,
    *,
    skip_unknown: bool,
) -> tuple[list[DescribeTopicPartitionsResponseTopic], Cursor | None]:
    """The topics of one page, and where the next begins."""
    topics: list[DescribeTopicPartitionsResponseTopic] = []
    for name in names:
        if limit == 0:
            return topics, Cursor(topic_name=name, partition_index=0)
        topic = image.topics.named(name)
        if topic is None:
            if not skip_unknown:
                valid = invalid_name(name) is None
                unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                topics.append(_failed(name, unknown if valid else ErrorCode.INVALID_TOPIC_EXCEPTION))
            continue
        first = cursor.partition_index if cursor is not None and cursor.topic_name == name else 0
        stop = min(first + limit, len(topic.partitions))
        topics.append(_described(image, topic, range(first, stop), context, broker))
        if stop < len(topic.partitions):
            return topics, Cursor(topic_name=name, partition_index=stop)
        limit -= max(0, stop - first)
    return topics, None


def _operations(name: str, context: RequestContext) -> int:
    return context.operations(TOPIC_OPERATIONS, Resource(ResourceType.TOPIC, name))


def _failed(name: str, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(error_code=code, name=name, is_internal=name in INTERNAL_TOPICS)


def _described(
    image: Image, topic: Topic, indexes: range, context: RequestContext, broker: Broker
) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.internal,
        partitions=tuple(_partition(image, index, topic.partitions[index], context, broker) for index in indexes),
    )


def _partition(
    image: Image, index: int, partition: Partition, context: RequestContext, broker: Broker
) -> DescribeTopicPartitionsResponsePartition:
    leader, error = leader_on(image, partition, context, broker)
    return DescribeTopicPartitionsResponsePartition(
        error_code=error,
        partition_index=index,
        leader_id=leader,
        leader_epoch=partition[LEADER_EPOCH],
        replica_nodes=partition[REPLICAS],
        isr_nodes=partition[ISR],
        eligible_leader_replicas=partition[ELIGIBLE_LEADER_REPLICAS],
        last_known_elr=partition[LAST_KNOWN_ELR],
        offline_replicas=offline_replicas(image, partition),
    )
