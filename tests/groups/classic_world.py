"""The machine of classic groups in a world of scripts: a log in memory, clients, and a clock that commands move."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.answers import describe
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.classic.groups import ClassicGroups
from ottla.groups.client import Client
from ottla.records.consumer_offsets import GroupMetadataKey, GroupMetadataValue, MemberMetadata
from ottla.wire.k11_join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.k12_heartbeat import HeartbeatRequest
from ottla.wire.k13_leave_group import LeaveGroupRequest
from ottla.wire.k14_sync_group import SyncGroupRequest
from ottla.wire.schema import replace
from tests.groups.classic_texts import Ask, Names, answer_text, describe_text

WALL_MS: Final = 1_000_000
"""When scripts begin."""


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
