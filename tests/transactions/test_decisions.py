"""What is decided, beside a dumb model: for every state, id and epoch, one line of what semantics say."""

from __future__ import annotations

import itertools

import pytest

from ottla.errors import ErrorCode
from ottla.records.transaction_state import PartitionsSchema, TransactionLogValue
from ottla.transactions.changes import added, completed, created, ended, fenced, initialized, rotated, state_of
from ottla.transactions.ending import Ending, check_end, check_end_old
from ottla.transactions.state import EXPIRES, PREPARED, State
from ottla.wire.schema import replace

STORED = [state for state in State if state not in (State.DEAD, State.PREPARE_EPOCH_FENCE)]
CURRENT, PREVIOUS, OTHER = 20, 10, 77
LAST_EPOCH = 32_766


def value(state: State, epoch: int, producer_id: int = CURRENT, previous: int = PREVIOUS) -> TransactionLogValue:
    is_open = state in (State.ONGOING, *PREPARED)
    return TransactionLogValue(
        producer_id=producer_id,
        previous_producer_id=previous,
        producer_epoch=epoch,
        transaction_timeout_ms=60_000,
        transaction_status=state,
        transaction_partitions=(PartitionsSchema(topic="t", partition_ids=(0, 2)),) if is_open else None,
        transaction_start_timestamp_ms=5 if is_open else -1,
        client_transaction_version=2,
    )


def model_of_old(state: State, same_id: bool, same_epoch: bool, commit: bool) -> str:
    if not same_id:
        return "INVALID_PRODUCER_ID_MAPPING"
    if not same_epoch:
        return "PRODUCER_FENCED"
    return {
        State.EMPTY: "INVALID_TXN_STATE",
        State.ONGOING: "PREPARE",
        State.PREPARE_COMMIT: "WAIT",
        State.PREPARE_ABORT: "WAIT",
        State.COMPLETE_COMMIT: "DONE" if commit else "INVALID_TXN_STATE",
        State.COMPLETE_ABORT: "INVALID_TXN_STATE" if commit else "DONE",
    }[state]


@pytest.mark.parametrize(("state", "commit"), list(itertools.product(STORED, (True, False))))
def test_the_old_protocol_ends_as_its_model(state: State, commit: bool) -> None:
    for producer_id, epoch in itertools.product((CURRENT, PREVIOUS, OTHER), (3, 4, 5)):
        found = check_end_old(value(state, 4), producer_id, epoch, commit=commit)
        assert found.name == model_of_old(state, producer_id == CURRENT, epoch == 4, commit)
    assert check_end_old(None, CURRENT, 4, commit=commit) is ErrorCode.INVALID_PRODUCER_ID_MAPPING


def model_of_new(state: State, who: str, commit: bool) -> str:
    """``who``: by its epoch, current, the one before (a retry), before the id was rotated (a retry), or other."""
    result = "commit" if commit else "abort"
    if state in PREPARED:
        return "WAIT"
    if who == "other id":
        return "INVALID_PRODUCER_ID_MAPPING"
    if who == "other epoch":
        return "PRODUCER_FENCED"
    return {
        (State.ONGOING, "current", "commit"): "PREPARE",
        (State.ONGOING, "current", "abort"): "PREPARE",
        (State.EMPTY, "current", "commit"): "INVALID_TXN_STATE",
        (State.EMPTY, "current", "abort"): "PREPARE",
        (State.COMPLETE_COMMIT, "retry", "commit"): "DONE",
        (State.COMPLETE_COMMIT, "retry", "abort"): "INVALID_TXN_STATE",
        (State.COMPLETE_COMMIT, "current", "commit"): "INVALID_TXN_STATE",
        (State.COMPLETE_COMMIT, "current", "abort"): "PREPARE",
        (State.COMPLETE_ABORT, "retry", "commit"): "INVALID_TXN_STATE",
        (State.COMPLETE_ABORT, "retry", "abort"): "DONE",
        (State.COMPLETE_ABORT, "current", "commit"): "INVALID_TXN_STATE",
        (State.COMPLETE_ABORT, "current", "abort"): "PREPARE",
    }.get((state, who, result), "PRODUCER_FENCED")


@pytest.mark.parametrize(("state", "commit"), list(itertools.product(STORED, (True, False))))
def test_version_2_ends_as_its_model(state: State, commit: bool) -> None:
    asked = {
        (CURRENT, 4): "current",
        (CURRENT, 3): "retry",
        (CURRENT, 2): "other epoch",
        (CURRENT, 5): "other epoch",
        (CURRENT, LAST_EPOCH): "other epoch",
        (PREVIOUS, LAST_EPOCH): "other id",
        (PREVIOUS, 3): "other id",
        (OTHER, 4): "other id",
    }
    for (producer_id, epoch), who in asked.items():
        found = check_end(value(state, 4), producer_id, epoch, commit=commit)
        assert found.name == model_of_new(state, who, commit), (producer_id, epoch)
    assert check_end(None, CURRENT, 4, commit=commit) is ErrorCode.INVALID_PRODUCER_ID_MAPPING


