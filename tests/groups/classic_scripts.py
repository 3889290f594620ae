"""Runs the scripts of ``tests/scripts/groups/classic``: members of classic groups, and the full transcript.

A script is a series of steps: commands, ``----``, what came of them, an empty line. Lines with ``#`` are comments.
Words are ``name=value``; what is missing has a usual value. Member ids are named after their prefix and a number::

    join a member=a-1 protocols=range,roundrobin:metadata   a client named a joins group g; see ``World`` for the rest
    sync a member=a-1 generation=1 assign=a-1:p0
    advance 3000                                            milliseconds pass

Lines of the transcript: answers by client; how groups changed, with their generation; records.

    python -m tests.groups.classic_scripts FILE...                       compare
    python -m tests.groups.classic_scripts --rewrite FILE...             write what comes out
    python -m tests.groups.classic_scripts --against HOST:PORT FILE...   compare with Kafka, in real time

With ``--restart COMMAND`` scripts can have Kafka configured and started again; see ``classic_against``.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.answers import describe
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.classic.groups import ClassicGroups
from ottla.groups.client import Client
from ottla.records.consumer_offsets import GroupMetadataKey, GroupMetadataValue, MemberMetadata
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from ottla.wire.k14_sync_group import SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse
from ottla.wire.k15_describe_groups import DescribedGroup
from ottla.wire.schema import replace
from tests.support.api_scripts import Step, parse, unparse, with_transcripts

WALL_MS: Final = 1_000_000
"""When scripts begin."""
UUID: Final = re.compile(r"^(.*)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
JOIN_VERSION, SYNC_VERSION, HEARTBEAT_VERSION, LEAVE_VERSION = 9, 5, 4, 5
JOIN_INSTANCES_FROM: Final = 5


class Ask(NamedTuple):
    """A request of a client."""

    client: str
    request: Any
    version: int


class NotOfKafka(Exception):
    """A command that reaches inside, which only our own machine allows."""


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


class World:
    """A shard and its clients."""

    def __init__(self) -> None:
        self.names = Names()
        self._log: list[Record] = []
        self._config = ClassicConfig()
        self._ids = itertools.count(1)
        self._now_ms = 0
        self._too_large = False
        self._answers: list[tuple[str, str]] = []
        self._groups = self._machine()

    def _machine(self) -> ClassicGroups:
        return ClassicGroups(self._config, lambda: f"00000000-0000-0000-0000-{next(self._ids):012x}")

    # Running.

    def configure(self, words: dict[str, str]) -> None:
        self._config = ClassicConfig(**{name: int(value) for name, value in words.items()})
        self._groups = self._machine()

    def ask(self, ask: Ask) -> list[str]:
        def settled() -> None:
            try:
                text = answer_text(reply.result(), ask.version, self.names)
            except CoordinatorError as error:
                text = f"{type(ask.request).__name__.removesuffix('Request')} {error.code.name}"
            self._answers.append((ask.client, text))

        reply: Reply[Any] = Reply()
        reply.when_settled(settled)
        handle: Any = {
            JoinGroupRequest: self._groups.join,
            SyncGroupRequest: self._groups.sync,
            HeartbeatRequest: self._groups.heartbeat,
            LeaveGroupRequest: self._groups.leave,
        }[type(ask.request)]

        def run(outbox: Outbox) -> None:
            try:
                handle(ask.request, Client(ask.client.rstrip("'"), "/127.0.0.1"), ask.version, reply, outbox)
            except CoordinatorError as error:
                assert not outbox.records
                reply.fail(error)

        return self._run(run)

    def advance(self, milliseconds: int) -> list[str]:
        lines: list[str] = []
        end_ms = self._now_ms + milliseconds
        while (at_ms := self._groups.next_deadline_ms()) is not None and at_ms <= end_ms:
            self._now_ms = max(self._now_ms, at_ms)
            lines += self._run(self._groups.advance)
        self._now_ms = end_ms
        return lines

    def _now(self) -> Now:
        return Now(self._now_ms, WALL_MS + self._now_ms)

    def _check(self, records: object) -> None:
        if self._too_large:
            raise CoordinatorError(ErrorCode.UNKNOWN_SERVER_ERROR)

    def _run(self, operation: Callable[[Outbox], None]) -> list[str]:
        before = self._states()
        outbox = Outbox(self._now(), self._groups.apply, self._check)
        operation(outbox)
        self._log += outbox.records
        for answer in outbox.answers:
            answer()
        return [*self._take_answers(), *self._changes(before), *(self._record(record) for record in outbox.records)]

    def _take_answers(self) -> list[str]:
        taken = sorted(self._answers, key=lambda answer: answer[0])
        self._answers = []
        return [f"{client} <- {text}" for client, text in taken]

    def _states(self) -> dict[str, str]:
        return {group.group_id: f"{group.state.value}({group.generation})" for group in self._groups}

    def _changes(self, before: dict[str, str]) -> Iterator[str]:
        after = self._states()
        for group_id in sorted(before | after):
            old, new = before.get(group_id, "(none)"), after.get(group_id, "(none)")
            if old != new:
                yield f"{group_id}: {old} -> {new}"

    def _record(self, record: Record) -> str:
        key, value = record
        assert isinstance(key, GroupMetadataKey)
        if value is None:
            return f"record: {key.group} deleted"
        assert isinstance(value, GroupMetadataValue)
        members = ",".join(
            f"{self.names.name(m.member_id)}[{m.subscription.decode()}|{m.assignment.decode()}]" for m in value.members
        )
        words = {
            "generation": value.generation,
            "type": value.protocol_type,
            "protocol": value.protocol,
            "leader": value.leader and self.names.name(value.leader),
            "since": value.current_state_timestamp - WALL_MS,
            "members": members,
        }
        return f"record: {key.group} " + " ".join(f"{k}={v}" for k, v in words.items() if v not in (None, ""))

    # What only our own machine does.

    def inside(self, verb: str, words: dict[str, str], group_id: str) -> list[str]:
        match verb:
            case "reload":
                for reply in self._groups.abandon():
                    reply.fail(CoordinatorError(ErrorCode.NOT_COORDINATOR))
                lines = self._take_answers()
                self._groups = self._machine()
                for record in self._log:
                    self._groups.apply(record)
                before = self._states()
                self._groups.loaded(self._now())
                shown = [f"{name}: {state} loaded" for name, state in before.items()]
                return [*lines, *shown, *self._changes(before)]
            case "too_large":
                self._too_large = words["records"] == "yes"
                return []
            case "dissolve":
                return self._run(lambda outbox: self._groups.dissolve(group_id, outbox))
            case "adopt":
                return self._run(lambda outbox: self._adopt(group_id, words, outbox))
            case "ensure":
                before = self._states()
                self._groups.ensure(group_id)
                return list(self._changes(before))
            case "topics":
                group = self._groups.get(group_id)
                assert group is not None
                return [f"{group_id}: reads {sorted(group.subscribed_topics or ())}"]
        raise ValueError(f"no such command: {verb}")

    def _adopt(self, group_id: str, words: dict[str, str], outbox: Outbox) -> None:
        """The members of a consumer group, ``members=a-1,b-1``, each with protocol range."""
        member_ids = [self.names.id(name) for name in words["members"].split(",")]
        protocol = JoinGroupRequestProtocol(name="range", metadata=b"m")
        value = GroupMetadataValue(
            protocol_type="consumer",
            generation=int(words["generation"]),
            protocol="range",
            leader=member_ids[0],
            current_state_timestamp=self._now().wall_ms,
            members=tuple(
                MemberMetadata(
                    member_id=member_id,
                    client_id="old",
                    client_host="/127.0.0.1",
                    rebalance_timeout=20_000,
                    session_timeout=10_000,
                    subscription=b"m",
                    assignment=b"p",
                )
                for member_id in member_ids
            ),
        )
        self._groups.adopt(
            group_id,
            value,
            {member_id: (protocol, replace(protocol, name="sticky")) for member_id in member_ids},
            outbox,
            rebalance=words["rebalance"] == "yes",
        )

    def describe(self, group_id: str) -> list[str]:
        group = self._groups.get(group_id)
        return [describe_text(describe(group), self.names) if group else f"{group_id}: GROUP_ID_NOT_FOUND"]

    def commit(self, client: str, group_id: str, words: dict[str, str]) -> list[str]:
        group = self._groups.get(group_id)
        assert group is not None, "commits to unknown groups are not decided here"
        member_id = self.names.id(words.get("member", "?"))
        error = group.validate_commit(
            member_id, words.get("instance"), int(words.get("generation", -1)), "transactional" in words, 8
        )
        if error is ErrorCode.NONE and "transactional" not in words:
            self._groups.committed(group, member_id, self._now().monotonic_ms)
        return [f"{client} <- OffsetCommit {error.name}"]

    def delete(self, group_id: str) -> list[str]:
        group = self._groups.get(group_id)
        error = ErrorCode.GROUP_ID_NOT_FOUND if group is None else group.validate_delete()
        lines = [f"{group_id}: DeleteGroups {error.name}"]
        if error is ErrorCode.NONE:
            lines += self._run(lambda outbox: self._groups.delete(group_id, outbox))
        return lines


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


# Scripts.


def play(steps: list[Step], world: Any) -> list[Step]:
    """The steps with the transcripts as they come out."""
    return with_transcripts(steps, lambda command: run_command(command, world))


def run_command(command: str, world: Any) -> list[str]:
    verb, *rest = command.split()
    words = dict(word.split("=", 1) for word in rest if "=" in word)
    client = next((word for word in rest if "=" not in word), "")
    group_id = words.pop("group", "g")
    if verb == "config":
        world.configure(words)
        return []
    if verb == "advance":
        lines: list[str] = world.advance(int(client))
        return lines
    found = request_of(verb, group_id, words, world.names)
    if found is not None:
        lines = world.ask(Ask(client, *found))
    elif verb == "describe":
        lines = world.describe(group_id)
    elif verb == "commit":
        lines = world.commit(client, group_id, words)
    elif verb == "delete":
        lines = world.delete(group_id)
    else:
        lines = world.inside(verb, words, group_id)
    return lines


def play_text(text: str) -> str:
    """The script as our machine plays it."""
    return unparse(play(parse(text), World()))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run scripts of classic groups.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rewrite", action="store_true")
    parser.add_argument("--against", metavar="HOST:PORT")
    parser.add_argument("--restart", metavar="COMMAND")
    options = parser.parse_args()
    different = 0
    for path in options.files:
        text = path.read_text()
        if options.against:
            from tests.groups.classic_against import play_against

            host, _, port = options.against.rpartition(":")
            different += play_against(path, text, (host, int(port)), options.restart)
            continue
        after = play_text(text)
        if options.rewrite:
            path.write_text(after)
        elif after != text:
            different += 1
            print(f"{path}: the transcript is another")
    return min(different, 1)


if __name__ == "__main__":
    raise SystemExit(main())
