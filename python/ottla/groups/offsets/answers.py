"""The versions of the offset APIs: one form for all of them inside, and whole answers out of one error.

Version 8 of OffsetFetch brought many groups, each with a list of topics like that of the versions before. Here a
request is a tuple of groups whatever its version, and its answer is made of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ottla.errors import ErrorCode
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
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
    OffsetFetchResponsePartition,
    OffsetFetchResponseTopic,
)

__all__ = ["commit_failed", "fetch_failed", "fetch_groups", "fetch_response"]

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
        return OffsetFetchResponse(topics=_each_failed(request, group.error_code))
    topics = (
        OffsetFetchResponseTopic(
            name=topic.name,
            partitions=tuple(
                OffsetFetchResponsePartition(
                    partition_index=partition.partition_index,
                    committed_offset=partition.committed_offset,
                    committed_leader_epoch=partition.committed_leader_epoch,
                    metadata=partition.metadata,
                    error_code=partition.error_code,
                )
                for partition in topic.partitions
            ),
        )
        for topic in group.topics
    )
    return OffsetFetchResponse(topics=tuple(topics), error_code=group.error_code)


def _each_failed(request: OffsetFetchRequest, code: int) -> tuple[OffsetFetchResponseTopic, ...]:
    return tuple(
        OffsetFetchResponseTopic(
            name=topic.name,
            partitions=tuple(
                OffsetFetchResponsePartition(partition_index=index, committed_offset=-1, metadata="", error_code=code)
                for index in topic.partition_indexes
            ),
        )
        for topic in request.topics or ()
    )