@pytest.mark.parametrize(("state", "commit"), list(itertools.product(STORED, (True, False))))
def test_version_2_knows_a_retry_after_the_id_was_rotated(state: State, commit: bool) -> None:
    asked = {
        (PREVIOUS, LAST_EPOCH): "retry",
        (PREVIOUS, LAST_EPOCH - 1): "other id",
        (PREVIOUS, 0): "other id",
        (CURRENT, 0): "current",
        (CURRENT, 1): "other epoch",
    }
    for (producer_id, epoch), who in asked.items():
        found = check_end(value(state, 0), producer_id, epoch, commit=commit)
        assert found.name == model_of_new(state, who, commit), (producer_id, epoch)


@pytest.mark.parametrize(("state", "commit"), list(itertools.product(sorted(EXPIRES), (True, False))))
def test_an_epoch_that_the_last_end_did_not_raise_is_no_retry(state: State, commit: bool) -> None:
    ended_by_old = replace(value(state, 4), client_transaction_version=0)
    assert check_end(ended_by_old, CURRENT, 3, commit=commit) is ErrorCode.PRODUCER_FENCED


def test_a_new_id_begins_with_epoch_0_whatever_it_names() -> None:
    for expected in (None, 7):
        found = initialized(created(1, 100, 9), -1, expected, 100, 9)
        assert found is not None
        assert (found.value.producer_id, found.value.producer_epoch, found.last_producer_epoch) == (1, 0, -1)
        assert found.value.previous_producer_id == 1


def test_epochs_go_on() -> None:
    before = value(State.EMPTY, 4)
    for expected, last, epoch_and_last in ((None, 3, (5, -1)), (4, -1, (5, 4)), (3, 3, (4, 3))):
        found = initialized(before, last, expected, 100, 9)
        assert found is not None
        assert (found.value.producer_epoch, found.last_producer_epoch) == epoch_and_last
    assert initialized(before, 2, 3, 100, 9) is None
    assert initialized(before, -1, 5, 100, 9) is None


def test_the_highest_epoch_is_nobodys() -> None:
    exhausted = value(State.EMPTY, LAST_EPOCH)
    with pytest.raises(AssertionError, match="has no epochs left"):
        initialized(exhausted, -1, None, 100, 9)
    found = rotated(exhausted, 30, 100, 9, keeps_last=True)
    assert (found.value.producer_id, found.value.producer_epoch, found.last_producer_epoch) == (30, 0, LAST_EPOCH)
    assert found.value.previous_producer_id == CURRENT
    assert rotated(exhausted, 30, 100, 9, keeps_last=False).last_producer_epoch == -1


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize("epoch", [4, LAST_EPOCH, LAST_EPOCH + 1])
def test_who_is_fenced_has_an_epoch_that_is_no_more(version: int, epoch: int) -> None:
    """At the very highest there is none above; that does not come about, and Kafka writes it the same."""
    found = fenced(value(State.ONGOING, epoch), version, -1, 9).value
    assert state_of(found) is State.PREPARE_ABORT
    assert found.producer_epoch == min(epoch + 1, 32_767)
    assert found.transaction_start_timestamp_ms == 5


def test_partitions_are_added_once_in_order() -> None:
    found = added(value(State.ONGOING, 4), 3, [("u", 1), ("t", 0), ("t", 1), ("u", 1)], 0, 9).value
    assert found.transaction_partitions == (
        PartitionsSchema(topic="t", partition_ids=(0, 2, 1)),
        PartitionsSchema(topic="u", partition_ids=(1,)),
    )
    assert found.transaction_start_timestamp_ms == 5
    first = added(value(State.COMPLETE_COMMIT, 4), 3, [("u", 1)], 0, 9).value
    assert first.transaction_partitions == (PartitionsSchema(topic="u", partition_ids=(1,)),)
    assert first.transaction_start_timestamp_ms == 9


@pytest.mark.parametrize("state", sorted(EXPIRES | {State.ONGOING}))
def test_an_end_leads_to_its_completion(state: State) -> None:
    prepared = ended(value(state, LAST_EPOCH), -1, State.PREPARE_ABORT, 2, 30, 9)
    assert (prepared.value.producer_id, prepared.value.producer_epoch) == (CURRENT, LAST_EPOCH + 1)
    done = completed(prepared.value, prepared.last_producer_epoch, 11)
    assert state_of(done.value) is State.COMPLETE_ABORT
    assert (done.value.producer_id, done.value.producer_epoch, done.value.next_producer_id) == (30, 0, -1)
    assert (done.value.previous_producer_id, done.last_producer_epoch) == (CURRENT, LAST_EPOCH)
    assert done.value.transaction_partitions == ()
    assert done.value.transaction_start_timestamp_ms == (5 if state is State.ONGOING else 9)


def test_every_ending_is_reached() -> None:
    found = {
        check(value(state, 4), CURRENT, epoch, commit=commit)
        for check, state, epoch, commit in itertools.product((check_end, check_end_old), STORED, (3, 4), (True, False))
    }
    assert set(Ending) <= found
