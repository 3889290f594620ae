"""The versions of the offset APIs: one form for all of them inside, and whole answers out of one error.

A commit within a transaction is, but for who may, one without.

Version 8 of OffsetFetch brought many groups, each with a list of topics like that of the versions before. Here a
request is a tuple of groups whatever its version, and its answer is made of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ottla.errors import ErrorCode
from ottla.groups.offsets.table import fetched_nothing
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.k09_offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from ottla.wire.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

__all__ = [
    "commit_failed",
    "fetch_failed",
    "fetch_groups",
    "fetch_response",
    "plain_commit",
    "topic_failed",
    "transactional_answer",
    "transactional_commit_failed",
]

_MANY_GROUPS_SINCE: Final = 8
_GROUP_ERROR_SINCE: Final = 2


def commit_failed(request: OffsetCommitRequest, code: ErrorCode) -> OffsetCommitResponse:
    """The answer when the whole request fails: the code for each partition."""
    topics = (
        OffsetCommitResponseTopic(
            name=topic.name,
            topic_id=topic.topic_id,
            partitions=tuple(
                OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=code)
                for partition in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return OffsetCommitResponse(topics=tuple(topics))


def plain_commit(request: TxnOffsetCommitRequest) -> OffsetCommitRequest:
    """The same commit without its transaction."""
    topics = (
        OffsetCommitRequestTopic(
            name=topic.name,
            topic_id=topic.topic_id,
            partitions=tuple(
                OffsetCommitRequestPartition(
                    partition_index=partition.partition_index,
                    committed_offset=partition.committed_offset,
                    committed_leader_epoch=partition.committed_leader_epoch,
                    committed_metadata=partition.committed_metadata,
                )
                for partition in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return OffsetCommitRequest(
        group_id=request.group_id,
        member_id=request.member_id,
        group_instance_id=request.group_instance_id,
        generation_id_or_member_epoch=request.generation_id_or_member_epoch,
        retention_time_ms=-1,
        topics=tuple(topics),
    )


def transactional_answer(answer: OffsetCommitResponse) -> TxnOffsetCommitResponse:
    """The answer to ``plain_commit``, to whom it came from."""
    topics = (
        TxnOffsetCommitResponseTopic(
            name=topic.name,
            topic_id=topic.topic_id,
            partitions=tuple(
                TxnOffsetCommitResponsePartition(
                    partition_index=partition.partition_index, error_code=partition.error_code
                )
                for partition in topic.partitions
            ),
        )
        for topic in answer.topics
    )
    return TxnOffsetCommitResponse(topics=tuple(topics))


def transactional_commit_failed(request: TxnOffsetCommitRequest, code: ErrorCode) -> TxnOffsetCommitResponse:
    """The answer when the whole request fails: the code for each partition."""
    return transactional_answer(commit_failed(plain_commit(request), code))


def fetch_groups(request: OffsetFetchRequest, version: int) -> tuple[OffsetFetchRequestGroup, ...]:
    """What is asked of each group."""
    if version >= _MANY_GROUPS_SINCE:
        return request.groups
    topics = None
    if request.topics is not None:
        topics = tuple(
            OffsetFetchRequestTopics(name=topic.name, partition_indexes=topic.partition_indexes)
            for topic in request.topics
        )
    return (OffsetFetchRequestGroup(group_id=request.group_id, topics=topics),)


def fetch_failed(group: OffsetFetchRequestGroup, code: ErrorCode) -> OffsetFetchResponseGroup:
    """The answer of a group that could not be asked."""
    return OffsetFetchResponseGroup(group_id=group.group_id, error_code=code)


def fetch_response(
    request: OffsetFetchRequest, groups: Sequence[OffsetFetchResponseGroup], version: int
) -> OffsetFetchResponse:
    """The answer made of those of the groups that ``fetch_groups`` gave, in their order."""
    if version >= _MANY_GROUPS_SINCE:
        return OffsetFetchResponse(groups=tuple(groups))
    (group,) = groups
    if group.error_code != ErrorCode.NONE and version < _GROUP_ERROR_SINCE:
        return OffsetFetchResponse(topics=_each_failed(request, version, group.error_code))
    # Partitions are bytes already, which look the same in both forms.
    topics = tuple(
        OffsetFetchResponseTopic(name=topic.name, partitions=_any(topic.partitions)) for topic in group.topics
    )
    return OffsetFetchResponse(topics=topics, error_code=group.error_code)


def topic_failed(topic: OffsetFetchRequestTopics, version: int, code: ErrorCode) -> OffsetFetchResponseTopics:
    """The answer for a topic that could not be asked about."""
    partitions = _any(fetched_nothing(version, topic.partition_indexes, code))
    return OffsetFetchResponseTopics(name=topic.name, topic_id=topic.topic_id, partitions=partitions)


def _each_failed(request: OffsetFetchRequest, version: int, code: int) -> tuple[OffsetFetchResponseTopic, ...]:
    return tuple(
        OffsetFetchResponseTopic(
            name=topic.name, partitions=_any(fetched_nothing(version, topic.partition_indexes, code))
        )
        for topic in request.topics or ()
    )


def _any(encoded: object) -> Any:
    """Bytes in the place of an array, which its type does not tell of."""
    return encoded
