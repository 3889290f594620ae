"""Bounds of the machine, which scripts would be too long for; and what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.coordinator.log import Opening
from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.records.transaction_state import PartitionsSchema, TransactionLogKey, TransactionLogValue
from ottla.transactions import sweeps
from ottla.transactions.config import TransactionsConfig
from ottla.transactions.records import TransactionRecords
from ottla.transactions.shard import TransactionShard
from ottla.transactions.state import State
from ottla.transactions.waiting import WAITERS_PER_ID_MAX, Waiter, Waiting
from ottla.wire.codec import WireError
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.schema import replace

WALL_MS = 1_700_000_000_000


def machine(**config: Any) -> TransactionShard:
    ids = iter(range(10**9))
    return TransactionShard(
        TransactionsConfig(**config), 1, transaction_version=lambda: 2, take_producer_id=lambda: next(ids)
    )


def held(name: str, state: State, producer_id: int = 1, **values: Any) -> Record:
    value = TransactionLogValue(
        producer_id=producer_id,
        previous_producer_id=producer_id,
        transaction_timeout_ms=1_000,
        transaction_status=state,
        transaction_partitions=(PartitionsSchema(topic="t", partition_ids=(0,)),) if state is State.ONGOING else None,
        transaction_last_update_timestamp_ms=WALL_MS,
        transaction_start_timestamp_ms=WALL_MS,
        **values,
    )
    return Record(TransactionLogKey(transactional_id=name), value)


def test_a_sweep_is_done_in_slices() -> None:
    shard = machine(abort_interval_ms=10, expire_interval_ms=10**9)
    for number in range(10_000):
        shard.apply(held(f"x{number}", State.ONGOING if number % 50 == 0 else State.EMPTY))
    shard.loaded(Now(0, WALL_MS))
    slices = aborted = 0
    while (due_ms := shard.next_deadline_ms()) is not None and due_ms <= 10:
        outbox = Outbox(Now(10, WALL_MS + 60_000), shard.apply)
        shard.advance(outbox)
        assert len(outbox.records) <= sweeps.CHANGES_PER_ADVANCE_MAX
        slices, aborted = slices + 1, aborted + len(outbox.records)
    assert aborted == 200
    assert slices >= 4


def test_what_is_expired_goes_record_by_record() -> None:
    shard = machine(expire_interval_ms=10, expiration_ms=1_000)
    for number in range(500):
        shard.apply(held(f"x{number}", State.COMPLETE_COMMIT))
    shard.loaded(Now(0, WALL_MS))
    emitted: list[Record] = []
    while (due_ms := shard.next_deadline_ms()) is not None and due_ms <= 10:
        outbox = Outbox(Now(10, WALL_MS + 1_000), shard.apply)
        shard.advance(outbox)
        emitted += outbox.records
    assert len(shard) == 0
    assert [record.value for record in emitted] == [None] * 500


def test_decisions_without_partitions_that_were_found_are_complete_at_once() -> None:
    shard = machine()
    shard.apply(held("x", State.PREPARE_ABORT, client_transaction_version=2))
    shard.loaded(Now(7, WALL_MS))
    assert shard.next_deadline_ms() == 0
    outbox = Outbox(Now(7, WALL_MS), shard.apply)
    shard.advance(outbox)
    value = shard.get("x")
    assert value is not None
    assert value.transaction_status == State.COMPLETE_ABORT
    assert shard.markers_due() == []


def test_partitions_that_a_client_adds_are_told_and_no_others() -> None:
    def told(shard: TransactionShard, epoch: int, version: int, *indexes: int) -> list[Opening]:
        outbox = Outbox(Now(0, WALL_MS), shard.apply)
        partitions = [("t", index) for index in indexes]
        shard.add_partitions("x", 1, epoch, partitions, Reply(), outbox, transaction_version=version)
        return outbox.openings

    shard = machine()
    shard.apply(held("x", State.EMPTY))
    assert told(shard, 0, 0, 1, 2) == [Opening("t", 1, 1, 0), Opening("t", 2, 1, 0)]
    assert told(shard, 0, 0, 2) == [], "it is in the transaction, which may have been ended there meanwhile"
    assert told(shard, 0, 2, 3) == [], "whoever asks is answered"
    assert told(shard, 1, 0, 4) == [], "another producer"


def test_what_is_too_large_changes_nothing() -> None:
    shard = machine()
    shard.apply(held("x", State.EMPTY))
    shard.loaded(Now(0, WALL_MS))

    def refuse(records: object) -> None:
        raise CoordinatorError(ErrorCode.UNKNOWN_SERVER_ERROR)

    before = shard.get("x")
    outbox = Outbox(Now(0, WALL_MS), shard.apply, refuse)
    with pytest.raises(CoordinatorError):
        shard.add_partitions("x", 1, 0, [("t", 0)], Reply(), outbox, transaction_version=0)
    assert shard.get("x") == before
    request = InitProducerIdRequest(transactional_id="y", transaction_timeout_ms=1_000)
    with pytest.raises(CoordinatorError):
        shard.init_producer_id(request, Reply(), outbox)
    assert shard.get("y") is None


def test_who_waits_for_many_ids() -> None:
    waiting = Waiting()

    def waiter(until_ms: int) -> Waiter:
        return Waiter(Reply(), until_ms, lambda _outbox, _until_ms: None, lambda _outbox: None)

    each = [waiter(100 - number) for number in range(WAITERS_PER_ID_MAX + 1)]
    assert [waiting.add("x", one) for one in each] == [True] * WAITERS_PER_ID_MAX + [False]
    assert waiting.add("y", waiter(50))
    assert list(waiting.ids) == ["x", "y"]
    assert waiting.next_deadline_ms() == 50
    assert len(list(waiting.overdue(80))) == 1 + 12
    assert waiting.take("x") == each[: WAITERS_PER_ID_MAX - 12]
    assert len(waiting) == 0
    assert waiting.next_deadline_ms() is None
    assert waiting.add("x", each[-1]), "there is room again"


@pytest.mark.parametrize("status", [State.DEAD, State.PREPARE_EPOCH_FENCE, 8, -1])
def test_states_that_are_never_stored_are_no_records(status: int) -> None:
    codec = TransactionRecords(lambda: 2)
    key, value = held("x", State.EMPTY)
    record = Record(key, replace(value, transaction_status=status))
    with pytest.raises(WireError, match="transactional id x has status"):
        codec.decode(*codec.encode(record))


@pytest.mark.parametrize(("version", "value_version"), [(0, 0), (1, 1), (2, 1)])
def test_value_versions_are_kafkas(version: int, value_version: int) -> None:
    codec = TransactionRecords(lambda: version)
    key, value = codec.encode(held("x", State.ONGOING, client_transaction_version=2, next_producer_id=5))
    assert key == b"\0\0\0\1x"
    assert value is not None
    assert int.from_bytes(value[:2]) == value_version
    assert codec.encode(Record(TransactionLogKey(transactional_id="x"), None)) == (key, None)
