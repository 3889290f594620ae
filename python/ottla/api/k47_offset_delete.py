"""OffsetDelete (47), v0: forget how far a group has read, partition by partition (KIP-496).

Needs Delete on the group: GROUP_AUTHORIZATION_FAILED; and Read on each topic: TOPIC_AUTHORIZATION_FAILED. What is not
there is UNKNOWN_TOPIC_OR_PARTITION. Whether there is such a group is asked all the same, and all else is decided by
``groups.offsets``.
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import has_partition, may
from ottla.coordinator.machine import CoordinatorError
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from ottla.wire.schema import replace

__all__ = ["offset_delete"]


async def offset_delete(request: OffsetDeleteRequest, context: RequestContext, broker: Broker) -> OffsetDeleteResponse:
    """See the module."""
    if not may(context, Operation.DELETE, request.group_id):
        return OffsetDeleteResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    image = broker.metadata.image
    codes: dict[str, dict[int, int]] = {}
    wanted: list[OffsetDeleteRequestTopic] = []
    for topic in request.topics:
        of_topic = codes.setdefault(topic.name, {})
        allowed = context.authorize_topic(Operation.READ, topic.name)
        there = []
        for partition in topic.partitions:
            index = partition.partition_index
            if not allowed:
                of_topic[index] = ErrorCode.TOPIC_AUTHORIZATION_FAILED
            elif not has_partition(image, topic.name, index):
                of_topic[index] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            else:
                there.append(partition)
        if there:
            wanted.append(replace(topic, partitions=tuple(there)))
    asked = replace(request, topics=tuple(wanted))
    try:
        answer: OffsetDeleteResponse = await broker.groups.ask(
            request.group_id, lambda shard, outbox, reply: shard.offset_delete(asked, reply, outbox)
        )
    except CoordinatorError as error:
        return OffsetDeleteResponse(error_code=error.code)
    if answer.error_code != ErrorCode.NONE:
        return answer
    for deleted in answer.topics:
        codes[deleted.name].update((each.partition_index, each.error_code) for each in deleted.partitions)
    return OffsetDeleteResponse(
        topics=tuple(
            OffsetDeleteResponseTopic(
                name=name,
                partitions=tuple(
                    OffsetDeleteResponsePartition(partition_index=index, error_code=code)
                    for index, code in of_topic.items()
                ),
            )
            for name, of_topic in codes.items()
        )
    )
