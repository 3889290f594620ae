"""Runs the scripts of ``tests/scripts/groups/offsets``: what is asked of committed offsets, and all that comes of it.

Steps are as in ``api_scripts``. Partitions are written ``topic-partition``; what is committed is
``topic-partition=offset``, with ``/epoch`` and ``:metadata`` behind it. Commands::

    group g members=a:3,b:3 subscribed=t base=never|commit|TIME rule=t-1:STALE_MEMBER_EPOCH delete=NON_EMPTY_GROUP
    ungroup g                                        it is gone, by a record of its own
    commit g t-0=10/2:note t-1=5 member=a generation=3 version=9 retention=1000 id=1
    fetch g t-0 t-1 stable member=a epoch=3 id=1     or all of them: fetch g *
    delete g t-0                                     OffsetDelete
    delete-group g                                   all of its offsets
    topic-deleted t id=1
    txn 7 g t-0=10                                   a record of producer 7's open transaction is read
    marker 7 commit|abort
    after 600000                                     milliseconds pass, with what happens by itself
    restart                                          the log is read again, from the start
    state

Time begins at 0. Groups are doubles: what real ones say is the business of their own scripts. Whatever is pending stays
so over a restart, as its records are in the log.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.offsets.config import OffsetsConfig
from ottla.groups.offsets.group import Committer, ExpiryBase, PartitionRule, Since
from ottla.groups.offsets.machine import Offsets
from ottla.groups.offsets.table import committed, pending
from ottla.records import CONSUMER_OFFSETS, coordinator_format
from ottla.records.consumer_offsets import (
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from ottla.wire.codec import decode_response, encode_response
from ottla.wire.k08_offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from ottla.wire.k09_offset_fetch import (
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
)
from ottla.wire.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from ottla.wire.schema import replace
from tests.support.api_scripts import parse, unparse

FORMAT: Final = coordinator_format(CONSUMER_OFFSETS)
CONFIG: Final = OffsetsConfig(metadata_chars_max=8, retention_ms=5_000, retention_check_interval_ms=1_000)


class FakeGroup:
    """Says what it was told to say."""

    def __init__(self) -> None:
        self.members: dict[str, int] = {}
        self.subscribed: set[str] = set()
        self.base: ExpiryBase = Since.COMMIT
        self.refused: dict[tuple[str, int], ErrorCode] = {}
        self.delete_code = ErrorCode.NONE
        self.alive: list[str] = []

    def check_offset_commit(self, committer: Committer) -> PartitionRule | None:
        if committer.generation_or_epoch < 0 and not self.members:
            return None
        if committer.member_id not in self.members:
            raise CoordinatorError(ErrorCode.UNKNOWN_MEMBER_ID)
        if self.members[committer.member_id] != committer.generation_or_epoch:
            raise CoordinatorError(ErrorCode.ILLEGAL_GENERATION)
        if not self.refused:
            return None
        return lambda topic, _, partition: self.refused.get((topic, partition), ErrorCode.NONE)

    def check_offset_fetch(self, member_id: str | None, member_epoch: int) -> None:
        if (member_id, member_epoch) != (None, -1):
            if member_id not in self.members:
                raise CoordinatorError(ErrorCode.UNKNOWN_MEMBER_ID)
            if self.members[member_id] != member_epoch:
                raise CoordinatorError(ErrorCode.STALE_MEMBER_EPOCH)

    def check_offset_delete(self) -> None:
        if self.delete_code != ErrorCode.NONE:
            raise CoordinatorError(self.delete_code)

    def offset_committed(self, member_id: str, at_ms: int) -> None:
        if member_id:
            self.alive.append(member_id)

    def is_subscribed(self, topic: str) -> bool:
        return topic in self.subscribed

    def offset_expiry_base(self) -> ExpiryBase:
        return self.base


class FakeGroups:
    """Groups by name; notes what happens to them."""

    def __init__(self) -> None:
        self.groups: dict[str, FakeGroup] = {}
        self.happened: list[str] = []

    def find(self, group_id: str) -> FakeGroup | None:
        return self.groups.get(group_id)

    def names(self) -> Iterable[str]:
        return self.groups.keys()

    def make_simple(self, group_id: str) -> None:
        if group_id in self.groups:
            return
        self.groups[group_id] = FakeGroup()
        self.happened.append(f"{group_id}: a group without members")

    def delete_if_empty(self, group_id: str, outbox: Outbox) -> None:
        if not self.groups[group_id].members:
            del self.groups[group_id]
            self.happened.append(f"{group_id}: no offsets, no members, gone")


def as_bytes(key: OffsetCommitKey | LegacyOffsetCommitKey, value: object) -> Record:
    """The record of an offset as it is emitted and applied, made by the declarations."""
    version = 4 if isinstance(value, OffsetCommitValue) and value.expire_timestamp == -1 else 1
    if isinstance(value, LegacyOffsetCommitValue):
        version = 0
    return Record(FORMAT.encode_key(key), None if value is None else FORMAT.encode_value(value, version))


def messages(record: Record) -> Record:
    """The record of an offset as messages."""
    assert isinstance(record.key, bytes)
    key = FORMAT.decode_key(record.key)
    assert record.value is None or isinstance(record.value, bytes)
    return Record(key, None if record.value is None else FORMAT.decode_value(key, record.value))


def with_names(group: OffsetFetchResponseGroup) -> OffsetFetchResponseGroup:
    """An answer of version 10 to OffsetFetch as its reader has it: with partitions that are no bytes; and with the
    names of its topics, which the version has not."""
    body = encode_response(OffsetFetchResponse(groups=(group,)), 10).body
    (read,) = decode_response(9, 10, body).groups
    topics = [replace(topic, name=named.name) for topic, named in zip(read.topics, group.topics, strict=True)]
    answer: OffsetFetchResponseGroup = replace(read, topics=tuple(topics))
    return answer


class World:
    """A machine with its groups, its log and the time."""

    def __init__(self) -> None:
        self.ms = 0
        self.log: list[Record | tuple[int, Record] | tuple[int, bool]] = []
        self.groups = FakeGroups()
        self.offsets = Offsets(self.groups, CONFIG)
        self.offsets.loaded(self.now)

    @property
    def now(self) -> Now:
        return Now(self.ms, self.ms)

    def outbox(self) -> Outbox:
        return Outbox(self.now, self.offsets.apply)

    def settle(self, outbox: Outbox) -> list[Record]:
        """The records of the operation are committed."""
        self.log += outbox.records
        for settle in outbox.answers:
            settle()
        return outbox.records

    def read(self, entry: Record | tuple[int, Record] | tuple[int, bool]) -> None:
        """One more entry of the log."""
        if isinstance(entry, Record):
            self.offsets.apply(entry)
        elif isinstance(entry[1], Record):
            self.offsets.apply_pending(entry[0], entry[1])
        else:
            self.offsets.end_transaction(entry[0], is_committed=entry[1])

    def restart(self) -> None:
        self.offsets = Offsets(self.groups, CONFIG)
        for entry in self.log:
            self.read(entry)
        for _ in self.offsets.digest():
            pass
        self.offsets.loaded(self.now)


def run(world: World, command: str) -> list[str]:
    """What comes of a command."""
    verb, *words = command.split(" ")
    options = dict(word.split("=", 1) for word in words if "=" in word and not _is_partition(word))
    rest = [word for word in words if "=" not in word or _is_partition(word)]
    world.groups.happened.clear()
    lines = _VERBS[verb](world, rest, options)
    return [*lines, *world.groups.happened] or ["ok"]


def _is_partition(word: str) -> bool:
    name, _, _ = word.partition("=")
    return name.rpartition("-")[2].isdecimal() and "-" in name


def _group(world: World, words: list[str], options: dict[str, str]) -> list[str]:
    group = world.groups.groups.setdefault(words[0], FakeGroup())
    if "members" in options:
        pairs = [member.split(":") for member in options["members"].split(",") if member]
        group.members = {name: int(epoch) for name, epoch in pairs}
    if "subscribed" in options:
        group.subscribed = set(filter(None, options["subscribed"].split(",")))
    if "base" in options:
        named: dict[str, ExpiryBase] = {"never": Since.NEVER, "commit": Since.COMMIT}
        group.base = named.get(options["base"]) or int(options["base"])
    if "rule" in options:
        where, code = options["rule"].split(":")
        group.refused = {_where(where): ErrorCode[code]}
    if "delete" in options:
        group.delete_code = ErrorCode[options["delete"]]
    return []


def _ungroup(world: World, words: list[str], _: dict[str, str]) -> list[str]:
    del world.groups.groups[words[0]]
    return []


def _commit(world: World, words: list[str], options: dict[str, str]) -> list[str]:
    version = int(options.get("version", "9"))
    topics: dict[str, list[OffsetCommitRequestPartition]] = {}
    for word in words[1:]:
        (topic, index), value = _committed(word)
        topics.setdefault(topic, []).append(
            OffsetCommitRequestPartition(
                partition_index=index,
                committed_offset=value.offset,
                committed_leader_epoch=value.leader_epoch,
                committed_metadata=value.metadata or None,
            )
        )
    request = OffsetCommitRequest(
        group_id=words[0],
        generation_id_or_member_epoch=int(options.get("generation", "-1")),
        member_id=options.get("member", ""),
        retention_time_ms=int(options.get("retention", "-1")),
        topics=tuple(
            OffsetCommitRequestTopic(name=name, topic_id=_id(options), partitions=tuple(partitions))
            for name, partitions in topics.items()
        ),
    )
    reply: Reply[Any] = Reply()
    outbox = world.outbox()
    world.offsets.commit(request, version, reply, outbox)
    group = world.groups.groups.get(words[0])
    lines = _answered(world, reply, outbox, lambda answer: _codes(answer.topics))
    if group is not None and group.alive:
        lines += [f"alive: {group.alive.pop()}"]
    return lines


def _fetch(world: World, words: list[str], options: dict[str, str]) -> list[str]:
    topics: dict[str, list[int]] = {}
    for word in words[1:]:
        if word not in ("*", "stable"):
            topic, index = _where(word)
            topics.setdefault(topic, []).append(index)
    request = OffsetFetchRequestGroup(
        group_id=words[0],
        member_id=options.get("member"),
        member_epoch=int(options.get("epoch", "-1")),
        topics=None
        if "*" in words
        else tuple(
            OffsetFetchRequestTopics(name=name, topic_id=_id(options), partition_indexes=tuple(indexes))
            for name, indexes in topics.items()
        ),
    )
    reply: Reply[Any] = Reply()
    outbox = world.outbox()
    world.offsets.fetch(request, 10, reply, outbox, require_stable="stable" in words)

    def lines(answer: Any) -> list[str]:
        answer = with_names(answer)
        if answer.error_code != ErrorCode.NONE:
            return [ErrorCode(answer.error_code).name]
        return [
            f"{topic.name}-{partition.partition_index} {_shown_fetched(partition)}"
            for topic in answer.topics
            for partition in topic.partitions
        ] or ["(nothing)"]

    return _answered(world, reply, outbox, lines)


def _shown_fetched(partition: Any) -> str:
    if partition.error_code != ErrorCode.NONE:
        assert partition.committed_offset == -1
        return ErrorCode(partition.error_code).name
    return _shown(partition.committed_offset, partition.committed_leader_epoch, partition.metadata)


def _delete(world: World, words: list[str], _: dict[str, str]) -> list[str]:
    topics: dict[str, list[OffsetDeleteRequestPartition]] = {}
    for word in words[1:]:
        topic, index = _where(word)
        topics.setdefault(topic, []).append(OffsetDeleteRequestPartition(partition_index=index))
    request = OffsetDeleteRequest(
        group_id=words[0],
        topics=tuple(OffsetDeleteRequestTopic(name=name, partitions=tuple(each)) for name, each in topics.items()),
    )
    reply: Reply[Any] = Reply()
    outbox = world.outbox()
    world.offsets.delete(request, reply, outbox)
    return _answered(world, reply, outbox, lambda answer: _codes(answer.topics))


def _delete_group(world: World, words: list[str], _: dict[str, str]) -> list[str]:
    outbox = world.outbox()
    world.offsets.delete_all(words[0], outbox)
    return _written(world, outbox)


def _topic_deleted(world: World, words: list[str], options: dict[str, str]) -> list[str]:
    world.offsets.topic_deleted(words[0], _id(options))
    return _due(world)


def _txn(world: World, words: list[str], _: dict[str, str]) -> list[str]:
    for word in words[2:]:
        (topic, index), value = _committed(word)
        record = as_bytes(
            OffsetCommitKey(group=words[1], topic=topic, partition=index),
            OffsetCommitValue(
                offset=value.offset,
                leader_epoch=value.leader_epoch,
                metadata=value.metadata,
                commit_timestamp=world.ms,
            ),
        )
        world.log.append((int(words[0]), record))
        world.read(world.log[-1])
    return []


def _marker(world: World, words: list[str], _: dict[str, str]) -> list[str]:
    world.log.append((int(words[0]), words[1] == "commit"))
    world.read(world.log[-1])
    return []


def _after(world: World, words: list[str], _: dict[str, str]) -> list[str]:
    until = world.ms + int(words[0])
    lines = []
    while (deadline := world.offsets.next_deadline_ms()) is not None and deadline <= until:
        world.ms = max(world.ms, deadline)
        lines += _due(world)
    world.ms = until
    return lines


def _due(world: World) -> list[str]:
    lines: list[str] = []
    while (deadline := world.offsets.next_deadline_ms()) is not None and deadline <= world.ms:
        outbox = world.outbox()
        world.offsets.advance(outbox)
        lines += _written(world, outbox)
    return lines


def _restart(world: World, _: list[str], __: dict[str, str]) -> list[str]:
    before = _state(world)
    world.restart()
    world.groups.happened.clear()
    after = _state(world)
    return after if before == after else ["NOT THE SAME", *before, "---", *after]


def _state(world: World, *_: object) -> list[str]:
    table = world.offsets.table
    lines = []
    for group in sorted(table.groups()):
        for topic, index, found in sorted(committed(table, group)):
            shown = _shown(found.offset, found.leader_epoch, found.metadata)
            lines.append(f"{group} {topic}-{index} {shown} at {found.commit_timestamp_ms}")
        lines += [f"{group} {topic}-{index} pending" for topic, index in sorted(pending(table, group))]
    return lines or ["(no offsets)"]


_VERBS: Final = {
    "group": _group,
    "ungroup": _ungroup,
    "commit": _commit,
    "fetch": _fetch,
    "delete": _delete,
    "delete-group": _delete_group,
    "topic-deleted": _topic_deleted,
    "txn": _txn,
    "marker": _marker,
    "after": _after,
    "restart": _restart,
    "state": _state,
}


def _answered(world: World, reply: Reply[Any], outbox: Outbox, lines: Any) -> list[str]:
    assert not reply.is_settled, "nothing is answered before it is committed"
    written = _written(world, outbox)
    assert reply.is_settled
    try:
        return [*lines(reply.result()), *written]
    except CoordinatorError as error:
        return [error.code.name, *written]


def _written(world: World, outbox: Outbox) -> list[str]:
    return [f"records: {_record(record)}" for record in world.settle(outbox)]


def _record(record: Record) -> str:
    key, value = messages(record)
    assert isinstance(key, OffsetCommitKey)
    where = f"{key.group} {key.topic}-{key.partition}"
    if value is None:
        return f"{where} deleted"
    assert isinstance(value, OffsetCommitValue)
    more = f" expires {value.expire_timestamp}" if value.expire_timestamp != -1 else ""
    more += f" id={value.topic_id[-1]}" if any(value.topic_id) else ""
    return f"{where} {_shown(value.offset, value.leader_epoch, value.metadata)} at {value.commit_timestamp}{more}"


def _codes(topics: Any) -> list[str]:
    return [
        f"{topic.name}-{partition.partition_index} {ErrorCode(partition.error_code).name}"
        for topic in topics
        for partition in topic.partitions
    ]


def _shown(offset: int, epoch: int, metadata: str | None) -> str:
    return f"{offset}" + (f"/{epoch}" if epoch != -1 else "") + (f":{metadata}" if metadata else "")


def _committed(word: str) -> tuple[tuple[str, int], OffsetCommitValue]:
    where, _, what = word.partition("=")
    what, _, metadata = what.partition(":")
    offset, _, epoch = what.partition("/")
    return _where(where), OffsetCommitValue(
        offset=int(offset), leader_epoch=int(epoch or "-1"), metadata=metadata, commit_timestamp=0
    )


def _where(word: str) -> tuple[str, int]:
    topic, _, index = word.rpartition("-")
    return topic, int(index)


def _id(options: dict[str, str]) -> bytes:
    return int(options.get("id", "0")).to_bytes(16)


def play(text: str) -> str:
    """The script as the machine plays it."""
    world = World()
    played = []
    for step in parse(text):
        transcript = "\n".join(run(world, step.command)) if step.command else step.transcript
        played.append(step._replace(transcript=transcript))
    return unparse(played)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the transcripts of offset scripts anew.")
    parser.add_argument("files", nargs="+", type=Path)
    for path in parser.parse_args().files:
        path.write_text(play(path.read_text()))


if __name__ == "__main__":
    main()
