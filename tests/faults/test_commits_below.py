"""Commits of a group from many connections, most of them carried out without the control plane, while transactions
commit for the same group and members of another come and go: then kill -9, and everything that was acknowledged is
there."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Final

from ottla.errors import ErrorCode
from ottla.wire.k08_offset_commit import OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic
from ottla.wire.k09_offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k25_add_offsets_to_txn import AddOffsetsToTxnRequest
from ottla.wire.k26_end_txn import EndTxnRequest
from ottla.wire.k28_txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from ottla.wire.k68_consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from tests.support.broker_process import BrokerProcess
from tests.support.raw import Connection
from tests.support.raw_admin import create_topic

COMMITTERS: Final = 5
TRANSACTIONAL: Final = COMMITTERS
MEMBERS: Final = COMMITTERS + 1
LOAD_S: Final = 2.0
LATER: Final = (
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.CONCURRENT_TRANSACTIONS,
)
STALE: Final = (ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_MEMBER_EPOCH)


def ask(connection: Connection, request: object, version: int) -> Any:
    """Until it is no longer to be asked later."""
    deadline = time.monotonic() + 60
    while (answer := connection.ask(request, version)).error_code in LATER:
        assert time.monotonic() < deadline
    return answer


def commit(connection: Connection, group: str, index: int, offset: int, member: str = "", epoch: int = -1) -> int:
    partition = OffsetCommitRequestPartition(partition_index=index, committed_offset=offset)
    topics = (OffsetCommitRequestTopic(name="read", partitions=(partition,)),)
    request = OffsetCommitRequest(group_id=group, member_id=member, generation_id_or_member_epoch=epoch, topics=topics)
    code: int = connection.ask(request, 9).topics[0].partitions[0].error_code
    return code


class Load:
    """Who commits; and what was acknowledged last, by group and partition."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.acknowledged: dict[tuple[str, int], int] = {}
        self._address = address
        self._ends = threading.Event()
        self._failed: list[BaseException] = []

    def run(self) -> None:
        players: list[Any] = [lambda at=at: self._commits(at) for at in range(COMMITTERS)]
        players += [self._transactions, self._member, self._comes_and_goes]
        threads = [threading.Thread(target=self._guarded, args=(player,)) for player in players]
        for thread in threads:
            thread.start()
        self._ends.wait(LOAD_S)
        self._ends.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        if self._failed:
            raise self._failed[0]

    def _guarded(self, player: Any) -> None:
        try:
            player()
        except BaseException as error:
            self._failed.append(error)
            self._ends.set()

    def _commits(self, index: int) -> None:
        with Connection(self._address) as connection:
            offset = 0
            while not self._ends.is_set():
                code = commit(connection, "g", index, offset)
                assert code in (ErrorCode.NONE, *LATER), code
                if code == ErrorCode.NONE:
                    self.acknowledged["g", index] = offset
                    offset += 1

    def _transactions(self) -> None:
        with Connection(self._address) as connection:
            begun = ask(connection, InitProducerIdRequest(transactional_id="t", transaction_timeout_ms=60_000), 4)
            assert begun.error_code == ErrorCode.NONE
            who: dict[str, Any] = {
                "transactional_id": "t",
                "producer_id": begun.producer_id,
                "producer_epoch": begun.producer_epoch,
            }
            offset = 0
            while not self._ends.is_set():
                assert ask(connection, AddOffsetsToTxnRequest(**who, group_id="g"), 3).error_code == ErrorCode.NONE
                partition = TxnOffsetCommitRequestPartition(partition_index=TRANSACTIONAL, committed_offset=offset)
                topics = (TxnOffsetCommitRequestTopic(name="read", partitions=(partition,)),)
                answer = connection.ask(TxnOffsetCommitRequest(**who, group_id="g", topics=topics), 3)
                code = answer.topics[0].partitions[0].error_code
                assert code in (ErrorCode.NONE, *LATER), code
                commits = code == ErrorCode.NONE and offset % 3 != 2
                assert ask(connection, EndTxnRequest(**who, committed=commits), 3).error_code == ErrorCode.NONE
                if commits:
                    self.acknowledged["g", TRANSACTIONAL] = offset
                offset += 1

    def _beat(self, connection: Connection, member: str, epoch: int, **more: Any) -> Any:
        request = ConsumerGroupHeartbeatRequest(group_id="c", member_id=member, member_epoch=epoch, **more)
        return ask(connection, request, 1)

    def _joined(self, connection: Connection, member: str) -> int:
        more = {"rebalance_timeout_ms": 60_000, "subscribed_topic_names": ("read",), "topic_partitions": ()}
        epoch: int = self._beat(connection, member, 0, **more).member_epoch
        return epoch

    def _member(self) -> None:
        with Connection(self._address) as connection:
            epoch, offset = self._joined(connection, "stays"), 0
            while not self._ends.is_set():
                code = commit(connection, "c", MEMBERS, offset, "stays", epoch)
                if code == ErrorCode.NONE:
                    self.acknowledged["c", MEMBERS] = offset
                    offset += 1
                if code in STALE or offset % 50 == 0:
                    answer = self._beat(connection, "stays", epoch, topic_partitions=())
                    epoch = answer.member_epoch if answer.error_code == ErrorCode.NONE else epoch
                    if answer.error_code in STALE:
                        epoch = self._joined(connection, "stays")

    def _comes_and_goes(self) -> None:
        with Connection(self._address) as connection:
            while not self._ends.is_set():
                self._joined(connection, "guest")
                self._ends.wait(0.02)
                self._beat(connection, "guest", -1)


def fetched(connection: Connection) -> dict[tuple[str, int], int]:
    """What is committed, of both groups."""
    found: dict[tuple[str, int], int] = {}
    topics = (OffsetFetchRequestTopics(name="read", partition_indexes=tuple(range(MEMBERS + 1))),)
    for group in ("g", "c"):
        asked = OffsetFetchRequestGroup(group_id=group, topics=topics)
        request = OffsetFetchRequest(groups=(asked,), require_stable=True)
        deadline = time.monotonic() + 60
        while True:
            (answer,) = connection.ask(request, 8).groups
            partitions = [partition for topic in answer.topics for partition in topic.partitions]
            codes = {answer.error_code, *(partition.error_code for partition in partitions)}
            if codes == {ErrorCode.NONE}:
                break
            assert codes <= {ErrorCode.NONE, ErrorCode.UNSTABLE_OFFSET_COMMIT, *LATER}
            assert time.monotonic() < deadline
        for partition in partitions:
            if partition.committed_offset != -1:
                found[group, partition.partition_index] = partition.committed_offset
    return found


def test_everything_acknowledged_is_there_before_and_after_a_kill(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.num.partitions": 1,
        "group.consumer.min.assignment.interval.ms": 0,
        "group.consumer.assignment.interval.ms": 0,
    }
    with BrokerProcess(tmp_path / "data", settings) as broker:
        broker.start()
        with Connection(broker.address) as connection:
            create_topic(connection, "read", MEMBERS + 1)
            # Makes the topics of both coordinators.
            for key_type, keys in ((0, ("g", "c")), (1, ("t",))):
                connection.ask(FindCoordinatorRequest(key_type=key_type, coordinator_keys=keys), 4)
        for _ in range(2):
            load = Load(broker.address)
            load.run()
            print(load.acknowledged)
            with Connection(broker.address) as connection:
                before = fetched(connection)
            assert before == load.acknowledged
            broker.kill()
            broker.start()
            with Connection(broker.address) as connection:
                assert fetched(connection) == before
