"""The coordinator's part of a broker in a thread: committed offsets by the machine that brokers run, groups as told."""

from __future__ import annotations

from typing import Any

from ottla.coordinator.machine import CoordinatorError, Leave, Reply
from ottla.errors import ErrorCode
from ottla.groups.offsets.answers import commit_failed, fetch_groups, fetch_response
from ottla.groups.offsets.table import committed
from ottla.ids import ZERO_TOPIC_ID
from ottla.wire.codec import decode_response, encode_response
from ottla.wire.k08_offset_commit import OffsetCommitRequest, OffsetCommitResponse
from ottla.wire.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse
from ottla.wire.k10_find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.k15_describe_groups import DescribedGroup, DescribeGroupsRequest, DescribeGroupsResponse
from ottla.wire.k16_list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse
from ottla.wire.k42_delete_groups import DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse
from ottla.wire.k47_offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from ottla.wire.k69_consumer_group_describe import ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse
from ottla.wire.k69_consumer_group_describe import DescribedGroup as DescribedConsumerGroup
from ottla.wire.schema import replace
from tests.cli.fake_broker import FakeBroker, topic_id
from tests.support.offset_scripts import World, run, with_names


class FakeCoordinator:
    """Broker 1 coordinates every group."""

    def __init__(self, broker: FakeBroker, *, old: bool = False) -> None:
        """`old`: as brokers were before KIP-848 and ids of topics."""
        self.world = World()
        self.classic: dict[str, DescribedGroup] = {}
        self.consumer: dict[str, DescribedConsumerGroup] = {}
        self._broker = broker
        broker.serve(FindCoordinatorRequest, (0, 3 if old else 6), self._find)
        broker.serve(ListGroupsRequest, (0, 2 if old else 5), self._list)
        broker.serve(DescribeGroupsRequest, (0, 4 if old else 6), self._describe)
        broker.serve(DeleteGroupsRequest, (0, 3), self._delete)
        broker.serve(OffsetCommitRequest, (2, 7 if old else 10), self._commit)
        broker.serve(OffsetFetchRequest, (1, 5 if old else 10), self._fetch)
        broker.serve(OffsetDeleteRequest, (0, 0), self._forget)
        if not old:
            broker.serve(ConsumerGroupDescribeRequest, (0, 1), self._describe_consumer)

    def commit(self, words: str) -> None:
        """As in the scripts of committed offsets: `GROUP TOPIC-PARTITION=OFFSET ...`."""
        assert all("NONE" in line or "-" not in line for line in run(self.world, f"commit {words}")[:1])

    def offsets(self, group: str) -> dict[tuple[str, int], int]:
        return {(topic, index): found.offset for topic, index, found in committed(self.world.offsets.table, group)}

    def _find(self, request: FindCoordinatorRequest) -> FindCoordinatorResponse:
        if request.coordinator_keys:
            (key,) = request.coordinator_keys
            return FindCoordinatorResponse(coordinators=(Coordinator(key=key, node_id=1, host="x", port=1),))
        return FindCoordinatorResponse(node_id=1, host="x", port=1)

    def _list(self, request: ListGroupsRequest) -> ListGroupsResponse:
        found = [
            ListedGroup(
                group_id=name,
                protocol_type="consumer" if name in self.consumer else "",
                group_state="Stable" if name in self.consumer else "Empty",
                group_type="consumer" if name in self.consumer else "classic",
            )
            for name in dict.fromkeys([*self.consumer, *self.world.groups.groups])
        ]
        states = [state.lower() for state in request.states_filter]
        return ListGroupsResponse(
            groups=tuple(group for group in found if not states or group.group_state.lower() in states)
        )

    def _describe(self, request: DescribeGroupsRequest) -> DescribeGroupsResponse:
        (name,) = request.groups
        group = self.classic.get(name)
        if group is None and name in self.world.groups.groups:
            group = DescribedGroup(group_id=name, group_state="Empty")
        if group is None and self._broker.versions[15][1] < 6:
            group = DescribedGroup(group_id=name, group_state="Dead")
        if group is None:
            group = DescribedGroup(
                group_id=name, error_code=ErrorCode.GROUP_ID_NOT_FOUND, error_message="not found", group_state="Dead"
            )
        return DescribeGroupsResponse(groups=(group,))

    def _describe_consumer(self, request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse:
        (name,) = request.group_ids
        missing = DescribedConsumerGroup(group_id=name, error_code=ErrorCode.GROUP_ID_NOT_FOUND)
        return ConsumerGroupDescribeResponse(groups=(self.consumer.get(name, missing),))

    def _delete(self, request: DeleteGroupsRequest) -> DeleteGroupsResponse:
        (name,) = request.groups_names
        group = self.world.groups.groups.get(name)
        code = ErrorCode.GROUP_ID_NOT_FOUND if group is None else ErrorCode.NONE
        if group is not None and group.members:
            code = ErrorCode.NON_EMPTY_GROUP
        if code == ErrorCode.NONE:
            run(self.world, f"delete-group {name}")
            run(self.world, f"ungroup {name}")
        return DeleteGroupsResponse(results=(DeletableGroupResult(group_id=name, error_code=code),))

    def _commit(self, request: OffsetCommitRequest) -> OffsetCommitResponse:
        named = tuple(replace(topic, name=topic.name or self._name(topic.topic_id)) for topic in request.topics)
        request = replace(request, topics=named)
        reply: Reply[OffsetCommitResponse | Leave] = Reply()
        outbox = self.world.outbox()
        self.world.offsets.commit(request, 9, reply, outbox)
        self.world.settle(outbox)
        try:
            answer = reply.result()
            assert isinstance(answer, OffsetCommitResponse)
            return answer
        except CoordinatorError as error:
            return commit_failed(request, error.code)

    def _fetch(self, request: OffsetFetchRequest) -> OffsetFetchResponse:
        version = 10 if request.groups else 7
        answers = []
        for group in fetch_groups(request, version):
            reply: Reply[Any] = Reply()
            outbox = self.world.outbox()
            everything = OffsetFetchRequestGroup(group_id=group.group_id, topics=None)
            self.world.offsets.fetch(everything, version, reply, outbox, require_stable=False)
            self.world.settle(outbox)
            answer = reply.result()
            topics = tuple(replace(topic, topic_id=self._id(topic.name)) for topic in answer.topics)
            answer = replace(answer, topics=topics)
            answers.append(with_names(answer) if request.groups else answer)
        response = fetch_response(request, answers, version)
        if request.groups:
            return response
        # Who serves this encodes it in the version that it was asked in: with partitions that are no bytes.
        read: OffsetFetchResponse = decode_response(9, version, encode_response(response, version).body)
        return read

    def _forget(self, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
        reply: Reply[OffsetDeleteResponse] = Reply()
        outbox = self.world.outbox()
        self.world.offsets.delete(request, reply, outbox)
        self.world.settle(outbox)
        try:
            return reply.result()
        except CoordinatorError as error:
            return OffsetDeleteResponse(error_code=error.code)

    def _name(self, wanted: bytes) -> str:
        return next(name for name in self._broker.topics if topic_id(name) == wanted)

    def _id(self, name: str) -> bytes:
        return topic_id(name) if name in self._broker.topics else ZERO_TOPIC_ID
