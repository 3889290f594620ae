"""Plays the scripts of classic groups against a broker, in real time, and compares the answers.

The broker has Kafka's defaults, a topic ``t``, and a group id of its own for each script. Moments are rough: what a
script says to be due at 3000 is looked for a little after it, and at 2999 well before. To configure the broker and to
have it read its log again, ``--restart`` is run, a command that ends when the broker listens again; its arguments are
what the script configures, as ``members_max=2``.
"""

from __future__ import annotations

import select
import subprocess
import time
import uuid
from typing import Any, Final

from ottla.errors import ErrorCode
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k15_describe_groups import DescribeGroupsRequest
from ottla.wire.k42_delete_groups import DeleteGroupsRequest
from ottla.wire.schema import replace
from tests.groups.classic_texts import Ask, Names, answer_text, describe_text
from tests.support.raw import Connection
from tests.support.raw_admin import create_topic
from tests.support.scripts import NotOfKafka, Step

QUIET_S: Final = 0.15
"""Answers that are due have come when none came for so long."""
AFTER_MS, BEFORE_MS = 200, 800
"""How much later than said, or earlier, it is looked."""
NOT_ASKED: Final = "(not asked)"
"""What would need a transaction."""


class BrokerWorld:
    """Clients of a broker behind a socket."""

    def __init__(self, address: tuple[str, int], restart: str) -> None:
        self.names = Names()
        self._config = ""
        self._restart = restart
        self._address = address
        self._prefix = uuid.uuid4().hex[:8]
        self._connections: dict[str, Connection] = {}
        self._versions: dict[str, list[int]] = {}
        self._virtual_ms = 0
        create_topic(self._connection("admin"), "t")
        self._await_coordinator()
        self._start_s = self._late_s = time.monotonic()
        """When the script began, and when it would have if its slowest command had been on time: what follows from a
        command is due between its moment by the one and by the other."""

    def _await_coordinator(self) -> None:
        admin = self._connection("admin")
        for _ in range(100):
            if (
                not admin.ask(FindCoordinatorRequest(coordinator_keys=(self._group("g"),)), 4)
                .coordinators[0]
                .error_code
            ):
                break
            time.sleep(0.2)
        while admin.ask(DescribeGroupsRequest(groups=(self._group("g"),)), 5).groups[0].error_code:
            time.sleep(0.2)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def _group(self, group_id: str) -> str:
        return f"{self._prefix}-{group_id}" if group_id else ""

    def _connection(self, client: str) -> Connection:
        if client not in self._connections:
            self._connections[client] = Connection(self._address, client.rstrip("'"))
        return self._connections[client]

    def configure(self, words: dict[str, str]) -> None:
        self._config = " ".join(f"{name}={value}" for name, value in words.items())
        self._reload("config")

    def inside(self, verb: str, words: dict[str, str], group_id: str) -> list[str]:
        if verb == "ensure":
            self.commit("admin", group_id, {})
            return []
        self._reload(verb)
        return []

    def _reload(self, verb: str) -> None:
        if not self._restart or verb not in ("config", "reload"):
            raise NotOfKafka(verb)
        start_s = time.monotonic()
        self.close()
        self._connections.clear()
        self._versions.clear()
        subprocess.run(f"{self._restart} {self._config}", shell=True, check=True)
        self._await_coordinator()
        self._start_s += time.monotonic() - start_s
        self._late_s += time.monotonic() - start_s

    def ask(self, ask: Ask) -> list[str]:
        connection = self._connection(ask.client)
        connection.send(replace(ask.request, group_id=self._group(ask.request.group_id)), ask.version)
        self._versions.setdefault(ask.client, []).append(ask.version)
        lines = self._collect()
        self._note_delay()
        return lines

    def _note_delay(self) -> None:
        self._late_s = max(self._late_s, time.monotonic() - self._virtual_ms / 1000)

    def _collect(self) -> list[str]:
        got: list[tuple[str, str]] = []
        while True:
            waiting = {c.socket: client for client, c in self._connections.items() if c.waiting}
            ready = select.select(list(waiting), [], [], QUIET_S)[0]
            if not ready:
                break
            for each in ready:
                client = waiting[each]
                answer = self._connections[client].receive()
                got.append((client, answer_text(answer, self._versions[client].pop(0), self.names)))
        return [f"{client} <- {text}" for client, text in sorted(got, key=lambda each: each[0])]

    def advance(self, milliseconds: int) -> list[str]:
        self._virtual_ms += milliseconds
        if self._virtual_ms % 1000 == 0:
            until_s = self._late_s + (self._virtual_ms + AFTER_MS) / 1000
        else:
            until_s = self._start_s + (self._virtual_ms - BEFORE_MS) / 1000
        time.sleep(max(0.0, until_s - time.monotonic()))
        return self._collect()

    def describe(self, group_id: str) -> list[str]:
        request = DescribeGroupsRequest(groups=(self._group(group_id),))
        group = self._connection("admin").ask(request, 6).groups[0]
        if group.error_code:
            return [f"{group_id}: {ErrorCode(group.error_code).name}"]
        return [describe_text(group, self.names)]

    def delete(self, group_id: str) -> list[str]:
        request = DeleteGroupsRequest(groups_names=(self._group(group_id),))
        result = self._connection("admin").ask(request, 2).results[0]
        return [f"{group_id}: DeleteGroups {ErrorCode(result.error_code).name}"]

    def commit(self, client: str, group_id: str, words: dict[str, str]) -> list[str]:
        if "transactional" in words:
            return [f"{client} <- {NOT_ASKED}"]
        partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=1)
        request = OffsetCommitRequest(
            group_id=self._group(group_id),
            generation_id_or_member_epoch=int(words.get("generation", -1)),
            member_id=self.names.id(words.get("member", "?")),
            group_instance_id=words.get("instance"),
            topics=(OffsetCommitRequestTopic(name="t", partitions=(partition,)),),
        )
        late = self._collect() if self._connection(client).waiting else []
        answer: Any = self._connection(client).ask(request, 8)
        self._note_delay()
        return [*late, f"{client} <- OffsetCommit {ErrorCode(answer.topics[0].partitions[0].error_code).name}"]


def visible(transcript: str) -> list[str]:
    """What a client can see of a transcript. Where the broker is started again, it sees the end of its connection."""
    inside = (" -> ", "record: ", " loaded", " reads ", "(nothing)", " NOT_COORDINATOR")
    return [line for line in transcript.split("\n") if not any(word in line for word in inside)]


def keep_not_asked(step: Step, lines: list[str]) -> list[str]:
    """What the broker was not asked stands as it is."""
    told = visible(step.transcript)
    if len(told) != len(lines):
        return lines
    return [ours if NOT_ASKED in theirs else theirs for ours, theirs in zip(told, lines, strict=True)]
