"""Questions, markers and producers across the line to the engine; coordinators that write in transactions, on the model
that their own tests use as well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from ottla.config.load import EMBEDDED
from ottla.config.topic import topic_settings
from ottla.config.values import BrokerConfig
from ottla.coordinator.log import NO_PRODUCER_ID, Marker, Producer
from ottla.dataplane.coordinator_log import PlaneCoordinatorLogs
from ottla.dataplane.plane import Callbacks, Plane
from ottla.dataplane.transactions import ActiveProducer, MarkerRow, Question
from ottla.dataplane.views import engine_settings
from ottla.errors import ErrorCode
from ottla.ids import ZERO_UUID
from ottla.metadata.view import LeadPartition, TopicView, ViewDelta
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from tests.dataplane.log_bench import (
    TIMEOUT_MS,
    TOPIC,
    Bench,
    Engine,
    both,
    code_of,
    expect,
    load,
    played,
    row,
    with_engine,
)
from tests.support.appending import Appending, MarkerAppending
from tests.support.engine import engine
from tests.support.raw import Connection, batch

OTHER_TOPIC = bytes(range(16, 32))


async def claimed(bench: Bench, epoch: int = 0) -> int | None:
    return await bench.logs.open(TOPIC, 0, 0).verification(7, epoch, 2).wait()


@both
async def test_what_is_written_in_a_transaction_counts_when_it_is_committed(bench: Bench) -> None:
    await bench.lead(0)
    log = bench.logs.open(TOPIC, 0, 0)
    for commit in (True, False):
        guard = await claimed(bench)
        assert guard is not None
        value = "committed" if commit else "aborted"
        await Appending(log, [row(value, "1"), row("b", "2")], TIMEOUT_MS, Producer(7, 0, guard, 0)).wait()
        assert await claimed(bench) is None, "it is open"
        await Appending(log, [row("c", value)], TIMEOUT_MS, Producer(7, 0, None, 0)).wait()
        assert [one.key for one in await load(log) if one.producer_id == 7] == [value.encode(), b"b", b"c"]
        await MarkerAppending(log, Marker(7, 0, 0, commit, 0), TIMEOUT_MS).wait()
        found = await load(log)
        assert [one.key for one in found] == [b"committed", b"b", b"c"]
        assert {one.producer_id for one in found} == {NO_PRODUCER_ID}


@both
async def test_a_marker_takes_the_guard(bench: Bench) -> None:
    await bench.lead(0)
    log = bench.logs.open(TOPIC, 0, 0)
    without = Appending(log, [row("a", "1")], TIMEOUT_MS, Producer(7, 0, None, 0))
    await expect(without.wait, ErrorCode.INVALID_TXN_STATE)
    guard = await claimed(bench)
    await MarkerAppending(log, Marker(7, 0, 0, False, 0), TIMEOUT_MS).wait()
    late = Appending(log, [row("a", "1")], TIMEOUT_MS, Producer(7, 0, guard, 0))
    await expect(late.wait, ErrorCode.INVALID_TXN_STATE)
    assert await load(log) == []


# --- what only an engine can do ---------------------------------------------------------------------------------------


@with_engine
async def test_epochs_in_a_coordinators_log(bench: Engine) -> None:
    await bench.lead(0)
    log = bench.logs.open(TOPIC, 0, 0)
    guard = await claimed(bench, epoch=3)
    await MarkerAppending(log, Marker(7, 4, 5, False, 2), TIMEOUT_MS).wait()
    await expect(log.verification(7, 3, 2).wait, ErrorCode.INVALID_PRODUCER_EPOCH)
    old = Appending(log, [row("a", "1")], TIMEOUT_MS, Producer(7, 3, guard, 2))
    assert await code_of(old.wait) == ErrorCode.INVALID_PRODUCER_EPOCH
    fenced = MarkerAppending(log, Marker(7, 4, 4, False, 2), TIMEOUT_MS)
    assert await code_of(fenced.wait) == ErrorCode.TRANSACTION_COORDINATOR_FENCED
    await MarkerAppending(log, Marker(7, 4, 5, False, 2), TIMEOUT_MS).wait()
    elsewhere = bench.logs.open(TOPIC, 0, 9)
    await expect(elsewhere.verification(7, 4, 2).wait, ErrorCode.NOT_LEADER_OR_FOLLOWER)
    marker = MarkerAppending(elsewhere, Marker(7, 4, 5, False, 2), TIMEOUT_MS)
    assert await code_of(marker.wait) == ErrorCode.NOT_LEADER_OR_FOLLOWER


def show(plane: Plane, topic_id: bytes, name: str) -> None:
    partition = (0, 1, 0, 0, (1,), (1,), ())
    plane.install(None, ViewDelta(1, topics=[TopicView(topic_id, name, False, 1, [partition], None)]))


@with_engine
async def test_many_markers_at_once_and_who_writes(bench: Engine) -> None:
    await bench.lead(0)
    show(bench.plane, OTHER_TOPIC, "elsewhere")
    rows = [
        MarkerRow(TOPIC, 0, 7, 3, 0, True, 0),
        MarkerRow(TOPIC, 0, 7, 2, 0, True, 0),
        MarkerRow(TOPIC, 0, 7, 3, -1, True, 0),
        MarkerRow(OTHER_TOPIC, 0, 7, 3, 0, True, 0),
        MarkerRow(bytes(16), 0, 7, 3, 0, True, 0),
    ]
    expected = [
        ErrorCode.NONE,
        ErrorCode.INVALID_PRODUCER_EPOCH,
        ErrorCode.TRANSACTION_COORDINATOR_FENCED,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ]
    assert await bench.plane.append_markers(rows, TIMEOUT_MS) == expected
    assert await bench.plane.append_markers([], TIMEOUT_MS) == []
    asked = [(TOPIC, 0), (OTHER_TOPIC, 0)]
    described, refused = await bench.plane.describe_producers(asked)
    assert refused == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert isinstance(described, list)
    (found,) = described
    assert found == ActiveProducer(7, 3, -1, found.last_timestamp_ms, 0, -1)


@with_engine
async def test_markers_wait_for_their_replicas(bench: Engine) -> None:
    await bench.lead(0, isr=(1, 2))
    rows = [MarkerRow(TOPIC, 0, 7, 3, 0, True, 0)]
    assert await bench.plane.append_markers(rows, 50) == [ErrorCode.REQUEST_TIMED_OUT]


class Asking:
    """A producer of one transaction, against an engine whose questions the test answers."""

    def __init__(self, bench: Engine, connection: Connection) -> None:
        self.bench = bench
        self.connection = connection
        self._asked, self.questions = trio.open_memory_channel[Question](10)

    def take_questions(self) -> None:
        self.bench.plane.on_question(self._asked.send_nowait)

    def begin(self, version: int, sequence: int = 0) -> None:
        records = batch(b"value", producer_id=7, producer_epoch=0, base_sequence=sequence, transactional=True)
        data = PartitionProduceData(index=0, records=records)
        topic = TopicProduceData(name="orders", topic_id=OTHER_TOPIC, partition_data=(data,))
        request = ProduceRequest(transactional_id="t", acks=-1, timeout_ms=10_000, topic_data=(topic,))
        self.connection.send(request, version)

    async def answer(self, codes: Sequence[int]) -> int:
        question = await self.questions.receive()
        self.bench.plane.answer(question.question_id, codes)
        return await self.code()

    async def code(self) -> int:
        answer = await trio.to_thread.run_sync(self.connection.receive)
        code = answer.responses[0].partition_responses[0].error_code
        assert isinstance(code, int)
        return code


@pytest.mark.parametrize(("version", "add"), [(11, False), (13, True)])
def test_a_produce_asks_and_goes_on(tmp_path: Path, version: int, add: bool) -> None:
    async def main() -> None:
        with engine(tmp_path) as serving:
            bench = Engine(PlaneCoordinatorLogs(serving.plane), serving.plane)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    serving.plane.run, Callbacks(lambda _: None, lambda _: None, lambda _: None, lambda: None)
                )
                await lead_orders(serving.plane)
                with Connection(serving.listening.getsockname()) as connection:
                    accepted, _ = serving.listening.accept()
                    serving.plane.adopt(accepted, "PLAINTEXT")
                    await scene(bench, connection)
                nursery.cancel_scope.cancel()

    async def scene(bench: Engine, connection: Connection) -> None:
        asking = Asking(bench, connection)
        asking.begin(version)
        assert await asking.code() == ErrorCode.NOT_ENOUGH_REPLICAS, "nobody coordinates transactions yet"
        asking.take_questions()
        asking.begin(version)
        question = await asking.questions.receive()
        assert question[1:] == ("t", 7, 0, add, [("orders", 0)])
        bench.plane.answer(question.question_id, [ErrorCode.PRODUCER_FENCED])
        bench.plane.answer(question.question_id, [ErrorCode.NONE])
        assert await asking.code() == ErrorCode.INVALID_PRODUCER_EPOCH, "the first answer counts"
        asking.begin(version)
        assert await asking.answer([ErrorCode.NONE]) == ErrorCode.NONE
        asking.begin(version, 1)
        assert await asking.code() == ErrorCode.NONE, "nobody is asked"
        bench.plane.set_transaction_rules(verify=False, timeout_ms=50)
        assert await bench.plane.append_markers([MarkerRow(OTHER_TOPIC, 0, 7, 0, 0, True, 0)], TIMEOUT_MS) == [0]
        asking.begin(version, 2)
        if add:
            assert await asking.code() == ErrorCode.NOT_ENOUGH_REPLICAS, "nobody answered in time"
        else:
            assert await asking.code() == ErrorCode.NONE

    played(main)


async def lead_orders(plane: Plane) -> None:
    show(plane, OTHER_TOPIC, "orders")
    lead = LeadPartition(OTHER_TOPIC, "orders", 0, 0, 1, (1,), (1,), ZERO_UUID)
    settings = topic_settings(BrokerConfig(dict(EMBEDDED)), {})
    ((_, _, _, error),) = await plane.begin_lead([lead], {OTHER_TOPIC: engine_settings(settings, 1_000)})()
    assert error is None
