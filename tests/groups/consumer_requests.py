"""From the words of ``consumer_scripts`` to requests."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ottla.records.consumer_protocol import (
    AssignmentTopicPartition,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    SubscriptionTopicPartition,
)
from ottla.wire.codec import encode
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from ottla.wire.k68_consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    TopicPartitions,
)

GENERATED: Final = re.compile(r"^(.*-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^[\w-]{22}$")


class Remembered:
    """What a client knows of itself."""

    def __init__(self) -> None:
        self.member_id = ""
        self.epoch = 0


class Names:
    """Member ids by short names, in the order in which clients see them; and what clients remember."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._counts: dict[str, Iterator[int]] = {}
        self.clients: dict[str, Remembered] = {}

    def client(self, name: str) -> Remembered:
        return self.clients.setdefault(name, Remembered())

    def name(self, member_id: str, client: str = "") -> str:
        if not GENERATED.match(member_id):
            return member_id or "?"
        if member_id not in self._names:
            stem = client.rstrip("'") or "somebody"
            name = f"{stem}-{next(self._counts.setdefault(stem, itertools.count(1)))}"
            self._names[member_id], self._ids[name] = name, member_id
        return self._names[member_id]

    def id(self, name: str) -> str:
        return "" if name == "?" else self._ids.get(name, name)

    def in_text(self, text: str) -> str:
        """A message with short names."""
        for member_id, name in self._names.items():
            text = text.replace(member_id, name)
        return text


class Ask(NamedTuple):
    """A request of a client; or something that only a shard is asked."""

    client: str
    request: Any
    version: int

    def hand_in(self, shard: Any, client: Any, may_describe: Any, reply: Any, outbox: Any) -> None:
        request, version = self.request, self.version
        match request:
            case ConsumerGroupHeartbeatRequest():
                shard.consumer_heartbeat(request, client, version, may_describe, reply, outbox)
            case JoinGroupRequest():
                shard.join_group(request, client, version, reply, outbox)
            case SyncGroupRequest():
                shard.sync_group(request, client, version, reply, outbox)
            case HeartbeatRequest():
                shard.heartbeat(request, client, version, reply, outbox)
            case LeaveGroupRequest():
                shard.leave_group(request, client, version, reply, outbox)
            case OffsetCommitRequest():
                shard.offset_commit(request, version, reply, outbox)
            case Describe():
                shard.describe_consumer_group(request.group_id, reply, outbox)
            case DescribeClassic():
                shard.describe_group(request.group_id, 6, reply, outbox)
            case Delete():
                shard.delete_group(request.group_id, reply, outbox)
            case ListAll():
                shard.list_groups(request.states, request.types, reply, outbox)
            case _:
                raise AssertionError(request)


class Describe(NamedTuple):
    group_id: str


class DescribeClassic(NamedTuple):
    group_id: str


class Delete(NamedTuple):
    group_id: str


class ListAll(NamedTuple):
    states: frozenset[str]
    types: frozenset[str]


# Words.


def partitions_of(text: str) -> dict[str, tuple[int, ...]]:
    """``t:0-2,4;u:1``, or ``none``."""
    found: dict[str, tuple[int, ...]] = {}
    for each in text.split(";") if text not in ("", "none") else ():
        name, _, ranges = each.partition(":")
        found[name] = tuple(
            partition
            for some in ranges.split(",")
            for first, _, last in (some.partition("-"),)
            for partition in range(int(first), int(last or first) + 1)
        )
    return found


def partitions_text(partitions: Mapping[str, Iterable[int]]) -> str:
    texts = []
    for name, some in sorted(partitions.items()):
        runs: list[list[int]] = []
        for partition in sorted(some):
            if runs and runs[-1][1] == partition - 1:
                runs[-1][1] = partition
            else:
                runs.append([partition, partition])
        texts.append(f"{name}:" + ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs))
    return ";".join(texts) or "none"


def by_name(topic_partitions: Iterable[Any], topics: Any) -> dict[str, tuple[int, ...]]:
    return {topic_name(each.topic_id, topics): each.partitions for each in topic_partitions}


def topic_name(topic_id: bytes, topics: Any) -> str:
    topic = topics.with_id(topic_id)
    return topic_id[:15].rstrip(b"\0").decode(errors="replace") + "(gone)" if topic is None else str(topic.name)


