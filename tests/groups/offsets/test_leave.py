"""When the data plane may commit by itself, and what the coordinator must not overlook while it does. It is played by a
table that notes what it is told, and says of commits that they are being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import pytest

from ottla._core import OffsetTable
from ottla.coordinator.machine import LEAVE, CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.offsets import machine
from ottla.groups.offsets.group import Committer
from ottla.groups.offsets.table import tombstone
from ottla.records.consumer_offsets import OffsetCommitKey, OffsetCommitValue
from ottla.wire.k08_offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from ottla.wire.k13_leave_group import LeaveGroupRequest, MemberIdentity
from ottla.wire.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from tests.groups import test_standing as standing
from tests.support.offset_scripts import CONFIG, FakeGroup, World, as_bytes

TOPIC_ID = bytes(15) + b"\1"
OTHER_ID = bytes(15) + b"\2"


@final
class Table:
    """The real table, and what the data plane would know."""

    made: list[Table]

    def __init__(self) -> None:
        self._table = OffsetTable()
        self.granted: dict[tuple[str, str], Committer] = {}
        self.used: dict[tuple[str, str], int] = {}
        self.writing: list[tuple[str, str, int, bytes]] = []
        self.made.append(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def __len__(self) -> int:
        return len(self._table)

    def grant(self, group: str, member_id: str, instance_id: str | None, epoch: int, version: int) -> None:
        self.granted[group, member_id] = Committer(member_id, instance_id, epoch, version, is_transactional=False)

    def withdraw(self, group: str) -> list[tuple[str, int]]:
        for key in [key for key in self.granted if key[0] == group]:
            del self.granted[key]
        return [(key[1], self.used.pop(key)) for key in list(self.used) if key[0] == group]

    def being_written(self, group: str) -> list[tuple[str, int, bytes]]:
        return [(topic, partition, topic_id) for name, topic, partition, topic_id in self.writing if name == group]

    def last_commit_ms(self, group: str, member_id: str) -> int | None:
        return self.used.get((group, member_id))


@pytest.fixture(autouse=True)
def tables(monkeypatch: pytest.MonkeyPatch) -> list[Table]:
    """Those that are made."""
    Table.made = []
    monkeypatch.setattr(machine, "OffsetTable", Table)
    return Table.made


def request(member_id: str = "a", epoch: int = 3, group_id: str = "g", **more: Any) -> OffsetCommitRequest:
    partitions = (OffsetCommitRequestPartition(partition_index=0, committed_offset=7),)
    topics = (OffsetCommitRequestTopic(name="t", topic_id=TOPIC_ID, partitions=partitions),)
    return OffsetCommitRequest(
        group_id=group_id, member_id=member_id, generation_id_or_member_epoch=epoch, topics=topics, **more
    )


def world_with_member() -> World:
    world = World()
    world.groups.groups["g"] = FakeGroup()
    world.groups.groups["g"].members = {"a": 3}
    return world


def asked(world: World, what: OffsetCommitRequest, *, in_doubt: bool = False) -> tuple[Any, list[Record]]:
    """The answer, and what was emitted."""
    outbox, reply = Outbox(Now(world.ms, world.ms), world.offsets.apply, in_doubt=in_doubt), Reply[Any]()
    world.offsets.commit(what, 9, reply, outbox, may_leave=True)
    for answer in outbox.answers:
        answer()
    return reply.result(), outbox.records


def offset(partition: int, at_ms: int, topic_id: bytes = TOPIC_ID) -> Record:
    key = OffsetCommitKey(group="g", topic="t", partition=partition)
    return as_bytes(key, OffsetCommitValue(offset=1, commit_timestamp=at_ms, topic_id=topic_id))


def test_a_member_that_may_commit_everything_is_granted_that(tables: list[Table]) -> None:
    world = world_with_member()
    assert asked(world, request()) == (LEAVE, [])
    assert tables[0].granted == {("g", "a"): Committer("a", None, 3, 9, is_transactional=False)}
    assert world.groups.groups["g"].alive == ["a"], "it was there"


def test_without_members_only_the_one_without_an_id_is_granted_anything(tables: list[Table]) -> None:
    world = World()
    assert asked(world, request("", -1)) == (LEAVE, [])
    assert list(tables[0].granted) == [("g", "")]
    assert "g" in world.groups.groups, "the group is there before its first offset"
    for odd in (request("somebody", -1), request("", -1, group_instance_id="i")):
        answer, records = asked(world, odd)
        assert (answer is LEAVE, len(records)) == (False, 1), "it commits, but everybody could be somebody"
    assert list(tables[0].granted) == [("g", "")]


def test_nothing_is_granted_while_a_transaction_counts(tables: list[Table]) -> None:
    world = world_with_member()
    answer, records = asked(world, request(), in_doubt=True)
    assert (answer is LEAVE, len(records)) == (False, 1)
    world.offsets.apply_pending(7, offset(0, 1))
    answer, records = asked(world, request())
    assert (answer is LEAVE, len(records)) == (False, 1)
    world.offsets.end_transaction(7, is_committed=True)
    assert asked(world, request()) == (LEAVE, [])
    partitions = (TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=8),)
    topics = (TxnOffsetCommitRequestTopic(name="t", partitions=partitions),)
    asking = TxnOffsetCommitRequest(group_id="g", member_id="a", generation_id_or_member_epoch=3, topics=topics)
    outbox = Outbox(Now(1, 1), lambda _record: None)
    world.offsets.commit_in_transaction(asking, 3, Reply[Any](), outbox)
    assert (len(outbox.records), tables[0].granted) == (1, {})


def test_nothing_is_granted_to_who_may_not_or_not_everything(tables: list[Table]) -> None:
    world = world_with_member()
    for wrong, code in ((request("b"), ErrorCode.UNKNOWN_MEMBER_ID), (request("a", 2), ErrorCode.ILLEGAL_GENERATION)):
        with pytest.raises(CoordinatorError) as error:
            asked(world, wrong)
        assert error.value.code == code
    world.groups.groups["g"].refused = {("u", 0): ErrorCode.STALE_MEMBER_EPOCH}
    assert asked(world, request())[0] is not LEAVE
    assert tables[0].granted == {}


def test_who_deletes_a_group_deletes_what_is_being_written(tables: list[Table]) -> None:
    world = world_with_member()
    world.offsets.apply(offset(0, 1))
    asked(world, request())
    tables[0].writing = [("g", "t", 0, TOPIC_ID), ("g", "t", 1, TOPIC_ID), ("h", "t", 2, TOPIC_ID)]
    outbox = world.outbox()
    world.offsets.delete_all("g", outbox)
    assert {record.key for record in outbox.records} == {tombstone("g", "t", partition).key for partition in (0, 1)}
    assert tables[0].granted == {}


def test_what_is_being_committed_anew_does_not_expire(tables: list[Table]) -> None:
    world = World()
    for partition in range(3):
        world.offsets.apply(offset(partition, 0))
    world.ms = CONFIG.retention_ms + CONFIG.retention_check_interval_ms
    assert asked(world, request("", -1))[0] is LEAVE
    tables[0].writing = [("g", "t", 1, TOPIC_ID), ("g", "u", 2, TOPIC_ID)]
    outbox = world.outbox()
    world.offsets.advance(outbox)
    assert [record.key for record in outbox.records] == [tombstone("g", "t", partition).key for partition in (0, 2)]
    assert tables[0].granted == {}, "before one looked"


def test_a_sweep_without_anything_too_old_takes_nothing_back(tables: list[Table]) -> None:
    world = World()
    world.ms = CONFIG.retention_ms + CONFIG.retention_check_interval_ms
    world.offsets.apply(offset(0, world.ms))
    asked(world, request("", -1))
    world.offsets.advance(world.outbox())
    assert list(tables[0].granted) == [("g", "")]


def test_a_deleted_topic_takes_nothing_of_its_successor_with_it(tables: list[Table]) -> None:
    world = World()
    for partition in range(3):
        world.offsets.apply(offset(partition, 0))
    asked(world, request("", -1))
    world.offsets.topic_deleted("t", TOPIC_ID)
    tables[0].writing = [("g", "t", 0, TOPIC_ID), ("g", "t", 1, OTHER_ID)]
    outbox = world.outbox()
    world.offsets.advance(outbox)
    assert [record.key for record in outbox.records] == [tombstone("g", "t", partition).key for partition in (0, 2)]
    assert tables[0].granted == {}


# --- real groups


def _commit(world: standing.World, what: OffsetCommitRequest) -> Any:
    return world.ask(lambda reply, outbox: world.shard.offset_commit(what, 9, reply, outbox, may_leave=True)).result()


@pytest.mark.parametrize(
    "change",
    [standing._another_joins, standing._leaves, standing._joins_again, standing._is_given_up, standing._migrates],
)
def test_what_happens_to_a_classic_group_takes_back_what_its_members_were_granted(
    tables: list[Table], change: Callable[[standing.World, str], None]
) -> None:
    world = standing.World()
    (member,) = world.classic(1)
    (elsewhere,) = world.classic(1, "h")
    assert _commit(world, request(member, world._generation("g"))) is LEAVE
    assert _commit(world, request(elsewhere, world._generation("h"), "h")) is LEAVE
    change(world, member)
    assert ("g", member) not in tables[0].granted
    assert (("h", elsewhere) in tables[0].granted) or change is standing._is_given_up


@pytest.mark.parametrize("change", [standing._someone_joins, standing._it_leaves])
def test_what_happens_to_a_consumer_group_takes_back_what_its_members_were_granted(
    tables: list[Table], change: Callable[[standing.World], None]
) -> None:
    world = standing.World()
    epoch = world.consumer("a")
    assert _commit(world, request("a", epoch, "c")) is LEAVE
    change(world)
    assert tables[0].granted == {}


def test_a_group_without_members_that_gets_some_is_no_longer_everybodys(tables: list[Table]) -> None:
    world = standing.World()
    assert _commit(world, request("", -1)) is LEAVE
    world.classic(1)
    assert tables[0].granted == {}
    assert _commit(world, request("", -1, "c")) is LEAVE
    world.consumer("a")
    assert tables[0].granted == {}


def test_commits_below_keep_a_classic_session(tables: list[Table]) -> None:
    world = standing.World()
    (member,) = world.classic(1)
    assert _commit(world, request(member, world._generation("g"))) is LEAVE
    tables[0].used["g", member] = 6_000
    world.advance_to(6_000 + standing.SESSION_MS - 1)
    assert world.members() == {member}
    world.advance_to(6_000 + standing.SESSION_MS)
    assert world.members() == set()


def test_a_commit_that_is_told_with_a_change_counts(tables: list[Table]) -> None:
    world = standing.World()
    one, two = world.classic(2)
    assert _commit(world, request(one, world._generation("g"))) is LEAVE
    tables[0].used["g", one] = world.now_ms = 6_000
    leave = LeaveGroupRequest(group_id="g", members=(MemberIdentity(member_id=two),))
    world.ask(world.shard.leave_group, leave, standing.CLIENT, 5)
    assert tables[0].used == {}
    world.advance_to(6_000 + standing.SESSION_MS - 1)
    assert one in world.members()
