"""OffsetCommit (8), v2-10: how far a group has read.

v5 no retention time · v6 leader epoch · v7 static members · v8 flexible · v9 member epochs (KIP-848) · v10 topic ids.
Needs Read on the group, else every partition is GROUP_AUTHORIZATION_FAILED. Per topic: Read, else
TOPIC_AUTHORIZATION_FAILED; per partition UNKNOWN_TOPIC_OR_PARTITION, by id UNKNOWN_TOPIC_ID. The rest goes to the
coordinator in one operation. A member that may commit everything it asks for is granted that until the group changes,
and the data plane carries out this request and those that follow (``plane/offset_commit.rs``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.group_access import may
from ottla.api.pending import Pending
from ottla.coordinator.machine import LEAVE, Leave, Reply
from ottla.errors import ErrorCode
from ottla.groups.offsets.answers import commit_failed
from ottla.metadata.image import Image, Topic
from ottla.security.authorizer import Operation
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.schema import replace

__all__ = ["offset_commit"]

TOPIC_IDS_SINCE: Final = 10


def offset_commit(
    request: OffsetCommitRequest, context: RequestContext, broker: Broker
) -> OffsetCommitResponse | Pending[OffsetCommitResponse | Leave]:
    """See the module."""
    version = context.api_version
    if not may(context, Operation.READ, request.group_id):
        return commit_failed(request, ErrorCode.GROUP_AUTHORIZATION_FAILED)
    refused, wanted = _sort_out(request.topics, context, broker.metadata.image)
    if not wanted:
        return OffsetCommitResponse(topics=tuple(refused))
    asked = replace(request, topics=tuple(wanted))
    leave = context.asks_leave and not refused
    reply: Reply[OffsetCommitResponse | Leave] = broker.groups.begin(
        request.group_id,
        lambda shard, outbox, reply: shard.offset_commit(asked, version, reply, outbox, may_leave=leave),
    )

    def finished(answer: OffsetCommitResponse | Leave) -> OffsetCommitResponse | Leave:
        if refused and answer is not LEAVE:
            return OffsetCommitResponse(topics=_joined(refused, answer.topics))
        return answer

    return Pending(reply, lambda error: commit_failed(asked, error.code), finished)


def _sort_out(
    topics: Sequence[OffsetCommitRequestTopic], context: RequestContext, image: Image
) -> tuple[list[OffsetCommitResponseTopic], list[OffsetCommitRequestTopic]]:
    """The answers for what cannot be committed, and what goes to the coordinator, with name and id."""
    refused: list[OffsetCommitResponseTopic] = []
    wanted: list[OffsetCommitRequestTopic] = []
    for topic in topics:
        if context.api_version >= TOPIC_IDS_SINCE:
            found = image.topics.by_id.get(topic.topic_id)
            if found is None:
                refused.append(_refused(topic, ErrorCode.UNKNOWN_TOPIC_ID))
                continue
            name = found.name
        else:
            found, name = image.topics.named(topic.name), topic.name
        if not context.authorize_topic(Operation.READ, name):
            refused.append(_refused(topic, ErrorCode.TOPIC_AUTHORIZATION_FAILED))
        elif found is None:
            refused.append(_refused(topic, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
        else:
            known = replace(topic, name=name, topic_id=found.topic_id)
            _split(known, found, refused, wanted)
    return refused, wanted


def _split(
    topic: OffsetCommitRequestTopic,
    found: Topic,
    refused: list[OffsetCommitResponseTopic],
    wanted: list[OffsetCommitRequestTopic],
) -> None:
    count = len(found.partitions)
    for partition in topic.partitions:
        if not 0 <= partition.partition_index < count:
            break
    else:
        wanted.append(topic)
        return
    there = [partition for partition in topic.partitions if 0 <= partition.partition_index < count]
    missing = [partition for partition in topic.partitions if partition not in there]
    refused.append(_refused(replace(topic, partitions=tuple(missing)), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
    if there:
        wanted.append(replace(topic, partitions=tuple(there)))


def _refused(topic: OffsetCommitRequestTopic, code: ErrorCode) -> OffsetCommitResponseTopic:
    return OffsetCommitResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=tuple(
            OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=code)
            for partition in topic.partitions
        ),
    )


def _joined(
    refused: Sequence[OffsetCommitResponseTopic], answered: Sequence[OffsetCommitResponseTopic]
) -> tuple[OffsetCommitResponseTopic, ...]:
    """Each topic once."""
    topics: dict[tuple[str, bytes], OffsetCommitResponseTopic] = {}
    for topic in (*refused, *answered):
        key = (topic.name, topic.topic_id)
        before = topics.get(key)
        topics[key] = topic if before is None else replace(topic, partitions=before.partitions + topic.partitions)
    return tuple(topics.values())
