"""Groups and their coordinators: who coordinates what, and what it says about groups and committed offsets.

Invariants: a coordinator that moved is looked for again until the client's timeout; what a broker's version cannot say
is not asked of it; topics have names here, whatever is on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, final

from ottla.cli.client import Client, Retry, refusal
from ottla.cli.errors import CommandError, UnreachableError
from ottla.errors import ErrorCode
from ottla.ids import ZERO_TOPIC_ID, uuid_text
from ottla.wire.k03_metadata import MetadataResponseTopic
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.k16_list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse
from ottla.wire.k42_delete_groups import DeletableGroupResult, DeleteGroupsRequest
from ottla.wire.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)

__all__ = ["Committed", "Groups", "TopicPartition", "by_topic"]

_MOVING: Final = frozenset(
    {
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.REQUEST_TIMED_OUT,
    }
)
_KEYS_SINCE: Final = 4
"""The version of FindCoordinator that takes many keys."""
_GROUPS_SINCE: Final = 8
"""The version of OffsetFetch that takes many groups."""
_IDS_SINCE: Final = 10
"""The version of OffsetFetch that answers with ids of topics."""
_STATES_SINCE: Final = 4
_TYPES_SINCE: Final = 5


class TopicPartition(NamedTuple):
    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Committed(NamedTuple):
    """What a group has committed for a partition."""

    offset: int
    leader_epoch: int = -1
    metadata: str = ""


def by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[int]]:
    """The partitions of each topic, in order."""
    found: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        found.setdefault(topic, []).append(partition)
    return found


@final
class Groups:
    """The groups of a cluster. Blocking. Everything raises `UnreachableError`, `CommandError`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._nodes: dict[str, int] = {}
        self._names: dict[bytes, str] = {}

    def listed(self, states: Sequence[str] = (), types: Sequence[str] = ()) -> list[ListedGroup]:
        """Every group of every broker, by name."""
        found: list[ListedGroup] = []
        for node_id in sorted(self._client.cluster([]).brokers):
            version = self._client.broker(node_id).version(ListGroupsRequest)
            if states and version < _STATES_SINCE:
                raise CommandError(f"broker {node_id} is too old to say in which states groups are", "omit --state")
            if types and version < _TYPES_SINCE:
                raise CommandError(f"broker {node_id} is too old to say of which types groups are", "omit --type")
            request = ListGroupsRequest(states_filter=tuple(states), types_filter=tuple(types))
            found += self._client.retrying(partial(self._list, node_id, request))
        return sorted(found, key=lambda group: group.group_id)

    def _list(self, node_id: int, request: ListGroupsRequest) -> Sequence[ListedGroup]:
        response: ListGroupsResponse = self._client.request(request, node_id)
        _checked(f"groups of broker {node_id}", response.error_code)
        return response.groups

    def coordinator(self, group_id: str) -> int:
        """The broker that coordinates the group, whether that exists or not."""
        if group_id not in self._nodes:
            self._nodes[group_id] = self._client.retrying(lambda: self._find(group_id))
        return self._nodes[group_id]

    def _find(self, group_id: str) -> int:
        many = self._client.any().version(FindCoordinatorRequest) >= _KEYS_SINCE
        request = FindCoordinatorRequest(coordinator_keys=(group_id,)) if many else FindCoordinatorRequest(key=group_id)
        response: FindCoordinatorResponse = self._client.request(request)
        found = response.coordinators[0] if many and response.coordinators else response
        _checked(f"coordinator of group {group_id}", found.error_code, found.error_message)
        if found.node_id not in self._client.cluster([]).brokers:
            raise Retry(UnreachableError(f"broker {found.node_id}, which coordinates group {group_id}, is not alive"))
        return found.node_id

    def ask(self, group_id: str, request: object, error: Callable[[Any], int], fine: Iterable[ErrorCode] = ()) -> Any:
        """The coordinator's answer; `error` says what code is in it, which must be none, or one of those that are
        fine."""
        accepted = frozenset(fine)

        def attempt() -> Any:
            node_id = self.coordinator(group_id)
            response = self._client.request(request, node_id)
            code = error(response)
            if code in _MOVING:
                self._nodes.pop(group_id, None)
            if code not in accepted:
                _checked(f"group {group_id}", code)
            return response

        return self._client.retrying(attempt)

    def version(self, group_id: str, request: type[Any]) -> int:
        """In which version its coordinator would be asked this."""
        return self._client.broker(self.coordinator(group_id)).version(request)

    def committed(self, group_id: str) -> dict[TopicPartition, Committed]:
        """Everything the group has committed; nothing for a group that does not exist."""
        if self.version(group_id, OffsetFetchRequest) < _GROUPS_SINCE:
            request = OffsetFetchRequest(group_id=group_id, topics=None)
            old: OffsetFetchResponse = self.ask(group_id, request, lambda response: response.error_code)
            return _committed(old.topics, {})
        # One group in a request: of several, each may have another coordinator.
        request = OffsetFetchRequest(groups=(OffsetFetchRequestGroup(group_id=group_id, topics=None),))
        response: OffsetFetchResponse = self.ask(group_id, request, lambda response: response.groups[0].error_code)
        topics = response.groups[0].topics
        with_ids = self.version(group_id, OffsetFetchRequest) >= _IDS_SINCE
        if with_ids and any(topic.topic_id not in self._names for topic in topics):
            self._names = {topic.topic_id: name for name, topic in self._client.cluster().topics.items()}
        return _committed(topics, self._names)

    def commit(
        self, group_id: str, offsets: Mapping[TopicPartition, int], topics: Mapping[str, MetadataResponseTopic]
    ) -> dict[TopicPartition, int]:
        """Commits from outside of the group: the error code of each partition."""
        asked = tuple(
            OffsetCommitRequestTopic(
                name=name,
                topic_id=topics[name].topic_id if name in topics else ZERO_TOPIC_ID,
                partitions=tuple(
                    OffsetCommitRequestPartition(
                        partition_index=index,
                        committed_offset=offsets[TopicPartition(name, index)],
                        committed_metadata="",
                    )
                    for index in indexes
                ),
            )
            for name, indexes in by_topic(offsets).items()
        )
        request = OffsetCommitRequest(group_id=group_id, topics=asked)
        response: OffsetCommitResponse = self.ask(group_id, request, _moving_in)
        names = {topic.topic_id: name for name, topic in topics.items()}
        return {
            TopicPartition(topic.name or names[topic.topic_id], partition.partition_index): partition.error_code
            for topic in response.topics
            for partition in topic.partitions
        }

    def forget(self, group_id: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Deletes committed offsets: the error code of each partition."""
        request = OffsetDeleteRequest(
            group_id=group_id,
            topics=tuple(
                OffsetDeleteRequestTopic(
                    name=name,
                    partitions=tuple(OffsetDeleteRequestPartition(partition_index=index) for index in indexes),
                )
                for name, indexes in by_topic(partitions).items()
            ),
        )
        response: OffsetDeleteResponse = self.ask(group_id, request, lambda response: response.error_code)
        return {
            TopicPartition(topic.name, partition.partition_index): partition.error_code
            for topic in response.topics
            for partition in topic.partitions
        }

    def delete(self, group_id: str) -> DeletableGroupResult:
        """Deletes the group, with all it has committed; gives the broker's answer, whatever it is."""
        request = DeleteGroupsRequest(groups_names=(group_id,))
        response = self.ask(group_id, request, lambda response: response.results[0].error_code, fine=_ANSWERS)
        result: DeletableGroupResult = response.results[0]
        return result


_ANSWERS: Final = frozenset(ErrorCode) - _MOVING


def _checked(subject: str, code: int, message: str | None = None) -> None:
    if code in _MOVING:
        raise Retry(refusal(subject, code, message))
    if code != ErrorCode.NONE:
        raise refusal(subject, code, message)


def _moving_in(response: OffsetCommitResponse) -> int:
    """The code that says to try again, if it is in the answer: it is in all partitions then."""
    codes = {partition.error_code for topic in response.topics for partition in topic.partitions}
    return next(iter(codes & _MOVING), ErrorCode.NONE)


def _committed(topics: Any, names: Mapping[bytes, str]) -> dict[TopicPartition, Committed]:
    found = {}
    for topic in topics:
        name = topic.name or names.get(topic.topic_id) or uuid_text(topic.topic_id)
        for partition in topic.partitions:
            where = TopicPartition(name, partition.partition_index)
            if partition.error_code != ErrorCode.NONE:
                raise refusal(str(where), partition.error_code)
            if partition.committed_offset >= 0:
                found[where] = Committed(
                    partition.committed_offset, partition.committed_leader_epoch, partition.metadata or ""
                )
    return dict(sorted(found.items()))
