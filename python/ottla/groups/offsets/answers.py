"""The versions of the offset APIs: one form for all of them inside, and whole answers out of one error.

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

__all__ = ["commit_failed", "fetch_failed", "fetch_groups", "fetch_response", "topic_failed"]

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
