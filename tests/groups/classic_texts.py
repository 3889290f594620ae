"""Requests of members of classic groups from words, and answers as text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ottla.errors import ErrorCode
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse
from ottla.wire.k15_describe_groups import DescribedGroup

UUID: Final = re.compile(r"^(.*)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
JOIN_VERSION, SYNC_VERSION, HEARTBEAT_VERSION, LEAVE_VERSION = 9, 5, 4, 5
JOIN_INSTANCES_FROM: Final = 5


class Ask(NamedTuple):
    """A request of a client."""

    client: str
    request: Any
    version: int


class Names:
    """Member ids by short names, in the order in which they are seen."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._counts: dict[str, Iterator[int]] = {}

    def name(self, member_id: str) -> str:
        found = UUID.match(member_id)
        if found is None:
            return member_id or "?"
        if member_id not in self._names:
            count = next(self._counts.setdefault(found[1], itertools.count(1)))
            self._names[member_id] = f"{found[1]}-{count}"
            self._ids[f"{found[1]}-{count}"] = member_id
        return self._names[member_id]

    def id(self, name: str) -> str:
        return "" if name == "?" else self._ids.get(name, name)


# Requests from words.


def join_request(group_id: str, words: dict[str, str], names: Names) -> JoinGroupRequest:
    protocols = [each.partition(":") for each in words.get("protocols", "range").split(",") if each]
    return JoinGroupRequest(
        group_id=group_id,
        session_timeout_ms=int(words.get("session", 10_000)),
        rebalance_timeout_ms=int(words.get("rebalance", 20_000)),
        member_id=names.id(words.get("member", "?")),
        group_instance_id=words.get("instance"),
        protocol_type=words.get("type", "consumer"),
        protocols=tuple(JoinGroupRequestProtocol(name=name, metadata=data.encode()) for name, _, data in protocols),
    )


def sync_request(group_id: str, words: dict[str, str], names: Names, version: int) -> SyncGroupRequest:
    shares = [each.partition(":") for each in words.get("assign", "").split(",") if each]
    named = version >= SYNC_VERSION
    return SyncGroupRequest(
        group_id=group_id,
        generation_id=int(words["generation"]),
        member_id=names.id(words["member"]),
        group_instance_id=words.get("instance"),
        protocol_type=words.get("type", "consumer") if named else None,
        protocol_name=words.get("protocol", "range") if named else None,
        assignments=tuple(
            SyncGroupRequestAssignment(member_id=names.id(name), assignment=data.encode()) for name, _, data in shares
        ),
    )


def leave_request(group_id: str, words: dict[str, str], names: Names, version: int) -> LeaveGroupRequest:
    if version < 3:
        return LeaveGroupRequest(group_id=group_id, member_id=names.id(words["member"]))
    who = [each.partition("/") for each in words["member"].split(",")]
    return LeaveGroupRequest(
        group_id=group_id,
        members=tuple(
            MemberIdentity(member_id=names.id(name), group_instance_id=instance or None) for name, _, instance in who
        ),
    )


def request_of(verb: str, group_id: str, words: dict[str, str], names: Names) -> tuple[Any, int] | None:
    match verb:
        case "join":
            return join_request(group_id, words, names), int(words.get("v", JOIN_VERSION))
        case "sync":
            version = int(words.get("v", SYNC_VERSION))
            return sync_request(group_id, words, names, version), version
        case "heartbeat":
            request = HeartbeatRequest(
                group_id=group_id,
                generation_id=int(words["generation"]),
                member_id=names.id(words["member"]),
                group_instance_id=words.get("instance"),
            )
            return request, int(words.get("v", HEARTBEAT_VERSION))
        case "leave":
            version = int(words.get("v", LEAVE_VERSION))
            return leave_request(group_id, words, names, version), version
    return None


# Answers as text.


def answer_text(answer: Any, version: int, names: Names) -> str:
    code = ErrorCode(answer.error_code)
    head = f"{type(answer).__name__.removesuffix('Response')} {code.name}"
    match answer:
        case JoinGroupResponse():
            words = _join_words(answer, version, names)
        case SyncGroupResponse() if code is ErrorCode.NONE:
            words = {"assignment": answer.assignment.decode()}
            if version >= SYNC_VERSION:
                words |= {"type": str(answer.protocol_type), "protocol": str(answer.protocol_name)}
        case LeaveGroupResponse():
            words = {
                "/".join(filter(None, (names.name(m.member_id), m.group_instance_id))): ErrorCode(m.error_code).name
                for m in answer.members
            }
        case _:
            words = {}
    return " ".join([head, *(f"{name}={value}" for name, value in words.items() if value)])


def _join_words(answer: JoinGroupResponse, version: int, names: Names) -> dict[str, str]:
    if answer.error_code:
        assert (answer.protocol_name is None) == (version >= 7), "an error has no protocol, where that can be said"
        return {"member": names.name(answer.member_id) if answer.member_id else ""}
    static = version >= JOIN_INSTANCES_FROM
    members = [
        f"{names.name(m.member_id)}{'/' + m.group_instance_id if static and m.group_instance_id else ''}"
        f"[{m.metadata.decode()}]"
        for m in answer.members
    ]
    return {
        "member": names.name(answer.member_id),
        "generation": str(answer.generation_id),
        "type": str(answer.protocol_type) if version >= 7 else "",
        "protocol": str(answer.protocol_name),
        "leader": names.name(answer.leader),
        "skip": "yes" if answer.skip_assignment else "",
        "members": ",".join(sorted(members)),
    }


def describe_text(group: DescribedGroup, names: Names) -> str:
    members = sorted(
        f"{names.name(m.member_id)}({'/'.join(filter(None, (m.client_id, m.group_instance_id)))}"
        f"{m.client_host})[{m.member_metadata.decode()}|{m.member_assignment.decode()}]"
        for m in group.members
    )
    words = {"type": group.protocol_type, "protocol": group.protocol_data, "members": ",".join(members)}
    return " ".join([f"g: {group.group_state}", *(f"{name}={value}" for name, value in words.items() if value)])