def _list(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(filter(None, text.split(",")))


# Requests.


def request_of(verb: str, client: str, words: dict[str, str], names: Names, topics: Any) -> Ask:
    group_id = words.get("group", "g")
    known = names.client(client)
    member_id = names.id(words["member"]) if "member" in words else known.member_id
    match verb:
        case "join" | "beat" | "leave":
            return Ask(client, _heartbeat(verb, client, group_id, words, names, topics), int(words.get("v", 1)))
        case "cjoin":
            return Ask(client, _join(group_id, member_id, words), int(words.get("v", 9)))
        case "csync":
            shares = [each.partition("/") for each in words.get("assign", "").split("+") if each]
            sync = SyncGroupRequest(
                group_id=group_id,
                generation_id=int(words.get("generation", known.epoch)),
                member_id=member_id,
                group_instance_id=words.get("instance"),
                protocol_type=words.get("type", "consumer"),
                protocol_name=words.get("protocol", "range"),
                assignments=tuple(
                    SyncGroupRequestAssignment(member_id=names.id(name), assignment=_assignment(text, words))
                    for name, _, text in shares
                ),
            )
            return Ask(client, sync, int(words.get("v", 5)))
        case "cbeat":
            heartbeat = HeartbeatRequest(
                group_id=group_id,
                generation_id=int(words.get("generation", known.epoch)),
                member_id=member_id,
                group_instance_id=words.get("instance"),
            )
            return Ask(client, heartbeat, 4)
        case "cleave":
            who = [each.partition("/") for each in words.get("members", names.name(member_id)).split(",")]
            identities = tuple(
                MemberIdentity(member_id=names.id(name), group_instance_id=instance or None)
                for name, _, instance in who
            )
            return Ask(client, LeaveGroupRequest(group_id=group_id, members=identities), 5)
        case "commit":
            return Ask(client, _commit(group_id, member_id, words, known, topics), int(words.get("v", 10)))
        case "describe":
            return Ask("admin", Describe(group_id), 1)
        case "cdescribe":
            return Ask("admin", DescribeClassic(group_id), 6)
        case "delete":
            return Ask("admin", Delete(group_id), 2)
        case "list":
            chosen = (frozenset(_list(words.get(name, "").lower()) or ()) for name in ("states", "types"))
            return Ask("admin", ListAll(*chosen), 5)
    raise ValueError(f"no such command: {verb}")


def _heartbeat(
    verb: str, client: str, group_id: str, words: dict[str, str], names: Names, topics: Any
) -> ConsumerGroupHeartbeatRequest:
    known = names.client(client)
    joins = verb == "join"
    epoch = {"join": 0, "beat": known.epoch, "leave": -1}[verb]
    owns = words.get("owns", "none" if joins else None)
    owned = None
    if owns is not None:
        owned = tuple(
            TopicPartitions(topic_id=topics.named(name).topic_id, partitions=partitions)
            for name, partitions in partitions_of(owns).items()
        )
    member_id = names.id(words["member"]) if "member" in words else known.member_id or client
    return ConsumerGroupHeartbeatRequest(
        group_id="" if group_id == "?" else group_id,
        member_id=member_id,
        member_epoch=int(words.get("epoch", epoch)),
        instance_id=words.get("instance"),
        rack_id=words.get("rack"),
        rebalance_timeout_ms=int(words.get("timeout", 20_000 if joins else -1)),
        subscribed_topic_names=_list(words.get("topics")),
        subscribed_topic_regex=words.get("regex"),
        server_assignor=words.get("assignor"),
        topic_partitions=owned,
    )


def _join(group_id: str, member_id: str, words: dict[str, str]) -> JoinGroupRequest:
    embedded = int(words.get("embedded", 3))
    subscription = ConsumerProtocolSubscription(
        topics=_list(words.get("topics", "t")) or (),
        owned_partitions=tuple(
            SubscriptionTopicPartition(topic=name, partitions=partitions)
            for name, partitions in partitions_of(words.get("owns", "none")).items()
        ),
        rack_id=words.get("rack"),
    )
    metadata = embedded.to_bytes(2, signed=True) + encode(subscription, embedded)
    if "metadata" in words:
        metadata = words["metadata"].encode()
    return JoinGroupRequest(
        group_id=group_id,
        session_timeout_ms=int(words.get("session", 10_000)),
        rebalance_timeout_ms=int(words.get("timeout", 20_000)),
        member_id=member_id,
        group_instance_id=words.get("instance"),
        protocol_type=words.get("type", "consumer"),
        protocols=tuple(
            JoinGroupRequestProtocol(name=name, metadata=metadata)
            for name in words.get("protocols", "range").split(",")
        ),
    )


def _assignment(text: str, words: dict[str, str]) -> bytes:
    if "raw" in words:
        return words["raw"].encode()
    message = ConsumerProtocolAssignment(
        assigned_partitions=tuple(
            AssignmentTopicPartition(topic=name, partitions=partitions)
            for name, partitions in partitions_of(text).items()
        ),
        user_data=words["user_data"].encode() if "user_data" in words else None,
    )
    return (3).to_bytes(2) + encode(message, 3)


def _commit(
    group_id: str, member_id: str, words: dict[str, str], known: Remembered, topics: Any
) -> OffsetCommitRequest:
    return OffsetCommitRequest(
        group_id=group_id,
        generation_id_or_member_epoch=int(words.get("epoch", known.epoch)),
        member_id=member_id,
        topics=tuple(
            OffsetCommitRequestTopic(
                name=name,
                topic_id=topics.named(name).topic_id,
                partitions=tuple(
                    OffsetCommitRequestPartition(partition_index=partition, committed_offset=5)
                    for partition in partitions
                ),
            )
            for name, partitions in partitions_of(words["what"]).items()
        ),
    )
