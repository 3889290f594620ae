"""The machine of all groups in a world of scripts: topics that scripts change, a log in memory, clients, and a clock
that commands move."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.client import Client
from ottla.groups.config import GroupsConfig
from ottla.groups.consumer.config import ConsumerConfig, GroupSettings, MigrationPolicy
from ottla.groups.consumer.topics import Topic, TopicHashes
from ottla.groups.records import GroupRecords
from ottla.groups.shard import GroupShard
from tests.groups.consumer_requests import Ask, Names
from tests.groups.consumer_texts import answer_text, record_text

WALL_MS: Final = 1_000_000
"""When scripts begin."""


class ScriptTopics:
    """``Topics`` that scripts change. The id of a topic says its name, and which of that name it is."""

    def __init__(self) -> None:
        self.version = 1
        self._by_name: dict[str, Topic] = {}
        self._by_id: dict[bytes, Topic] = {}
        self._made = 0

    def put(self, name: str, partition_count: int, racks: tuple[str, ...]) -> bool:
        """Whether it is a new one."""
        known = self._by_name.get(name)
        if known is None:
            self._made += 1
            topic_id = name.encode().ljust(15, b"\0") + bytes((self._made,))
        else:
            topic_id = known.topic_id
        topic = Topic(topic_id, name, partition_count, (racks,) * partition_count if racks else ())
        self._by_name[name] = self._by_id[topic_id] = topic
        self.version += 1
        return known is None

    def rename_id(self, name: str, topic_id: bytes) -> None:
        """A broker gave the topic an id of its own."""
        topic = self._by_name[name]
        self._by_id.pop(topic.topic_id)
        self._by_name[name] = self._by_id[topic_id] = topic._replace(topic_id=topic_id)

    def drop(self, name: str) -> None:
        del self._by_id[self._by_name.pop(name).topic_id]
        self.version += 1

    def named(self, name: str) -> Topic | None:
        return self._by_name.get(name)

    def with_id(self, topic_id: bytes) -> Topic | None:
        return self._by_id.get(topic_id)

    def racks_of(self, topic: Topic) -> Any:
        return topic.racks

    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)


class World:
    """A shard and its clients."""

    def __init__(self) -> None:
        self.topics = ScriptTopics()
        self.names = Names()
        self._hashes = TopicHashes(self.topics)
        self._codec = GroupRecords()
        self._log: list[Record] = []
        self._config = _config({})
        self._ids = itertools.count(1)
        self._now_ms = 0
        self._hidden: set[str] = set()
        self._batch_records_max: int | None = None
        self._answers: list[tuple[str, str]] = []
        self.shard = self._machine()

    def _machine(self) -> GroupShard:
        return GroupShard(self._config, lambda: f"00000000-0000-0000-0000-{next(self._ids):012x}", self._hashes)

    # Running.

    def configure(self, words: dict[str, str]) -> None:
        self._config = _config(words)
        self._hidden = set(filter(None, words.get("hidden", "").split(",")))
        self._batch_records_max = int(words["batch"]) if "batch" in words else None
        self.shard = self._machine()

    def topic(self, name: str, words: dict[str, str]) -> list[str]:
        created = False
        if "partitions" in words:
            racks = tuple(filter(None, words.get("racks", "").split(",")))
            created = self.topics.put(name, int(words["partitions"]), racks)
        else:
            self.topics.drop(name)
        self._hashes.forget((name,))
        self.shard.topics_changed((name,), created=created)
        return []

    def ask(self, ask: Ask) -> list[str]:
        def settled() -> None:
            try:
                answer = reply.result()
            except CoordinatorError as error:
                answer = error
            self._answers.append((ask.client, answer_text(ask, answer, self.names, self.topics)))

        reply: Reply[Any] = Reply()
        reply.when_settled(settled)
        client = Client(ask.client, "/127.0.0.1")

        def run(outbox: Outbox) -> None:
            try:
                ask.hand_in(self.shard, client, self._may_describe, reply, outbox)
            except CoordinatorError as error:
                assert not outbox.records, "who is refused has changed nothing"
                outbox.refuse(reply, error.code, error.message)

        return self._run(run)

    def _may_describe(self, topic: str) -> bool:
        return topic not in self._hidden

    def advance(self, milliseconds: int) -> list[str]:
        lines: list[str] = []
        end_ms = self._now_ms + milliseconds
        while (at_ms := self.shard.next_deadline_ms()) is not None and at_ms <= end_ms:
            self._now_ms = max(self._now_ms, at_ms)
            lines += self._run(self.shard.advance)
        self._now_ms = end_ms
        return lines

    def reload(self) -> list[str]:
        """Another machine reads what the log has, as bytes."""
        for reply in self.shard.abandon():
            reply.fail(CoordinatorError(ErrorCode.NOT_COORDINATOR))
        self.shard = self._machine()
        self._log_compacted()
        for record in self._log:
            self.shard.apply(self._codec.decode(*self._codec.encode(record)))
        before = self.states()
        self.shard.loaded(self._now())
        return [f"{name}: {state} loaded" for name, state in before.items()] + list(self._changes(before))

    def _log_compacted(self) -> None:
        """The last record of each key, in order; without tombstones."""
        last: dict[bytes, Record] = {}
        for record in self._log:
            key = self._codec.encode(record)[0]
            last.pop(key, None)
            last[key] = record
        self._log = [record for record in last.values() if record.value is not None]

    def _now(self) -> Now:
        return Now(self._now_ms, WALL_MS + self._now_ms)

    def _check(self, records: Any) -> None:
        assert records, "nothing is no batch"
        if self._batch_records_max is not None and len(records) > self._batch_records_max:
            raise CoordinatorError(ErrorCode.UNKNOWN_SERVER_ERROR, "too large")

    def _run(self, operation: Callable[[Outbox], None]) -> list[str]:
        before = self.states()
        outbox = Outbox(self._now(), self.shard.apply, self._check)
        operation(outbox)
        self._log += outbox.records
        for answer in outbox.answers:
            answer()
        taken = sorted(self._answers, key=lambda answer: answer[0])
        self._answers = []
        return [
            *(f"{client} <- {text}" for client, text in taken),
            *self._changes(before),
            *(record_text(record, self.names, self.topics, WALL_MS) for record in outbox.records),
        ]

    def states(self) -> dict[str, str]:
        shard = self.shard
        return {
            **{group.group_id: f"classic {group.state.value}({group.generation})" for group in shard._classic},
            **{group.group_id: f"{group.state.value}({group.epoch})" for group in shard._consumer},
        }

    def _changes(self, before: dict[str, str]) -> Iterator[str]:
        after = self.states()
        for group_id in sorted(before | after):
            old, new = before.get(group_id, "(none)"), after.get(group_id, "(none)")
            if old != new:
                yield f"{group_id}: {old} -> {new}"


def _config(words: dict[str, str]) -> GroupsConfig:
    settings = GroupSettings(
        session_timeout_ms=int(words.get("session", 45_000)),
        heartbeat_interval_ms=int(words.get("interval", 5_000)),
        assignment_interval_ms=int(words.get("assignment", 0)),
    )
    consumer = ConsumerConfig(
        settings=lambda _group_id: settings,
        assignors=tuple(words.get("assignors", "uniform,range").split(",")),
        members_max=int(words.get("members_max", 1000)),
        classic_members_max=int(words.get("classic_members_max", 1000)),
        migration=MigrationPolicy(words.get("migration", "bidirectional")),
    )
    return GroupsConfig(classic=ClassicConfig(members_max=consumer.classic_members_max), consumer=consumer)
