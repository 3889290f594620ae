"""Plays the scripts of consumer groups against a broker, in real time, and compares the answers.

The broker has one node and these settings; topics of scripts are made and deleted there::

    offsets.topic.num.partitions=1 group.consumer.assignment.interval.ms=0 group.max.size=1000

A script with a ``config`` line is compared with a broker that has it: ``--settings migration=upgrade``.
"""

from __future__ import annotations

import select
import time
import uuid
from typing import Any, Final

from ottla.errors import ErrorCode
from ottla.wire.k03_metadata import MetadataRequest, MetadataRequestTopic
from ottla.wire.k08_offset_commit import OffsetCommitRequest
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k15_describe_groups import DescribeGroupsRequest
from ottla.wire.k16_list_groups import ListGroupsRequest
from ottla.wire.k19_create_topics import CreatableTopic, CreateTopicsRequest
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.wire.k37_create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.wire.k42_delete_groups import DeleteGroupsRequest
from ottla.wire.k69_consumer_group_describe import ConsumerGroupDescribeRequest
from ottla.wire.schema import replace
from tests.groups.consumer_requests import Ask, Delete, Describe, DescribeClassic, ListAll, Names
from tests.groups.consumer_texts import answer_text
from tests.groups.consumer_world import ScriptTopics
from tests.support.raw import Connection
from tests.support.scripts import NotOfKafka

QUIET_S: Final = 0.15
"""Answers that are due have come when none came for so long."""
AFTER_MS, BEFORE_MS = 150, 600
SETTLE_S: Final = 0.5
"""A change of the metadata has reached the coordinator by then."""
IN_VAIN: Final = (
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
)


class BrokerWorld:
    """Clients of a broker behind a socket."""

    def __init__(self, address: tuple[str, int], settings: dict[str, str]) -> None:
        self._settings = settings
        self.names = Names()
        self.topics = ScriptTopics()
        self._address = address
        self._prefix = uuid.uuid4().hex[:8]
        self._connections: dict[str, Connection] = {}
        self._asked: dict[str, list[Ask]] = {}
        self._virtual_ms = 0
        self._offset_s = time.monotonic()
        self._admin = self._connection("admin")
        while self._admin.ask(FindCoordinatorRequest(coordinator_keys=("g",)), 4).coordinators[0].error_code:
            time.sleep(0.2)
        self._offset_s = time.monotonic()

    def close(self) -> None:
        for name in self.topics.names():
            self._delete_topic(name)
        for connection in self._connections.values():
            connection.close()

    def _group(self, group_id: str) -> str:
        return f"{self._prefix}-{group_id}" if group_id else ""

    def _connection(self, client: str) -> Connection:
        if client not in self._connections:
            self._connections[client] = Connection(self._address, client)
        return self._connections[client]

    def configure(self, words: dict[str, str]) -> None:
        if words != self._settings:
            raise NotOfKafka("config")

    def reload(self) -> list[str]:
        raise NotOfKafka("reload")

    def topic(self, name: str, words: dict[str, str]) -> list[str]:
        if "racks" in words:
            raise NotOfKafka("racks")
        if "partitions" not in words:
            self._delete_topic(name)
            self.topics.drop(name)
            return []
        count = int(words["partitions"])
        if self.topics.put(name, count, ()):
            request = CreateTopicsRequest(
                topics=(CreatableTopic(name=name, num_partitions=count, replication_factor=1),), timeout_ms=5000
            )
            for _ in range(50):
                code = self._admin.ask(request, 7).topics[0].error_code
                if code != ErrorCode.TOPIC_ALREADY_EXISTS:
                    break
                self._delete_topic(name)
        else:
            grow = CreatePartitionsRequest(
                topics=(CreatePartitionsTopic(name=name, count=count, assignments=None),), timeout_ms=5000
            )
            code = self._admin.ask(grow, 3).results[0].error_code
        assert code == 0, ErrorCode(code)
        time.sleep(SETTLE_S)
        answer = self._admin.ask(MetadataRequest(topics=(MetadataRequestTopic(name=name),)), 12)
        self.topics.rename_id(name, answer.topics[0].topic_id)
        return []

    def _delete_topic(self, name: str) -> None:
        self._admin.ask(DeleteTopicsRequest(topics=(DeleteTopicState(name=name),), timeout_ms=5000), 6)
        time.sleep(SETTLE_S)

    def ask(self, ask: Ask) -> list[str]:
        request = self._request(ask)
        for _ in range(100):
            connection = self._connection(ask.client)
            connection.send(request, ask.version)
            self._asked.setdefault(ask.client, []).append(ask)
            lines, in_vain = self._collect()
            if not in_vain:
                break
            time.sleep(0.2)
        self._offset_s = max(self._offset_s, time.monotonic() - self._virtual_ms / 1000)
        return lines

    def _request(self, ask: Ask) -> Any:
        match ask.request:
            case Describe(group_id):
                return ConsumerGroupDescribeRequest(group_ids=(self._group(group_id),))
            case DescribeClassic(group_id):
                return DescribeGroupsRequest(groups=(self._group(group_id),))
            case Delete(group_id):
                return DeleteGroupsRequest(groups_names=(self._group(group_id),))
            case ListAll(states, types):
                return ListGroupsRequest(states_filter=tuple(states), types_filter=tuple(types))
            case OffsetCommitRequest() as commit if ask.version < 10:
                return replace(commit, group_id=self._group(commit.group_id))
            case request:
                return replace(request, group_id=self._group(request.group_id))

    def _collect(self) -> tuple[list[str], bool]:
        got: list[tuple[str, str]] = []
        in_vain = False
        while True:
            waiting = {c.socket: client for client, c in self._connections.items() if c.waiting}
            ready = select.select(list(waiting), [], [], QUIET_S)[0]
            if not ready:
                break
            for each in ready:
                client = waiting[each]
                answer = self._connections[client].receive()
                ask = self._asked[client].pop(0)
                code = answer.groups[0] if isinstance(ask.request, Describe | DescribeClassic) else answer
                in_vain = in_vain or getattr(code, "error_code", 0) in IN_VAIN
                got.append((client, self._text(ask, answer)))
        return [f"{client} <- {text}" for client, text in sorted(got, key=lambda each: each[0])], in_vain

    def _text(self, ask: Ask, answer: Any) -> str:
        match ask.request:
            case Describe() | DescribeClassic():
                answer = replace(answer.groups[0], group_id=ask.request.group_id)
            case Delete():
                answer = ErrorCode(answer.results[0].error_code)
            case ListAll():
                mine = [group for group in answer.groups if group.group_id.startswith(self._prefix)]
                answer = [replace(group, group_id=group.group_id[len(self._prefix) + 1 :]) for group in mine]
        return answer_text(ask, answer, self.names, self.topics).replace(f"{self._prefix}-", "")

    def advance(self, milliseconds: int) -> list[str]:
        self._virtual_ms += milliseconds
        shift_ms = AFTER_MS if self._virtual_ms % 1000 == 0 else -BEFORE_MS
        time.sleep(max(0.0, self._offset_s + (self._virtual_ms + shift_ms) / 1000 - time.monotonic()))
        return self._collect()[0]


def visible(transcript: str) -> list[str]:
    """What a client can see of a transcript."""
    inside = (" -> ", "record", " loaded", "(nothing)")
    return [line for line in transcript.split("\n") if not any(word in line for word in inside)]
