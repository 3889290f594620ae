"""`ottla transactions` against a broker that runs, with transactions that hang."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from ottla.errors import ErrorCode
from ottla.testing import Broker
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k24_add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from ottla.wire.k26_end_txn import EndTxnRequest
from tests.cli.run import Ended, run
from tests.support.raw import Connection, batch
from tests.support.raw_admin import create_topic

TIMEOUT_MS: Final = 60_000


class Ottla:
    """The command, on a broker that lets transactions hang: it does not verify what clients say they write in them."""

    def __init__(self, broker: Broker, patch: pytest.MonkeyPatch) -> None:
        self.connection = Connection(broker.bootstrap_servers, "tool")
        assert create_topic(self.connection, "t", 2) == 0
        self._broker = broker
        self._patch = patch

    def __call__(self, *arguments: str) -> Ended:
        return run(self._patch, "transactions", *arguments, "-b", self._broker.bootstrap_servers)

    def facts(self, *arguments: str, code: int = 0) -> list[Any]:
        ended = self(*arguments, "--json")
        assert ended.code == code, ended
        return [json.loads(line) for line in ended.out.splitlines()]

    def begin(self, transactional_id: str, *partitions: int) -> tuple[int, int]:
        """Its producer id and epoch."""
        self.connection.ask(FindCoordinatorRequest(coordinator_keys=(transactional_id,), key_type=1), 4)
        request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=TIMEOUT_MS)
        while (answer := self.connection.ask(request, 4)).error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
            pass
        assert answer.error_code == 0
        if partitions:
            added = AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=transactional_id,
                v3_and_below_producer_id=answer.producer_id,
                v3_and_below_producer_epoch=answer.producer_epoch,
                v3_and_below_topics=(AddPartitionsToTxnTopic(name="t", partitions=partitions),),
            )
            (topic,) = self.connection.ask(added, 3).results_by_topic_v3_and_below
            assert {each.partition_error_code for each in topic.results_by_partition} == {0}
        return answer.producer_id, answer.producer_epoch

    def write(self, transactional_id: str, producer: tuple[int, int], partition: int, *values: bytes) -> None:
        records = batch(
            *values,
            timestamp_ms=round(time.time() * 1000),
            producer_id=producer[0],
            producer_epoch=producer[1],
            base_sequence=0,
            transactional=True,
        )
        data = TopicProduceData(name="t", partition_data=(PartitionProduceData(index=partition, records=records),))
        request = ProduceRequest(transactional_id=transactional_id, acks=-1, timeout_ms=TIMEOUT_MS, topic_data=(data,))
        answer = self.connection.ask(request, 9)
        assert answer.responses[0].partition_responses[0].error_code == 0, answer

    def end(self, transactional_id: str, producer: tuple[int, int]) -> int:
        request = EndTxnRequest(
            transactional_id=transactional_id, producer_id=producer[0], producer_epoch=producer[1], committed=True
        )
        code: int = self.connection.ask(request, 3).error_code
        return code


@pytest.fixture
def ottla(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ottla]:
    settings = {
        "transaction.partition.verification.enable": "false",
        "transaction.state.log.num.partitions": "1",
    }
    with Broker(config=settings) as broker:
        commands = Ottla(broker, monkeypatch)
        yield commands
        commands.connection.close()


def test_the_life_of_a_transaction(ottla: Ottla) -> None:
    producer = ottla.begin("pay", 0, 1)
    ottla.write("pay", producer, 0, b"a", b"b")
    ottla.begin("idle")
    pay, idle = sorted(ottla.facts("list"), key=lambda each: each["id"] != "pay")
    assert (pay["state"], pay["partitions"], pay["timeout_s"]) == ("Ongoing", 2, 60.0)
    assert (idle["id"], idle["state"], idle["open_s"]) == ("idle", "Empty", None)
    assert [each["id"] for each in ottla.facts("list", "--state", "Ongoing")] == ["pay"]
    assert ottla.facts("list", "--longer-than", "3600") == []
    assert [each["id"] for each in ottla.facts("list", "--pattern", "i.*")] == ["idle"]

    (described,) = ottla.facts("describe")
    assert (described["id"], described["producer_id"], described["producer_epoch"]) == ("pay", *producer)
    assert described["partitions"] == [
        {"topic": "t", "partition": 0, "start_offset": 0, "offsets_waiting": 2},
        {"topic": "t", "partition": 1, "start_offset": None, "offsets_waiting": None},
    ]
    shown = ottla("describe", "pay").out
    assert shown.startswith("pay: Ongoing, open for ")
    assert "TOPIC  PARTITION  BEGINS AT  OFFSETS WAITING" in shown

    assert ottla.facts("abort", "pay", "idle") == [{"id": "pay", "aborted": True}, {"id": "idle", "aborted": False}]
    assert ottla.facts("describe") == []
    assert ottla.end("pay", producer) == ErrorCode.PRODUCER_FENCED
    assert "nothing is open under pay" in ottla("abort", "pay").out


def test_one_that_hangs(ottla: Ottla) -> None:
    producer = ottla.begin("lost")
    # Nobody told the coordinator.
    ottla.write("lost", producer, 1, b"a")
    ottla.begin("known", 0)
    assert ottla.facts("find-hanging") == [], "it may be on its way still"
    (found,) = ottla.facts("find-hanging", "--max-timeout", "0", code=1)
    assert (found["topic"], found["partition"], found["producer_id"], found["start_offset"]) == ("t", 1, producer[0], 0)
    assert ottla.facts("find-hanging", "--max-timeout", "0", "--topic", "t:0") == []
    assert "end one: " in ottla("find-hanging", "--max-timeout", "0").out

    refused = ottla("abort", "--topic", "t:1")
    assert (refused.code, "no transaction hangs on t-1" in refused.err) == (1, True)
    (aborted,) = ottla.facts("abort", "--topic", "t:1", "--max-timeout", "0")
    assert aborted["aborted"] is True
    assert ottla.facts("find-hanging", "--max-timeout", "0") == []
    assert ottla("abort", "--topic", "t:1", "--max-timeout", "0").code == 1


def test_what_is_not_hanging_is_left_alone(ottla: Ottla) -> None:
    producer = ottla.begin("known", 0)
    ottla.write("known", producer, 0, b"a")
    assert ottla.facts("find-hanging", "--max-timeout", "0") == []
    assert ottla("abort", "--topic", "t:0", "--max-timeout", "0").code == 1
    assert ottla.end("known", producer) == 0


def test_what_is_wrong_is_said(ottla: Ottla) -> None:
    ottla.begin("known")
    for verb in ("describe", "abort"):
        unknown = ottla(verb, "nobody")
        assert (unknown.code, "there is no transactional id nobody" in unknown.err) == (1, True)
    for wrong in (
        ["abort"],
        ["abort", "x", "--topic", "t:0"],
        ["abort", "--topic", "t"],
        ["abort", "--topic", "t:0,1"],
    ):
        assert ottla(*wrong).code == 2
